//! A burst of deliveries, a provider with a limit, and people who wait meanwhile.

use std::time::Duration;

use tollkeeper::{CancelRequest, Replay};
use tollkeeper_core::ports::ErrorKind;
use tollkeeper_store::inbox::InboxState;
use tollkeeper_testkit::both_engines;

use crate::{
    play::Outcome,
    world::{ORG, World, until},
};

/// More than a minute's worth of questions.
const BURST: usize = 90;

fn sixty(settings: &mut tollkeeper::Settings) {
    settings.requests_per_minute.insert("chargebee".into(), 60);
}

both_engines! {
    async fn a_burst_of_deliveries_does_not_starve_a_person(db: TestDb) {
        let world = World::with(&db, false, sixty).await;
        world.subscribe(ORG, "starter").await;
        world.upsert("org_2", "Two").await.unwrap();
        for n in 0..BURST {
            let id = format!("sub_{n}");
            world.billing.put_subscription(world.billing.subscription_of(&id, "org_2", "growth-monthly"));
            world.tell(&format!("ev_{n}"), &id).await;
        }
        world.billing.forget_calls();
        world.billing.keep_pace();
        let worker = world.another(true).await;
        // What background work may have at once is used up, and more than half of the burst still waits.
        until("the end of the budget", async || {
            // Who was sent back to the queue comes again.
            world.clock.advance_machine(Duration::from_millis(50));
            world.billing.count("subscription") >= 45
        })
        .await;
        // A person needs nobody's patience: every one of these is answered out of the reserve.
        let actor = world.actor(ORG).await;
        world.engine().cancel(&actor, &CancelRequest::default()).await.unwrap();
        world.engine().restore(&actor, None, None).await.unwrap();
        world.engine().portal(&actor, None).await.unwrap();
        for n in 0..5 {
            world.create(ORG, "care").await.unwrap_or_else(|error| panic!("{n}: {error}"));
        }
        let waiting = world.engine().delivery_counts().await.unwrap();
        let pending = waiting.iter().find(|(_, state, _)| *state == InboxState::Pending).map_or(0, |(.., count)| *count);
        assert!(pending > 0, "the burst is not over");
        for n in 0..BURST {
            assert_eq!(world.delivery(&format!("ev_{n}")).await.attempts, 0, "to wait is no failure");
        }
        drop(worker);
    }

    async fn the_providers_own_word_stops_everybody(db: TestDb) {
        let world = World::new(&db).await;
        let (id, bought) = world.subscribe(ORG, "starter").await;
        world.billing.keep_pace();
        world.billing.next("subscription", Outcome::Fail(ErrorKind::Throttled(Duration::from_secs(3_600))));
        world.billing.change(&bought, |it| it.items[0].quantity = 2);
        world.billing.forget_calls();
        world.tell("ev_1", bought.as_str()).await;
        until("the word", async || world.delivery("ev_1").await.next_attempt_at.is_some()).await;
        for _ in 0..3 {
            world.clock.advance_machine(Duration::from_secs(60));
            world.nudge().await;
        }
        // Nobody asks it, neither for a person nor in the background.
        let refused = world.engine().cancel(&world.actor(ORG).await, &CancelRequest::default()).await.unwrap_err();
        assert!(
            matches!(&refused, tollkeeper::Error::Provider(it) if matches!(it.kind, ErrorKind::Throttled(_))),
            "{refused:?}"
        );
        assert_eq!(world.billing.count("subscription"), 1);
        assert_eq!(world.billing.count("cancel"), 0);
        let row = world.delivery("ev_1").await;
        assert_eq!((row.state, row.attempts), (InboxState::Pending, 0));
        assert_eq!(world.row(ORG, &id).await.seats, Some(1));
    }

    async fn what_is_dead_can_be_brought_back(db: TestDb) {
        let world = World::new(&db).await;
        let (id, bought) = world.subscribe(ORG, "starter").await;
        world.billing.change(&bought, |it| it.items[0].quantity = 8);
        world.billing.down(Some(ErrorKind::Transient));
        for event in ["ev_1", "ev_2"] {
            world.tell(event, bought.as_str()).await;
        }
        until("the end of all tries", async || {
            world.later().await;
            world.delivery("ev_2").await.state == InboxState::Dead
        })
        .await;
        world.settled("ev_1").await;
        world.billing.down(None);
        let engine = world.engine();
        assert!(!engine.replay(&"chargebee".into(), &"ev_9".into()).await.unwrap());
        assert!(!engine.replay(&"scalekit".into(), &"ev_1".into()).await.unwrap());
        assert!(engine.replay(&"chargebee".into(), &"ev_1".into()).await.unwrap());
        assert_eq!(world.settled("ev_1").await.state, InboxState::Done);
        assert_eq!(world.row(ORG, &id).await.seats, Some(8));
        assert_eq!(world.delivery("ev_2").await.state, InboxState::Dead);
        let elsewhere = Replay { source: Some("scalekit".into()), ..Replay::default() };
        assert_eq!(engine.replay_all(&elsewhere).await.unwrap(), 0);
        assert_eq!(engine.replay_all(&Replay::default()).await.unwrap(), 1);
        assert_eq!(world.settled("ev_2").await.state, InboxState::Done);
        // What is settled can be worked on again too, and changes nothing.
        assert!(engine.replay(&"chargebee".into(), &"ev_1".into()).await.unwrap());
        world.settled("ev_1").await;
        world.rest().await;
        assert_eq!(world.hooks.count(ORG, "subscription.updated"), 1);
        assert!(engine.replay_all(&Replay { closed: true, ..Replay::default() }).await.unwrap() > 1);
    }
}
