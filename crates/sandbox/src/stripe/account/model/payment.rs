//! Payments, and payment methods being set up.
//!
//! Source: Stripe API reference, "Payment intents" and "Setup intents".

use super::{Metadata, words};

words! {
    IntentStatus {
        RequiresPaymentMethod = "requires_payment_method",
        RequiresConfirmation = "requires_confirmation",
        RequiresAction = "requires_action",
        Processing = "processing",
        Succeeded = "succeeded",
        Canceled = "canceled",
    }
}

/// Why a payment failed: `last_payment_error` and `last_setup_error`, of type `card_error`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PaymentError {
    pub(crate) code: &'static str,
    pub(crate) decline_code: Option<&'static str>,
    pub(crate) message: &'static str,
    /// The id of the method that failed.
    pub(crate) payment_method: Option<String>,
}

#[derive(Debug, Clone)]
pub(crate) struct PaymentIntent {
    pub(crate) id: String,
    /// `{id}_secret_…`
    pub(crate) client_secret: String,
    pub(crate) customer: Option<String>,
    pub(crate) amount: i64,
    pub(crate) amount_received: i64,
    pub(crate) currency: String,
    pub(crate) status: IntentStatus,
    pub(crate) payment_method: Option<String>,
    pub(crate) last_payment_error: Option<PaymentError>,
    /// `setup_future_usage` is `off_session`.
    pub(crate) saves_method: bool,
    /// The id of the invoice it pays. Not a member of its JSON since basil.
    pub(crate) invoice: Option<String>,
    /// When a bank has decided, while the status is `processing`.
    pub(crate) settles_at: Option<i64>,
    pub(crate) description: Option<String>,
    pub(crate) metadata: Metadata,
    pub(crate) created: i64,
    pub(crate) canceled_at: Option<i64>,
    /// `void_invoice`, `requested_by_customer`, …
    pub(crate) cancellation_reason: Option<String>,
}

#[derive(Debug, Clone)]
pub(crate) struct SetupIntent {
    pub(crate) id: String,
    /// `{id}_secret_…`
    pub(crate) client_secret: String,
    pub(crate) customer: Option<String>,
    pub(crate) status: IntentStatus,
    pub(crate) payment_method: Option<String>,
    pub(crate) last_setup_error: Option<PaymentError>,
    pub(crate) description: Option<String>,
    pub(crate) metadata: Metadata,
    pub(crate) created: i64,
    pub(crate) cancellation_reason: Option<String>,
}
