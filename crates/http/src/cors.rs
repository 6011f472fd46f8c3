//! Other sites: which of them may read our answers, and how a browser asks for that beforehand.

use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use url::Url;

use crate::router::App;

/// Addresses as browsers spell their origins; what is no address of a site is left out.
pub(crate) fn origins<'a>(addresses: impl Iterator<Item = &'a str>) -> Vec<String> {
    let origin = |address: &str| Some(Url::parse(address).ok()?.origin());
    // An opaque origin is spelled `null`, and so is that of any sandboxed frame.
    addresses.filter_map(origin).filter(url::Origin::is_tuple).map(|origin| origin.ascii_serialization()).collect()
}

/// Whether a request comes from one of these origins, by what its browser says.
pub(crate) fn comes_from(headers: &HeaderMap, origins: &[String]) -> bool {
    headers.get(header::ORIGIN).is_some_and(|origin| origins.iter().any(|own| own.as_bytes() == origin.as_bytes()))
}

/// The origin to echo, when it is allowed.
pub(crate) fn allowed(app: &App, headers: &HeaderMap) -> Option<HeaderValue> {
    comes_from(headers, &app.readers).then(|| headers.get(header::ORIGIN).cloned())?
}

/// The answer to a browser that asks before it sends, when its origin is allowed.
pub(crate) fn preflight(method: &Method, headers: &HeaderMap, origin: Option<&HeaderValue>) -> Option<Response> {
    let asks = *method == Method::OPTIONS && headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
    (asks && origin.is_some()).then(|| {
        let answer = [
            (header::ACCESS_CONTROL_ALLOW_METHODS, "GET, HEAD, POST, PUT, PATCH, DELETE"),
            (header::ACCESS_CONTROL_ALLOW_HEADERS, "authorization, content-type"),
            (header::ACCESS_CONTROL_MAX_AGE, "600"),
        ];
        (StatusCode::NO_CONTENT, answer).into_response()
    })
}

/// Marks an answer as readable from an allowed origin. Without allowed origins nothing is said at all.
pub(crate) fn mark(app: &App, headers: &mut HeaderMap, origin: Option<HeaderValue>) {
    if app.readers.is_empty() {
        return;
    }
    headers.append(header::VARY, HeaderValue::from_static("origin"));
    if let Some(origin) = origin {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        headers.insert(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
        headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static("x-request-id, retry-after"));
    }
}
