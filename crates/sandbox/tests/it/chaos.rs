//! Faults of deliveries: dropped, repeated, overtaken, late, and what is left of them afterwards.

use std::collections::{BTreeMap, BTreeSet};

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::*;

/// A world with faults, and so many customers.
async fn customers(chaos: Value, count: usize) -> World {
    let world = World::start().await;
    world.chaos(chaos).await;
    create(&world, 0..count).await;
    world
}

async fn create(world: &World, numbers: std::ops::Range<usize>) {
    for number in numbers {
        world.bill("/customers", &[("id", &format!("cus_{number:03}"))]).await;
    }
}

/// Deliveries, once none of them is pending.
async fn settled(world: &World) -> Vec<Value> {
    world.get_until("/sandbox/deliveries?state=pending", |pending| pending["total"] == 0).await;
    world.get("/sandbox/deliveries").await["deliveries"].as_array().unwrap().clone()
}

/// What became of each delivery: its state, and how often it was sent.
async fn fates(world: &World) -> Vec<(String, i64)> {
    let rows = settled(world).await;
    rows.iter().map(|row| (row["state"].as_str().unwrap().to_owned(), row["attempts"].as_i64().unwrap())).collect()
}

/// How often each event arrived.
fn arrivals(world: &World) -> BTreeMap<String, i64> {
    let mut arrivals = BTreeMap::new();
    for event in world.receiver.events() {
        *arrivals.entry(event["id"].as_str().unwrap().to_owned()).or_default() += 1;
    }
    arrivals
}

#[tokio::test]
async fn the_setting_is_replaced_as_a_whole() {
    let world = World::start().await;
    let off = json!({ "seed": 0, "dropRate": 0, "duplicateRate": 0, "reorderRate": 0, "delayMs": 0, "apiErrorRate": 0,
        "apiErrorAfterCommitRate": 0, "apiLatencyMs": 0, "apiRateLimitPerMinute": 0 });
    assert_eq!(world.get("/sandbox/chaos").await, off);
    let full = json!({ "seed": 9, "dropRate": 0.25, "duplicateRate": 1, "reorderRate": 0.5, "delayMs": 20,
        "apiErrorRate": 0.125, "apiErrorAfterCommitRate": 0.5, "apiLatencyMs": 1, "apiRateLimitPerMinute": 150 });
    assert_eq!(world.control(Method::PUT, "/sandbox/chaos", full.clone()).await, (200, full.clone()));
    assert_eq!(world.get("/sandbox/chaos").await, full);
    let home = async || world.client.get(world.url("/")).send().await.unwrap().text().await.unwrap();
    assert!(home().await.contains("switched on"));
    assert_eq!(world.control(Method::PUT, "/sandbox/chaos", json!({ "seed": 3 })).await.0, 200);
    let mut with_seed = off;
    with_seed["seed"] = 3.into();
    assert_eq!(world.get("/sandbox/chaos").await, with_seed);
    assert!(!home().await.contains("switched on"));

    for (name, bad) in [
        ("dropRate", json!(1.01)),
        ("duplicateRate", json!(-0.1)),
        ("reorderRate", json!("0.5")),
        ("apiErrorRate", json!(true)),
        ("apiErrorAfterCommitRate", json!([1])),
        ("seed", json!(-1)),
        ("delayMs", json!(1.5)),
        ("delayMs", json!(600_001)),
        ("apiLatencyMs", json!("1")),
        ("apiRateLimitPerMinute", json!(-5)),
        ("dropRates", json!(0)),
    ] {
        let (status, answer) = world.control(Method::PUT, "/sandbox/chaos", json!({ name: bad })).await;
        assert_eq!((status, answer["code"].as_str()), (400, Some("invalid_request")), "{name} {bad}");
        assert!(answer["error"].as_str().unwrap().contains(name), "{answer}");
    }
    assert_eq!(world.control(Method::PUT, "/sandbox/chaos", json!([])).await.0, 400);
    assert_eq!(world.get("/sandbox/chaos").await, with_seed, "a bad setting changes nothing");
}

#[tokio::test]
async fn a_dropped_delivery_never_arrives_and_is_not_tried_again() {
    let world = customers(json!({ "seed": 1, "dropRate": 1 }), 3).await;
    world.done("/sandbox/organizations", json!({ "displayName": "Acme" })).await;
    world.advance(4 * 86_400).await;
    let dropped = world.get("/sandbox/deliveries?state=dropped").await;
    assert_eq!(dropped["total"], 4, "of every provider");
    for row in dropped["deliveries"].as_array().unwrap() {
        assert_eq!((row["attempts"].as_i64(), &row["nextAttemptAt"]), (Some(0), &Value::Null));
    }
    let id = dropped["deliveries"][0]["eventId"].as_str().unwrap();
    assert_eq!(world.read(&format!("/events/{id}"), &[]).await["event"]["webhook_status"], "failed");

    world.chaos(json!({})).await;
    world.advance(4 * 86_400).await;
    assert!(world.receiver.all().is_empty(), "nor later, without faults");
    // Somebody may still ask for it.
    let delivery = dropped["deliveries"][0]["id"].as_str().unwrap();
    world.done(&format!("/sandbox/deliveries/{delivery}/resend"), json!({})).await;
    world.advance(0).await;
    assert_eq!(arrivals(&world), BTreeMap::from([(id.to_owned(), 1)]));
    let stored = world.read(&format!("/events/{id}"), &[]).await["event"]["webhook_status"].clone();
    assert_eq!(stored, "succeeded");
}

#[tokio::test]
async fn a_repeated_delivery_is_the_same_event_again() {
    let world = customers(json!({ "seed": 1, "duplicateRate": 1 }), 8).await;
    world.done("/sandbox/organizations", json!({ "displayName": "Acme" })).await;
    assert!(fates(&world).await.iter().all(|fate| *fate == ("delivered".to_owned(), 2)));
    let arrivals = arrivals(&world);
    assert_eq!(arrivals.len(), 8);
    assert!(arrivals.values().all(|times| *times == 2), "{arrivals:?}");
    let signed: Vec<_> = world.receiver.all().into_iter().filter(|one| one.path == "/scalekit").collect();
    assert_eq!(signed.len(), 2);
    assert_eq!(signed[0].headers["webhook-id"], signed[1].headers["webhook-id"]);
    assert_eq!(signed[0].body, signed[1].body);
}

#[tokio::test]
async fn an_overtaken_delivery_arrives_after_younger_ones() {
    for rate in [0.4, 1.0] {
        let world = customers(json!({ "seed": 5, "reorderRate": rate }), 24).await;
        let sent: Vec<Value> = settled(&world).await.iter().map(|row| row["eventId"].clone()).collect();
        let arrived: Vec<Value> = world.receiver.events().iter().map(|event| event["id"].clone()).collect();
        assert_eq!(arrived.len(), 24);
        let place = |id: &Value| arrived.iter().position(|one| one == id).unwrap();
        let swapped = (0..sent.len()).any(|one| (one + 1..sent.len()).any(|two| place(&sent[one]) > place(&sent[two])));
        assert!(swapped, "rate {rate}: {arrived:?}");
    }
}

#[tokio::test]
async fn the_same_seed_gives_the_same_fates() {
    let mixed =
        |seed: u64| json!({ "seed": seed, "dropRate": 0.3, "duplicateRate": 0.3, "reorderRate": 0.3, "delayMs": 1 });
    let one = customers(mixed(7), 30).await;
    let first = fates(&one).await;
    assert_eq!(first.iter().collect::<BTreeSet<_>>().len(), 3, "some of each: {first:?}");
    let expected: i64 = first.iter().map(|(_, attempts)| attempts).sum();
    assert_eq!(arrivals(&one).values().sum::<i64>(), expected);
    assert_eq!(first, fates(&customers(mixed(7), 30).await).await);
    assert_ne!(first, fates(&customers(mixed(8), 30).await).await);

    // Set again, the seed begins again.
    one.chaos(mixed(7)).await;
    create(&one, 30..60).await;
    assert_eq!(first, fates(&one).await[30..]);
}

#[tokio::test]
async fn without_rates_everything_held_back_is_sent_at_once() {
    let world = customers(json!({ "seed": 1, "delayMs": 600_000, "duplicateRate": 0.5, "reorderRate": 0.5 }), 6).await;
    // The clock does not wait for what is held back.
    world.advance(86_400).await;
    assert!(world.receiver.all().is_empty());
    assert_eq!(world.get("/sandbox/deliveries?state=pending").await["total"], 6);
    world.chaos(json!({})).await;
    assert_eq!(fates(&world).await, vec![("delivered".to_owned(), 1); 6]);
    assert_eq!(arrivals(&world).len(), 6);
}

#[tokio::test]
async fn time_moves_on_while_deliveries_are_held_back() {
    let world = World::start().await;
    world.subscribed("ls_1", "growth-plan-monthly", GOOD_CARD).await;
    world.chaos(json!({ "seed": 2, "duplicateRate": 0.5, "reorderRate": 0.5, "delayMs": 5 })).await;
    world.advance(100 * 86_400).await;
    world.chaos(json!({})).await;
    world.advance(0).await;
    let rows = settled(&world).await;
    assert!(rows.iter().all(|row| row["state"] == "delivered"));
    let renewals = world.receiver.events().iter().filter(|event| event["event_type"] == "subscription_renewed").count();
    assert!(renewals >= 2, "{renewals}");
}

#[tokio::test]
async fn a_failed_attempt_is_retried_on_schedule_also_when_it_was_overtaken() {
    let world = World::start().await;
    world.receiver.answer_with(503);
    world.chaos(json!({ "seed": 2, "duplicateRate": 1, "reorderRate": 1 })).await;
    create(&world, 0..1).await;
    eventually("the first attempt", || (world.receiver.events().len() == 1).then_some(())).await;
    world.receiver.answer_with(200);
    world.advance(120).await;
    // The acknowledgement of the second attempt is the first one that can be lost.
    eventually("the repetition", || (world.receiver.events().len() == 3).then_some(())).await;
    assert_eq!(fates(&world).await, [("delivered".to_owned(), 3)]);
}

#[tokio::test]
async fn a_reset_switches_faults_off_and_forgets_what_was_held_back() {
    let world = customers(json!({ "seed": 1, "delayMs": 600_000, "dropRate": 0.5 }), 4).await;
    world.done("/sandbox/reset", json!({})).await;
    assert_eq!(world.get("/sandbox/chaos").await["delayMs"], 0);
    create(&world, 10..12).await;
    assert_eq!(fates(&world).await, vec![("delivered".to_owned(), 1); 2]);
    assert_eq!(world.receiver.events().len(), 2);
}

#[tokio::test]
async fn what_is_held_back_does_not_hold_up_the_end() {
    let world = customers(json!({ "seed": 1, "delayMs": 600_000 }), 4).await;
    world.sandbox.stop().await;
    assert!(world.receiver.all().is_empty());
}
