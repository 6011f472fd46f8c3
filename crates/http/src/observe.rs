//! The edge of every request: its id, its time limit, what catches a panic, its log line and its figures.
//!
//! One layer does all of it. Each layer more costs every request an allocation, and most requests are gates and
//! deliveries.

use std::{
    borrow::Cow,
    hash::{BuildHasher, RandomState},
    panic::AssertUnwindSafe,
    sync::atomic::{AtomicU64, Ordering},
    time::Instant,
};

use axum::{
    extract::{MatchedPath, Request, State},
    middleware::Next,
    response::{IntoResponse, Response},
};
use futures_util::FutureExt;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use metrics::SharedString;
use tokio::time::timeout;

use crate::{
    cors,
    problem::{self, Problem},
    router::Shared,
};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// The longest id that is taken from a request.
const LONGEST_ID: usize = 64;

/// Makes ids of requests: unique to this process by a random prefix, within it by counting.
pub(crate) struct RequestIds {
    prefix: u64,
    next: AtomicU64,
}

impl Default for RequestIds {
    fn default() -> Self {
        // Each `RandomState` has keys from the operating system; the hash of nothing with them is random enough to tell
        // processes apart, and nothing relies on it.
        Self { prefix: RandomState::new().hash_one(()), next: AtomicU64::new(1) }
    }
}

impl RequestIds {
    /// The caller's id where it is a sane one, else a new one.
    fn of(&self, headers: &HeaderMap) -> HeaderValue {
        let sane =
            |id: &&HeaderValue| (1..=LONGEST_ID).contains(&id.len()) && id.as_bytes().iter().all(u8::is_ascii_graphic);
        if let Some(id) = headers.get(REQUEST_ID).filter(sane) {
            return id.clone();
        }
        let count = self.next.fetch_add(1, Ordering::Relaxed);
        HeaderValue::from_str(&format!("{:016x}-{count:x}", self.prefix)).expect("hexadecimal digits are visible")
    }
}

/// Goes around every route of ours.
pub(crate) async fn edge(State(app): State<Shared>, request: Request, next: Next) -> Response {
    let started = Instant::now();
    let id = app.request_ids.of(request.headers());
    let method = request.method().clone();
    let route = request.extensions().get::<MatchedPath>().cloned();
    let route = route.as_ref().map_or("unmatched", MatchedPath::as_str);
    let origin = cors::allowed(&app, request.headers());

    let response = match cors::preflight(&method, request.headers(), origin.as_ref()) {
        Some(answer) => answer,
        None => match timeout(app.config.request_timeout, AssertUnwindSafe(next.run(request)).catch_unwind()).await {
            Ok(Ok(response)) => response,
            Ok(Err(panic)) => Problem::internal(format!("a handler panicked: {}", words(&*panic))).into_response(),
            Err(_) => Problem::later("timeout", "This took too long")
                .caused(format!("not done after {:?}", app.config.request_timeout))
                .into_response(),
        },
    };

    let mut response = problem::finish(response, &method, id.to_str().unwrap_or_default(), route);
    let headers = response.headers_mut();
    // Nearly everything here is about one organization; what may be kept says so itself.
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    cors::mark(&app, headers, origin);
    record(&id, &method, route, response.status(), started);
    response.headers_mut().insert(REQUEST_ID, id);
    response
}

fn record(id: &HeaderValue, method: &Method, route: &str, status: StatusCode, started: Instant) {
    let took = started.elapsed();
    let (method, code) = (method_label(method), status.as_u16());
    tracing::debug!(
        request.id = id.to_str().unwrap_or_default(),
        method,
        route,
        status = code,
        duration_us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX),
        "{method} {route} was answered with {code}"
    );
    let route = route_label(route);
    metrics::counter!(
        "tollkeeper_http_requests_total", "route" => route.clone(), "method" => method, "status" => status_label(code)
    )
    .increment(1);
    metrics::histogram!("tollkeeper_http_request_duration_seconds", "route" => route).record(took.as_secs_f64());
}

/// Static where it is hot: a label that is not costs an allocation.
fn route_label(route: &str) -> SharedString {
    match route {
        "/gate/{feature}" => SharedString::const_str("/gate/{feature}"),
        "/api/webhooks/{source}" => SharedString::const_str("/api/webhooks/{source}"),
        "/chargebee/webhook" => SharedString::const_str("/chargebee/webhook"),
        other => SharedString::from_owned(other.to_owned()),
    }
}

/// Anybody can invent methods; figures have room for the known ones.
fn method_label(method: &Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "HEAD" => "HEAD",
        "POST" => "POST",
        "PUT" => "PUT",
        "PATCH" => "PATCH",
        "DELETE" => "DELETE",
        "OPTIONS" => "OPTIONS",
        _ => "other",
    }
}

fn status_label(status: u16) -> Cow<'static, str> {
    match status {
        200 => "200".into(),
        303 => "303".into(),
        400 => "400".into(),
        401 => "401".into(),
        402 => "402".into(),
        403 => "403".into(),
        503 => "503".into(),
        other => other.to_string().into(),
    }
}

fn words(panic: &(dyn std::any::Any + Send)) -> &str {
    match (panic.downcast_ref::<&str>(), panic.downcast_ref::<String>()) {
        (Some(words), _) => words,
        (None, Some(words)) => words,
        (None, None) => "without words",
    }
}
