//! Organizations and members, of identity systems that send no webhooks, and what is known of them. The same engine
//! calls as everywhere.

use axum::{
    Json,
    extract::{Path, Request, State, rejection::PathRejection},
};
use http::{StatusCode, Uri};
use serde_json::{Value, json};
use tollkeeper::{ids::OrganizationId, ports::OrganizationRecord};

use super::{OperatorKey, both_named, named};
use crate::{
    body::{self, NAME},
    jobs::to_the_end,
    problem::Problem,
    query,
    router::{App, Shared},
};

/// `GET /admin/api/organizations?query=&anywhere=&limit=`: those that are called like this, by id, name or whatever belongs
/// to them; without a query the newest.
pub(super) async fn find(State(app): State<Shared>, _operator: OperatorKey, uri: Uri) -> Result<Json<Value>, Problem> {
    let limit = query::limit(&uri)?;
    let names = query::names(&uri)?;
    let found = match query::name(&uri, "query")? {
        Some(text) => app.engine.find_organizations(&text, names, limit).await?,
        None => app.engine.newest_organizations(limit).await?,
    };
    Ok(Json(json!({ "organizations": found })))
}

/// `GET /admin/api/organizations/{id}`
pub(super) async fn show(
    State(app): State<Shared>,
    _operator: OperatorKey,
    id: Result<Path<String>, PathRejection>,
) -> Result<Json<Value>, Problem> {
    let id = OrganizationId::from(named(id)?);
    let account = app.engine.organization(&id).await?;
    let subscriptions = app.engine.subscriptions(&id, true).await?;
    Ok(Json(json!({
        "organization": account.organization,
        "customers": account.customers,
        "subscriptions": subscriptions,
    })))
}

/// `GET /admin/api/organizations/{id}/history?after=&limit=`: what was decided, in order, behind the one with this
/// number.
pub(super) async fn history(
    State(app): State<Shared>,
    _operator: OperatorKey,
    id: Result<Path<String>, PathRejection>,
    uri: Uri,
) -> Result<Json<Value>, Problem> {
    let id = OrganizationId::from(named(id)?);
    let after = query::value(&uri, "after").map_or(Ok(0), |said| said.parse());
    let after =
        after.map_err(|_| Problem::field("after", "invalid_value", "after must be the number of a decision"))?;
    let rows = app.engine.history(&id, after, query::limit(&uri)?).await?;
    let rows = rows.into_iter().map(|row| {
        json!({
            "seq": row.seq,
            "at": row.at,
            "cause": row.cause.kind.as_str(),
            "causeId": row.cause.id,
            "subscriptionId": row.subscription_id,
            "before": row.before,
            "after": row.after,
            "why": row.why,
        })
    });
    Ok(Json(json!({ "history": rows.collect::<Vec<_>>() })))
}

/// `PUT /admin/api/organizations/{id}` with `{displayName?, externalId?}`
pub(super) async fn put(
    State(app): State<Shared>,
    operator: OperatorKey,
    id: Result<Path<String>, PathRejection>,
    request: Request,
) -> Result<StatusCode, Problem> {
    let id = named(id)?;
    let fields = body::fields(&app, request).await?;
    let record = OrganizationRecord {
        id: id.into(),
        display_name: fields.text("displayName", NAME)?.filter(|name| !name.trim().is_empty()),
        external_id: fields.text("externalId", NAME)?,
        updated_at: None,
    };
    let engine = app.engine.clone();
    to_the_end(async move { engine.upsert_organization(&record, &operator.name()).await }).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `DELETE /admin/api/organizations/{id}`: answers when nothing of it is billed any more.
pub(super) async fn delete(
    State(app): State<Shared>,
    operator: OperatorKey,
    id: Result<Path<String>, PathRejection>,
) -> Result<StatusCode, Problem> {
    let (id, engine) = (OrganizationId::from(named(id)?), app.engine.clone());
    to_the_end(async move { engine.delete_organization(&id, &operator.name()).await }).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `PUT /admin/api/organizations/{id}/members/{userId}` with `{email}`
pub(super) async fn put_member(
    State(app): State<Shared>,
    _operator: OperatorKey,
    ids: Result<Path<(String, String)>, PathRejection>,
    request: Request,
) -> Result<StatusCode, Problem> {
    let fields = body::fields(&app, request).await?;
    let email = fields.text("email", NAME)?.filter(|email| email.contains('@'));
    if email.is_none() {
        return Err(Problem::field("email", "invalid_value", "email must be an e-mail address"));
    }
    tell_member(&app, ids, email).await
}

/// `DELETE /admin/api/organizations/{id}/members/{userId}`
pub(super) async fn delete_member(
    State(app): State<Shared>,
    _operator: OperatorKey,
    ids: Result<Path<(String, String)>, PathRejection>,
) -> Result<StatusCode, Problem> {
    tell_member(&app, ids, None).await
}

async fn tell_member(
    app: &App,
    ids: Result<Path<(String, String)>, PathRejection>,
    email: Option<String>,
) -> Result<StatusCode, Problem> {
    let (organization, user) = both_named(ids)?;
    app.engine.upsert_member(&organization.into(), &user.into(), email).await?;
    Ok(StatusCode::NO_CONTENT)
}
