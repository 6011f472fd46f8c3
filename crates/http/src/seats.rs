//! Who holds the organization's seats.

use axum::{Json, extract::State};
use http::Uri;
use serde_json::{Value, json};
use tollkeeper::Action;

use crate::{problem::Problem, query, router::Shared, session::Caller};

/// `GET /api/seats`
pub(crate) async fn show(State(app): State<Shared>, caller: Caller, uri: Uri) -> Result<Json<Value>, Problem> {
    let reference = query::value(&uri, "referenceId");
    let actor = caller.authorize(&app, reference.as_deref(), Action::List).await?;
    Ok(Json(json!(app.engine.seats(actor.organization_id()).await?)))
}
