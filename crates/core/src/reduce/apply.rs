//! A row, with a snapshot taken in.

use super::due;
use crate::{
    account::Account,
    catalog::{Catalog, Grace},
    gate,
    ids::SubscriptionId,
    snapshot::{Dues, Item, Snapshot},
    status::Status,
    subscription::{CheckoutItem, ScheduledChange, Subscription},
    time::Timestamp,
};

/// The row as the snapshot makes it. What the snapshot does not tell is kept.
pub(super) fn apply(
    account: &Account,
    row: &Subscription,
    snapshot: &Snapshot,
    catalog: &Catalog,
    now: Timestamp,
) -> Subscription {
    let status = Status::of(snapshot);
    let price_id = snapshot.plan_item().map(|item| item.item_price_id.clone());
    let plan = price_id.as_ref().and_then(|price| catalog.plan_of(&snapshot.provider, price));
    let plan_version = match plan {
        // Whoever has a plan keeps the version that was bought.
        Some(plan) if row.plan.as_ref() == Some(&plan.name) && row.plan_version.is_some() => row.plan_version,
        Some(plan) => Some(plan.version),
        None => None,
    };
    let overdue = matches!(status, Status::PastDue | Status::Unpaid);
    let dues = snapshot.dues.clone().filter(|_| overdue);
    let mut next = Subscription {
        provider_customer_id: Some(snapshot.customer_id.clone()),
        provider_subscription_id: Some(snapshot.id.clone()),
        status,
        provider_status: Some(snapshot.provider_status.clone()),
        plan: plan.map(|plan| plan.name.clone()),
        plan_version,
        plan_group: plan.map_or_else(|| row.plan_group.clone(), |plan| plan.group.clone()),
        price_id,
        seats: snapshot.seats().map(|seats| seats.max(0)),
        period_start: snapshot.period_start,
        period_end: snapshot.period_end,
        trial_start: snapshot.trial_start,
        trial_end: snapshot.trial_end,
        cancel_at: snapshot.cancel_at.filter(|_| !status.is_over()),
        cancelled_at: snapshot.cancelled_at,
        ended_at: status.is_over().then(|| snapshot.ended_at.or(row.ended_at).unwrap_or(now)),
        scheduled: snapshot.scheduled.as_ref().filter(|_| !status.is_over()).map(|change| ScheduledChange {
            plan: change
                .price_id
                .as_ref()
                .and_then(|price| catalog.plan_of(&snapshot.provider, price))
                .map(|plan| plan.name.clone()),
            seats: change.seats,
            items: change.items.iter().map(line).collect(),
            at: change.at,
        }),
        owed_change: row.owed_change.clone().filter(|_| !status.is_over()),
        pause_at: snapshot.pause_at.filter(|_| !status.is_over() && status != Status::Paused),
        collection_paused: snapshot.collection_paused && !status.is_over(),
        grace_until: dues.as_ref().and_then(|dues| grace_until(row, snapshot, dues, catalog)),
        dues,
        items: snapshot.items.clone(),
        provider_version: row.provider_version.max(snapshot.version),
        observed_at: Some(snapshot.observed_at),
        ..row.clone()
    };
    if next.activated_at.is_none() && gate::access(&next, catalog.policy(), now).granted {
        next.activated_at = Some(now);
    }
    next.duplicate_of = duplicate_of(account, row, &next);
    due::remind(&mut next, catalog.policy(), now);
    next.due_at = due::next(&next, catalog.policy(), now);
    next
}

fn line(item: &Item) -> CheckoutItem {
    CheckoutItem { price_id: item.item_price_id.clone(), quantity: item.quantity, item_type: item.item_type }
}

/// The subscription that was live when this one became live too. Who is second is decided once, and forgotten when the
/// first is over.
fn duplicate_of(account: &Account, row: &Subscription, next: &Subscription) -> Option<SubscriptionId> {
    let first = |other: &&Subscription| {
        other.id != next.id
            && other.plan_group == next.plan_group
            && other.status.runs()
            && other.duplicate_of.is_none()
    };
    let mut others = account.subscriptions.iter().filter(first);
    if !next.status.runs() {
        return None;
    }
    match &row.duplicate_of {
        Some(known) => others.find(|other| other.id == *known).map(|other| other.id.clone()),
        None if row.status.runs() => None,
        None => others.next().map(|other| other.id.clone()),
    }
}

/// When the grace ends that began with these dues. Decided once: later renewals don't extend it.
fn grace_until(row: &Subscription, snapshot: &Snapshot, dues: &Dues, catalog: &Catalog) -> Option<Timestamp> {
    if row.dues.as_ref().is_some_and(|known| known.since == dues.since) {
        return row.grace_until;
    }
    let plan = snapshot.plan_item().and_then(|item| catalog.plan_of(&snapshot.provider, &item.item_price_id));
    match catalog.grace(plan.map(|plan| &plan.name)) {
        Grace::None => None,
        Grace::For(span) => Some(dues.since.plus(span)),
        Grace::PeriodEnd => {
            let around = |start: Option<Timestamp>, end: Option<Timestamp>| {
                start.zip(end).filter(|(start, end)| *start <= dues.since && dues.since < *end).map(|(_, end)| end)
            };
            around(snapshot.period_start, snapshot.period_end)
                .or_else(|| around(row.period_start, row.period_end))
                // The period in which they began is over and was never seen: it ended when this one began, at the latest.
                .or(snapshot.period_start)
        }
    }
}
