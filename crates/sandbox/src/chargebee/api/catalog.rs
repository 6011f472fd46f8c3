//! `/items` and `/item_prices`. Source: Chargebee API docs, "Items", "Item prices".

use super::filter::{Attribute, Columns};
use super::list::List;
use super::{Answer, Form, read};
use crate::chargebee::refusal::Refusal;
use crate::chargebee::render;
use crate::chargebee::site::catalog::{CatalogItem, ItemPrice, Rate, Tier};
use crate::chargebee::site::{Act, Site};

type Answered = Result<Answer, Refusal>;

const ITEM_COLUMNS: Columns<CatalogItem> = &[
    ("id", |_, row| Attribute::Text(&row.id)),
    ("name", |_, row| Attribute::Text(&row.name)),
    ("type", |_, row| Attribute::Text(row.item_type.as_str())),
    ("status", |_, _| Attribute::Text("active")),
    ("updated_at", |_, row| Attribute::Number(row.stamp.updated_at)),
];

const PRICE_COLUMNS: Columns<ItemPrice> = &[
    ("id", |_, row| Attribute::Text(&row.id)),
    ("name", |_, row| Attribute::Text(&row.name)),
    ("item_id", |_, row| Attribute::Text(&row.item_id)),
    ("item_type", |_, row| Attribute::Text(row.item_type.as_str())),
    ("pricing_model", |_, row| Attribute::Text(row.rate.model())),
    ("currency_code", |_, row| Attribute::Text(&row.currency)),
    ("status", |_, row| Attribute::Text(if row.archived { "archived" } else { "active" })),
    ("period_unit", |_, row| Attribute::text(row.period.map(|(_, unit)| unit.as_str()))),
    ("created_at", |_, row| Attribute::Number(row.created_at)),
    ("updated_at", |_, row| Attribute::Number(row.stamp.updated_at)),
];

pub(super) fn list_items(site: &Site, query: &Form) -> Answered {
    List {
        site,
        table: &site.catalog.items,
        columns: ITEM_COLUMNS,
        sorts: &["created_at", "updated_at"],
        within: None,
        is_deleted: |_| false,
        render: |site, position| format!("{{\"item\":{}}}", render::item(&site.catalog.items[position])),
    }
    .page(query)
}

pub(super) fn retrieve_item(site: &Site, id: &str) -> Answered {
    let row = site.catalog.items.get(id).ok_or_else(|| Refusal::not_found("item_id", id))?;
    Ok(Answer::resource("item", render::item(row)))
}

pub(super) fn list_prices(site: &Site, query: &Form) -> Answered {
    List {
        site,
        table: &site.catalog.prices,
        columns: PRICE_COLUMNS,
        sorts: &["created_at", "updated_at"],
        within: None,
        is_deleted: |_| false,
        render: |site, position| format!("{{\"item_price\":{}}}", render::item_price(&site.catalog.prices[position])),
    }
    .page(query)
}

pub(super) fn retrieve_price(site: &Site, id: &str) -> Answered {
    let row = site.catalog.prices.get(id).ok_or_else(|| Refusal::not_found("item_price_id", id))?;
    Ok(Answer::resource("item_price", render::item_price(row)))
}

/// Changes name, texts, status and price. Running subscriptions keep the price at which they were sold.
///
/// A stairstep price takes whole `tiers`, or the `price` of its only one.
pub(super) fn update_price(site: &mut Site, id: &str, form: &Form, act: Act) -> Answered {
    let position = site.catalog.prices.position(id).ok_or_else(|| Refusal::not_found("item_price_id", id))?;
    let name = read::text(form, "name", 100)?;
    let rate = new_rate(&site.catalog.prices[position].rate, form)?;
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
    row.rate = rate;
    row.name = name.unwrap_or_else(|| row.name.clone());
    row.archived = archived.unwrap_or(row.archived);
    row.texts.extend(texts);
    site.catalog.prices.touch(position, act.now);
    let rendered = render::item_price(&site.catalog.prices[position]);
    site.emit_one("item_price_updated", "item_price", rendered.clone(), act);
    Ok(Answer::resource("item_price", rendered))
}

fn new_rate(rate: &Rate, form: &Form) -> Result<Rate, Refusal> {
    let price = read::integer(form, "price")?;
    let tiers = tiers(form)?;
    match (rate, price) {
        (Rate::Stairstep(_), _) if !tiers.is_empty() => Ok(Rate::Stairstep(tiers.into())),
        (Rate::Stairstep(_), Some(price)) => Ok(Rate::stairs(price)),
        (Rate::PerUnit(_) | Rate::FlatFee(_), _) if !tiers.is_empty() => {
            let message = format!("A {} price has no tiers.", rate.model());
            Err(Refusal::wrong_value("tiers[starting_unit][0]", message))
        }
        (Rate::PerUnit(_), Some(price)) => Ok(Rate::PerUnit(price)),
        (Rate::FlatFee(_), Some(price)) => Ok(Rate::FlatFee(price)),
        (_, None) => Ok(rate.clone()),
    }
}

/// The rows of `tiers`: from the first unit on, each beginning after the one before.
pub(super) fn tiers(form: &Form) -> Result<Vec<Tier>, Refusal> {
    let starts = form.column("tiers", "starting_unit");
    let mut tiers: Vec<Tier> = Vec::new();
    for (index, given) in form.column("tiers", "price") {
        let wrong = |member: &str| {
            let param = format!("tiers[{member}][{index}]");
            Refusal::wrong_value(param.as_str(), format!("{param} : is not a valid number"))
        };
        let price = given.parse().ok().filter(|price| *price >= 0).ok_or_else(|| wrong("price"))?;
        let starting_unit = starts.get(&index).map_or(Some(1), |start| start.parse().ok());
        let least = tiers.last().map_or(1, |before| before.starting_unit + 1);
        let fits = |start: &i64| if tiers.is_empty() { *start == 1 } else { (least..=1_000_000_000).contains(start) };
        let starting_unit = starting_unit.filter(fits).ok_or_else(|| wrong("starting_unit"))?;
        tiers.push(Tier { starting_unit, price });
    }
    Ok(tiers)
}
