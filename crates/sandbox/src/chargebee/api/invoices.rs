//! `/invoices`. Source: Chargebee API docs, "Invoices".

use serde_json::json;

use super::filter::{Attribute, Columns};
use super::list::List;
use super::{Answer, Form, read};
use crate::chargebee::refusal::Refusal;
use crate::chargebee::render;
use crate::chargebee::site::model::Invoice;
use crate::chargebee::site::{Act, Site};

type Answered = Result<Answer, Refusal>;

/// How a payment outside of the gateway can be made.
const METHODS: [&str; 5] = ["cash", "check", "bank_transfer", "other", "custom"];

const COLUMNS: Columns<Invoice> = &[
    ("id", |_, row| Attribute::Text(&row.id)),
    ("subscription_id", |_, row| Attribute::id(&row.subscription_id)),
    ("customer_id", |_, row| Attribute::Text(&row.customer_id)),
    ("status", |_, row| Attribute::Text(row.status.as_str())),
    ("date", |_, row| Attribute::Number(row.date)),
    ("paid_at", |_, row| Attribute::number(row.paid_at)),
    ("total", |_, row| Attribute::Number(row.total)),
    ("amount_paid", |_, row| Attribute::Number(row.amount_paid)),
    ("amount_due", |_, row| Attribute::Number(row.amount_due())),
    ("credits_applied", |_, row| Attribute::Number(row.credits_applied())),
    ("dunning_status", |_, row| Attribute::text(row.dunning_status)),
    ("updated_at", |_, row| Attribute::Number(row.stamp.updated_at)),
];

pub(super) fn list(site: &Site, query: &Form) -> Answered {
    list_within(site, None, query)
}

pub(super) fn list_for_customer(site: &Site, id: &str, query: &Form) -> Answered {
    if !site.customers.contains(id) {
        return Err(Refusal::not_found("customer_id", id));
    }
    list_within(site, Some(("customer_id", id)), query)
}

pub(super) fn list_for_subscription(site: &Site, id: &str, query: &Form) -> Answered {
    if !site.subscriptions.contains(id) {
        return Err(Refusal::not_found("subscription_id", id));
    }
    list_within(site, Some(("subscription_id", id)), query)
}

fn list_within(site: &Site, within: Option<(&'static str, &str)>, query: &Form) -> Answered {
    List {
        site,
        table: &site.invoices,
        columns: COLUMNS,
        sorts: &["date", "updated_at"],
        within,
        is_deleted: |row| row.deleted,
        render: |site, position| format!("{{\"invoice\":{}}}", render::invoice(site, position)),
    }
    .page(query)
}

fn find(site: &Site, id: &str) -> Result<usize, Refusal> {
    site.invoices.position(id).ok_or_else(|| Refusal::not_found("invoice_id", id))
}

pub(super) fn retrieve(site: &Site, id: &str) -> Answered {
    let position = find(site, id)?;
    Ok(Answer::resource("invoice", render::invoice(site, position)))
}

/// A link to the document. How a browser shows it (`disposition_type`) makes no difference here.
pub(super) fn pdf(site: &mut Site, id: &str, form: &Form, act: Act) -> Answered {
    read::option(form, "disposition_type", &[("attachment", ()), ("inline", ())])?;
    let position = find(site, id)?;
    let base = site.base_url.clone();
    let link = site.download(position, act);
    Ok(Answer::resource(
        "download",
        json!({
            "download_url": format!("{base}/invoices/download/{}.pdf", link.key),
            "valid_till": link.valid_till,
            "mime_type": "application/pdf",
            "object": "download",
        }),
    ))
}

/// One of the actions of an invoice.
pub(super) fn act(site: &mut Site, id: &str, action: &str, form: &Form, act: Act) -> Answered {
    let position = find(site, id)?;
    let transaction = match action {
        "collect_payment" => Some(site.collect_payment(position, read::integer(form, "amount")?, act)?),
        "record_payment" => {
            let given = read::required(form, "transaction[payment_method]", 50)?;
            let method = METHODS.into_iter().find(|method| *method == given);
            let method = method.ok_or_else(|| read::unknown_option("transaction[payment_method]"))?;
            let amount = read::integer(form, "transaction[amount]")?;
            Some(site.record_payment(position, amount, method, act)?)
        }
        "stop_dunning" => {
            site.stop_dunning(position, act)?;
            None
        }
        _ => return Err(Refusal::no_such_route(&format!("/invoices/{id}/{action}"))),
    };
    let mut body = json!({ "invoice": render::invoice(site, position) });
    if let Some(transaction) = transaction {
        body["transaction"] = render::transaction(site, transaction);
    }
    Ok(Answer::ok(&body))
}
