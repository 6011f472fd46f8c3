//! `estimate`: what a change would cost.

use serde::Deserialize;

/// `POST /estimates/…`.
#[derive(Debug, Deserialize)]
pub(crate) struct EstimateAnswer {
    pub(crate) estimate: Estimate,
}

/// What would be invoiced, and when. Source: API docs, "Estimates".
#[derive(Debug, Deserialize)]
pub(crate) struct Estimate {
    /// When it was made, which is the instant that it prorates from.
    pub(crate) created_at: Option<i64>,
    pub(crate) subscription_estimate: Option<SubscriptionEstimate>,
    /// The invoice that would be raised at once; absent when none would be.
    pub(crate) invoice_estimate: Option<InvoiceEstimate>,
    /// The invoice of the next renewal; promised only where none would be raised at once.
    pub(crate) next_invoice_estimate: Option<InvoiceEstimate>,
    pub(crate) credit_note_estimates: Option<Vec<CreditNoteEstimate>>,
}

/// The subscription as it would be.
#[derive(Debug, Deserialize)]
pub(crate) struct SubscriptionEstimate {
    pub(crate) currency_code: Option<String>,
    pub(crate) next_billing_at: Option<i64>,
}

/// An invoice that would be raised.
#[derive(Debug, Deserialize)]
pub(crate) struct InvoiceEstimate {
    pub(crate) currency_code: Option<String>,
    pub(crate) date: Option<i64>,
    /// `tax_exclusive`: taxes come on top of the lines.
    pub(crate) price_type: Option<String>,
    /// After credits. Without it nobody knows the price, so that the estimate cannot be used.
    pub(crate) amount_due: i64,
    pub(crate) line_items: Option<Vec<EstimateLine>>,
    pub(crate) taxes: Option<Vec<EstimateTax>>,
}

/// A credit note that would be made.
#[derive(Debug, Deserialize)]
pub(crate) struct CreditNoteEstimate {
    /// `adjustment` lowers an invoice that is not paid; `refundable` and `store` give something back.
    #[serde(rename = "type")]
    pub(crate) kind: Option<String>,
    pub(crate) currency_code: Option<String>,
    pub(crate) price_type: Option<String>,
    pub(crate) total: i64,
    /// What the invoice that would be raised leaves of it.
    pub(crate) amount_available: i64,
    pub(crate) line_items: Option<Vec<EstimateLine>>,
    pub(crate) taxes: Option<Vec<EstimateTax>>,
}

/// One line of either.
#[derive(Debug, Deserialize)]
pub(crate) struct EstimateLine {
    pub(crate) description: Option<String>,
    /// Before discounts.
    pub(crate) amount: Option<i64>,
    pub(crate) discount_amount: Option<i64>,
    pub(crate) date_from: Option<i64>,
    pub(crate) date_to: Option<i64>,
    /// Only on lines that are prorated, and not on every site.
    pub(crate) proration_mode: Option<String>,
}

/// A tax on the whole.
#[derive(Debug, Deserialize)]
pub(crate) struct EstimateTax {
    pub(crate) name: Option<String>,
    pub(crate) amount: Option<i64>,
}
