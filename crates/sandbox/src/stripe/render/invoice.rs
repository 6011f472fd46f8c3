//! Invoices with their lines, what waits for them, and what paid them.

use serde_json::{Value, json};

use super::{catalog, included};
use crate::stripe::account::Account;
use crate::stripe::account::model::{Credited, Invoice, InvoiceItem, InvoicePayment, Line, LineParent};

pub(super) fn invoice(account: &Account, position: usize) -> Value {
    invoice_of(account, &account.invoices[position])
}

/// Renders an invoice that may be none of the account's: a preview.
pub(crate) fn invoice_of(account: &Account, row: &Invoice) -> Value {
    if row.deleted {
        return json!({ "id": row.id, "object": "invoice", "deleted": true });
    }
    let lines = row.lines.iter().map(|one| line(account, row, one)).collect();
    let total = row.total();
    let customer = account.customers.get(&row.customer);
    let url = row.finalized_at.map(|_| hosted_url(account, row));
    let pdf = url.as_ref().map(|url| format!("{url}/pdf"));
    let off_stripe = if row.paid_out_of_band { row.amount_paid } else { 0 };
    let intent = row.payment_intent.as_ref();
    json!({
        "id": row.id,
        "object": "invoice",
        "_charge": intent.and_then(|id| account.payment_intents.get(id)).and_then(super::payment::charge_id),
        "_paid_out_of_band": row.paid_out_of_band,
        "_payment_intent": intent,
        "account_country": "US",
        "account_name": "Tollkeeper sandbox",
        "account_tax_ids": null,
        "amount_due": row.amount_due,
        "amount_overpaid": 0,
        "amount_paid": row.amount_paid,
        "amount_paid_off_stripe": off_stripe,
        "amount_remaining": row.amount_remaining(),
        "amount_shipping": 0,
        "application": null,
        "attempt_count": row.attempt_count,
        "attempted": row.attempted,
        "auto_advance": row.auto_advance,
        "automatic_tax": {
            "disabled_reason": null, "enabled": false, "liability": null, "provider": null, "status": null,
        },
        "automatically_finalizes_at": row.automatically_finalizes_at,
        "billing_reason": row.billing_reason.as_str(),
        "collection_method": row.collection_method.as_str(),
        "created": row.created,
        "currency": row.currency,
        "custom_fields": null,
        "customer": row.customer,
        "customer_account": null,
        "customer_address": customer.and_then(|customer| customer.address.as_ref()).map(super::address),
        "customer_email": row.customer_email,
        "customer_name": row.customer_name,
        "customer_phone": customer.and_then(|customer| customer.phone.clone()),
        "customer_shipping": null,
        "customer_tax_exempt": customer.map(|customer| customer.tax_exempt),
        "customer_tax_ids": [],
        "default_payment_method": row.default_payment_method,
        "default_source": null,
        "default_tax_rates": [],
        "description": row.description,
        "discounts": [],
        "due_date": row.due_date,
        "effective_at": row.finalized_at,
        "ending_balance": row.ending_balance,
        "footer": null,
        "from_invoice": null,
        "hosted_invoice_url": url,
        "invoice_pdf": pdf,
        "issuer": { "type": "self" },
        "last_finalization_error": null,
        "latest_revision": null,
        "lines": included(lines, &format!("/v1/invoices/{}/lines", row.id)),
        "livemode": false,
        "metadata": row.metadata,
        "next_payment_attempt": row.next_payment_attempt,
        "number": row.number,
        "on_behalf_of": null,
        "parent": parent(row),
        "payment_settings": {
            "default_mandate": null, "payment_method_options": null, "payment_method_types": null,
        },
        "period_end": row.period_end,
        "period_start": row.period_start,
        "post_payment_credit_notes_amount": 0,
        "pre_payment_credit_notes_amount": 0,
        "receipt_number": null,
        "rendering": null,
        "shipping_cost": null,
        "shipping_details": null,
        "starting_balance": row.starting_balance,
        "statement_descriptor": null,
        "status": row.status.as_str(),
        "status_transitions": {
            "finalized_at": row.finalized_at,
            "marked_uncollectible_at": row.marked_uncollectible_at,
            "paid_at": row.paid_at,
            "voided_at": row.voided_at,
        },
        "subtotal": total,
        "subtotal_excluding_tax": total,
        "test_clock": customer.and_then(|customer| customer.test_clock.clone()),
        "total": total,
        "total_discount_amounts": [],
        "total_excluding_tax": total,
        "total_pretax_credit_amounts": [],
        "total_taxes": [],
        "webhooks_delivered_at": row.finalized_at,
    })
}

/// Where a customer sees and pays the invoice.
pub(crate) fn hosted_url(account: &Account, row: &Invoice) -> String {
    format!("{}/i/{}/{}", account.base_url, account.settings.account_id, row.hosted_key)
}

fn parent(row: &Invoice) -> Value {
    let Some(subscription) = &row.subscription else { return Value::Null };
    let mut details = json!({ "metadata": row.subscription_metadata, "subscription": subscription });
    if let Some(date) = row.proration_date {
        details["subscription_proration_date"] = date.into();
    }
    json!({ "quote_details": null, "subscription_details": details, "type": "subscription_details" })
}

/// What an invoice shows only where it was asked for: `payments` or `confirmation_secret`.
pub(crate) fn invoice_with(account: &Account, row: &Invoice, name: &str) -> Option<Value> {
    match name {
        "payments" => {
            let payments = row.payments.iter().filter_map(|id| account.invoice_payments.get(id)).map(payment);
            let url = format!("/v1/invoice_payments?invoice={}", row.id);
            Some(included(payments.collect(), &url))
        }
        "confirmation_secret" => {
            let intent = row.payment_intent.as_ref().and_then(|id| account.payment_intents.get(id));
            Some(intent.map_or(
                Value::Null,
                |intent| json!({ "client_secret": intent.client_secret, "type": "payment_intent" }),
            ))
        }
        _ => None,
    }
}

/// One line of an invoice.
pub(crate) fn line(account: &Account, invoice: &Invoice, row: &Line) -> Value {
    let price = row.price.as_ref().and_then(|id| account.prices.get(id));
    let (kind, details) = match &row.parent {
        LineParent::InvoiceItem { invoice_item, proration, credited } => {
            let details = json!({
                "invoice_item": invoice_item,
                "proration": proration,
                "proration_details": { "credited_items": credited.as_ref().map(credited_items) },
                "subscription": row.subscription,
            });
            ("invoice_item_details", details)
        }
        LineParent::SubscriptionItem => {
            let details = json!({
                "invoice_item": null,
                "proration": false,
                "proration_details": { "credited_items": null },
                "subscription": row.subscription,
                "subscription_item": row.subscription_item,
            });
            ("subscription_item_details", details)
        }
    };
    let mut parent = json!({ "invoice_item_details": null, "subscription_item_details": null, "type": kind });
    parent[kind] = details;
    let mut pricing = json!({ "type": "price_details", "unit_amount_decimal": row.unit_amount.to_string() });
    if let Some(price) = price {
        pricing["price_details"] = json!({ "price": price.id, "product": price.product });
    }
    json!({
        "id": row.id,
        "object": "line_item",
        "_price": price.map(catalog::price),
        "_subscription_item": row.subscription_item,
        "amount": row.amount,
        "currency": invoice.currency,
        "description": row.description,
        "discount_amounts": [],
        "discountable": !row.is_proration(),
        "discounts": [],
        "invoice": invoice.id,
        "livemode": false,
        "metadata": row.metadata,
        "parent": parent,
        "period": { "end": row.period_end, "start": row.period_start },
        "pretax_credit_amounts": [],
        "pricing": pricing,
        "quantity": row.quantity,
        "quantity_decimal": catalog::decimal(row.quantity),
        "subscription": row.subscription,
        "subtotal": row.amount,
        "taxes": [],
    })
}

fn credited_items(row: &Credited) -> Value {
    json!({ "invoice": row.invoice, "invoice_line_items": row.lines })
}

pub(super) fn item(account: &Account, row: &InvoiceItem) -> Value {
    if row.deleted {
        return json!({ "id": row.id, "object": "invoiceitem", "deleted": true });
    }
    let price = row.price.as_ref().and_then(|id| account.prices.get(id));
    let customer = account.customers.get(&row.customer);
    let mut pricing = json!({ "type": "price_details", "unit_amount_decimal": row.unit_amount.to_string() });
    if let Some(price) = price {
        pricing["price_details"] = json!({ "price": price.id, "product": price.product });
    }
    let parent = row.subscription.as_ref().map(|subscription| {
        let mut details = json!({ "subscription": subscription });
        if let Some(item) = &row.subscription_item {
            details["subscription_item"] = item.as_str().into();
        }
        json!({ "subscription_details": details, "type": "subscription_details" })
    });
    json!({
        "id": row.id,
        "object": "invoiceitem",
        "_price": price.map(catalog::price),
        "amount": row.amount,
        "currency": row.currency,
        "customer": row.customer,
        "customer_account": null,
        "date": row.created,
        "description": row.description,
        "discountable": !row.proration,
        "discounts": [],
        "invoice": row.invoice,
        "livemode": false,
        "metadata": row.metadata,
        "net_amount": row.amount,
        "parent": parent,
        "period": { "end": row.period_end, "start": row.period_start },
        "pricing": pricing,
        "proration": row.proration,
        "quantity": row.quantity,
        "quantity_decimal": row.quantity.to_string(),
        "tax_rates": [],
        "test_clock": customer.and_then(|customer| customer.test_clock.clone()),
    })
}

pub(super) fn payment(row: &InvoicePayment) -> Value {
    json!({
        "id": row.id,
        "object": "invoice_payment",
        "amount_paid": row.amount_paid,
        "amount_requested": row.amount_requested,
        "created": row.created,
        "currency": row.currency,
        "invoice": row.invoice,
        "is_default": row.is_default,
        "livemode": false,
        "payment": { "payment_intent": row.payment_intent, "type": "payment_intent" },
        "status": row.status.as_str(),
        "status_transitions": { "canceled_at": row.canceled_at, "paid_at": row.paid_at },
    })
}
