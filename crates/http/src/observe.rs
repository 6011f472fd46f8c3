//! The edge of every request: its id, its time limit, what catches a panic, its log line and its figures.
//!
//! One layer does all of it. Each layer more costs every request an allocation, and most requests are gates and
//! deliveries.

use std::{
    hash::{BuildHasher, RandomState},
    panic::AssertUnwindSafe,
    sync::{
        OnceLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};

use axum::{
    extract::{MatchedPath, Request, State},
    middleware::Next,
    response::{IntoResponse, Response},
};
use futures_util::FutureExt;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header};
use metrics::{Counter, Histogram, SharedString};
use tokio::time::timeout;
use tollkeeper::safe_target;

use crate::{
    admin::RECONCILE,
    cookies::Renewal,
    cors, pages,
    problem::{self, Problem},
    router::{App, Shared},
};

pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const HEX: &[u8; 16] = b"0123456789abcdef";
/// The longest id that is taken from a request.
const LONGEST_ID: usize = 64;

/// Makes ids of requests: unique to this process by a random prefix, within it by counting.
pub(crate) struct RequestIds {
    prefix: String,
    next: AtomicU64,
}

impl Default for RequestIds {
    fn default() -> Self {
        // Each `RandomState` has keys from the operating system; the hash of nothing with them is random enough to tell
        // processes apart, and nothing relies on it.
        Self { prefix: format!("{:016x}-", RandomState::new().hash_one(())), next: AtomicU64::new(1) }
    }
}

impl RequestIds {
    /// The caller's id where it is a sane one, else a new one.
    pub(crate) fn of(&self, headers: &HeaderMap) -> HeaderValue {
        let sane =
            |id: &&HeaderValue| (1..=LONGEST_ID).contains(&id.len()) && id.as_bytes().iter().all(u8::is_ascii_graphic);
        if let Some(id) = headers.get(REQUEST_ID).filter(sane) {
            return id.clone();
        }
        HeaderValue::try_from(self.next()).expect("hexadecimal digits are visible")
    }

    /// An id that no request and nothing else of this process has.
    pub(crate) fn next(&self) -> String {
        let count = self.next.fetch_add(1, Ordering::Relaxed);
        let mut id = String::with_capacity(self.prefix.len() + 16);
        id.push_str(&self.prefix);
        let digits = (u64::BITS - count.leading_zeros()).div_ceil(4);
        id.extend((0..digits).rev().map(|place| HEX[(count >> (4 * place)) as usize & 0xf] as char));
        id
    }
}

/// Goes around every route of ours.
pub(crate) async fn edge(State(app): State<Shared>, mut request: Request, next: Next) -> Response {
    let started = Instant::now();
    let id = app.request_ids.of(request.headers());
    let method = request.method().clone();
    let route = request.extensions().get::<MatchedPath>().cloned();
    let route = route.as_ref().map_or("unmatched", MatchedPath::as_str);
    let origin = cors::allowed(&app, request.headers());
    // Browsers alone pay for it.
    let renewal = request.headers().contains_key(header::COOKIE).then(Renewal::default);
    if let Some(renewal) = &renewal {
        request.extensions_mut().insert(renewal.clone());
    }
    let page_of = pages::is_for_a_person(request.uri(), request.headers()).then(|| request.uri().clone());

    let response = match cors::preflight(&method, request.headers(), origin.as_ref()) {
        Some(answer) => answer,
        None => answer(&app, route, next.run(request)).await,
    };

    let page_of = page_of.as_ref().map(|uri| (uri.path(), again(&app, &method, uri)));
    let shown = problem::Shown { method: &method, page_of };
    let mut response = problem::finish(response, &shown, id.to_str().unwrap_or_default(), route);
    let headers = response.headers_mut();
    // Nearly everything here is about one organization; what may be kept says so itself.
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    cors::mark(&app, headers, origin);
    if let Some(renewal) = renewal {
        renewal.apply(headers);
    }
    record(&app, &id, &method, route, response.status(), started);
    response.headers_mut().insert(REQUEST_ID, id);
    response
}

/// Where the same is asked for again, as a link: with all that the address said, and only on this site.
fn again<'a>(app: &App, method: &Method, uri: &'a Uri) -> Option<&'a str> {
    let address = uri.path_and_query()?.as_str();
    (method.is_safe() && safe_target(app.engine.settings(), "address", address).is_ok()).then_some(address)
}

/// Answers within the limits, or says which of them was reached.
async fn answer(app: &App, route: &str, work: impl Future<Output = Response>) -> Response {
    let _place = match app.requests.enter(1) {
        Some(place) => Some(place),
        // Whoever watches us must see that there is too much.
        None if matches!(route, "/healthz" | "/readyz" | "/metrics" | "/version") => None,
        None => return Problem::overloaded().into_response(),
    };
    let work = AssertUnwindSafe(work).catch_unwind();
    let limit = app.config.limits.request_time;
    let outcome = if route == RECONCILE { Ok(work.await) } else { timeout(limit, work).await };
    match outcome {
        Ok(Ok(response)) => response,
        Ok(Err(panic)) => Problem::internal(format!("a handler panicked: {}", words(&*panic))).into_response(),
        Err(_) => {
            Problem::later("timeout", "This took too long").caused(format!("not done after {limit:?}")).into_response()
        }
    }
}

fn record(app: &App, id: &HeaderValue, method: &Method, route: &str, status: StatusCode, started: Instant) {
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
    let hot = app.hot.0.get_or_init(|| HOT.map(|(route, method, status)| Meters::new(route, method, status)));
    let place = HOT.iter().position(|(of, by, with)| *with == code && *by == method && *of == route);
    let looked_up;
    let meters = match place {
        Some(place) => &hot[place],
        None => {
            looked_up = Meters::new(route, method, code);
            &looked_up
        }
    };
    meters.requests.increment(1);
    meters.duration.record(took.as_secs_f64());
}

/// What is answered most: its figures are looked up once.
const HOT: [(&str, &str, u16); 5] = [
    ("/gate/{feature}", "GET", 200),
    ("/gate/{feature}", "GET", 402),
    ("/api/webhooks/{source}", "POST", 200),
    ("/chargebee/webhook", "POST", 200),
    ("/stripe/webhook", "POST", 200),
];

/// The figures of [`HOT`].
#[derive(Default)]
pub(crate) struct HotMeters(OnceLock<[Meters; HOT.len()]>);

/// Figures of one route, method and status.
struct Meters {
    requests: Counter,
    duration: Histogram,
}

impl Meters {
    fn new(route: &str, method: &'static str, status: u16) -> Self {
        let route = SharedString::from_owned(route.to_owned());
        Self {
            requests: metrics::counter!(
                "tollkeeper_http_requests_total", "route" => route.clone(), "method" => method, "status" => status.to_string()
            ),
            duration: metrics::histogram!("tollkeeper_http_request_duration_seconds", "route" => route),
        }
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

fn words(panic: &(dyn std::any::Any + Send)) -> &str {
    match (panic.downcast_ref::<&str>(), panic.downcast_ref::<String>()) {
        (Some(words), _) => words,
        (None, Some(words)) => words,
        (None, None) => "without words",
    }
}
