//! The JSON of Scalekit's management API, as far as we read it. What is not named here is ignored.
//!
//! Source: Scalekit OpenAPI document, the schemas of the calls in `rest`. Lists may be left out where they are empty, and
//! numbers are texts in some answers.

use std::time::Duration;

use secrecy::SecretString;
use serde::Deserialize;
use tollkeeper_core::{
    ids::OrganizationId,
    ports::{OrganizationRecord, UserRecord},
};

use super::events::{check_id, filled};

/// `GET /api/v1/organizations/{id}`.
#[derive(Deserialize)]
pub(super) struct OrganizationAnswer {
    pub(super) organization: Organization,
}

/// `GET /api/v1/organizations`.
#[derive(Deserialize)]
pub(super) struct OrganizationList {
    pub(super) organizations: Option<Vec<Organization>>,
    pub(super) next_page_token: Option<String>,
}

/// An organization.
#[derive(Deserialize)]
pub(super) struct Organization {
    id: Option<String>,
    display_name: Option<String>,
    external_id: Option<String>,
    update_time: Option<String>,
}

impl Organization {
    /// The organization that was asked for by its id.
    pub(super) fn record(self, id: OrganizationId) -> OrganizationRecord {
        OrganizationRecord {
            id,
            display_name: filled(self.display_name),
            external_id: filled(self.external_id),
            updated_at: self.update_time.and_then(|text| text.parse().ok()),
        }
    }

    /// A row of a list; `None` when it has no id.
    pub(super) fn row(mut self) -> Option<OrganizationRecord> {
        let id = usable(self.id.take())?;
        Some(self.record(id.into()))
    }
}

/// `GET /api/v1/users/{id}`.
#[derive(Deserialize)]
pub(super) struct UserAnswer {
    pub(super) user: User,
}

/// `GET /api/v1/organizations/{organization_id}/users`.
#[derive(Deserialize)]
pub(super) struct UserList {
    pub(super) users: Option<Vec<User>>,
    pub(super) next_page_token: Option<String>,
}

/// A person.
#[derive(Deserialize)]
pub(super) struct User {
    id: Option<String>,
    pub(super) email: Option<String>,
    memberships: Option<Vec<Membership>>,
}

#[derive(Deserialize)]
struct Membership {
    organization_id: Option<String>,
    /// `ACTIVE`, `INACTIVE`, `PENDING_INVITE`, `INVITE_EXPIRED`.
    membership_status: Option<String>,
}

impl User {
    /// Whether this person belongs to the organization whose list it stands in. Who is only invited does not yet; a
    /// membership that says nothing counts, as it does in deliveries, which never say.
    pub(super) fn is_member_of(&self, organization: &OrganizationId) -> bool {
        let memberships = self.memberships.iter().flatten();
        let mut here = memberships
            .filter(|membership| membership.organization_id.as_deref().is_none_or(|id| id == organization.as_str()));
        here.all(|membership| {
            !matches!(membership.membership_status.as_deref(), Some("INACTIVE" | "PENDING_INVITE" | "INVITE_EXPIRED"))
        })
    }

    /// A row of a list; `None` when it has no id.
    pub(super) fn row(self) -> Option<UserRecord> {
        Some(UserRecord { id: usable(self.id)?.into(), email: filled(self.email) })
    }
}

fn usable(id: Option<String>) -> Option<String> {
    id.filter(|id| check_id("id", id).is_ok())
}

/// `POST /oauth/token`.
#[derive(Deserialize)]
pub(super) struct TokenAnswer {
    pub(super) access_token: SecretString,
    pub(super) refresh_token: Option<SecretString>,
    pub(super) id_token: Option<SecretString>,
    expires_in: Option<Seconds>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Seconds {
    Number(u64),
    Text(String),
}

impl TokenAnswer {
    /// How long it is good; not at all where the answer does not say.
    pub(super) fn lifetime(&self) -> Duration {
        Duration::from_secs(match &self.expires_in {
            Some(Seconds::Number(seconds)) => *seconds,
            Some(Seconds::Text(text)) => text.parse().unwrap_or(0),
            None => 0,
        })
    }
}

/// Both shapes of errors: the API's (`code`, `message`, `details`) and OAuth's (`error`, `error_description`).
#[derive(Default, Deserialize)]
pub(super) struct ErrorAnswer {
    pub(super) message: Option<String>,
    pub(super) error: Option<String>,
    pub(super) error_description: Option<String>,
    #[serde(default)]
    pub(super) details: Vec<ErrorDetail>,
}

#[derive(Deserialize)]
pub(super) struct ErrorDetail {
    pub(super) error_code: Option<String>,
}

/// What `POST /oauth/token` answers where it gives no token.
#[derive(Default, Deserialize)]
pub(super) struct GrantError {
    pub(super) error: Option<String>,
}
