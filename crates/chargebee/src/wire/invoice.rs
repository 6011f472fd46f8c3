//! `invoice`.

use serde::Deserialize;

/// One row of `GET /invoices`.
#[derive(Debug, Deserialize)]
pub(crate) struct InvoiceAnswer {
    pub(crate) invoice: Invoice,
}

/// An invoice that is not paid. Source: API docs, "Invoices".
#[derive(Debug, Deserialize)]
pub(crate) struct Invoice {
    pub(crate) id: String,
    /// `payment_due`: being retried; `not_paid`: retries are over.
    pub(crate) status: String,
    pub(crate) date: Option<i64>,
    pub(crate) due_date: Option<i64>,
    pub(crate) next_retry_at: Option<i64>,
    /// Absent on an invoice for several subscriptions.
    pub(crate) subscription_id: Option<String>,
    #[serde(default)]
    pub(crate) line_items: Vec<LineItem>,
    #[serde(default)]
    pub(crate) dunning_attempts: Vec<DunningAttempt>,
}

/// One line of an invoice.
#[derive(Debug, Deserialize)]
pub(crate) struct LineItem {
    pub(crate) subscription_id: Option<String>,
}

/// One try to collect.
#[derive(Debug, Deserialize)]
pub(crate) struct DunningAttempt {}

impl Invoice {
    /// Whether it bills this subscription, alone or among others.
    pub(crate) fn bills(&self, subscription_id: &str) -> bool {
        self.subscription_id.as_deref() == Some(subscription_id)
            || self.line_items.iter().any(|line| line.subscription_id.as_deref() == Some(subscription_id))
    }

    /// When it fell due.
    pub(crate) fn due(&self) -> Option<i64> {
        self.due_date.or(self.date)
    }
}
