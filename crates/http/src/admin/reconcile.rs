//! Comparing with what the providers hold, and what was found.

use axum::{
    Json,
    extract::{Path, Request, State, rejection::PathRejection},
    response::{IntoResponse, Response},
};
use http::{StatusCode, Uri, header};
use serde_json::{Value, json};
use tokio::time::timeout;
use tollkeeper::{Extent, ids::OrganizationId};

use super::{OperatorKey, RECONCILE, named};
use crate::{
    body::{self, NAME},
    jobs::Job,
    problem::Problem,
    query,
    router::Shared,
};

/// `POST /admin/api/reconcile` with `{organizationId?, full?}`: the report, or a job to ask for where that takes long. With
/// neither, what changed since the last time.
pub(super) async fn begin(
    State(app): State<Shared>,
    _operator: OperatorKey,
    request: Request,
) -> Result<Response, Problem> {
    let fields = body::fields(&app, request).await?;
    let full = fields.boolean("full")?.unwrap_or(false);
    let extent = match fields.text("organizationId", NAME)? {
        Some(id) => Extent::Organization(id.into()),
        None if full => Extent::Full,
        None => Extent::Recent,
    };
    let job = app.jobs.begin(app.request_ids.next(), &app.engine, extent)?;
    match timeout(app.config.limits.report_time, job.clone().report()).await {
        Ok(report) => Ok(Json(report?).into_response()),
        Err(_) => Ok(running(&job)),
    }
}

/// `GET /admin/api/reconcile/{job}`: the report, once there is one. Of this process alone.
pub(super) async fn report(
    State(app): State<Shared>,
    _operator: OperatorKey,
    id: Result<Path<String>, PathRejection>,
) -> Result<Response, Problem> {
    let job = app.jobs.find(&named(id)?);
    let job = job.ok_or_else(|| Problem::new(StatusCode::NOT_FOUND, "unknown_job", "No such job is known here"))?;
    if job.is_running() {
        return Ok(running(&job));
    }
    Ok(Json(job.report().await?).into_response())
}

/// `GET /admin/api/drift?organizationId=&limit=`, the newest first.
pub(super) async fn drift(State(app): State<Shared>, _operator: OperatorKey, uri: Uri) -> Result<Json<Value>, Problem> {
    let organization = query::name(&uri, "organizationId")?.map(OrganizationId::from);
    let found = app.engine.drift(organization.as_ref(), query::limit(&uri)?).await?;
    let rows = found.into_iter().map(|one| {
        json!({
            "organizationId": one.organization_id,
            "id": one.id,
            "at": one.at,
            "provider": one.provider,
            "subscriptionId": one.subscription_id,
            "class": one.class.as_str(),
            "field": one.field,
            "expected": one.expected,
            "found": one.found,
            "repaired": one.repaired,
            "why": one.why,
        })
    });
    Ok(Json(json!({ "drift": rows.collect::<Vec<_>>() })))
}

fn running(job: &Job) -> Response {
    let address = format!("{RECONCILE}/{}", job.id());
    (StatusCode::ACCEPTED, [(header::LOCATION, address)], Json(json!({ "job": job.id() }))).into_response()
}
