//! Estimates: what was tried out, as an answer.
//!
//! Source: Chargebee API docs, "Estimates".

use serde_json::{Value, json};

use super::invoice::{lines, note_type, unbilled_charges};
use super::{put, subscription};
use crate::chargebee::site::Site;
use crate::chargebee::site::rehearsal::Rehearsed;

/// Renders what an action would bring about now, and with the next invoice.
///
/// `is_renewal` makes the next invoice the estimated one, as the estimate of a renewal has it.
pub(crate) fn estimate(mut rehearsed: Rehearsed, is_renewal: bool, now_secs: i64) -> Value {
    let raised = std::mem::take(&mut rehearsed.raised);
    let position = rehearsed.subscription;
    let site = &rehearsed.site;
    let mut now_due = raised.invoice.map(|invoice| invoice_estimate(site, invoice));
    let notes: Vec<Value> = raised.credit_notes.iter().map(|note| credit_note_estimate(site, *note)).collect();
    let charges = unbilled_charges(site, position, &raised.unbilled);
    let mut estimate = json!({
        "created_at": now_secs,
        "object": "estimate",
        "subscription_estimate": subscription_estimate(site, position),
        "credit_note_estimates": notes,
        "unbilled_charge_estimates": charges,
    });
    let next = rehearsed.site.pass_to_next_invoice(position).map(|invoice| invoice_estimate(&rehearsed.site, invoice));
    if is_renewal {
        now_due.clone_from(&next);
    }
    put(&mut estimate, "invoice_estimate", now_due);
    put(&mut estimate, "next_invoice_estimate", next);
    estimate
}

fn subscription_estimate(site: &Site, position: usize) -> Value {
    let row = subscription(site, position);
    let mut object = json!({ "object": "subscription_estimate" });
    for name in ["id", "currency_code", "status", "next_billing_at", "pause_date", "resume_date"] {
        put(&mut object, name, row.get(name).cloned());
    }
    object
}

fn invoice_estimate(site: &Site, position: usize) -> Value {
    let row = &site.invoices[position];
    json!({
        "recurring": true,
        "price_type": "tax_exclusive",
        "sub_total": row.total,
        "total": row.total,
        "credits_applied": row.credits_applied(),
        "amount_paid": 0,
        "amount_due": row.amount_payable(),
        "object": "invoice_estimate",
        "customer_id": row.customer_id,
        "currency_code": row.currency,
        "round_off_amount": 0,
        "line_items": lines(&row.lines, &row.subscription_id, &row.customer_id),
    })
}

fn credit_note_estimate(site: &Site, position: usize) -> Value {
    let row = &site.credit_notes[position];
    json!({
        "reference_invoice_id": row.reference_invoice_id,
        "type": note_type(row.kind),
        "price_type": "tax_exclusive",
        "currency_code": row.currency,
        "sub_total": row.total,
        "total": row.total,
        "amount_allocated": row.allocated(),
        "amount_available": row.available(),
        "object": "credit_note_estimate",
        "customer_id": row.customer_id,
        "round_off_amount": 0,
        "line_items": lines(&row.lines, &row.subscription_id, &row.customer_id),
    })
}
