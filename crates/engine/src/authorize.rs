//! Who may do what: organization, reference, role, and the product's own hook, in this order, before anything else.

use std::sync::Arc;

use tollkeeper_core::{
    ids::{OrganizationId, UserId},
    ports::Session,
};

use tollkeeper_store::member;

use crate::{
    Error, Tollkeeper,
    hooks::{self, Action},
};

/// Somebody who may do what was asked, for one organization. Only [`Tollkeeper::authorize`], for a person, and
/// [`Tollkeeper::authorize_key`], for a program, make one.
#[derive(Clone, Debug)]
pub struct Actor {
    pub(crate) organization_id: OrganizationId,
    pub(crate) user_id: UserId,
    pub(crate) email: Option<String>,
}

impl Actor {
    /// The organization it acts for.
    pub fn organization_id(&self) -> &OrganizationId {
        &self.organization_id
    }

    /// Who it is, as people recognise themselves: by e-mail, or by id where none is known.
    pub fn name(&self) -> &str {
        self.email.as_deref().unwrap_or(self.user_id.as_str())
    }
}

impl Tollkeeper {
    /// Proves the bearer of an access token.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`].
    pub async fn authenticate(&self, token: &str) -> Result<Arc<Session>, Error> {
        Ok(self.inner.identity.authenticate(token, self.machine_now()).await?)
    }

    /// The organization of a session, which is the only one that `reference` may name.
    ///
    /// # Errors
    /// [`Error::Forbidden`] with `organization_required` or `reference_mismatch`.
    pub fn organization_of<'a>(
        &self,
        session: &'a Session,
        reference: Option<&str>,
    ) -> Result<&'a OrganizationId, Error> {
        let Some(organization) = &session.organization_id else {
            return Err(Error::forbidden("organization_required", "Organization context required for billing"));
        };
        if reference.is_some_and(|reference| reference != organization.as_str()) {
            return Err(Error::forbidden(
                "reference_mismatch",
                "The reference is not the organization of this session",
            ));
        }
        Ok(organization)
    }

    /// The person's e-mail: a verified one of the token itself, else the one that signed deliveries told.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn email_of(&self, session: &Session) -> Result<Option<String>, Error> {
        let (None, Some(organization)) = (&session.email, &session.organization_id) else {
            return Ok(session.email.clone());
        };
        let mut connection = self.inner.db.read().await?;
        Ok(member::email_of(connection.c(), organization, &session.user_id).await?)
    }

    /// Whether the person has a role that may change billing, as far as roles tell: the product's own hook is asked when
    /// something is done.
    pub fn may_change_billing(&self, session: &Session) -> bool {
        let roles = &self.inner.settings.billing_roles;
        session.is_own_organization || roles.is_empty() || session.roles.iter().any(|role| roles.contains(role))
    }

    /// Decides whether the person may do `action` for `reference`, which is its own organization or nothing.
    ///
    /// # Errors
    /// [`Error::Forbidden`]: `organization_required`, `reference_mismatch`, `role_required` or `denied`.
    pub async fn authorize(&self, session: &Session, reference: Option<&str>, action: Action) -> Result<Actor, Error> {
        let organization = self.organization_of(session, reference)?;
        if action.changes_billing() && !self.may_change_billing(session) {
            let roles = self.inner.settings.billing_roles.join(", ");
            return Err(Error::forbidden("role_required", format!("Changing billing needs one of the roles {roles}")));
        }
        // A hook that fails has not said yes.
        let asked = self.inner.hooks.authorize(&session.user_id, organization, action);
        let allowed = match hooks::guarded(asked).await {
            Ok(allowed) => allowed,
            Err(error) => {
                tracing::error!(%error, organization.id = %organization, action = action.as_str(), "the authorize hook failed: denied");
                false
            }
        };
        if !allowed {
            return Err(Error::forbidden("denied", "This is not allowed for this organization"));
        }
        self.welcome(organization).await?;
        Ok(Actor {
            organization_id: organization.clone(),
            user_id: session.user_id.clone(),
            email: self.email_of(session).await?,
        })
    }
}
