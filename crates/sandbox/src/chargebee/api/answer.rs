//! An HTTP answer before it is one.

use serde_json::{Value, json};

use crate::chargebee::refusal::Refusal;

/// A status and a JSON text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: String,
    /// Whether it was answered before, for the same idempotency key.
    pub(crate) replayed: bool,
}

impl Answer {
    pub(crate) fn ok(body: &Value) -> Self {
        Self::text(body.to_string())
    }

    pub(crate) fn text(body: String) -> Self {
        Self { status: 200, body, replayed: false }
    }

    /// One resource under its name.
    pub(crate) fn resource(name: &str, resource: Value) -> Self {
        Self::ok(&json!({ name: resource }))
    }

    pub(crate) fn refused(refusal: &Refusal) -> Self {
        Self { status: refusal.status, body: refusal.body().to_string(), replayed: false }
    }
}
