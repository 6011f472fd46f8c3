//! Records of the directory as webhooks and the REST API show them.
//!
//! Source: Scalekit's OpenAPI document, webhooks and schemas `organizationsOrganization`, `usersUser`.

use serde_json::{Value, json};

use super::directory::{Directory, Member, Organization, User};

/// `Organization Created` for `organization.created`.
pub(crate) fn event_title(event_type: &str) -> String {
    event_type
        .split(['.', '_'])
        .map(|word| {
            let mut letters = word.chars();
            letters.next().map(|first| first.to_uppercase().collect::<String>() + letters.as_str()).unwrap_or_default()
        })
        .collect::<Vec<_>>()
        .join(" ")
}

/// An organization in a webhook: empty metadata is null there.
pub(crate) fn organization_data(row: &Organization) -> Value {
    let mut data = json!({
        "id": row.id,
        "create_time": row.create_time,
        "display_name": row.display_name,
        "external_id": row.external_id,
        "metadata": if row.metadata.is_empty() { Value::Null } else { json!(row.metadata) },
        "region_code": "US",
        "update_time": row.update_time,
        "settings": settings(),
    });
    if let (Some(deleted_at), Some(data)) = (&row.deleted_at, data.as_object_mut()) {
        data.insert("deleted_at".into(), deleted_at.as_str().into());
    }
    data
}

/// An organization of the REST API, where absent members are left out.
pub(super) fn organization(row: &Organization) -> Value {
    let mut object = json!({
        "id": row.id,
        "create_time": row.create_time,
        "display_name": row.display_name,
        "metadata": row.metadata,
        "region_code": "US",
        "update_time": row.update_time,
        "settings": settings(),
    });
    if let (Some(external_id), Some(object)) = (&row.external_id, object.as_object_mut()) {
        object.insert("external_id".into(), external_id.as_str().into());
    }
    object
}

fn settings() -> Value {
    json!({ "features": [{ "name": "sso", "enabled": false }, { "name": "dir_sync", "enabled": false }] })
}

/// A user in a webhook.
pub(crate) fn user_data(row: &User) -> Value {
    json!({
        "create_time": row.create_time,
        "email": row.email,
        "external_id": "",
        "id": row.id,
        "metadata": {},
        "update_time": row.update_time,
        "user_profile": {
            "custom_attributes": null,
            "email_verified": true,
            "external_identities": [],
            "family_name": "",
            "gender": "",
            "given_name": given_name(&row.email),
            "groups": null,
            "id": row.profile_id,
            "locale": "",
            "metadata": {},
            "name": given_name(&row.email),
            "phone_number": "",
            "phone_number_verified": false,
            "picture": "",
            "preferred_username": "",
        },
    })
}

/// The instants of a session, as texts.
#[derive(Debug, Clone)]
pub(crate) struct SessionTimes {
    pub(crate) began: String,
    pub(crate) last_active: String,
    pub(crate) idle_end: String,
    pub(crate) absolute_end: String,
    pub(crate) ended: Option<String>,
}

/// A session in a webhook. What the browser is, is left out: nobody looks at it here.
pub(crate) fn session_data(user: &User, organization_id: &str, session_id: &str, times: &SessionTimes) -> Value {
    let mut person = user_data(user);
    person["last_login_time"] = times.began.as_str().into();
    let session = json!({
        "absolute_expires_at": times.absolute_end,
        "authenticated_organizations": [organization_id],
        "created_at": times.began,
        "expired_at": null,
        "idle_expires_at": times.idle_end,
        "last_active_at": times.last_active,
        "logout_at": times.ended,
        "organization_id": organization_id,
        "session_id": session_id,
        "status": if times.ended.is_some() { "LOGGED_OUT" } else { "ACTIVE" },
        "updated_at": times.ended.as_ref().unwrap_or(&times.last_active),
        "user_id": user.id,
    });
    json!({ "user": person, "user_session": session })
}

/// A user of the REST API, with the memberships of one organization or of all.
pub(super) fn user(directory: &Directory, row: &User, organization_id: Option<&str>) -> Value {
    let memberships: Vec<Value> = row
        .organizations
        .iter()
        .map(|position| &directory.organizations()[*position])
        .filter(|organization| organization_id.is_none_or(|id| organization.id == id))
        .filter_map(|organization| {
            let member = organization.members.iter().find(|member| member.active && member.user_id == row.id)?;
            Some(membership(organization, member))
        })
        .collect();
    let mut object = user_data(row);
    // What is null in a webhook is left out of an answer.
    if let Some(profile) = object["user_profile"].as_object_mut() {
        profile.retain(|_, value| !value.is_null());
    }
    if let Some(object) = object.as_object_mut() {
        object.insert("memberships".into(), memberships.into());
    }
    object
}

fn membership(organization: &Organization, member: &Member) -> Value {
    let roles: Vec<Value> =
        member.roles.iter().map(|role| json!({ "id": format!("role_{role}"), "name": role })).collect();
    json!({
        "organization_id": organization.id,
        "display_name": organization.display_name,
        "join_time": member.join_time,
        "membership_status": "ACTIVE",
        "provisioning_method": "direct_provision",
        "roles": roles,
        "metadata": {},
    })
}

/// The part before the `@`.
pub(super) fn given_name(email: &str) -> &str {
    email.split('@').next().unwrap_or(email)
}
