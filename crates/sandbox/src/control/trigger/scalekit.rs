//! Events of the identity provider, with the data that each kind of object has.
//!
//! A sample that belongs to an organization has the same ids every time, so that something can be created, updated and
//! deleted. Nothing of it is kept in the directory.
//!
//! Source: Scalekit's OpenAPI document, webhooks.

use serde_json::{Value, json};

use crate::control::Failure;
use crate::ids::Ids;
use crate::moment::Moment;
use crate::scalekit::directory::{Directory, Organization, User};
use crate::scalekit::render;

/// What an event is about, which decides the shape of its data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum About {
    Organization,
    Domain,
    Membership,
    Session,
    Directory,
    DirectoryUser,
    DirectoryGroup,
    Connection,
    Role,
    Permission,
}

/// An event that can be sent.
pub(super) type Sample = (&'static str, About);

const SAMPLES: [Sample; 32] = [
    ("organization.created", About::Organization),
    ("organization.updated", About::Organization),
    ("organization.deleted", About::Organization),
    ("organization.domain_created", About::Domain),
    ("organization.domain_deleted", About::Domain),
    ("organization.domain_dns_verification_success", About::Domain),
    ("organization.domain_dns_verification_failed", About::Domain),
    ("user.signup", About::Membership),
    ("user.organization_invitation", About::Membership),
    ("user.organization_membership_created", About::Membership),
    ("user.organization_membership_updated", About::Membership),
    ("user.organization_membership_deleted", About::Membership),
    ("user.login", About::Session),
    ("user.logout", About::Session),
    ("organization.directory_enabled", About::Directory),
    ("organization.directory_disabled", About::Directory),
    ("organization.directory.user_created", About::DirectoryUser),
    ("organization.directory.user_updated", About::DirectoryUser),
    ("organization.directory.user_deleted", About::DirectoryUser),
    ("organization.directory.group_created", About::DirectoryGroup),
    ("organization.directory.group_updated", About::DirectoryGroup),
    ("organization.directory.group_deleted", About::DirectoryGroup),
    ("organization.sso_created", About::Connection),
    ("organization.sso_enabled", About::Connection),
    ("organization.sso_disabled", About::Connection),
    ("organization.sso_deleted", About::Connection),
    ("role.created", About::Role),
    ("role.updated", About::Role),
    ("role.deleted", About::Role),
    ("permission.created", About::Permission),
    ("permission.updated", About::Permission),
    ("permission.deleted", About::Permission),
];

pub(super) fn find(name: &str) -> Option<Sample> {
    SAMPLES.iter().copied().find(|(known, _)| *known == name)
}

/// Sends an event and returns its id.
pub(super) fn send(
    directory: &mut Directory,
    (event_type, about): Sample,
    organization_id: Option<&str>,
    now: Moment,
) -> Result<String, Failure> {
    let time = now.rfc3339_nanos(0);
    let organization = match organization_id {
        Some(id) => {
            let row = directory.any_organization(id).cloned();
            row.ok_or_else(|| Failure::not_found(format!("there is no organization {id}")))?
        }
        None => unknown_organization(directory.ids.numeric("org_"), &time),
    };
    let sample = Sampler { directory, organization: &organization, event_type, time: &time };
    let (object, data) = sample.data(about);
    let owner = (!matches!(about, About::Role | About::Permission)).then(|| organization.id.clone());
    Ok(directory.tell(event_type, object, owner, data, now))
}

fn unknown_organization(id: String, time: &str) -> Organization {
    Organization {
        id,
        display_name: "Sample".into(),
        external_id: None,
        metadata: Default::default(),
        create_time: time.into(),
        update_time: time.into(),
        deleted_at: None,
        members: Vec::new(),
    }
}

struct Sampler<'a> {
    directory: &'a Directory,
    organization: &'a Organization,
    event_type: &'static str,
    time: &'a str,
}

impl Sampler<'_> {
    /// The `object` and the `data` of the event.
    fn data(&self, about: About) -> (&'static str, Value) {
        let is_over = self.event_type.ends_with("deleted");
        match about {
            About::Organization => {
                let mut row = self.organization.clone();
                if is_over {
                    row.deleted_at.get_or_insert_with(|| self.time.to_owned());
                }
                ("Organization", render::organization_data(&row))
            }
            About::Domain => ("Organization", self.domain()),
            About::Membership => {
                let organization = render::organization_data(self.organization);
                let user = render::user_data(&self.user());
                ("OrgMembership", json!({ "organization": organization, "user": user }))
            }
            About::Session => ("User", self.session()),
            About::Directory => {
                let data = json!({
                    "directory_type": "SCIM",
                    "enabled": self.event_type.ends_with("enabled"),
                    "id": self.id("dir_"),
                    "organization_id": self.organization.id,
                    "provider": "OKTA",
                    "updated_at": self.time,
                });
                ("Directory", data)
            }
            About::DirectoryUser => ("DirectoryUser", self.directory_user(is_over)),
            About::DirectoryGroup => {
                let mut data = json!({
                    "directory_id": self.id("dir_"),
                    "display_name": "Sample group",
                    "id": self.id("dirgroup_"),
                    "organization_id": self.organization.id,
                    "raw_attributes": {},
                });
                if is_over {
                    data["dp_id"] = "sample".into();
                } else {
                    data["external_id"] = Value::Null;
                }
                ("DirectoryGroup", data)
            }
            About::Connection => ("Connection", self.connection()),
            About::Role => {
                let data = json!({
                    "description": "A role to look at things",
                    "display_name": "Viewer",
                    "extends": "member",
                    "id": "role_viewer",
                    "name": "viewer",
                });
                ("Role", data)
            }
            About::Permission => {
                let data = json!({ "description": "Manage data", "id": "perm_data_manage", "name": "data:manage" });
                ("Permission", data)
            }
        }
    }

    /// An id that is always the same for the organization.
    fn id(&self, prefix: &str) -> String {
        let text = format!("{prefix}{}", self.organization.id);
        let seed = text.bytes().fold(7_u64, |seed, byte| seed.wrapping_mul(31).wrapping_add(u64::from(byte)));
        Ids::new(seed).numeric(prefix)
    }

    fn email(&self) -> String {
        format!("sample@{}.invalid", self.organization.id.replace('_', "-").to_lowercase())
    }

    /// The newest active member, else somebody whom nobody knows.
    fn user(&self) -> User {
        let member = self.organization.members.iter().rev().find(|member| member.active);
        member.and_then(|member| self.directory.user(&member.user_id)).cloned().unwrap_or_else(|| User {
            id: self.id("usr_"),
            profile_id: self.id("usp_"),
            email: self.email(),
            create_time: self.time.into(),
            update_time: self.time.into(),
            organizations: Vec::new(),
        })
    }

    fn domain(&self) -> Value {
        json!({
            "id": self.id("dom_"),
            "domain": "sample.invalid",
            "domain_type": "ORGANIZATION_DOMAIN",
            "organization_id": self.organization.id,
            "environment_id": self.directory.environment_id(),
            "txt_record_key": "scalekit-domain-verification",
            "txt_record_secret": "sample",
            "verification_status": match self.event_type {
                "organization.domain_dns_verification_success" => "VERIFIED",
                "organization.domain_dns_verification_failed" => "FAILED",
                _ => "PENDING",
            },
            "verification_method": "DNS",
            "updated_at": self.time,
        })
    }

    fn connection(&self) -> Value {
        let mut data = json!({
            "id": self.id("conn_"),
            "organization_id": self.organization.id,
            "connection_type": "OIDC",
            "provider": "OKTA",
        });
        // Only a change of the state tells the state.
        if let Some(enabled) = match self.event_type {
            "organization.sso_enabled" => Some(true),
            "organization.sso_disabled" => Some(false),
            _ => None,
        } {
            data["enabled"] = enabled.into();
            data["status"] = "COMPLETED".into();
        }
        data
    }

    fn session(&self) -> Value {
        let user = self.user();
        let has_ended = self.event_type == "user.logout";
        let times = render::SessionTimes {
            began: self.time.into(),
            last_active: self.time.into(),
            idle_end: self.time.into(),
            absolute_end: self.time.into(),
            ended: has_ended.then(|| self.time.to_owned()),
        };
        render::session_data(&user, &self.organization.id, &self.id("ses_"), &times)
    }

    fn directory_user(&self, is_over: bool) -> Value {
        let mut data = json!({
            "id": self.id("diruser_"),
            "organization_id": self.organization.id,
            "dp_id": "sample",
            "email": self.email(),
        });
        if let (false, Some(members)) = (is_over, data.as_object_mut()) {
            let more = json!({
                "active": true,
                "custom_attributes": {},
                "family_name": "Sample",
                "given_name": "Sam",
                "groups": [],
                "name": "Sam Sample",
                "preferred_username": "sample",
                "raw_attributes": {},
                "roles": [],
            });
            members.extend(more.as_object().cloned().unwrap_or_default());
        }
        data
    }
}
