//! `/subscriptions`. Source: Chargebee API docs, "Subscriptions".

use serde_json::{Value, json};

use super::filter::{Attribute, Columns};
use super::list::List;
use super::{Answer, Form, options, read};
use crate::chargebee::refusal::Refusal;
use crate::chargebee::render;
use crate::chargebee::site::model::Subscription;
use crate::chargebee::site::news::Raised;
use crate::chargebee::site::{Act, Site};

type Answered = Result<Answer, Refusal>;

const COLUMNS: Columns<Subscription> = &[
    ("id", |_, row| Attribute::Text(&row.id)),
    ("customer_id", |_, row| Attribute::Text(&row.customer_id)),
    ("item_price_id", |_, row| Attribute::text(row.items.first().map(|item| item.item_price_id.as_str()))),
    ("item_id", |site, row| {
        let price = row.items.first().and_then(|item| site.catalog.prices.get(&item.item_price_id));
        Attribute::text(price.map(|price| price.item_id.as_str()))
    }),
    ("status", |_, row| Attribute::Text(row.status.as_str())),
    ("cancel_reason", |_, row| Attribute::text(row.cancel_reason)),
    ("cancel_reason_code", |_, row| Attribute::text(row.cancel_reason_code.as_deref())),
    ("created_at", |_, row| Attribute::Number(row.created_at)),
    ("activated_at", |_, row| Attribute::number(row.activated_at)),
    ("next_billing_at", |_, row| Attribute::number(row.next_billing_at())),
    ("cancelled_at", |_, row| {
        Attribute::number(row.cancelled_at.or(row.scheduled_cancel.as_ref().map(|cancel| cancel.at)))
    }),
    ("has_scheduled_changes", |_, row| Attribute::boolean(row.scheduled_change.is_some())),
    ("updated_at", |_, row| Attribute::Number(row.stamp.updated_at)),
];

pub(super) fn create(site: &mut Site, customer_id: &str, form: &Form, act: Act) -> Answered {
    let customer = site.live_customer(customer_id)?;
    let (position, raised) = site.create_subscription(options::new_subscription(form, "", customer)?, act)?;
    Ok(with_documents(site, position, &raised))
}

pub(super) fn list(site: &Site, query: &Form) -> Answered {
    let render = |site: &Site, position| pair(site, position).to_string();
    list_within(site, None, query, render)
}

/// The older list of one customer, which does not repeat that customer beside each row.
///
/// Source: the answer's type in the official Node client 3.33, `subscriptionsForCustomer`.
pub(super) fn list_for_customer(site: &Site, customer_id: &str, query: &Form) -> Answered {
    if !site.customers.contains(customer_id) {
        return Err(Refusal::not_found("customer_id", customer_id));
    }
    let render = |site: &Site, position| json!({ "subscription": render::subscription(site, position) }).to_string();
    list_within(site, Some(("customer_id", customer_id)), query, render)
}

fn list_within(
    site: &Site,
    within: Option<(&'static str, &str)>,
    query: &Form,
    render: fn(&Site, usize) -> String,
) -> Answered {
    List {
        site,
        table: &site.subscriptions,
        columns: COLUMNS,
        sorts: &["created_at", "updated_at"],
        within,
        is_deleted: |row| row.deleted,
        render,
    }
    .page(query)
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
    let mut raised = Raised::default();
    match action {
        "update_for_items" => raised = site.update_subscription(position, options::change(form, "")?, act)?,
        "cancel_for_items" | "cancel" => raised = site.cancel(position, options::cancel(form)?, act)?,
        "remove_scheduled_cancellation" => site.undo_cancel(position, act)?,
        "remove_scheduled_changes" => site.remove_scheduled_change(position, act)?,
        "reactivate" => {
            let trial_end = read::instant(form, "trial_end")?;
            let invoice_now = read::boolean(form, "invoice_immediately")?.unwrap_or(true);
            raised = site.reactivate(position, trial_end, invoice_now, act)?;
        }
        "pause" => raised = site.pause(position, options::pause(form)?, act)?,
        "resume" => match form.get("resume_option").unwrap_or("immediately") {
            "immediately" => raised = site.resume(position, options::resumes_with_invoice(form)?, act)?,
            "specific_date" => {
                site.schedule_resumption(position, read::required_instant(form, "resume_date")?, act)?;
            }
            _ => return Err(read::unknown_option("resume_option")),
        },
        "remove_scheduled_pause" => site.remove_scheduled_pause(position, act)?,
        "remove_scheduled_resumption" => site.remove_scheduled_resumption(position, act)?,
        "delete" => site.delete_subscription(position, act),
        _ => return Err(Refusal::no_such_route(&format!("/subscriptions/{id}/{action}"))),
    }
    Ok(with_documents(site, position, &raised))
}

fn pair(site: &Site, position: usize) -> Value {
    json!({
        "subscription": render::subscription(site, position),
        "customer": render::customer(site, site.customer_of(position)),
    })
}

fn with_documents(site: &Site, position: usize, raised: &Raised) -> Answer {
    let mut body = pair(site, position);
    if let Some(members) = body.as_object_mut() {
        members.extend(render::raised(site, position, raised));
    }
    Answer::ok(&body)
}
