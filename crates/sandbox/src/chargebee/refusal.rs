//! What Chargebee answers when it does not do what was asked.
//!
//! Source: Chargebee API docs, "Error handling"; the codes are those of the official clients.

use serde_json::{Map, Value};

/// An error answer: an HTTP status and the members of its body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) status: u16,
    /// `api_error_code`
    pub(crate) code: &'static str,
    /// `type`, absent for errors that have none
    pub(crate) kind: Option<&'static str>,
    pub(crate) message: String,
    pub(crate) param: Option<String>,
    /// `error_cause_id`, the gateway's reason
    pub(crate) cause: Option<&'static str>,
}

impl Refusal {
    fn new(status: u16, code: &'static str, kind: Option<&'static str>, message: impl Into<String>) -> Self {
        Self { status, code, kind, message: message.into(), param: None, cause: None }
    }

    fn about(mut self, param: impl Into<String>) -> Self {
        self.param = Some(param.into());
        self
    }

    pub(crate) fn authentication() -> Self {
        Self::new(401, "api_authentication_failed", None, "Sorry, authentication failed. Invalid api key")
    }

    pub(crate) fn no_such_route(path: &str) -> Self {
        Self::new(404, "resource_not_found", Some("invalid_request"), format!("Sorry, we couldn't find {path}"))
    }

    /// A path names a resource that is not there (or was deleted).
    pub(crate) fn not_found(what: &'static str, id: &str) -> Self {
        Self::new(404, "resource_not_found", Some("invalid_request"), format!("{id} not found")).about(what)
    }

    pub(crate) fn duplicate(param: &str, id: &str) -> Self {
        Self::new(400, "duplicate_entry", Some("invalid_request"), format!("The value {id} is already present."))
            .about(param)
    }

    pub(crate) fn wrong_value(param: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(400, "param_wrong_value", Some("invalid_request"), message).about(param)
    }

    pub(crate) fn invalid_request(message: impl Into<String>) -> Self {
        Self::new(400, "invalid_request", Some("invalid_request"), message)
    }

    pub(crate) fn invalid_state(message: impl Into<String>) -> Self {
        Self::new(409, "invalid_state_for_request", Some("invalid_request"), message)
    }

    pub(crate) fn no_gateway() -> Self {
        Self::new(
            400,
            "configuration_incompatible",
            Some("invalid_request"),
            "There is no applicable gateway: the given gateway account cannot be selected for this checkout.",
        )
        .about("card[gateway_account_id]")
    }

    pub(crate) fn payment(message: impl Into<String>, cause: &'static str) -> Self {
        let mut refusal = Self::new(400, "payment_processing_failed", Some("payment"), message);
        refusal.cause = Some(cause);
        refusal
    }

    pub(crate) fn no_payment_method() -> Self {
        Self::new(
            400,
            "payment_method_not_present",
            Some("payment"),
            "Cannot charge the customer, as there is no payment method.",
        )
    }

    /// The body, with the legacy members that older clients read.
    pub(crate) fn body(&self) -> Value {
        let legacy = match self.code {
            "duplicate_entry" => "param_not_unique",
            "resource_not_found" => "resource_id_not_found",
            "api_authentication_failed" => "api_authentication_invalid_key",
            other => other,
        };
        let mut body = Map::new();
        body.insert("message".into(), self.message.as_str().into());
        if let Some(kind) = self.kind {
            body.insert("type".into(), kind.into());
        }
        body.insert("api_error_code".into(), self.code.into());
        if let Some(param) = &self.param {
            body.insert("param".into(), param.as_str().into());
            body.insert("error_param".into(), param.as_str().into());
        }
        if let Some(cause) = self.cause {
            body.insert("error_cause_id".into(), cause.into());
        }
        body.insert("error_code".into(), legacy.into());
        body.insert("error_msg".into(), self.message.as_str().into());
        body.insert("http_status_code".into(), self.status.into());
        Value::Object(body)
    }
}
