//! `checkout.session` and `billing_portal.session`.

use serde::Deserialize;

use super::{Customer, Identified, Metadata, Named, Reference};

/// A checkout that Stripe hosts for one person. Source: API reference, "Checkout Sessions".
#[derive(Debug, Deserialize)]
pub(crate) struct Session {
    pub(crate) id: String,
    pub(crate) url: Option<String>,
    /// `open`, `complete`, `expired`.
    pub(crate) status: Option<String>,
    pub(crate) created: Option<i64>,
    pub(crate) expires_at: Option<i64>,
    pub(crate) client_reference_id: Option<String>,
    pub(crate) customer: Option<Reference<Customer>>,
    /// What came out of it, once it is complete.
    pub(crate) subscription: Option<Reference<Named>>,
    #[serde(default)]
    pub(crate) metadata: Metadata,
}

impl Identified for Session {
    fn id(&self) -> &str {
        &self.id
    }
}

/// A way into the portal; short-lived.
#[derive(Debug, Deserialize)]
pub(crate) struct PortalSession {
    pub(crate) id: String,
    pub(crate) url: String,
    pub(crate) created: Option<i64>,
}
