//! An identity provider that is played: proves whoever says `ROLE:ORGANIZATION`, and reads its own small deliveries.

use std::{collections::HashMap, sync::Mutex, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use http::HeaderMap;
use serde_json::Value;
use tollkeeper_core::{
    ids::{OrganizationId, Source, UserId},
    member::MemberChange,
    ports::{
        AuthError, Content, DecodeError, Hint, Identity, Inbound, OrganizationRecord, ProviderError, Session, Subject,
        UserRecord, Verified, VerifyError,
    },
    time::{MachineTime, Timestamp},
};

/// Knows the names of organizations that were told to it.
#[derive(Default)]
pub(crate) struct PlayedIdentity {
    names: Mutex<HashMap<OrganizationId, String>>,
}

impl PlayedIdentity {
    pub(crate) fn name(&self, id: &str, name: &str) {
        self.names.lock().unwrap().insert(id.into(), name.into());
    }
}

/// Reads `{id, type, at, organization, name?, user?, email?, active?}`.
fn read(body: &Bytes) -> Result<(Value, Hint), DecodeError> {
    let value: Value = serde_json::from_slice(body).map_err(|error| DecodeError(error.to_string()))?;
    let text = |field: &str| value[field].as_str().ok_or_else(|| DecodeError(format!("no {field}")));
    let hint = Hint {
        event_id: text("id")?.into(),
        event_type: text("type")?.into(),
        occurred_at: value["at"].as_i64().map(Timestamp::from_unix_seconds),
        subject: value["organization"].as_str().map_or(Subject::Other, |id| Subject::Organization(id.into())),
        content: None,
    };
    Ok((value, hint))
}

impl Inbound for PlayedIdentity {
    fn source(&self) -> Source {
        "scalekit".into()
    }
    fn verify(&self, _headers: &HeaderMap, body: Bytes, _now: MachineTime) -> Result<Verified, VerifyError> {
        Ok(Verified::vouched(self.source(), body))
    }
    fn envelope(&self, verified: &Verified) -> Result<Hint, DecodeError> {
        read(verified.body()).map(|(_, hint)| hint)
    }
    fn decode(&self, verified: &Verified) -> Result<Hint, DecodeError> {
        let (value, mut hint) = read(verified.body())?;
        let Subject::Organization(organization) = &hint.subject else { return Ok(hint) };
        let text = |field: &str| value[field].as_str().map(ToOwned::to_owned);
        hint.content = match hint.event_type.as_str() {
            "organization.created" | "organization.updated" => Some(Content::OrganizationChanged(OrganizationRecord {
                id: organization.clone(),
                display_name: text("name"),
                external_id: None,
                updated_at: hint.occurred_at,
            })),
            "organization.deleted" => Some(Content::OrganizationDeleted(organization.clone())),
            "member" => Some(Content::Member(MemberChange {
                organization_id: organization.clone(),
                user_id: text("user").ok_or_else(|| DecodeError("no user".into()))?.into(),
                email: text("email"),
                active: value["active"].as_bool().unwrap_or(true),
                occurred_at: hint.occurred_at.ok_or_else(|| DecodeError("no at".into()))?,
            })),
            _ => None,
        };
        Ok(hint)
    }
}

#[async_trait]
impl Identity for PlayedIdentity {
    async fn authenticate(&self, token: &str, now: MachineTime) -> Result<Session, AuthError> {
        let (role, organization) = token.split_once(':').ok_or(AuthError::Invalid("not ROLE:ORGANIZATION"))?;
        Ok(Session {
            user_id: "usr_1".into(),
            organization_id: Some(organization.into()),
            session_id: None,
            roles: vec![role.into()],
            permissions: Vec::new(),
            email: Some("ada@example.com".into()),
            expires_at: now.plus(Duration::from_secs(60)),
            is_own_organization: false,
        })
    }
    async fn organization(&self, id: &OrganizationId) -> Result<Option<OrganizationRecord>, ProviderError> {
        let name = self.names.lock().unwrap().get(id).cloned();
        let record =
            |name| OrganizationRecord { id: id.clone(), display_name: Some(name), external_id: None, updated_at: None };
        Ok(name.map(record))
    }
    async fn user(&self, _id: &UserId) -> Result<Option<UserRecord>, ProviderError> {
        Ok(None)
    }
}
