//! A subscription, as it is and as it will be.

use serde_json::{Value, json};

use super::put;
use crate::chargebee::site::Site;
use crate::chargebee::site::catalog::{Item, Rate, amount_of};
use crate::chargebee::site::model::{Status, Subscription};
use crate::moment::PeriodUnit;

/// Renders the subscription at a position, as it is now.
pub(crate) fn subscription(site: &Site, position: usize) -> Value {
    let row = &site.subscriptions[position];
    let dues: i64 = row.unpaid.iter().map(|invoice| site.invoices[*invoice].amount_due()).sum();
    let (items, tiers) = items(&row.items);
    let mut object = json!({
        "id": row.id,
        "billing_period": row.billing_period,
        "billing_period_unit": row.billing_period_unit.as_str(),
        "customer_id": row.customer_id,
        "status": row.status.as_str(),
        "created_at": row.created_at,
        "updated_at": row.stamp.updated_at,
        "has_scheduled_changes": row.scheduled_change.is_some(),
        "has_scheduled_advance_invoices": false,
        "decommissioned": false,
        "channel": "web",
        "resource_version": row.stamp.resource_version,
        "deleted": row.deleted,
        "object": "subscription",
        "currency_code": row.currency,
        "subscription_items": items,
        "due_invoices_count": row.unpaid.len(),
        "mrr": monthly(row),
        "create_pending_invoices": false,
    });
    put(&mut object, "item_tiers", tiers);
    put(&mut object, "start_date", row.start_date.filter(|_| row.status == Status::Future));
    put(&mut object, "trial_start", row.trial_start);
    // An asked-for trial that has not begun is shown only where the subscription has not begun either.
    put(&mut object, "trial_end", row.trial_end.filter(|_| row.trial_start.is_some() || row.status == Status::Future));
    put(&mut object, "current_term_start", row.term.map(|term| term.start));
    put(&mut object, "current_term_end", row.term.map(|term| term.end));
    put(&mut object, "next_billing_at", row.next_billing_at());
    put(&mut object, "started_at", row.started_at);
    put(&mut object, "activated_at", row.activated_at);
    let scheduled = row.scheduled_cancel.as_ref();
    put(&mut object, "remaining_billing_cycles", scheduled.map(|_| 0));
    put(&mut object, "cancelled_at", row.cancelled_at.or(scheduled.map(|cancel| cancel.at)));
    put(&mut object, "cancel_schedule_created_at", scheduled.map(|cancel| cancel.asked_at));
    put(&mut object, "cancel_reason", row.cancel_reason);
    put(&mut object, "cancel_reason_code", row.cancel_reason_code.as_deref());
    put(&mut object, "pause_date", row.pause_date);
    put(&mut object, "resume_date", row.resume_date);
    put(&mut object, "changes_scheduled_at", row.scheduled_change.as_ref().map(|change| change.at));
    if let Some(oldest) = row.unpaid.first() {
        put(&mut object, "due_since", Some(site.invoices[*oldest].date));
        put(&mut object, "total_dues", Some(dues));
    }
    put(&mut object, "auto_collection", row.auto_collection.map(|on| if on { "on" } else { "off" }));
    put(&mut object, "meta_data", row.meta_data.clone());
    object
}

/// Renders the subscription as it will be once its scheduled change is applied.
pub(crate) fn subscription_as_scheduled(site: &Site, position: usize) -> Value {
    let mut object = subscription(site, position);
    if let Some(change) = &site.subscriptions[position].scheduled_change {
        let (items, tiers) = items(&change.items);
        put(&mut object, "subscription_items", Some(items));
        if let Some(members) = object.as_object_mut() {
            members.remove("item_tiers");
        }
        put(&mut object, "item_tiers", tiers);
        if let Ok(basket) = site.basket(change.items.clone()) {
            put(&mut object, "billing_period", Some(basket.period));
            put(&mut object, "billing_period_unit", Some(basket.unit.as_str()));
        }
    }
    object
}

/// The rows of `subscription_items`, and of `item_tiers` where there are any.
fn items(items: &[Item]) -> (Vec<Value>, Option<Vec<Value>>) {
    let mut tiers = Vec::new();
    let mut rows = Vec::with_capacity(items.len());
    for item in items {
        let mut entry = json!({
            "item_price_id": item.item_price_id,
            "item_type": item.item_type.as_str(),
            "quantity": item.quantity,
            "amount": item.amount(),
            "free_quantity": 0,
            "object": "subscription_item",
        });
        match &item.rate {
            Rate::PerUnit(price) | Rate::FlatFee(price) => put(&mut entry, "unit_price", Some(*price)),
            Rate::Stairstep(steps) => {
                for (index, mut tier) in super::catalog::tiers(steps).into_iter().enumerate() {
                    put(&mut tier, "item_price_id", Some(item.item_price_id.as_str()));
                    put(&mut tier, "index", Some(index));
                    put(&mut tier, "object", Some("item_tier"));
                    tiers.push(tier);
                }
            }
        }
        rows.push(entry);
    }
    (rows, Some(tiers).filter(|tiers| !tiers.is_empty()))
}

/// What the items amount to in a month, in minor units.
fn monthly(row: &Subscription) -> i64 {
    if !matches!(row.status, Status::Active | Status::NonRenewing) {
        return 0;
    }
    let amount = amount_of(&row.items, false);
    let periods = row.billing_period.max(1);
    match row.billing_period_unit {
        PeriodUnit::Month => amount / periods,
        PeriodUnit::Year => amount / 12 / periods,
    }
}
