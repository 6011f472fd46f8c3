//! Charges that fail, what follows, and how they are paid after all.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::*;

const DAY: i64 = 86_400;
/// When a subscription of the first day is renewed.
const RENEWAL: i64 = 31 * DAY;

/// A subscription whose first renewal failed.
async fn in_dunning(card: &str) -> World {
    let world = World::start().await;
    owing(&world, card).await;
    world
}

async fn owing(world: &World, card: &str) {
    world.subscribed("ls_1", "starter-plan-monthly", GOOD_CARD).await;
    if card != GOOD_CARD {
        let page = world.bill("/hosted_pages/manage_payment_sources", &[("customer[id]", "org_acme")]).await;
        world.done("/sandbox/hosted/complete", json!({ "url": page["hosted_page"]["url"], "card": card })).await;
    }
    world.done("/sandbox/subscriptions/ls_1", json!({ "failNextPayment": true })).await;
    world.advance(RENEWAL).await;
    let row = world.subscription("ls_1").await;
    assert_eq!((row["due_invoices_count"].as_i64(), row["total_dues"].as_i64()), (Some(1), Some(1_900)));
}

fn types(world: &World, from: usize) -> Vec<String> {
    world.receiver.events()[from..].iter().map(|event| event["event_type"].as_str().unwrap().to_owned()).collect()
}

async fn is_settled(world: &World) {
    let row = world.subscription("ls_1").await;
    assert_eq!((row["status"].as_str(), row["due_invoices_count"].as_i64()), (Some("active"), Some(0)));
    assert_eq!((row.get("due_since"), row.get("total_dues")), (None, None));
    let invoice = world.read("/invoices/INV-2", &[]).await["invoice"].clone();
    assert_eq!((invoice["status"].as_str(), invoice["amount_due"].as_i64()), (Some("paid"), Some(0)));
    assert_eq!((invoice["dunning_status"].as_str(), invoice.get("next_retry_at")), (Some("success"), None));
}

#[tokio::test]
async fn dunning_tries_three_times_and_gives_up() {
    let world = in_dunning(STORES_ONLY_CARD).await;
    let invoice = world.read("/invoices/INV-2", &[]).await["invoice"].clone();
    assert_eq!(
        (invoice["status"].as_str(), invoice["dunning_status"].as_str()),
        (Some("payment_due"), Some("in_progress"))
    );
    assert_eq!(invoice["next_retry_at"], START + RENEWAL + 3 * DAY);
    for attempt in 2..=4 {
        let seen = world.receiver.events().len();
        world.advance(3 * DAY).await;
        let last = if attempt == 4 { "invoice_updated" } else { "dunning_updated" };
        assert_eq!(types(&world, seen), ["payment_failed", last]);
        let invoice = world.receiver.events()[seen + 1]["content"]["invoice"].clone();
        assert_eq!(invoice["dunning_attempts"].as_array().unwrap().len(), attempt);
        assert_eq!(invoice["dunning_attempts"][attempt - 1]["txn_status"], "failure");
    }
    let row = world.subscription("ls_1").await;
    assert_eq!((row["status"].as_str(), row["due_since"].as_i64()), (Some("active"), Some(START + RENEWAL)));
    // The next renewal comes all the same, and its dues are added.
    world.advance(28 * DAY).await;
    let row = world.subscription("ls_1").await;
    assert_eq!((row["due_invoices_count"].as_i64(), row["total_dues"].as_i64()), (Some(2), Some(3_800)));
    assert_eq!(row["due_since"], START + RENEWAL);
}

#[tokio::test]
async fn a_site_may_cancel_what_dunning_gave_up() {
    let receiver = Receiver::default();
    let world = World::of_site(receiver, true).await;
    owing(&world, STORES_ONLY_CARD).await;
    world.advance(9 * DAY).await;
    let row = world.subscription("ls_1").await;
    assert_eq!((row["status"].as_str(), row["cancel_reason"].as_str()), (Some("cancelled"), Some("not_paid")));
    assert_eq!(row["total_dues"], 1_900, "what is due stays due");
    let query = [("event_type[is]", "subscription_cancelled")];
    let cancelled = world.read("/events", &query).await["list"][0]["event"].clone();
    assert_eq!(cancelled["content"]["invoice"]["status"], "not_paid");
    assert_eq!(cancelled["source"], "scheduled_job");
}

#[tokio::test]
async fn a_good_card_settles_what_is_open() {
    for path in ["/hosted_pages/manage_payment_sources", "/hosted_pages/collect_now"] {
        let world = in_dunning(STORES_ONLY_CARD).await;
        // Also where it was given up already.
        world.advance(if path.ends_with("collect_now") { 10 * DAY } else { DAY }).await;
        let form = [("customer[id]", "org_acme"), ("redirect_url", "http://app.invalid/billing")];
        let page = world.bill(path, &form).await["hosted_page"].clone();
        assert_eq!(page["expires_at"].as_i64().unwrap() - page["created_at"].as_i64().unwrap(), 5 * DAY);
        let url = page["url"].as_str().unwrap();
        let html = world.client.get(url).send().await.unwrap().text().await.unwrap();
        assert!(html.contains("Use this card") && html.contains("19.00 USD") == path.ends_with("collect_now"));
        let declined = world.client.post(url).form(&[("card", REFUSED_CARD), ("action", "pay")]).send().await.unwrap();
        assert_eq!(declined.status(), 402);
        let seen = world.receiver.events().len();
        let done = world.done("/sandbox/hosted/complete", json!({ "url": url, "card": GOOD_CARD })).await;
        assert!(done["redirectUrl"].as_str().unwrap().starts_with("http://app.invalid/billing?id="));
        world.advance(0).await;
        assert_eq!(types(&world, seen), ["payment_source_added", "payment_succeeded", "invoice_updated"]);
        is_settled(&world).await;
        let id = page["id"].as_str().unwrap();
        let read = world.read(&format!("/hosted_pages/{id}"), &[]).await["hosted_page"].clone();
        assert_eq!(read["state"], "succeeded");
        assert_eq!(read["content"]["payment_source"]["card"]["last4"], "1111");
    }
}

#[tokio::test]
async fn the_portal_takes_a_card_for_what_is_open() {
    let world = in_dunning(STORES_ONLY_CARD).await;
    let session = world.bill("/portal_sessions", &[("customer[id]", "org_acme")]).await["portal_session"].clone();
    let entered = world.client.get(session["access_url"].as_str().unwrap()).send().await.unwrap();
    let home = world.url(entered.headers()["location"].to_str().unwrap());
    assert!(world.client.get(&home).send().await.unwrap().text().await.unwrap().contains("1 unpaid"));
    let refused = world.client.post(&home).form(&[("action", "card"), ("card", REFUSED_CARD)]).send().await.unwrap();
    assert!(refused.text().await.unwrap().contains("declined"));
    let taken = world.client.post(&home).form(&[("action", "card"), ("card", GOOD_CARD)]).send().await.unwrap();
    assert_eq!(taken.status(), 303);
    is_settled(&world).await;
    assert_eq!(world.receiver.event("payment_source_added").await["content"]["customer"]["id"], "org_acme");
}

#[tokio::test]
async fn an_open_invoice_is_collected_or_recorded_over_the_api() {
    let world = in_dunning(GOOD_CARD).await;
    let answer = world.bill("/invoices/INV-2/collect_payment", &[]).await;
    assert_eq!(
        (answer["invoice"]["status"].as_str(), answer["transaction"]["amount"].as_i64()),
        (Some("paid"), Some(1_900))
    );
    is_settled(&world).await;
    let again = world.billing(Method::POST, "/invoices/INV-2/collect_payment", &[]).await;
    assert_eq!((again.0, again.1["api_error_code"].as_str()), (409, Some("invalid_state_for_request")));

    let world = in_dunning(STORES_ONLY_CARD).await;
    let (status, refused) = world.billing(Method::POST, "/invoices/INV-2/collect_payment", &[]).await;
    assert_eq!((status, refused["api_error_code"].as_str()), (400, Some("payment_processing_failed")));
    let invoice = world.read("/invoices/INV-2", &[]).await["invoice"].clone();
    assert_eq!(invoice["next_retry_at"], START + RENEWAL + 3 * DAY, "the retries go on as planned");
    let path = "/invoices/INV-2/record_payment";
    let cases = [
        (vec![], "transaction[payment_method]"),
        (vec![("transaction[payment_method]", "shells")], "transaction[payment_method]"),
        (vec![("transaction[payment_method]", "cash"), ("transaction[amount]", "9999")], "transaction[amount]"),
    ];
    for (form, param) in cases {
        assert_eq!(world.billing(Method::POST, path, &form).await.1["param"], param);
    }
    let part = [("transaction[payment_method]", "cash"), ("transaction[amount]", "900")];
    let answer = world.bill(path, &part).await;
    assert_eq!(
        (answer["invoice"]["status"].as_str(), answer["invoice"]["amount_due"].as_i64()),
        (Some("payment_due"), Some(1_000))
    );
    assert_eq!(answer["transaction"]["payment_method"], "cash");
    assert_eq!(world.subscription("ls_1").await["total_dues"], 1_000);
    world.bill(path, &[("transaction[payment_method]", "bank_transfer")]).await;
    is_settled(&world).await;
}

#[tokio::test]
async fn the_dashboard_makes_charges_fail_and_pays_them() {
    let world = World::start().await;
    world.subscribed("ls_1", "starter-plan-monthly", GOOD_CARD).await;
    let path = "/sandbox/subscriptions/ls_1";
    world.done(path, json!({ "failNextPayment": true })).await;
    world.done(path, json!({ "failNextPayment": false })).await;
    world.advance(RENEWAL).await;
    is_paid(&world, "INV-2").await;
    let nothing = world.control(Method::POST, path, json!({ "payDues": true })).await;
    assert_eq!(nothing.0, 409);

    // It survives what charges nothing.
    world.done(path, json!({ "failNextPayment": true })).await;
    world.advance(DAY).await;
    world.done(path, json!({ "cancelAtPeriodEnd": true })).await;
    world.done(path, json!({ "cancelAtPeriodEnd": false })).await;
    world.advance(28 * DAY).await;
    assert_eq!(world.subscription("ls_1").await["due_invoices_count"], 1);
    let truth = world.done(path, json!({ "payDues": true })).await;
    assert_eq!((truth["id"].as_str(), truth["status"].as_str()), (Some("ls_1"), Some("active")));
    is_paid(&world, "INV-3").await;
    let paid = world.receiver.nth_event("payment_succeeded", 2).await;
    assert_eq!(
        (paid["source"].as_str(), paid["content"]["transaction"]["gateway"].as_str()),
        (Some("admin_console"), Some("not_applicable"))
    );
}

async fn is_paid(world: &World, invoice: &str) {
    assert_eq!(world.read(&format!("/invoices/{invoice}"), &[]).await["invoice"]["status"], "paid", "{invoice}");
}

#[tokio::test]
async fn the_dashboard_changes_a_subscription_in_every_way() {
    let world = World::start().await;
    world.subscribed("ls_1", "starter-plan-monthly", GOOD_CARD).await;
    let path = "/sandbox/subscriptions/ls_1";
    let row = world.done(path, json!({ "priceId": "scale-plan-monthly", "seats": 70 })).await;
    assert_eq!(row["items"], json!([{ "priceId": "scale-plan-monthly", "quantity": 70 }]));
    assert_eq!(world.receiver.event("subscription_changed").await["source"], "admin_console");
    let steps = [
        (json!({ "resume": true }), 409, "active"),
        (json!({ "pause": true }), 200, "paused"),
        (json!({ "pause": true }), 409, "paused"),
        (json!({ "seats": 3 }), 409, "paused"),
        (json!({ "resume": true }), 200, "active"),
        (json!({ "cancelAtPeriodEnd": false }), 409, "active"),
        (json!({ "cancelAtPeriodEnd": true }), 200, "non_renewing"),
        (json!({ "pause": true }), 409, "non_renewing"),
        (json!({ "cancel": true }), 200, "cancelled"),
        (json!({ "cancel": true }), 409, "cancelled"),
    ];
    for (body, expected, status) in steps {
        let (code, row) = world.control(Method::POST, path, body.clone()).await;
        assert_eq!(code, expected, "{body}: {row}");
        assert_eq!(world.subscription("ls_1").await["status"], status, "{body}");
        if code == 200 {
            assert_eq!(row["status"], status);
        }
    }
    for (body, code) in [(json!({ "seats": 0 }), 400), (json!({ "priceId": "onboarding" }), 400)] {
        assert_eq!(world.control(Method::POST, path, body).await.0, code);
    }
    assert_eq!(world.control(Method::POST, "/sandbox/subscriptions/no", json!({})).await.0, 404);
}

#[tokio::test]
async fn an_end_with_dues_keeps_collects_or_writes_them_off() {
    for (handling, dues, invoice_status) in
        [("no_action", 1, "payment_due"), ("schedule_payment_collection", 0, "paid"), ("write_off", 0, "paid")]
    {
        let world = in_dunning(GOOD_CARD).await;
        let form = [("account_receivables_handling", handling), ("cancel_reason_code", "Budget")];
        world.bill("/subscriptions/ls_1/cancel_for_items", &form).await;
        let row = world.subscription("ls_1").await;
        assert_eq!(
            (row["status"].as_str(), row["due_invoices_count"].as_i64()),
            (Some("cancelled"), Some(dues)),
            "{handling}"
        );
        assert_eq!(row["cancel_reason_code"], "Budget");
        let invoice = world.read("/invoices/INV-2", &[]).await["invoice"].clone();
        assert_eq!(invoice["status"], invoice_status, "{handling}");
        let written_off = i64::from(handling == "write_off") * 1_900;
        assert_eq!(invoice["amount_adjusted"].as_i64(), Some(written_off));
    }
}

#[tokio::test]
async fn dunning_can_be_stopped() {
    let world = in_dunning(GOOD_CARD).await;
    let invoice = world.bill("/invoices/INV-2/stop_dunning", &[]).await["invoice"].clone();
    assert_eq!((invoice["status"].as_str(), invoice["dunning_status"].as_str()), (Some("not_paid"), Some("stopped")));
    world.advance(20 * DAY).await;
    assert_eq!(world.subscription("ls_1").await["due_invoices_count"], 1, "nobody tries again");
    assert_eq!(world.billing(Method::POST, "/invoices/INV-2/stop_dunning", &[]).await.0, 409);
}

#[tokio::test]
async fn a_trial_reminds_of_its_end() {
    let world = World::start().await;
    world.subscribed("ls_1", "growth-plan-monthly", GOOD_CARD).await;
    world.advance(11 * DAY - 1).await;
    let reminders =
        |world: &World| types(world, 0).iter().filter(|kind| *kind == "subscription_trial_end_reminder").count();
    assert_eq!(reminders(&world), 0);
    world.advance(1).await;
    let reminder = world.receiver.event("subscription_trial_end_reminder").await;
    assert_eq!(reminder["occurred_at"], START + 11 * DAY);
    assert_eq!(reminder["content"]["subscription"]["trial_end"], START + 14 * DAY);
    // A longer trial reminds again, a shorter one does not.
    let end = (START + 30 * DAY).to_string();
    world.bill("/subscriptions/ls_1/update_for_items", &[("trial_end", &end)]).await;
    world.advance(16 * DAY).await;
    assert_eq!(reminders(&world), 2);
    let end = (START + 29 * DAY).to_string();
    world.bill("/subscriptions/ls_1/update_for_items", &[("trial_end", &end)]).await;
    world.advance(3 * DAY).await;
    assert_eq!(reminders(&world), 2);
    assert_eq!(world.subscription("ls_1").await["status"], "active");
}

#[tokio::test]
async fn who_is_behind_catches_up_period_by_period() {
    let world = World::start().await;
    world.subscribed("ls_1", "starter-plan-monthly", GOOD_CARD).await;
    // Machine time leaps, as if nobody had asked for three months.
    world.machine.fetch_add(95 * DAY * 1_000_000, std::sync::atomic::Ordering::SeqCst);
    let invoices = world.read("/invoices", &[("limit", "100")]).await;
    let dates: Vec<&Value> =
        invoices["list"].as_array().unwrap().iter().map(|entry| &entry["invoice"]["date"]).collect();
    let expected =
        ["2026-01-01", "2026-02-01", "2026-03-01", "2026-04-01"].map(|day| secs(&format!("{day}T00:00:00Z")));
    assert_eq!(dates, expected);
    let events = world.read("/events", &[("event_type[is]", "subscription_renewed")]).await;
    let at: Vec<&Value> =
        events["list"].as_array().unwrap().iter().map(|entry| &entry["event"]["occurred_at"]).collect();
    assert_eq!(at, expected[1..]);
}
