//! The identity provider, as the engine needs it.

use std::sync::Arc;

use async_trait::async_trait;

use crate::{
    ids::{OrganizationId, UserId},
    ports::{Inbound, Page, ProviderError, SignIn},
    time::{MachineTime, Timestamp},
};

/// A person, proven by an access token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// Who.
    pub user_id: UserId,
    /// For which organization; `None` when the token names none.
    pub organization_id: Option<OrganizationId>,
    /// The session at the identity provider.
    pub session_id: Option<String>,
    /// Roles in the organization.
    pub roles: Vec<String>,
    /// Permissions in the organization.
    pub permissions: Vec<String>,
    /// A verified e-mail, only where the token itself, or the ID token that came with it, carries one.
    pub email: Option<String>,
    /// When the token stops being good.
    pub expires_at: MachineTime,
    /// Whether the organization is the person itself (`organization_claim = "sub"`): roles do not matter then.
    pub is_own_organization: bool,
}

/// Why a token is not accepted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AuthError {
    /// Malformed, wrongly signed, for somebody else, or not a person's.
    #[error("the token is not valid: {0}")]
    Invalid(&'static str),
    /// Too old.
    #[error("the token has expired")]
    Expired,
    /// The keys that would prove it could not be had.
    #[error("the signing keys of the identity provider are not available")]
    KeysUnavailable,
}

/// An organization as the identity provider holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrganizationRecord {
    /// Its id.
    pub id: OrganizationId,
    /// Its name; `None` where the provider has none.
    pub display_name: Option<String>,
    /// The product's own id of it.
    pub external_id: Option<String>,
    /// When it last changed there.
    pub updated_at: Option<Timestamp>,
}

/// A person as the identity provider holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserRecord {
    /// Its id.
    pub id: UserId,
    /// The e-mail.
    pub email: Option<String>,
}

/// An identity provider: proves people, tells about organizations, sends deliveries.
#[async_trait]
pub trait Identity: Inbound {
    /// Proves the bearer of an access token, every time. An implementation may remember what it proved, as long as its
    /// keys and the token are good.
    ///
    /// # Errors
    /// [`AuthError`]: answer 401, except [`AuthError::KeysUnavailable`], which is 503.
    async fn authenticate(&self, token: &str, now: MachineTime) -> Result<Arc<Session>, AuthError>;

    /// Looks an organization up; `None` when it is not there, or when this provider has no organizations.
    ///
    /// # Errors
    /// [`ProviderError`], by kind.
    async fn organization(&self, id: &OrganizationId) -> Result<Option<OrganizationRecord>, ProviderError>;

    /// Looks a person up; `None` when it is not there, or when this provider has no user directory.
    ///
    /// # Errors
    /// [`ProviderError`], by kind.
    async fn user(&self, id: &UserId) -> Result<Option<UserRecord>, ProviderError>;

    /// Reads organizations, page by page; `page` is what the page before named as next. `None` when this provider
    /// cannot list them.
    ///
    /// # Errors
    /// [`ProviderError`], by kind.
    async fn organizations(&self, page: Option<&str>) -> Result<Option<Page<OrganizationRecord>>, ProviderError>;

    /// Whether [`Identity::members`] would show somebody with this id; ids of other directories are not in it.
    fn lists(&self, _user: &UserId) -> bool {
        true
    }

    /// Reads the members of an organization, page by page; `None` when this provider cannot list them.
    ///
    /// # Errors
    /// [`ProviderError`], by kind.
    async fn members(
        &self,
        organization: &OrganizationId,
        page: Option<&str>,
    ) -> Result<Option<Page<UserRecord>>, ProviderError>;

    /// How people sign in for pages of ours; `None` where they do so elsewhere.
    fn sign_in(&self) -> Option<&dyn SignIn> {
        None
    }
}
