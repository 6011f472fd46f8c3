//! API keys: made, listed, ended.

use axum::{
    Json,
    extract::{Path, Request, State, rejection::PathRejection},
};
use http::StatusCode;
use serde_json::{Value, json};
use tollkeeper::Scope;

use super::{OperatorKey, named};
use crate::{
    body::{self, NAME},
    problem::Problem,
    router::Shared,
};

/// `GET /admin/api/keys`
pub(super) async fn list(State(app): State<Shared>, _operator: OperatorKey) -> Result<Json<Value>, Problem> {
    Ok(Json(json!({ "keys": app.engine.keys().await? })))
}

/// `POST /admin/api/keys` with `{name, scopes, organizationId?}`: the secret is in this answer, and nowhere else.
pub(super) async fn create(
    State(app): State<Shared>,
    operator: OperatorKey,
    request: Request,
) -> Result<Json<Value>, Problem> {
    let fields = body::fields(&app, request).await?;
    let name = fields.text("name", NAME)?.unwrap_or_default();
    let words = fields.texts("scopes")?.unwrap_or_default();
    let scopes: Option<Vec<_>> = words.iter().map(|word| Scope::parse(word)).collect();
    let Some(scopes) = scopes else {
        let known: Vec<_> = Scope::ALL.iter().map(|scope| scope.as_str()).collect();
        return Err(Problem::field("scopes", "bad_scopes", format!("scopes must be of {}", known.join(", "))));
    };
    let organization = match fields.text("organizationId", NAME)? {
        Some(id) if id.is_empty() => {
            return Err(Problem::field("organizationId", "invalid_value", "organizationId must not be empty"));
        }
        id => id.map(Into::into),
    };
    let (key, secret) = app.engine.create_key(&name, &scopes, organization).await?;
    tracing::info!(key.id = key.id, by = operator.0.id, "the API key {} was made", key.id);
    Ok(Json(json!({ "key": key, "secret": secret })))
}

/// `DELETE /admin/api/keys/{id}`
pub(super) async fn revoke(
    State(app): State<Shared>,
    operator: OperatorKey,
    id: Result<Path<String>, PathRejection>,
) -> Result<StatusCode, Problem> {
    let id = named(id)?;
    if !app.engine.revoke_key(&id).await? {
        return Err(Problem::new(StatusCode::NOT_FOUND, "unknown_key", "There is no API key with this id that works"));
    }
    tracing::info!(key.id = id, by = operator.0.id, "the API key {id} was revoked");
    Ok(StatusCode::NO_CONTENT)
}
