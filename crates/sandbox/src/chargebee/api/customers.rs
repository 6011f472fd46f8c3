//! `/customers`. Source: Chargebee API docs, "Customers".

use super::list::{Attribute, page};
use super::{Answer, Form, read};
use crate::chargebee::refusal::Refusal;
use crate::chargebee::render;
use crate::chargebee::site::{Act, Site};

type Answered = Result<Answer, Refusal>;

pub(super) fn create(site: &mut Site, form: &Form, act: Act) -> Answered {
    let id = read::text(form, "id", 50)?;
    let input = read::customer(form, "")?;
    let position = site.create_customer(id, input, act)?;
    Ok(Answer::resource("customer", render::customer(site, position)))
}

pub(super) fn list(site: &Site, query: &Form) -> Answered {
    let deleted_too = read::boolean(query, "include_deleted")? == Some(true);
    page(
        site.customers.iter(),
        query,
        &["id", "first_name", "last_name", "email", "company", "phone", "auto_collection", "created_at", "updated_at"],
        &["created_at", "updated_at"],
        |row, name| match name {
            "id" => Attribute::Text(&row.id),
            "auto_collection" => Attribute::Text(if row.auto_collection { "on" } else { "off" }),
            "created_at" => Attribute::Number(row.created_at),
            "updated_at" => Attribute::Number(row.stamp.updated_at),
            text => Attribute::text(row.texts.get(text).map(String::as_str)),
        },
        |row| deleted_too || !row.deleted,
        |position| format!("{{\"customer\":{}}}", render::customer(site, position)),
    )
}

pub(super) fn retrieve(site: &Site, id: &str) -> Answered {
    // A deleted customer can still be read, marked `deleted`.
    let position = site.customers.position(id).ok_or_else(|| Refusal::not_found("customer_id", id))?;
    Ok(Answer::resource("customer", render::customer(site, position)))
}

pub(super) fn update(site: &mut Site, id: &str, form: &Form, act: Act) -> Answered {
    let position = site.live_customer(id)?;
    let input = read::customer(form, "")?;
    site.update_customer(position, input, act);
    Ok(Answer::resource("customer", render::customer(site, position)))
}

pub(super) fn delete(site: &mut Site, id: &str, act: Act) -> Answered {
    let position = site.live_customer(id)?;
    site.delete_customer(position, act);
    Ok(Answer::resource("customer", render::customer(site, position)))
}
