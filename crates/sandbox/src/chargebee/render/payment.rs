//! Payments.

use serde_json::{Value, json};

use super::invoice::subscription;
use super::put;
use crate::chargebee::site::Site;
use crate::chargebee::site::model::PaidBy;

/// Renders the transaction at a position.
pub(crate) fn transaction(site: &Site, position: usize) -> Value {
    let row = &site.transactions[position];
    let invoice = &site.invoices[row.invoice];
    let mut object = json!({
        "id": row.id,
        "customer_id": row.customer_id,
        "type": "payment",
        "date": row.date,
        "exchange_rate": 1,
        "amount": row.amount,
        "status": if row.succeeded { "success" } else { "failure" },
        "updated_at": row.stamp.updated_at,
        "resource_version": row.stamp.resource_version,
        "deleted": false,
        "object": "transaction",
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
    put(&mut object, "subscription_id", subscription(&row.subscription_id));
    match &row.paid_by {
        PaidBy::Card { payment_source_id, masked_number } => {
            put(&mut object, "gateway_account_id", Some(site.gateway_account_id.as_str()));
            put(&mut object, "payment_source_id", Some(payment_source_id.as_str()));
            put(&mut object, "payment_method", Some("card"));
            put(&mut object, "gateway", Some("chargebee"));
            put(&mut object, "id_at_gateway", Some(format!("cb_{}", row.id)));
            put(&mut object, "masked_card_number", Some(masked_number.as_str()));
        }
        PaidBy::Offline(method) => {
            put(&mut object, "payment_method", Some(*method));
            put(&mut object, "gateway", Some("not_applicable"));
        }
    }
    if !row.succeeded {
        put(&mut object, "error_code", Some("3001"));
        put(&mut object, "error_text", Some("Insufficient funds"));
    }
    object
}
