//! Every failure as a problem document (RFC 9457), and the only place that knows which status it gets.
//!
//! `type` is `about:blank` and `title` the status phrase, as the RFC asks for together; programs read `code`. `error`
//! repeats `detail`: it is what the front ends of the cookbooks show.
//!
//! A handler returns a [`Problem`] without knowing the request's id. The document itself is written by [`finish`], at
//! the edge, where the id is known and where what happened inside is logged, once.

use std::{borrow::Cow, error::Error as StdError, fmt::Write as _, time::Duration};

use askama::Template as _;
use axum::{
    body::Body,
    response::{IntoResponse, Response},
};
use http::{HeaderValue, Method, StatusCode, header};
use serde_json::{Map, Value, json};
use tollkeeper::{
    Error,
    ports::{AuthError, ErrorKind},
};

use crate::pages::{self, ProblemPage};

/// How long a caller should wait where nobody said so.
const SOON: Duration = Duration::from_secs(1);

/// A failure that a page tells of itself; what happened inside is logged at the edge all the same.
#[derive(Clone, Debug)]
pub(crate) struct Told(pub(crate) Problem);

/// How a failure is shown, as its request says.
pub(crate) struct Shown<'a> {
    pub(crate) method: &'a Method,
    /// The path, and the address that asks for the same again, where a person wants to see a page.
    pub(crate) page_of: Option<(&'a str, Option<&'a str>)>,
}

/// A failure, on its way to the edge.
#[derive(Clone, Debug)]
pub(crate) struct Problem(Box<Inner>);

#[derive(Clone, Debug)]
struct Inner {
    status: StatusCode,
    code: Cow<'static, str>,
    message: Cow<'static, str>,
    field: Option<Cow<'static, str>>,
    reason: Option<&'static str>,
    retry_after: Option<Duration>,
    /// One member more, by name.
    extra: Option<(&'static str, Value)>,
    /// What happened inside, for the log alone.
    cause: Option<String>,
}

impl Problem {
    /// A problem with a code for programs and a sentence for people.
    pub(crate) fn new(
        status: StatusCode,
        code: impl Into<Cow<'static, str>>,
        message: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self(Box::new(Inner {
            status,
            code: code.into(),
            message: message.into(),
            field: None,
            reason: None,
            retry_after: None,
            extra: None,
            cause: None,
        }))
    }

    /// A field of the request that is wrong.
    pub(crate) fn field(
        field: impl Into<Cow<'static, str>>,
        code: &'static str,
        message: impl Into<Cow<'static, str>>,
    ) -> Self {
        let mut problem = Self::new(StatusCode::BAD_REQUEST, code, message);
        problem.0.field = Some(field.into());
        problem
    }

    /// Something that may work later.
    pub(crate) fn later(code: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, code, message).after(SOON)
    }

    /// Too much at once.
    pub(crate) fn overloaded() -> Self {
        Self::later("overloaded", "This server has too much to do right now")
    }

    /// Too often: whoever asks may come back after `wait`.
    pub(crate) fn too_often(message: &'static str, wait: Duration) -> Self {
        Self::new(StatusCode::TOO_MANY_REQUESTS, "rate_limited", message).after(wait)
    }

    /// A fault of ours; callers learn nothing about it.
    pub(crate) fn internal(cause: impl Into<String>) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "Something went wrong on our side").caused(cause)
    }

    /// Nobody is proven.
    pub(crate) fn unauthenticated() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "unauthenticated", "A valid access token is required")
    }

    /// A write with a cookie that did not come from a page of ours.
    pub(crate) fn csrf() -> Self {
        let sentence = "With a cookie, changes are only taken from pages of this site";
        Self::new(StatusCode::FORBIDDEN, "csrf", sentence)
    }

    /// Whether the same request may work later.
    pub(crate) fn is_temporary(&self) -> bool {
        self.0.status == StatusCode::SERVICE_UNAVAILABLE
    }

    /// Whether it says that what was presented proves nobody.
    pub(crate) fn is_unauthenticated(&self) -> bool {
        self.0.code == "unauthenticated"
    }

    /// The code for programs.
    pub(crate) fn code(&self) -> &str {
        &self.0.code
    }

    /// Its status.
    pub(crate) fn status(&self) -> StatusCode {
        self.0.status
    }

    /// The same, with a status that somebody in between understands.
    pub(crate) fn answered_with(mut self, status: StatusCode) -> Self {
        self.0.status = status;
        self
    }

    /// The sentence for people, with its full stop.
    pub(crate) fn sentence(&self) -> String {
        let message = self.0.message.trim_end_matches('.');
        let mut letters = message.chars();
        letters.next().into_iter().flat_map(char::to_uppercase).chain(letters).chain(['.']).collect()
    }

    /// Whether signing in is the way out of it.
    pub(crate) fn asks_to_sign_in(&self) -> bool {
        self.0.status == StatusCode::UNAUTHORIZED
    }

    /// What a gate saw.
    pub(crate) fn with_reason(mut self, reason: &'static str) -> Self {
        self.0.reason = Some(reason);
        self
    }

    /// For the log alone.
    pub(crate) fn caused(mut self, cause: impl Into<String>) -> Self {
        self.0.cause = Some(cause.into());
        self
    }

    /// Its cause was logged before.
    pub(crate) fn logged(mut self) -> Self {
        self.0.cause = None;
        self
    }

    fn with(mut self, name: &'static str, value: Value) -> Self {
        self.0.extra = Some((name, value));
        self
    }

    /// The name of the field, as the caller spelled it.
    pub(crate) fn spelled(mut self, ours: &str, theirs: &'static str) -> Self {
        if self.0.field.as_deref() == Some(ours) {
            self.0.field = Some(theirs.into());
        }
        self
    }

    fn after(mut self, wait: Duration) -> Self {
        self.0.retry_after = Some(wait);
        self
    }

    fn document(&self, request_id: &str) -> Vec<u8> {
        let inner = &self.0;
        let mut fields = Map::new();
        let mut put = |name: &str, value: Value| fields.insert(name.to_owned(), value);
        put("type", "about:blank".into());
        put("title", inner.status.canonical_reason().unwrap_or("Error").into());
        put("status", inner.status.as_u16().into());
        put("detail", inner.message.as_ref().into());
        put("code", inner.code.as_ref().into());
        put("error", inner.message.as_ref().into());
        if let Some(field) = &inner.field {
            put("field", field.as_ref().into());
        }
        if let Some(reason) = inner.reason {
            put("reason", reason.into());
        }
        if let Some((name, value)) = &inner.extra {
            put(name, value.clone());
        }
        put("requestId", request_id.into());
        Value::Object(fields).to_string().into_bytes()
    }

    fn log(&self, request_id: &str, route: &str) {
        let Some(cause) = &self.0.cause else { return };
        let (status, code) = (self.0.status.as_u16(), &*self.0.code);
        match status {
            500 => tracing::error!(request.id = request_id, route, status, code, cause, "a request failed: {cause}"),
            502 | 503 => {
                tracing::warn!(request.id = request_id, route, status, code, cause, "a request has to wait: {cause}");
            }
            _ => tracing::debug!(request.id = request_id, route, status, code, cause, "a request was refused: {cause}"),
        }
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        match error {
            Error::Unauthenticated(AuthError::Invalid(why)) => Self::unauthenticated().caused(why),
            Error::Unauthenticated(AuthError::Expired) => {
                Self::new(StatusCode::UNAUTHORIZED, "token_expired", "The access token has expired")
            }
            Error::Unauthenticated(error @ AuthError::KeysUnavailable) => {
                Self::later("keys_unavailable", "Access tokens cannot be checked right now").caused(chain(&error))
            }
            Error::Unverified(error) => {
                Self::new(StatusCode::UNAUTHORIZED, "unverified", "The sender of this delivery is not proven")
                    .caused(chain(&error))
            }
            // What could not be read may be quoted inside: it stays inside, and out of the log as well.
            Error::Decode(_) => {
                Self::new(StatusCode::BAD_REQUEST, "invalid_delivery", "This is not a delivery of this source")
            }
            Error::Forbidden { code, message } => Self::new(StatusCode::FORBIDDEN, code, message),
            Error::Invalid { field: Some(field), code, message } => Self::field(field, code, message),
            Error::Invalid { field: None, code, message } => Self::new(StatusCode::BAD_REQUEST, code, message),
            Error::Unknown { code, message } => Self::new(StatusCode::NOT_FOUND, code, message),
            Error::Conflict { code, message } => Self::new(StatusCode::CONFLICT, code, message),
            Error::PreviewOutdated(preview) => {
                let sentence = "The change would now cost another amount than previewed: look at the new preview";
                Self::new(StatusCode::CONFLICT, "preview_outdated", sentence).with("preview", json!(preview))
            }
            Error::Unavailable { code, message } => Self::later(code, message),
            Error::Provider(error) => of_provider(error.kind).caused(chain(&error)),
            Error::Store(tollkeeper::StoreFailure::Overloaded) => Self::later("overloaded", "Too much happens at once"),
            Error::Store(error) if error.is_unavailable() => {
                Self::later("database_unavailable", "The database is not available right now").caused(chain(&error))
            }
            Error::Contended(_) => {
                Self::later("contended", "Too much is happening to this organization at once").caused(chain(&error))
            }
            Error::UnknownOrganization(_) => {
                Self::new(StatusCode::NOT_FOUND, "unknown_organization", "This organization is not known here")
            }
            Error::Reduce(error) => {
                Self::new(StatusCode::CONFLICT, "foreign_subscription", "The subscription belongs to somebody else")
                    .caused(chain(&error))
            }
            other => Self::internal(chain(&other)),
        }
    }
}

/// What a provider's failure is to our caller. The provider's own words are for developers of ours.
fn of_provider(kind: ErrorKind) -> Problem {
    match kind {
        ErrorKind::Throttled(wait) => {
            Problem::later("provider_throttled", "The billing provider asks us to wait").after(wait)
        }
        ErrorKind::Transient | ErrorKind::OutcomeUnknown => {
            Problem::later("provider_unavailable", "The billing provider does not answer right now")
        }
        ErrorKind::Declined => {
            Problem::new(StatusCode::PAYMENT_REQUIRED, "payment_declined", "The payment was declined")
        }
        ErrorKind::Conflict => {
            Problem::new(StatusCode::CONFLICT, "state_forbids", "The state at the billing provider forbids this")
        }
        ErrorKind::Rejected | ErrorKind::NotFound => {
            Problem::new(StatusCode::BAD_GATEWAY, "provider_rejected", "The billing provider refused this request")
        }
    }
}

/// An error and everything that caused it, in one line.
fn chain(error: &dyn StdError) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let _ = write!(text, ": {cause}");
        next = cause.source();
    }
    text
}

impl IntoResponse for Problem {
    /// An answer whose document is still to be written, by [`finish`].
    fn into_response(self) -> Response {
        let mut response = self.0.status.into_response();
        let headers = response.headers_mut();
        if let Some(wait) = self.0.retry_after {
            let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds.max(1)));
        }
        // Deliveries are proven in other ways.
        if self.0.status == StatusCode::UNAUTHORIZED && self.0.code != "unverified" {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response.extensions_mut().insert(self);
        response
    }
}

/// Writes the document of a failed answer, or the page that says the same to a person, and logs what happened inside;
/// leaves every other answer alone.
pub(crate) fn finish(response: Response, shown: &Shown<'_>, request_id: &str, route: &str) -> Response {
    let (mut parts, body) = response.into_parts();
    if let Some(Told(problem)) = parts.extensions.remove() {
        problem.log(request_id, route);
    }
    let problem = match (parts.extensions.remove::<Problem>(), parts.status) {
        (Some(problem), _) => problem,
        // Answers of the router itself.
        (None, StatusCode::NOT_FOUND) => Problem::new(StatusCode::NOT_FOUND, "not_found", "There is nothing here"),
        (None, StatusCode::METHOD_NOT_ALLOWED) => {
            Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", "This method is not possible here")
        }
        (None, _) => return Response::from_parts(parts, body),
    };
    problem.log(request_id, route);
    let document = match shown.page_of {
        None => {
            parts.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
            problem.document(request_id)
        }
        Some((path, again)) => {
            parts.headers.extend(pages::headers());
            parts.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
            let Inner { status, code, .. } = &*problem.0;
            let sentence = problem.sentence();
            let page = ProblemPage::of(*status, code, &sentence, path, again, request_id).render();
            page.unwrap_or(sentence).into_bytes()
        }
    };
    parts.headers.insert(header::CONTENT_LENGTH, HeaderValue::from(document.len()));
    let body = if *shown.method == Method::HEAD { Body::empty() } else { Body::from(document) };
    Response::from_parts(parts, body)
}
