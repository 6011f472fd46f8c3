//! `invoice`.

use serde::{Deserialize, de::IgnoredAny};
use serde_json::Value;

/// One row of `GET /invoices`.
#[derive(Debug, Deserialize)]
pub(crate) struct InvoiceAnswer {
    pub(crate) invoice: Invoice,
}

/// An invoice. Source: API docs, "Invoices".
#[derive(Debug, Deserialize)]
pub(crate) struct Invoice {
    pub(crate) id: String,
    #[serde(default)]
    pub(crate) customer_id: String,
    /// `pending`, `posted`, `payment_due`: being retried; `not_paid`: retries are over; `paid`, `voided`.
    pub(crate) status: String,
    pub(crate) currency_code: Option<String>,
    pub(crate) total: Option<i64>,
    pub(crate) amount_due: Option<i64>,
    pub(crate) date: Option<i64>,
    pub(crate) due_date: Option<i64>,
    pub(crate) next_retry_at: Option<i64>,
    /// `in_progress`, `exhausted`, `stopped`, `success`.
    pub(crate) dunning_status: Option<String>,
    /// Absent on an invoice for several subscriptions.
    pub(crate) subscription_id: Option<String>,
    #[serde(default)]
    pub(crate) line_items: Vec<LineItem>,
    #[serde(default)]
    /// Every try to collect.
    pub(crate) dunning_attempts: Vec<IgnoredAny>,
}

/// What an invoice charges after credits, paid or not; `None` when it does not say.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(from = "Value")]
pub(crate) struct Charged(pub(crate) Option<i64>);

impl From<Value> for Charged {
    fn from(invoice: Value) -> Self {
        let paid = invoice["amount_paid"].as_i64();
        let due = invoice["amount_due"].as_i64();
        Self(paid.or(due).map(|_| paid.unwrap_or(0).saturating_add(due.unwrap_or(0))))
    }
}

/// One line of an invoice.
#[derive(Debug, Deserialize)]
pub(crate) struct LineItem {
    pub(crate) subscription_id: Option<String>,
    pub(crate) date_from: Option<i64>,
    pub(crate) date_to: Option<i64>,
}

/// `POST /invoices/{id}/pdf`.
#[derive(Debug, Deserialize)]
pub(crate) struct DownloadAnswer {
    pub(crate) download: Download,
}

/// A link to a document, good for an hour.
#[derive(Debug, Deserialize)]
pub(crate) struct Download {
    pub(crate) download_url: String,
}

impl Invoice {
    /// Whether it bills this subscription, alone or among others.
    pub(crate) fn bills(&self, subscription_id: &str) -> bool {
        self.subscription_id.as_deref() == Some(subscription_id)
            || self.line_items.iter().any(|line| line.subscription_id.as_deref() == Some(subscription_id))
    }

    /// Whether nobody tries to collect it any more.
    pub(crate) fn is_given_up(&self) -> bool {
        self.status == "not_paid" || matches!(self.dunning_status.as_deref(), Some("exhausted" | "stopped"))
    }

    /// When it fell due.
    pub(crate) fn due(&self) -> Option<i64> {
        self.due_date.or(self.date)
    }
}
