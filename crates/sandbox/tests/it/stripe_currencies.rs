//! One price at Stripe in several currencies: whoever pays in one of them pays all of it in that.

use reqwest::Method;
use serde_json::{Value, json};

use crate::stripe_support::*;
use crate::support::*;

const DAY: i64 = 86_400;

/// A price with an amount in dollars and another one in euros; by the month, or once.
async fn price(world: &World, dollars: &str, euros: &str, recurs: bool) -> String {
    let product = text(&world.post("/v1/products", &[("name", "Maps")]).await["id"]);
    let mut pairs = vec![
        ("product", product.as_str()),
        ("currency", "usd"),
        ("unit_amount", dollars),
        ("currency_options[eur][unit_amount]", euros),
    ];
    pairs.extend(recurs.then_some(("recurring[interval]", "month")));
    text(&world.post("/v1/prices", &pairs).await["id"])
}

/// A subscription that was bought in euros.
async fn bought_in_euros(world: &World, price: &str) -> Value {
    let customer = world.stripe_customer().await;
    let session = world.session(&customer, price, "2", &[("currency", "EUR")]).await;
    world.done("/sandbox/hosted/complete", json!({ "url": session["url"], "card": PAYS })).await;
    let session = world.look(&format!("/v1/checkout/sessions/{}", text(&session["id"])), &[]).await;
    world.stripe_subscription(&text(&session["subscription"])).await
}

#[tokio::test]
async fn a_checkout_in_one_of_them_becomes_a_subscription_in_it() {
    let world = World::start().await;
    let price = price(&world, "1000", "900", true).await;
    let customer = world.stripe_customer().await;
    let dollars = world.session(&customer, &price, "2", &[]).await;
    assert_eq!((&dollars["currency"], &dollars["amount_total"]), (&json!("usd"), &json!(2_000)));
    let customer = world.stripe_customer().await;
    let euros = world.session(&customer, &price, "2", &[("currency", "eur"), ("expand[]", "line_items")]).await;
    assert_eq!((&euros["currency"], &euros["amount_total"]), (&json!("eur"), &json!(1_800)));
    let line = &euros["line_items"]["data"][0];
    assert_eq!((&line["currency"], &line["amount_total"]), (&json!("eur"), &json!(1_800)));

    let subscription = bought_in_euros(&world, &price).await;
    assert_eq!(subscription["currency"], "eur");
    // The price itself keeps saying its first currency.
    assert_eq!(subscription["items"]["data"][0]["price"]["currency"], "usd");
    world.advance(31 * DAY + 7_200).await;
    let id = text(&subscription["id"]);
    let invoices = world.look("/v1/invoices", &[("subscription", &id)]).await;
    let invoices = invoices["data"].as_array().unwrap();
    assert_eq!(invoices.len(), 2, "the first one and the renewal's");
    for invoice in invoices {
        assert_eq!((&invoice["currency"], &invoice["amount_paid"]), (&json!("eur"), &json!(1_800)));
        let line = &invoice["lines"]["data"][0];
        assert_eq!(
            (&line["currency"], &line["description"]),
            (&json!("eur"), &json!("2 × Maps (at EUR 9.00 / month)"))
        );
    }
}

#[tokio::test]
async fn a_change_is_previewed_made_and_scheduled_in_the_subscriptions_currency() {
    let world = World::start().await;
    let (small, large) = (price(&world, "1000", "900", true).await, price(&world, "3000", "2500", true).await);
    let subscription = bought_in_euros(&world, &small).await;
    let (id, item) = (text(&subscription["id"]), text(&subscription["items"]["data"][0]["id"]));
    let preview = async |price: &str| {
        let pairs = [
            ("subscription", id.as_str()),
            ("subscription_details[items][0][id]", &item),
            ("subscription_details[items][0][price]", price),
            ("subscription_details[proration_behavior]", "none"),
        ];
        let invoice = world.post("/v1/invoices/create_preview", &pairs).await;
        (text(&invoice["currency"]), invoice["total"].as_i64().unwrap())
    };
    assert_eq!(preview(&large).await, ("eur".into(), 5_000));
    let change = [
        ("items[0][id]", item.as_str()),
        ("items[0][price]", &large),
        ("proration_behavior", "always_invoice"),
        ("expand[]", "latest_invoice"),
    ];
    let changed = world.post(&format!("/v1/subscriptions/{id}"), &change).await;
    assert_eq!((&changed["currency"], &changed["latest_invoice"]["currency"]), (&json!("eur"), &json!("eur")));
    for line in changed["latest_invoice"]["lines"]["data"].as_array().unwrap() {
        assert!(text(&line["description"]).contains("at EUR "), "{line}");
    }

    // A phase that names no currency is in the first one of its price.
    let schedule = world.post("/v1/subscription_schedules", &[("from_subscription", &id)]).await;
    let (start, end) = (schedule["phases"][0]["start_date"].to_string(), schedule["phases"][0]["end_date"].to_string());
    let mut phases = vec![
        ("end_behavior", "release"),
        ("phases[0][start_date]", start.as_str()),
        ("phases[0][end_date]", &end),
        ("phases[0][currency]", "eur"),
        ("phases[0][items][0][price]", &large),
        ("phases[0][items][0][quantity]", "2"),
        ("phases[1][items][0][price]", &small),
        ("phases[1][items][0][quantity]", "2"),
    ];
    let path = format!("/v1/subscription_schedules/{}", text(&schedule["id"]));
    let (status, error) = world.refused(Method::POST, &path, &phases).await;
    assert_eq!((status, &error["param"]), (400, &json!("phases[1][currency]")), "{error}");
    phases.push(("phases[1][currency]", "eur"));
    let schedule = world.post(&path, &phases).await;
    for phase in schedule["phases"].as_array().unwrap() {
        assert_eq!(phase["currency"], "eur");
    }
    world.advance(31 * DAY + 7_200).await;
    let subscription = world.stripe_subscription(&id).await;
    let renewal = world.look(&format!("/v1/invoices/{}", text(&subscription["latest_invoice"])), &[]).await;
    assert_eq!((&renewal["currency"], &renewal["total"]), (&json!("eur"), &json!(1_800)));
}

#[tokio::test]
async fn what_is_paid_once_is_paid_and_invoiced_in_the_sessions_currency() {
    let world = World::start().await;
    let price = price(&world, "1000", "900", false).await;
    let customer = world.stripe_customer().await;
    let pairs = [
        ("mode", "payment"),
        ("customer", customer.as_str()),
        ("currency", "eur"),
        ("line_items[0][price]", &price),
        ("line_items[0][quantity]", "3"),
        ("success_url", "http://app.invalid/done"),
        ("invoice_creation[enabled]", "true"),
    ];
    let session = world.post("/v1/checkout/sessions", &pairs).await;
    assert_eq!((&session["currency"], &session["amount_total"]), (&json!("eur"), &json!(2_700)));
    world.done("/sandbox/hosted/complete", json!({ "url": session["url"], "card": PAYS })).await;
    let invoices = world.look("/v1/invoices", &[("customer", &customer)]).await;
    let invoice = &invoices["data"][0];
    assert_eq!((&invoice["currency"], &invoice["amount_paid"]), (&json!("eur"), &json!(2_700)));
}

#[tokio::test]
async fn a_currency_that_a_price_lacks_is_refused() {
    let world = World::start().await;
    let price = price(&world, "1000", "900", true).await;
    let customer = world.stripe_customer().await;
    for mode in ["subscription", "payment"] {
        let line = if mode == "payment" { "price_onboarding" } else { price.as_str() };
        let pairs = [
            ("mode", mode),
            ("customer", customer.as_str()),
            ("currency", "gbp"),
            ("line_items[0][price]", line),
            ("line_items[0][quantity]", "1"),
            ("success_url", "http://app.invalid/done"),
        ];
        let (status, error) = world.refused(Method::POST, "/v1/checkout/sessions", &pairs).await;
        assert_eq!((status, &error["type"]), (400, &json!("invalid_request_error")), "{mode}");
        assert_eq!(error["param"], "line_items[0][price]", "{mode}");
        let words = "The price specified only supports `usd`, `eur`. This doesn't match the expected currency: `gbp`.";
        assert_eq!(error["message"], words);
    }
}

#[tokio::test]
async fn one_customer_has_one_currency_at_a_time() {
    let world = World::start().await;
    let price = price(&world, "1000", "900", true).await;
    let customer = world.stripe_customer().await;
    let session = |currency: &'static str| {
        [
            ("mode", "subscription"),
            ("customer", customer.as_str()),
            ("currency", currency),
            ("line_items[0][price]", price.as_str()),
            ("line_items[0][quantity]", "1"),
            ("success_url", "http://app.invalid/done"),
        ]
    };
    let refused = async |path: &str, pairs: &[(&str, &str)]| {
        let (status, error) = world.refused(Method::POST, path, pairs).await;
        assert_eq!((status, &error["code"]), (400, &Value::Null), "{error}");
        assert!(text(&error["message"]).starts_with("You cannot combine currencies on a single customer."), "{error}");
    };
    // A page that is open is enough, and another one in the same currency is fine.
    let open = world.post("/v1/checkout/sessions", &session("usd")).await;
    world.post("/v1/checkout/sessions", &session("usd")).await;
    refused("/v1/checkout/sessions", &session("eur")).await;
    let other = world.stripe_customer().await;
    let others: Vec<_> =
        session("eur").iter().map(|(name, value)| (*name, if *name == "customer" { &other } else { *value })).collect();
    world.post("/v1/checkout/sessions", &others).await;

    let sessions = world.look("/v1/checkout/sessions", &[("customer", &customer), ("status", "open")]).await;
    for row in sessions["data"].as_array().unwrap() {
        world.post(&format!("/v1/checkout/sessions/{}/expire", text(&row["id"])), &[]).await;
    }
    assert_eq!(text(&open["currency"]), "usd");
    let euros = world.post("/v1/checkout/sessions", &session("eur")).await;
    world.done("/sandbox/hosted/complete", json!({ "url": euros["url"], "card": PAYS })).await;
    refused("/v1/checkout/sessions", &session("usd")).await;
    let direct = [("customer", customer.as_str()), ("items[0][price]", &price), ("currency", "usd")];
    refused("/v1/subscriptions", &direct).await;

    // What is over stands in nobody's way.
    let euros = world.look(&format!("/v1/checkout/sessions/{}", text(&euros["id"])), &[]).await;
    world.stripe(Method::DELETE, &format!("/v1/subscriptions/{}", text(&euros["subscription"])), &[]).await;
    world.post("/v1/checkout/sessions", &session("usd")).await;
}
