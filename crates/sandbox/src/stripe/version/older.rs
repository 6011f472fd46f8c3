//! Objects as version 2024-04-10 has them.
//!
//! Members that were added without a break (`billing_mode`, `customer_account`, …) are left where they are: the
//! provider shows additions in every version. What was moved or replaced is only at its old place.

use serde_json::{Map, Value, json};

type Members = Map<String, Value>;

/// Converts one object; what is nested in it comes after.
pub(super) fn convert(value: &mut Value) {
    let Some(members) = value.as_object_mut() else { return };
    let Some(kind) = members.get("object").and_then(Value::as_str).map(str::to_owned) else { return };
    match kind.as_str() {
        "subscription" => subscription(members),
        "subscription_item" => take_all(members, &["current_period_start", "current_period_end", "billed_until"]),
        "invoice" => invoice(members),
        "line_item" => line(members),
        "invoiceitem" => invoice_item(members),
        "payment_intent" | "charge" => uncover(members, "_invoice", "invoice"),
        "checkout.session" => session(members),
        "subscription_schedule" => schedule(members),
        "promotion_code" => {
            take_all(members, &["promotion"]);
            uncover(members, "_coupon", "coupon");
        }
        "discount" => {
            take_all(members, &["source"]);
            uncover(members, "_coupon", "coupon");
        }
        "price" => {
            if let Some(recurring) = members.get_mut("recurring").and_then(Value::as_object_mut) {
                recurring.insert("aggregate_usage".into(), Value::Null);
            }
        }
        "plan" => put_nulls(members, &["aggregate_usage"]),
        _ => {}
    }
}

/// Members that were taken away later, and that nothing here ever fills.
fn put_nulls(members: &mut Members, names: &[&str]) {
    for name in names {
        members.insert((*name).to_owned(), Value::Null);
    }
}

fn take_all(members: &mut Members, names: &[&str]) {
    for name in names {
        members.remove(*name);
    }
}

/// Shows a hint under the name that it had.
fn uncover(members: &mut Members, hint: &str, name: &str) {
    let value = members.remove(hint).unwrap_or_default();
    members.insert(name.to_owned(), value);
}

/// The period of the subscription is that of its items, the earliest start and the latest end.
fn subscription(members: &mut Members) {
    let items = members.get("items").and_then(|items| items["data"].as_array());
    let bounds =
        |name: &str| -> Vec<i64> { items.into_iter().flatten().filter_map(|item| item[name].as_i64()).collect() };
    let start = bounds("current_period_start").into_iter().min();
    let end = bounds("current_period_end").into_iter().max();
    members.insert("current_period_start".into(), start.into());
    members.insert("current_period_end".into(), end.into());
    take_all(members, &["billing_mode", "billing_schedules", "status_details", "managed_payments"]);
    uncover(members, "_discount", "discount");
}

fn invoice(members: &mut Members) {
    let parent = members.remove("parent").unwrap_or_default();
    let details = &parent["subscription_details"];
    members.insert("subscription".into(), details["subscription"].clone());
    let metadata = details["metadata"].clone();
    members.insert("subscription_details".into(), json!({ "metadata": metadata }));
    if let Some(date) = details.get("subscription_proration_date").filter(|date| !date.is_null()) {
        members.insert("subscription_proration_date".into(), date.clone());
    }
    members.insert("quote".into(), parent["quote_details"]["quote"].clone());
    let paid = members.get("status").is_some_and(|status| status == "paid");
    members.insert("paid".into(), paid.into());
    let out_of_band = members.remove("_paid_out_of_band").unwrap_or(Value::Bool(false));
    members.insert("paid_out_of_band".into(), out_of_band);
    uncover(members, "_payment_intent", "payment_intent");
    uncover(members, "_charge", "charge");
    uncover(members, "_discount", "discount");
    put_nulls(members, &["application_fee_amount", "transfer_data"]);
    let taxes = members.remove("total_taxes").unwrap_or_default();
    members.insert("tax".into(), total_tax(&taxes));
    members.insert("total_tax_amounts".into(), tax_amounts(&taxes));
    take_all(members, &["payments", "confirmation_secret", "amount_overpaid", "amount_paid_off_stripe"]);
}

fn total_tax(taxes: &Value) -> Value {
    let taxes = taxes.as_array().filter(|taxes| !taxes.is_empty());
    taxes.map(|taxes| taxes.iter().filter_map(|tax| tax["amount"].as_i64()).sum::<i64>()).into()
}

fn tax_amounts(taxes: &Value) -> Value {
    let amounts = taxes.as_array().into_iter().flatten().map(|tax| {
        json!({
            "amount": tax["amount"],
            "inclusive": tax["tax_behavior"] == "inclusive",
            "tax_rate": tax["tax_rate_details"]["tax_rate"],
            "taxability_reason": tax["taxability_reason"],
            "taxable_amount": tax["taxable_amount"],
        })
    });
    amounts.collect()
}

fn line(members: &mut Members) {
    let parent = members.remove("parent").unwrap_or_default();
    let of_subscription = parent["type"] == "subscription_item_details";
    let details = if of_subscription { &parent["subscription_item_details"] } else { &parent["invoice_item_details"] };
    members.insert("type".into(), if of_subscription { "subscription" } else { "invoiceitem" }.into());
    members.insert("proration".into(), (details["proration"] == true).into());
    members.insert("proration_details".into(), proration_details(details));
    members.insert("subscription".into(), details["subscription"].clone());
    if let Some(id) = details.get("invoice_item").filter(|id| !id.is_null()) {
        members.insert("invoice_item".into(), id.clone());
    }
    if let Some(id) = members.remove("_subscription_item").filter(|id| !id.is_null()) {
        members.insert("subscription_item".into(), id);
    }
    let taxes = members.remove("taxes").unwrap_or_default();
    members.insert("tax_amounts".into(), tax_amounts(&taxes));
    members.insert("tax_rates".into(), json!([]));
    // Nothing is taxed here.
    let amount = members.get("amount").cloned().unwrap_or_default();
    members.insert("amount_excluding_tax".into(), amount);
    priced(members);
    let unit_amount = members.remove("pricing").map(|pricing| pricing["unit_amount_decimal"].clone());
    members.insert("unit_amount_excluding_tax".into(), unit_amount.unwrap_or_default());
}

fn proration_details(details: &Value) -> Value {
    json!({ "credited_items": details["proration_details"]["credited_items"] })
}

/// The price as an object, and the plan that it once was.
fn priced(members: &mut Members) {
    let price = members.remove("_price").unwrap_or_default();
    members.insert("plan".into(), plan(&price));
    members.insert("price".into(), price);
}

fn invoice_item(members: &mut Members) {
    let parent = members.remove("parent").unwrap_or_default();
    members.insert("subscription".into(), parent["subscription_details"]["subscription"].clone());
    priced(members);
    let decimal = members.remove("pricing").map(|pricing| pricing["unit_amount_decimal"].clone()).unwrap_or_default();
    let unit_amount = decimal.as_str().and_then(|text| text.parse::<i64>().ok());
    members.insert("unit_amount".into(), unit_amount.into());
    members.insert("unit_amount_decimal".into(), decimal);
    take_all(members, &["net_amount", "proration_details"]);
}

fn schedule(members: &mut Members) {
    take_all(members, &["billing_mode", "pause_schedules"]);
    let phases = members.get_mut("phases").and_then(Value::as_array_mut);
    for phase in phases.into_iter().flatten().filter_map(Value::as_object_mut) {
        put_nulls(phase, &["coupon"]);
    }
}

fn session(members: &mut Members) {
    let mode = match members.get("ui_mode").and_then(Value::as_str) {
        Some("hosted_page") => "hosted",
        Some("embedded_page") => "embedded",
        Some("elements") => "custom",
        _ => return,
    };
    members.insert("ui_mode".into(), mode.into());
    let collected = members.remove("collected_information").unwrap_or_default();
    members.insert("shipping_details".into(), collected["shipping_details"].clone());
    take_all(members, &["allowed_payment_method_types", "managed_payments"]);
}

/// The plan of a recurring price; null for others.
///
/// Source: Stripe API reference, "The plan object": plans and prices share ids.
pub(in crate::stripe) fn plan(price: &Value) -> Value {
    let recurring = &price["recurring"];
    if recurring.is_null() {
        return Value::Null;
    }
    json!({
        "id": price["id"],
        "object": "plan",
        "active": price["active"],
        "amount": price["unit_amount"],
        "amount_decimal": price["unit_amount_decimal"],
        "billing_scheme": price["billing_scheme"],
        "created": price["created"],
        "currency": price["currency"],
        "interval": recurring["interval"],
        "interval_count": recurring["interval_count"],
        "livemode": false,
        "metadata": price["metadata"],
        "meter": recurring["meter"],
        "nickname": price["nickname"],
        "product": price["product"],
        "tiers_mode": price["tiers_mode"],
        "transform_usage": null,
        "trial_period_days": recurring["trial_period_days"],
        "usage_type": recurring["usage_type"],
    })
}

#[cfg(test)]
mod tests {
    use super::super::{Version, as_of};
    use super::*;

    #[test]
    fn an_invoice_names_its_subscription_payment_and_prices_where_it_once_did() {
        let invoice = json!({
            "object": "invoice",
            "status": "paid",
            "parent": {
                "type": "subscription_details",
                "subscription_details": { "subscription": "sub_1", "metadata": { "a": "b" } },
                "quote_details": null,
            },
            "total_taxes": null,
            "_payment_intent": "pi_1",
            "_charge": "ch_1",
            "lines": { "object": "list", "data": [{
                "object": "line_item",
                "amount": 4_900,
                "taxes": null,
                "parent": {
                    "type": "subscription_item_details",
                    "subscription_item_details":
                        { "subscription": "sub_1", "subscription_item": "si_1", "proration": true },
                },
                "pricing": { "unit_amount_decimal": "4900" },
                "_subscription_item": "si_1",
                "_price": { "id": "price_1", "object": "price", "recurring": { "interval": "month" } },
            }] },
        });
        let older = as_of(invoice.clone(), Version::April2024);
        for (name, value) in [("subscription", json!("sub_1")), ("paid", json!(true)), ("charge", json!("ch_1"))] {
            assert_eq!(older[name], value, "{name}");
        }
        assert_eq!((&older["payment_intent"], &older["tax"]), (&json!("pi_1"), &Value::Null));
        let line = &older["lines"]["data"][0];
        assert_eq!((&line["proration"], &line["type"]), (&json!(true), &json!("subscription")));
        assert_eq!((&line["price"]["id"], &line["plan"]["interval"]), (&json!("price_1"), &json!("month")));
        assert_eq!((&line["subscription_item"], &line["amount_excluding_tax"]), (&json!("si_1"), &json!(4_900)));
        let gone = [(&older, "application_fee_amount"), (&older, "transfer_data"), (&line["plan"], "aggregate_usage")];
        assert!(gone.iter().all(|(object, name)| object.get(name) == Some(&Value::Null)));
        assert!(older.get("parent").is_none() && line.get("pricing").is_none());

        let current = as_of(invoice, Version::Endive);
        assert!(current.get("paid").is_none() && current["lines"]["data"][0].get("_price").is_none());
        assert_eq!(current["parent"]["subscription_details"]["subscription"], "sub_1");
    }

    #[test]
    fn a_phase_has_its_one_coupon() {
        let schedule = json!({ "object": "subscription_schedule", "phases": [{ "discounts": [] }] });
        let older = as_of(schedule.clone(), Version::April2024);
        assert_eq!(older["phases"][0].get("coupon"), Some(&Value::Null));
        assert!(as_of(schedule, Version::Endive)["phases"][0].get("coupon").is_none());
    }

    #[test]
    fn the_period_of_a_subscription_spans_its_items() {
        let item = |start: i64, end: i64| json!({ "object": "subscription_item", "current_period_start": start, "current_period_end": end });
        let subscription =
            json!({ "object": "subscription", "items": { "object": "list", "data": [item(10, 20), item(5, 15)] } });
        let older = as_of(subscription, Version::April2024);
        assert_eq!((&older["current_period_start"], &older["current_period_end"]), (&json!(5), &json!(20)));
        assert!(older["items"]["data"][0].get("current_period_end").is_none());
    }
}
