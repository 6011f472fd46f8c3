//! What is sold, for everybody to read.

use axum::{Json, extract::State};
use serde_json::Value;
use tollkeeper::plans_view;

use crate::router::Shared;

/// `GET /api/plans`
pub(crate) async fn list(State(app): State<Shared>) -> Json<Value> {
    Json(plans_view(&app.engine.catalog(), &app.engine.settings().billing_provider))
}
