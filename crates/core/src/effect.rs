//! Effects: what we owe the product because something changed.

use serde::{Deserialize, Serialize};

use crate::{account::Account, ids::SubscriptionId, subscription::Subscription};

/// What happened, as a function of (before, after) and never of an event's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EffectKind {
    /// The organization got its record at the billing provider.
    CustomerCreated,
    /// A row came to be: a checkout began, or a subscription made elsewhere was adopted.
    SubscriptionCreated,
    /// The gate opened for the first time.
    SubscriptionCompleted,
    /// Plan, price, seats, period, status or a scheduled change became another.
    SubscriptionUpdated,
    /// Its end was asked for, or came without having been announced.
    SubscriptionCancelled,
    /// It ended.
    SubscriptionDeleted,
    /// It was paid although another of the same group is live.
    SubscriptionDuplicated,
    /// A trial began.
    TrialStarted,
    /// A trial ends soon.
    TrialEnding,
    /// A trial is over, by conversion or by the end.
    TrialEnded,
    /// A payment failed, or failed again.
    PaymentFailed,
    /// Nothing is overdue any more.
    PaymentRecovered,
    /// What the organization may use is another set than before.
    EntitlementsChanged,
}

impl EffectKind {
    /// Every kind, in the order in which effects of one transition are delivered.
    pub const ALL: [Self; 13] = [
        Self::CustomerCreated,
        Self::SubscriptionCreated,
        Self::SubscriptionCompleted,
        Self::SubscriptionDuplicated,
        Self::TrialStarted,
        Self::SubscriptionUpdated,
        Self::PaymentFailed,
        Self::PaymentRecovered,
        Self::SubscriptionCancelled,
        Self::TrialEnding,
        Self::TrialEnded,
        Self::SubscriptionDeleted,
        Self::EntitlementsChanged,
    ];

    /// The name that hooks, webhooks and rows use.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::CustomerCreated => "customer.created",
            Self::SubscriptionCreated => "subscription.created",
            Self::SubscriptionCompleted => "subscription.completed",
            Self::SubscriptionUpdated => "subscription.updated",
            Self::SubscriptionCancelled => "subscription.cancelled",
            Self::SubscriptionDeleted => "subscription.deleted",
            Self::SubscriptionDuplicated => "subscription.duplicated",
            Self::TrialStarted => "trial.started",
            Self::TrialEnding => "trial.ending",
            Self::TrialEnded => "trial.ended",
            Self::PaymentFailed => "payment.failed",
            Self::PaymentRecovered => "payment.recovered",
            Self::EntitlementsChanged => "entitlements.changed",
        }
    }

    /// The kind with this name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }
}

/// One effect, as it is written beside the rows that caused it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Effect {
    /// What happened.
    pub kind: EffectKind,
    /// The subscription it is about, if it is about one.
    pub subscription_id: Option<SubscriptionId>,
    /// The new state, and what it was before: `{"subscription": …, "previous": {…}}` or `{"entitlements": …,
    /// "previous": …}`.
    pub data: serde_json::Value,
}

/// What a decision changes; nothing of it is written yet.
#[derive(Clone, Debug, PartialEq)]
pub struct Transition {
    /// The organization and all its rows as they will be.
    pub after: Account,
    /// The row that changes, as it was; `None` when it is new.
    pub before: Option<Subscription>,
    /// The row that changes, as it will be; `None` when nothing changes.
    pub next: Option<Subscription>,
    /// What we owe because of it, in order of delivery.
    pub effects: Vec<Effect>,
    /// Whether anything is to be written at all.
    pub changed: bool,
    /// A sentence for the console: the fate of whatever caused this.
    pub why: String,
}
