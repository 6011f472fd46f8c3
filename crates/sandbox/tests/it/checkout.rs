//! From an organization to a paying subscription, and the ways in which a checkout goes wrong.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::*;

#[tokio::test]
async fn an_organization_becomes_a_paying_customer() {
    let world = World::start().await;
    let organization = world.done("/sandbox/organizations", json!({ "displayName": "Acme", "id": "org_acme" })).await;
    assert_eq!(organization, json!({ "id": "org_acme", "displayName": "Acme", "externalId": null, "metadata": {} }));
    world.receiver.notice("organization.created").await;
    let tokens = world.done("/sandbox/tokens", json!({ "email": "ada@acme.test", "organizationId": "org_acme" })).await;
    assert!(tokens["accessToken"].as_str().unwrap().split('.').count() == 3);

    world.acme().await;
    let page = world.page("ls_1", "growth-plan-monthly", &[("card[gateway_account_id]", "gw_test")]).await;
    assert_eq!(page["state"], "created");
    assert_eq!(page["pass_thru_content"], "carried");
    assert_eq!(page["expires_at"], START + 3 * 3_600);
    let done = world.done("/sandbox/hosted/complete", json!({ "url": page["url"], "card": "4111111111111111" })).await;
    let id = page["id"].as_str().unwrap();
    assert_eq!(done["redirectUrl"], format!("http://app.invalid/success?subscriptionId=x&id={id}&state=succeeded"));

    let created = world.receiver.event("subscription_created").await;
    let subscription = &created["content"]["subscription"];
    assert_eq!(created["source"], "hosted_page");
    assert_eq!(created["api_version"], "v2");
    assert_eq!(subscription["id"], "ls_1");
    assert_eq!(subscription["status"], "in_trial");
    assert_eq!(subscription["trial_end"], START + 14 * 86_400);
    assert_eq!(subscription["next_billing_at"], START + 14 * 86_400);
    assert_eq!(subscription.get("current_term_end"), None);
    assert_eq!(created["content"]["customer"]["id"], "org_acme");
    assert_eq!(created["content"]["customer"]["card_status"], "valid");
    let read = world.read(&format!("/hosted_pages/{id}"), &[]).await;
    assert_eq!(read["hosted_page"]["state"], "succeeded");
    assert_eq!(read["hosted_page"]["content"]["subscription"]["id"], "ls_1");

    world.advance(14 * 86_400).await;
    // The clock waits for the answers, so that everything has arrived.
    let types: Vec<Value> = world.receiver.events().iter().map(|event| event["event_type"].clone()).collect();
    let expected = ["subscription_activated", "invoice_generated", "payment_succeeded"];
    for event_type in expected {
        assert!(types.iter().any(|one| one == event_type), "{event_type} in {types:?}");
    }
    let active = world.subscription("ls_1").await;
    assert_eq!(active["status"], "active");
    assert_eq!(active["activated_at"], START + 14 * 86_400);
    assert_eq!(active["current_term_start"], START + 14 * 86_400);
    assert_eq!(active["current_term_end"], secs("2026-02-15T00:00:00Z"));
    assert_eq!(active["mrr"], 4_900);
    let invoices = world.read("/invoices", &[("subscription_id[is]", "ls_1")]).await;
    assert_eq!(invoices["list"][0]["invoice"]["status"], "paid");
    assert_eq!(invoices["list"][0]["invoice"]["total"], 4_900);
    world.sandbox.stop().await;
}

#[tokio::test]
async fn a_declined_card_leaves_the_page_open() {
    let world = World::start().await;
    world.acme().await;
    let page = world.page("ls_1", "starter-plan-monthly", &[]).await;
    for card in [REFUSED_CARD, "4005519200000004", "4242 4242 4242 4242"] {
        let body = json!({ "url": page["url"], "card": card });
        let (status, answer) = world.control(Method::POST, "/sandbox/hosted/complete", body).await;
        assert_eq!(status, 402, "{card}");
        assert_eq!(answer["code"], "card_declined");
    }
    let done = json!({ "url": page["url"], "card": GOOD_CARD });
    world.done("/sandbox/hosted/complete", done.clone()).await;
    let created = world.receiver.event("subscription_created").await;
    assert_eq!(created["content"]["subscription"]["status"], "active");
    assert_eq!(created["content"]["invoice"]["status"], "paid");
    let (status, answer) = world.control(Method::POST, "/sandbox/hosted/complete", done).await;
    assert_eq!((status, answer["code"].as_str()), (409, Some("page_over")));
}

#[tokio::test]
async fn a_card_that_only_stores_begins_a_trial_and_fails_at_its_end() {
    let world = World::start().await;
    world.subscribed("ls_1", "growth-plan-monthly", STORES_ONLY_CARD).await;
    assert_eq!(world.subscription("ls_1").await["status"], "in_trial");
    world.advance(14 * 86_400).await;
    let failed = world.receiver.event("payment_failed").await;
    assert_eq!(failed["content"]["invoice"]["status"], "payment_due");
    assert_eq!(failed["content"]["invoice"]["dunning_status"], "in_progress");
    assert_eq!(failed["content"]["transaction"]["status"], "failure");
    assert_eq!(failed["content"]["subscription"]["due_since"], START + 14 * 86_400);
    let row = world.subscription("ls_1").await;
    assert_eq!((row["status"].as_str(), row["total_dues"].as_i64()), (Some("active"), Some(4_900)));

    // Three more tries, three days apart, and then the invoice is given up.
    world.advance(9 * 86_400).await;
    let failures = world.receiver.events().iter().filter(|event| event["event_type"] == "payment_failed").count();
    assert_eq!(failures, 4);
    let updated = world.receiver.event("invoice_updated").await;
    assert_eq!(updated["content"]["invoice"]["status"], "not_paid");
    assert_eq!(updated["content"]["invoice"]["dunning_status"], "exhausted");
    assert_eq!(world.subscription("ls_1").await["status"], "active");
}

#[tokio::test]
async fn an_explicit_zero_means_no_trial() {
    let world = World::start().await;
    world.acme().await;
    let page = world.page("ls_1", "growth-plan-monthly", &[("subscription[trial_end]", "0")]).await;
    world.done("/sandbox/hosted/complete", json!({ "url": page["url"], "card": GOOD_CARD })).await;
    let row = world.subscription("ls_1").await;
    assert_eq!(row["status"], "active");
    assert_eq!(row.get("trial_end"), None);
}

#[tokio::test]
async fn an_unknown_customer_becomes_a_new_one_with_another_id() {
    let world = World::start().await;
    let page = world.page("ls_1", "starter-plan-monthly", &[]).await;
    world.done("/sandbox/hosted/complete", json!({ "url": page["url"], "card": GOOD_CARD })).await;
    let customer = world.subscription("ls_1").await["customer_id"].clone();
    assert_ne!(customer, "org_acme");
    assert_eq!(world.billing(Method::GET, "/customers/org_acme", &[]).await.0, 404);
    let truth = world.get("/sandbox/truth").await;
    assert_eq!(truth["customers"][0]["id"], customer);
    assert_eq!(truth["customers"][0]["organizationId"], Value::Null);
}

#[tokio::test]
async fn a_page_expires_after_three_hours() {
    let world = World::start().await;
    world.acme().await;
    let page = world.page("ls_1", "starter-plan-monthly", &[]).await;
    world.advance(3 * 3_600).await;
    let body = json!({ "url": page["url"], "card": GOOD_CARD });
    assert_eq!(world.control(Method::POST, "/sandbox/hosted/complete", body).await.0, 409);
}

#[tokio::test]
async fn a_taken_subscription_id_is_refused_early_or_late() {
    let world = World::start().await;
    world.acme().await;
    let first = world.page("ls_1", "starter-plan-monthly", &[]).await;
    let second = world.page("ls_1", "starter-plan-monthly", &[]).await;
    world.done("/sandbox/hosted/complete", json!({ "url": first["url"], "card": GOOD_CARD })).await;
    let body = json!({ "url": second["url"], "card": GOOD_CARD });
    assert_eq!(world.control(Method::POST, "/sandbox/hosted/complete", body).await.0, 409);
    let form = [
        ("subscription_items[item_price_id][0]", "starter-plan-monthly"),
        ("subscription[id]", "ls_1"),
        ("customer[id]", "org_acme"),
    ];
    let (status, answer) = world.billing(Method::POST, "/hosted_pages/checkout_new_for_items", &form).await;
    assert_eq!((status, answer["api_error_code"].as_str()), (400, Some("duplicate_entry")));
}

/// A form, and the code and the parameter of the refusal.
type Case<'a> = (Vec<(&'a str, &'a str)>, &'a str, &'a str);

#[tokio::test]
async fn a_checkout_is_refused_for_what_cannot_be_sold() {
    let world = World::start().await;
    let long_url = format!("http://app.invalid/{}", "x".repeat(240));
    let long_id = "x".repeat(51);
    let price = ("subscription_items[item_price_id][0]", "starter-plan-monthly");
    let cases: [Case<'_>; 10] = [
        (vec![price, ("cancel_url", "javascript:alert(1)")], "param_wrong_value", "cancel_url"),
        (
            vec![price, ("card[gateway_account_id]", "gw_other")],
            "configuration_incompatible",
            "card[gateway_account_id]",
        ),
        (
            vec![("subscription_items[item_price_id][0]", "nothing")],
            "param_wrong_value",
            "subscription_items[item_price_id][0]",
        ),
        (vec![], "param_wrong_value", "subscription_items[item_price_id][0]"),
        (
            vec![
                ("subscription_items[item_price_id][0]", "extra-projects-monthly"),
                ("subscription_items[item_price_id][1]", "starter-plan-monthly"),
            ],
            "param_wrong_value",
            "subscription_items[item_price_id][0]",
        ),
        (
            vec![price, ("subscription_items[item_price_id][1]", "extra-projects-monthly-eur")],
            "param_wrong_value",
            "subscription_items[item_price_id][1]",
        ),
        (vec![price, ("subscription_items[quantity][0]", "0")], "param_wrong_value", "subscription_items[quantity][0]"),
        (vec![price, ("redirect_url", &long_url)], "param_wrong_value", "redirect_url"),
        (vec![price, ("subscription[id]", &long_id)], "param_wrong_value", "subscription[id]"),
        (vec![price, ("subscription[trial_end]", "1")], "param_wrong_value", "subscription[trial_end]"),
    ];
    for (form, code, param) in cases {
        let (status, answer) = world.billing(Method::POST, "/hosted_pages/checkout_new_for_items", &form).await;
        assert_eq!(status, 400, "{form:?}");
        assert_eq!(
            (answer["api_error_code"].as_str(), answer["param"].as_str()),
            (Some(code), Some(param)),
            "{answer}"
        );
    }
}

#[tokio::test]
async fn a_person_pays_in_a_browser() {
    let world = World::start().await;
    world.acme().await;
    let page = world.page("ls_1", "growth-plan-monthly", &[("cancel_url", "http://app.invalid/plans")]).await;
    let url = page["url"].as_str().unwrap();
    let html = world.client.get(url).send().await.unwrap().text().await.unwrap();
    for part in ["SANDBOX", "4119 8627 6033 8320", "2026-01-15", "name=\"card\"", "49.00 USD"] {
        assert!(html.contains(part), "{part} in {html}");
    }
    let id = page["id"].as_str().unwrap();
    assert_eq!(world.read(&format!("/hosted_pages/{id}"), &[]).await["hosted_page"]["state"], "requested");
    let declined = world.client.post(url).form(&[("card", REFUSED_CARD), ("action", "pay")]).send().await.unwrap();
    assert_eq!(declined.status(), 402);
    assert!(declined.text().await.unwrap().contains("declined"));
    let paid = world.client.post(url).form(&[("card", GOOD_CARD), ("action", "pay")]).send().await.unwrap();
    assert_eq!(paid.status(), 303);
    let location = paid.headers()["location"].to_str().unwrap().to_owned();
    assert_eq!(location, format!("http://app.invalid/success?subscriptionId=x&id={id}&state=succeeded"));
    let again = world.client.get(url).send().await.unwrap().text().await.unwrap();
    assert!(again.contains("already used"));

    let other = world.page("ls_2", "growth-plan-monthly", &[("cancel_url", "http://app.invalid/plans")]).await;
    let left = world.client.post(other["url"].as_str().unwrap()).form(&[("action", "cancel")]).send().await.unwrap();
    assert_eq!(left.status(), 303);
    let location = left.headers()["location"].to_str().unwrap().to_owned();
    assert_eq!(location, format!("http://app.invalid/plans?id={}&state=cancelled", other["id"].as_str().unwrap()));
    let home = world.client.get(world.url("/")).send().await.unwrap().text().await.unwrap();
    assert!(home.contains("ls_1") && home.contains("subscription_created"));
}

#[tokio::test]
async fn the_bank_may_ask_before_a_page_is_paid() {
    let world = World::start().await;
    world.acme().await;
    let asks = "4000 0027 6000 3184";
    let page = world.page("ls_1", "starter-plan-monthly", &[]).await;
    let url = page["url"].as_str().unwrap();
    let send = async |form: &[(&str, &str)]| {
        let answer = world.client.post(url).form(form).send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    };
    let (status, question) = send(&[("pick", asks), ("action", "pay")]).await;
    assert!(status == 200 && question.contains("3-D Secure") && question.contains(asks), "{question}");
    let (status, refused) = send(&[("card", asks), ("challenge", "fail")]).await;
    assert!(status == 402 && refused.contains("did not confirm"), "{refused}");
    assert_eq!(
        world.read(&format!("/hosted_pages/{}", page["id"].as_str().unwrap()), &[]).await["hosted_page"]["state"],
        "created"
    );
    let complete = async |body: Value| world.control(Method::POST, "/sandbox/hosted/complete", body).await;
    let (status, asked) = complete(json!({ "url": url, "card": asks })).await;
    assert_eq!((status, &asked["code"]), (402, &json!("authentication_required")));
    assert_eq!(send(&[("card", asks), ("challenge", "pass")]).await.0, 303);
    assert_eq!(world.subscription("ls_1").await["status"], "active");
    // Nobody asks for any other card.
    let other = world.page("ls_2", "starter-plan-monthly", &[]).await;
    assert_eq!(complete(json!({ "url": other["url"], "card": GOOD_CARD })).await.0, 200);
}

#[tokio::test]
async fn the_portal_cancels_and_takes_it_back() {
    let world = World::start().await;
    world.subscribed("ls_1", "starter-plan-monthly", GOOD_CARD).await;
    let session = world
        .bill("/portal_sessions", &[("customer[id]", "org_acme"), ("redirect_url", "http://app.invalid/billing")])
        .await["portal_session"]
        .clone();
    let access = session["access_url"].as_str().unwrap();
    let entered = world.client.get(access).send().await.unwrap();
    assert_eq!(entered.status(), 303);
    let home = world.url(entered.headers()["location"].to_str().unwrap());
    assert_eq!(world.client.get(access).send().await.unwrap().status(), 410, "a link works once");
    assert!(world.client.get(&home).send().await.unwrap().text().await.unwrap().contains("ls_1"));
    let form = [("subscription", "ls_1"), ("action", "cancel_at_end")];
    assert_eq!(world.client.post(&home).form(&form).send().await.unwrap().status(), 303);
    let scheduled = world.receiver.event("subscription_cancellation_scheduled").await;
    assert_eq!(scheduled["source"], "portal");
    let form = [("subscription", "ls_1"), ("action", "undo")];
    assert_eq!(world.client.post(&home).form(&form).send().await.unwrap().status(), 303);
    assert_eq!(world.subscription("ls_1").await["status"], "active");
    let left = world.client.post(&home).form(&[("action", "logout")]).send().await.unwrap();
    assert_eq!(left.headers()["location"], "http://app.invalid/billing");
    assert_eq!(world.client.get(&home).send().await.unwrap().status(), 410);
}

#[tokio::test]
async fn an_existing_subscription_is_changed_by_a_checkout() {
    let world = World::start().await;
    world.subscribed("ls_1", "starter-plan-monthly", GOOD_CARD).await;
    let form = [
        ("subscription[id]", "ls_1"),
        ("subscription_items[item_price_id][0]", "scale-plan-monthly"),
        ("subscription_items[quantity][0]", "4"),
        ("replace_items_list", "true"),
        ("redirect_url", "http://app.invalid/billing"),
    ];
    let page = world.bill("/hosted_pages/checkout_existing_for_items", &form).await["hosted_page"].clone();
    assert_eq!(page["type"], "checkout_existing");
    world.done("/sandbox/hosted/complete", json!({ "url": page["url"], "card": GOOD_CARD })).await;
    let changed = world.receiver.event("subscription_changed").await;
    assert_eq!(changed["content"]["subscription"]["subscription_items"][0]["item_price_id"], "scale-plan-monthly");
    assert_eq!(changed["content"]["subscription"]["subscription_items"][0]["unit_price"], 1_500);
    assert_eq!(changed["content"]["invoice"]["amount_paid"], 4 * 1_500 - 1_900);
}

#[tokio::test]
async fn a_person_changes_a_subscription_in_a_browser() {
    let world = World::start().await;
    world.subscribed("ls_1", "scale-plan-monthly", GOOD_CARD).await;
    world.advance(15 * 86_400 + 43_200).await;
    let form = [
        ("subscription[id]", "ls_1"),
        ("subscription_items[item_price_id][0]", "scale-plan-monthly"),
        ("subscription_items[quantity][0]", "5"),
        ("redirect_url", "http://app.invalid/billing"),
        ("cancel_url", "http://app.invalid/plans"),
    ];
    let path = "/hosted_pages/checkout_existing_for_items";
    let page = world.bill(path, &form).await["hosted_page"].clone();
    let url = page["url"].as_str().unwrap();
    let html = world.client.get(url).send().await.unwrap().text().await.unwrap();
    for part in ["Change your subscription", "75.00 USD a month", "To pay today", "15.00 USD"] {
        assert!(html.contains(part), "{part} in {html}");
    }
    let declined = world.client.post(url).form(&[("card", STORES_ONLY_CARD), ("action", "pay")]).send().await.unwrap();
    assert_eq!(declined.status(), 402);
    assert_eq!(world.subscription("ls_1").await["subscription_items"][0]["quantity"], 3);
    let paid = world.client.post(url).form(&[("card", GOOD_CARD), ("action", "pay")]).send().await.unwrap();
    assert_eq!(paid.status(), 303);
    let id = page["id"].as_str().unwrap();
    let read = world.read(&format!("/hosted_pages/{id}"), &[]).await["hosted_page"].clone();
    assert_eq!(read["content"]["invoice"]["amount_paid"], 1_500);
    assert_eq!(read["content"]["subscription"]["subscription_items"][0]["quantity"], 5);

    // A card that cannot pay is good enough for a change that costs nothing today.
    let later =
        [form[0], ("subscription_items[item_price_id][0]", "starter-plan-monthly"), ("change_option", "end_of_term")];
    let page = world.bill(path, &later).await["hosted_page"].clone();
    world.done("/sandbox/hosted/complete", json!({ "url": page["url"], "card": STORES_ONLY_CARD })).await;
    assert_eq!(world.subscription("ls_1").await["has_scheduled_changes"], true);
    let other = [form[0], ("subscription_items[item_price_id][0]", "scale-plan-monthly-eur")];
    assert_eq!(world.billing(Method::POST, path, &other).await.0, 400, "the currency stays");
    for path in ["/hosted_pages/manage_payment_sources", "/hosted_pages/collect_now"] {
        assert_eq!(world.billing(Method::POST, path, &[("customer[id]", "nobody")]).await.0, 404);
        assert_eq!(world.billing(Method::POST, path, &[]).await.1["param"], "customer[id]");
    }
}
