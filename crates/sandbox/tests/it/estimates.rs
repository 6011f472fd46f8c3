//! What is estimated is what is charged, now and with the next invoice.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::*;

const DAY: i64 = 86_400;
const ESTIMATE: &str = "/estimates/update_subscription_for_items";

/// An update as it is estimated: the members of the subscription are nested.
fn nested<'f>(form: &[(&'f str, &'f str)]) -> Vec<(&'f str, &'f str)> {
    let mut nested = vec![("subscription[id]", "ls_1")];
    nested.extend(
        form.iter().map(|(name, value)| (if *name == "trial_end" { "subscription[trial_end]" } else { name }, *value)),
    );
    nested
}

fn price<'f>(id: &'f str, seats: &'f str) -> Vec<(&'f str, &'f str)> {
    vec![("subscription_items[item_price_id][0]", id), ("subscription_items[quantity][0]", seats)]
}

/// What an invoice, or its estimate, asks for.
fn bill(invoice: &Value) -> Value {
    let lines: Vec<Value> = invoice["line_items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|line| {
            json!([
                line["entity_id"],
                line["description"],
                line["date_from"],
                line["date_to"],
                line["quantity"],
                line["amount"]
            ])
        })
        .collect();
    json!([invoice["total"], invoice["credits_applied"], invoice["currency_code"], lines])
}

/// The latest invoice of `ls_1`.
async fn latest(world: &World) -> Value {
    let query = [("sort_by[desc]", "date"), ("limit", "1")];
    world.read("/subscriptions/ls_1/invoices", &query).await["list"][0]["invoice"].clone()
}

/// Estimates a change, makes it, waits for the next invoice, and compares.
async fn agrees(world: &World, form: &[(&str, &str)]) -> Value {
    let estimate = world.bill(ESTIMATE, &nested(form)).await["estimate"].clone();
    let answer = world.bill("/subscriptions/ls_1/update_for_items", form).await;
    match answer.get("invoice") {
        Some(invoice) => {
            assert_eq!(bill(&estimate["invoice_estimate"]), bill(invoice), "{estimate:#}");
            assert_eq!(estimate["invoice_estimate"]["amount_due"], invoice["amount_paid"]);
        }
        None => assert_eq!(estimate.get("invoice_estimate"), None, "{estimate:#}"),
    }
    let notes = |list: &Value| -> Vec<Value> {
        let list = list.as_array().cloned().unwrap_or_default();
        list.iter().map(|note| json!([note["type"], note["total"], note["amount_available"]])).collect()
    };
    assert_eq!(notes(&estimate["credit_note_estimates"]), notes(&answer["credit_notes"]));
    assert_eq!(estimate["subscription_estimate"]["status"], answer["subscription"]["status"]);
    assert_eq!(estimate["subscription_estimate"].get("next_billing_at"), answer["subscription"].get("next_billing_at"));

    let next = answer["subscription"]["next_billing_at"].as_i64().unwrap();
    let now = secs(world.get("/sandbox/clock").await["now"].as_str().unwrap());
    world.advance(next - now).await;
    let invoice = latest(world).await;
    assert_eq!(invoice["date"], next);
    assert_eq!(bill(&estimate["next_invoice_estimate"]), bill(&invoice), "{estimate:#}");
    estimate
}

#[tokio::test]
async fn more_and_fewer_seats_cost_what_was_estimated() {
    let world = World::start().await;
    world.subscribed("ls_1", "scale-plan-monthly", GOOD_CARD).await;
    world.advance(10 * DAY + 12_345).await;
    let more = agrees(&world, &price("scale-plan-monthly", "7")).await;
    assert_eq!(more["next_invoice_estimate"]["total"], 7 * 1_500);
    world.advance(9 * DAY + 777).await;
    let fewer = agrees(&world, &price("scale-plan-monthly", "2")).await;
    assert_eq!(fewer["credit_note_estimates"][0]["type"], "refundable");
    let credit = fewer["credit_note_estimates"][0]["total"].as_i64().unwrap();
    assert!(credit > 0);
    assert_eq!(fewer["next_invoice_estimate"]["credits_applied"].as_i64().unwrap(), credit.min(3_000));
}

#[tokio::test]
async fn another_plan_or_period_costs_what_was_estimated() {
    let world = World::start().await;
    world.subscribed("ls_1", "starter-plan-monthly", GOOD_CARD).await;
    world.advance(5 * DAY + 1).await;
    agrees(&world, &price("growth-plan-monthly", "3")).await;
    world.advance(3 * DAY).await;
    let yearly = agrees(&world, &price("growth-plan-yearly", "3")).await;
    assert_eq!(yearly["invoice_estimate"]["total"], 49_000);
    world.advance(100 * DAY).await;
    let monthly = agrees(&world, &price("starter-plan-monthly", "1")).await;
    assert_eq!(monthly["invoice_estimate"]["amount_due"], 0, "the rest of the year pays for it");
    assert!(monthly["credit_note_estimates"][0]["amount_available"].as_i64() > Some(30_000));
}

#[tokio::test]
async fn every_way_to_change_costs_what_was_estimated() {
    let world = World::start().await;
    world.subscribed("ls_1", "scale-plan-monthly", GOOD_CARD).await;
    world.advance(7 * DAY).await;
    for (option, value) in [
        ("prorate", "false"),
        ("invoice_immediately", "false"),
        ("force_term_reset", "true"),
        ("change_option", "end_of_term"),
        ("replace_items_list", "true"),
    ] {
        for seats in ["6", "4"] {
            let mut form = price("scale-plan-monthly", seats);
            form.extend([
                ("subscription_items[item_price_id][1]", "extra-projects-monthly"),
                ("subscription_items[quantity][1]", seats),
                (option, value),
            ]);
            let estimate = agrees(&world, &form).await;
            let charged = estimate.get("invoice_estimate").is_some();
            let unbilled = estimate["unbilled_charge_estimates"].as_array().unwrap().len();
            match option {
                "prorate" | "change_option" => assert!(!charged && unbilled == 0, "{option}"),
                "invoice_immediately" => assert!(!charged && (unbilled == 2) == (seats == "6"), "{estimate:#}"),
                "force_term_reset" => assert!(charged),
                _ => {}
            }
            world.advance(5 * DAY + 99).await;
        }
    }
}

#[tokio::test]
async fn a_trial_costs_at_its_end_what_was_estimated() {
    let world = World::start().await;
    world.subscribed("ls_1", "growth-plan-monthly", GOOD_CARD).await;
    let renewal = world.read("/subscriptions/ls_1/renewal_estimate", &[]).await["estimate"].clone();
    assert_eq!(renewal["subscription_estimate"]["status"], "in_trial");
    assert_eq!(renewal["invoice_estimate"]["total"], 4_900);
    let estimate = agrees(&world, &price("scale-plan-monthly", "4")).await;
    assert_eq!(estimate.get("invoice_estimate"), None, "nothing is charged in a trial");
    assert_eq!(estimate["next_invoice_estimate"]["total"], 6_000);

    let world = World::start().await;
    world.subscribed("ls_1", "growth-plan-monthly", GOOD_CARD).await;
    world.advance(DAY).await;
    let mut form = price("scale-plan-monthly", "4");
    form.push(("trial_end", "0"));
    let estimate = agrees(&world, &form).await;
    assert_eq!(estimate["invoice_estimate"]["total"], 6_000, "to end the trial is to pay");
}

#[tokio::test]
async fn a_renewal_costs_what_was_estimated() {
    let world = World::start().await;
    world.subscribed("ls_1", "scale-plan-monthly", GOOD_CARD).await;
    world.advance(4 * DAY).await;
    let mut form = price("scale-plan-monthly", "5");
    form.push(("invoice_immediately", "false"));
    world.bill("/subscriptions/ls_1/update_for_items", &form).await;
    let path = "/subscriptions/ls_1/renewal_estimate";
    let estimate = world.read(path, &[]).await["estimate"].clone();
    let invoice_estimate = &estimate["invoice_estimate"];
    assert_eq!(invoice_estimate, &estimate["next_invoice_estimate"]);
    assert_eq!(invoice_estimate["line_items"].as_array().unwrap().len(), 2);
    assert!(invoice_estimate["credits_applied"].as_i64() > Some(0));
    let without = world.read(path, &[("use_existing_balances", "false"), ("include_delayed_charges", "false")]).await;
    let without = &without["estimate"]["invoice_estimate"];
    assert_eq!((without["total"].as_i64(), without["credits_applied"].as_i64()), (Some(7_500), Some(0)));
    // To look changes nothing.
    assert_eq!(world.read(path, &[]).await["estimate"], estimate);
    world.advance(27 * DAY).await;
    assert_eq!(bill(&latest(&world).await), bill(invoice_estimate));

    world.bill("/subscriptions/ls_1/cancel_for_items", &[("cancel_option", "end_of_term")]).await;
    let (status, answer) = world.billing(Method::GET, path, &[]).await;
    assert_eq!((status, answer["api_error_code"].as_str()), (409, Some("invalid_state_for_request")));
    let anyway = world.read(path, &[("ignore_scheduled_cancellation", "true")]).await;
    assert_eq!(anyway["estimate"]["invoice_estimate"]["total"], 7_500);
}

#[tokio::test]
async fn a_subscription_to_come_costs_what_was_estimated() {
    let world = World::start().await;
    world.acme().await;
    world.bill("/customers", &[("id", "other")]).await;
    let mut form = price("scale-plan-monthly", "3");
    form.extend([
        ("subscription_items[item_price_id][1]", "onboarding"),
        ("subscription_items[quantity][1]", "1"),
        ("subscription[id]", "ls_1"),
    ]);
    let anybody = world.bill("/estimates/create_subscription_for_items", &form).await["estimate"].clone();
    let path = "/customers/org_acme/create_subscription_for_items_estimate";
    let estimate = world.bill(path, &form).await["estimate"].clone();
    assert_eq!(anybody["invoice_estimate"]["total"], 49_900 + 4_500);
    assert_eq!(estimate["invoice_estimate"]["total"], 49_900 + 4_500);
    assert_eq!(estimate["next_invoice_estimate"]["total"], 4_500, "onboarding is charged for once");
    assert_eq!(world.billing(Method::GET, "/subscriptions/ls_1", &[]).await.0, 404, "nothing was made");

    let page = world.page("ls_1", "scale-plan-monthly", &form[2..4]).await;
    world.done("/sandbox/hosted/complete", json!({ "url": page["url"], "card": GOOD_CARD })).await;
    assert_eq!(bill(&latest(&world).await), bill(&estimate["invoice_estimate"]));
    world.advance(31 * DAY).await;
    assert_eq!(bill(&latest(&world).await), bill(&estimate["next_invoice_estimate"]));
    assert_eq!(world.billing(Method::POST, path, &form).await.1["api_error_code"], "duplicate_entry");

    let trial = [("subscription_items[item_price_id][0]", "growth-plan-monthly")];
    let estimate = world.bill("/estimates/create_subscription_for_items", &trial).await["estimate"].clone();
    assert_eq!(estimate.get("invoice_estimate"), None);
    assert_eq!(estimate["next_invoice_estimate"]["total"], 4_900);
}

#[tokio::test]
async fn an_end_gives_back_what_was_estimated() {
    for (credit, dunning) in [("none", false), ("prorate", false), ("full", false), ("prorate", true)] {
        let world = World::start().await;
        world.subscribed("ls_1", "scale-plan-monthly", GOOD_CARD).await;
        if dunning {
            world.done("/sandbox/subscriptions/ls_1", json!({ "failNextPayment": true })).await;
            world.advance(31 * DAY).await;
        }
        world.advance(2 * DAY).await;
        let form = [("credit_option_for_current_term_charges", credit)];
        let path = "/subscriptions/ls_1/cancel_subscription_for_items_estimate";
        let estimate = world.bill(path, &form).await["estimate"].clone();
        let answer = world.bill("/subscriptions/ls_1/cancel_for_items", &form).await;
        assert_eq!(estimate["subscription_estimate"]["status"], "cancelled");
        assert_eq!(estimate.get("next_invoice_estimate"), None);
        let notes = answer["credit_notes"].as_array().cloned().unwrap_or_default();
        let estimates = estimate["credit_note_estimates"].as_array().unwrap();
        assert_eq!(notes.len(), usize::from(credit != "none"), "{credit}");
        assert_eq!(estimates.len(), notes.len());
        for (note, estimate) in notes.iter().zip(estimates) {
            for member in ["type", "total", "amount_allocated", "amount_available", "reference_invoice_id"] {
                assert_eq!(note[member], estimate[member], "{member}");
            }
            // What is due is reduced first.
            assert_eq!(note["type"], if dunning { "adjustment" } else { "refundable" });
            assert_eq!(note["reason_code"], "subscription_cancellation");
        }
        let cancelled = world.receiver.event("subscription_cancelled").await;
        assert_eq!(cancelled["content"].get("credit_notes"), answer.get("credit_notes"));
    }
}

/// A path, a form, and the status and the parameter of the refusal.
type Case<'a> = (&'a str, Vec<(&'a str, &'a str)>, u16, &'a str);

#[tokio::test]
async fn an_estimate_names_what_it_cannot_do() {
    let world = World::start().await;
    world.subscribed("ls_1", "scale-plan-monthly", GOOD_CARD).await;
    let unknown = [("subscription[id]", "no")];
    let cases: [Case<'_>; 6] = [
        (ESTIMATE, vec![], 400, "subscription[id]"),
        (ESTIMATE, unknown.to_vec(), 404, "subscription_id"),
        (ESTIMATE, nested(&price("nothing", "1")), 400, "subscription_items[item_price_id][0]"),
        (ESTIMATE, nested(&price("scale-plan-monthly-eur", "1")), 400, "subscription_items[item_price_id][0]"),
        (ESTIMATE, nested(&[("change_option", "later")]), 400, "change_option"),
        ("/estimates/create_subscription_for_items", vec![], 400, "subscription_items[item_price_id][0]"),
    ];
    for (path, form, expected, param) in cases {
        let (status, answer) = world.billing(Method::POST, path, &form).await;
        assert_eq!((status, answer["param"].as_str()), (expected, Some(param)), "{form:?}");
    }
    // A key has no meaning here: each answer is a new one.
    let form = nested(&price("scale-plan-monthly", "9"));
    let first = answer(world.billing_raw(Method::POST, ESTIMATE, &form, Some("k")).await).await.1;
    world.advance(DAY).await;
    let second = world.billing_raw(Method::POST, ESTIMATE, &form, Some("k")).await;
    assert_eq!(second.headers().get("chargebee-idempotency-replayed"), None);
    assert_ne!(answer(second).await.1["estimate"]["invoice_estimate"], first["estimate"]["invoice_estimate"]);
}

#[tokio::test]
async fn an_estimate_asks_no_card_and_uses_nothing_up() {
    let world = World::start().await;
    world.subscribed("ls_1", "scale-plan-monthly", GOOD_CARD).await;
    world.done("/sandbox/subscriptions/ls_1", json!({ "failNextPayment": true })).await;
    world.advance(DAY).await;
    let form = price("scale-plan-monthly", "9");
    let events = world.receiver.events().len();
    let estimate = world.bill(ESTIMATE, &nested(&form)).await;
    assert!(estimate["estimate"]["invoice_estimate"]["amount_due"].as_i64() > Some(8_000));
    assert_eq!(world.receiver.events().len(), events);
    let path = "/subscriptions/ls_1/update_for_items";
    let (status, refused) = world.billing(Method::POST, path, &form).await;
    assert_eq!((status, refused["type"].as_str()), (400, Some("payment")), "the failure was still to come");
    assert_eq!(world.subscription("ls_1").await["subscription_items"][0]["quantity"], 3);
    world.bill(path, &form).await;
}
