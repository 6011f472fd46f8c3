//! What the HTTP layer itself refuses. The rules refuse with the same type.
//!
//! Source: Stripe API reference, "Errors", "Idempotent requests"; Stripe docs, "Rate limits"; the codes, which are
//! what clients read, are those of the official client. The texts are close to the provider's.

use crate::stripe::account::refusal::Refusal;

fn refusal(status: u16, kind: &'static str, code: Option<&'static str>, message: String) -> Refusal {
    Refusal { status, kind, code, ..Refusal::invalid(message) }
}

/// An error that is nobody's fault, and one about the request.
const API_ERROR: &str = "api_error";
const INVALID: &str = "invalid_request_error";

pub(crate) fn no_key() -> Refusal {
    let message = "You did not provide an API key. You need to provide your API key in the Authorization header, \
                   using Bearer auth (e.g. 'Authorization: Bearer YOUR_SECRET_KEY').";
    refusal(401, INVALID, None, message.into())
}

/// The key is shown as the provider shows it: its beginning and its end.
pub(crate) fn wrong_key(key: &str) -> Refusal {
    let letters: Vec<char> = key.chars().collect();
    let shown = |letters: &[char]| letters.iter().collect::<String>();
    let (start, end) = if letters.len() > 16 { (8, letters.len() - 4) } else { (0, letters.len()) };
    let masked = format!("{}{}{}", shown(&letters[..start]), "*".repeat(end - start), shown(&letters[end..]));
    refusal(401, INVALID, None, format!("Invalid API Key provided: {masked}"))
}

pub(crate) fn unknown_version(version: &str) -> Refusal {
    let message = format!(
        "Invalid Stripe API version: {version}. This sandbox serves 2024-04-10 and 2026-10-28.endive and no other."
    );
    refusal(400, INVALID, None, message)
}

pub(crate) fn no_such_route(method: &str, path: &str) -> Refusal {
    let message = format!(
        "Unrecognized request URL ({method}: {path}). Please see https://stripe.com/docs or we can help at \
         https://support.stripe.com/."
    );
    refusal(404, INVALID, None, message)
}

pub(crate) fn rate_limited() -> Refusal {
    let message = "Request rate limit exceeded. Learn more about rate limits here: \
                   https://docs.stripe.com/rate-limits.";
    refusal(429, INVALID, Some("rate_limit"), message.into())
}

pub(crate) fn failed() -> Refusal {
    let message = "An unknown error occurred. The sandbox was told to fail.";
    refusal(500, API_ERROR, None, message.into())
}

pub(crate) fn long_key(most: usize) -> Refusal {
    refusal(400, "idempotency_error", None, format!("Idempotency keys have at most {most} characters."))
}

pub(crate) fn other_parameters(key: &str) -> Refusal {
    let message = format!(
        "Keys for idempotent requests can only be used with the same parameters they were first used with. Try using \
         a key other than '{key}' if you meant to execute a different request."
    );
    refusal(400, "idempotency_error", None, message)
}

pub(crate) fn unknown(param: &str) -> Refusal {
    Refusal::parameter_unknown(param)
}

pub(crate) fn missing(param: &str) -> Refusal {
    Refusal::parameter_missing(param)
}

pub(crate) fn empty(param: &str) -> Refusal {
    let message = format!(
        "You passed an empty string for '{param}'. We assume empty values are an attempt to unset a parameter; \
         however '{param}' cannot be unset. You should remove '{param}' from your request or supply a non-empty value."
    );
    Refusal::coded("parameter_invalid_empty", message).about(param)
}

pub(crate) fn integer(param: &str, given: &str) -> Refusal {
    Refusal::coded("parameter_invalid_integer", format!("Invalid integer: {given}")).about(param)
}

pub(crate) fn invalid(param: &str, message: &str) -> Refusal {
    Refusal::wrong_value(param, message)
}

pub(crate) fn not_among(param: &str, words: &[&str]) -> Refusal {
    let words = words.join(", ");
    Refusal::wrong_value(param, format!("Invalid {param}: must be one of {words}"))
}

pub(crate) fn not_expandable(path: &str) -> Refusal {
    let message = format!("This property cannot be expanded ({path}).");
    Refusal::wrong_value("expand", message)
}
