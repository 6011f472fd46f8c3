//! Pages that Stripe hosts: checkout and the customer portal.
//!
//! Source: Stripe API reference, "Checkout sessions", "Portal sessions", "Portal configurations".

use serde_json::Value;

use super::{BillingMode, Metadata, MissingMethod, words};

words! {
    CheckoutMode { Payment = "payment", Setup = "setup", Subscription = "subscription" }
}

words! {
    SessionStatus { Open = "open", Complete = "complete", Expired = "expired" }
}

words! {
    /// The `payment_status`.
    SessionPayment { Paid = "paid", Unpaid = "unpaid", NoPaymentRequired = "no_payment_required" }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SessionLine {
    /// `li_…`
    pub(crate) id: String,
    /// The id of its price.
    pub(crate) price: String,
    /// `None` where the price is metered.
    pub(crate) quantity: Option<i64>,
}

/// `subscription_data`
#[derive(Debug, Clone, Default)]
pub(crate) struct SubscriptionData {
    pub(crate) metadata: Metadata,
    pub(crate) description: Option<String>,
    pub(crate) trial_end: Option<i64>,
    pub(crate) trial_period_days: Option<i64>,
    pub(crate) missing_method: Option<MissingMethod>,
    /// `None`: flexible.
    pub(crate) billing_mode: Option<BillingMode>,
    pub(crate) billing_cycle_anchor: Option<i64>,
    /// `proration_behavior` is `create_prorations` and not `none`; about a `billing_cycle_anchor`.
    pub(crate) prorates: bool,
}

#[derive(Debug, Clone)]
pub(crate) struct CheckoutSession {
    /// `cs_test_…`
    pub(crate) id: String,
    pub(crate) mode: CheckoutMode,
    pub(crate) status: SessionStatus,
    pub(crate) payment_status: SessionPayment,
    /// `hosted_page`, `embedded_page`, `elements` or `form`. Only `hosted_page` has a `url`: `{base_url}/c/pay/{id}`.
    pub(crate) ui_mode: String,
    pub(crate) customer: Option<String>,
    pub(crate) customer_email: Option<String>,
    /// In mode `payment`: `customer_creation` is `always` and not `if_required`.
    pub(crate) creates_customer: bool,
    /// `customer_update.address` and `.name` are `auto`.
    #[allow(dead_code, reason = "the pages ask for no address")]
    pub(crate) updates_address: bool,
    pub(crate) updates_name: bool,
    pub(crate) client_reference_id: Option<String>,
    pub(crate) currency: Option<String>,
    pub(crate) lines: Vec<SessionLine>,
    /// The sum of what is charged at once, in minor units; `None` in mode `setup`.
    pub(crate) amount_total: Option<i64>,
    pub(crate) success_url: Option<String>,
    pub(crate) cancel_url: Option<String>,
    pub(crate) return_url: Option<String>,
    /// `payment_method_collection` is `if_required`.
    pub(crate) needs_method_only_if_required: bool,
    pub(crate) allow_promotion_codes: Option<bool>,
    pub(crate) automatic_tax: bool,
    pub(crate) tax_id_collection: bool,
    /// `billing_address_collection`: `auto` or `required`.
    pub(crate) billing_address_collection: Option<String>,
    pub(crate) locale: Option<String>,
    pub(crate) subscription_data: SubscriptionData,
    /// `payment_intent_data.metadata`, `.description`; `.setup_future_usage` is `off_session`.
    pub(crate) payment_metadata: Metadata,
    pub(crate) payment_description: Option<String>,
    pub(crate) saves_method: bool,
    /// `setup_intent_data.metadata`
    pub(crate) setup_metadata: Metadata,
    /// `invoice_creation.enabled`
    pub(crate) creates_invoice: bool,
    pub(crate) metadata: Metadata,
    pub(crate) created: i64,
    pub(crate) expires_at: i64,
    /// Ids of what came of it.
    pub(crate) subscription: Option<String>,
    pub(crate) invoice: Option<String>,
    pub(crate) payment_intent: Option<String>,
    pub(crate) setup_intent: Option<String>,
    /// `customer_details.email` and `.name`, once it is complete.
    pub(crate) paid_email: Option<String>,
    pub(crate) paid_name: Option<String>,
}

/// `billing_portal.configuration`. `features` and `business_profile` are kept as they were given, with defaults.
#[derive(Debug, Clone)]
pub(crate) struct PortalConfiguration {
    /// `bpc_…`
    pub(crate) id: String,
    pub(crate) active: bool,
    pub(crate) is_default: bool,
    pub(crate) default_return_url: Option<String>,
    pub(crate) business_profile: Value,
    pub(crate) features: Value,
    pub(crate) metadata: Metadata,
    pub(crate) created: i64,
    pub(crate) updated: i64,
}

/// What a portal session is for: `flow`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct PortalFlow {
    /// `payment_method_update`, `subscription_cancel`, …
    pub(crate) kind: String,
    /// The whole of `flow_data`, as given.
    pub(crate) data: Value,
}

#[derive(Debug, Clone)]
pub(crate) struct PortalSession {
    /// `bps_…`
    pub(crate) id: String,
    /// Names the session in its address: `{base_url}/p/session/{key}`.
    pub(crate) key: String,
    pub(crate) customer: String,
    /// The id of its configuration.
    pub(crate) configuration: String,
    pub(crate) return_url: Option<String>,
    pub(crate) flow: Option<PortalFlow>,
    pub(crate) created: i64,
    pub(crate) expires_at: i64,
}
