//! Customers and payment methods.

use serde_json::{Value, json};

use super::address;
use crate::stripe::account::Account;
use crate::stripe::account::model::{Customer, Instrument, PaymentMethod};

pub(super) fn customer(_account: &Account, row: &Customer) -> Value {
    if row.deleted {
        return json!({ "id": row.id, "object": "customer", "deleted": true });
    }
    let shipping = row
        .shipping
        .as_ref()
        .map(|given| json!({ "address": address(&given["address"]), "name": given["name"], "phone": given["phone"] }));
    json!({
        "id": row.id,
        "object": "customer",
        "address": row.address.as_ref().map(address),
        "balance": row.balance,
        "created": row.created,
        "currency": row.currency,
        "customer_account": null,
        "default_source": null,
        "delinquent": row.delinquent,
        "description": row.description,
        "discount": null,
        "email": row.email,
        "invoice_prefix": row.invoice_prefix,
        "invoice_settings": {
            "custom_fields": null,
            "default_payment_method": row.default_payment_method,
            "footer": null,
            "rendering_options": null,
        },
        "livemode": false,
        "metadata": row.metadata,
        "name": row.name,
        "next_invoice_sequence": row.next_invoice_sequence,
        "phone": row.phone,
        "preferred_locales": row.preferred_locales,
        "shipping": shipping,
        "tax_exempt": row.tax_exempt,
        "test_clock": row.test_clock,
    })
}

pub(super) fn payment_method(row: &PaymentMethod) -> Value {
    let mut object = json!({
        "id": row.id,
        "object": "payment_method",
        "allow_redisplay": "unspecified",
        "billing_details": {
            "address": address(&Value::Null),
            "email": row.email,
            "name": row.name,
            "phone": null,
            "tax_id": null,
        },
        "created": row.created,
        "customer": row.customer,
        "customer_account": null,
        "livemode": false,
        "metadata": row.metadata,
        "type": row.instrument.kind(),
    });
    object[row.instrument.kind()] = match &row.instrument {
        Instrument::Card { brand, last4, .. } => json!({
            "brand": brand,
            "checks": { "address_line1_check": null, "address_postal_code_check": null, "cvc_check": "pass" },
            "country": "US",
            "display_brand": brand,
            // A card of the sandbox does not expire on its own.
            "exp_month": 12,
            "exp_year": 2040,
            "fingerprint": row.fingerprint,
            "funding": "credit",
            "generated_from": null,
            "last4": last4,
            "networks": { "available": [brand], "preferred": null },
            "regulated_status": "unregulated",
            "three_d_secure_usage": { "supported": true },
            "wallet": null,
        }),
        Instrument::Bank { last4, .. } => json!({
            "account_holder_type": "company",
            "account_type": "checking",
            "bank_name": "STRIPE TEST BANK",
            "financial_connections_account": null,
            "fingerprint": row.fingerprint,
            "last4": last4,
            "networks": { "preferred": "ach", "supported": ["ach"] },
            "routing_number": "110000000",
            "status_details": null,
        }),
    };
    object
}
