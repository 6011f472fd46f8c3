//! What Stripe answers when it does not do what was asked.
//!
//! Source: Stripe API reference, "Errors"; the codes are those of the official client.

use serde_json::{Map, Value};

/// An error answer: an HTTP status and the members of `error`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) status: u16,
    /// `type`
    pub(crate) kind: &'static str,
    pub(crate) code: Option<&'static str>,
    pub(crate) decline_code: Option<&'static str>,
    pub(crate) message: String,
    pub(crate) param: Option<String>,
    /// The id of the intent that failed. The HTTP layer renders it.
    pub(crate) payment_intent: Option<String>,
    pub(crate) setup_intent: Option<String>,
}

const INVALID: &str = "invalid_request_error";

impl Refusal {
    fn new(status: u16, kind: &'static str, code: Option<&'static str>, message: impl Into<String>) -> Self {
        Self {
            status,
            kind,
            code,
            decline_code: None,
            message: message.into(),
            param: None,
            payment_intent: None,
            setup_intent: None,
        }
    }

    pub(crate) fn about(mut self, param: impl Into<String>) -> Self {
        self.param = Some(param.into());
        self
    }

    pub(crate) fn with_payment_intent(mut self, id: Option<String>) -> Self {
        self.payment_intent = id;
        self
    }

    /// A 400 without a code.
    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::new(400, INVALID, None, message)
    }

    /// A 400 with a code.
    pub(crate) fn coded(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(400, INVALID, Some(code), message)
    }

    /// A path names something that is not there: 404.
    pub(crate) fn no_such(what: &str, id: &str) -> Self {
        Self::new(404, INVALID, Some("resource_missing"), format!("No such {what}: '{id}'")).about("id")
    }

    /// A parameter names something that is not there: 400.
    pub(crate) fn missing_reference(what: &str, id: &str, param: impl Into<String>) -> Self {
        Self::coded("resource_missing", format!("No such {what}: '{id}'")).about(param)
    }

    pub(crate) fn parameter_missing(param: &str) -> Self {
        Self::coded("parameter_missing", format!("Missing required param: {param}.")).about(param)
    }

    pub(crate) fn parameter_unknown(param: &str) -> Self {
        Self::coded("parameter_unknown", format!("Received unknown parameter: {param}")).about(param)
    }

    pub(crate) fn parameters_exclusive(one: &str, other: &str) -> Self {
        let message = format!("You may only specify one of these parameters: {one}, {other}.");
        Self::coded("parameters_exclusive", message).about(one)
    }

    pub(crate) fn wrong_value(param: impl Into<String>, message: impl Into<String>) -> Self {
        Self::invalid(message).about(param)
    }

    pub(crate) fn already_exists(message: impl Into<String>) -> Self {
        Self::coded("resource_already_exists", message)
    }

    /// The customer has nothing to pay with.
    pub(crate) fn no_payment_method() -> Self {
        Self::coded(
            "resource_missing",
            "This customer has no attached payment source or default payment method. Please consider adding a \
             default payment method.",
        )
    }

    pub(crate) fn invoice_not_editable() -> Self {
        Self::coded("invoice_not_editable", "This invoice is no longer editable.")
    }

    /// There is no next invoice to preview.
    pub(crate) fn no_upcoming_invoice() -> Self {
        Self::new(404, INVALID, Some("invoice_upcoming_none"), "No upcoming invoices for customer")
    }

    /// A card or the customer's bank refused: 402.
    pub(crate) fn card(code: &'static str, decline_code: Option<&'static str>, message: &str) -> Self {
        let mut refusal = Self::new(402, "card_error", Some(code), message);
        refusal.decline_code = decline_code;
        refusal
    }

    /// An invoice was not paid because the customer is asked first: 402.
    pub(crate) fn requires_action() -> Self {
        Self::new(
            402,
            INVALID,
            Some("invoice_payment_intent_requires_action"),
            "This payment requires additional user action before it can be completed successfully.",
        )
    }

    pub(crate) fn is_about_payment(&self) -> bool {
        self.status == 402
    }

    /// The body. `payment_intent` and the like are ids here; the HTTP layer puts the objects in.
    pub(crate) fn body(&self) -> Value {
        let mut error = Map::new();
        error.insert("type".into(), self.kind.into());
        let optional = [
            ("code", self.code),
            ("decline_code", self.decline_code),
            ("param", self.param.as_deref()),
            ("payment_intent", self.payment_intent.as_deref()),
            ("setup_intent", self.setup_intent.as_deref()),
        ];
        for (name, value) in optional {
            if let Some(value) = value {
                error.insert(name.into(), value.into());
            }
        }
        error.insert("message".into(), self.message.as_str().into());
        if let Some(code) = self.code {
            let page = code.replace('_', "-");
            error.insert("doc_url".into(), format!("https://stripe.com/docs/error-codes/{page}").into());
        }
        Value::Object(Map::from_iter([("error".to_owned(), Value::Object(error))]))
    }
}
