//! `/transactions`, `/credit_notes` and `/unbilled_charges`: what stands behind invoices.
//!
//! Source: Chargebee API docs, "Transactions", "Credit notes", "Unbilled charges".

use serde_json::{Value, json};

use super::filter::{Attribute, Columns};
use super::list::List;
use super::{Answer, Form, read};
use crate::chargebee::refusal::Refusal;
use crate::chargebee::render;
use crate::chargebee::site::Site;
use crate::chargebee::site::model::{CreditNote, Transaction};

type Answered = Result<Answer, Refusal>;

const TRANSACTION_COLUMNS: Columns<Transaction> = &[
    ("id", |_, row| Attribute::Text(&row.id)),
    ("customer_id", |_, row| Attribute::Text(&row.customer_id)),
    ("subscription_id", |_, row| Attribute::id(&row.subscription_id)),
    ("status", |_, row| Attribute::Text(if row.succeeded { "success" } else { "failure" })),
    ("date", |_, row| Attribute::Number(row.date)),
    ("amount", |_, row| Attribute::Number(row.amount)),
    ("updated_at", |_, row| Attribute::Number(row.stamp.updated_at)),
];

const NOTE_COLUMNS: Columns<CreditNote> = &[
    ("id", |_, row| Attribute::Text(&row.id)),
    ("customer_id", |_, row| Attribute::Text(&row.customer_id)),
    ("subscription_id", |_, row| Attribute::Text(&row.subscription_id)),
    ("reference_invoice_id", |_, row| Attribute::Text(&row.reference_invoice_id)),
    ("reason_code", |_, row| Attribute::Text(row.reason_code)),
    ("date", |_, row| Attribute::Number(row.date)),
    ("total", |_, row| Attribute::Number(row.total)),
    ("updated_at", |_, row| Attribute::Number(row.stamp.updated_at)),
];

pub(super) fn list_transactions(site: &Site, query: &Form) -> Answered {
    List {
        site,
        table: &site.transactions,
        columns: TRANSACTION_COLUMNS,
        sorts: &["date", "updated_at"],
        within: None,
        is_deleted: |_| false,
        render: |site, position| format!("{{\"transaction\":{}}}", render::transaction(site, position)),
    }
    .page(query)
}

pub(super) fn retrieve_transaction(site: &Site, id: &str) -> Answered {
    let position = site.transactions.position(id).ok_or_else(|| Refusal::not_found("transaction_id", id))?;
    Ok(Answer::resource("transaction", render::transaction(site, position)))
}

pub(super) fn list_notes(site: &Site, query: &Form) -> Answered {
    List {
        site,
        table: &site.credit_notes,
        columns: NOTE_COLUMNS,
        sorts: &["date", "updated_at"],
        within: None,
        is_deleted: |_| false,
        render: |site, position| format!("{{\"credit_note\":{}}}", render::credit_note(site, position)),
    }
    .page(query)
}

pub(super) fn retrieve_note(site: &Site, id: &str) -> Answered {
    let position = site.credit_notes.position(id).ok_or_else(|| Refusal::not_found("credit_note_id", id))?;
    Ok(Answer::resource("credit_note", render::credit_note(site, position)))
}

/// What waits for the next invoice of one subscription. All of it fits one page.
pub(super) fn list_unbilled(site: &Site, query: &Form) -> Answered {
    let id = read::required(query, "subscription_id[is]", 50)?;
    let position = site.live_subscription(&id)?;
    let charges = render::unbilled_charges(site, position, &site.subscriptions[position].unbilled);
    let wrap = |charge: &Value| json!({ "unbilled_charge": charge });
    let list: Vec<Value> = charges.as_array().into_iter().flatten().map(wrap).collect();
    Ok(Answer::ok(&json!({ "list": list })))
}
