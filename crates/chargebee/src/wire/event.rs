//! An event, as it is delivered: `id`, `event_type`, `occurred_at` and the resources in `content`.
//!
//! The envelope is read in one pass without building anything: texts borrow from the delivery.

use std::borrow::Cow;

use serde::Deserialize;

use super::{Customer, Subscription, lenient};

/// A text that borrows where the JSON has no escapes in it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub(crate) struct Text<'a>(#[serde(borrow)] pub(crate) Cow<'a, str>);

/// What every event has; `C` is what is wanted of its content.
#[derive(Debug, Deserialize)]
pub(crate) struct Envelope<'a, C> {
    #[serde(borrow)]
    pub(crate) id: Option<Text<'a>>,
    #[serde(borrow)]
    pub(crate) event_type: Option<Text<'a>>,
    /// Whole seconds.
    #[serde(default, deserialize_with = "lenient")]
    pub(crate) occurred_at: Option<i64>,
    pub(crate) content: Option<C>,
}

/// The ids that tell what an event is about. Source: the event catalog, "content" of each type.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct EventIds<'a> {
    #[serde(borrow)]
    pub(crate) subscription: Option<Resource<'a>>,
    #[serde(borrow)]
    pub(crate) customer: Option<Resource<'a>>,
    #[serde(borrow)]
    pub(crate) invoice: Option<Resource<'a>>,
    #[serde(borrow)]
    pub(crate) transaction: Option<Resource<'a>>,
    #[serde(borrow)]
    pub(crate) credit_note: Option<Resource<'a>>,
    #[serde(borrow)]
    pub(crate) subscription_entitlements_created_detail: Option<Resource<'a>>,
    #[serde(borrow)]
    pub(crate) subscription_entitlements_updated_detail: Option<Resource<'a>>,
    #[serde(borrow)]
    pub(crate) ramp: Option<Resource<'a>>,
    #[serde(borrow)]
    pub(crate) alert_status: Option<Resource<'a>>,
    #[serde(borrow)]
    pub(crate) impacted_subscription: Option<Impacted<'a>>,
    #[serde(borrow, alias = "unbilled_charge")]
    pub(crate) unbilled_charges: Vec<Reference<'a>>,
    #[serde(borrow)]
    pub(crate) payment_source: Option<Resource<'a>>,
    #[serde(borrow)]
    pub(crate) card: Option<Resource<'a>>,
    #[serde(borrow)]
    pub(crate) promotional_credit: Option<Resource<'a>>,
}

/// A resource, as far as its ids.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Resource<'a> {
    #[serde(borrow)]
    pub(crate) id: Option<Text<'a>>,
    #[serde(borrow)]
    pub(crate) subscription_id: Option<Text<'a>>,
    #[serde(borrow)]
    pub(crate) customer_id: Option<Text<'a>>,
    #[serde(borrow)]
    pub(crate) line_items: Vec<Reference<'a>>,
}

/// A line that names what it belongs to.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Reference<'a> {
    #[serde(borrow)]
    pub(crate) subscription_id: Option<Text<'a>>,
    #[serde(borrow)]
    pub(crate) customer_id: Option<Text<'a>>,
}

/// The subscriptions that a change of entitlements reached.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Impacted<'a> {
    #[serde(borrow)]
    pub(crate) subscription_ids: Vec<Text<'a>>,
    pub(crate) count: Option<i64>,
}

/// Content that carries a subscription.
#[derive(Debug, Deserialize)]
pub(crate) struct SubscriptionContent {
    #[serde(default, deserialize_with = "lenient")]
    pub(crate) subscription: Option<Subscription>,
    #[serde(default, deserialize_with = "lenient")]
    pub(crate) customer: Option<Customer>,
}
