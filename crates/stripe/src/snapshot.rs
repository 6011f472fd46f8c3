//! What a subscription of Stripe means in our words.

use tollkeeper_core::{
    ids::SubscriptionId,
    money::Currency,
    snapshot::{Dues, Item, Origin, Phase, Snapshot},
    time::Timestamp,
};

use crate::{
    NAME, items,
    pausing::{self, Pause},
    schedule,
    wire::{self, Invoice, Subscription, instant},
};

/// Translates a subscription with what was read beside it: its dues. Customer and schedule are read from it where they
/// are whole.
///
/// `now` is when it was read; without it, the instant at which the subscription was made stands in for that.
pub(crate) fn snapshot(subscription: &Subscription, dues: Option<Dues>, now: Option<Timestamp>) -> Snapshot {
    let phase = phase(subscription);
    let pause = pausing::pause(subscription, phase, now);
    let end = End::of(subscription, phase);
    let customer = subscription.customer.whole();
    Snapshot {
        provider: NAME.into(),
        id: subscription.id.as_str().into(),
        customer_id: subscription.customer.id().into(),
        our_id: subscription
            .metadata
            .text("subscriptionId")
            .filter(|id| SubscriptionId::is_ours(id))
            .map(SubscriptionId::from),
        pending_id: customer.and_then(|customer| customer.metadata.text("pendingSubscriptionId")).map(Into::into),
        organization_id: subscription
            .metadata
            .text("organizationId")
            .or_else(|| customer?.metadata.text("organizationId"))
            .map(Into::into),
        origin: Origin::Fetched,
        version: None,
        provider_status: subscription.status.clone(),
        phase: if pause == Pause::Begun { Phase::Paused } else { phase },
        items: lines(subscription),
        period_start: instant(subscription.period_start()),
        period_end: instant(subscription.period_end()),
        trial_start: instant(subscription.trial_start),
        trial_end: instant(subscription.trial_end),
        cancel_at: end.cancel_at,
        cancelled_at: end.cancelled_at,
        ended_at: end.ended_at,
        dues,
        scheduled: schedule::scheduled(subscription),
        pause_at: match pause {
            Pause::At(at) => Some(at),
            Pause::None | Pause::Begun => None,
        },
        collection_paused: pausing::is_paused_by_others(subscription, phase, pause),
        currency: currency(subscription),
        observed_at: now.or_else(|| instant(subscription.created)).unwrap_or(Timestamp::from_micros(0)),
    }
}

/// Where it stands, without a pause that we asked for. Source: API reference, "Subscriptions", `status`.
///
/// A word that we do not know is read as [`Phase::Incomplete`]: closed under every policy, and still live, so that
/// nobody is sold a second one. The word itself stays in `provider_status`.
pub(crate) fn phase(subscription: &Subscription) -> Phase {
    match subscription.status.as_str() {
        "incomplete" => Phase::Incomplete,
        "incomplete_expired" => Phase::NeverStarted,
        "trialing" => Phase::Trialing,
        "active" => Phase::Active,
        "past_due" => Phase::PastDue,
        "unpaid" => Phase::Unpaid,
        "paused" => Phase::Paused,
        "canceled" => Phase::Ended,
        unknown => {
            let status: String = unknown.chars().take(60).collect();
            tracing::warn!(
                status,
                subscription.id = subscription.id,
                "Stripe has a subscription status that we do not know: its gate stays closed"
            );
            Phase::Incomplete
        }
    }
}

/// Whether it is over, or never began.
pub(crate) fn is_over(subscription: &Subscription) -> bool {
    matches!(phase(subscription), Phase::Ended | Phase::NeverStarted)
}

/// Whether something is overdue on it: only then are its invoices looked at.
pub(crate) fn has_dues(subscription: &Subscription) -> bool {
    matches!(phase(subscription), Phase::PastDue | Phase::Unpaid)
}

/// When it will end; `None` once it is over or when no end is scheduled.
pub(crate) fn cancel_at(subscription: &Subscription) -> Option<Timestamp> {
    End::of(subscription, phase(subscription)).cancel_at
}

/// The three dates of an end.
#[derive(Debug, Default)]
struct End {
    cancel_at: Option<Timestamp>,
    cancelled_at: Option<Timestamp>,
    ended_at: Option<Timestamp>,
}

impl End {
    /// An end is scheduled by a date, by "at the period's end", or by both: which of them is set depends on how it was
    /// asked for and on the version. `canceled_at` is when it was asked for. Source: API reference, "Subscriptions".
    fn of(subscription: &Subscription, phase: Phase) -> Self {
        let asked_at = instant(subscription.canceled_at);
        if matches!(phase, Phase::Ended | Phase::NeverStarted) {
            let ended_at = instant(subscription.ended_at).or(asked_at);
            return Self { cancel_at: None, cancelled_at: asked_at, ended_at };
        }
        let at_period_end = subscription.cancel_at_period_end == Some(true);
        let period_end = instant(subscription.period_end()).filter(|_| at_period_end);
        let cancel_at = instant(subscription.cancel_at).or(period_end);
        Self { cancel_at, cancelled_at: asked_at.filter(|_| cancel_at.is_some()), ended_at: None }
    }
}

pub(crate) fn currency(subscription: &Subscription) -> Option<Currency> {
    subscription.currency.as_deref()?.parse().ok()
}

/// Its lines.
pub(crate) fn lines(subscription: &Subscription) -> Vec<Item> {
    let currency = currency(subscription);
    let types = items::types_of(&subscription.items.data);
    let rows = subscription.items.data.iter().zip(types);
    rows.filter_map(|(row, item_type)| {
        let price = row.price.as_ref()?;
        let quantity = row.quantity.unwrap_or(1);
        let unit_price = unit_price(price, currency);
        Some(Item {
            item_price_id: price.id.as_str().into(),
            item_type,
            quantity,
            unit_price,
            amount: unit_price.map(|unit_price| unit_price.saturating_mul(quantity)),
            currency: currency.or_else(|| price.currency.as_deref()?.parse().ok()),
        })
    })
    .collect()
}

/// Minor units for one. A price in several currencies says it in its first one only, which need not be the
/// subscription's.
pub(crate) fn unit_price(price: &wire::Price, currency: Option<Currency>) -> Option<i64> {
    let own: Option<Currency> = price.currency.as_deref().and_then(|code| code.parse().ok());
    price.unit_amount.filter(|_| currency.is_none() || own == currency)
}

/// What is overdue, from the invoices that are open, in any order, and the latest one.
///
/// The oldest tells since when: a later renewal makes another invoice, and must not make the dues look young. Without
/// any invoice the dues are known to exist since this period began, and not known to be given up. Stripe has given up
/// when the status says so, or when nobody tries any more on what it charges by itself.
pub(crate) fn dues(subscription: &Subscription, open: &[Invoice]) -> Option<Dues> {
    if !has_dues(subscription) {
        return None;
    }
    let latest =
        subscription.latest_invoice.as_ref().and_then(|invoice| invoice.whole()).filter(|invoice| is_owed(invoice));
    let mut owed: Vec<&Invoice> = open.iter().filter(|invoice| is_owed(invoice) && invoice.was_asked_for()).collect();
    if owed.is_empty() {
        owed = open.iter().filter(|invoice| is_owed(invoice)).chain(latest).collect();
    }
    let oldest = owed.iter().copied().min_by_key(|invoice| invoice.due().unwrap_or(i64::MAX));
    let since = instant(oldest.and_then(Invoice::due))
        .or_else(|| instant(subscription.period_start()))
        .or_else(|| instant(subscription.created))?;
    let next_attempt_at = instant(owed.iter().filter_map(|invoice| invoice.next_payment_attempt).min());
    let is_sent = subscription.collection_method.as_deref() == Some("send_invoice");
    Some(Dues {
        since,
        attempts: oldest.and_then(|invoice| u32::try_from(invoice.attempt_count?).ok()).unwrap_or(0),
        next_attempt_at,
        invoice: oldest.map(|invoice| invoice.id.clone()).filter(|id| !id.is_empty()),
        exhausted: phase(subscription) == Phase::Unpaid || (oldest.is_some() && next_attempt_at.is_none() && !is_sent),
    })
}

fn is_owed(invoice: &Invoice) -> bool {
    matches!(invoice.status.as_deref(), Some("open" | "uncollectible"))
}

#[cfg(test)]
mod tests;
