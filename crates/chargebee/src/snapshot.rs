//! What a subscription of Chargebee means in our words.

use tollkeeper_core::{
    ids::{OrganizationId, SubscriptionId},
    money::Currency,
    snapshot::{Dues, Item, ItemType, Origin, Phase, ScheduledItems, Snapshot},
    time::Timestamp,
};

use crate::{
    NAME,
    wire::{Addon, Customer, Invoice, Subscription, SubscriptionItem, instant},
};

/// What is read beside a subscription, because it does not carry it itself.
#[derive(Debug, Default)]
pub(crate) struct Beside {
    pub(crate) dues: Option<Dues>,
    pub(crate) scheduled: Option<ScheduledItems>,
}

/// Translates a subscription.
///
/// `observed_at` is when it was read or delivered; without it, the instant of its last change stands in, the only one
/// that the resource itself knows.
pub(crate) fn snapshot(
    subscription: &Subscription,
    customer: Option<&Customer>,
    beside: Beside,
    origin: Origin,
    observed_at: Option<Timestamp>,
) -> Snapshot {
    let phase = phase(subscription);
    let end = End::of(subscription, phase);
    Snapshot {
        provider: NAME.into(),
        id: subscription.id.as_str().into(),
        customer_id: subscription.customer_id.as_str().into(),
        our_id: our_id(subscription),
        pending_id: customer.and_then(|customer| customer.meta_data.text("pendingSubscriptionId")).map(Into::into),
        organization_id: organization_id(subscription, customer),
        origin,
        version: subscription.resource_version,
        provider_status: subscription.status.clone(),
        phase,
        items: items(subscription),
        period_start: instant(subscription.current_term_start),
        period_end: instant(subscription.current_term_end),
        trial_start: instant(subscription.trial_start),
        trial_end: instant(subscription.trial_end),
        cancel_at: end.cancel_at,
        cancelled_at: end.cancelled_at,
        ended_at: end.ended_at,
        dues: beside.dues,
        scheduled: beside.scheduled,
        // Chargebee knows no such thing.
        collection_paused: false,
        pause_at: instant(subscription.pause_date).filter(|_| matches!(phase, Phase::Trialing | Phase::Active)),
        currency: currency(subscription),
        observed_at: observed_at
            .or_else(|| instant(subscription.updated_at))
            .or_else(|| instant(subscription.created_at))
            .unwrap_or(Timestamp::from_micros(0)),
    }
}

/// Where it stands. Source: API docs, "Subscriptions", `status`.
///
/// A word that we do not know is read as [`Phase::Incomplete`]: closed under every policy, and still live, so that
/// nobody is sold a second one. The word itself stays in `provider_status`.
fn phase(subscription: &Subscription) -> Phase {
    match subscription.status.as_str() {
        _ if subscription.deleted => Phase::Ended,
        "future" => Phase::Future,
        "in_trial" => Phase::Trialing,
        "active" | "non_renewing" => Phase::Active,
        "paused" => Phase::Paused,
        // A transferred row is frozen; another business entity goes on under another id (`active_id`).
        "cancelled" | "transferred" => Phase::Ended,
        unknown => {
            let status: String = unknown.chars().take(60).collect();
            tracing::warn!(
                status,
                subscription.id = subscription.id,
                "Chargebee has a subscription status that we do not know: its gate stays closed"
            );
            Phase::Incomplete
        }
    }
}

/// The three dates of an end.
#[derive(Debug, Default)]
struct End {
    cancel_at: Option<Timestamp>,
    cancelled_at: Option<Timestamp>,
    ended_at: Option<Timestamp>,
}

impl End {
    /// Tells the dates apart: `cancelled_at` is when it was cancelled *or* when it is set to be, by the status.
    ///
    /// Outside of `non_renewing` an end is scheduled only when `cancel_schedule_created_at` says so: a trial that is set
    /// to end keeps its status. Source: API docs, "Cancel a subscription".
    fn of(subscription: &Subscription, phase: Phase) -> Self {
        let cancelled_at = instant(subscription.cancelled_at);
        let asked_at = instant(subscription.cancel_schedule_created_at);
        if phase == Phase::Ended {
            let ended_at = if subscription.status == "cancelled" { cancelled_at } else { None };
            return Self {
                cancel_at: None,
                cancelled_at: asked_at.or(ended_at),
                ended_at: ended_at.or_else(|| instant(subscription.updated_at)),
            };
        }
        let is_non_renewing = subscription.status == "non_renewing";
        if !is_non_renewing && asked_at.is_none() {
            return Self::default();
        }
        // The status says that it ends, so there must be an instant: without one it would count as renewing.
        let term_end = if is_non_renewing { instant(subscription.current_term_end) } else { None };
        Self { cancel_at: cancelled_at.or(term_end), cancelled_at: asked_at.or(cancelled_at), ended_at: None }
    }
}

/// Our row: from the metadata, or because it has the id that we proposed at the checkout.
fn our_id(subscription: &Subscription) -> Option<SubscriptionId> {
    [subscription.meta_data.text("subscriptionId"), Some(subscription.id.as_str())]
        .into_iter()
        .flatten()
        .find(|id| SubscriptionId::is_ours(id))
        .map(Into::into)
}

fn organization_id(subscription: &Subscription, customer: Option<&Customer>) -> Option<OrganizationId> {
    subscription
        .meta_data
        .text("organizationId")
        .or_else(|| customer?.meta_data.text("organizationId"))
        .map(OrganizationId::from)
}

fn currency(subscription: &Subscription) -> Option<Currency> {
    subscription.currency_code.as_deref()?.parse().ok()
}

/// Its lines, whichever catalog the site has.
pub(crate) fn items(subscription: &Subscription) -> Vec<Item> {
    let currency = currency(subscription);
    if !subscription.subscription_items.is_empty() {
        return subscription.subscription_items.iter().map(|row| line(row, currency)).collect();
    }
    let plan = subscription.plan_id.as_deref().map(|id| Item {
        item_price_id: id.into(),
        item_type: ItemType::Plan,
        quantity: subscription.plan_quantity.unwrap_or(1),
        unit_price: subscription.plan_unit_price,
        amount: subscription.plan_amount,
        currency,
    });
    plan.into_iter().chain(subscription.addons.iter().map(|row| addon(row, currency))).collect()
}

fn line(row: &SubscriptionItem, currency: Option<Currency>) -> Item {
    Item {
        item_price_id: row.item_price_id.as_str().into(),
        item_type: match row.item_type.as_deref() {
            Some("plan") => ItemType::Plan,
            Some("charge") => ItemType::Charge,
            // What we do not know comes on top of the plan and never counts as seats.
            _ => ItemType::Addon,
        },
        quantity: row.quantity.or_else(|| whole_part(row.quantity_in_decimal.as_deref()?)).unwrap_or(1),
        unit_price: row.unit_price,
        amount: row.amount,
        currency,
    }
}

/// The whole part of a decimal: half a seat is none.
fn whole_part(decimal: &str) -> Option<i64> {
    decimal.split('.').next()?.parse().ok()
}

fn addon(row: &Addon, currency: Option<Currency>) -> Item {
    Item {
        item_price_id: row.id.as_str().into(),
        item_type: ItemType::Addon,
        quantity: row.quantity.unwrap_or(1),
        unit_price: row.unit_price,
        amount: row.amount,
        currency,
    }
}

/// Whether something is overdue on it. Dues live beside the status: it stays `active` while they are collected.
pub(crate) fn has_dues(subscription: &Subscription) -> bool {
    subscription.due_since.is_some() || subscription.due_invoices_count.is_some_and(|count| count > 0)
}

/// Whether a subscription tells all there is to know: nothing is overdue on it, and nothing waits.
pub(crate) fn is_whole(subscription: &Subscription) -> bool {
    !has_dues(subscription) && !subscription.has_scheduled_changes
}

/// What is overdue, from the subscription and its invoices that are not paid, in any order.
///
/// Without an invoice the dues are those of the subscription alone: known to exist, not known to be given up.
pub(crate) fn dues(subscription: &Subscription, invoices: &[Invoice]) -> Option<Dues> {
    let oldest = invoices.iter().min_by_key(|invoice| invoice.due().unwrap_or(i64::MAX));
    let since = instant(subscription.due_since)
        .or_else(|| instant(oldest.and_then(Invoice::due)))
        .or_else(|| instant(subscription.updated_at))
        .filter(|_| has_dues(subscription))?;
    Some(Dues {
        since,
        attempts: oldest.map_or(0, |invoice| u32::try_from(invoice.dunning_attempts.len()).unwrap_or(u32::MAX)),
        next_attempt_at: instant(
            invoices.iter().filter(|invoice| !invoice.is_given_up()).filter_map(|invoice| invoice.next_retry_at).min(),
        ),
        invoice: oldest.map(|invoice| invoice.id.clone()),
        exhausted: invoices.iter().any(Invoice::is_given_up),
    })
}

/// What waits, from the subscription as it is and as it will be.
pub(crate) fn scheduled(now: &Subscription, then: &Subscription) -> Option<ScheduledItems> {
    let at = instant(now.changes_scheduled_at.or(then.changes_scheduled_at).or(now.current_term_end))?;
    let (lines_now, items) = (items(now), items(then));
    let plan = |lines: &[Item]| lines.iter().find(|item| item.item_type == ItemType::Plan).cloned();
    let (current, next) = (plan(&lines_now), plan(&items));
    let changes_price =
        next.as_ref().map(|item| &item.item_price_id) != current.as_ref().map(|item| &item.item_price_id);
    Some(ScheduledItems {
        seats: next.as_ref().map(|item| item.quantity),
        price_id: next.filter(|_| changes_price).map(|item| item.item_price_id),
        items,
        at,
    })
}

#[cfg(test)]
mod tests;
