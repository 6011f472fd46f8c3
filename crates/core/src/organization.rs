//! An organization: a tenant at the identity provider, and what we remember about it.

use serde::{Deserialize, Serialize};

use crate::{
    ids::{OrganizationId, Provider, ProviderCustomerId},
    money::Currency,
    time::Timestamp,
};

/// Our row of an organization.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Organization {
    /// The identity provider's id; the one billing key.
    pub id: OrganizationId,
    /// As people call it; the id itself until the identity provider has told the name.
    pub display_name: String,
    /// The product's own id of it, when the identity provider carries one.
    pub external_id: Option<String>,
    /// Billing contact.
    pub email: Option<String>,
    /// BCP 47 language of the billing contact.
    pub locale: Option<String>,
    /// Pinned with the first purchase.
    pub currency: Option<Currency>,
    /// The provider that bills it; pinned when the row is made.
    pub billing_provider: Provider,
    /// Whether a trial was ever started; never goes back to false.
    pub had_trial: bool,
    /// Bumped by compare-and-set with every change: orders history and outbox, and tells gates that they are old.
    pub version: i64,
    /// When the identity provider's own record last changed, as far as we know. Guards against older news.
    pub identity_updated_at: Option<Timestamp>,
    /// When its deletion was asked for: from then on its gates are closed and nothing is sold to it.
    pub deletion_began_at: Option<Timestamp>,
    /// When nothing of it was billed any more, so that it was deleted here too: from then on its gates are closed and
    /// its name is frozen.
    pub deleted_at: Option<Timestamp>,
    /// When our row was made.
    pub created_at: Timestamp,
    /// When our row was last written.
    pub updated_at: Timestamp,
}

impl Organization {
    /// Whether it is deleted, or about to be: nobody uses it any more, whatever is still being cleared up.
    pub const fn is_leaving(&self) -> bool {
        self.deletion_began_at.is_some() || self.deleted_at.is_some()
    }
}

/// The organization's record at one billing provider; at most one per organization and provider.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Customer {
    /// The billing provider.
    pub provider: Provider,
    /// Its id there.
    pub id: ProviderCustomerId,
}
