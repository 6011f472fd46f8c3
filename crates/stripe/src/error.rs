//! What a failed call means.
//!
//! Source: Stripe API reference, "Errors" and "Idempotent requests"; the official Node client's `Error.js` and
//! `RequestSender.js`, 23.1.0.

use std::time::Duration;

use http::StatusCode;
use tollkeeper_core::ports::{ErrorKind, ProviderError};

use crate::{NAME, wire};

/// How long to wait after a 429 that does not say: the limits count requests of one second, and a lock is held for less.
const DEFAULT_RETRY_AFTER: Duration = Duration::from_secs(2);

/// A longer `Retry-After` is taken for this: nobody's limit lasts longer, and nothing shall wait for years.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(60 * 60);

/// Our code for a currency in which this price is not sold, or this customer cannot buy.
const CURRENCY: &str = "currency_mismatch";

/// Our code for an account that cannot charge anybody.
const NO_GATEWAY: &str = "no_applicable_gateway";

/// A call, as far as its failure is concerned.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Attempt {
    /// What was being done (`create customer`).
    pub(crate) operation: &'static str,
    /// Whether it may have changed something at the provider.
    pub(crate) writes: bool,
}

/// An answer that is a failure.
#[derive(Debug, Default)]
pub(crate) struct Refusal<'a> {
    pub(crate) status: StatusCode,
    /// `Retry-After`.
    pub(crate) retry_after: Option<&'a str>,
    /// `Stripe-Should-Retry`.
    pub(crate) should_retry: Option<&'a str>,
    pub(crate) request_id: Option<String>,
    pub(crate) body: &'a [u8],
}

impl Attempt {
    pub(crate) const fn read(operation: &'static str) -> Self {
        Self { operation, writes: false }
    }

    pub(crate) const fn write(operation: &'static str) -> Self {
        Self { operation, writes: true }
    }

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
    pub(crate) fn refused(self, refusal: Refusal<'_>) -> ProviderError {
        let said = serde_json::from_slice::<wire::Failure>(refusal.body).ok().map(|failure| failure.error);
        let kind = self.kind(&refusal, said.as_ref());
        let mut error = match said {
            Some(said) => {
                let code = if cannot_charge(&said) {
                    Some(NO_GATEWAY.to_owned())
                } else if is_about_currency(&said) {
                    Some(CURRENCY.to_owned())
                } else {
                    said.code.map(limited)
                };
                ProviderError { code, ..self.error(kind, presentable(said.message.as_deref().unwrap_or_default())) }
            }
            None => self.error(kind, "the answer was not Stripe's own"),
        };
        if error.message.is_empty() {
            "no message was given".clone_into(&mut error.message);
        }
        error.message = format!("{} (HTTP {})", error.message, refusal.status.as_u16());
        error.request_id = refusal.request_id;
        error
    }

    /// What a failure means, with Stripe's own advice taken: `Stripe-Should-Retry` speaks of the very same request. What
    /// may be repeated was not done; what may not be is no use to repeat. It does not change a 429, which means "later",
    /// nor what nobody knows: whoever looks first asks under another key.
    fn kind(self, refusal: &Refusal<'_>, said: Option<&wire::Refused>) -> ErrorKind {
        let kind = self.kind_alone(refusal, said);
        match (refusal.should_retry, kind) {
            (Some("true"), ErrorKind::Rejected | ErrorKind::Conflict) => ErrorKind::Transient,
            (Some("false"), ErrorKind::Transient) => ErrorKind::Rejected,
            _ => kind,
        }
    }

    fn kind_alone(self, refusal: &Refusal<'_>, said: Option<&wire::Refused>) -> ErrorKind {
        let code = said.and_then(|said| said.code.as_deref());
        let word = said.and_then(|said| said.kind.as_deref());
        match refusal.status.as_u16() {
            429 => ErrorKind::Throttled(wait(refusal.retry_after)),
            400 if code == Some("rate_limit") => ErrorKind::Throttled(wait(refusal.retry_after)),
            500..=599 => self.unclear(),
            402 => ErrorKind::Declined,
            400..=499 if word == Some("card_error") => ErrorKind::Declined,
            // The key was used for something else: what it was used for is there, perhaps under an older name.
            400..=499 if word == Some("idempotency_error") && code != Some("idempotency_key_in_use") => {
                ErrorKind::Conflict
            }
            // Our own first try is still at work: asking under another key now would do it twice.
            409 if code == Some("idempotency_key_in_use") => ErrorKind::Throttled(wait(refusal.retry_after)),
            409 => ErrorKind::Conflict,
            400 if code == Some("resource_already_exists") => ErrorKind::Conflict,
            // Only Stripe itself can say that something is not there: a proxy's 404 must not read as "this subscription
            // does not exist", and Stripe's own 404 for an unknown address has no code.
            404 if code == Some("resource_missing") => ErrorKind::NotFound,
            404 if said.is_none() => ErrorKind::Transient,
            // Something that Stripe itself depends on did not answer.
            424 => self.unclear(),
            _ => ErrorKind::Rejected,
        }
    }
}

fn wait(retry_after: Option<&str>) -> Duration {
    retry_after
        .and_then(|seconds| seconds.trim().parse().ok())
        .map_or(DEFAULT_RETRY_AFTER, Duration::from_secs)
        .min(MAX_RETRY_AFTER)
}

/// Whether the account is not activated for charges. Source: the error codes of the official client.
fn cannot_charge(said: &wire::Refused) -> bool {
    said.code.as_deref() == Some("testmode_charges_only")
}

/// Whether a currency was refused. Reported by users: these two refusals carry no code, so that only their words tell.
fn is_about_currency(said: &wire::Refused) -> bool {
    let words = said.message.as_deref().unwrap_or_default();
    ["cannot combine currencies", "match the expected currency"].iter().any(|part| words.contains(part))
}

/// A code of sensible length.
fn limited(code: String) -> String {
    code.chars().take(100).collect()
}

/// The provider's words, cut to a line, without addresses of people and without keys.
fn presentable(message: &str) -> String {
    let words = message.split_whitespace().map(|word| {
        if word.contains('@') {
            "[address]"
        } else if ["sk_", "rk_", "whsec_"].iter().any(|prefix| word.contains(prefix)) {
            "[key]"
        } else {
            word
        }
    });
    let line: String = words.collect::<Vec<_>>().join(" ");
    line.chars().take(500).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const READ: Attempt = Attempt::read("read subscription");
    const WRITE: Attempt = Attempt::write("cancel subscription");

    fn refused(attempt: Attempt, status: u16, body: &str) -> ProviderError {
        let status = StatusCode::from_u16(status).unwrap();
        attempt.refused(Refusal { status, body: body.as_bytes(), ..Refusal::default() })
    }

    fn body(kind: &str, code: &str) -> String {
        format!(r#"{{"error":{{"type":"{kind}","code":"{code}","message":"m"}}}}"#)
    }

    #[test]
    fn a_status_without_a_readable_body_still_has_a_meaning() {
        for (status, read, write) in [
            (400, ErrorKind::Rejected, ErrorKind::Rejected),
            (402, ErrorKind::Declined, ErrorKind::Declined),
            (404, ErrorKind::Transient, ErrorKind::Transient),
            (409, ErrorKind::Conflict, ErrorKind::Conflict),
            (424, ErrorKind::Transient, ErrorKind::OutcomeUnknown),
            (429, ErrorKind::Throttled(DEFAULT_RETRY_AFTER), ErrorKind::Throttled(DEFAULT_RETRY_AFTER)),
            (500, ErrorKind::Transient, ErrorKind::OutcomeUnknown),
            (503, ErrorKind::Transient, ErrorKind::OutcomeUnknown),
            (302, ErrorKind::Rejected, ErrorKind::Rejected),
        ] {
            for body in ["", "<html>sorry</html>", "[]", "5", r#"{"error":5}"#] {
                assert_eq!(refused(READ, status, body).kind, read, "{status} {body}");
                assert_eq!(refused(WRITE, status, body).kind, write, "{status} {body}");
            }
        }
    }

    #[test]
    fn codes_decide_where_the_status_does_not() {
        let wait = ErrorKind::Throttled(DEFAULT_RETRY_AFTER);
        for (status, word, code, kind) in [
            (404, "invalid_request_error", "resource_missing", ErrorKind::NotFound),
            (400, "invalid_request_error", "resource_missing", ErrorKind::Rejected),
            (404, "invalid_request_error", "", ErrorKind::Rejected),
            (400, "invalid_request_error", "rate_limit", wait),
            (429, "invalid_request_error", "lock_timeout", wait),
            (402, "card_error", "card_declined", ErrorKind::Declined),
            (400, "card_error", "expired_card", ErrorKind::Declined),
            (409, "idempotency_error", "idempotency_key_in_use", wait),
            (400, "idempotency_error", "", ErrorKind::Conflict),
            (400, "invalid_request_error", "resource_already_exists", ErrorKind::Conflict),
            (401, "invalid_request_error", "api_key_expired", ErrorKind::Rejected),
            (403, "invalid_request_error", "", ErrorKind::Rejected),
            (500, "api_error", "", ErrorKind::OutcomeUnknown),
        ] {
            assert_eq!(refused(WRITE, status, &body(word, code)).kind, kind, "{status} {word} {code}");
        }
    }

    #[test]
    fn stripes_own_advice_is_taken_where_it_tells_something_new() {
        let kind = |attempt: Attempt, status: u16, advice| {
            let status = StatusCode::from_u16(status).unwrap();
            attempt.refused(Refusal { status, should_retry: Some(advice), ..Refusal::default() }).kind
        };
        assert_eq!(kind(WRITE, 400, "true"), ErrorKind::Transient);
        assert_eq!(kind(WRITE, 409, "true"), ErrorKind::Transient);
        assert_eq!(kind(READ, 500, "false"), ErrorKind::Rejected);
        assert_eq!(kind(WRITE, 500, "false"), ErrorKind::OutcomeUnknown);
        assert_eq!(kind(READ, 429, "false"), ErrorKind::Throttled(DEFAULT_RETRY_AFTER));
        assert_eq!(kind(WRITE, 402, "true"), ErrorKind::Declined);
        assert_eq!(kind(READ, 500, "perhaps"), ErrorKind::Transient);
    }

    #[test]
    fn an_account_that_cannot_charge_has_our_code() {
        let error = refused(WRITE, 400, &body("invalid_request_error", "testmode_charges_only"));
        assert_eq!((error.kind, error.code.as_deref()), (ErrorKind::Rejected, Some(NO_GATEWAY)));
    }

    #[test]
    fn a_message_names_no_person_and_no_key() {
        let said = r#"{"error":{"message":"ada@acme.test and  'sk_test_123' are known","code":null}}"#;
        assert_eq!(refused(READ, 400, said).message, "[address] and [key] are known (HTTP 400)");
    }

    #[test]
    fn the_wait_after_a_429_is_the_one_that_was_asked_for() {
        let wait = |retry_after| {
            READ.refused(Refusal { status: StatusCode::TOO_MANY_REQUESTS, retry_after, ..Refusal::default() }).kind
        };
        assert_eq!(wait(Some("7")), ErrorKind::Throttled(Duration::from_secs(7)));
        assert_eq!(wait(Some("18446744073709551615")), ErrorKind::Throttled(MAX_RETRY_AFTER));
        assert_eq!(wait(Some("Wed, 21 Oct 2026 07:28:00 GMT")), ErrorKind::Throttled(DEFAULT_RETRY_AFTER));
    }
}
