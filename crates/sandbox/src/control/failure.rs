//! Errors of the control API: `{error, code}`.

use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::chargebee::refusal::Refusal;
use crate::chargebee::site::checkout::NotFinished;
use crate::router::json_response;
use crate::scalekit::directory::Refused;

#[derive(Debug)]
pub(crate) struct Failure {
    status: u16,
    code: &'static str,
    error: String,
}

impl Failure {
    pub(crate) fn invalid(error: impl Into<String>) -> Self {
        Self { status: 400, code: "invalid_request", error: error.into() }
    }

    pub(crate) fn not_found(error: impl Into<String>) -> Self {
        Self { status: 404, code: "not_found", error: error.into() }
    }
}

impl From<Refused> for Failure {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Invalid(error) => Self::invalid(error),
            Refused::NotFound(error) => Self::not_found(error),
            Refused::Taken(error) => Self { status: 409, code: "already_exists", error },
        }
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        let status = match (refusal.status, refusal.code, refusal.kind) {
            (_, _, Some("payment")) => 402,
            (_, "duplicate_entry", _) => 409,
            (status, _, _) => status,
        };
        Self { status, code: refusal.code, error: refusal.message }
    }
}

impl From<NotFinished> for Failure {
    fn from(reason: NotFinished) -> Self {
        match reason {
            NotFinished::Over(error) => Self { status: 409, code: "page_over", error: error.into() },
            NotFinished::Declined(error) => Self { status: 402, code: "card_declined", error },
            NotFinished::Refused(refusal) => refusal.into(),
        }
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        json_response(self.status, json!({ "error": self.error, "code": self.code }).to_string())
    }
}
