//! Invoices, credit notes, and charges that wait for an invoice.

use serde_json::{Map, Value, json};

use super::put;
use crate::chargebee::site::Site;
use crate::chargebee::site::model::{Allocation, Applied, CreditKind, CreditNote, InvoiceStatus, LineItem};
use crate::chargebee::site::news::Raised;

/// Renders the invoice at a position.
pub(crate) fn invoice(site: &Site, position: usize) -> Value {
    let row = &site.invoices[position];
    let mut payments = Vec::new();
    let mut attempts = Vec::new();
    for (number, position) in row.attempts.iter().enumerate() {
        let transaction = &site.transactions[*position];
        let status = if transaction.succeeded { "success" } else { "failure" };
        payments.push(json!({
            "txn_id": transaction.id,
            "applied_amount": transaction.amount,
            "applied_at": transaction.date,
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
                "created_at": transaction.date,
                "txn_status": status,
                "txn_amount": transaction.amount,
            }));
        }
    }
    let due = row.amount_due();
    let mut object = json!({
        "id": row.id,
        "customer_id": row.customer_id,
        "recurring": !row.subscription_id.is_empty(),
        "status": row.status.as_str(),
        "price_type": "tax_exclusive",
        "date": row.date,
        "due_date": row.date,
        "net_term_days": 0,
        "exchange_rate": 1,
        "total": row.total,
        "amount_paid": row.amount_paid,
        "amount_adjusted": row.amount_adjusted(),
        "write_off_amount": 0,
        "credits_applied": row.credits_applied(),
        "amount_due": due,
        "updated_at": row.stamp.updated_at,
        "resource_version": row.stamp.resource_version,
        "deleted": row.deleted,
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
        "line_items": lines(&row.lines, &row.subscription_id, &row.customer_id),
        "sub_total": row.total,
        "linked_payments": payments,
        "applied_credits": applied(site, &row.applied),
        "adjustment_credit_notes": adjustments(site, &row.adjusted),
        "issued_credit_notes": issued(site, &row.subscription_id, &row.id),
        "linked_orders": [],
        "dunning_attempts": attempts,
    });
    put(&mut object, "subscription_id", subscription(&row.subscription_id));
    put(&mut object, "paid_at", row.paid_at.filter(|_| row.status == InvoiceStatus::Paid));
    put(&mut object, "dunning_status", row.dunning_status);
    put(&mut object, "next_retry_at", row.next_retry_at);
    object
}

/// What is for no subscription does not name one.
pub(super) fn subscription(id: &str) -> Option<&str> {
    Some(id).filter(|id| !id.is_empty())
}

/// Lines of an invoice, a credit note or an estimate.
pub(super) fn lines(lines: &[LineItem], subscription_id: &str, customer_id: &str) -> Vec<Value> {
    let render = |line: &LineItem| {
        let mut object = json!({
            "id": line.id,
            "date_from": line.date_from,
            "date_to": line.date_to,
            "unit_amount": line.unit_amount,
            "quantity": line.quantity,
            "amount": line.amount,
            "pricing_model": line.pricing_model,
            "is_taxed": false,
            "tax_amount": 0,
            "object": "line_item",
            "customer_id": customer_id,
            "description": line.description,
            "entity_type": line.entity_type,
            "entity_id": line.item_price_id,
            "tax_exempt_reason": "tax_not_configured",
            "discount_amount": 0,
            "item_level_discount_amount": 0,
            "metered": false,
        });
        put(&mut object, "subscription_id", subscription(subscription_id));
        object
    };
    lines.iter().map(render).collect()
}

fn applied(site: &Site, applied: &[Applied]) -> Vec<Value> {
    let render = |applied: &Applied| {
        let note = &site.credit_notes[applied.credit_note];
        json!({
            "cn_id": note.id,
            "applied_amount": applied.amount,
            "applied_at": applied.at,
            "cn_reason_code": note.reason_code,
            "cn_date": note.date,
            "cn_status": note_status(note),
            "object": "applied_credit",
        })
    };
    applied.iter().map(render).collect()
}

fn reference(note: &CreditNote, object: &str) -> Value {
    json!({
        "cn_id": note.id,
        "cn_reason_code": note.reason_code,
        "cn_date": note.date,
        "cn_total": note.total,
        "cn_status": note_status(note),
        "object": object,
    })
}

fn adjustments(site: &Site, adjusted: &[Applied]) -> Vec<Value> {
    adjusted.iter().map(|one| reference(&site.credit_notes[one.credit_note], "adjustment_credit_note")).collect()
}

/// Refundable notes that were written for what the invoice had charged.
fn issued(site: &Site, subscription_id: &str, invoice_id: &str) -> Vec<Value> {
    let notes = site.credit_notes.linked("subscription_id", subscription_id).iter();
    notes
        .map(|note| &site.credit_notes[*note])
        .filter(|note| note.kind == CreditKind::Refundable && note.reference_invoice_id == invoice_id)
        .map(|note| reference(note, "issued_credit_note"))
        .collect()
}

fn note_status(note: &CreditNote) -> &'static str {
    match note.kind {
        CreditKind::Adjustment => "adjusted",
        CreditKind::Refundable if note.available() > 0 => "refund_due",
        CreditKind::Refundable => "refunded",
    }
}

/// The `type` of a credit note.
pub(super) fn note_type(kind: CreditKind) -> &'static str {
    match kind {
        CreditKind::Adjustment => "adjustment",
        CreditKind::Refundable => "refundable",
    }
}

/// Renders the credit note at a position.
pub(crate) fn credit_note(site: &Site, position: usize) -> Value {
    let row = &site.credit_notes[position];
    let allocation = |allocation: &Allocation| {
        let invoice = site.invoices.get(&allocation.invoice_id);
        json!({
            "invoice_id": allocation.invoice_id,
            "allocated_amount": allocation.amount,
            "allocated_at": allocation.at,
            "invoice_date": allocation.invoice_date,
            "invoice_status": invoice.map_or("paid", |invoice| invoice.status.as_str()),
        })
    };
    let allocations: Vec<Value> = row.allocations.iter().map(allocation).collect();
    json!({
        "id": row.id,
        "customer_id": row.customer_id,
        "subscription_id": row.subscription_id,
        "reference_invoice_id": row.reference_invoice_id,
        "type": note_type(row.kind),
        "reason_code": row.reason_code,
        "status": note_status(row),
        "date": row.date,
        "price_type": "tax_exclusive",
        "total": row.total,
        "amount_allocated": row.allocated(),
        "amount_refunded": 0,
        "amount_available": row.available(),
        "generated_at": row.date,
        "updated_at": row.stamp.updated_at,
        "resource_version": row.stamp.resource_version,
        "channel": "web",
        "deleted": false,
        "object": "credit_note",
        "currency_code": row.currency,
        "sub_total": row.total,
        "round_off_amount": 0,
        "line_items": lines(&row.lines, &row.subscription_id, &row.customer_id),
        "allocations": allocations,
        "linked_refunds": [],
    })
}

/// Renders charges that wait, or waited, for an invoice of the subscription.
pub(crate) fn unbilled_charges(site: &Site, subscription: usize, charges: &[LineItem]) -> Value {
    let row = &site.subscriptions[subscription];
    let render = |line: &LineItem| {
        json!({
            "id": line.id,
            "customer_id": row.customer_id,
            "subscription_id": row.id,
            "date_from": line.date_from,
            "date_to": line.date_to,
            "unit_amount": line.unit_amount,
            "pricing_model": line.pricing_model,
            "quantity": line.quantity,
            "amount": line.amount,
            "currency_code": row.currency,
            "discount_amount": 0,
            "description": line.description,
            "entity_type": line.entity_type,
            "entity_id": line.item_price_id,
            "is_voided": false,
            // A charge is made at the instant from which on it charges.
            "updated_at": line.date_from,
            "created_at": line.date_from,
            "is_advance_charge": false,
            "deleted": false,
            "object": "unbilled_charge",
        })
    };
    charges.iter().map(render).collect::<Vec<_>>().into()
}

/// The documents of an action, as members of an answer or of an event.
pub(crate) fn raised(site: &Site, subscription: usize, raised: &Raised) -> Map<String, Value> {
    let mut members = Map::new();
    if let Some(position) = raised.invoice {
        members.insert("invoice".into(), invoice(site, position));
    }
    if !raised.unbilled.is_empty() {
        members.insert("unbilled_charges".into(), unbilled_charges(site, subscription, &raised.unbilled));
    }
    if !raised.credit_notes.is_empty() {
        let notes: Vec<Value> = raised.credit_notes.iter().map(|note| credit_note(site, *note)).collect();
        members.insert("credit_notes".into(), notes.into());
    }
    members
}
