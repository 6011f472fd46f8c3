//! What operators do: by the operator key, or an API key with the scope `admin`.

mod deliveries;
mod keys;
mod organizations;
mod reconcile;

use std::sync::Arc;

use axum::{
    Router,
    extract::{FromRequestParts, Path, rejection::PathRejection},
    routing::{delete, get, post},
};
use http::{StatusCode, request::Parts};
use tollkeeper::{Key, Scope};

use crate::{address, body::NAME, problem::Problem, router::Shared, session};

/// Where reconciliations are begun; it answers at its own pace.
pub(crate) const RECONCILE: &str = "/admin/api/reconcile";

pub(crate) fn routes() -> Router<Shared> {
    Router::new()
        .route(
            "/admin/api/organizations/{id}",
            get(organizations::show).put(organizations::put).delete(organizations::delete),
        )
        .route("/admin/api/organizations/{id}/history", get(organizations::history))
        .route(
            "/admin/api/organizations/{id}/members/{user}",
            axum::routing::put(organizations::put_member).delete(organizations::delete_member),
        )
        .route(RECONCILE, post(reconcile::begin))
        .route("/admin/api/reconcile/{job}", get(reconcile::report))
        .route("/admin/api/drift", get(reconcile::drift))
        .route("/admin/api/inbox", get(deliveries::list))
        .route("/admin/api/inbox/{source}/{event}", get(deliveries::show))
        .route("/admin/api/replay", post(deliveries::replay))
        .route("/admin/api/keys", get(keys::list).post(keys::create))
        .route("/admin/api/keys/{id}", delete(keys::revoke))
}

/// Somebody who may operate, for every organization.
struct Operator(Arc<Key>);

impl Operator {
    /// How the history names it.
    fn name(&self) -> String {
        format!("key {}", self.0.id)
    }
}

impl FromRequestParts<Shared> for Operator {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Shared) -> Result<Self, Problem> {
        let secret = session::bearer(&parts.headers).ok_or_else(Problem::unauthenticated)?;
        let prove = async { session::key(app, secret).await?.ok_or_else(Problem::unauthenticated) };
        let key = address::carefully(app, parts, prove).await?;
        key.needs(Scope::Admin)?;
        if key.organization_id.is_some() {
            return Err(Problem::new(
                StatusCode::FORBIDDEN,
                "key_is_pinned",
                "This API key is for one organization, and this is about all of them",
            ));
        }
        Ok(Self(key))
    }
}

/// An id in a path.
fn named(id: Result<Path<String>, PathRejection>) -> Result<String, Problem> {
    let Ok(Path(id)) = id else { return Err(not_text()) };
    checked(id)
}

/// Two ids in a path.
fn both_named(ids: Result<Path<(String, String)>, PathRejection>) -> Result<(String, String), Problem> {
    let Ok(Path((one, two))) = ids else { return Err(not_text()) };
    Ok((checked(one)?, checked(two)?))
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
