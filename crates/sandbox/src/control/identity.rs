//! Organizations, their people, and tokens.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::response::Response;
use http::StatusCode;
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value, json};

use super::{Failure, read};
use crate::router::json_response;
use crate::scalekit::directory::{Directory, OrganizationInput};
use crate::scalekit::keys::SignWith;
use crate::scalekit::tokens::{FULL_SCOPE, Subject, TTL_SECONDS, Wish, issue};
use crate::server::Shared;

/// The longest lifetime that can be asked for, either way: ten years.
const LONGEST_TTL_SECONDS: i64 = 10 * 366 * 86_400;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct OrganizationBody {
    display_name: Option<String>,
    id: Option<String>,
    /// Given as null it is removed.
    #[serde(default, deserialize_with = "given")]
    external_id: Option<Option<String>>,
    metadata: Option<BTreeMap<String, String>>,
}

/// Tells null from absence.
fn given<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<String>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

impl OrganizationBody {
    fn input(self) -> OrganizationInput {
        OrganizationInput {
            display_name: self.display_name,
            external_id: self.external_id.map(Option::unwrap_or_default),
            metadata: self.metadata,
        }
    }
}

fn organization(directory: &Directory, id: &str) -> Value {
    directory.any_organization(id).map_or(Value::Null, |row| {
        json!({
            "id": row.id,
            "displayName": row.display_name,
            "externalId": row.external_id,
            "metadata": row.metadata,
        })
    })
}

pub(super) async fn create_organization(State(shared): State<Arc<Shared>>, body: Bytes) -> Result<Response, Failure> {
    let mut body: OrganizationBody = read(&body)?;
    let id = body.id.take();
    let created = shared.with(|world, now| -> Result<Value, Failure> {
        let id = world.directory.create_organization(id, body.input(), now)?;
        Ok(organization(&world.directory, &id))
    })?;
    Ok(json_response(201, created.to_string()))
}

pub(super) async fn update_organization(
    State(shared): State<Arc<Shared>>,
    Path(id): Path<String>,
    body: Bytes,
) -> Result<Response, Failure> {
    let body: OrganizationBody = read(&body)?;
    let updated = shared.with(|world, now| -> Result<Value, Failure> {
        world.directory.update_organization(&id, body.input(), now)?;
        Ok(organization(&world.directory, &id))
    })?;
    Ok(json_response(200, updated.to_string()))
}

pub(super) async fn delete_organization(
    State(shared): State<Arc<Shared>>,
    Path(id): Path<String>,
) -> Result<StatusCode, Failure> {
    shared.with(|world, now| world.directory.delete_organization(&id, now))?;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct UserBody {
    #[serde(default)]
    email: String,
    roles: Option<Vec<String>>,
}

/// Adds a member. Somebody who is a member already only gets the roles, where they differ.
pub(super) async fn add_user(
    State(shared): State<Arc<Shared>>,
    Path(id): Path<String>,
    body: Bytes,
) -> Result<Response, Failure> {
    let body: UserBody = read(&body)?;
    let answer = shared.with(|world, now| -> Result<Value, Failure> {
        let directory = &mut world.directory;
        if directory.organization(&id).is_none() {
            return Err(Failure::not_found(format!("there is no organization {id}")));
        }
        let user_id = directory.ensure_user(&body.email, now)?;
        let roles = directory.ensure_member(&id, &user_id, body.roles, now)?;
        let email = directory.user(&user_id).map_or("", |user| &user.email);
        Ok(json!({ "userId": user_id, "email": email, "roles": roles }))
    })?;
    Ok(json_response(201, answer.to_string()))
}

pub(super) async fn remove_user(
    State(shared): State<Arc<Shared>>,
    Path((id, user_id)): Path<(String, String)>,
) -> Result<Response, Failure> {
    shared.with(|world, now| world.directory.remove_member(&id, &user_id, now))?;
    Ok(json_response(200, "{}".into()))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct TokenBody {
    #[serde(default)]
    email: String,
    organization_id: Option<String>,
    roles: Option<Vec<String>>,
    ttl_seconds: Option<i64>,
    claims: Option<Map<String, Value>>,
    sign_with: Option<String>,
}

/// Signs somebody in. An unknown e-mail becomes user and member, with a webhook.
///
/// A deleted organization still gives tokens, as an old session would hold one, but no new members.
pub(super) async fn issue_tokens(State(shared): State<Arc<Shared>>, body: Bytes) -> Result<Response, Failure> {
    let body: TokenBody = read(&body)?;
    let sign_with = match body.sign_with.as_deref() {
        None | Some("dev") => SignWith::Dev,
        Some("foreign") => SignWith::Foreign,
        Some("none") => SignWith::Nothing,
        Some(_) => return Err(Failure::invalid("signWith must be `foreign` or `none`, or left out")),
    };
    let ttl_seconds = body.ttl_seconds.unwrap_or(TTL_SECONDS);
    if !(-LONGEST_TTL_SECONDS..=LONGEST_TTL_SECONDS).contains(&ttl_seconds) {
        return Err(Failure::invalid("ttlSeconds must be within ten years"));
    }
    let subject = shared.with(|world, now| -> Result<Subject, Failure> {
        let directory = &mut world.directory;
        let organization = match &body.organization_id {
            None => None,
            Some(id) => {
                let row = directory.any_organization(id);
                let row = row.ok_or_else(|| Failure::not_found(format!("there is no organization {id}")))?;
                Some((row.id.clone(), row.external_id.clone()))
            }
        };
        let user_id = directory.ensure_user(&body.email, now)?;
        let mut roles = body.roles.clone();
        if let Some((id, _)) = &organization {
            let known = directory.roles(id, &user_id).map(<[String]>::to_vec);
            let member = match known {
                Some(roles) => roles,
                None if directory.organization(id).is_some() => {
                    directory.ensure_member(id, &user_id, roles.clone(), now)?
                }
                None => Vec::new(),
            };
            // The roles of the wish are those of this token; an existing membership keeps its own.
            roles.get_or_insert(member);
        }
        Ok(Subject {
            email: directory.user(&user_id).map_or_else(String::new, |user| user.email.clone()),
            organization,
            roles: roles.unwrap_or_default(),
            scope: FULL_SCOPE.into(),
            session_id: directory.ids.numeric("ses_"),
            token_id: directory.ids.numeric("tkn_"),
            user_id,
        })
    })?;
    let claims = body.claims.unwrap_or_default();
    let wish = Wish { ttl_seconds, claims, sign_with, nonce: None, code: None };
    let pair = issue(shared.issuer(), &subject, wish, shared.machine_now());
    let answer = json!({ "accessToken": pair.access_token, "idToken": pair.id_token, "userId": subject.user_id });
    Ok(json_response(200, answer.to_string()))
}
