//! `/customers`. Source: Chargebee API docs, "Customers".

use std::collections::BTreeMap;

use super::filter::{Attribute, Columns};
use super::list::List;
use super::{Answer, Form, read};
use crate::chargebee::refusal::Refusal;
use crate::chargebee::render;
use crate::chargebee::site::customers::CustomerInput;
use crate::chargebee::site::model::Customer;
use crate::chargebee::site::{Act, Site};

type Answered = Result<Answer, Refusal>;

pub(super) fn create(site: &mut Site, form: &Form, act: Act) -> Answered {
    let id = read::text(form, "id", 50)?;
    let input = read::customer(form, "")?;
    let position = site.create_customer(id, input, act)?;
    Ok(Answer::resource("customer", render::customer(site, position)))
}

const COLUMNS: Columns<Customer> = &[
    ("id", |_, row| Attribute::Text(&row.id)),
    ("first_name", |_, row| Attribute::text(row.texts.get("first_name").map(String::as_str))),
    ("last_name", |_, row| Attribute::text(row.texts.get("last_name").map(String::as_str))),
    ("email", |_, row| Attribute::text(row.texts.get("email").map(String::as_str))),
    ("company", |_, row| Attribute::text(row.texts.get("company").map(String::as_str))),
    ("phone", |_, row| Attribute::text(row.texts.get("phone").map(String::as_str))),
    ("auto_collection", |_, row| Attribute::Text(if row.auto_collection { "on" } else { "off" })),
    ("created_at", |_, row| Attribute::Number(row.created_at)),
    ("updated_at", |_, row| Attribute::Number(row.stamp.updated_at)),
];

pub(super) fn list(site: &Site, query: &Form) -> Answered {
    List {
        site,
        table: &site.customers,
        columns: COLUMNS,
        sorts: &["created_at", "updated_at"],
        within: None,
        is_deleted: |row| row.deleted,
        render: |site, position| format!("{{\"customer\":{}}}", render::customer(site, position)),
    }
    .page(query)
}

pub(super) fn retrieve(site: &Site, id: &str) -> Answered {
    // A deleted customer can still be read, marked `deleted`.
    let position = site.customers.position(id).ok_or_else(|| Refusal::not_found("customer_id", id))?;
    Ok(Answer::resource("customer", render::customer(site, position)))
}

/// Changes what a customer is called and how to reach it; the address on invoices has a path of its own.
pub(super) fn update(site: &mut Site, id: &str, form: &Form, act: Act) -> Answered {
    let input = CustomerInput { billing_address: BTreeMap::new(), ..read::customer(form, "")? };
    change(site, id, input, act)
}

pub(super) fn update_billing_info(site: &mut Site, id: &str, form: &Form, act: Act) -> Answered {
    let input = CustomerInput { billing_address: read::billing_address(form)?, ..CustomerInput::default() };
    change(site, id, input, act)
}

fn change(site: &mut Site, id: &str, input: CustomerInput, act: Act) -> Answered {
    let position = site.live_customer(id)?;
    site.update_customer(position, input, act);
    Ok(Answer::resource("customer", render::customer(site, position)))
}

pub(super) fn delete(site: &mut Site, id: &str, act: Act) -> Answered {
    let position = site.live_customer(id)?;
    site.delete_customer(position, act);
    Ok(Answer::resource("customer", render::customer(site, position)))
}
