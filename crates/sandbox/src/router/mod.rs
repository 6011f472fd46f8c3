//! Which path belongs to whom. The providers' paths do not collide.

mod chargebee;
mod scalekit;
mod stripe;

use std::sync::Arc;

use axum::Router;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{any, get};
use http::{HeaderMap, StatusCode, header};
use percent_encoding::percent_decode_str;

use crate::server::Shared;
use crate::{control, pages};

pub(crate) fn router(shared: Arc<Shared>) -> Router {
    Router::new()
        .route("/api/v2/{*path}", any(chargebee::answer))
        .route("/api/v1/{*path}", any(scalekit::answer))
        .route("/v1/{*path}", any(stripe::answer))
        .route("/v2/{*path}", any(stripe::answer))
        .route("/oauth/token", any(scalekit::answer))
        .route("/keys", get(scalekit::answer))
        .route("/.well-known/openid-configuration", get(scalekit::answer))
        .merge(control::router())
        .merge(pages::router())
        .fallback(async || control::Failure::not_found("nothing is served at this path").into_response())
        .with_state(shared)
}

pub(crate) fn json_response(status: u16, body: String) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (status, [(header::CONTENT_TYPE, "application/json; charset=utf-8")], body).into_response()
}

fn segments(path: &str, prefix: &str) -> Vec<String> {
    path.strip_prefix(prefix)
        .unwrap_or_default()
        .split('/')
        .filter(|segment| !segment.is_empty())
        .map(|segment| percent_decode_str(segment).decode_utf8_lossy().into_owned())
        .collect()
}

fn header_text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}
