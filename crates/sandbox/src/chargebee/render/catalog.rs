//! Items and their prices.

use serde_json::{Value, json};

use super::put;
use crate::chargebee::site::catalog::{CatalogItem, ItemFamily, ItemPrice, Rate, Tier};

/// Renders a family of items.
pub(crate) fn item_family(row: &ItemFamily) -> Value {
    json!({
        "id": row.id,
        "name": row.name,
        "status": "active",
        "resource_version": row.stamp.resource_version,
        "updated_at": row.stamp.updated_at,
        "channel": "web",
        "deleted": false,
        "object": "item_family",
    })
}

/// Renders an item of the catalog.
pub(crate) fn item(row: &CatalogItem) -> Value {
    json!({
        "id": row.id,
        "name": row.name,
        "external_name": row.name,
        "status": "active",
        "resource_version": row.stamp.resource_version,
        "updated_at": row.stamp.updated_at,
        "item_family_id": row.family,
        "type": row.item_type.as_str(),
        "is_shippable": false,
        "is_giftable": false,
        "enabled_for_checkout": true,
        "enabled_in_portal": true,
        "item_applicability": "all",
        "metered": false,
        "channel": "web",
        "deleted": false,
        "object": "item",
    })
}

/// Renders an item price.
pub(crate) fn item_price(row: &ItemPrice) -> Value {
    let mut object = json!({
        "id": row.id,
        "name": row.name,
        "external_name": row.name,
        "item_family_id": row.family,
        "item_id": row.item_id,
        "item_type": row.item_type.as_str(),
        "status": if row.archived { "archived" } else { "active" },
        "pricing_model": row.rate.model(),
        "currency_code": row.currency,
        "free_quantity": 0,
        "channel": "web",
        "resource_version": row.stamp.resource_version,
        "updated_at": row.stamp.updated_at,
        "created_at": row.created_at,
        "is_taxable": true,
        "deleted": false,
        "object": "item_price",
    });
    for (name, text) in &row.texts {
        put(&mut object, name, Some(text.as_str()));
    }
    match &row.rate {
        Rate::PerUnit(price) | Rate::FlatFee(price) => put(&mut object, "price", Some(*price)),
        Rate::Stairstep(steps) => {
            let mut rows = tiers(steps);
            rows.iter_mut().for_each(|tier| put(tier, "object", Some("tier")));
            put(&mut object, "tiers", Some(rows));
        }
    }
    put(&mut object, "period", row.period.map(|(period, _)| period));
    put(&mut object, "period_unit", row.period.map(|(_, unit)| unit.as_str()));
    put(&mut object, "trial_period", row.trial_days);
    put(&mut object, "trial_period_unit", row.trial_days.map(|_| "day"));
    object
}

/// The steps of a price, each up to the next one.
pub(super) fn tiers(steps: &[Tier]) -> Vec<Value> {
    let render = |(index, step): (usize, &Tier)| {
        let mut tier = json!({ "starting_unit": step.starting_unit, "price": step.price });
        put(&mut tier, "ending_unit", steps.get(index + 1).map(|next| next.starting_unit - 1));
        tier
    };
    steps.iter().enumerate().map(render).collect()
}
