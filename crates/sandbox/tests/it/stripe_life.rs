//! A subscription's life at Stripe: checkout, renewal, changes, dunning, ends.

use reqwest::Method;
use serde_json::{Value, json};

use crate::stripe_support::*;
use crate::support::*;

const DAY: i64 = 86_400;

fn types(world: &World) -> Vec<String> {
    world.stripe_events().iter().map(|event| text(&event["type"])).collect()
}

#[tokio::test]
async fn a_checkout_becomes_a_subscription_that_renews() {
    let world = World::start().await;
    let customer = world.stripe_customer().await;
    let session = world.session(&customer, "price_scale_monthly", "3", &[]).await;
    assert_eq!((&session["status"], &session["payment_status"]), (&json!("open"), &json!("unpaid")));
    assert_eq!((&session["amount_total"], &session["subscription"]), (&json!(4_500), &Value::Null));
    let done = world.done("/sandbox/hosted/complete", json!({ "url": session["url"], "card": PAYS })).await;
    let id = text(&session["id"]);
    assert_eq!(done["redirectUrl"], format!("http://app.invalid/done?session={id}"));
    let session = world.look(&format!("/v1/checkout/sessions/{id}"), &[("expand[]", "line_items")]).await;
    assert_eq!((&session["status"], &session["payment_status"]), (&json!("complete"), &json!("paid")));
    assert_eq!((&session["url"], &session["line_items"]["data"][0]["quantity"]), (&Value::Null, &json!(3)));

    let subscription = text(&session["subscription"]);
    let before = world.stripe_subscription(&subscription).await;
    assert_eq!((&before["status"], &before["metadata"]["organizationId"]), (&json!("active"), &json!("org_acme")));
    let end = before["items"]["data"][0]["current_period_end"].as_i64().unwrap();
    world.advance(31 * DAY + 7_200).await;
    let after = world.stripe_subscription(&subscription).await;
    assert_eq!(after["items"]["data"][0]["current_period_start"], end);
    let invoice = world.look(&format!("/v1/invoices/{}", text(&after["latest_invoice"])), &[]).await;
    assert_eq!((&invoice["status"], &invoice["billing_reason"]), (&json!("paid"), &json!("subscription_cycle")));
    assert_eq!(invoice["amount_paid"], 4_500);
    let types = types(&world);
    for wanted in [
        "checkout.session.completed",
        "customer.subscription.created",
        "invoice.created",
        "invoice.finalized",
        "invoice.paid",
        "invoice.payment_succeeded",
        "customer.subscription.updated",
    ] {
        assert!(types.iter().any(|one| one == wanted), "{wanted} in {types:?}");
    }
    let updated = world.stripe_events().into_iter().rfind(|event| event["type"] == "customer.subscription.updated");
    let previous = &updated.unwrap()["data"]["previous_attributes"];
    assert!(previous["items"]["data"][0]["current_period_end"].is_i64() || previous["latest_invoice"].is_string());
    let truth = world.get("/sandbox/truth").await;
    let row = &truth["subscriptions"][0];
    assert_eq!((&row["provider"], &row["status"], &row["seats"]), (&json!("stripe"), &json!("active"), &json!(3)));
    assert_eq!((&row["organizationId"], &row["id"]), (&json!("org_acme"), &json!(subscription)));
}

#[tokio::test]
async fn a_declined_card_leaves_the_page_open_and_a_challenge_is_answered() {
    let world = World::start().await;
    let customer = world.stripe_customer().await;
    let session = world.session(&customer, "price_scale_monthly", "1", &[]).await;
    let complete = async |card: &str, challenge: Option<&str>| {
        let body = json!({ "url": session["url"], "card": card, "challenge": challenge });
        world.control(Method::POST, "/sandbox/hosted/complete", body).await
    };
    let (status, body) = complete(DECLINED, None).await;
    assert_eq!((status, &body["code"]), (402, &json!("card_declined")));
    assert_eq!(complete(CHALLENGED, Some("fail")).await.0, 402);
    let open = world.look(&format!("/v1/checkout/sessions/{}", text(&session["id"])), &[]).await;
    assert_eq!((&open["status"], &open["subscription"]), (&json!("open"), &Value::Null));
    assert_eq!(complete(CHALLENGED, Some("pass")).await.0, 200);
    assert_eq!(complete(PAYS, None).await.0, 409, "it is over");
}

#[tokio::test]
async fn the_pages_work_in_a_browser() {
    let world = World::start().await;
    let customer = world.stripe_customer().await;
    let session = world.session(&customer, "price_scale_monthly", "2", &[]).await;
    let url = text(&session["url"]);
    let page = world.client.get(&url).send().await.unwrap().text().await.unwrap();
    assert!(page.contains("SANDBOX") && page.contains("Scale") && page.contains("30.00") && !page.contains("<script"));
    let declined = world.client.post(&url).form(&[("card", DECLINED), ("action", "pay")]).send().await.unwrap();
    assert_eq!(declined.status(), 402);
    assert!(declined.text().await.unwrap().contains("declined"));
    let asked = world.client.post(&url).form(&[("card", CHALLENGED), ("action", "pay")]).send().await.unwrap();
    let page = asked.text().await.unwrap();
    assert!(page.contains("3-D Secure") && page.contains("value=\"pass\"") && page.contains("value=\"fail\""));
    let passed = [("card", CHALLENGED), ("action", "pay"), ("challenge", "pass")];
    let done = world.client.post(&url).form(&passed).send().await.unwrap();
    assert_eq!(done.status(), 303);
    assert!(done.headers()["location"].to_str().unwrap().starts_with("http://app.invalid/done?session=cs_test_"));

    let pairs = [("customer", customer.as_str()), ("return_url", "http://app.invalid/billing")];
    let portal = text(&world.post("/v1/billing_portal/sessions", &pairs).await["url"]);
    let page = world.client.get(&portal).send().await.unwrap().text().await.unwrap();
    assert!(page.contains("SANDBOX") && page.contains("price_scale_monthly") && !page.contains("<script"));
    let truth = world.get("/sandbox/truth").await;
    let id = text(&truth["subscriptions"][0]["id"]);
    let form = [("subscription", id.as_str()), ("action", "cancel_at_end")];
    assert_eq!(world.client.post(&portal).form(&form).send().await.unwrap().status(), 303);
    assert_eq!(world.stripe_subscription(&id).await["cancel_at_period_end"], true);
}

#[tokio::test]
async fn a_preview_is_what_is_charged() {
    let world = World::start().await;
    let (_, id) = world.stripe_subscribed("price_scale_monthly", "2", PAYS).await;
    world.advance(10 * DAY).await;
    let item = text(&world.stripe_subscription(&id).await["items"]["data"][0]["id"]);
    let date = (START + 10 * DAY).to_string();
    let preview = world
        .post(
            "/v1/invoices/create_preview",
            &[
                ("subscription", &id),
                ("subscription_details[items][0][id]", &item),
                ("subscription_details[items][0][quantity]", "5"),
                ("subscription_details[proration_behavior]", "always_invoice"),
                ("subscription_details[proration_date]", &date),
            ],
        )
        .await;
    assert!(preview["id"].as_str().unwrap().starts_with("upcoming_in_"), "{}", preview["id"]);
    let changed = world
        .post(
            &format!("/v1/subscriptions/{id}"),
            &[
                ("items[0][id]", &item),
                ("items[0][quantity]", "5"),
                ("proration_behavior", "always_invoice"),
                ("proration_date", &date),
            ],
        )
        .await;
    let invoice = world.look(&format!("/v1/invoices/{}", text(&changed["latest_invoice"])), &[]).await;
    assert_eq!((&invoice["amount_due"], &invoice["total"]), (&preview["amount_due"], &preview["total"]));
    assert_eq!(invoice["status"], "paid");
    assert!(invoice["total"].as_i64().unwrap() > 0);
}

#[tokio::test]
async fn a_schedule_changes_the_plan_at_the_end_of_the_period() {
    let world = World::start().await;
    let (_, id) = world.stripe_subscribed("price_scale_monthly", "2", PAYS).await;
    let schedule = world.post("/v1/subscription_schedules", &[("from_subscription", &id)]).await;
    let phase = &schedule["phases"][0];
    let (start, end) = (phase["start_date"].to_string(), phase["end_date"].to_string());
    let path = format!("/v1/subscription_schedules/{}", text(&schedule["id"]));
    let pairs = [
        ("end_behavior", "release"),
        ("phases[0][start_date]", start.as_str()),
        ("phases[0][end_date]", end.as_str()),
        ("phases[0][items][0][price]", "price_scale_monthly"),
        ("phases[0][items][0][quantity]", "2"),
        ("phases[1][start_date]", end.as_str()),
        ("phases[1][items][0][price]", "price_starter_monthly"),
        ("phases[1][items][0][quantity]", "1"),
        ("phases[1][duration][interval]", "month"),
    ];
    let schedule = world.post(&path, &pairs).await;
    assert_eq!(schedule["phases"].as_array().unwrap().len(), 2);
    assert_eq!(world.stripe_subscription(&id).await["schedule"], schedule["id"]);
    world.advance(32 * DAY).await;
    let row = world.stripe_subscription(&id).await;
    assert_eq!(row["items"]["data"][0]["price"]["id"], "price_starter_monthly");
    let released = world.post(&format!("{path}/release"), &[]).await;
    assert_eq!((&released["status"], &released["released_subscription"]), (&json!("released"), &json!(id)));
    assert_eq!(world.stripe_subscription(&id).await["schedule"], Value::Null);
}

#[tokio::test]
async fn a_card_that_fails_later_leads_to_dunning_and_its_end() {
    let world = World::start().await;
    let (customer, id) = world.stripe_subscribed("price_growth_monthly", "2", PAYS).await;
    let path = format!("/v1/payment_methods/{}/attach", "pm_card_chargeCustomerFail");
    let method = text(&world.post(&path, &[("customer", &customer)]).await["id"]);
    world.post(&format!("/v1/subscriptions/{id}"), &[("default_payment_method", &method)]).await;
    world.advance(31 * DAY + 7_200).await;
    let row = world.look(&format!("/v1/subscriptions/{id}"), &[("expand[]", "latest_invoice.payments")]).await;
    assert_eq!(row["status"], "past_due");
    let invoice = &row["latest_invoice"];
    assert_eq!((&invoice["status"], &invoice["attempt_count"]), (&json!("open"), &json!(1)));
    assert!(invoice["next_payment_attempt"].is_i64());
    world.stripe_event("invoice.payment_failed").await;
    world.advance(20 * DAY).await;
    let row = world.stripe_subscription(&id).await;
    assert_eq!(
        (&row["status"], &row["cancellation_details"]["reason"]),
        (&json!("canceled"), &json!("payment_failed"))
    );
    world.stripe_event("customer.subscription.deleted").await;
}

#[tokio::test]
async fn the_dashboard_changes_subscriptions() {
    let world = World::start().await;
    let (_, id) = world.stripe_subscribed("price_scale_monthly", "2", PAYS).await;
    let path = format!("/sandbox/subscriptions/{id}");
    let truth = world.done(&path, json!({ "seats": 5 })).await;
    assert_eq!((&truth["seats"], &truth["provider"]), (&json!(5), &json!("stripe")));
    let truth = world.done(&path, json!({ "cancelAtPeriodEnd": true })).await;
    assert_eq!(truth["cancelAt"], truth["periodEnd"]);
    assert_eq!(world.done(&path, json!({ "cancelAtPeriodEnd": false })).await["cancelAt"], Value::Null);
    let truth = world.done(&path, json!({ "priceId": "price_starter_monthly" })).await;
    assert_eq!(truth["items"], json!([{ "priceId": "price_starter_monthly", "quantity": 5 }]));
    assert_eq!(world.done(&path, json!({ "pause": true })).await["status"], "paused");
    assert_eq!(world.done(&path, json!({ "resume": true })).await["status"], "active");
    world.done(&path, json!({ "failNextPayment": true })).await;
    world.advance(32 * DAY).await;
    assert_eq!(world.stripe_subscription(&id).await["status"], "past_due");
    assert_eq!(world.done(&path, json!({ "payDues": true })).await["status"], "active");
    assert_eq!(world.done(&path, json!({ "cancel": true })).await["status"], "canceled");
    assert_eq!(world.control(Method::POST, &path, json!({ "cancel": true })).await.0, 409);
    let unknown = world.control(Method::POST, "/sandbox/subscriptions/sub_none", json!({ "cancel": true })).await;
    assert_eq!(unknown.0, 404);
}

#[tokio::test]
async fn an_incomplete_subscription_is_paid_on_the_page_of_its_invoice() {
    let world = World::start().await;
    let customer = world.stripe_payer("pm_card_visa").await;
    let pairs = [
        ("customer", customer.as_str()),
        ("items[0][price]", "price_scale_monthly"),
        ("items[0][quantity]", "2"),
        ("payment_behavior", "default_incomplete"),
        ("expand[]", "latest_invoice.confirmation_secret"),
    ];
    let row = world.post("/v1/subscriptions", &pairs).await;
    assert_eq!(row["status"], "incomplete");
    let url = &row["latest_invoice"]["hosted_invoice_url"];
    let page = world.client.get(text(url)).send().await.unwrap().text().await.unwrap();
    assert!(page.contains("SANDBOX") && page.contains("30.00 USD"), "{page}");
    let pay = async |card: &str, challenge: Option<&str>| {
        let body = json!({ "url": url, "card": card, "challenge": challenge });
        world.control(Method::POST, "/sandbox/hosted/complete", body).await
    };
    for (card, challenge) in [(DECLINED, None), (CHALLENGED, None), (CHALLENGED, Some("fail"))] {
        assert_eq!(pay(card, challenge).await.0, 402, "{card} {challenge:?}");
    }
    let form = [("card", CHALLENGED), ("action", "pay")];
    let asked = world.client.post(text(url)).form(&form).send().await.unwrap().text().await.unwrap();
    assert!(asked.contains("3-D Secure"), "{asked}");
    assert_eq!(pay(CHALLENGED, Some("pass")).await.0, 200);
    assert_eq!(world.stripe_subscription(&text(&row["id"])).await["status"], "active");
    assert_eq!(pay(PAYS, None).await.0, 409, "it is paid");
}

#[tokio::test]
async fn a_test_clock_moves_its_customers_only() {
    let world = World::start().await;
    let frozen = START.to_string();
    let clock = world.post("/v1/test_helpers/test_clocks", &[("frozen_time", &frozen)]).await;
    let clock = text(&clock["id"]);
    let pairs = [("test_clock", clock.as_str()), ("payment_method", "pm_card_visa")];
    let customer = world.post("/v1/customers", &pairs).await;
    let customer = text(&customer["id"]);
    let methods = world.look(&format!("/v1/customers/{customer}/payment_methods"), &[]).await;
    let method = text(&methods["data"][0]["id"]);
    let subscription = world
        .post(
            "/v1/subscriptions",
            &[
                ("customer", &customer),
                ("items[0][price]", "price_scale_monthly"),
                ("items[0][quantity]", "1"),
                ("default_payment_method", &method),
            ],
        )
        .await;
    let to = (START + 32 * DAY).to_string();
    let path = format!("/v1/test_helpers/test_clocks/{clock}");
    let advancing = world.post(&format!("{path}/advance"), &[("frozen_time", &to)]).await;
    assert_eq!(advancing["status"], "advancing");
    assert_eq!(world.look(&path, &[]).await["status"], "ready");
    let row = world.stripe_subscription(&text(&subscription["id"])).await;
    assert_eq!(row["items"]["data"][0]["current_period_start"], START + 31 * DAY);
    assert_eq!(world.get("/sandbox/clock").await["offsetSeconds"], 0);
    let shown = world.look("/v1/subscriptions", &[]).await;
    assert_eq!(shown["data"], json!([]), "what lives on a clock is hidden");
}

#[tokio::test]
async fn usage_is_counted_in_both_apis() {
    let world = World::start().await;
    let customer = world.stripe_customer().await;
    let pairs = [
        ("event_name", "api_calls"),
        ("payload[stripe_customer_id]", customer.as_str()),
        ("payload[value]", "7"),
        ("identifier", "u1"),
    ];
    world.post("/v1/billing/meter_events", &pairs).await;
    assert_eq!(world.refused(Method::POST, "/v1/billing/meter_events", &pairs).await.0, 400);
    let body = json!({
        "event_name": "api_calls",
        "payload": { "stripe_customer_id": customer, "value": "5" },
        "timestamp": "2026-01-01T00:00:00.000Z",
    });
    let request = world.client.post(world.url("/v2/billing/meter_events")).bearer_auth(SECRET_KEY).json(&body);
    let (status, event) = answer(request.send().await.unwrap()).await;
    assert_eq!(status, 200, "{event}");
    assert!(broken_by_stripe(&Method::POST, "/v2/billing/meter_events", &event).is_empty(), "{event}");
    let meters = world.look("/v1/billing/meters", &[]).await;
    let path = format!("/v1/billing/meters/{}/event_summaries", text(&meters["data"][0]["id"]));
    let (start, end) = ((START - 60).to_string(), (START + 3_600).to_string());
    let pairs = [("customer", customer.as_str()), ("start_time", &start), ("end_time", &end)];
    let summaries = world.look(&path, &pairs).await;
    assert_eq!(summaries["data"][0]["aggregated_value"], 12);
}
