//! Invoices, for whoever may see the subscriptions.

use axum::{
    Json,
    extract::{Path, State},
    response::{IntoResponse as _, Response},
};
use http::{HeaderValue, StatusCode, Uri, header};
use serde_json::{Value, json};
use tollkeeper::Action;

use crate::{asked::look, problem::Problem, query, router::Shared, session::Caller};

/// `GET /api/invoices`
pub(crate) async fn list(State(app): State<Shared>, caller: Caller, uri: Uri) -> Result<Json<Value>, Problem> {
    let asked = look(&app, &caller, &uri, Action::List).await?;
    let page = query::page(&uri)?;
    let invoices = asked.act(|engine, actor| async move { engine.invoices(&actor, page.as_deref()).await }).await?;
    Ok(Json(json!(invoices)))
}

/// `GET /api/invoices/{id}/pdf`: leads to the document, by a link that is good for a while and is nobody's to keep.
pub(crate) async fn pdf(
    State(app): State<Shared>,
    caller: Caller,
    Path(id): Path<String>,
    uri: Uri,
) -> Result<Response, Problem> {
    let asked = look(&app, &caller, &uri, Action::List).await?;
    let id = query::visible("id", &id)?.to_owned();
    let link = asked.act(|engine, actor| async move { engine.invoice_pdf(&actor, &id).await }).await?;
    let location = HeaderValue::from_str(&link).map_err(|_| {
        let sentence = "The billing provider's link to this invoice cannot be followed";
        Problem::new(StatusCode::BAD_GATEWAY, "provider_rejected", sentence)
    })?;
    Ok((StatusCode::FOUND, [(header::LOCATION, location)]).into_response())
}
