//! What Scalekit's deliveries say.
//!
//! Source: Scalekit OpenAPI document, webhooks section (2026-08-21); the names `membership.*` occur only in the prose
//! of "Implement webhooks" and are taken for the membership events. `user.*` names outside of memberships are ignored.

use std::borrow::Cow;

use serde::{Deserialize, de::DeserializeOwned};
use serde_json::value::RawValue;
use tollkeeper_core::{
    ids::OrganizationId,
    member::MemberChange,
    ports::{Content, DecodeError, Hint, OrganizationRecord, Subject},
    time::Timestamp,
};

/// Longer ids are not ids. The provider's have about 25 characters.
const MAX_ID: usize = 255;

/// What is around every event. Borrows from the body; `data` stays text until somebody asks.
#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow)]
    id: Cow<'a, str>,
    #[serde(borrow, rename = "type")]
    event_type: Cow<'a, str>,
    #[serde(borrow)]
    occurred_at: Option<&'a RawValue>,
    /// What older deliveries have in place of `occurred_at`.
    #[serde(borrow)]
    timestamp: Option<&'a RawValue>,
    #[serde(borrow)]
    organization_id: Option<Cow<'a, str>>,
    #[serde(borrow)]
    data: Option<&'a RawValue>,
}

/// The events that mean something to us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    OrganizationChanged,
    OrganizationDeleted,
    /// A person's membership; whether it holds from now on.
    Membership {
        active: bool,
    },
    DirectoryUserChanged,
    DirectoryUserDeleted,
}

impl Kind {
    fn of(event_type: &str) -> Option<Self> {
        Some(match event_type {
            "organization.created" | "organization.updated" => Self::OrganizationChanged,
            "organization.deleted" => Self::OrganizationDeleted,
            "user.organization_membership_created"
            | "user.organization_membership_updated"
            | "membership.created"
            | "membership.updated" => Self::Membership { active: true },
            "user.organization_membership_deleted" | "membership.deleted" => Self::Membership { active: false },
            "organization.directory.user_created" | "organization.directory.user_updated" => Self::DirectoryUserChanged,
            "organization.directory.user_deleted" => Self::DirectoryUserDeleted,
            _ => return None,
        })
    }
}

/// Reads id, type, time and subject.
pub(super) fn envelope(body: &[u8]) -> Result<Hint, DecodeError> {
    Ok(Envelope::parse(body)?.hint())
}

/// Reads everything.
pub(super) fn decode(body: &[u8]) -> Result<Hint, DecodeError> {
    let envelope = Envelope::parse(body)?;
    let mut hint = envelope.hint();
    if let Some(kind) = Kind::of(&envelope.event_type) {
        let organization = envelope.organization(kind)?;
        hint.content = Some(envelope.content(kind, organization, hint.occurred_at)?);
    }
    Ok(hint)
}

impl<'a> Envelope<'a> {
    fn parse(body: &'a [u8]) -> Result<Self, DecodeError> {
        let envelope: Self = serde_json::from_slice(body).map_err(|error| unreadable("the envelope", &error))?;
        for (name, value) in [("id", &envelope.id), ("type", &envelope.event_type)] {
            check_id(name, value)?;
        }
        Ok(envelope)
    }

    /// A known event that names no organization is still a delivery to be stored: decoding it says what is wrong.
    fn hint(&self) -> Hint {
        let organization = Kind::of(&self.event_type).and_then(|kind| self.organization(kind).ok());
        Hint {
            event_id: self.id.as_ref().into(),
            event_type: self.event_type.clone().into_owned(),
            occurred_at: [self.occurred_at, self.timestamp].into_iter().flatten().find_map(instant),
            subject: organization.map_or(Subject::Other, Subject::Organization),
            content: None,
        }
    }

    /// The organization that an event is about. The envelope names it in every documented sample; what is inside is
    /// asked only without that (in one sample the two differ, and the envelope is the tenant).
    fn organization(&self, kind: Kind) -> Result<OrganizationId, DecodeError> {
        if let Some(id) = self.organization_id.as_deref().filter(|id| !id.is_empty()) {
            check_id("organization_id", id)?;
            return Ok(id.into());
        }
        let inner: Inner = self.data()?;
        let id = match kind {
            Kind::OrganizationChanged | Kind::OrganizationDeleted => inner.id,
            Kind::Membership { .. } => inner.organization.map(|organization| organization.id).or(inner.organization_id),
            Kind::DirectoryUserChanged | Kind::DirectoryUserDeleted => inner.organization_id,
        };
        let id = id.unwrap_or_default();
        check_id("organization_id", &id)?;
        Ok(id.into())
    }

    fn content(&self, kind: Kind, id: OrganizationId, at: Option<Timestamp>) -> Result<Content, DecodeError> {
        let change = |user_id: String, email: Option<String>, active: bool| {
            check_id("the user's id", &user_id)?;
            Ok(Content::Member(MemberChange {
                organization_id: id.clone(),
                user_id: user_id.into(),
                email: filled(email),
                active,
                // Without a time, news about members cannot be ordered.
                occurred_at: at.ok_or_else(|| DecodeError(format!("{} has no time", self.event_type)))?,
            }))
        };
        match kind {
            Kind::OrganizationChanged => self.data::<Organization>().map(|data| {
                Content::OrganizationChanged(OrganizationRecord {
                    id: id.clone(),
                    display_name: filled(data.display_name),
                    external_id: filled(data.external_id),
                    updated_at: data.update_time.and_then(|text| text.parse().ok()),
                })
            }),
            Kind::OrganizationDeleted => Ok(Content::OrganizationDeleted(id.clone())),
            Kind::Membership { active } => {
                let user = self.data::<Membership>()?.user;
                change(user.id, user.email, active)
            }
            Kind::DirectoryUserChanged => {
                let user = self.data::<DirectoryUser>()?;
                change(user.id, user.email, user.active.unwrap_or(true))
            }
            Kind::DirectoryUserDeleted => {
                let user = self.data::<DirectoryUser>()?;
                change(user.id, user.email, false)
            }
        }
    }

    fn data<T: DeserializeOwned>(&self) -> Result<T, DecodeError> {
        let data = self.data.ok_or_else(|| DecodeError(format!("{} has no data", self.event_type)))?;
        serde_json::from_str(data.get())
            .map_err(|error| unreadable(&format!("the data of {}", self.event_type), &error))
    }
}

/// The places where `data` may name the organization.
#[derive(Deserialize)]
struct Inner {
    id: Option<String>,
    organization_id: Option<String>,
    organization: Option<Named>,
}

#[derive(Deserialize)]
struct Named {
    id: String,
}

/// `data` of organization events. Only id and name are required, and the name may be empty.
#[derive(Deserialize)]
struct Organization {
    display_name: Option<String>,
    external_id: Option<String>,
    update_time: Option<String>,
}

/// `data` of membership events. There is no role and no status in it.
#[derive(Deserialize)]
struct Membership {
    user: User,
}

#[derive(Deserialize)]
struct User {
    id: String,
    email: Option<String>,
}

/// `data` of directory user events; a deletion has only ids and the e-mail.
#[derive(Deserialize)]
struct DirectoryUser {
    id: String,
    email: Option<String>,
    active: Option<bool>,
}

/// RFC 3339 with up to nine digits; anything else is no time, which is not worth losing a delivery for.
fn instant(raw: &RawValue) -> Option<Timestamp> {
    serde_json::from_str::<Cow<'_, str>>(raw.get()).ok()?.parse().ok()
}

/// The provider writes an empty text where it has none.
pub(super) fn filled(text: Option<String>) -> Option<String> {
    text.filter(|text| !text.trim().is_empty())
}

pub(super) fn check_id(name: &str, value: &str) -> Result<(), DecodeError> {
    if value.is_empty() {
        Err(DecodeError(format!("there is no {name}")))
    } else if value.len() > MAX_ID || value.chars().any(char::is_control) {
        Err(DecodeError(format!("{name} is not an id")))
    } else {
        Ok(())
    }
}

/// Says where reading stopped, and not at what: that might be about a person.
fn unreadable(what: &str, error: &serde_json::Error) -> DecodeError {
    let problem = match error.classify() {
        serde_json::error::Category::Data => "is not as documented",
        serde_json::error::Category::Io | serde_json::error::Category::Syntax | serde_json::error::Category::Eof => {
            "is not JSON"
        }
    };
    DecodeError(format!("{what} {problem} at line {} column {}", error.line(), error.column()))
}
