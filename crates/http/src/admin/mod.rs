//! What operators do: by the operator key, or an API key with the scope `admin`.

pub(crate) mod deliveries;
mod keys;
mod organizations;
mod reconcile;

use std::sync::Arc;

use axum::extract::{FromRequestParts, Path, rejection::PathRejection};
use http::{StatusCode, request::Parts};
use tollkeeper::{Key, Scope};

use crate::{
    address, body::NAME, description::operations::admin as is, problem::Problem, router::Shared, routes::Routes,
    session,
};

/// Where reconciliations are begun; it answers at its own pace.
pub(crate) const RECONCILE: &str = "/admin/api/reconcile";

#[rustfmt::skip]
pub(crate) fn routes() -> Routes {
    Routes::default()
        .get("/admin/api/organizations", organizations::find, is::find_organizations)
        .get("/admin/api/organizations/{id}", organizations::show, is::show_organization)
        .put("/admin/api/organizations/{id}", organizations::put, is::put_organization)
        .delete("/admin/api/organizations/{id}", organizations::delete, is::delete_organization)
        .get("/admin/api/organizations/{id}/history", organizations::history, is::history)
        .put("/admin/api/organizations/{id}/members/{user}", organizations::put_member, is::put_member)
        .delete("/admin/api/organizations/{id}/members/{user}", organizations::delete_member, is::delete_member)
        .post(RECONCILE, reconcile::begin, is::reconcile)
        .get("/admin/api/reconcile/{job}", reconcile::report, is::report)
        .get("/admin/api/drift", reconcile::drift, is::drift)
        .get("/admin/api/inbox", deliveries::list, is::deliveries)
        .get("/admin/api/inbox/{source}/{event}", deliveries::show, is::delivery)
        .post("/admin/api/replay", deliveries::replay, is::replay)
        .get("/admin/api/keys", keys::list, is::keys)
        .post("/admin/api/keys", keys::create, is::create_key)
        .delete("/admin/api/keys/{id}", keys::revoke, is::revoke_key)
}

/// The key of somebody who may operate, for every organization.
struct OperatorKey(Arc<Key>);

impl OperatorKey {
    /// How the history names it.
    fn name(&self) -> String {
        format!("key {}", self.0.id)
    }
}

impl FromRequestParts<Shared> for OperatorKey {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Shared) -> Result<Self, Problem> {
        let secret = session::bearer(&parts.headers).ok_or_else(Problem::unauthenticated)?;
        let prove = async { session::key(app, secret).await?.ok_or_else(Problem::unauthenticated) };
        let key = address::carefully(app, parts, prove).await?;
        may_operate(&key)?;
        Ok(Self(key))
    }
}

/// Whether a key opens what is about all organizations: `/admin/api`, and the console.
///
/// # Errors
/// 403.
pub(crate) fn may_operate(key: &Key) -> Result<(), Problem> {
    key.needs(Scope::Admin)?;
    if key.organization_id.is_some() {
        let sentence = "This API key is for one organization, and this is about all of them";
        return Err(Problem::new(StatusCode::FORBIDDEN, "key_is_pinned", sentence));
    }
    Ok(())
}

/// An id in a path.
pub(crate) fn named(id: Result<Path<String>, PathRejection>) -> Result<String, Problem> {
    let Ok(Path(id)) = id else { return Err(not_text()) };
    checked(id)
}

/// Two ids in a path.
pub(crate) fn both_named(ids: Result<Path<(String, String)>, PathRejection>) -> Result<(String, String), Problem> {
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
