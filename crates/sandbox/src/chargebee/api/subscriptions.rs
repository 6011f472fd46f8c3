//! `/subscriptions`. Source: Chargebee API docs, "Subscriptions".

use serde_json::{Value, json};

use super::list::{Attribute, page};
use super::{Answer, Form, read};
use crate::chargebee::refusal::Refusal;
use crate::chargebee::render;
use crate::chargebee::site::changes::{Change, ChangeWhen};
use crate::chargebee::site::creation::NewSubscription;
use crate::chargebee::site::ending::CancelWhen;
use crate::chargebee::site::model::Subscription;
use crate::chargebee::site::pauses::PauseWhen;
use crate::chargebee::site::{Act, Site};

type Answered = Result<Answer, Refusal>;

pub(super) fn create(site: &mut Site, customer_id: &str, form: &Form, act: Act) -> Answered {
    let customer = site.live_customer(customer_id)?;
    let new = NewSubscription {
        id: read::text(form, "id", 50)?,
        customer,
        items: read::items(form)?,
        trial_end: read::integer(form, "trial_end")?,
        start_date: read::integer(form, "start_date")?,
        auto_collection: read::switch(form, "auto_collection")?,
        meta_data: read::meta_data(form)?,
    };
    let (position, invoice) = site.create_subscription(new, act)?;
    Ok(with_invoice(site, position, invoice))
}

pub(super) fn list(site: &Site, query: &Form) -> Answered {
    list_where(site, query, |_| true)
}

pub(super) fn list_for_customer(site: &Site, customer_id: &str, query: &Form) -> Answered {
    let customer = site.customers.get(customer_id).ok_or_else(|| Refusal::not_found("customer_id", customer_id))?;
    list_where(site, query, |row| row.customer_id == customer.id)
}

fn list_where(site: &Site, query: &Form, belongs: impl Fn(&Subscription) -> bool) -> Answered {
    let deleted_too = read::boolean(query, "include_deleted")? == Some(true);
    page(
        site.subscriptions.iter(),
        query,
        &[
            "id",
            "customer_id",
            "item_price_id",
            "item_id",
            "status",
            "cancel_reason",
            "created_at",
            "activated_at",
            "next_billing_at",
            "cancelled_at",
            "has_scheduled_changes",
            "updated_at",
        ],
        &["created_at", "updated_at"],
        |row, name| match name {
            "id" => Attribute::Text(&row.id),
            "customer_id" => Attribute::Text(&row.customer_id),
            "item_price_id" => Attribute::text(row.items.first().map(|item| item.item_price_id.as_str())),
            "item_id" => Attribute::text(
                row.items
                    .first()
                    .and_then(|item| site.catalog.prices.get(&item.item_price_id))
                    .map(|price| price.item_id.as_str()),
            ),
            "status" => Attribute::Text(row.status.as_str()),
            "cancel_reason" => Attribute::text(row.cancel_reason),
            "created_at" => Attribute::Number(row.created_at),
            "activated_at" => Attribute::number(row.activated_at),
            "next_billing_at" => Attribute::number(row.due_at()),
            "cancelled_at" => {
                Attribute::number(row.cancelled_at.or(row.scheduled_cancel.as_ref().map(|cancel| cancel.at)))
            }
            "has_scheduled_changes" => Attribute::boolean(row.scheduled_change.is_some()),
            "updated_at" => Attribute::Number(row.stamp.updated_at),
            _ => Attribute::Absent,
        },
        |row| (deleted_too || !row.deleted) && belongs(row),
        |position| pair(site, position).to_string(),
    )
}

pub(super) fn retrieve(site: &Site, id: &str) -> Answered {
    let position = site.subscriptions.position(id).ok_or_else(|| Refusal::not_found("subscription_id", id))?;
    Ok(Answer::ok(&pair(site, position)))
}

pub(super) fn retrieve_as_scheduled(site: &Site, id: &str) -> Answered {
    let position = site.live_subscription(id)?;
    if site.subscriptions[position].scheduled_change.is_none() {
        return Err(Refusal::invalid_state("No changes are scheduled for this subscription."));
    }
    let mut body = pair(site, position);
    body["subscription"] = render::subscription_as_scheduled(site, position);
    Ok(Answer::ok(&body))
}

/// One of the actions of a subscription.
pub(super) fn act(site: &mut Site, id: &str, action: &str, form: &Form, act: Act) -> Answered {
    let position = site.live_subscription(id)?;
    match action {
        "update_for_items" => {
            let change = change(form, "")?;
            let invoice = site.update_subscription(position, change, act)?;
            return Ok(with_invoice(site, position, invoice));
        }
        "cancel_for_items" | "cancel" => {
            let code = read::text(form, "cancel_reason_code", 100)?;
            site.cancel(position, cancel_when(form)?, code, act)?;
        }
        "remove_scheduled_cancellation" => site.undo_cancel(position, act)?,
        "remove_scheduled_changes" => site.remove_scheduled_change(position, act)?,
        "reactivate" => {
            let invoice = site.reactivate(position, read::integer(form, "trial_end")?, act)?;
            return Ok(with_invoice(site, position, invoice));
        }
        "pause" => {
            let when = match form.get("pause_option").unwrap_or("immediately") {
                "immediately" => PauseWhen::Now,
                "end_of_term" => PauseWhen::EndOfTerm,
                "specific_date" => PauseWhen::At(date(form, "pause_date")?),
                _ => return Err(unknown_option("pause_option")),
            };
            site.pause(position, when, read::integer(form, "resume_date")?, act)?;
        }
        "resume" => match form.get("resume_option").unwrap_or("immediately") {
            "immediately" => site.resume(position, act)?,
            "specific_date" => site.schedule_resumption(position, date(form, "resume_date")?, act)?,
            _ => return Err(unknown_option("resume_option")),
        },
        "remove_scheduled_pause" => site.remove_scheduled_pause(position, act)?,
        "remove_scheduled_resumption" => site.remove_scheduled_resumption(position, act)?,
        "delete" => site.delete_subscription(position, act),
        _ => return Err(Refusal::no_such_route(&format!("/subscriptions/{id}/{action}"))),
    }
    Ok(Answer::ok(&pair(site, position)))
}

fn unknown_option(param: &str) -> Refusal {
    Refusal::wrong_value(param, format!("{param} : is not one of the allowed values"))
}

fn date(form: &Form, name: &str) -> Result<i64, Refusal> {
    read::integer(form, name)?.ok_or_else(|| Refusal::wrong_value(name, format!("{name} : cannot be blank")))
}

fn cancel_when(form: &Form) -> Result<CancelWhen, Refusal> {
    let at = read::integer(form, "cancel_at")?;
    match form.get("cancel_option").filter(|option| !option.is_empty()) {
        Some("immediately") => Ok(CancelWhen::Now),
        Some("end_of_term" | "end_of_billing_term") => Ok(CancelWhen::EndOfTerm),
        Some("specific_date") => Ok(CancelWhen::At(date(form, "cancel_at")?)),
        Some(_) => Err(unknown_option("cancel_option")),
        None if read::boolean(form, "end_of_term")? == Some(true) => Ok(CancelWhen::EndOfTerm),
        None => Ok(at.map_or(CancelWhen::Now, CancelWhen::At)),
    }
}

/// The members of a change; `prefix` is empty, or `subscription` for the members that a hosted page nests.
pub(super) fn change(form: &Form, prefix: &str) -> Result<Change, Refusal> {
    let named = |name: &str| if prefix.is_empty() { name.to_owned() } else { format!("{prefix}[{name}]") };
    let when = match form.get("change_option").filter(|option| !option.is_empty()) {
        Some("immediately") => ChangeWhen::Now,
        Some("end_of_term") => ChangeWhen::EndOfTerm,
        Some("specific_date") => ChangeWhen::At(date(form, "changes_scheduled_at")?),
        Some(_) => return Err(unknown_option("change_option")),
        None if read::boolean(form, "end_of_term")? == Some(true) => ChangeWhen::EndOfTerm,
        None => ChangeWhen::Now,
    };
    Ok(Change {
        items: read::items(form)?,
        replace: read::boolean(form, "replace_items_list")?.unwrap_or(false),
        when,
        prorate: read::boolean(form, "prorate")?.unwrap_or(true),
        invoice_immediately: read::boolean(form, "invoice_immediately")?.unwrap_or(true),
        force_term_reset: read::boolean(form, "force_term_reset")?.unwrap_or(false),
        reactivate: read::boolean(form, "reactivate")?.unwrap_or(true),
        trial_end: read::integer(form, &named("trial_end"))?,
        auto_collection: read::switch(form, &named("auto_collection"))?,
        meta_data: if prefix.is_empty() { read::meta_data(form)? } else { None },
    })
}

fn pair(site: &Site, position: usize) -> Value {
    json!({
        "subscription": render::subscription(site, position),
        "customer": render::customer(site, site.customer_of(position)),
    })
}

fn with_invoice(site: &Site, position: usize, invoice: Option<usize>) -> Answer {
    let mut body = pair(site, position);
    if let Some(invoice) = invoice {
        body["invoice"] = render::invoice(site, invoice);
    }
    Answer::ok(&body)
}
