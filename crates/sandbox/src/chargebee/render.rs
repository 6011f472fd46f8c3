//! Records as they appear on the wire. Members that do not apply are left out, as the provider does.
//!
//! Source: Chargebee API docs, version 2, the "attributes" of each resource.

use serde_json::{Value, json};

use super::site::Site;
use super::site::catalog::{CatalogItem, ItemPrice, ItemType, Pricing};
use super::site::model::{Event, InvoiceStatus, LineItem, PageTask, Status};
use crate::moment::PeriodUnit;

fn put(object: &mut Value, name: &str, value: Option<impl Into<Value>>) {
    if let (Some(object), Some(value)) = (object.as_object_mut(), value) {
        object.insert(name.to_owned(), value.into());
    }
}

/// Renders the customer at a position.
pub(crate) fn customer(site: &Site, position: usize) -> Value {
    let row = &site.customers[position];
    let mut object = json!({
        "id": row.id,
        "auto_collection": if row.auto_collection { "on" } else { "off" },
        "net_term_days": 0,
        "allow_direct_debit": false,
        "created_at": row.created_at,
        "taxability": "taxable",
        "updated_at": row.stamp.updated_at,
        "pii_cleared": "active",
        "channel": "web",
        "resource_version": row.stamp.resource_version,
        "deleted": row.deleted,
        "object": "customer",
        "card_status": if row.card.is_some() { "valid" } else { "no_card" },
        "promotional_credits": 0,
        "refundable_credits": row.refundable_credits,
        "excess_payments": 0,
        "unbilled_charges": 0,
    });
    for (name, text) in &row.texts {
        put(&mut object, name, Some(text.as_str()));
    }
    if !row.billing_address.is_empty() {
        let mut address = json!({ "validation_status": "not_validated", "object": "billing_address" });
        for (name, text) in &row.billing_address {
            put(&mut address, name, Some(text.as_str()));
        }
        put(&mut object, "billing_address", Some(address));
    }
    if let Some(stored) = &row.card {
        put(&mut object, "primary_payment_source_id", Some(stored.payment_source_id.as_str()));
        let method = json!({
            "object": "payment_method",
            "type": "card",
            "reference_id": stored.reference_id,
            "gateway": "chargebee",
            "gateway_account_id": site.gateway_account_id,
            "status": "valid",
        });
        put(&mut object, "payment_method", Some(method));
    }
    put(&mut object, "meta_data", row.meta_data.clone());
    object
}

/// Renders a customer's card, if there is one.
pub(crate) fn payment_source(site: &Site, customer: usize) -> Option<Value> {
    let row = &site.customers[customer];
    let stored = row.card.as_ref()?;
    Some(json!({
        "id": stored.payment_source_id,
        "updated_at": stored.stamp.updated_at,
        "resource_version": stored.stamp.resource_version,
        "deleted": false,
        "object": "payment_source",
        "customer_id": row.id,
        "type": "card",
        "reference_id": stored.reference_id,
        "status": "valid",
        "gateway": "chargebee",
        "gateway_account_id": site.gateway_account_id,
        "created_at": stored.created_at,
        "card": {
            "iin": stored.card.iin,
            "last4": stored.card.last4,
            "brand": stored.card.brand,
            "funding_type": "credit",
            "expiry_month": 12,
            "expiry_year": 2099,
            "masked_number": stored.card.masked(),
            "object": "card",
        },
    }))
}

/// Renders the subscription at a position, as it is now.
pub(crate) fn subscription(site: &Site, position: usize) -> Value {
    let row = &site.subscriptions[position];
    let dues: i64 = row.unpaid.iter().map(|invoice| site.invoices[*invoice].amount_due()).sum();
    let mut items = Vec::new();
    let mut tiers = Vec::new();
    for item in &row.items {
        let price = site.catalog.prices.get(&item.item_price_id);
        let mut entry = json!({
            "item_price_id": item.item_price_id,
            "item_type": price.map_or("plan", |price| price.item_type.as_str()),
            "quantity": item.quantity,
            "amount": price.map_or(0, |price| price.amount(item.quantity)),
            "free_quantity": 0,
            "object": "subscription_item",
        });
        if let Some(price) = price {
            if price.pricing == Pricing::Stairstep {
                tiers.push(json!({
                    "item_price_id": item.item_price_id,
                    "starting_unit": 1,
                    "price": price.price,
                    "index": 0,
                    "object": "item_tier",
                }));
            } else {
                put(&mut entry, "unit_price", Some(price.price));
            }
        }
        items.push(entry);
    }
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
        "mrr": monthly(site, position),
        "create_pending_invoices": false,
    });
    if !tiers.is_empty() {
        put(&mut object, "item_tiers", Some(tiers));
    }
    let ends = matches!(row.status, Status::NonRenewing) || row.scheduled_cancel.is_some();
    let next_billing_at = match row.status {
        _ if ends => None,
        Status::Future => row.start_date,
        Status::InTrial => row.trial_end,
        Status::Active => row.term.map(|term| term.end),
        Status::NonRenewing | Status::Paused | Status::Cancelled => None,
    };
    put(&mut object, "start_date", row.start_date.filter(|_| row.status == Status::Future));
    put(&mut object, "trial_start", row.trial_start);
    // An asked-for trial that has not begun is shown only where the subscription has not begun either.
    put(&mut object, "trial_end", row.trial_end.filter(|_| row.trial_start.is_some() || row.status == Status::Future));
    put(&mut object, "current_term_start", row.term.map(|term| term.start));
    put(&mut object, "current_term_end", row.term.map(|term| term.end));
    put(&mut object, "next_billing_at", next_billing_at);
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
        let items: Vec<Value> = change
            .items
            .iter()
            .map(|item| {
                let price = site.catalog.prices.get(&item.item_price_id);
                let mut entry = json!({
                    "item_price_id": item.item_price_id,
                    "item_type": price.map_or("plan", |price| price.item_type.as_str()),
                    "quantity": item.quantity,
                    "amount": price.map_or(0, |price| price.amount(item.quantity)),
                    "free_quantity": 0,
                    "object": "subscription_item",
                });
                if let Some(price) = price.filter(|price| price.pricing != Pricing::Stairstep) {
                    put(&mut entry, "unit_price", Some(price.price));
                }
                entry
            })
            .collect();
        put(&mut object, "subscription_items", Some(items));
    }
    object
}

fn monthly(site: &Site, position: usize) -> i64 {
    let row = &site.subscriptions[position];
    if !matches!(row.status, Status::Active | Status::NonRenewing) {
        return 0;
    }
    let amount = site.items_amount(&row.items, false);
    let periods = row.billing_period.max(1);
    match row.billing_period_unit {
        PeriodUnit::Month => amount / periods,
        PeriodUnit::Year => amount / 12 / periods,
    }
}

/// Renders the invoice at a position.
pub(crate) fn invoice(site: &Site, position: usize) -> Value {
    let row = &site.invoices[position];
    let lines: Vec<Value> = row.lines.iter().map(|entry| line(site, position, entry)).collect();
    let mut payments = Vec::new();
    let mut attempts = Vec::new();
    for (number, attempt) in row.attempts.iter().enumerate() {
        let transaction = &site.transactions[attempt.transaction];
        let status = if transaction.succeeded { "success" } else { "failure" };
        payments.push(json!({
            "txn_id": transaction.id,
            "applied_amount": transaction.amount,
            "applied_at": attempt.at,
            "txn_status": status,
            "txn_date": transaction.date,
            "txn_amount": transaction.amount,
            "object": "linked_payment",
        }));
        if row.dunning_status.is_some() {
            attempts.push(json!({
                "attempt": number,
                "transaction_id": transaction.id,
                "dunning_type": "auto_collect",
                "created_at": attempt.at,
                "txn_status": status,
                "txn_amount": transaction.amount,
            }));
        }
    }
    let due = row.amount_due();
    let mut object = json!({
        "id": row.id,
        "customer_id": row.customer_id,
        "subscription_id": row.subscription_id,
        "recurring": true,
        "status": row.status.as_str(),
        "price_type": "tax_exclusive",
        "date": row.date,
        "due_date": row.date,
        "net_term_days": 0,
        "exchange_rate": 1,
        "total": row.total,
        "amount_paid": row.amount_paid,
        "amount_adjusted": 0,
        "write_off_amount": 0,
        "credits_applied": row.credits_applied,
        "amount_due": due,
        "updated_at": row.stamp.updated_at,
        "resource_version": row.stamp.resource_version,
        "deleted": false,
        "object": "invoice",
        "first_invoice": row.first_invoice,
        "amount_to_collect": due,
        "round_off_amount": 0,
        "has_advance_charges": false,
        "currency_code": row.currency,
        "generated_at": row.date,
        "is_gifted": false,
        "term_finalized": true,
        "channel": "web",
        "tax": 0,
        "line_items": lines,
        "sub_total": row.total,
        "linked_payments": payments,
        "applied_credits": [],
        "adjustment_credit_notes": [],
        "issued_credit_notes": [],
        "linked_orders": [],
        "dunning_attempts": attempts,
    });
    put(&mut object, "paid_at", row.paid_at.filter(|_| row.status == InvoiceStatus::Paid));
    put(&mut object, "dunning_status", row.dunning_status);
    put(&mut object, "next_retry_at", row.next_retry_at);
    object
}

fn line(site: &Site, invoice: usize, line: &LineItem) -> Value {
    let row = &site.invoices[invoice];
    let price = site.catalog.prices.get(&line.item_price_id);
    let entity = match price.map(|price| price.item_type) {
        Some(ItemType::Addon) => "addon_item_price",
        Some(ItemType::Charge) => "charge_item_price",
        Some(ItemType::Plan) | None => "plan_item_price",
    };
    json!({
        "id": line.id,
        "date_from": line.date_from,
        "date_to": line.date_to,
        "unit_amount": line.unit_amount,
        "quantity": line.quantity,
        "amount": line.amount,
        "pricing_model": price.map_or("flat_fee", |price| price.pricing.as_str()),
        "is_taxed": false,
        "tax_amount": 0,
        "object": "line_item",
        "subscription_id": row.subscription_id,
        "customer_id": row.customer_id,
        "description": line.description,
        "entity_type": entity,
        "entity_id": line.item_price_id,
        "tax_exempt_reason": "tax_not_configured",
        "discount_amount": 0,
        "item_level_discount_amount": 0,
        "metered": false,
    })
}

/// Renders the transaction at a position.
pub(crate) fn transaction(site: &Site, position: usize) -> Value {
    let row = &site.transactions[position];
    let invoice = &site.invoices[row.invoice];
    let mut object = json!({
        "id": row.id,
        "customer_id": row.customer_id,
        "subscription_id": row.subscription_id,
        "gateway_account_id": site.gateway_account_id,
        "payment_source_id": row.payment_source_id,
        "payment_method": "card",
        "gateway": "chargebee",
        "type": "payment",
        "date": row.date,
        "exchange_rate": 1,
        "amount": row.amount,
        "id_at_gateway": format!("cb_{}", row.id),
        "status": if row.succeeded { "success" } else { "failure" },
        "updated_at": row.stamp.updated_at,
        "resource_version": row.stamp.resource_version,
        "deleted": false,
        "object": "transaction",
        "masked_card_number": row.masked_card_number,
        "currency_code": row.currency,
        "amount_unused": 0,
        "linked_invoices": [{
            "invoice_id": invoice.id,
            "applied_amount": row.amount,
            "applied_at": row.date,
            "invoice_date": invoice.date,
            "invoice_total": invoice.total,
            "invoice_status": invoice.status.as_str(),
        }],
        "linked_refunds": [],
        "initiator_type": "merchant",
        "three_d_secure": false,
    });
    if !row.succeeded {
        put(&mut object, "error_code", Some("3001"));
        put(&mut object, "error_text", Some("Insufficient funds"));
    }
    object
}

/// Renders the hosted page at a position.
pub(crate) fn hosted_page(site: &Site, position: usize) -> Value {
    let row = &site.hosted_pages[position];
    let mut object = json!({
        "id": row.id,
        "type": match row.task {
            PageTask::New { .. } => "checkout_new",
            PageTask::Existing { .. } => "checkout_existing",
        },
        "url": site.page_url(position),
        "state": row.state.as_str(),
        "embed": false,
        "created_at": row.created_at,
        "expires_at": row.expires_at,
        "object": "hosted_page",
        "updated_at": row.stamp.updated_at,
        "resource_version": row.stamp.resource_version,
    });
    put(&mut object, "pass_thru_content", row.pass_thru_content.as_deref());
    put(&mut object, "content", row.content.clone());
    object
}

/// Renders the portal session at a position.
pub(crate) fn portal_session(site: &Site, position: usize) -> Value {
    let row = &site.portal_sessions[position];
    let customer = site.customers.get(&row.customer_id);
    let live = site.subscriptions.iter().any(|subscription| {
        subscription.customer_id == row.customer_id
            && matches!(subscription.status, Status::Active | Status::InTrial | Status::NonRenewing)
    });
    let mut object = json!({
        "id": row.id,
        "token": row.token,
        "access_url": site.portal_access_url(position),
        "status": row.status,
        "created_at": row.created_at,
        "expires_at": row.expires_at,
        "object": "portal_session",
        "customer_id": row.customer_id,
        "linked_customers": [{
            "object": "linked_customer",
            "customer_id": row.customer_id,
            "has_billing_address": customer.is_some_and(|customer| !customer.billing_address.is_empty()),
            "has_payment_method": customer.is_some_and(|customer| customer.card.is_some()),
            "has_active_subscription": live,
        }],
    });
    put(&mut object, "redirect_url", row.redirect_url.as_deref());
    put(&mut object, "login_at", row.login_at);
    put(&mut object, "logout_at", row.logout_at);
    object
}

/// Renders an item of the catalog.
pub(crate) fn item(row: &CatalogItem) -> Value {
    json!({
        "id": row.id,
        "name": row.name,
        "external_name": row.name,
        "status": "active",
        "resource_version": row.stamp.resource_version,
        "updated_at": row.stamp.updated_at,
        "item_family_id": "sandbox",
        "type": row.item_type.as_str(),
        "is_shippable": false,
        "is_giftable": false,
        "enabled_for_checkout": true,
        "enabled_in_portal": true,
        "item_applicability": "all",
        "metered": false,
        "channel": "web",
        "deleted": false,
        "object": "item",
    })
}

/// Renders an item price.
pub(crate) fn item_price(row: &ItemPrice) -> Value {
    let mut object = json!({
        "id": row.id,
        "name": row.name,
        "external_name": row.name,
        "item_family_id": "sandbox",
        "item_id": row.item_id,
        "item_type": row.item_type.as_str(),
        "status": if row.archived { "archived" } else { "active" },
        "pricing_model": row.pricing.as_str(),
        "currency_code": row.currency,
        "free_quantity": 0,
        "channel": "web",
        "resource_version": row.stamp.resource_version,
        "updated_at": row.stamp.updated_at,
        "created_at": row.created_at,
        "is_taxable": true,
        "deleted": false,
        "object": "item_price",
    });
    for (name, text) in &row.texts {
        put(&mut object, name, Some(text.as_str()));
    }
    match row.pricing {
        Pricing::PerUnit | Pricing::FlatFee => put(&mut object, "price", Some(row.price)),
        Pricing::Stairstep => {
            let tier = json!([{ "starting_unit": 1, "price": row.price, "object": "tier" }]);
            put(&mut object, "tiers", Some(tier));
        }
    }
    put(&mut object, "period", row.period.map(|(period, _)| period));
    put(&mut object, "period_unit", row.period.map(|(_, unit)| unit.as_str()));
    put(&mut object, "trial_period", row.trial_days);
    put(&mut object, "trial_period_unit", row.trial_days.map(|_| "day"));
    object
}

/// The text of an event as it is now: what the API wraps in `event`.
pub(crate) fn event(row: &Event) -> String {
    event_as(row, row.webhook_status)
}

/// The text of an event with a `webhook_status`: the body of its webhook.
pub(crate) fn event_as(row: &Event, webhook_status: &str) -> String {
    let text = |value: &str| Value::from(value).to_string();
    let user = row.user.as_deref().map(|user| format!(",\"user\":{}", text(user))).unwrap_or_default();
    let webhooks = if webhook_status == "not_configured" {
        String::new()
    } else {
        format!(r#"{{"id":"whv2_sandbox","webhook_status":"{webhook_status}","object":"webhook"}}"#)
    };
    format!(
        r#"{{"id":{id},"occurred_at":{at},"source":"{source}"{user},"object":"event","api_version":"v2","content":{content},"event_type":"{event_type}","webhook_status":"{status}","webhooks":[{webhooks}]}}"#,
        id = text(&row.id),
        at = row.occurred_at,
        source = row.source,
        content = row.content.get(),
        event_type = row.event_type,
        status = webhook_status,
    )
}
