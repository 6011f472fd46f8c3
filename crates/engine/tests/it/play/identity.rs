//! An identity provider that is played: proves whoever says `ROLE:ORGANIZATION` or has signed in at it, and reads its own
//! small deliveries.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use http::HeaderMap;
use serde_json::Value;
use tollkeeper_core::{
    ids::{OrganizationId, Source, UserId},
    member::MemberChange,
    ports::{
        AuthError, Content, DecodeError, ErrorKind, Hint, Identity, Inbound, OrganizationRecord, Page, ProviderError,
        Session, SignIn, Subject, UserRecord, Verified, VerifyError,
    },
    time::{MachineTime, Timestamp},
};

use super::{Clocks, PlayedSignIn};

/// How many rows a page of a list has.
const ROWS: usize = 2;

/// Knows the organizations that were told to it, and who is in them.
pub(crate) struct PlayedIdentity {
    directory: Mutex<Directory>,
    pub(crate) signing: PlayedSignIn,
}

#[derive(Default)]
struct Directory {
    names: BTreeMap<OrganizationId, String>,
    members: HashMap<OrganizationId, BTreeMap<UserId, Option<String>>>,
    /// Lists nothing, as providers without organizations do.
    silent: bool,
    /// How the next list fails.
    failing: Option<ErrorKind>,
    asked: usize,
}

impl PlayedIdentity {
    pub(crate) fn new(clock: Arc<Clocks>) -> Self {
        Self { directory: Mutex::default(), signing: PlayedSignIn::new(clock) }
    }

    pub(crate) fn name(&self, id: &str, name: &str) {
        self.directory().names.insert(id.into(), name.into());
    }

    pub(crate) fn delete(&self, id: &str) {
        self.directory().names.remove(id);
    }

    /// Somebody is in an organization from now on.
    pub(crate) fn join(&self, organization: &str, user: &str, email: Option<&str>) {
        let mut directory = self.directory();
        let members = directory.members.entry(organization.into()).or_default();
        members.insert(user.into(), email.map(ToOwned::to_owned));
    }

    pub(crate) fn leave(&self, organization: &str, user: &str) {
        self.directory().members.get_mut(organization).unwrap().remove(user);
    }

    /// From now on it lists nothing.
    pub(crate) fn fall_silent(&self) {
        self.directory().silent = true;
    }

    /// The next list fails like this.
    pub(crate) fn fail_next(&self, kind: ErrorKind) {
        self.directory().failing = Some(kind);
    }

    /// How often it was asked about an organization.
    pub(crate) fn asked(&self) -> usize {
        self.directory().asked
    }

    fn directory(&self) -> MutexGuard<'_, Directory> {
        self.directory.lock().unwrap()
    }
}

fn failure(kind: ErrorKind) -> ProviderError {
    ProviderError {
        kind,
        source_name: "scalekit".into(),
        operation: "list",
        code: None,
        message: "played".into(),
        request_id: None,
        cause: None,
    }
}

/// The rows behind `page`, and where the next page begins.
fn paged<T>(rows: impl Iterator<Item = (String, T)>, page: Option<&str>) -> Page<T> {
    let mut rows: Vec<_> = rows.filter(|(id, _)| page.is_none_or(|page| id.as_str() > page)).collect();
    let more = rows.len() > ROWS;
    rows.truncate(ROWS);
    let next = rows.last().filter(|_| more).map(|(id, _)| id.clone());
    Page { rows: rows.into_iter().map(|(_, row)| row).collect(), next }
}

fn record(id: &OrganizationId, name: &str) -> OrganizationRecord {
    OrganizationRecord { id: id.clone(), display_name: Some(name.into()), external_id: None, updated_at: None }
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
    async fn authenticate(&self, token: &str, now: MachineTime) -> Result<Arc<Session>, AuthError> {
        if let Some(proven) = self.signing.session(token, now).await {
            return proven.map(Arc::new);
        }
        let (role, organization) = token.split_once(':').ok_or(AuthError::Invalid("not ROLE:ORGANIZATION"))?;
        Ok(Arc::new(Session {
            user_id: "usr_1".into(),
            organization_id: Some(organization.into()),
            session_id: None,
            roles: vec![role.into()],
            permissions: Vec::new(),
            email: Some("ada@example.com".into()),
            expires_at: now.plus(Duration::from_secs(60)),
            is_own_organization: false,
        }))
    }
    async fn organization(&self, id: &OrganizationId) -> Result<Option<OrganizationRecord>, ProviderError> {
        let mut directory = self.directory();
        directory.asked += 1;
        Ok(directory.names.get(id).map(|name| record(id, name)))
    }
    async fn user(&self, _id: &UserId) -> Result<Option<UserRecord>, ProviderError> {
        Ok(None)
    }
    async fn organizations(&self, page: Option<&str>) -> Result<Option<Page<OrganizationRecord>>, ProviderError> {
        let mut directory = self.directory();
        if let Some(kind) = directory.failing.take() {
            return Err(failure(kind));
        }
        let rows = directory.names.iter().map(|(id, name)| (id.to_string(), record(id, name)));
        Ok((!directory.silent).then(|| paged(rows, page)))
    }
    async fn members(
        &self,
        id: &OrganizationId,
        page: Option<&str>,
    ) -> Result<Option<Page<UserRecord>>, ProviderError> {
        let directory = self.directory();
        let rows = directory.members.get(id).into_iter().flatten();
        let rows = rows.map(|(id, email)| (id.to_string(), UserRecord { id: id.clone(), email: email.clone() }));
        Ok((!directory.silent).then(|| paged(rows, page)))
    }
    fn lists(&self, user: &UserId) -> bool {
        user.as_str().starts_with("usr_")
    }
    fn sign_in(&self) -> Option<&dyn SignIn> {
        Some(&self.signing)
    }
}
