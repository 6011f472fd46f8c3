//! The records of a site, as plain data. The rules are beside it, the wire names in `render`.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;
use serde_json::value::RawValue;

use super::cards::Card;
use super::catalog::{Asked, Item};
use super::table::Row;
use crate::moment::{Moment, PeriodUnit};

/// `updated_at` and `resource_version`, which grow together.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Stamp {
    pub(crate) updated_at: i64,
    /// Milliseconds, strictly growing for one record.
    pub(crate) resource_version: i64,
}

impl Stamp {
    /// The next stamp, so that a version grows even within one millisecond.
    pub(crate) fn next(self, now: Moment) -> Self {
        Self {
            updated_at: now.secs().max(self.updated_at),
            resource_version: now.millis().max(self.resource_version.saturating_add(1)),
        }
    }
}

#[derive(Debug, Clone)]
pub(crate) struct Customer {
    pub(crate) id: String,
    /// The plain text members that were given: `company`, `email`, `locale`, …
    pub(crate) texts: BTreeMap<&'static str, String>,
    pub(crate) billing_address: BTreeMap<&'static str, String>,
    pub(crate) auto_collection: bool,
    pub(crate) meta_data: Option<Value>,
    pub(crate) card: Option<StoredCard>,
    /// Credit notes that are not used up, oldest first; later invoices use them.
    pub(crate) credits: Vec<usize>,
    pub(crate) created_at: i64,
    pub(crate) stamp: Stamp,
    pub(crate) deleted: bool,
}

#[derive(Debug, Clone)]
pub(crate) struct StoredCard {
    pub(crate) payment_source_id: String,
    pub(crate) reference_id: String,
    pub(crate) card: Card,
    pub(crate) created_at: i64,
    pub(crate) stamp: Stamp,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Status {
    Future,
    InTrial,
    Active,
    NonRenewing,
    Paused,
    Cancelled,
}

impl Status {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Status::Future => "future",
            Status::InTrial => "in_trial",
            Status::Active => "active",
            Status::NonRenewing => "non_renewing",
            Status::Paused => "paused",
            Status::Cancelled => "cancelled",
        }
    }
}

/// One billing term: `[start, end)` in Unix seconds, and which one it is, counted from the anchor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Term {
    pub(crate) anchor: i64,
    pub(crate) cycle: i64,
    pub(crate) start: i64,
    pub(crate) end: i64,
}

#[derive(Debug, Clone)]
pub(crate) struct ScheduledCancel {
    pub(crate) at: i64,
    pub(crate) asked_at: i64,
    /// Whether it was asked for as the end of the term or of the trial, and moves with it.
    pub(crate) follows_term: bool,
}

#[derive(Debug, Clone)]
pub(crate) struct ScheduledChange {
    pub(crate) at: i64,
    pub(crate) items: Vec<Item>,
    pub(crate) prorate: bool,
    pub(crate) invoice_immediately: bool,
    pub(crate) force_term_reset: bool,
}

#[derive(Debug, Clone)]
pub(crate) struct Subscription {
    pub(crate) id: String,
    pub(crate) customer_id: String,
    pub(crate) currency: String,
    pub(crate) items: Vec<Item>,
    pub(crate) status: Status,
    pub(crate) billing_period: i64,
    pub(crate) billing_period_unit: PeriodUnit,
    pub(crate) created_at: i64,
    pub(crate) start_date: Option<i64>,
    pub(crate) started_at: Option<i64>,
    pub(crate) activated_at: Option<i64>,
    pub(crate) trial_start: Option<i64>,
    pub(crate) trial_end: Option<i64>,
    /// When to remind of the trial's end; taken when that is done.
    pub(crate) trial_reminder_at: Option<i64>,
    pub(crate) term: Option<Term>,
    pub(crate) scheduled_cancel: Option<ScheduledCancel>,
    pub(crate) cancelled_at: Option<i64>,
    pub(crate) cancel_reason: Option<&'static str>,
    pub(crate) cancel_reason_code: Option<String>,
    pub(crate) pause_date: Option<i64>,
    pub(crate) resume_date: Option<i64>,
    pub(crate) scheduled_change: Option<ScheduledChange>,
    /// `None` follows the customer's.
    pub(crate) auto_collection: Option<bool>,
    pub(crate) meta_data: Option<Value>,
    /// Invoices that are due or were given up, oldest first.
    pub(crate) unpaid: Vec<usize>,
    /// Lines that wait for the next invoice.
    pub(crate) unbilled: Vec<LineItem>,
    /// The latest invoice, by id.
    pub(crate) last_invoice: Option<String>,
    /// Set from outside: the next charge is declined, whatever the card.
    pub(crate) fail_next_payment: bool,
    pub(crate) stamp: Stamp,
    pub(crate) deleted: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LineItem {
    pub(crate) id: String,
    pub(crate) date_from: i64,
    pub(crate) date_to: i64,
    pub(crate) unit_amount: i64,
    pub(crate) quantity: i64,
    pub(crate) amount: i64,
    pub(crate) pricing_model: &'static str,
    pub(crate) entity_type: &'static str,
    pub(crate) item_price_id: String,
    pub(crate) description: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum InvoiceStatus {
    Paid,
    PaymentDue,
    NotPaid,
}

impl InvoiceStatus {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            InvoiceStatus::Paid => "paid",
            InvoiceStatus::PaymentDue => "payment_due",
            InvoiceStatus::NotPaid => "not_paid",
        }
    }
}

/// A credit note's share in an invoice.
#[derive(Debug, Clone)]
pub(crate) struct Applied {
    pub(crate) credit_note: usize,
    pub(crate) amount: i64,
    pub(crate) at: i64,
}

#[derive(Debug, Clone)]
pub(crate) struct Invoice {
    pub(crate) id: String,
    pub(crate) customer_id: String,
    /// Empty where something was bought once.
    pub(crate) subscription_id: String,
    pub(crate) currency: String,
    pub(crate) status: InvoiceStatus,
    pub(crate) date: i64,
    pub(crate) total: i64,
    pub(crate) amount_paid: i64,
    pub(crate) paid_at: Option<i64>,
    pub(crate) first_invoice: bool,
    pub(crate) lines: Vec<LineItem>,
    /// Refundable credits that were used for it.
    pub(crate) applied: Vec<Applied>,
    /// What adjustment credit notes took off it.
    pub(crate) adjusted: Vec<Applied>,
    /// Payments that were tried, by transaction, oldest first.
    pub(crate) attempts: Vec<usize>,
    /// How often dunning has tried again.
    pub(crate) retries: usize,
    pub(crate) dunning_status: Option<&'static str>,
    pub(crate) next_retry_at: Option<i64>,
    pub(crate) stamp: Stamp,
    pub(crate) deleted: bool,
}

impl Invoice {
    pub(crate) fn credits_applied(&self) -> i64 {
        self.applied.iter().map(|applied| applied.amount).sum()
    }

    pub(crate) fn amount_adjusted(&self) -> i64 {
        self.adjusted.iter().map(|adjusted| adjusted.amount).sum()
    }

    /// What is to be paid in all.
    pub(crate) fn amount_payable(&self) -> i64 {
        self.total - self.credits_applied() - self.amount_adjusted()
    }

    pub(crate) fn amount_due(&self) -> i64 {
        self.amount_payable() - self.amount_paid
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CreditKind {
    /// Takes something off an invoice that is not paid.
    Adjustment,
    /// Waits for later invoices.
    Refundable,
}

#[derive(Debug, Clone)]
pub(crate) struct Allocation {
    pub(crate) invoice_id: String,
    pub(crate) invoice_date: i64,
    pub(crate) amount: i64,
    pub(crate) at: i64,
}

#[derive(Debug, Clone)]
pub(crate) struct CreditNote {
    pub(crate) id: String,
    pub(crate) customer_id: String,
    pub(crate) subscription_id: String,
    pub(crate) currency: String,
    /// The invoice that charged for what is credited; empty where none was raised.
    pub(crate) reference_invoice_id: String,
    pub(crate) kind: CreditKind,
    pub(crate) reason_code: &'static str,
    pub(crate) date: i64,
    pub(crate) total: i64,
    pub(crate) lines: Vec<LineItem>,
    pub(crate) allocations: Vec<Allocation>,
    pub(crate) stamp: Stamp,
}

impl CreditNote {
    pub(crate) fn allocated(&self) -> i64 {
        self.allocations.iter().map(|allocation| allocation.amount).sum()
    }

    pub(crate) fn available(&self) -> i64 {
        self.total - self.allocated()
    }
}

/// How a payment was made.
#[derive(Debug, Clone)]
pub(crate) enum PaidBy {
    Card {
        payment_source_id: String,
        masked_number: String,
    },
    /// Outside of the gateway: `cash`, `check`, `bank_transfer`, …
    Offline(&'static str),
}

#[derive(Debug, Clone)]
pub(crate) struct Transaction {
    pub(crate) id: String,
    pub(crate) invoice: usize,
    pub(crate) customer_id: String,
    pub(crate) subscription_id: String,
    pub(crate) paid_by: PaidBy,
    pub(crate) currency: String,
    pub(crate) amount: i64,
    pub(crate) date: i64,
    pub(crate) succeeded: bool,
    pub(crate) stamp: Stamp,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PageState {
    Created,
    Requested,
    Succeeded,
    Cancelled,
    Acknowledged,
}

impl PageState {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            PageState::Created => "created",
            PageState::Requested => "requested",
            PageState::Succeeded => "succeeded",
            PageState::Cancelled => "cancelled",
            PageState::Acknowledged => "acknowledged",
        }
    }
}

/// What finishing the page will do.
#[derive(Debug, Clone)]
pub(crate) enum PageTask {
    /// `checkout_new`
    New {
        subscription_id: Option<String>,
        /// `None`: the price's own trial; `Some(0)`: none; else Unix seconds.
        trial_end: Option<i64>,
        items: Vec<Asked>,
        customer_id: Option<String>,
        /// What the request said about a customer that may not exist yet.
        customer: Box<super::customers::CustomerInput>,
    },
    /// `checkout_existing`
    Existing { subscription_id: String, change: Box<super::changes::Change> },
    /// `checkout_one_time`
    Once {
        items: Vec<Asked>,
        currency: Option<String>,
        customer_id: Option<String>,
        customer: Box<super::customers::CustomerInput>,
    },
    /// `manage_payment_sources`: another card, which also settles what is open.
    ManageCard { customer_id: String },
    /// `collect_now`: a card for what is open.
    CollectNow { customer_id: String },
}

impl PageTask {
    /// Whether something is bought; else it is about a card or about dues.
    pub(crate) fn is_checkout(&self) -> bool {
        matches!(self, PageTask::New { .. } | PageTask::Existing { .. } | PageTask::Once { .. })
    }

    pub(crate) fn kind(&self) -> &'static str {
        match self {
            PageTask::New { .. } => "checkout_new",
            PageTask::Existing { .. } => "checkout_existing",
            PageTask::Once { .. } => "checkout_one_time",
            PageTask::ManageCard { .. } => "manage_payment_sources",
            PageTask::CollectNow { .. } => "collect_now",
        }
    }
}

#[derive(Debug, Clone)]
pub(crate) struct HostedPage {
    pub(crate) id: String,
    pub(crate) task: PageTask,
    pub(crate) state: PageState,
    pub(crate) redirect_url: Option<String>,
    pub(crate) cancel_url: Option<String>,
    pub(crate) pass_thru_content: Option<String>,
    pub(crate) created_at: i64,
    pub(crate) expires_at: i64,
    /// What the page produced, as it was when it was finished.
    pub(crate) content: Option<Value>,
    pub(crate) stamp: Stamp,
}

#[derive(Debug, Clone)]
pub(crate) struct PortalSession {
    pub(crate) id: String,
    pub(crate) token: String,
    /// Names the session in the address bar once the single-use token is spent.
    pub(crate) browser_key: String,
    pub(crate) customer_id: String,
    pub(crate) redirect_url: Option<String>,
    pub(crate) status: &'static str,
    pub(crate) created_at: i64,
    pub(crate) expires_at: i64,
    pub(crate) login_at: Option<i64>,
    pub(crate) logout_at: Option<i64>,
}

/// An event, its content frozen at the moment it happened.
#[derive(Debug, Clone)]
pub(crate) struct Event {
    pub(crate) id: String,
    pub(crate) occurred_at: i64,
    pub(crate) source: &'static str,
    pub(crate) user: Option<String>,
    pub(crate) event_type: &'static str,
    pub(crate) content: Arc<RawValue>,
    /// The organization it is about, for people who look at deliveries.
    pub(crate) organization_id: Option<String>,
    pub(crate) webhook_status: &'static str,
}

/// Rows with an id only, and rows with a version and what they belong to.
macro_rules! rows {
    ($($row:ty),*; $($stamped:ty: [$($link:ident),*]),*) => {
        $(impl Row for $row {
            fn id(&self) -> &str {
                &self.id
            }
        })*
        $(impl Row for $stamped {
            fn id(&self) -> &str {
                &self.id
            }

            fn stamp(&self) -> Option<Stamp> {
                Some(self.stamp)
            }

            fn set_stamp(&mut self, stamp: Stamp) {
                self.stamp = stamp;
            }

            fn links(&self) -> Vec<(&'static str, &str)> {
                vec![$((stringify!($link), self.$link.as_str())),*]
            }
        })*
    };
}

rows!(
    PortalSession, Event;
    Customer: [],
    Subscription: [customer_id],
    Invoice: [customer_id, subscription_id],
    CreditNote: [customer_id, subscription_id],
    Transaction: [customer_id, subscription_id],
    HostedPage: []
);
