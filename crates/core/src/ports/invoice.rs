//! Invoices, as people look at them.

use serde::{Serialize, Serializer};

use crate::{
    ids::{ProviderCustomerId, ProviderInvoiceId},
    money::Currency,
    time::Timestamp,
};

/// An invoice as the provider holds it now. Amounts are in minor units of `currency`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Invoice {
    /// Its id.
    pub id: ProviderInvoiceId,
    /// Whose it is; who asked knows.
    #[serde(skip)]
    pub customer_id: ProviderCustomerId,
    /// As it is printed on it; `None` while it is a draft.
    pub number: Option<String>,
    /// How far it got.
    pub status: InvoiceStatus,
    /// Currency of both amounts; `None` when the provider names none that is one.
    pub currency: Option<Currency>,
    /// What it charges, before credits.
    pub total: i64,
    /// What is still to be paid.
    pub amount_due: i64,
    /// When it was made.
    pub date: Option<Timestamp>,
    /// When it falls due, where it is not charged at once.
    pub due_date: Option<Timestamp>,
    /// Begin of what its lines pay for.
    pub period_start: Option<Timestamp>,
    /// End of what its lines pay for; the same instant where that is no span.
    pub period_end: Option<Timestamp>,
}

/// How far an invoice got.
///
/// | ours | Chargebee | Stripe |
/// |---|---|---|
/// | `draft` | pending | draft |
/// | `open` | posted, payment_due | open |
/// | `paid` | paid | paid |
/// | `uncollectible` | not_paid | uncollectible |
/// | `void` | voided | void |
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InvoiceStatus {
    /// It may still change.
    Draft,
    /// It waits for its payment, or is being retried.
    Open,
    /// Nothing is due on it.
    Paid,
    /// Nobody tries to collect it any more.
    Uncollectible,
    /// It does not count.
    Void,
    /// The provider's own word, where that is new to us.
    Other(String),
}

impl InvoiceStatus {
    /// The word of the API.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Draft => "draft",
            Self::Open => "open",
            Self::Paid => "paid",
            Self::Uncollectible => "uncollectible",
            Self::Void => "void",
            Self::Other(word) => word,
        }
    }
}

impl Serialize for InvoiceStatus {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}
