//! What an operator tells: organizations and members of identity systems that send no webhooks. The same engine calls.

use axum::extract::{FromRequestParts, Path, Request, State, rejection::PathRejection};
use http::{StatusCode, request::Parts};
use secrecy::{ExposeSecret as _, SecretString};
use subtle::ConstantTimeEq as _;
use tollkeeper::ports::OrganizationRecord;

use crate::{
    body::{self, Fields, NAME},
    problem::Problem,
    router::{App, Shared},
    session,
};

/// How the history names whoever holds the operator key.
const OPERATOR: &str = "operator key";

/// Somebody who holds the operator key.
pub(crate) struct Operator;

impl FromRequestParts<Shared> for Operator {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Shared) -> Result<Self, Problem> {
        let presented = session::bearer(&parts.headers).unwrap_or_default();
        match &app.config.operator_key {
            Some(key) if same(key, presented) => Ok(Self),
            Some(_) | None => Err(Problem::unauthenticated()),
        }
    }
}

fn same(key: &SecretString, presented: &str) -> bool {
    !presented.is_empty() && bool::from(key.expose_secret().as_bytes().ct_eq(presented.as_bytes()))
}

/// `PUT /admin/api/organizations/{id}` with `{displayName?, externalId?}`
pub(crate) async fn put_organization(
    State(app): State<Shared>,
    _operator: Operator,
    id: Result<Path<String>, PathRejection>,
    request: Request,
) -> Result<StatusCode, Problem> {
    let id = named(id)?;
    let fields = fields(&app, request).await?;
    let record = OrganizationRecord {
        id: id.into(),
        display_name: fields.text("displayName", NAME)?.filter(|name| !name.trim().is_empty()),
        external_id: fields.text("externalId", NAME)?,
        updated_at: None,
    };
    app.engine.upsert_organization(&record, OPERATOR).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `DELETE /admin/api/organizations/{id}`: answers when nothing of it is billed any more.
pub(crate) async fn delete_organization(
    State(app): State<Shared>,
    _operator: Operator,
    id: Result<Path<String>, PathRejection>,
) -> Result<StatusCode, Problem> {
    app.engine.delete_organization(&named(id)?.into(), OPERATOR).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `PUT /admin/api/organizations/{id}/members/{userId}` with `{email}`
pub(crate) async fn put_member(
    State(app): State<Shared>,
    _operator: Operator,
    ids: Result<Path<(String, String)>, PathRejection>,
    request: Request,
) -> Result<StatusCode, Problem> {
    let fields = fields(&app, request).await?;
    let email = fields.text("email", NAME)?.filter(|email| email.contains('@'));
    if email.is_none() {
        return Err(Problem::field("email", "invalid_value", "email must be an e-mail address"));
    }
    tell_member(&app, ids, email).await
}

/// `DELETE /admin/api/organizations/{id}/members/{userId}`
pub(crate) async fn delete_member(
    State(app): State<Shared>,
    _operator: Operator,
    ids: Result<Path<(String, String)>, PathRejection>,
) -> Result<StatusCode, Problem> {
    tell_member(&app, ids, None).await
}

async fn tell_member(
    app: &App,
    ids: Result<Path<(String, String)>, PathRejection>,
    email: Option<String>,
) -> Result<StatusCode, Problem> {
    let Ok(Path((organization, user))) = ids else { return Err(not_text()) };
    let (organization, user) = (checked(organization)?, checked(user)?);
    app.engine.upsert_member(&organization.into(), &user.into(), email).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn fields(app: &App, request: Request) -> Result<Fields, Problem> {
    let headers = request.headers().clone();
    let body = body::read(request, app.api_body_bytes()).await?;
    body::parse(&headers, &body)
}

fn named(id: Result<Path<String>, PathRejection>) -> Result<String, Problem> {
    let Ok(Path(id)) = id else { return Err(not_text()) };
    checked(id)
}

fn checked(id: String) -> Result<String, Problem> {
    if id.is_empty() || id.len() > NAME || id.chars().any(char::is_control) {
        return Err(Problem::field("id", "invalid_text", format!("an id must have 1 to {NAME} visible characters")));
    }
    Ok(id)
}

fn not_text() -> Problem {
    Problem::field("id", "invalid_text", "an id in the path is not text")
}
