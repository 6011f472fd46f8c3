//! Subscriptions and their items.

use serde_json::{Value, json};

use super::{catalog, included};
use crate::stripe::account::Account;
use crate::stripe::account::model::{BillingMode, PendingUpdate, Subscription, SubscriptionItem};
use crate::stripe::version::plan;

pub(super) fn subscription(account: &Account, row: &Subscription) -> Value {
    let items = row.items.iter().map(|one| item(account, row, one)).collect();
    let customer = account.customers.get(&row.customer);
    let mut object = json!({
        "id": row.id,
        "object": "subscription",
        "application": null,
        "application_fee_percent": null,
        "automatic_tax": { "disabled_reason": null, "enabled": false, "liability": null },
        "billing_cycle_anchor": row.anchor,
        "billing_cycle_anchor_config": null,
        "billing_mode": billing_mode(row.billing_mode, row.created),
        "billing_schedules": [],
        "billing_thresholds": null,
        "cancel_at": row.cancel_at,
        "cancel_at_period_end": row.cancel_at_period_end,
        "canceled_at": row.canceled_at,
        "cancellation_details": {
            "comment": row.cancellation.comment,
            "feedback": row.cancellation.feedback,
            "feedback_option": null,
            "reason": row.cancellation.reason,
        },
        "collection_method": row.collection_method.as_str(),
        "created": row.created,
        "currency": row.currency,
        "customer": row.customer,
        "customer_account": null,
        "days_until_due": row.days_until_due,
        "default_payment_method": row.default_payment_method,
        "default_source": null,
        "default_tax_rates": [],
        "description": row.description,
        "discounts": [],
        "ended_at": row.ended_at,
        "invoice_settings": {
            "account_tax_ids": null,
            "custom_fields": null,
            "description": null,
            "footer": null,
            "issuer": { "type": "self" },
        },
        "items": included(items, &format!("/v1/subscription_items?subscription={}", row.id)),
        "latest_invoice": row.latest_invoice,
        "livemode": false,
        "managed_payments": null,
        "metadata": row.metadata,
        "next_pending_invoice_item_invoice": null,
        "on_behalf_of": null,
        "pause_collection": row.pause_collection.map(|pause| {
            json!({ "behavior": pause.behavior.as_str(), "resumes_at": pause.resumes_at })
        }),
        "payment_settings": {
            "payment_method_options": null,
            "payment_method_types": null,
            "save_default_payment_method": if row.saves_default_method { "on_subscription" } else { "off" },
        },
        "pending_invoice_item_interval": null,
        "pending_setup_intent": row.pending_setup_intent,
        "pending_update": row.pending_update.as_ref().map(|update| pending_update(account, row, update)),
        "schedule": row.schedule,
        "start_date": row.start_date,
        "status": row.status.as_str(),
        "test_clock": customer.and_then(|customer| customer.test_clock.clone()),
        "transfer_data": null,
        "trial_end": row.trial_end,
        "trial_settings": {
            "end_behavior": { "billing_cycle_anchor": null, "missing_payment_method": row.missing_method.as_str() },
        },
        "trial_start": row.trial_start,
    });
    if let Some((why, since)) = row.paused {
        object["status_details"] = json!({
            "paused": { "subscription": { "type": why.as_str() }, "transitioned_at": since, "type": "subscription" },
        });
    }
    object
}

pub(super) fn billing_mode(mode: BillingMode, since: i64) -> Value {
    match mode {
        BillingMode::Classic => json!({ "flexible": null, "type": "classic" }),
        BillingMode::Flexible => json!({
            "flexible": { "proration_discounts": "included" },
            "type": "flexible",
            "updated_at": since,
        }),
    }
}

/// One item of a subscription.
pub(crate) fn item(account: &Account, subscription: &Subscription, row: &SubscriptionItem) -> Value {
    let price = account.prices.get(&row.price).map(catalog::price).unwrap_or_default();
    let mut object = json!({
        "id": row.id,
        "object": "subscription_item",
        "billing_thresholds": null,
        "created": row.created,
        "current_period_end": subscription.period_end,
        "current_period_start": subscription.period_start,
        "current_trial": null,
        "discounts": [],
        "metadata": row.metadata,
        "plan": plan(&price),
        "price": price,
        "subscription": subscription.id,
        "tax_rates": [],
    });
    if let Some(quantity) = row.quantity {
        object["quantity"] = quantity.into();
    }
    if let Some(billed) = row.billed {
        object["billed_until"] = billed.to.into();
    }
    object
}

fn pending_update(account: &Account, subscription: &Subscription, update: &PendingUpdate) -> Value {
    let items = update.items.as_ref().map(|items| {
        let items: Vec<Value> = items.iter().map(|one| item(account, subscription, one)).collect();
        items
    });
    json!({
        "billing_cycle_anchor": update.billing_cycle_anchor,
        "cancel_at_period_end": null,
        "discount": null,
        "discounts": null,
        "expires_at": update.expires_at,
        "metadata": null,
        "subscription_items": items,
        "trial_end": update.trial_end,
        "trial_from_plan": null,
    })
}
