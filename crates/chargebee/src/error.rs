//! What a failed call means.
//!
//! Source: Chargebee API docs, "Error handling", and the exception codes of the official Java client.

use std::time::Duration;

use http::StatusCode;
use tollkeeper_core::ports::{ErrorKind, ProviderError};

use crate::{NAME, checkout, wire};

/// How long to wait after a 429 that does not say: the site's limit counts the last 60 seconds.
const DEFAULT_RETRY_AFTER: Duration = Duration::from_secs(60);

/// A longer `Retry-After` is taken for this: nobody's limit lasts longer, and nothing shall wait for years.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(60 * 60);

/// Our code for a site that has no gateway for this customer and currency.
const NO_GATEWAY: &str = "no_applicable_gateway";

/// A call, as far as its failure is concerned.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Attempt {
    /// What was being done (`create customer`).
    pub(crate) operation: &'static str,
    /// Whether it may have changed something at the provider.
    pub(crate) writes: bool,
}

impl Attempt {
    /// A failure of this call in our own words.
    pub(crate) fn error(self, kind: ErrorKind, message: impl Into<String>) -> ProviderError {
        ProviderError {
            kind,
            source_name: NAME.into(),
            operation: self.operation,
            code: None,
            message: message.into(),
            request_id: None,
            cause: None,
        }
    }

    /// What to make of an answer that never came whole, or that nobody can read: after a POST, nobody knows.
    pub(crate) fn unclear(self) -> ErrorKind {
        if self.writes { ErrorKind::OutcomeUnknown } else { ErrorKind::Transient }
    }

    /// The call did not get its answer.
    pub(crate) fn transport(self, error: reqwest::Error) -> ProviderError {
        let (kind, message) = if error.is_builder() {
            (ErrorKind::Rejected, "the request could not be built")
        } else if error.is_connect() {
            (ErrorKind::Transient, "no connection")
        } else if error.is_timeout() {
            (self.unclear(), "no answer in time")
        } else {
            (self.unclear(), "the connection was lost before the answer came")
        };
        // The address may name a customer, and is known from the operation.
        ProviderError { cause: Some(Box::new(error.without_url())), ..self.error(kind, message) }
    }

    /// The answer was a failure.
    pub(crate) fn refused(
        self,
        status: StatusCode,
        retry_after: Option<&str>,
        request_id: Option<String>,
        body: &[u8],
    ) -> ProviderError {
        let said = serde_json::from_slice::<wire::Refusal>(body).ok();
        let kind = self.kind(status, retry_after, said.as_ref());
        let mut error = match said {
            Some(said) => {
                let message = said.message.as_deref().or(said.error_msg.as_deref()).unwrap_or_default();
                let code =
                    if self.lacks_gateway(&said) { Some(NO_GATEWAY.to_owned()) } else { said.code().map(limited) };
                ProviderError { code, ..self.error(kind, presentable(message)) }
            }
            None => self.error(kind, "the answer was not Chargebee's own"),
        };
        if error.message.is_empty() {
            "no message was given".clone_into(&mut error.message);
        }
        error.message = format!("{} (HTTP {})", error.message, status.as_u16());
        error.request_id = request_id;
        error
    }

    fn kind(self, status: StatusCode, retry_after: Option<&str>, said: Option<&wire::Refusal>) -> ErrorKind {
        let code = said.and_then(wire::Refusal::code);
        let is_payment = said.is_some_and(|said| said.kind.as_deref() == Some("payment"));
        match status.as_u16() {
            429 => ErrorKind::Throttled(
                retry_after
                    .and_then(|seconds| seconds.trim().parse().ok())
                    .map_or(DEFAULT_RETRY_AFTER, Duration::from_secs)
                    .min(MAX_RETRY_AFTER),
            ),
            // Chargebee's own 503 (`site_not_ready`, `internal_temporary_error`, …) asks for a repeat: nothing was done.
            // Whatever stands before it may say 503 in the middle of the work.
            503 if code.is_some() => ErrorKind::Transient,
            500..=599 => self.unclear(),
            // A failed payment is a 400 with this type, not a 402.
            400..=499 if is_payment => ErrorKind::Declined,
            // Only Chargebee itself can say that something is not there: a gateway's 404, or one that means the whole
            // site, must not read as "this subscription does not exist".
            404 if code.is_none() => ErrorKind::Transient,
            404 if code != Some("site_not_found") => ErrorKind::NotFound,
            409 => ErrorKind::Conflict,
            400..=499 if code == Some("duplicate_entry") => ErrorKind::Conflict,
            // `invalid_state_for_request` comes with 409; its older relatives (`invalid_state_for_pause`) need not.
            400..=499 if code.is_some_and(|code| code.starts_with("invalid_state_for_")) => ErrorKind::Conflict,
            _ => ErrorKind::Rejected,
        }
    }

    /// Whether the site has no gateway that can charge.
    ///
    /// Chargebee says so in three ways: with this code, with `configuration_incompatible` on a checkout, and with
    /// `invalid_request` and a sentence. Source: the reference application's `lib/billing/gateway-routing.ts`.
    fn lacks_gateway(self, said: &wire::Refusal) -> bool {
        let in_words = said.message.as_deref().is_some_and(|message| {
            let message = message.to_ascii_lowercase();
            message.contains("no applicable gateway") || message.contains("no_applicable_gateway")
        });
        in_words
            || said.code() == Some(NO_GATEWAY)
            || said.error_code.as_deref() == Some(NO_GATEWAY)
            || (said.code() == Some("configuration_incompatible")
                && matches!(self.operation, checkout::START | checkout::HOSTED_CHANGE))
    }
}

/// A code of sensible length.
fn limited(code: &str) -> String {
    code.chars().take(100).collect()
}

/// The provider's words, cut to a line and without addresses of people.
fn presentable(message: &str) -> String {
    let words = message.split_whitespace().map(|word| if word.contains('@') { "[address]" } else { word });
    let line: String = words.collect::<Vec<_>>().join(" ");
    line.chars().take(500).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const READ: Attempt = Attempt { operation: "read subscription", writes: false };
    const WRITE: Attempt = Attempt { operation: "cancel subscription", writes: true };

    fn refused(attempt: Attempt, status: u16, body: &str) -> ProviderError {
        attempt.refused(StatusCode::from_u16(status).unwrap(), None, None, body.as_bytes())
    }

    #[test]
    fn a_status_without_a_readable_body_still_has_a_meaning() {
        for (status, read, write) in [
            (400, ErrorKind::Rejected, ErrorKind::Rejected),
            (404, ErrorKind::Transient, ErrorKind::Transient),
            (409, ErrorKind::Conflict, ErrorKind::Conflict),
            (429, ErrorKind::Throttled(DEFAULT_RETRY_AFTER), ErrorKind::Throttled(DEFAULT_RETRY_AFTER)),
            (500, ErrorKind::Transient, ErrorKind::OutcomeUnknown),
            (502, ErrorKind::Transient, ErrorKind::OutcomeUnknown),
            (503, ErrorKind::Transient, ErrorKind::OutcomeUnknown),
            (504, ErrorKind::Transient, ErrorKind::OutcomeUnknown),
            (302, ErrorKind::Rejected, ErrorKind::Rejected),
        ] {
            for body in ["", "<html>sorry</html>", "[]", "5"] {
                assert_eq!(refused(READ, status, body).kind, read, "{status} {body}");
                assert_eq!(refused(WRITE, status, body).kind, write, "{status} {body}");
            }
        }
    }

    #[test]
    fn only_chargebee_itself_can_say_that_nothing_was_done() {
        let own = r#"{"message":"try again","api_error_code":"internal_temporary_error"}"#;
        assert_eq!(refused(WRITE, 503, own).kind, ErrorKind::Transient);
        assert_eq!(refused(WRITE, 500, own).kind, ErrorKind::OutcomeUnknown);
    }

    #[test]
    fn a_state_that_forbids_it_is_a_conflict_whatever_the_status() {
        let pause = r#"{"message":"m","api_error_code":"invalid_state_for_pause","type":"invalid_request"}"#;
        assert_eq!(refused(WRITE, 400, pause).kind, ErrorKind::Conflict);
    }

    #[test]
    fn a_site_that_is_not_there_is_not_a_subscription_that_is_not_there() {
        let error = refused(READ, 404, r#"{"message":"no such site","api_error_code":"site_not_found"}"#);
        assert_eq!((error.kind, error.code.as_deref()), (ErrorKind::Rejected, Some("site_not_found")));
    }

    #[test]
    fn a_missing_gateway_has_one_code_however_it_is_said() {
        let start = Attempt { operation: crate::checkout::START, writes: true };
        for (attempt, body) in [
            (start, r#"{"message":"m","api_error_code":"configuration_incompatible"}"#),
            (WRITE, r#"{"message":"m","api_error_code":"no_applicable_gateway"}"#),
            (WRITE, r#"{"message":"There are No applicable gateways here","api_error_code":"invalid_request"}"#),
        ] {
            let error = refused(attempt, 400, body);
            assert_eq!((error.kind, error.code.as_deref()), (ErrorKind::Rejected, Some(NO_GATEWAY)), "{body}");
        }
        let other = refused(WRITE, 400, r#"{"message":"m","api_error_code":"configuration_incompatible"}"#);
        assert_eq!(other.code.as_deref(), Some("configuration_incompatible"));
    }

    #[test]
    fn a_message_names_no_person() {
        let error = refused(READ, 400, r#"{"message":"ada@acme.test is  taken","api_error_code":"invalid_request"}"#);
        assert_eq!(error.message, "[address] is taken (HTTP 400)");
    }

    #[test]
    fn the_wait_after_a_429_is_the_one_that_was_asked_for() {
        let wait = |header| READ.refused(StatusCode::TOO_MANY_REQUESTS, header, None, b"{}").kind;
        assert_eq!(wait(Some("7")), ErrorKind::Throttled(Duration::from_secs(7)));
        assert_eq!(wait(Some("18446744073709551615")), ErrorKind::Throttled(MAX_RETRY_AFTER));
        assert_eq!(wait(Some("Wed, 21 Oct 2026 07:28:00 GMT")), ErrorKind::Throttled(DEFAULT_RETRY_AFTER));
    }
}
