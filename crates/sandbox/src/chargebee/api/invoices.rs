//! `/invoices` and `/transactions`. Source: Chargebee API docs, "Invoices", "Transactions".

use super::list::{Attribute, page};
use super::{Answer, Form};
use crate::chargebee::refusal::Refusal;
use crate::chargebee::render;
use crate::chargebee::site::Site;
use crate::chargebee::site::model::Invoice;

type Answered = Result<Answer, Refusal>;

pub(super) fn list(site: &Site, query: &Form) -> Answered {
    list_where(site, query, |_| true)
}

pub(super) fn list_for_customer(site: &Site, id: &str, query: &Form) -> Answered {
    if !site.customers.contains(id) {
        return Err(Refusal::not_found("customer_id", id));
    }
    list_where(site, query, |row| row.customer_id == id)
}

pub(super) fn list_for_subscription(site: &Site, id: &str, query: &Form) -> Answered {
    if !site.subscriptions.contains(id) {
        return Err(Refusal::not_found("subscription_id", id));
    }
    list_where(site, query, |row| row.subscription_id == id)
}

fn list_where(site: &Site, query: &Form, belongs: impl Fn(&Invoice) -> bool) -> Answered {
    page(
        site.invoices.iter(),
        query,
        &["id", "subscription_id", "customer_id", "status", "date", "paid_at", "total", "dunning_status", "updated_at"],
        &["date", "updated_at"],
        |row, name| match name {
            "id" => Attribute::Text(&row.id),
            "subscription_id" => Attribute::Text(&row.subscription_id),
            "customer_id" => Attribute::Text(&row.customer_id),
            "status" => Attribute::Text(row.status.as_str()),
            "date" => Attribute::Number(row.date),
            "paid_at" => Attribute::number(row.paid_at),
            "total" => Attribute::Number(row.total),
            "dunning_status" => Attribute::text(row.dunning_status),
            "updated_at" => Attribute::Number(row.stamp.updated_at),
            _ => Attribute::Absent,
        },
        belongs,
        |position| format!("{{\"invoice\":{}}}", render::invoice(site, position)),
    )
}

pub(super) fn retrieve(site: &Site, id: &str) -> Answered {
    let position = site.invoices.position(id).ok_or_else(|| Refusal::not_found("invoice_id", id))?;
    Ok(Answer::resource("invoice", render::invoice(site, position)))
}

pub(super) fn list_transactions(site: &Site, query: &Form) -> Answered {
    page(
        site.transactions.iter(),
        query,
        &["id", "customer_id", "subscription_id", "status", "date", "amount", "updated_at"],
        &["date", "updated_at"],
        |row, name| match name {
            "id" => Attribute::Text(&row.id),
            "customer_id" => Attribute::Text(&row.customer_id),
            "subscription_id" => Attribute::Text(&row.subscription_id),
            "status" => Attribute::Text(if row.succeeded { "success" } else { "failure" }),
            "date" => Attribute::Number(row.date),
            "amount" => Attribute::Number(row.amount),
            "updated_at" => Attribute::Number(row.stamp.updated_at),
            _ => Attribute::Absent,
        },
        |_| true,
        |position| format!("{{\"transaction\":{}}}", render::transaction(site, position)),
    )
}

pub(super) fn retrieve_transaction(site: &Site, id: &str) -> Answered {
    let position = site.transactions.position(id).ok_or_else(|| Refusal::not_found("transaction_id", id))?;
    Ok(Answer::resource("transaction", render::transaction(site, position)))
}
