//! `subscription`.

use serde::Deserialize;

use super::{Customer, Identified, Invoice, List, Metadata, Reference, Schedule};

/// A subscription. Source: API reference, "Subscriptions".
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Subscription {
    pub(crate) id: String,
    pub(crate) customer: Reference<Customer>,
    pub(crate) status: String,
    pub(crate) currency: Option<String>,
    pub(crate) created: Option<i64>,
    pub(crate) trial_start: Option<i64>,
    pub(crate) trial_end: Option<i64>,
    pub(crate) cancel_at: Option<i64>,
    pub(crate) cancel_at_period_end: Option<bool>,
    /// When the end was asked for.
    pub(crate) canceled_at: Option<i64>,
    pub(crate) ended_at: Option<i64>,
    /// `charge_automatically`, `send_invoice`.
    pub(crate) collection_method: Option<String>,
    /// Absent before 2025-06-30.
    pub(crate) billing_mode: Option<BillingMode>,
    pub(crate) pause_collection: Option<PauseCollection>,
    pub(crate) latest_invoice: Option<Reference<Invoice>>,
    pub(crate) schedule: Option<Reference<Schedule>>,
    #[serde(default)]
    pub(crate) metadata: Metadata,
    pub(crate) items: List<Item>,
    // Before 2025-03-31 the period is here, afterwards on the items.
    pub(crate) current_period_start: Option<i64>,
    pub(crate) current_period_end: Option<i64>,
}

impl Identified for Subscription {
    fn id(&self) -> &str {
        &self.id
    }
}

impl Subscription {
    /// Begin of the period: of the item whose period began first.
    pub(crate) fn period_start(&self) -> Option<i64> {
        self.items.data.iter().filter_map(|item| item.current_period_start).min().or(self.current_period_start)
    }

    /// End of the period: of the item whose period ends last.
    pub(crate) fn period_end(&self) -> Option<i64> {
        self.items.data.iter().filter_map(|item| item.current_period_end).max().or(self.current_period_end)
    }
}

/// How prorations are computed.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct BillingMode {
    /// `classic`, `flexible`.
    #[serde(rename = "type")]
    pub(crate) kind: Option<String>,
}

/// Invoices are made and not collected; the status does not tell.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct PauseCollection {}

/// One line of a subscription.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Item {
    pub(crate) id: String,
    pub(crate) price: Option<Price>,
    pub(crate) quantity: Option<i64>,
    pub(crate) current_period_start: Option<i64>,
    pub(crate) current_period_end: Option<i64>,
    #[serde(default)]
    pub(crate) metadata: Metadata,
}

impl Identified for Item {
    fn id(&self) -> &str {
        &self.id
    }
}

/// A price.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Price {
    pub(crate) id: String,
    pub(crate) currency: Option<String>,
    /// Minor units for one; absent where it depends on the quantity.
    pub(crate) unit_amount: Option<i64>,
    pub(crate) recurring: Option<Recurring>,
    #[serde(default)]
    pub(crate) metadata: Metadata,
}

impl Identified for Price {
    fn id(&self) -> &str {
        &self.id
    }
}

/// How a price recurs.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Recurring {
    /// `licensed`, `metered`.
    pub(crate) usage_type: Option<String>,
}

impl Price {
    /// Whether it is charged by usage: it has no quantity then.
    pub(crate) fn is_metered(&self) -> bool {
        self.recurring.as_ref().is_some_and(|recurring| recurring.usage_type.as_deref() == Some("metered"))
    }
}
