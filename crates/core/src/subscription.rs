//! Our row of a subscription.

use serde::{Deserialize, Serialize};

use crate::{
    ids::{OrganizationId, PlanName, PriceId, Provider, ProviderCustomerId, ProviderSubscriptionId, SubscriptionId},
    money::Currency,
    snapshot::{Dues, Item, ItemType},
    status::Status,
    time::Timestamp,
};

/// A plan change that waits, in the words of our catalog.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ScheduledChange {
    /// The plan from then on; `None` when only the seats change or the price is unknown to us.
    pub plan: Option<PlanName>,
    /// Seats from then on.
    pub seats: Option<i64>,
    /// Every line from then on; empty when the provider does not tell.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub items: Vec<CheckoutItem>,
    /// When.
    pub at: Timestamp,
}

/// The second half of a change that takes two calls at the provider, written down before the first one.
///
/// Some providers forget what is scheduled when something changes at once; it is then scheduled again. Whoever finds
/// this on a row after a crash looks whether the first half happened, and does the second.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OwedChange {
    /// The lines that the first call puts in place.
    pub now: Vec<CheckoutItem>,
    /// The lines that wait for the period's end.
    pub then: Vec<CheckoutItem>,
    /// When somebody must look whether it was done, in business time.
    pub look_at: Timestamp,
}

/// A checkout attempt: the `future` row itself is the attempt, durable before the first provider call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Checkout {
    /// Names the attempt; idempotency keys towards the provider derive from it.
    pub key: String,
    /// How often the provider was asked; the next key is `key` and this number.
    pub tries: i64,
    /// Exactly what was asked for, so that a repeat asks for the same.
    pub params: CheckoutParams,
    /// The provider's id of the hosted page, once it exists.
    pub reference: Option<String>,
    /// Where the person pays, once it exists.
    pub url: Option<String>,
    /// When the hosted page stops working.
    pub expires_at: Timestamp,
}

/// What a person chose, and where to go afterwards.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CheckoutParams {
    /// The plan's price first, then what comes on top.
    pub items: Vec<CheckoutItem>,
    /// What every line is paid in.
    pub currency: Currency,
    /// When the trial ends; `None` declines the price's own trial explicitly.
    pub trial_end: Option<Timestamp>,
    /// Where the person lands after paying: checked, on our own site or an allowed origin.
    pub success_url: String,
    /// Where the person lands after giving up.
    pub cancel_url: String,
    /// Who started it.
    pub user_id: Option<String>,
    /// The request's own metadata, kept on our row.
    #[serde(default)]
    pub metadata: serde_json::Value,
}

/// One line of a checkout.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CheckoutItem {
    /// The price at the provider.
    pub price_id: PriceId,
    /// How many; always sent.
    pub quantity: i64,
    /// What it sells.
    pub item_type: ItemType,
}

impl CheckoutParams {
    /// Whether a person who chose `other` may be sent to the checkout of `self`: the same lines in the same currency, and
    /// the same trial offer.
    pub fn same_choice(&self, other: &Self) -> bool {
        self.items == other.items
            && self.currency == other.currency
            && self.trial_end.is_some() == other.trial_end.is_some()
    }
}

/// Our row of a subscription. Begins as `future` before the checkout, so that everything later has something to meet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Subscription {
    /// Ours.
    pub id: SubscriptionId,
    /// Whose it is.
    pub organization_id: OrganizationId,
    /// Who bills it.
    pub provider: Provider,
    /// The customer there.
    pub provider_customer_id: Option<ProviderCustomerId>,
    /// The subscription there, once one exists.
    pub provider_subscription_id: Option<ProviderSubscriptionId>,
    /// In our words.
    pub status: Status,
    /// In the provider's word.
    pub provider_status: Option<String>,
    /// The plan of our catalog; `None` when the price is unknown to us.
    pub plan: Option<PlanName>,
    /// The plan's version that this subscriber has.
    pub plan_version: Option<i64>,
    /// At most one live subscription per organization and group.
    pub plan_group: String,
    /// The plan's price at the provider.
    pub price_id: Option<PriceId>,
    /// Purchased seats.
    pub seats: Option<i64>,
    /// The paid period.
    pub period_start: Option<Timestamp>,
    /// End of the paid period.
    pub period_end: Option<Timestamp>,
    /// When the trial began.
    pub trial_start: Option<Timestamp>,
    /// When the trial ends or ended.
    pub trial_end: Option<Timestamp>,
    /// When it will end; `None` once it has ended.
    pub cancel_at: Option<Timestamp>,
    /// When the end was asked for.
    pub cancelled_at: Option<Timestamp>,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// When the gate first opened.
    pub activated_at: Option<Timestamp>,
    /// A change that waits.
    pub scheduled: Option<ScheduledChange>,
    /// A change of ours that is half done.
    pub owed_change: Option<OwedChange>,
    /// When it will pause.
    pub pause_at: Option<Timestamp>,
    /// Whether somebody at the provider has paused the collection of its invoices, while it goes on.
    pub collection_paused: bool,
    /// The live subscription of the same group that was there first: this one was paid a second time.
    pub duplicate_of: Option<SubscriptionId>,
    /// The trial end whose approach was told.
    pub trial_end_told: Option<Timestamp>,
    /// What is overdue.
    pub dues: Option<Dues>,
    /// The end of the grace that began with the dues; `None` when there is no grace or nothing is overdue.
    pub grace_until: Option<Timestamp>,
    /// Free, from the request that made it.
    pub metadata: serde_json::Value,
    /// The checkout attempt that this row is or was.
    pub checkout: Option<Checkout>,
    /// Its lines.
    pub items: Vec<Item>,
    /// The provider's version of what we know; never goes down.
    pub provider_version: Option<i64>,
    /// When the provider was last seen; shown, never compared.
    pub observed_at: Option<Timestamp>,
    /// The next business instant at which time alone matters.
    pub due_at: Option<Timestamp>,
    /// Bumped with every write; a writer whose version is old has lost.
    pub version: i64,
}

impl Subscription {
    /// A row for a checkout that is about to begin.
    pub fn future(id: SubscriptionId, organization_id: OrganizationId, provider: Provider, group: &str) -> Self {
        Self {
            id,
            organization_id,
            provider,
            provider_customer_id: None,
            provider_subscription_id: None,
            status: Status::Future,
            provider_status: None,
            plan: None,
            plan_version: None,
            plan_group: group.to_owned(),
            price_id: None,
            seats: None,
            period_start: None,
            period_end: None,
            trial_start: None,
            trial_end: None,
            cancel_at: None,
            cancelled_at: None,
            ended_at: None,
            activated_at: None,
            scheduled: None,
            owed_change: None,
            pause_at: None,
            collection_paused: false,
            duplicate_of: None,
            trial_end_told: None,
            dues: None,
            grace_until: None,
            metadata: serde_json::Value::Null,
            checkout: None,
            items: Vec::new(),
            provider_version: None,
            observed_at: None,
            due_at: None,
            version: 0,
        }
    }

    /// Whether this is a checkout that a person may still finish.
    pub fn is_open_checkout(&self, now: Timestamp) -> bool {
        self.status == Status::Future
            && self.provider_subscription_id.is_none()
            && self.checkout.as_ref().is_some_and(|checkout| checkout.expires_at > now)
    }
}
