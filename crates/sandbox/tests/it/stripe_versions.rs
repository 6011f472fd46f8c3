//! One life, read in both versions of Stripe's API.

use reqwest::Method;
use serde_json::{Value, json};

use crate::stripe_support::*;
use crate::support::*;

#[tokio::test]
async fn a_subscription_and_its_invoice_have_both_shapes() {
    let world = World::start().await;
    let (_, id) = world.stripe_subscribed("price_scale_monthly", "3", PAYS).await;
    let path = format!("/v1/subscriptions/{id}");
    let current = world.stripe_subscription(&id).await;
    let older = world.older(Method::GET, &path, &[("expand[]", "latest_invoice.payment_intent")]).await;
    let item = &current["items"]["data"][0];
    for name in ["current_period_start", "current_period_end"] {
        assert_eq!(older[name], item[name], "{name}");
        assert!(current.get(name).is_none() && older["items"]["data"][0].get(name).is_none(), "{name}");
    }
    assert!(older.get("billing_mode").is_none() && current["billing_mode"]["type"] == "flexible");
    assert_eq!(older["discount"], Value::Null);

    let was = &older["latest_invoice"];
    let invoice = world.look(&format!("/v1/invoices/{}", text(&was["id"])), &[]).await;
    assert_eq!(was["subscription"], invoice["parent"]["subscription_details"]["subscription"]);
    assert_eq!(was["payment_intent"]["status"], "succeeded");
    assert_eq!(was["payment_intent"]["invoice"], was["id"]);
    assert_eq!((&was["paid"], &was["tax"]), (&json!(true), &Value::Null));
    let (line, was_line) = (&invoice["lines"]["data"][0], &was["lines"]["data"][0]);
    assert_eq!(was_line["price"]["id"], line["pricing"]["price_details"]["price"]);
    assert_eq!(was_line["plan"]["interval"], "month");
    assert_eq!((&was_line["type"], &was_line["proration"]), (&json!("subscription"), &json!(false)));
    assert_eq!(was_line["subscription_item"], line["parent"]["subscription_item_details"]["subscription_item"]);
    for name in ["parent", "payments", "confirmation_secret", "total_taxes", "_price", "_payment_intent"] {
        assert!(was.get(name).is_none() && was_line.get(name).is_none(), "{name}");
    }
    let charge = world.older(Method::GET, &format!("/v1/charges/{}", text(&was["charge"])), &[]).await;
    assert_eq!(charge["invoice"], was["id"]);
}

#[tokio::test]
async fn a_session_speaks_of_its_page_in_both_versions() {
    let world = World::start().await;
    let customer = world.stripe_customer().await;
    let pairs = [
        ("mode", "subscription"),
        ("customer", customer.as_str()),
        ("ui_mode", "hosted"),
        ("payment_method_types[]", "card"),
        ("line_items[][price]", "price_scale_monthly"),
        ("line_items[][quantity]", "1"),
        ("success_url", "http://app.invalid/"),
    ];
    let older = world.older(Method::POST, "/v1/checkout/sessions", &pairs).await;
    assert_eq!(older["ui_mode"], "hosted");
    let current = world.look(&format!("/v1/checkout/sessions/{}", text(&older["id"])), &[]).await;
    assert_eq!(current["ui_mode"], "hosted_page");
    let (status, _) = world.refused(Method::POST, "/v1/checkout/sessions", &pairs).await;
    assert_eq!(status, 400, "the old words are gone");
}

#[tokio::test]
async fn the_upcoming_invoice_is_of_the_older_version_and_agrees_with_the_preview() {
    let world = World::start().await;
    let (_, id) = world.stripe_subscribed("price_scale_monthly", "3", PAYS).await;
    let upcoming = world.older(Method::GET, "/v1/invoices/upcoming", &[("subscription", &id)]).await;
    let preview = world.post("/v1/invoices/create_preview", &[("subscription", &id)]).await;
    assert_eq!((&upcoming["total"], &upcoming["subscription"]), (&preview["total"], &json!(id)));
    assert_eq!(upcoming["total"], 4_500);
    let (status, _) = world.refused(Method::GET, "/v1/invoices/upcoming", &[("subscription", &id)]).await;
    assert_eq!(status, 404);
}

#[tokio::test]
async fn the_anchor_is_a_word_in_one_version_and_an_object_in_the_other() {
    let world = World::start().await;
    let (_, id) = world.stripe_subscribed("price_scale_monthly", "3", PAYS).await;
    world.advance(86_400).await;
    let path = format!("/v1/subscriptions/{id}");
    let (status, _) = world.refused(Method::POST, &path, &[("billing_cycle_anchor", "now")]).await;
    assert_eq!(status, 400);
    let moved = world.post(&path, &[("billing_cycle_anchor[type]", "now")]).await;
    assert_eq!(moved["billing_cycle_anchor"], START + 86_400);
    world.advance(86_400).await;
    let moved = world.older(Method::POST, &path, &[("billing_cycle_anchor", "now")]).await;
    assert_eq!(moved["current_period_start"], START + 2 * 86_400);
}

#[tokio::test]
async fn a_renewal_tells_the_period_before_where_each_version_has_it() {
    let world = World::start().await;
    let configured = world.look("/v1/webhook_endpoints", &[]).await;
    let url = text(&configured["data"][0]["url"]).replace("/stripe", "/older");
    let updates = ("enabled_events[]", "customer.subscription.updated");
    world.post("/v1/webhook_endpoints", &[("url", &url), updates, ("api_version", OLDER)]).await;
    world.stripe_subscribed("price_scale_monthly", "1", PAYS).await;
    let first_end = START + 31 * 86_400;
    world.advance(31 * 86_400).await;
    let previous = |path: &str| {
        let all = world.stripe_deliveries(path).into_iter().map(|one| one.json());
        let mut previous = all.map(|event| event["data"]["previous_attributes"].clone());
        previous.find(|previous| previous.to_string().contains("current_period_end")).unwrap()
    };
    let (current, older) = (previous("/stripe"), previous("/older"));
    assert_eq!(current["items"]["data"][0]["current_period_end"], first_end);
    assert!(current.get("current_period_end").is_none());
    assert_eq!(older["current_period_end"], first_end);
    assert!(older.get("items").is_none(), "{older}");
}
