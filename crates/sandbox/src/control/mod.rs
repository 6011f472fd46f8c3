//! The control API under `/sandbox`: what tests and people do to the providers' world.

mod billing;
mod chaos;
mod failure;
mod identity;
mod signin;
mod stripe;
mod time;
mod trigger;
mod watch;

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::DefaultBodyLimit;
use axum::routing::{delete, get, patch, post};
use serde::de::DeserializeOwned;

pub(crate) use billing::{SubscriptionBody, change_row};
pub(crate) use failure::Failure;
pub(crate) use watch::{chargebee_truth, stripe_truth};

use crate::server::Shared;

pub(crate) fn router() -> Router<Arc<Shared>> {
    Router::new()
        .route("/sandbox/organizations", post(identity::create_organization))
        .route(
            "/sandbox/organizations/{id}",
            patch(identity::update_organization).delete(identity::delete_organization),
        )
        .route("/sandbox/organizations/{id}/users", post(identity::add_user))
        .route("/sandbox/organizations/{id}/users/{user_id}", delete(identity::remove_user))
        .route("/sandbox/tokens", post(identity::issue_tokens))
        .route("/sandbox/signin/complete", post(signin::complete))
        .route("/sandbox/hosted/complete", post(billing::complete_page))
        .route("/sandbox/subscriptions/{id}", post(billing::change_subscription))
        .route("/sandbox/prices/{id}", post(stripe::reprice))
        .route("/sandbox/clock", get(time::read).post(time::advance))
        .route("/sandbox/chaos", get(chaos::read).put(chaos::replace))
        .route("/sandbox/trigger", post(trigger::trigger))
        .route("/sandbox/reset", post(time::reset))
        .route("/sandbox/requests", get(watch::requests))
        .route("/sandbox/deliveries", get(watch::deliveries))
        .route("/sandbox/deliveries/{id}/resend", post(watch::resend))
        .route("/sandbox/truth", get(watch::truth))
        .layer(DefaultBodyLimit::max(1 << 20))
}

/// Reads a JSON body; none at all counts as `{}`.
fn read<T: DeserializeOwned>(body: &Bytes) -> Result<T, Failure> {
    let body: &[u8] = if body.trim_ascii().is_empty() { b"{}" } else { body };
    serde_json::from_slice(body).map_err(|reason| Failure::invalid(format!("the body is not valid: {reason}")))
}
