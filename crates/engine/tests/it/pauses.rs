//! Stopping for a while, and going on.

use tollkeeper::{CancelRequest, Error, PauseRequest, SubscriptionView};
use tollkeeper_core::{
    ports::ErrorKind,
    status::Status,
    time::{Clock as _, days},
};
use tollkeeper_testkit::both_engines;

use crate::{
    asks::refusal,
    play::{Outcome, PERIOD},
    world::{ORG, World, until},
};

async fn pause(world: &World, request: PauseRequest) -> Result<SubscriptionView, Error> {
    world.engine().pause(&world.actor(ORG).await, &request).await
}

async fn resume(world: &World) -> Result<SubscriptionView, Error> {
    world.engine().resume(&world.actor(ORG).await, None).await
}

fn at_once() -> PauseRequest {
    PauseRequest { now: true, ..PauseRequest::default() }
}

both_engines! {
    async fn a_pause_at_once_closes_the_gate_and_going_on_opens_it(db: TestDb) {
        let world = World::new(&db).await;
        let (id, bought) = world.subscribe(ORG, "starter").await;
        let view = pause(&world, at_once()).await.unwrap();
        assert_eq!((view.status, view.access.granted), (Status::Paused, false));
        assert!(!world.open(ORG, "subscription").await);
        pause(&world, at_once()).await.unwrap();
        assert_eq!(world.billing.count("pause"), 1, "it is paused already");
        // A paused one is not overdue for news.
        world.pass(PERIOD * 2);
        world.rest().await;
        assert_eq!(world.status(ORG, &id).await, Status::Paused);
        assert_eq!(resume(&world).await.unwrap().status, Status::Active);
        assert!(world.open(ORG, "subscription").await);
        assert_eq!(refusal(&resume(&world).await.unwrap_err()), (None, "not_paused"));
        assert_eq!(world.billing.count("resume"), 1);
        assert_eq!(world.billing.paused_until(&bought), None);
        world.rest().await;
        assert_eq!(world.hooks.count(ORG, "entitlements.changed"), 3);
    }

    async fn a_pause_waits_for_the_end_of_the_period(db: TestDb) {
        let world = World::new(&db).await;
        let (id, bought) = world.subscribe(ORG, "starter").await;
        let end = world.clock.now().plus(PERIOD);
        let until_then = PauseRequest { until: Some(end.plus(days(10))), ..PauseRequest::default() };
        let view = pause(&world, until_then).await.unwrap();
        assert_eq!((view.status, view.pause_at), (Status::Active, Some(end)));
        assert_eq!(world.billing.paused_until(&bought), Some(end.plus(days(10))));
        assert!(world.open(ORG, "subscription").await);
        // Nobody tells us that it began: time does.
        world.clock.advance_business(PERIOD);
        world.billing.change(&bought, |it| {
            (it.phase, it.pause_at) = (tollkeeper_core::snapshot::Phase::Paused, None);
        });
        world.engine().clock_moved();
        until("the pause", async || world.status(ORG, &id).await == Status::Paused).await;
        assert!(!world.open(ORG, "subscription").await);
        assert_eq!(world.row(ORG, &id).await.pause_at, None);
    }

    async fn a_scheduled_pause_can_be_taken_back(db: TestDb) {
        let world = World::new(&db).await;
        world.subscribe(ORG, "starter").await;
        pause(&world, PauseRequest::default()).await.unwrap();
        let view = resume(&world).await.unwrap();
        assert_eq!((view.status, view.pause_at), (Status::Active, None));
        assert_eq!(refusal(&resume(&world).await.unwrap_err()), (None, "not_paused"));
    }

    async fn a_pause_must_end_after_it_begins(db: TestDb) {
        let world = World::new(&db).await;
        world.subscribe(ORG, "starter").await;
        let (now, end) = (world.clock.now(), world.clock.now().plus(PERIOD));
        for (request, until) in [
            (at_once(), now),
            (at_once(), now.minus(days(1))),
            (PauseRequest::default(), end),
            (PauseRequest::default(), now.plus(days(1))),
        ] {
            let refused = pause(&world, PauseRequest { until: Some(until), ..request }).await.unwrap_err();
            assert_eq!(refusal(&refused), (Some("until"), "bad_until"));
        }
        assert_eq!(world.billing.count("pause"), 0);
    }

    async fn what_cannot_pause_says_so(db: TestDb) {
        let world = World::new(&db).await;
        let (id, bought) = world.subscribe(ORG, "growth").await;
        assert_eq!(refusal(&pause(&world, at_once()).await.unwrap_err()), (None, "state_forbids"), "a trial");
        let refused = pause(&world, PauseRequest { until: Some(world.clock.now()), ..PauseRequest::default() }).await;
        assert_eq!(refusal(&refused.unwrap_err()), (Some("until"), "bad_until"), "without a period too");
        let actor = world.actor(ORG).await;
        world.engine().cancel(&actor, &CancelRequest::default()).await.unwrap();
        assert_eq!(refusal(&pause(&world, at_once()).await.unwrap_err()), (None, "cancellation_scheduled"));
        // It ended, and nobody told us: what the provider refuses is looked up.
        world.engine().restore(&actor, None, None).await.unwrap();
        world.billing.end(&bought);
        assert_eq!(refusal(&pause(&world, at_once()).await.unwrap_err()), (None, "state_forbids"));
        assert_eq!(world.status(ORG, &id).await, Status::Cancelled);
        assert_eq!(refusal(&resume(&world).await.unwrap_err()), (None, "no_subscription"));
    }

    async fn a_pause_without_an_answer_is_learned_from_its_news(db: TestDb) {
        let world = World::new(&db).await;
        let (id, bought) = world.subscribe(ORG, "starter").await;
        world.billing.next("pause", Outcome::Lost);
        assert!(matches!(pause(&world, at_once()).await, Err(Error::Provider(it)) if it.kind == ErrorKind::OutcomeUnknown));
        assert_eq!(world.status(ORG, &id).await, Status::Active);
        assert_eq!(refusal(&pause(&world, at_once()).await.unwrap_err()), (None, "state_forbids"));
        assert_eq!(world.status(ORG, &id).await, Status::Paused, "the refusal was looked up");
        world.tell_state("ev_1", world.billing.truth(&bought)).await;
        world.settled("ev_1").await;
        assert_eq!(world.status(ORG, &id).await, Status::Paused);
    }

    async fn a_pause_that_ends_by_itself_is_told(db: TestDb) {
        let world = World::new(&db).await;
        let (id, bought) = world.subscribe(ORG, "starter").await;
        pause(&world, at_once()).await.unwrap();
        let resumed = world.billing.change(&bought, |it| it.phase = tollkeeper_core::snapshot::Phase::Active);
        world.tell_state("ev_1", resumed).await;
        world.settled("ev_1").await;
        assert_eq!(world.status(ORG, &id).await, Status::Active);
        assert!(world.open(ORG, "subscription").await);
    }
}
