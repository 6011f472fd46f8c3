//! A provider that proves people and tells nothing else.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use http::HeaderMap;
use tollkeeper_core::{
    ids::{OrganizationId, Source, UserId},
    ports::{
        AuthError, DecodeError, Hint, Identity, Inbound, OrganizationRecord, Page, ProviderError, Session, UserRecord,
        Verified, VerifyError,
    },
    time::MachineTime,
};

use super::{Config, Validator};
use crate::ConfigError;

/// Any OpenID Connect provider, for sign-in only: no deliveries, no directory. Organizations and members come through
/// the admin API, or with their first token.
#[derive(Debug)]
pub struct Oidc {
    validator: Validator,
}

impl Oidc {
    /// Makes the adapter.
    ///
    /// # Errors
    /// [`ConfigError`]: a setting cannot be used.
    ///
    /// # Panics
    /// When the process has no TLS provider installed.
    pub fn new(config: Config) -> Result<Self, ConfigError> {
        Validator::new(config).map(|validator| Self { validator })
    }

    /// What proves the tokens.
    pub fn validator(&self) -> &Validator {
        &self.validator
    }
}

impl Inbound for Oidc {
    fn source(&self) -> Source {
        "oidc".into()
    }

    fn verify(&self, _headers: &HeaderMap, _body: Bytes, _now: MachineTime) -> Result<Verified, VerifyError> {
        Err(VerifyError::Missing("webhook secret: this identity provider sends no deliveries"))
    }

    fn envelope(&self, _verified: &Verified) -> Result<Hint, DecodeError> {
        Err(DecodeError("this identity provider sends no deliveries".to_owned()))
    }

    fn decode(&self, verified: &Verified) -> Result<Hint, DecodeError> {
        self.envelope(verified)
    }
}

#[async_trait]
impl Identity for Oidc {
    async fn authenticate(&self, token: &str, now: MachineTime) -> Result<Arc<Session>, AuthError> {
        self.validator.authenticate(token, now).await
    }

    async fn organization(&self, _id: &OrganizationId) -> Result<Option<OrganizationRecord>, ProviderError> {
        Ok(None)
    }

    async fn user(&self, _id: &UserId) -> Result<Option<UserRecord>, ProviderError> {
        Ok(None)
    }

    async fn organizations(&self, _page: Option<&str>) -> Result<Option<Page<OrganizationRecord>>, ProviderError> {
        Ok(None)
    }

    async fn members(
        &self,
        _organization: &OrganizationId,
        _page: Option<&str>,
    ) -> Result<Option<Page<UserRecord>>, ProviderError> {
        Ok(None)
    }
}
