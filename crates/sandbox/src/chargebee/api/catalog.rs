//! `/items` and `/item_prices`. Source: Chargebee API docs, "Items", "Item prices".

use super::list::{Attribute, page};
use super::{Answer, Form, read};
use crate::chargebee::refusal::Refusal;
use crate::chargebee::render;
use crate::chargebee::site::catalog::Pricing;
use crate::chargebee::site::{Act, Site};

type Answered = Result<Answer, Refusal>;

pub(super) fn list_items(site: &Site, query: &Form) -> Answered {
    page(
        site.catalog.items.iter(),
        query,
        &["id", "name", "type", "status", "updated_at"],
        &["updated_at"],
        |row, name| match name {
            "id" => Attribute::Text(&row.id),
            "name" => Attribute::Text(row.name),
            "type" => Attribute::Text(row.item_type.as_str()),
            "status" => Attribute::Text("active"),
            "updated_at" => Attribute::Number(row.stamp.updated_at),
            _ => Attribute::Absent,
        },
        |_| true,
        |position| format!("{{\"item\":{}}}", render::item(&site.catalog.items[position])),
    )
}

pub(super) fn retrieve_item(site: &Site, id: &str) -> Answered {
    let row = site.catalog.items.get(id).ok_or_else(|| Refusal::not_found("item_id", id))?;
    Ok(Answer::resource("item", render::item(row)))
}

pub(super) fn list_prices(site: &Site, query: &Form) -> Answered {
    page(
        site.catalog.prices.iter(),
        query,
        &[
            "id",
            "name",
            "item_id",
            "item_type",
            "pricing_model",
            "currency_code",
            "status",
            "period_unit",
            "updated_at",
        ],
        &["created_at", "updated_at"],
        |row, name| match name {
            "id" => Attribute::Text(&row.id),
            "name" => Attribute::Text(&row.name),
            "item_id" => Attribute::Text(&row.item_id),
            "item_type" => Attribute::Text(row.item_type.as_str()),
            "pricing_model" => Attribute::Text(row.pricing.as_str()),
            "currency_code" => Attribute::Text(&row.currency),
            "status" => Attribute::Text(if row.archived { "archived" } else { "active" }),
            "period_unit" => Attribute::text(row.period.map(|(_, unit)| unit.as_str())),
            "created_at" => Attribute::Number(row.created_at),
            "updated_at" => Attribute::Number(row.stamp.updated_at),
            _ => Attribute::Absent,
        },
        |_| true,
        |position| format!("{{\"item_price\":{}}}", render::item_price(&site.catalog.prices[position])),
    )
}

pub(super) fn retrieve_price(site: &Site, id: &str) -> Answered {
    let row = site.catalog.prices.get(id).ok_or_else(|| Refusal::not_found("item_price_id", id))?;
    Ok(Answer::resource("item_price", render::item_price(row)))
}

/// Changes name, texts, status and price. Running subscriptions take a new price at their next invoice.
pub(super) fn update_price(site: &mut Site, id: &str, form: &Form, act: Act) -> Answered {
    let position = site.catalog.prices.position(id).ok_or_else(|| Refusal::not_found("item_price_id", id))?;
    let name = read::text(form, "name", 100)?;
    let price = read::integer(form, "price")?;
    let tier = form.column("tiers", "price").get(&0).and_then(|price| price.parse().ok());
    let archived = match form.get("status") {
        None => None,
        Some("active") => Some(false),
        Some("archived") => Some(true),
        Some(_) => return Err(Refusal::wrong_value("status", "status : is not one of the allowed values")),
    };
    let mut texts = Vec::new();
    for (member, longest) in [("description", 2_000), ("external_name", 100), ("invoice_notes", 2_000)] {
        if let Some(given) = read::text(form, member, longest)? {
            texts.push((member, given));
        }
    }
    let row = &mut site.catalog.prices[position];
    if let Some(name) = name {
        row.name = name;
    }
    let price = if row.pricing == Pricing::Stairstep { tier.or(price) } else { price };
    if let Some(price) = price {
        row.price = price;
    }
    if let Some(archived) = archived {
        row.archived = archived;
    }
    row.texts.extend(texts);
    row.stamp.updated_at = act.secs();
    row.stamp.resource_version = act.now.millis().max(row.stamp.resource_version + 1);
    Ok(Answer::resource("item_price", render::item_price(row)))
}
