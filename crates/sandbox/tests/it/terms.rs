//! What time and people do to a subscription: renewals, changes, pauses, endings.

use reqwest::Method;
use serde_json::json;

use crate::support::*;

const DAY: i64 = 86_400;

#[tokio::test]
async fn renewals_keep_the_day_of_the_month() {
    let world = World::start().await;
    world.advance(30 * DAY + 3_600).await;
    world.subscribed("ls_1", "scale-plan-monthly", GOOD_CARD).await;
    let ends = ["2026-02-28T01:00:00Z", "2026-03-31T01:00:00Z", "2026-04-30T01:00:00Z", "2026-05-31T01:00:00Z"];
    assert_eq!(world.subscription("ls_1").await["current_term_start"], secs("2026-01-31T01:00:00Z"));
    assert_eq!(world.subscription("ls_1").await["current_term_end"], secs(ends[0]));
    world.advance(secs("2026-05-01T00:00:00Z") - secs("2026-01-31T01:00:00Z")).await;
    let renewed: Vec<i64> = world
        .receiver
        .events()
        .iter()
        .filter(|event| event["event_type"] == "subscription_renewed")
        .map(|event| event["content"]["subscription"]["current_term_end"].as_i64().unwrap())
        .collect();
    assert_eq!(renewed, ends[1..].iter().map(|end| secs(end)).collect::<Vec<_>>());
    let invoices = world.read("/invoices", &[("limit", "100")]).await;
    assert_eq!(invoices["list"].as_array().unwrap().len(), 4);
    assert_eq!(invoices["list"][3]["invoice"]["total"], 3 * 1_500);
    assert_eq!(invoices["list"][0]["invoice"]["first_invoice"], true);
    assert_eq!(invoices["list"][3]["invoice"]["first_invoice"], false);
}

#[tokio::test]
async fn a_scheduled_cancellation_can_be_taken_back_or_happens() {
    let world = World::start().await;
    world.subscribed("ls_1", "starter-plan-monthly", GOOD_CARD).await;
    let end = secs("2026-02-01T00:00:00Z");
    world.advance(DAY).await;
    let form = [("cancel_option", "end_of_term"), ("cancel_reason_code", "Not Using")];
    let row = world.bill("/subscriptions/ls_1/cancel_for_items", &form).await["subscription"].clone();
    assert_eq!(row["status"], "non_renewing");
    assert_eq!(row["cancelled_at"], end);
    assert_eq!(row["cancel_schedule_created_at"], START + DAY);
    assert_eq!(row["remaining_billing_cycles"], 0);
    assert_eq!(row["cancel_reason_code"], "Not Using");
    assert_eq!(row.get("next_billing_at"), None);
    world.receiver.event("subscription_cancellation_scheduled").await;

    let row = world.bill("/subscriptions/ls_1/remove_scheduled_cancellation", &[]).await["subscription"].clone();
    assert_eq!((row["status"].as_str(), row["next_billing_at"].as_i64()), (Some("active"), Some(end)));
    assert_eq!(row.get("cancelled_at"), None);
    world.receiver.event("subscription_scheduled_cancellation_removed").await;
    let again = world.billing(Method::POST, "/subscriptions/ls_1/remove_scheduled_cancellation", &[]).await;
    assert_eq!((again.0, again.1["api_error_code"].as_str()), (409, Some("invalid_state_for_request")));

    world.bill("/subscriptions/ls_1/cancel", &[("end_of_term", "true")]).await;
    world.advance(40 * DAY).await;
    let cancelled = world.receiver.event("subscription_cancelled").await;
    assert_eq!(cancelled["source"], "scheduled_job");
    let row = &cancelled["content"]["subscription"];
    assert_eq!((row["status"].as_str(), row["cancelled_at"].as_i64()), (Some("cancelled"), Some(end)));
    assert_eq!(row["mrr"], 0);
    let again = world.billing(Method::POST, "/subscriptions/ls_1/cancel", &[]).await;
    assert_eq!(again.0, 409);
}

#[tokio::test]
async fn a_trial_that_is_to_end_stays_a_trial() {
    let world = World::start().await;
    world.subscribed("ls_1", "growth-plan-monthly", GOOD_CARD).await;
    let row = world.bill("/subscriptions/ls_1/cancel", &[("end_of_term", "true")]).await["subscription"].clone();
    assert_eq!(row["status"], "in_trial");
    assert_eq!(row["cancelled_at"], START + 14 * DAY);
    let truth = world.get("/sandbox/truth").await;
    assert_eq!(truth["subscriptions"][0]["cancelAt"], START + 14 * DAY);
    world.advance(15 * DAY).await;
    let row = world.subscription("ls_1").await;
    assert_eq!(row["status"], "cancelled");
    assert_eq!(row.get("activated_at"), None);
    let truth = world.get("/sandbox/truth").await;
    assert_eq!(truth["subscriptions"][0]["cancelAt"], serde_json::Value::Null);
}

#[tokio::test]
async fn a_cancelled_subscription_comes_back() {
    let world = World::start().await;
    world.subscribed("ls_1", "starter-plan-monthly", GOOD_CARD).await;
    let row = world.bill("/subscriptions/ls_1/cancel", &[]).await["subscription"].clone();
    assert_eq!((row["status"].as_str(), row["cancelled_at"].as_i64()), (Some("cancelled"), Some(START)));
    assert_eq!(row.get("cancel_schedule_created_at"), None);
    world.advance(DAY).await;
    let row = world.bill("/subscriptions/ls_1/reactivate", &[]).await["subscription"].clone();
    assert_eq!((row["status"].as_str(), row["activated_at"].as_i64()), (Some("active"), Some(START + DAY)));
    assert_eq!(world.receiver.event("subscription_reactivated").await["content"]["invoice"]["status"], "paid");
    let row = world.bill("/subscriptions/ls_1/delete", &[]).await["subscription"].clone();
    assert_eq!(row["deleted"], true);
    assert_eq!(world.billing(Method::POST, "/subscriptions/ls_1/cancel", &[]).await.0, 404);
}

#[tokio::test]
async fn more_seats_are_charged_for_the_rest_of_the_term() {
    let world = World::start().await;
    world.subscribed("ls_1", "scale-plan-monthly", GOOD_CARD).await;
    // 31 days of January: after 15.5 days half of the term is left.
    world.advance(15 * DAY + DAY / 2).await;
    let form = [
        ("subscription_items[item_price_id][0]", "scale-plan-monthly"),
        ("subscription_items[quantity][0]", "5"),
        ("prorate", "true"),
        ("invoice_immediately", "true"),
        ("meta_data", r#"{"organizationId":"org_acme","note":"five"}"#),
    ];
    let answer = world.bill("/subscriptions/ls_1/update_for_items", &form).await;
    assert_eq!(answer["subscription"]["subscription_items"][0]["quantity"], 5);
    assert_eq!(answer["subscription"]["meta_data"]["note"], "five");
    // The rest of five seats, less the rest of three.
    assert_eq!(answer["invoice"]["total"], 3_750);
    assert_eq!(answer["invoice"]["credits_applied"], 2_250);
    assert_eq!(answer["invoice"]["amount_paid"], 1_500);
    world.receiver.event("subscription_changed").await;

    let form =
        [("subscription_items[item_price_id][0]", "scale-plan-monthly"), ("subscription_items[quantity][0]", "1")];
    let answer = world.bill("/subscriptions/ls_1/update_for_items", &form).await;
    assert_eq!(answer.get("invoice"), None);
    assert_eq!(answer["customer"]["refundable_credits"], 3_000);
    world.advance(16 * DAY).await;
    let renewed = world.receiver.event("subscription_renewed").await;
    assert_eq!(renewed["content"]["invoice"]["credits_applied"], 1_500);
    assert_eq!(renewed["content"]["invoice"]["status"], "paid");
}

#[tokio::test]
async fn a_change_at_the_end_of_the_term_waits_for_it() {
    let world = World::start().await;
    world.subscribed("ls_1", "scale-plan-monthly", GOOD_CARD).await;
    let form = [
        ("subscription_items[item_price_id][0]", "starter-plan-yearly"),
        ("change_option", "end_of_term"),
        ("replace_items_list", "true"),
    ];
    let row = world.bill("/subscriptions/ls_1/update_for_items", &form).await["subscription"].clone();
    assert_eq!(row["has_scheduled_changes"], true);
    assert_eq!(row["changes_scheduled_at"], secs("2026-02-01T00:00:00Z"));
    assert_eq!(row["subscription_items"][0]["item_price_id"], "scale-plan-monthly");
    let future = world.read("/subscriptions/ls_1/retrieve_with_scheduled_changes", &[]).await;
    assert_eq!(future["subscription"]["subscription_items"][0]["item_price_id"], "starter-plan-yearly");

    world.bill("/subscriptions/ls_1/remove_scheduled_changes", &[]).await;
    world.receiver.event("subscription_scheduled_changes_removed").await;
    let gone = world.billing(Method::GET, "/subscriptions/ls_1/retrieve_with_scheduled_changes", &[]).await;
    assert_eq!(gone.0, 409);

    world.bill("/subscriptions/ls_1/update_for_items", &form).await;
    world.advance(31 * DAY).await;
    let row = world.subscription("ls_1").await;
    assert_eq!(row["subscription_items"][0]["item_price_id"], "starter-plan-yearly");
    assert_eq!(row["current_term_end"], secs("2027-02-01T00:00:00Z"));
    assert_eq!(row["billing_period_unit"], "year");
    let renewed = world.receiver.event("subscription_renewed").await;
    assert_eq!(renewed["content"]["invoice"]["total"], 19_000);
}

#[tokio::test]
async fn a_paused_subscription_does_not_renew() {
    let world = World::start().await;
    world.subscribed("ls_1", "starter-plan-monthly", GOOD_CARD).await;
    world.bill("/subscriptions/ls_1/pause", &[("pause_option", "end_of_term")]).await;
    world.receiver.event("subscription_pause_scheduled").await;
    world.bill("/subscriptions/ls_1/remove_scheduled_pause", &[]).await;
    world.bill("/subscriptions/ls_1/pause", &[("pause_option", "end_of_term")]).await;
    world.advance(60 * DAY).await;
    let row = world.subscription("ls_1").await;
    assert_eq!(
        (row["status"].as_str(), row["pause_date"].as_i64()),
        (Some("paused"), Some(secs("2026-02-01T00:00:00Z")))
    );
    let form = [("resume_option", "specific_date"), ("resume_date", "1772524800")];
    world.bill("/subscriptions/ls_1/resume", &form).await;
    world.receiver.event("subscription_resumption_scheduled").await;
    world.advance(10 * DAY).await;
    let row = world.subscription("ls_1").await;
    assert_eq!((row["status"].as_str(), row["current_term_start"].as_i64()), (Some("active"), Some(1_772_524_800)));
    assert_eq!(world.receiver.event("subscription_resumed").await["content"]["invoice"]["status"], "paid");
}

#[tokio::test]
async fn a_failed_renewal_recovers_at_the_next_try() {
    let world = World::start().await;
    world.subscribed("ls_1", "starter-plan-monthly", GOOD_CARD).await;
    world.done("/sandbox/subscriptions/ls_1", json!({ "failNextPayment": true })).await;
    world.advance(31 * DAY).await;
    let row = world.subscription("ls_1").await;
    assert_eq!((row["status"].as_str(), row["due_since"].as_i64()), (Some("active"), Some(START + 31 * DAY)));
    assert_eq!(row["due_invoices_count"], 1);
    world.advance(3 * DAY).await;
    let row = world.subscription("ls_1").await;
    assert_eq!(row.get("due_since"), None);
    assert_eq!(row["due_invoices_count"], 0);
    let updated = world.receiver.event("invoice_updated").await;
    assert_eq!(updated["content"]["invoice"]["dunning_status"], "success");
}

#[tokio::test]
async fn a_trial_without_a_card_ends_in_cancellation() {
    let world = World::start().await;
    world.acme().await;
    let form = [("id", "ls_1"), ("subscription_items[item_price_id][0]", "growth-plan-monthly")];
    world.bill("/customers/org_acme/subscription_for_items", &form).await;
    let form = [("trial_end", "1768521600")];
    world.bill("/subscriptions/ls_1/update_for_items", &form).await;
    world.receiver.event("subscription_trial_extended").await;
    world.advance(20 * DAY).await;
    let row = world.subscription("ls_1").await;
    assert_eq!((row["status"].as_str(), row["cancel_reason"].as_str()), (Some("cancelled"), Some("no_card")));
    assert_eq!(row["cancelled_at"], 1_768_521_600);
    let form = [("id", "ls_2"), ("subscription_items[item_price_id][0]", "starter-plan-monthly")];
    let (status, answer) = world.billing(Method::POST, "/customers/org_acme/subscription_for_items", &form).await;
    assert_eq!((status, answer["type"].as_str()), (400, Some("payment")));
}

#[tokio::test]
async fn a_subscription_can_start_later() {
    let world = World::start().await;
    world.acme().await;
    let form = [
        ("id", "ls_1"),
        ("subscription_items[item_price_id][0]", "starter-plan-monthly"),
        ("start_date", "1768435200"),
        ("auto_collection", "off"),
    ];
    let row = world.bill("/customers/org_acme/subscription_for_items", &form).await["subscription"].clone();
    assert_eq!((row["status"].as_str(), row["next_billing_at"].as_i64()), (Some("future"), Some(1_768_435_200)));
    world.advance(15 * DAY).await;
    let started = world.receiver.event("subscription_started").await;
    assert_eq!(started["content"]["subscription"]["status"], "active");
    assert_eq!(started["content"]["invoice"]["status"], "payment_due");
}

#[tokio::test]
async fn a_pause_can_have_a_date_and_a_length() {
    let world = World::start().await;
    world.subscribed("ls_1", "starter-plan-monthly", GOOD_CARD).await;
    let form = [("pause_option", "billing_cycles"), ("skip_billing_cycles", "2")];
    let row = world.bill("/subscriptions/ls_1/pause", &form).await["subscription"].clone();
    assert_eq!(
        (row["status"].as_str(), row["pause_date"].as_i64()),
        (Some("active"), Some(secs("2026-02-01T00:00:00Z")))
    );
    assert_eq!(row["resume_date"], secs("2026-04-01T00:00:00Z"));
    world.advance(secs("2026-03-15T00:00:00Z") - START).await;
    assert_eq!(world.subscription("ls_1").await["status"], "paused");
    world.advance(20 * DAY).await;
    let row = world.subscription("ls_1").await;
    assert_eq!(
        (row["status"].as_str(), row["current_term_start"].as_i64()),
        (Some("active"), Some(secs("2026-04-01T00:00:00Z")))
    );
    assert_eq!(world.receiver.event("subscription_resumed").await["source"], "scheduled_job");

    let inside = (secs("2026-04-10T00:00:00Z")).to_string();
    let until = (secs("2026-04-20T00:00:00Z")).to_string();
    let form = [("pause_option", "specific_date"), ("pause_date", inside.as_str()), ("resume_date", until.as_str())];
    world.bill("/subscriptions/ls_1/pause", &form).await;
    world.advance(7 * DAY).await;
    assert_eq!(world.subscription("ls_1").await["status"], "paused");
    world.bill("/subscriptions/ls_1/remove_scheduled_resumption", &[]).await;
    world.receiver.event("subscription_scheduled_resumption_removed").await;
    let invoices = world.read("/invoices", &[]).await["list"].as_array().unwrap().len();
    world.bill("/subscriptions/ls_1/resume", &[]).await;
    let row = world.subscription("ls_1").await;
    assert_eq!(row["current_term_start"], secs("2026-04-01T00:00:00Z"), "inside its term it goes on with it");
    assert_eq!(world.read("/invoices", &[]).await["list"].as_array().unwrap().len(), invoices);
    for (name, form) in [
        ("pause_option", vec![("pause_option", "never")]),
        ("skip_billing_cycles", vec![("pause_option", "billing_cycles")]),
        ("pause_date", vec![("pause_option", "specific_date"), ("pause_date", "99999999999999")]),
        ("resume_date", vec![("resume_date", "1")]),
    ] {
        let (status, body) = world.billing(Method::POST, "/subscriptions/ls_1/pause", &form).await;
        assert_eq!((status, body["param"].as_str()), (400, Some(name)));
    }
}

#[tokio::test]
async fn an_end_on_a_date_renews_until_then() {
    let world = World::start().await;
    world.subscribed("ls_1", "starter-plan-monthly", GOOD_CARD).await;
    let at = secs("2026-03-10T00:00:00Z");
    let form = [("cancel_option", "specific_date"), ("cancel_at", &at.to_string())];
    let row = world.bill("/subscriptions/ls_1/cancel_for_items", &form).await["subscription"].clone();
    assert_eq!((row["status"].as_str(), row["cancelled_at"].as_i64()), (Some("non_renewing"), Some(at)));
    world.advance(60 * DAY).await;
    let row = world.subscription("ls_1").await;
    assert_eq!(row["status"], "non_renewing");
    assert_eq!(row["current_term_end"], secs("2026-04-01T00:00:00Z"));
    assert_eq!(world.read("/invoices", &[]).await["list"].as_array().unwrap().len(), 3);
    world.advance(10 * DAY).await;
    let row = world.subscription("ls_1").await;
    assert_eq!((row["status"].as_str(), row["cancelled_at"].as_i64()), (Some("cancelled"), Some(at)));
    let past = [("cancel_option", "specific_date"), ("cancel_at", "1")];
    assert_eq!(world.billing(Method::POST, "/subscriptions/ls_1/cancel_for_items", &past).await.0, 409);
    for option in ["credit_option_for_current_term_charges", "unbilled_charges_option", "account_receivables_handling"]
    {
        let (status, body) =
            world.billing(Method::POST, "/subscriptions/ls_1/cancel_for_items", &[(option, "other")]).await;
        assert_eq!((status, body["param"].as_str()), (400, Some(option)));
    }
}

#[tokio::test]
async fn who_comes_back_can_pay_later() {
    let world = World::start().await;
    world.subscribed("ls_1", "starter-plan-monthly", GOOD_CARD).await;
    world.bill("/subscriptions/ls_1/cancel", &[]).await;
    let answer = world.bill("/subscriptions/ls_1/reactivate", &[("invoice_immediately", "false")]).await;
    assert_eq!((answer["subscription"]["status"].as_str(), answer.get("invoice")), (Some("active"), None));
    assert_eq!(answer["unbilled_charges"][0]["amount"], 1_900);
    world.advance(31 * DAY).await;
    let renewed = world.receiver.event("subscription_renewed").await;
    assert_eq!(renewed["content"]["invoice"]["total"], 3_800);

    world.bill("/subscriptions/ls_1/cancel", &[]).await;
    let end = (START + 40 * DAY).to_string();
    let answer = world.bill("/subscriptions/ls_1/reactivate", &[("trial_end", &end)]).await;
    assert_eq!((answer["subscription"]["status"].as_str(), answer.get("invoice")), (Some("in_trial"), None));
    world.advance(9 * DAY).await;
    world.receiver.event("subscription_activated").await;
}
