//! The organization itself: who gets its invoices.

use axum::{
    Json,
    extract::{Request, State},
};
use serde_json::{Value, json};
use tollkeeper::Action;

use crate::{asked::begin, problem::Problem, router::Shared, session::Caller, wanted};

/// `PATCH /api/organization`
pub(crate) async fn update(
    State(app): State<Shared>,
    caller: Caller,
    request: Request,
) -> Result<Json<Value>, Problem> {
    let asked = begin(&app, &caller, request, Action::Update).await?;
    let wanted = wanted::contact(&asked.fields)?;
    let organization = asked.act(|engine, actor| async move { engine.update_contact(&actor, &wanted).await }).await?;
    Ok(Json(json!({
        "organizationId": organization.id,
        "displayName": organization.display_name,
        "email": organization.email,
        "locale": organization.locale,
    })))
}
