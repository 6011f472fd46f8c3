//! Moving time: in steps, in order, and exactly as far as asked.

use std::sync::atomic::Ordering;

use reqwest::Method;
use serde_json::json;
use tollkeeper_sandbox::Seed;

use crate::support::*;

const DAY: i64 = 86_400;

#[tokio::test]
async fn time_stops_at_every_due_instant() {
    let world = World::start().await;
    world.subscribed("ls_1", "growth-plan-monthly", GOOD_CARD).await;
    let clock = world.done("/sandbox/clock", json!({ "advanceSeconds": 75 * DAY })).await;
    assert_eq!(clock["offsetSeconds"], 75 * DAY);
    assert_eq!(clock["machineNow"], "2026-01-01T00:00:00.000000Z");
    assert_eq!(clock["now"], "2026-03-17T00:00:00.000000Z");
    assert_eq!(world.get("/sandbox/clock").await, clock);

    let offsets = world.offsets.lock().unwrap().clone();
    assert!(offsets.is_sorted(), "{offsets:?}");
    let wanted = [3 * 3_600, 14 * DAY, 45 * DAY, 73 * DAY, 75 * DAY];
    for secs in wanted {
        assert!(offsets.contains(&(secs * 1_000_000)), "{secs} in {offsets:?}");
    }
    assert_eq!(offsets.last(), Some(&(75 * DAY * 1_000_000)));

    // What happens at an instant is delivered before time goes on.
    for received in world.receiver.all().iter().filter(|one| one.path == "/chargebee") {
        let event = received.json();
        assert_eq!(event["occurred_at"].as_i64().unwrap(), START + received.offset, "{}", event["event_type"]);
    }
    let order: Vec<i64> = world.receiver.events().iter().map(|event| event["occurred_at"].as_i64().unwrap()).collect();
    assert!(order.is_sorted(), "{order:?}");
}

#[tokio::test]
async fn time_does_not_go_back_or_too_far() {
    let world = World::start().await;
    for seconds in [json!(-1), json!(11 * 366 * DAY), json!("1"), json!(null), json!(1.5)] {
        let (status, body) = world.control(Method::POST, "/sandbox/clock", json!({ "advanceSeconds": seconds })).await;
        assert_eq!((status, body["code"].as_str()), (400, Some("invalid_request")));
        assert!(body["error"].is_string());
    }
    world.advance(0).await;
    assert_eq!(world.get("/sandbox/clock").await["offsetSeconds"], 0);
}

#[tokio::test]
async fn retries_come_along_when_time_moves() {
    let world = World::start().await;
    world.receiver.answer_with(500);
    world.acme().await;
    eventually("the first attempt", || (world.receiver.events().len() == 1).then_some(())).await;
    world.advance(120).await;
    assert_eq!(world.receiver.events().len(), 2);
    world.advance(359).await;
    assert_eq!(world.receiver.events().len(), 2);
    world.advance(1).await;
    assert_eq!(world.receiver.events().len(), 3);
    world.receiver.answer_with(200);
    world.advance(4 * DAY).await;
    assert_eq!(world.receiver.events().len(), 4);
    let deliveries = world.get("/sandbox/deliveries").await;
    assert_eq!(deliveries["deliveries"][0]["state"], "delivered");
    assert_eq!(deliveries["deliveries"][0]["attempts"], 4);
    assert_eq!(deliveries["deliveries"][0]["nextAttemptAt"], serde_json::Value::Null);
}

#[tokio::test]
async fn without_a_move_the_machine_tick_does_what_is_due() {
    let world = World::start().await;
    world.subscribed("ls_1", "growth-plan-monthly", GOOD_CARD).await;
    world.machine.fetch_add(14 * DAY * 1_000_000, Ordering::SeqCst);
    world.receiver.event("subscription_activated").await;
}

#[tokio::test]
async fn two_moves_at_once_add_up() {
    let world = World::start().await;
    tokio::join!(world.advance(100), world.advance(200));
    assert_eq!(world.get("/sandbox/clock").await["offsetSeconds"], 300);
}

#[tokio::test]
async fn offsets_are_whole_seconds_whatever_the_machine_says() {
    let world = World::start().await;
    world.machine.fetch_add(300_000, Ordering::SeqCst);
    world.subscribed("ls_1", "growth-plan-monthly", GOOD_CARD).await;
    world.advance(20 * DAY).await;
    let offsets = world.offsets.lock().unwrap().clone();
    assert!(offsets.iter().all(|offset| offset % 1_000_000 == 0), "{offsets:?}");
    let activated = world.receiver.event("subscription_activated").await;
    assert_eq!(activated["occurred_at"], START + 14 * DAY);
    assert_eq!(world.subscription("ls_1").await["activated_at"], START + 14 * DAY);
}

#[tokio::test]
async fn every_one_of_many_renewals_has_its_instant() {
    let world = World::start().await;
    for _ in 0..200 {
        let seed = Seed { organizations: 1, price_id: "starter-plan-monthly".into(), seats: 1 };
        world.sandbox.seed(seed).await.unwrap();
        world.machine.fetch_add(1_000_000, Ordering::SeqCst);
    }
    world.advance(31 * DAY).await;
    let renewals: Vec<_> =
        world.receiver.events().into_iter().filter(|event| event["event_type"] == "subscription_renewed").collect();
    assert_eq!(renewals.len(), 200);
    let instants: std::collections::BTreeSet<_> =
        renewals.iter().map(|event| event["occurred_at"].as_i64().unwrap()).collect();
    assert_eq!(instants.len(), 200);
    assert_eq!(world.get("/sandbox/deliveries?state=pending&limit=1").await["total"], 0);
}
