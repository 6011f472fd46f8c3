//! `subscription`.

use serde::Deserialize;

use super::{Charged, Customer, Metadata, lenient};

/// `GET`/`POST /subscriptions/{id}…`, and one row of `GET /subscriptions`.
#[derive(Debug, Deserialize)]
pub(crate) struct SubscriptionAnswer {
    pub(crate) subscription: Subscription,
    #[serde(default, deserialize_with = "lenient")]
    pub(crate) customer: Option<Customer>,
    /// The invoice that the request raised, where it raised one.
    #[serde(default)]
    pub(crate) invoice: Option<Charged>,
}

/// A subscription. Source: API docs, "Subscriptions".
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Subscription {
    pub(crate) id: String,
    pub(crate) customer_id: String,
    pub(crate) status: String,
    pub(crate) currency_code: Option<String>,
    #[serde(default)]
    pub(crate) deleted: bool,
    pub(crate) resource_version: Option<i64>,
    pub(crate) created_at: Option<i64>,
    pub(crate) updated_at: Option<i64>,
    pub(crate) current_term_start: Option<i64>,
    pub(crate) current_term_end: Option<i64>,
    pub(crate) trial_start: Option<i64>,
    pub(crate) trial_end: Option<i64>,
    /// When it was cancelled, *or* when it is set to be.
    pub(crate) cancelled_at: Option<i64>,
    pub(crate) cancel_schedule_created_at: Option<i64>,
    pub(crate) due_invoices_count: Option<i64>,
    pub(crate) due_since: Option<i64>,
    #[serde(default)]
    pub(crate) has_scheduled_changes: bool,
    pub(crate) changes_scheduled_at: Option<i64>,
    /// When it paused, *or* when it is set to.
    pub(crate) pause_date: Option<i64>,
    #[serde(default)]
    pub(crate) meta_data: Metadata,
    #[serde(default)]
    pub(crate) subscription_items: Vec<SubscriptionItem>,
    // Product Catalog 1.0 has these instead of `subscription_items`.
    pub(crate) plan_id: Option<String>,
    pub(crate) plan_quantity: Option<i64>,
    pub(crate) plan_unit_price: Option<i64>,
    pub(crate) plan_amount: Option<i64>,
    #[serde(default)]
    pub(crate) addons: Vec<Addon>,
}

/// One line of a subscription.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct SubscriptionItem {
    pub(crate) item_price_id: String,
    /// `plan`, `addon` or `charge`.
    pub(crate) item_type: Option<String>,
    pub(crate) quantity: Option<i64>,
    /// Instead of `quantity` on sites that sell parts of things.
    pub(crate) quantity_in_decimal: Option<String>,
    /// Minor units for one.
    pub(crate) unit_price: Option<i64>,
    /// Minor units in all.
    pub(crate) amount: Option<i64>,
}

/// One add-on of Product Catalog 1.0.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Addon {
    pub(crate) id: String,
    pub(crate) quantity: Option<i64>,
    pub(crate) unit_price: Option<i64>,
    pub(crate) amount: Option<i64>,
}
