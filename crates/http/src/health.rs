//! For machines that watch us: alive, ready, figures, version.

use std::time::Duration;

use axum::{
    Json,
    extract::State,
    response::{IntoResponse, Response},
};
use http::{HeaderValue, StatusCode, header};
use serde_json::{Value, json};
use tokio::time::timeout;
use tollkeeper::Schema;

use crate::{figures, problem::Problem, router::Shared};

/// How long the database may take to say that it is there.
const PATIENCE: Duration = Duration::from_secs(3);

/// `GET /healthz`: this process answers.
pub(crate) async fn alive() -> Json<Value> {
    Json(json!({ "status": "ok" }))
}

/// `GET /readyz`: the database answers and has our schema. No provider is needed to be ready. Says what business time
/// this process lives in, which a sandbox may have moved.
pub(crate) async fn ready(State(app): State<Shared>) -> Result<Json<Value>, Problem> {
    let database = app.engine.database();
    let look = async {
        database.ping().await?;
        database.schema().await
    };
    match timeout(PATIENCE, look).await {
        Ok(Ok(Schema::Current)) => Ok(Json(json!({ "status": "ready", "now": app.engine.now() }))),
        Ok(Ok(Schema::Empty)) => Err(not_ready("the database is empty: migrate it first")),
        Ok(Ok(Schema::Behind { .. })) => {
            Err(not_ready("the schema of the database is older than this program: migrate it"))
        }
        Ok(Ok(Schema::Ahead { .. })) => Err(not_ready("the schema of the database is newer than this program")),
        Ok(Err(error)) => Err(not_ready(error.to_string())),
        Err(_) => Err(not_ready(format!("the database did not answer within {} s", PATIENCE.as_secs()))),
    }
}

fn not_ready(reason: impl Into<String>) -> Problem {
    let reason = reason.into();
    Problem::later("not_ready", format!("Not ready: {reason}")).caused(reason)
}

/// `GET /metrics`, in the text format of Prometheus.
pub(crate) async fn metrics(State(app): State<Shared>) -> Result<Response, Problem> {
    let Some(handle) = &app.config.metrics else {
        return Err(Problem::new(StatusCode::NOT_FOUND, "not_found", "No figures are kept here"));
    };
    app.inbox_figures.refresh(&app).await;
    figures::refresh_own(&app);
    let kind = [(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8"))];
    Ok((kind, handle.render()).into_response())
}

/// `GET /version`
pub(crate) async fn version(State(app): State<Shared>) -> Json<Value> {
    Json(json!({ "name": "tollkeeper", "version": app.config.version }))
}
