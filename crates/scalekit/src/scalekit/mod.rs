//! Scalekit, behind the core's ports.
//!
//! Knows its tokens (`oid`, `sid`, `usr_…`), how people sign in (`sign_in`), its events (`events`) and what we read of its
//! management API (`rest`, and its JSON in `wire`). One address serves as issuer, as base of the API and as home of the key set (`{environment}/keys`).

mod config;
mod events;
mod rest;
mod sign_in;
mod wire;

use std::{fmt, sync::Arc};

use async_trait::async_trait;
use bytes::Bytes;
use http::HeaderMap;
use tollkeeper_core::{
    ids::{OrganizationId, Source, UserId},
    ports::{
        AuthError, DecodeError, Hint, Identity, Inbound, OrganizationRecord, Page, ProviderError, Session, SignIn,
        UserRecord, Verified, VerifyError,
    },
    time::{Clock, MachineTime},
};

use self::rest::Rest;
use crate::{
    ConfigError,
    oidc::Validator,
    standard_webhooks::{self, Secret, TOLERANCE},
};

pub use config::Config;

/// The source's name in rows and logs.
const SOURCE: &str = "scalekit";

/// The adapter for one Scalekit environment.
pub struct Scalekit {
    validator: Validator,
    webhook_secrets: Vec<Secret>,
    rest: Rest,
    client_id: String,
    /// Every person is an organization of one, so that there is nothing to look up.
    people_are_organizations: bool,
}

impl Scalekit {
    /// Makes the adapter. Nobody is called before the first token or look-up. `clock` tells how old the management
    /// token is.
    ///
    /// # Errors
    /// [`ConfigError`]: a setting cannot be used.
    ///
    /// # Panics
    /// When the process has no TLS provider installed.
    pub fn new(config: Config, clock: Arc<dyn Clock>) -> Result<Self, ConfigError> {
        Ok(Self {
            // First, because it names the settings as they are called here.
            rest: Rest::new(&config, clock)?,
            webhook_secrets: config.parsed_webhook_secrets()?,
            validator: Validator::new(config.oidc())?,
            client_id: config.client_id.clone(),
            people_are_organizations: config.organization_claim == ["sub"],
        })
    }

    /// What proves the tokens.
    pub fn validator(&self) -> &Validator {
        &self.validator
    }
}

impl fmt::Debug for Scalekit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scalekit").field("rest", &self.rest).finish_non_exhaustive()
    }
}

impl Inbound for Scalekit {
    fn source(&self) -> Source {
        SOURCE.into()
    }

    fn verify(&self, headers: &HeaderMap, body: Bytes, now: MachineTime) -> Result<Verified, VerifyError> {
        standard_webhooks::verify(&self.webhook_secrets, headers, &body, now, TOLERANCE)?;
        Ok(Verified::vouched(self.source(), body))
    }

    fn envelope(&self, verified: &Verified) -> Result<Hint, DecodeError> {
        events::envelope(verified.body())
    }

    fn decode(&self, verified: &Verified) -> Result<Hint, DecodeError> {
        events::decode(verified.body())
    }
}

#[async_trait]
impl Identity for Scalekit {
    async fn authenticate(&self, token: &str, now: MachineTime) -> Result<Arc<Session>, AuthError> {
        self.validator.authenticate(token, now).await
    }

    async fn organization(&self, id: &OrganizationId) -> Result<Option<OrganizationRecord>, ProviderError> {
        if self.people_are_organizations {
            return Ok(None);
        }
        self.rest.organization(id).await
    }

    async fn user(&self, id: &UserId) -> Result<Option<UserRecord>, ProviderError> {
        self.rest.user(id).await
    }

    async fn organizations(&self, page: Option<&str>) -> Result<Option<Page<OrganizationRecord>>, ProviderError> {
        if self.people_are_organizations {
            return Ok(None);
        }
        self.rest.organizations(page).await.map(Some)
    }

    /// Users of a connected directory have a list of their own. Source: Scalekit docs, "Directory events".
    fn lists(&self, user: &UserId) -> bool {
        !user.as_str().starts_with("diruser_")
    }

    async fn members(
        &self,
        organization: &OrganizationId,
        page: Option<&str>,
    ) -> Result<Option<Page<UserRecord>>, ProviderError> {
        if self.people_are_organizations {
            return Ok(None);
        }
        self.rest.members(organization, page).await.map(Some)
    }

    fn sign_in(&self) -> Option<&dyn SignIn> {
        Some(self)
    }
}
