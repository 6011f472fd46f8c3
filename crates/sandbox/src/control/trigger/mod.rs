//! Sending one event on demand, as the test buttons of the dashboards do.
//!
//! With an organization it is about what that organization has, as it is now; nothing is changed by it. Without one it
//! is about objects that nobody knows.

mod chargebee;
mod scalekit;
mod stripe;

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;
use serde_json::json;

use super::{Failure, read};
use crate::deliveries::outbox::Provider;
use crate::router::json_response;
use crate::server::Shared;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct TriggerBody {
    #[serde(default)]
    event: String,
    organization_id: Option<String>,
}

/// Answers which provider sends what, under which event id.
pub(super) async fn trigger(State(shared): State<Arc<Shared>>, body: Bytes) -> Result<Response, Failure> {
    let body: TriggerBody = read(&body)?;
    let organization_id = body.organization_id.as_deref().filter(|id| !id.is_empty());
    let (provider, event_id) = shared.with(|world, now| {
        if let Some(event) = chargebee::find(&body.event) {
            let event_id = chargebee::send(&mut world.site, event, organization_id, now)?;
            Ok((Provider::Chargebee, event_id))
        } else if let Some(event) = scalekit::find(&body.event) {
            let event_id = scalekit::send(&mut world.directory, event, organization_id, now)?;
            Ok((Provider::Scalekit, event_id))
        } else if let Some(event) = stripe::find(&body.event) {
            let event_id = stripe::send(world, event, organization_id, now)?;
            Ok((Provider::Stripe, event_id))
        } else {
            Err(Failure::invalid(format!("event must name an event of a provider; `{}` is none", body.event)))
        }
    })?;
    let answer = json!({ "provider": provider.as_str(), "event": body.event, "eventId": event_id });
    Ok(json_response(200, answer.to_string()))
}
