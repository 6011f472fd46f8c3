//! Subscriptions and their items.
//!
//! Source: Stripe API reference, "Subscriptions"; Stripe docs, "How subscriptions work".

use super::{Interval, Metadata, words};

words! {
    Status {
        Incomplete = "incomplete",
        IncompleteExpired = "incomplete_expired",
        Trialing = "trialing",
        Active = "active",
        PastDue = "past_due",
        Unpaid = "unpaid",
        Canceled = "canceled",
        Paused = "paused",
    }
}

impl Status {
    /// Whether nothing can happen any more.
    pub(crate) fn is_over(self) -> bool {
        matches!(self, Status::Canceled | Status::IncompleteExpired)
    }
}

words! {
    /// `billing_mode.type`: how credits are computed.
    BillingMode {
        /// From the price as it is.
        Classic = "classic",
        /// From what was charged.
        Flexible = "flexible",
    }
}

words! {
    CollectionMethod { ChargeAutomatically = "charge_automatically", SendInvoice = "send_invoice" }
}

words! {
    ProrationBehavior { CreateProrations = "create_prorations", AlwaysInvoice = "always_invoice", None = "none" }
}

words! {
    PaymentBehavior {
        AllowIncomplete = "allow_incomplete",
        DefaultIncomplete = "default_incomplete",
        ErrorIfIncomplete = "error_if_incomplete",
        PendingIfIncomplete = "pending_if_incomplete",
    }
}

words! {
    /// `trial_settings.end_behavior.missing_payment_method`
    MissingMethod { CreateInvoice = "create_invoice", Pause = "pause", Cancel = "cancel" }
}

words! {
    /// `status_details.paused.subscription.type`
    Paused { TrialEndWithoutMethod = "trial_end_without_payment_method", Requested = "pause_requested" }
}

words! {
    /// `pause_collection.behavior`
    PauseBehavior { KeepAsDraft = "keep_as_draft", MarkUncollectible = "mark_uncollectible", Void = "void" }
}

/// `pause_collection`: the subscription goes on, its invoices are not collected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PauseCollection {
    pub(crate) behavior: PauseBehavior,
    pub(crate) resumes_at: Option<i64>,
}

/// `cancellation_details`
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Cancellation {
    pub(crate) comment: Option<String>,
    pub(crate) feedback: Option<String>,
    /// `cancellation_requested`, `payment_failed`, …
    pub(crate) reason: Option<&'static str>,
}

/// What was charged for an item: the amount, in minor units, for `[from, to)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Billed {
    pub(crate) amount: i64,
    pub(crate) from: i64,
    pub(crate) to: i64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SubscriptionItem {
    pub(crate) id: String,
    /// The id of its price.
    pub(crate) price: String,
    /// `None` where the price is metered.
    pub(crate) quantity: Option<i64>,
    pub(crate) metadata: Metadata,
    pub(crate) created: i64,
    /// What it was charged for last; `billed_until` is its `to`.
    pub(crate) billed: Option<Billed>,
}

/// What a change of a subscription replaces, when it is applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Terms {
    pub(crate) items: Vec<SubscriptionItem>,
    pub(crate) interval: Interval,
    pub(crate) anchor: i64,
    pub(crate) period_start: i64,
    pub(crate) period_end: i64,
    pub(crate) trial_start: Option<i64>,
    pub(crate) trial_end: Option<i64>,
    pub(crate) trial_reminder_at: Option<i64>,
}

/// `pending_update`: changes that wait for their payment.
#[derive(Debug, Clone)]
pub(crate) struct PendingUpdate {
    pub(crate) expires_at: i64,
    /// `subscription_items`: only where they change.
    pub(crate) items: Option<Vec<SubscriptionItem>>,
    pub(crate) trial_end: Option<i64>,
    pub(crate) billing_cycle_anchor: Option<i64>,
    /// The id of the open invoice whose payment applies it.
    pub(crate) invoice: String,
    /// What is set then.
    pub(crate) terms: Terms,
    pub(crate) status: Status,
}

#[derive(Debug, Clone)]
pub(crate) struct Subscription {
    pub(crate) id: String,
    /// The id of its customer.
    pub(crate) customer: String,
    pub(crate) status: Status,
    pub(crate) billing_mode: BillingMode,
    pub(crate) collection_method: CollectionMethod,
    pub(crate) days_until_due: Option<i64>,
    pub(crate) currency: String,
    pub(crate) items: Vec<SubscriptionItem>,
    /// Of its items: all have the same.
    pub(crate) interval: Interval,
    /// `billing_cycle_anchor`
    pub(crate) anchor: i64,
    /// `current_period_start` and `current_period_end` of all items; in a trial, the trial.
    pub(crate) period_start: i64,
    pub(crate) period_end: i64,
    pub(crate) trial_start: Option<i64>,
    pub(crate) trial_end: Option<i64>,
    /// When to tell that the trial ends; taken when that is done.
    pub(crate) trial_reminder_at: Option<i64>,
    pub(crate) missing_method: MissingMethod,
    pub(crate) cancel_at: Option<i64>,
    pub(crate) cancel_at_period_end: bool,
    pub(crate) canceled_at: Option<i64>,
    pub(crate) ended_at: Option<i64>,
    pub(crate) cancellation: Cancellation,
    pub(crate) pause_collection: Option<PauseCollection>,
    /// Why and since when it is paused, while it is.
    pub(crate) paused: Option<(Paused, i64)>,
    /// The id of its own default, which comes before the customer's.
    pub(crate) default_payment_method: Option<String>,
    /// `payment_settings.save_default_payment_method` is `on_subscription`.
    pub(crate) saves_default_method: bool,
    pub(crate) description: Option<String>,
    pub(crate) metadata: Metadata,
    /// The id of the newest invoice.
    pub(crate) latest_invoice: Option<String>,
    pub(crate) pending_setup_intent: Option<String>,
    pub(crate) pending_update: Option<PendingUpdate>,
    /// The id of the schedule that manages it.
    pub(crate) schedule: Option<String>,
    pub(crate) start_date: i64,
    pub(crate) created: i64,
    /// When an incomplete one expires.
    pub(crate) incomplete_until: Option<i64>,
    /// The resumption invoice it waits for while it is paused, and until when.
    pub(crate) resumption: Option<(String, i64)>,
    /// Set from outside: the next charge is declined, whatever the card.
    pub(crate) fail_next_payment: bool,
}

impl Subscription {
    pub(crate) fn terms(&self) -> Terms {
        Terms {
            items: self.items.clone(),
            interval: self.interval,
            anchor: self.anchor,
            period_start: self.period_start,
            period_end: self.period_end,
            trial_start: self.trial_start,
            trial_end: self.trial_end,
            trial_reminder_at: self.trial_reminder_at,
        }
    }

    pub(crate) fn set_terms(&mut self, terms: Terms) {
        self.items = terms.items;
        self.interval = terms.interval;
        self.anchor = terms.anchor;
        self.period_start = terms.period_start;
        self.period_end = terms.period_end;
        self.trial_start = terms.trial_start;
        self.trial_end = terms.trial_end;
        self.trial_reminder_at = terms.trial_reminder_at;
    }
}
