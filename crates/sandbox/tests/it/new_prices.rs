//! Families, items and item prices that are made by the API of Chargebee.

use reqwest::Method;
use serde_json::json;

use crate::support::*;

#[tokio::test]
async fn a_price_that_was_made_can_be_sold() {
    let world = World::start().await;
    world.bill("/item_families", &[("id", "tools"), ("name", "Tools")]).await;
    let families = world.read("/item_families", &[]).await;
    assert_eq!(families["list"].as_array().unwrap().len(), 2);
    let item = [("id", "basic"), ("name", "Basic"), ("type", "plan"), ("item_family_id", "tools")];
    assert_eq!(world.bill("/items", &item).await["item"]["item_family_id"], "tools");
    let form = [
        ("id", "basic-monthly"),
        ("name", "Basic m"),
        ("item_id", "basic"),
        ("currency_code", "USD"),
        ("pricing_model", "stairstep"),
        ("tiers[starting_unit][0]", "1"),
        ("tiers[price][0]", "900"),
        ("period", "1"),
        ("period_unit", "month"),
    ];
    let price = world.bill("/item_prices", &form).await["item_price"].clone();
    assert_eq!((&price["item_family_id"], &price["item_type"]), (&json!("tools"), &json!("plan")));
    assert_eq!((&price["tiers"][0]["price"], &price["period_unit"]), (&json!(900), &json!("month")));
    assert_eq!(world.read("/item_prices/basic-monthly", &[]).await["item_price"], price);

    world.bill("/customers", &[("id", "org_acme")]).await;
    let form = [
        ("subscription_items[item_price_id][0]", "basic-monthly"),
        ("subscription_items[quantity][0]", "3"),
        ("customer[id]", "org_acme"),
    ];
    let page = world.bill("/hosted_pages/checkout_new_for_items", &form).await;
    assert_eq!(page["hosted_page"]["state"], "created");
}

#[tokio::test]
async fn ids_and_names_are_taken_once_and_what_is_missing_is_named() {
    let world = World::start().await;
    let item = |id: &'static str, name: &'static str| {
        vec![("id", id), ("name", name), ("type", "plan"), ("item_family_id", "sandbox")]
    };
    let price = |id: &'static str, name: &'static str| {
        vec![("id", id), ("name", name), ("item_id", "growth"), ("price", "1"), ("period_unit", "month")]
    };
    let without = |mut form: Vec<(&'static str, &'static str)>, name: &str| {
        form.retain(|(known, _)| *known != name);
        form
    };
    let mut lost = item("basic", "Basic");
    lost[3].1 = "nowhere";
    for (path, form, status, code, param) in [
        ("/item_families", vec![("id", "sandbox"), ("name", "Another")], 400, "duplicate_entry", "id"),
        ("/item_families", vec![("id", "tools")], 400, "param_wrong_value", "name"),
        ("/items", item("growth", "Another"), 400, "duplicate_entry", "id"),
        ("/items", item("basic", "Growth"), 400, "duplicate_entry", "name"),
        ("/items", without(item("basic", "Basic"), "type"), 400, "param_wrong_value", "type"),
        ("/items", lost, 404, "resource_not_found", "item_family_id"),
        ("/item_prices", price("growth-plan-monthly", "Another"), 400, "duplicate_entry", "id"),
        ("/item_prices", price("another", "Growth USD monthly"), 400, "duplicate_entry", "name"),
        ("/item_prices", without(price("another", "Another"), "price"), 400, "param_wrong_value", "price"),
        ("/item_prices", without(price("another", "Another"), "period_unit"), 400, "param_wrong_value", "period_unit"),
        ("/item_prices", without(price("another", "Another"), "item_id"), 400, "param_wrong_value", "item_id"),
    ] {
        let (answered, body) = world.billing(Method::POST, path, &form).await;
        let said = (answered, body["api_error_code"].as_str(), body["param"].as_str());
        assert_eq!(said, (status, Some(code), Some(param)), "{path} {form:?}");
    }
    world.bill("/item_prices", &price("another", "Another")).await;
}
