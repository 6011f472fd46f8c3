//! Invoices, what waits for them, and what paid them.
//!
//! Source: Stripe API reference, "Invoices", "Invoice items", "Invoice payments".

use super::{CollectionMethod, Metadata, words};

words! {
    InvoiceStatus {
        Draft = "draft",
        Open = "open",
        Paid = "paid",
        Uncollectible = "uncollectible",
        Void = "void",
    }
}

words! {
    BillingReason {
        SubscriptionCreate = "subscription_create",
        SubscriptionCycle = "subscription_cycle",
        SubscriptionUpdate = "subscription_update",
        Manual = "manual",
        /// Only previews.
        Upcoming = "upcoming",
    }
}

/// What a credit takes back: `proration_details.credited_items`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Credited {
    /// The id of the invoice that charged for it.
    pub(crate) invoice: String,
    /// The ids of its lines.
    pub(crate) lines: Vec<String>,
}

/// Where a line comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum LineParent {
    /// `invoice_item_details`
    InvoiceItem { invoice_item: String, proration: bool, credited: Option<Credited> },
    /// `subscription_item_details`; never a proration here.
    SubscriptionItem,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) id: String,
    /// Minor units; credits are negative.
    pub(crate) amount: i64,
    pub(crate) description: String,
    pub(crate) period_start: i64,
    pub(crate) period_end: i64,
    /// The id of the price; `None` for an amount somebody named.
    pub(crate) price: Option<String>,
    /// The amount of one unit, in minor units.
    pub(crate) unit_amount: i64,
    pub(crate) quantity: Option<i64>,
    pub(crate) parent: LineParent,
    /// The ids of the subscription and of its item, where it has them.
    pub(crate) subscription: Option<String>,
    pub(crate) subscription_item: Option<String>,
    pub(crate) metadata: Metadata,
}

impl Line {
    pub(crate) fn is_proration(&self) -> bool {
        matches!(self.parent, LineParent::InvoiceItem { proration: true, .. })
    }
}

/// A charge or a credit that waits for an invoice, or has got one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct InvoiceItem {
    pub(crate) id: String,
    /// The id of its customer.
    pub(crate) customer: String,
    /// The ids of the subscription and of its item, where it has them.
    pub(crate) subscription: Option<String>,
    pub(crate) subscription_item: Option<String>,
    pub(crate) currency: String,
    pub(crate) amount: i64,
    pub(crate) description: String,
    pub(crate) period_start: i64,
    pub(crate) period_end: i64,
    pub(crate) price: Option<String>,
    pub(crate) unit_amount: i64,
    pub(crate) quantity: i64,
    pub(crate) proration: bool,
    pub(crate) credited: Option<Credited>,
    /// The id of the invoice it is on.
    pub(crate) invoice: Option<String>,
    pub(crate) metadata: Metadata,
    /// `date`
    pub(crate) created: i64,
    pub(crate) deleted: bool,
}

#[derive(Debug, Clone)]
pub(crate) struct Invoice {
    pub(crate) id: String,
    /// The id of its customer.
    pub(crate) customer: String,
    /// `parent.subscription_details.subscription`
    pub(crate) subscription: Option<String>,
    /// `parent.subscription_details.metadata`, as it was when the invoice was finalised.
    pub(crate) subscription_metadata: Metadata,
    /// `parent.subscription_details.subscription_proration_date`
    pub(crate) proration_date: Option<i64>,
    pub(crate) status: InvoiceStatus,
    pub(crate) billing_reason: BillingReason,
    pub(crate) collection_method: CollectionMethod,
    pub(crate) currency: String,
    /// Of the subscription before this invoice; lines have their own.
    pub(crate) period_start: i64,
    pub(crate) period_end: i64,
    pub(crate) lines: Vec<Line>,
    /// The customer's balance before it; from its finalisation on it does not move.
    pub(crate) starting_balance: i64,
    /// And after it.
    pub(crate) ending_balance: Option<i64>,
    /// The sum of the lines and the balance that is applied; never negative.
    pub(crate) amount_due: i64,
    pub(crate) amount_paid: i64,
    /// `amount_paid_off_stripe`: the part that somebody said was paid elsewhere.
    pub(crate) paid_out_of_band: bool,
    pub(crate) attempted: bool,
    pub(crate) attempt_count: i64,
    pub(crate) next_payment_attempt: Option<i64>,
    /// Whether it is finalised and collected by itself.
    pub(crate) auto_advance: bool,
    pub(crate) automatically_finalizes_at: Option<i64>,
    /// When dunning gives it up.
    pub(crate) dunning_ends_at: Option<i64>,
    pub(crate) due_date: Option<i64>,
    /// Whether `due_date` has passed unpaid, and that was told.
    pub(crate) is_overdue: bool,
    /// `None` until it is finalised.
    pub(crate) number: Option<String>,
    pub(crate) default_payment_method: Option<String>,
    pub(crate) description: Option<String>,
    pub(crate) metadata: Metadata,
    pub(crate) created: i64,
    pub(crate) finalized_at: Option<i64>,
    pub(crate) paid_at: Option<i64>,
    pub(crate) voided_at: Option<i64>,
    pub(crate) marked_uncollectible_at: Option<i64>,
    /// The part of its hosted page's address that nobody guesses; the page is
    /// `{base_url}/i/{account_id}/{hosted_key}`, the PDF the same with `/pdf`.
    pub(crate) hosted_key: String,
    /// The id of the intent that pays it: also in `confirmation_secret` and `payments`.
    pub(crate) payment_intent: Option<String>,
    /// The ids of the invoice payments, oldest first.
    pub(crate) payments: Vec<String>,
    /// Of the customer, as it was when the invoice was finalised.
    pub(crate) customer_email: Option<String>,
    pub(crate) customer_name: Option<String>,
    /// Only drafts are.
    pub(crate) deleted: bool,
}

impl Invoice {
    /// The sum of the lines: `subtotal` and, as nothing is taxed or discounted here, `total`.
    pub(crate) fn total(&self) -> i64 {
        self.lines.iter().map(|line| line.amount).fold(0, i64::saturating_add)
    }

    /// What is to be paid still.
    pub(crate) fn amount_remaining(&self) -> i64 {
        self.amount_due - self.amount_paid
    }
}

words! {
    InvoicePaymentStatus { Open = "open", Paid = "paid", Canceled = "canceled" }
}

/// The tie between an invoice and the intent that pays it.
#[derive(Debug, Clone)]
pub(crate) struct InvoicePayment {
    pub(crate) id: String,
    pub(crate) invoice: String,
    pub(crate) payment_intent: String,
    pub(crate) status: InvoicePaymentStatus,
    pub(crate) amount_requested: i64,
    pub(crate) amount_paid: Option<i64>,
    pub(crate) currency: String,
    pub(crate) is_default: bool,
    pub(crate) created: i64,
    pub(crate) paid_at: Option<i64>,
    pub(crate) canceled_at: Option<i64>,
}
