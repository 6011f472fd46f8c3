//! A provider's own view of a subscription at one moment, in our words.

use serde::{Deserialize, Serialize};

use crate::{
    ids::{OrganizationId, PriceId, Provider, ProviderCustomerId, ProviderSubscriptionId, SubscriptionId},
    money::Currency,
    subscription::Subscription,
    time::Timestamp,
};

/// Where a subscription stands in its life, before dues and scheduled ends are weighed ([`crate::status::Status::of`]).
///
/// The adapters translate their provider's word into one of these:
///
/// | ours | Chargebee | Stripe |
/// |---|---|---|
/// | `Future` | future | – |
/// | `Incomplete` | – | incomplete |
/// | `NeverStarted` | – | incomplete_expired |
/// | `Trialing` | in_trial | trialing |
/// | `Active` | active, non_renewing | active |
/// | `PastDue`, `Unpaid` | – (dues are beside the status) | past_due, unpaid |
/// | `Paused` | paused | paused; `pause_collection` asked for through us |
/// | `Ended` | cancelled, transferred, deleted | canceled |
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Starts later.
    Future,
    /// The first payment is not done.
    Incomplete,
    /// The first payment never came.
    NeverStarted,
    /// In its trial.
    Trialing,
    /// Running; an end may be scheduled, dues may be open.
    Active,
    /// The provider itself says overdue.
    PastDue,
    /// The provider itself says that retries are over.
    Unpaid,
    /// Stopped for a while.
    Paused,
    /// Over.
    Ended,
}

/// How the snapshot reached us.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// Read from the provider after the row's version was read: as new as the row or newer.
    Fetched,
    /// Content of a delivery: as old as the delivery. Only its version tells.
    Delivered,
}

/// What is overdue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Dues {
    /// Since when.
    pub since: Timestamp,
    /// Payment attempts so far.
    pub attempts: u32,
    /// When the provider tries again; `None` when it does not.
    pub next_attempt_at: Option<Timestamp>,
    /// The oldest unpaid invoice at the provider.
    pub invoice: Option<String>,
    /// Whether the provider has given up.
    pub exhausted: bool,
}

/// What kind of thing an item sells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ItemType {
    /// The plan itself; its quantity is the seats.
    Plan,
    /// Something on top, recurring.
    Addon,
    /// Something once.
    Charge,
}

impl ItemType {
    /// The spelling of API and database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Plan => "plan",
            Self::Addon => "addon",
            Self::Charge => "charge",
        }
    }
}

/// One line of a subscription.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Item {
    /// The price at the provider.
    pub item_price_id: PriceId,
    /// What it sells.
    pub item_type: ItemType,
    /// How many; 1 where the price has no quantity.
    pub quantity: i64,
    /// Minor units for one.
    pub unit_price: Option<i64>,
    /// Minor units in all.
    pub amount: Option<i64>,
    /// Currency of both.
    pub currency: Option<Currency>,
}

/// A plan change that waits at the provider.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ScheduledItems {
    /// The plan's price from then on, when it changes.
    pub price_id: Option<PriceId>,
    /// Seats from then on.
    pub seats: Option<i64>,
    /// Every line from then on; empty when the provider does not tell.
    pub items: Vec<Item>,
    /// When.
    pub at: Timestamp,
}

/// The provider's view of one subscription at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// The billing provider.
    pub provider: Provider,
    /// Its id of the subscription.
    pub id: ProviderSubscriptionId,
    /// Its id of the customer that pays.
    pub customer_id: ProviderCustomerId,
    /// Our row's id, where the provider carries it (metadata, or as its own id).
    pub our_id: Option<SubscriptionId>,
    /// Our row's id as a cookbook stamped it on the customer (`pendingSubscriptionId`).
    pub pending_id: Option<SubscriptionId>,
    /// The organization that its metadata name, if they do.
    pub organization_id: Option<OrganizationId>,
    /// How it reached us.
    pub origin: Origin,
    /// Grows with every change at the provider; `None` where the provider has no such number.
    pub version: Option<i64>,
    /// The provider's word, as it came.
    pub provider_status: String,
    /// Where it stands.
    pub phase: Phase,
    /// What it sells: the plan and what comes on top.
    pub items: Vec<Item>,
    /// The paid period.
    pub period_start: Option<Timestamp>,
    /// End of the paid period.
    pub period_end: Option<Timestamp>,
    /// When the trial began.
    pub trial_start: Option<Timestamp>,
    /// When the trial ends or ended.
    pub trial_end: Option<Timestamp>,
    /// When it will end; `None` once it has ended or when no end is scheduled.
    pub cancel_at: Option<Timestamp>,
    /// When the end was asked for.
    pub cancelled_at: Option<Timestamp>,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// What is overdue.
    pub dues: Option<Dues>,
    /// A change that waits.
    pub scheduled: Option<ScheduledItems>,
    /// When it will pause; `None` when no pause is scheduled.
    pub pause_at: Option<Timestamp>,
    /// Whether somebody else than us has paused the collection of its invoices, while it goes on.
    pub collection_paused: bool,
    /// Currency of the subscription.
    pub currency: Option<Currency>,
    /// When it was read; shown, never compared.
    pub observed_at: Timestamp,
}

impl Snapshot {
    /// What remains to be said of a row whose subscription the provider does not have any more: it is over.
    pub fn gone(
        row: &Subscription,
        id: &ProviderSubscriptionId,
        customer_id: &ProviderCustomerId,
        now: Timestamp,
    ) -> Self {
        Self {
            provider: row.provider.clone(),
            id: id.clone(),
            customer_id: customer_id.clone(),
            our_id: Some(row.id.clone()),
            pending_id: None,
            organization_id: None,
            origin: Origin::Fetched,
            version: None,
            provider_status: "not found".to_owned(),
            phase: Phase::Ended,
            items: row.items.clone(),
            period_start: row.period_start,
            period_end: row.period_end,
            trial_start: row.trial_start,
            trial_end: row.trial_end,
            cancel_at: None,
            cancelled_at: row.cancelled_at,
            ended_at: row.ended_at.or(Some(now)),
            dues: None,
            scheduled: None,
            pause_at: None,
            collection_paused: false,
            currency: None,
            observed_at: now,
        }
    }

    /// The plan's line: found by its type, not by its position; at least one is expected.
    pub fn plan_item(&self) -> Option<&Item> {
        self.items.iter().find(|item| item.item_type == ItemType::Plan)
    }

    /// Purchased seats: the quantity of the plan's line.
    pub fn seats(&self) -> Option<i64> {
        self.plan_item().map(|item| item.quantity)
    }
}
