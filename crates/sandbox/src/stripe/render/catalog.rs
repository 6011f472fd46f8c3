//! Products and prices.

use serde_json::{Map, Value, json};

use crate::stripe::account::model::{Price, Product, Rate, Tier};

pub(super) fn product(row: &Product) -> Value {
    if row.deleted {
        return json!({ "id": row.id, "object": "product", "deleted": true });
    }
    json!({
        "id": row.id,
        "object": "product",
        "active": row.active,
        "created": row.created,
        "default_price": row.default_price,
        "description": row.description,
        "images": [],
        "livemode": false,
        "marketing_features": [],
        "metadata": row.metadata,
        "name": row.name,
        "package_dimensions": null,
        "shippable": null,
        "statement_descriptor": null,
        "tax_code": null,
        "tax_details": null,
        "type": "service",
        "unit_label": null,
        "updated": row.updated,
        "url": null,
    })
}

/// A price without what has to be asked for: its tiers and its other currencies.
pub(crate) fn price(row: &Price) -> Value {
    let is_tiered = matches!(row.rate, Rate::Volume(_));
    let recurring = row.interval.map(|interval| {
        json!({
            "interval": interval.unit.as_str(),
            "interval_count": interval.count,
            "meter": row.meter,
            "trial_period_days": null,
            "usage_type": if row.meter.is_some() { "metered" } else { "licensed" },
        })
    });
    json!({
        "id": row.id,
        "object": "price",
        "active": row.active,
        "billing_scheme": if is_tiered { "tiered" } else { "per_unit" },
        "created": row.created,
        "currency": row.currency,
        "custom_unit_amount": null,
        "livemode": false,
        "lookup_key": row.lookup_key,
        "metadata": row.metadata,
        "nickname": row.nickname,
        "product": row.product,
        "recurring": recurring,
        "tax_behavior": "unspecified",
        "tiers_mode": is_tiered.then_some("volume"),
        "transform_quantity": null,
        "type": if row.interval.is_some() { "recurring" } else { "one_time" },
        "unit_amount": row.rate.unit_amount(),
        "unit_amount_decimal": decimal(row.rate.unit_amount()),
    })
}

/// What a price shows only where it was asked for: `tiers` or `currency_options`.
pub(crate) fn price_with(row: &Price, name: &str) -> Option<Value> {
    match name {
        "tiers" => Some(tiers(&row.rate).unwrap_or_default()),
        "currency_options" => {
            let own = (&row.currency, &row.rate);
            let options = row.currency_options.iter().chain([own]);
            let options = options.map(|(currency, rate)| (currency.clone(), currency_option(rate)));
            Some(Value::Object(options.collect::<Map<_, _>>()))
        }
        _ => None,
    }
}

fn currency_option(rate: &Rate) -> Value {
    let mut option = json!({
        "custom_unit_amount": null,
        "tax_behavior": "unspecified",
        "unit_amount": rate.unit_amount(),
        "unit_amount_decimal": decimal(rate.unit_amount()),
    });
    if let Some(tiers) = tiers(rate) {
        option["tiers"] = tiers;
    }
    option
}

fn tiers(rate: &Rate) -> Option<Value> {
    let tier = |tier: &Tier| {
        json!({
            "flat_amount": tier.flat_amount,
            "flat_amount_decimal": decimal(tier.flat_amount),
            "unit_amount": tier.unit_amount,
            "unit_amount_decimal": decimal(tier.unit_amount),
            "up_to": tier.up_to,
        })
    };
    match rate {
        Rate::PerUnit(_) => None,
        Rate::Volume(tiers) => Some(tiers.iter().map(tier).collect()),
    }
}

/// Decimals are texts on the wire.
pub(super) fn decimal(amount: Option<i64>) -> Option<String> {
    amount.map(|amount| amount.to_string())
}
