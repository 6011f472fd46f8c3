//! The identity provider of the play.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use http::HeaderMap;
use tollkeeper_core::{
    ids::{OrganizationId, Source, UserId},
    ports::{
        AuthError, DecodeError, Hint, Identity, Inbound, OrganizationRecord, Page, ProviderError, Session, SignIn,
        UserRecord, Verified, VerifyError,
    },
    time::MachineTime,
};

use super::{PlayedSignIn, envelope};

/// Proves whoever says `ROLE:ORGANIZATION`; knows organizations named `org_known…`.
#[derive(Default)]
pub(crate) struct PlayedIdentity {
    /// How people sign in, if they do so here.
    pub(crate) signing: Option<PlayedSignIn>,
}

impl Inbound for PlayedIdentity {
    fn source(&self) -> Source {
        "scalekit".into()
    }
    fn verify(&self, headers: &HeaderMap, body: Bytes, _now: MachineTime) -> Result<Verified, VerifyError> {
        match headers.get("webhook-signature") {
            // The signature of the play: the length of the raw body.
            Some(signature) if signature.as_bytes() == body.len().to_string().as_bytes() => {
                Ok(Verified::vouched(self.source(), body))
            }
            Some(_) => Err(VerifyError::Mismatch),
            None => Err(VerifyError::Missing("webhook-signature")),
        }
    }
    fn envelope(&self, verified: &Verified) -> Result<Hint, DecodeError> {
        envelope(verified)
    }
    fn decode(&self, verified: &Verified) -> Result<Hint, DecodeError> {
        envelope(verified)
    }
}

#[async_trait]
impl Identity for PlayedIdentity {
    async fn authenticate(&self, token: &str, now: MachineTime) -> Result<Arc<Session>, AuthError> {
        let (role, organization) = match token {
            "expired" => return Err(AuthError::Expired),
            "keyless" => return Err(AuthError::KeysUnavailable),
            "panic" => panic!("played"),
            "silence" => std::future::pending().await,
            other => other.split_once(':').ok_or(AuthError::Invalid("the inner reason"))?,
        };
        Ok(Arc::new(Session {
            user_id: UserId::from("usr_1"),
            organization_id: Some(organization).filter(|it| !it.is_empty()).map(OrganizationId::from),
            session_id: None,
            roles: vec![role.into()],
            permissions: vec!["billing:read".into()],
            email: Some("ada@example.com".into()),
            expires_at: now.plus(Duration::from_secs(if role == "brief" { 0 } else { 60 })),
            is_own_organization: false,
        }))
    }
    async fn organization(&self, id: &OrganizationId) -> Result<Option<OrganizationRecord>, ProviderError> {
        let record = || OrganizationRecord {
            id: id.clone(),
            display_name: Some("Known".into()),
            external_id: None,
            updated_at: None,
        };
        Ok(id.as_str().starts_with("org_known").then(record))
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
    fn sign_in(&self) -> Option<&dyn SignIn> {
        Some(self.signing.as_ref()?)
    }
    async fn user(&self, _id: &UserId) -> Result<Option<UserRecord>, ProviderError> {
        Ok(None)
    }
}
