//! Deliveries that fail: each for itself, again and again, and at last for good.

use std::{sync::Arc, time::Duration};

use tollkeeper_core::{
    ports::ErrorKind,
    status::Status,
    time::{Clock as _, MachineTime},
};
use tollkeeper_store::inbox::{InboxRow, InboxState};
use tollkeeper_testkit::both_engines;

use crate::{
    play::{Deed, Outcome, Stop},
    world::{ORG, World, until},
};

/// How long a delivery waits from now on.
fn pause(row: &InboxRow, now: MachineTime) -> Duration {
    row.next_attempt_at.unwrap().since(now)
}

both_engines! {
    async fn poison_dies_alone_and_the_good_one_beside_it_is_applied(db: TestDb) {
        let world = World::idle(&db).await;
        let (id, bought) = world.subscribe(ORG, "starter").await;
        world.billing.poison("ev_bad");
        world.tell("ev_bad", bought.as_str()).await;
        let state = world.billing.change(&bought, |it| it.items[0].quantity = 4);
        world.tell_state("ev_good", state).await;
        let worker = world.another(true).await;
        let dead = world.settled("ev_bad").await;
        assert_eq!((dead.state, dead.attempts), (InboxState::Dead, 1));
        assert_eq!(dead.last_error.as_deref(), Some("the delivery cannot be read: poison"));
        assert_eq!(world.settled("ev_good").await.state, InboxState::Done);
        assert_eq!(world.row(ORG, &id).await.seats, Some(4));
        worker.stop().await;
    }

    async fn a_provider_that_is_away_is_asked_again_by_machine_time(db: TestDb) {
        let world = World::new(&db).await;
        let (_, bought) = world.subscribe(ORG, "starter").await;
        world.billing.next("subscription", Outcome::Fail(ErrorKind::Transient));
        world.billing.next("subscription", Outcome::Fail(ErrorKind::OutcomeUnknown));
        world.billing.forget_calls();
        world.tell("ev_1", bought.as_str()).await;
        let first = world.failed("ev_1", 1).await;
        assert_eq!(first.state, InboxState::Pending);
        assert!(first.last_error.as_deref().unwrap().contains("played"));
        let wait = pause(&first, world.clock.machine_now());
        assert!(Duration::ZERO < wait && wait <= Duration::from_secs(1), "{wait:?}");
        // Business time does not matter, nor does other news.
        world.clock.advance_business(Duration::from_secs(3_600));
        world.receive("chargebee", serde_json::json!({ "id": "ev_other", "type": "nothing" })).await;
        world.settled("ev_other").await;
        assert_eq!(world.delivery("ev_1").await.attempts, 1);
        world.clock.advance_machine(Duration::from_secs(1));
        world.nudge().await;
        let second = world.failed("ev_1", 2).await;
        assert!(pause(&second, world.clock.machine_now()) <= Duration::from_secs(2));
        world.clock.advance_machine(Duration::from_secs(2));
        world.nudge().await;
        assert_eq!(world.settled("ev_1").await.state, InboxState::Done);
        assert_eq!(world.billing.calls().iter().filter(|(_, about)| *about == bought.as_str()).count(), 3);
    }

    async fn a_provider_that_names_a_time_is_believed_within_reason_and_it_does_not_count(db: TestDb) {
        let world = World::new(&db).await;
        let (_, bought) = world.subscribe(ORG, "starter").await;
        for (n, (asked, waits)) in [(0, 1), (300, 300), (36_000, 3_600)].into_iter().enumerate() {
            let event = format!("ev_{n}");
            world.billing.next("subscription", Outcome::Fail(ErrorKind::Throttled(Duration::from_secs(asked))));
            world.tell(&event, bought.as_str()).await;
            until("the wait", async || world.delivery(&event).await.next_attempt_at.is_some()).await;
            let row = world.delivery(&event).await;
            assert_eq!((row.state, row.attempts), (InboxState::Pending, 0));
            assert_eq!(pause(&row, world.clock.machine_now()), Duration::from_secs(waits));
            world.clock.advance_machine(Duration::from_secs(waits));
            world.nudge().await;
            assert_eq!(world.settled(&event).await.state, InboxState::Done);
        }
    }

    async fn a_patient_provider_may_throttle_more_often_than_a_failure_may_come(db: TestDb) {
        let world = World::new(&db).await;
        let (_, bought) = world.subscribe(ORG, "starter").await;
        for _ in 0..20 {
            world.billing.next("subscription", Outcome::Fail(ErrorKind::Throttled(Duration::from_secs(1))));
        }
        world.billing.forget_calls();
        world.tell("ev_1", bought.as_str()).await;
        for n in 1..=20 {
            until("one more", async || world.billing.count("subscription") >= n).await;
            until("its end", async || world.delivery("ev_1").await.next_attempt_at > Some(world.clock.machine_now())).await;
            world.clock.advance_machine(Duration::from_secs(1));
            world.nudge().await;
        }
        assert_eq!(world.settled("ev_1").await.state, InboxState::Done);
    }

    async fn after_twelve_failures_it_is_dead_and_nobody_else_is_harmed(db: TestDb) {
        let world = World::new(&db).await;
        let (id, bought) = world.subscribe(ORG, "starter").await;
        let (other, other_bought) = world.subscribe("org_2", "starter").await;
        for _ in 0..12 {
            world.billing.next("subscription", Outcome::Fail(ErrorKind::Transient));
        }
        world.tell("ev_1", bought.as_str()).await;
        for n in 1..12 {
            let row = world.failed("ev_1", n).await;
            assert_eq!(row.state, InboxState::Pending);
            assert!(pause(&row, world.clock.machine_now()) <= Duration::from_secs(300));
            if n == 6 {
                let state = world.billing.change(&other_bought, |it| it.items[0].quantity = 9);
                world.tell_state("ev_2", state).await;
                world.settled("ev_2").await;
                assert_eq!(world.row("org_2", &other).await.seats, Some(9));
            }
            world.later().await;
        }
        let dead = world.settled("ev_1").await;
        assert_eq!((dead.state, dead.attempts), (InboxState::Dead, 12));
        // News about the same one later is not held up.
        world.billing.change(&bought, |it| it.items[0].quantity = 8);
        world.tell("ev_3", bought.as_str()).await;
        assert_eq!(world.settled("ev_3").await.state, InboxState::Done);
        assert_eq!(world.row(ORG, &id).await.seats, Some(8));
    }

    async fn an_event_hook_that_fails_keeps_its_delivery_and_never_the_truth(db: TestDb) {
        let world = World::idle(&db).await;
        let (id, bought) = world.subscribe(ORG, "starter").await;
        world.hooks.next("ev_1", Deed::Fail);
        world.hooks.next("ev_1", Deed::Panic);
        world.tell("ev_1", bought.as_str()).await;
        let state = world.billing.change(&bought, |it| it.items[0].quantity = 6);
        world.tell_state("ev_2", state).await;
        let worker = world.another(true).await;
        assert_eq!(world.settled("ev_2").await.state, InboxState::Done);
        let waiting = world.failed("ev_1", 1).await;
        assert_eq!(waiting.state, InboxState::Pending);
        assert_eq!(waiting.last_error.as_deref(), Some("a hook failed: the product is closed today"));
        assert_eq!(world.row(ORG, &id).await.seats, Some(6), "the truth is here");
        world.clock.advance_machine(Duration::from_secs(600));
        let waiting = world.failed("ev_1", 2).await;
        assert_eq!(waiting.last_error.as_deref(), Some("a hook failed: it panicked"));
        world.clock.advance_machine(Duration::from_secs(600));
        assert_eq!(world.settled("ev_1").await.state, InboxState::Done);
        assert_eq!(world.hooks.events(), ["ev_2", "ev_1"], "each was taken once");
        world.rest().await;
        assert_eq!(world.hooks.count(ORG, "subscription.updated"), 1);
        worker.stop().await;
    }

    async fn an_event_hook_that_hangs_holds_up_only_its_own(db: TestDb) {
        let world = World::idle(&db).await;
        let (id, bought) = world.subscribe(ORG, "starter").await;
        let (other, other_bought) = world.subscribe("org_2", "starter").await;
        let stop = Arc::new(Stop::default());
        world.hooks.next("ev_1", Deed::Hang(stop.clone()));
        for (event, bought) in [("ev_1", &bought), ("ev_2", &other_bought)] {
            let state = world.billing.change(bought, |it| it.items[0].quantity = 3);
            world.tell_state(event, state).await;
        }
        let worker = world.another(true).await;
        stop.reached().await;
        world.settled("ev_2").await;
        assert_eq!(world.row("org_2", &other).await.seats, Some(3));
        assert_eq!(world.delivery("ev_1").await.state, InboxState::Pending);
        stop.release();
        world.settled("ev_1").await;
        assert_eq!(world.row(ORG, &id).await.seats, Some(3));
        worker.stop().await;
    }

    async fn a_subject_is_worked_on_by_one_process_at_a_time(db: TestDb) {
        let world = World::new(&db).await;
        let (id, bought) = world.subscribe(ORG, "starter").await;
        let stop = Arc::new(Stop::default());
        world.billing.next("subscription", Outcome::Held(stop.clone()));
        world.billing.forget_calls();
        world.tell("ev_1", bought.as_str()).await;
        stop.reached().await;
        let other = world.another(true).await;
        let nothing = r#"{"id":"ev_2","type":"nothing"}"#.into();
        other.engine().receive(&"chargebee".into(), &http::HeaderMap::new(), nothing).await.unwrap();
        assert_eq!(world.settled("ev_2").await.state, InboxState::Ignored);
        assert_eq!(world.billing.count("subscription"), 1);
        // A worker that is silent for too long is not waited for; what it writes at last does no harm.
        world.billing.change(&bought, |it| it.items[0].quantity = 2);
        until("the other to take it over", async || {
            world.clock.advance_machine(Duration::from_secs(60));
            world.delivery("ev_1").await.state == InboxState::Done
        })
        .await;
        assert_eq!(world.row(ORG, &id).await.seats, Some(2));
        stop.release();
        world.rest().await;
        assert_eq!(world.row(ORG, &id).await.seats, Some(2));
        assert_eq!(world.status(ORG, &id).await, Status::Active);
        assert_eq!(world.hooks.count(ORG, "subscription.updated"), 1);
        other.stop().await;
    }
}
