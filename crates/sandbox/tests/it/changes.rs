//! Changes of a subscription: several items, several ways, later, and taken back.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::*;

const DAY: i64 = 86_400;
const UPDATE: &str = "/subscriptions/ls_1/update_for_items";

fn price<'f>(id: &'f str, seats: &'f str) -> Vec<(&'f str, &'f str)> {
    vec![("subscription_items[item_price_id][0]", id), ("subscription_items[quantity][0]", seats)]
}

fn with<'f>(mut form: Vec<(&'f str, &'f str)>, more: &[(&'f str, &'f str)]) -> Vec<(&'f str, &'f str)> {
    form.extend_from_slice(more);
    form
}

/// The items of a subscription as `price × quantity`, with their amounts.
fn items(row: &Value) -> Vec<(String, i64)> {
    let render = |item: &Value| {
        let name = format!("{} × {}", item["item_price_id"].as_str().unwrap(), item["quantity"]);
        (name, item["amount"].as_i64().unwrap())
    };
    row["subscription_items"].as_array().unwrap().iter().map(render).collect()
}

#[tokio::test]
async fn add_ons_come_go_and_stay() {
    let world = World::start().await;
    world.subscribed("ls_1", "starter-plan-monthly", GOOD_CARD).await;
    let row = world.bill(UPDATE, &price("extra-projects-monthly", "2")).await["subscription"].clone();
    assert_eq!(items(&row), [("starter-plan-monthly × 3".into(), 1_900), ("extra-projects-monthly × 2".into(), 1_000)]);
    let row = world.bill(UPDATE, &price("scale-plan-monthly", "4")).await["subscription"].clone();
    assert_eq!(items(&row), [("scale-plan-monthly × 4".into(), 6_000), ("extra-projects-monthly × 2".into(), 1_000)]);
    let form = with(price("scale-plan-monthly", "4"), &[("replace_items_list", "true")]);
    let row = world.bill(UPDATE, &form).await["subscription"].clone();
    assert_eq!(items(&row), [("scale-plan-monthly × 4".into(), 6_000)]);
    let form = with(price("extra-projects-monthly", "1"), &[("replace_items_list", "true")]);
    let row = world.bill(UPDATE, &form).await["subscription"].clone();
    assert_eq!(items(&row), [("scale-plan-monthly × 4".into(), 6_000), ("extra-projects-monthly × 1".into(), 500)]);
    let twice = [
        ("subscription_items[item_price_id][0]", "scale-plan-monthly"),
        ("subscription_items[item_price_id][1]", "starter-plan-monthly"),
    ];
    assert_eq!(world.billing(Method::POST, UPDATE, &twice).await.1["param"], "subscription_items[item_price_id][1]");
}

#[tokio::test]
async fn a_downgrade_writes_a_credit_note_that_later_invoices_use() {
    let world = World::start().await;
    world.subscribed("ls_1", "scale-plan-monthly", GOOD_CARD).await;
    world.advance(15 * DAY + DAY / 2).await;
    let answer = world.bill(UPDATE, &price("scale-plan-monthly", "1")).await;
    let note = &answer["credit_notes"][0];
    assert_eq!(answer.get("invoice"), None);
    assert_eq!((note["type"].as_str(), note["status"].as_str()), (Some("refundable"), Some("refund_due")));
    assert_eq!((note["reason_code"].as_str(), note["total"].as_i64()), (Some("subscription_change"), Some(1_500)));
    assert_eq!(note["reference_invoice_id"], "INV-1");
    let changed = world.receiver.event("subscription_changed").await;
    assert_eq!(changed["content"]["credit_notes"], answer["credit_notes"]);
    assert_eq!(world.receiver.event("credit_note_created").await["content"]["credit_note"], *note);
    let first = world.read("/invoices/INV-1", &[]).await;
    assert_eq!(first["invoice"]["issued_credit_notes"][0]["cn_id"], note["id"]);

    world.advance(16 * DAY).await;
    let renewed = world.receiver.event("subscription_renewed").await["content"]["invoice"].clone();
    assert_eq!((renewed["total"].as_i64(), renewed["credits_applied"].as_i64()), (Some(1_500), Some(1_500)));
    assert_eq!(renewed["applied_credits"][0]["cn_id"], note["id"]);
    assert_eq!(renewed["status"], "paid");
    let updated = world.receiver.event("credit_note_updated").await["content"]["credit_note"].clone();
    assert_eq!((updated["status"].as_str(), updated["amount_available"].as_i64()), (Some("refunded"), Some(0)));
    assert_eq!(updated["allocations"][0]["invoice_id"], renewed["id"]);
    let path = format!("/credit_notes/{}", note["id"].as_str().unwrap());
    assert_eq!(world.read(&path, &[]).await["credit_note"]["amount_allocated"], 1_500);
    let list = world.read("/credit_notes", &[("customer_id[is]", "org_acme")]).await;
    assert_eq!(list["list"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_credit_takes_something_off_what_is_due_first() {
    let world = World::start().await;
    world.subscribed("ls_1", "scale-plan-monthly", GOOD_CARD).await;
    world.done("/sandbox/subscriptions/ls_1", json!({ "failNextPayment": true })).await;
    world.advance(31 * DAY + DAY).await;
    let answer = world.bill(UPDATE, &price("scale-plan-monthly", "1")).await;
    let note = &answer["credit_notes"][0];
    assert_eq!((note["type"].as_str(), note["status"].as_str()), (Some("adjustment"), Some("adjusted")));
    let credit = note["total"].as_i64().unwrap();
    assert_eq!(answer["subscription"]["total_dues"], 4_500 - credit);
    assert_eq!(answer["customer"]["refundable_credits"], 0);
    let invoice = world.read("/invoices/INV-2", &[]).await["invoice"].clone();
    assert_eq!(
        (invoice["amount_adjusted"].as_i64(), invoice["amount_due"].as_i64()),
        (Some(credit), Some(4_500 - credit))
    );
    assert_eq!(invoice["adjustment_credit_notes"][0]["cn_id"], note["id"]);
    world.advance(2 * DAY).await;
    let paid = world.receiver.nth_event("payment_succeeded", 1).await;
    assert_eq!(paid["content"]["transaction"]["amount"], 4_500 - credit, "the retry charges the rest");
}

#[tokio::test]
async fn charges_can_wait_for_the_next_invoice() {
    let world = World::start().await;
    world.subscribed("ls_1", "scale-plan-monthly", GOOD_CARD).await;
    world.advance(DAY).await;
    let form = with(price("extra-projects-monthly", "2"), &[("invoice_immediately", "false")]);
    let answer = world.bill(UPDATE, &form).await;
    assert_eq!(answer.get("invoice"), None);
    let waiting = answer["unbilled_charges"].as_array().unwrap();
    let amount: i64 = waiting.iter().map(|charge| charge["amount"].as_i64().unwrap()).sum();
    assert_eq!(answer["customer"]["unbilled_charges"], amount);
    let listed = world.read("/unbilled_charges", &[("subscription_id[is]", "ls_1")]).await;
    assert_eq!(listed["list"][0]["unbilled_charge"], waiting[0]);
    let created = world.receiver.event("unbilled_charges_created").await;
    assert_eq!(created["content"]["unbilled_charges"], answer["unbilled_charges"]);
    world.advance(30 * DAY).await;
    let invoiced = world.receiver.event("unbilled_charges_invoiced").await;
    assert_eq!(invoiced["content"]["invoice"]["total"], amount + 4_500 + 1_000);
    assert_eq!(world.subscription("ls_1").await["status"], "active");
    assert_eq!(world.read("/unbilled_charges", &[("subscription_id[is]", "ls_1")]).await["list"], json!([]));

    // A cancellation invoices what waits, unless it is to be dropped.
    let form = with(price("extra-projects-monthly", "9"), &[("invoice_immediately", "false")]);
    world.bill(UPDATE, &form).await;
    let dropped = [("unbilled_charges_option", "delete")];
    let answer = world.bill("/subscriptions/ls_1/cancel_for_items", &dropped).await;
    assert_eq!(answer.get("invoice"), None);
    assert_eq!(answer["customer"]["unbilled_charges"], 0);
}

#[tokio::test]
async fn without_proration_the_next_term_is_the_first_to_cost_more() {
    let world = World::start().await;
    world.subscribed("ls_1", "scale-plan-monthly", GOOD_CARD).await;
    world.advance(DAY).await;
    for seats in ["9", "2"] {
        let answer = world.bill(UPDATE, &with(price("scale-plan-monthly", seats), &[("prorate", "false")])).await;
        assert_eq!((answer.get("invoice"), answer.get("credit_notes")), (None, None));
    }
    world.advance(31 * DAY).await;
    let renewed = world.receiver.event("subscription_renewed").await;
    assert_eq!(renewed["content"]["invoice"]["total"], 3_000);
}

#[tokio::test]
async fn a_term_can_be_begun_anew() {
    let world = World::start().await;
    world.subscribed("ls_1", "starter-plan-monthly", GOOD_CARD).await;
    world.advance(10 * DAY).await;
    let answer = world.bill(UPDATE, &[("force_term_reset", "true")]).await;
    let row = &answer["subscription"];
    assert_eq!(row["current_term_start"], START + 10 * DAY);
    assert_eq!(row["current_term_end"], secs("2026-02-11T00:00:00Z"));
    // 21 of 31 days come back.
    assert_eq!(answer["credit_notes"][0]["total"], 1_287);
    assert_eq!(
        (answer["invoice"]["total"].as_i64(), answer["invoice"]["amount_paid"].as_i64()),
        (Some(1_900), Some(613))
    );
}

#[tokio::test]
async fn a_new_update_takes_the_place_of_a_scheduled_change() {
    let world = World::start().await;
    world.subscribed("ls_1", "scale-plan-monthly", GOOD_CARD).await;
    let end = secs("2026-02-01T00:00:00Z");
    let later = with(price("starter-plan-monthly", "1"), &[("change_option", "end_of_term")]);
    world.bill(UPDATE, &later).await;
    world.receiver.event("subscription_changes_scheduled").await;
    let row = world.bill(UPDATE, &price("scale-plan-monthly", "4")).await["subscription"].clone();
    assert_eq!(row["has_scheduled_changes"], false);
    assert_eq!(row.get("changes_scheduled_at"), None);

    world.bill(UPDATE, &later).await;
    let date = (end - DAY).to_string();
    let sooner = with(
        price("scale-plan-monthly", "9"),
        &[("change_option", "specific_date"), ("changes_scheduled_at", date.as_str())],
    );
    let row = world.bill(UPDATE, &sooner).await["subscription"].clone();
    assert_eq!(row["changes_scheduled_at"], end - DAY);
    let future = world.read("/subscriptions/ls_1/retrieve_with_scheduled_changes", &[]).await;
    assert_eq!(items(&future["subscription"]), [("scale-plan-monthly × 9".into(), 13_500)]);
    world.advance(end - DAY - START).await;
    let row = world.subscription("ls_1").await;
    assert_eq!(items(&row), [("scale-plan-monthly × 9".into(), 13_500)]);
    assert_eq!((row["has_scheduled_changes"].as_bool(), row["current_term_end"].as_i64()), (Some(false), Some(end)));
    let changed = world.receiver.nth_event("subscription_changed", 1).await;
    assert_eq!(changed["source"], "scheduled_job");
    assert!(changed["content"]["invoice"]["amount_paid"].as_i64() > Some(0));
    let (status, refused) = world.billing(Method::POST, "/subscriptions/ls_1/remove_scheduled_changes", &[]).await;
    assert_eq!((status, refused["api_error_code"].as_str()), (409, Some("invalid_state_for_request")));
}

#[tokio::test]
async fn a_scheduled_change_happens_though_the_card_fails() {
    let world = World::start().await;
    world.subscribed("ls_1", "starter-plan-monthly", GOOD_CARD).await;
    let date = (START + 5 * DAY).to_string();
    let form = with(
        price("growth-plan-monthly", "3"),
        &[("change_option", "specific_date"), ("changes_scheduled_at", date.as_str())],
    );
    world.bill(UPDATE, &form).await;
    world.done("/sandbox/subscriptions/ls_1", json!({ "failNextPayment": true })).await;
    world.advance(5 * DAY).await;
    let row = world.subscription("ls_1").await;
    assert_eq!(row["subscription_items"][0]["item_price_id"], "growth-plan-monthly");
    assert_eq!((row["status"].as_str(), row["due_invoices_count"].as_i64()), (Some("active"), Some(1)));
}

#[tokio::test]
async fn a_change_scheduled_in_a_trial_waits_for_its_end() {
    let world = World::start().await;
    world.subscribed("ls_1", "growth-plan-monthly", GOOD_CARD).await;
    let form = with(price("scale-plan-yearly", "2"), &[("change_option", "end_of_term")]);
    let row = world.bill(UPDATE, &form).await["subscription"].clone();
    assert_eq!(
        (row["status"].as_str(), row["changes_scheduled_at"].as_i64()),
        (Some("in_trial"), Some(START + 14 * DAY))
    );
    world.advance(14 * DAY).await;
    let activated = world.receiver.event("subscription_activated").await;
    assert_eq!(activated["content"]["invoice"]["total"], 30_000);
    let row = &activated["content"]["subscription"];
    assert_eq!(row["current_term_end"], secs("2027-01-15T00:00:00Z"));
    assert_eq!(row["has_scheduled_changes"], false);
}

#[tokio::test]
async fn what_ends_takes_immediate_changes_only() {
    let world = World::start().await;
    world.subscribed("ls_1", "scale-plan-monthly", GOOD_CARD).await;
    world.bill(UPDATE, &with(price("starter-plan-monthly", "1"), &[("change_option", "end_of_term")])).await;
    let row = world.bill("/subscriptions/ls_1/cancel", &[("end_of_term", "true")]).await["subscription"].clone();
    assert_eq!(row["has_scheduled_changes"], false, "the end takes the change along");
    let later = with(price("starter-plan-monthly", "1"), &[("change_option", "end_of_term")]);
    assert_eq!(world.billing(Method::POST, UPDATE, &later).await.0, 409);
    world.advance(DAY).await;
    let row = world.bill(UPDATE, &price("scale-plan-monthly", "6")).await["subscription"].clone();
    assert_eq!(
        (row["status"].as_str(), row["cancelled_at"].as_i64()),
        (Some("non_renewing"), row["current_term_end"].as_i64())
    );
    // A new term moves the end that was to be its end.
    let row = world.bill(UPDATE, &price("scale-plan-yearly", "6")).await["subscription"].clone();
    assert_eq!(row["status"], "non_renewing");
    assert_eq!(row["cancelled_at"], secs("2027-01-02T00:00:00Z"));
    world.advance(365 * DAY).await;
    assert_eq!(world.subscription("ls_1").await["status"], "cancelled");
    let without = with(price("scale-plan-monthly", "1"), &[("reactivate", "false")]);
    assert_eq!(world.billing(Method::POST, UPDATE, &without).await.0, 409);
    let row = world.bill(UPDATE, &price("scale-plan-monthly", "1")).await["subscription"].clone();
    assert_eq!(row["status"], "active");
}

#[tokio::test]
async fn who_bought_at_a_price_keeps_it() {
    let world = World::start().await;
    world.subscribed("ls_1", "scale-plan-monthly", GOOD_CARD).await;
    let answer = world.bill("/item_prices/scale-plan-monthly", &[("price", "2000"), ("name", "Scale 2026")]).await;
    assert_eq!(
        (answer["item_price"]["price"].as_i64(), answer["item_price"]["name"].as_str()),
        (Some(2_000), Some("Scale 2026"))
    );
    assert_eq!(world.read("/item_prices/scale-plan-monthly", &[]).await, answer);
    assert_eq!(world.receiver.event("item_price_updated").await["content"]["item_price"], answer["item_price"]);
    world.advance(31 * DAY).await;
    let renewed = world.receiver.event("subscription_renewed").await;
    assert_eq!(renewed["content"]["invoice"]["total"], 4_500);
    // More of the same keeps the price, too.
    let row = world.bill(UPDATE, &price("scale-plan-monthly", "4")).await["subscription"].clone();
    assert_eq!(row["subscription_items"][0]["unit_price"], 1_500);
    // Given up and taken anew, it has today's price.
    world.bill(UPDATE, &price("starter-plan-monthly", "4")).await;
    let row = world.bill(UPDATE, &price("scale-plan-monthly", "4")).await["subscription"].clone();
    assert_eq!(row["subscription_items"][0]["unit_price"], 2_000);
    // What is scheduled has the price of the day on which it was asked for.
    world.bill(UPDATE, &with(price("growth-plan-monthly", "4"), &[("change_option", "end_of_term")])).await;
    world
        .bill("/item_prices/growth-plan-monthly", &[("tiers[starting_unit][0]", "1"), ("tiers[price][0]", "9900")])
        .await;
    world.advance(31 * DAY).await;
    assert_eq!(items(&world.subscription("ls_1").await), [("growth-plan-monthly × 4".into(), 4_900)]);
}

#[tokio::test]
async fn stairs_have_steps() {
    let world = World::start().await;
    let tiers = [
        ("tiers[starting_unit][0]", "1"),
        ("tiers[ending_unit][0]", "5"),
        ("tiers[price][0]", "1900"),
        ("tiers[starting_unit][1]", "6"),
        ("tiers[price][1]", "3900"),
    ];
    let answer = world.bill("/item_prices/starter-plan-monthly", &tiers).await["item_price"].clone();
    assert_eq!(
        (answer["tiers"][0]["ending_unit"].as_i64(), answer["tiers"][1]["price"].as_i64()),
        (Some(5), Some(3_900))
    );
    world.subscribed("ls_1", "starter-plan-monthly", GOOD_CARD).await;
    let row = world.subscription("ls_1").await;
    assert_eq!(items(&row), [("starter-plan-monthly × 3".into(), 1_900)]);
    assert_eq!(row["item_tiers"].as_array().unwrap().len(), 2);
    let row = world.bill(UPDATE, &price("starter-plan-monthly", "6")).await["subscription"].clone();
    assert_eq!(items(&row), [("starter-plan-monthly × 6".into(), 3_900)]);
    for (name, value) in
        [("tiers[starting_unit][0]", "2"), ("tiers[starting_unit][1]", "1"), ("tiers[price][0]", "-1"), ("price", "x")]
    {
        let mut form = tiers.to_vec();
        form.retain(|(given, _)| *given != name);
        form.push((name, value));
        let (status, body) = world.billing(Method::POST, "/item_prices/starter-plan-monthly", &form).await;
        assert_eq!((status, body["param"].as_str()), (400, Some(name)));
    }
    let (status, _) = world.billing(Method::POST, "/item_prices/scale-plan-monthly", &tiers).await;
    assert_eq!(status, 400, "a price per unit has no tiers");
}
