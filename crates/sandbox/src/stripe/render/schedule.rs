//! Subscription schedules.

use serde_json::{Value, json};

use super::{catalog, subscription};
use crate::stripe::account::Account;
use crate::stripe::account::model::{BillingMode, Phase, PhaseItem, Schedule};
use crate::stripe::version::plan;

pub(super) fn schedule(account: &Account, row: &Schedule) -> Value {
    let current = row.current.and_then(|position| row.phases.get(position));
    let managed = row.subscription.as_ref().or(row.released_subscription.as_ref());
    let managed = managed.and_then(|id| account.subscriptions.get(id));
    let mode = managed.map_or(BillingMode::Flexible, |subscription| subscription.billing_mode);
    let phases: Vec<Value> = row.phases.iter().map(|one| phase(account, one)).collect();
    let customer = account.customers.get(&row.customer);
    json!({
        "id": row.id,
        "object": "subscription_schedule",
        "application": null,
        "billing_mode": subscription::billing_mode(mode, row.created),
        "canceled_at": row.canceled_at,
        "completed_at": row.completed_at,
        "created": row.created,
        "current_phase": current.map(|phase| json!({ "end_date": phase.end_date, "start_date": phase.start_date })),
        "customer": row.customer,
        "customer_account": null,
        "default_settings": {
            "application_fee_percent": null,
            "automatic_tax": { "disabled_reason": null, "enabled": false, "liability": null },
            "billing_cycle_anchor": "automatic",
            "billing_thresholds": null,
            "collection_method": "charge_automatically",
            "default_payment_method": null,
            "description": null,
            "invoice_settings": {
                "account_tax_ids": null,
                "custom_fields": null,
                "days_until_due": null,
                "description": null,
                "footer": null,
                "issuer": { "type": "self" },
            },
            "on_behalf_of": null,
            "transfer_data": null,
        },
        "end_behavior": row.end_behavior.as_str(),
        "livemode": false,
        "metadata": row.metadata,
        "pause_schedules": [],
        "phases": phases,
        "released_at": row.released_at,
        "released_subscription": row.released_subscription,
        "status": row.status.as_str(),
        "subscription": row.subscription,
        "test_clock": customer.and_then(|customer| customer.test_clock.clone()),
    })
}

fn phase(account: &Account, row: &Phase) -> Value {
    let items: Vec<Value> = row.items.iter().map(|one| item(account, one)).collect();
    json!({
        "add_invoice_items": [],
        "application_fee_percent": null,
        "billing_cycle_anchor": row.anchors_at_start.then_some("phase_start"),
        "billing_thresholds": null,
        "collection_method": null,
        "currency": row.currency,
        "default_payment_method": null,
        "default_tax_rates": [],
        "description": null,
        "discounts": [],
        "end_date": row.end_date,
        "invoice_settings": null,
        "items": items,
        "metadata": row.metadata,
        "on_behalf_of": null,
        "proration_behavior": row.proration_behavior.as_str(),
        "start_date": row.start_date,
        "transfer_data": null,
        "trial_end": row.trial_end,
    })
}

fn item(account: &Account, row: &PhaseItem) -> Value {
    let price = account.prices.get(&row.price).map(catalog::price).unwrap_or_default();
    let mut object = json!({
        "billing_thresholds": null,
        "discounts": [],
        "metadata": row.metadata,
        "plan": plan(&price)["id"],
        "price": row.price,
        "tax_rates": [],
    });
    if let Some(quantity) = row.quantity {
        object["quantity"] = quantity.into();
    }
    object
}
