//! What is paid once.

use axum::{
    Json,
    extract::{Request, State},
};
use serde_json::{Value, json};
use tollkeeper::{Action, PayRequest};

use crate::{asked::begin, body::ADDRESS, problem::Problem, router::Shared, session::Caller};

/// `POST /api/checkout`
pub(crate) async fn checkout(
    State(app): State<Shared>,
    caller: Caller,
    request: Request,
) -> Result<Json<Value>, Problem> {
    let asked = begin(&app, &caller, request, Action::Create).await?;
    let fields = &asked.fields;
    let wanted = PayRequest {
        items: fields.quantities("items", &["priceId"], false)?.ok_or_else(|| {
            Problem::field("items", "items_required", "items must be a list of what is paid, each with its priceId")
        })?,
        success_url: fields.text("successUrl", ADDRESS)?,
        cancel_url: fields.text("cancelUrl", ADDRESS)?,
    };
    let url = asked.act(|engine, actor| async move { engine.pay(&actor, &wanted).await }).await?;
    Ok(Json(json!({ "mode": "hosted", "url": url })))
}
