//! Errors of the control API: `{error, code}`.

use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::chargebee::refusal::Refusal;
use crate::chargebee::site::checkout::NotFinished;
use crate::router::json_response;
use crate::scalekit::directory::Refused;
use crate::stripe::account::checkout::NotFinished as NotCompleted;
use crate::stripe::account::refusal::Refusal as StripeRefusal;

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

    /// The state of something does not allow it.
    pub(crate) fn conflict(error: impl Into<String>) -> Self {
        Self { status: 409, code: "invalid_state_for_request", error: error.into() }
    }

    pub(crate) fn not_found(error: impl Into<String>) -> Self {
        Self { status: 404, code: "not_found", error: error.into() }
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.error)
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

impl From<StripeRefusal> for Failure {
    fn from(refusal: StripeRefusal) -> Self {
        let code = refusal.code.unwrap_or("invalid_request");
        // A rule that says no without naming a parameter is about the state of what it was asked of.
        let forbids = refusal.status == 400 && refusal.param.is_none();
        Self { status: if forbids { 409 } else { refusal.status }, code, error: refusal.message }
    }
}

impl Failure {
    /// Somebody has to answer for the customer.
    fn asked() -> Self {
        let error = "the bank asks the customer: send a challenge, `pass` or `fail`".into();
        Self { status: 402, code: "authentication_required", error }
    }
}

impl From<NotFinished> for Failure {
    fn from(reason: NotFinished) -> Self {
        match reason {
            NotFinished::Over(error) => Self { status: 409, code: "page_over", error: error.into() },
            NotFinished::Challenge => Self::asked(),
            NotFinished::Declined(error) => Self { status: 402, code: "card_declined", error },
            NotFinished::Refused(refusal) => refusal.into(),
        }
    }
}

impl From<NotCompleted> for Failure {
    fn from(reason: NotCompleted) -> Self {
        match reason {
            NotCompleted::Over(error) => Self { status: 409, code: "page_over", error: error.into() },
            NotCompleted::Challenge => Self::asked(),
            NotCompleted::Declined(refusal) | NotCompleted::Refused(refusal) => refusal.into(),
        }
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        json_response(self.status, json!({ "error": self.error, "code": self.code }).to_string())
    }
}
