//! `invoice`, as it is and as it would be.

use serde::Deserialize;

use super::{Customer, Identified, List, Reference};

/// An invoice. Source: API reference, "Invoices".
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Invoice {
    /// Absent on one that would be, in older versions.
    #[serde(default)]
    pub(crate) id: String,
    /// `draft`, `open`, `paid`, `uncollectible`, `void`.
    pub(crate) status: Option<String>,
    pub(crate) number: Option<String>,
    pub(crate) customer: Option<Reference<Customer>>,
    pub(crate) currency: Option<String>,
    pub(crate) created: Option<i64>,
    /// Only where an invoice is sent instead of charged.
    pub(crate) due_date: Option<i64>,
    pub(crate) attempt_count: Option<i64>,
    pub(crate) attempted: Option<bool>,
    pub(crate) next_payment_attempt: Option<i64>,
    /// After the customer's balance.
    pub(crate) amount_due: Option<i64>,
    /// What of it is not paid.
    pub(crate) amount_remaining: Option<i64>,
    /// Before the customer's balance; negative where something is given back.
    pub(crate) total: Option<i64>,
    /// The customer's balance; negative where the customer has credit.
    pub(crate) starting_balance: Option<i64>,
    /// Where its document is, for about a month; absent while it is a draft.
    pub(crate) invoice_pdf: Option<String>,
    /// Its page, as long.
    pub(crate) hosted_invoice_url: Option<String>,
    pub(crate) lines: Option<List<Line>>,
    pub(crate) parent: Option<Parent>,
    // Before 2025-03-31, instead of `parent`.
    pub(crate) subscription_proration_date: Option<i64>,
}

impl Identified for Invoice {
    fn id(&self) -> &str {
        &self.id
    }
}

impl Invoice {
    /// The instant that its prorations count from.
    pub(crate) fn proration_date(&self) -> Option<i64> {
        let details = self.parent.as_ref().and_then(|parent| parent.subscription_details.as_ref());
        details.and_then(|details| details.subscription_proration_date).or(self.subscription_proration_date)
    }

    /// When it fell due.
    pub(crate) fn due(&self) -> Option<i64> {
        self.due_date.or(self.created)
    }

    /// Whether somebody tried to collect it, or asked for the money.
    pub(crate) fn was_asked_for(&self) -> bool {
        self.attempted == Some(true) || self.attempt_count.is_some_and(|count| count > 0) || self.due_date.is_some()
    }
}

/// What made an invoice.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Parent {
    pub(crate) subscription_details: Option<SubscriptionDetails>,
}

/// The subscription that made an invoice.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct SubscriptionDetails {
    pub(crate) subscription_proration_date: Option<i64>,
}

/// One line.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Line {
    pub(crate) description: Option<String>,
    /// Before discounts and taxes.
    pub(crate) amount: Option<i64>,
    pub(crate) period: Option<Period>,
    pub(crate) discount_amounts: Option<Vec<Amount>>,
    pub(crate) taxes: Option<Vec<Tax>>,
    pub(crate) parent: Option<LineParent>,
    // Before 2025-03-31, instead of `parent`.
    pub(crate) proration: Option<bool>,
}

impl Line {
    /// Whether it is for part of a period.
    pub(crate) fn is_proration(&self) -> bool {
        let parent = self.parent.as_ref();
        let details = parent.and_then(|it| it.subscription_item_details.as_ref().or(it.invoice_item_details.as_ref()));
        details.and_then(|details| details.proration).or(self.proration).unwrap_or(false)
    }
}

/// What a line pays for.
#[derive(Clone, Copy, Debug, Deserialize)]
pub(crate) struct Period {
    pub(crate) start: Option<i64>,
    pub(crate) end: Option<i64>,
}

/// What is taken off.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Amount {
    pub(crate) amount: Option<i64>,
}

/// A tax on a line.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Tax {
    pub(crate) amount: Option<i64>,
    /// `exclusive`: comes on top; `inclusive`: is part of the amount.
    pub(crate) tax_behavior: Option<String>,
}

/// What made a line.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct LineParent {
    pub(crate) subscription_item_details: Option<LineDetails>,
    pub(crate) invoice_item_details: Option<LineDetails>,
}

/// Either of the two.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct LineDetails {
    pub(crate) proration: Option<bool>,
}
