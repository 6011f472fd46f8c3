//! An HTTP answer before it is one.

use serde_json::Value;

use crate::stripe::account::refusal::Refusal;

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

    pub(crate) fn refused(refusal: &Refusal) -> Self {
        Self { status: refusal.status, body: refusal.body().to_string(), replayed: false }
    }
}
