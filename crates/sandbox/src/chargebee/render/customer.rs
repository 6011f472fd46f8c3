//! A customer, and the card on file.

use serde_json::{Value, json};

use super::put;
use crate::chargebee::site::Site;

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
        "refundable_credits": site.refundable_credits(position),
        "excess_payments": 0,
        "unbilled_charges": unbilled(site, position),
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

/// What waits for the next invoices of a customer's subscriptions, in minor units.
fn unbilled(site: &Site, customer: usize) -> i64 {
    let owned = site.subscriptions_of(customer).iter();
    owned.flat_map(|position| &site.subscriptions[*position].unbilled).map(|line| line.amount).sum()
}
