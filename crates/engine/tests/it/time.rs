//! What time alone brings.

use std::time::Duration;

use tollkeeper_core::{
    ports::ErrorKind,
    reduce::RECHECK,
    snapshot::{Dues, Phase},
    status::Status,
    time::{Clock as _, days},
};
use tollkeeper_testkit::both_engines;

use crate::{
    play::{Outcome, PAGE, PERIOD},
    world::{ORG, PURCHASE, World, until},
};

const MICROSECOND: Duration = Duration::from_micros(1);

both_engines! {
    async fn a_page_that_nobody_pays_expires_by_the_clock(db: TestDb) {
        let world = World::new(&db).await;
        let started = world.create(ORG, "starter").await.unwrap();
        world.pass(PAGE - MICROSECOND);
        assert_eq!(world.create(ORG, "starter").await.unwrap(), started, "not before its time");
        world.pass(MICROSECOND);
        until("its end", async || world.status(ORG, &started.subscription_id).await == Status::Expired).await;
        assert_eq!(world.row(ORG, &started.subscription_id).await.ended_at, Some(world.clock.now()));
        assert!(world.billing.count("subscription") >= 1, "the provider was asked first");
        let again = world.create(ORG, "starter").await.unwrap();
        assert_ne!(again.url, started.url);
    }

    async fn a_page_paid_at_the_last_moment_is_not_expired(db: TestDb) {
        let world = World::new(&db).await;
        let started = world.create(ORG, "starter").await.unwrap();
        world.clock.advance_business(PAGE - MICROSECOND);
        world.billing.pay(&started.subscription_id);
        world.pass(MICROSECOND);
        until("the purchase", async || world.status(ORG, &started.subscription_id).await == Status::Active).await;
        assert_eq!(world.told(ORG).await, PURCHASE);
    }

    async fn whether_it_was_paid_must_be_known_before_it_expires(db: TestDb) {
        let world = World::new(&db).await;
        let started = world.create(ORG, "starter").await.unwrap();
        let id = &started.subscription_id;
        world.billing.pay(id);
        for kind in [ErrorKind::Transient, ErrorKind::Throttled(Duration::from_secs(5)), ErrorKind::OutcomeUnknown] {
            world.billing.next("subscription", Outcome::Fail(kind));
            let due = world.row(ORG, id).await.due_at.unwrap();
            world.pass(due.since(world.clock.now()));
            until("a later look", async || world.row(ORG, id).await.due_at == Some(world.clock.now().plus(RECHECK))).await;
            assert_eq!(world.status(ORG, id).await, Status::Future, "{kind:?}");
        }
        world.pass(RECHECK);
        until("the purchase", async || world.status(ORG, id).await == Status::Active).await;
        assert!(world.open(ORG, "subscription").await);
    }

    async fn an_expired_row_that_was_paid_comes_to_life(db: TestDb) {
        let world = World::new(&db).await;
        let started = world.create(ORG, "growth").await.unwrap();
        world.pass(PAGE);
        until("its end", async || world.status(ORG, &started.subscription_id).await == Status::Expired).await;
        let bought = world.billing.pay(&started.subscription_id);
        world.tell("ev_1", bought.as_str()).await;
        world.settled("ev_1").await;
        assert_eq!(world.status(ORG, &started.subscription_id).await, Status::InTrial);
        assert!(world.open(ORG, "sso").await);
        assert_eq!(world.account(ORG).await.subscriptions.len(), 1);
    }

    async fn the_end_of_the_grace_is_told_once_and_the_provider_is_asked_on(db: TestDb) {
        let world = World::new(&db).await;
        let other = world.another(true).await;
        let (id, bought) = world.subscribe(ORG, "starter").await;
        world.pass(days(10));
        let since = world.clock.now();
        let dues = Dues { since, attempts: 1, next_attempt_at: None, invoice: Some("inv_1".into()), exhausted: false };
        let overdue = world.billing.change(&bought, |it| it.dues = Some(dues));
        world.tell_state("ev_1", overdue).await;
        world.settled("ev_1").await;
        let row = world.row(ORG, &id).await;
        assert_eq!((row.status, row.grace_until), (Status::PastDue, row.period_end));
        world.pass(PERIOD - days(10) - MICROSECOND);
        assert!(world.open(ORG, "subscription").await);
        world.rest().await;
        assert_eq!(world.hooks.count(ORG, "entitlements.changed"), 1);
        world.clock.advance_business(MICROSECOND);
        assert!(!world.open(ORG, "subscription").await, "closed to the instant, before anybody has worked on it");
        world.engine().clock_moved();
        other.engine().clock_moved();
        until("the notice", async || world.hooks.count(ORG, "entitlements.changed") == 2).await;
        for _ in 0..3 {
            let asked = world.billing.count("subscription");
            // A look that is under way may still move the next one: time passes until that comes.
            until("another look", async || {
                world.pass(days(1));
                world.billing.count("subscription") > asked
            })
            .await;
        }
        world.rest().await;
        assert_eq!(world.hooks.count(ORG, "entitlements.changed"), 2);
        assert_eq!(world.hooks.count(ORG, "payment.failed"), 1);
        assert_eq!(world.status(ORG, &id).await, Status::PastDue);
        other.stop().await;
    }

    async fn when_a_trial_ends_the_provider_is_asked(db: TestDb) {
        let world = World::new(&db).await;
        let (id, bought) = world.subscribe(ORG, "growth").await;
        world.billing.forget_calls();
        world.clock.advance_business(days(14));
        world.billing.change(&bought, |it| {
            it.phase = Phase::Active;
            it.provider_status = "active".into();
            (it.period_start, it.period_end) = (it.trial_end, it.trial_end.map(|end| end.plus(PERIOD)));
        });
        world.engine().clock_moved();
        until("the end of the trial", async || world.status(ORG, &id).await == Status::Active).await;
        assert_eq!(world.billing.calls(), [("subscription", bought.to_string())]);
        world.rest().await;
        assert_eq!(world.hooks.count(ORG, "trial.ended"), 1);
        assert_eq!(world.hooks.count(ORG, "entitlements.changed"), 1);
    }

    async fn a_trial_whose_end_nobody_confirms_stays_open_and_is_asked_about_again(db: TestDb) {
        let world = World::new(&db).await;
        let (id, _) = world.subscribe(ORG, "growth").await;
        world.billing.next("subscription", Outcome::Fail(ErrorKind::Transient));
        world.pass(days(14));
        for _ in 0..3 {
            let next = world.clock.now().plus(RECHECK);
            until("a later look", async || world.row(ORG, &id).await.due_at == Some(next)).await;
            assert_eq!(world.status(ORG, &id).await, Status::InTrial);
            assert!(world.open(ORG, "sso").await, "late news never closes a gate");
            world.pass(RECHECK);
        }
        world.rest().await;
        assert_eq!(world.hooks.count(ORG, "trial.ended"), 0);
    }

    async fn a_scheduled_end_closes_the_gate_to_the_instant(db: TestDb) {
        let world = World::new(&db).await;
        let (id, bought) = world.subscribe(ORG, "starter").await;
        let actor = world.actor(ORG).await;
        world.engine().cancel(&actor, &tollkeeper::CancelRequest::default()).await.unwrap();
        world.clock.advance_business(PERIOD - MICROSECOND);
        assert!(world.open(ORG, "subscription").await);
        world.billing.down(Some(ErrorKind::Transient));
        world.pass(MICROSECOND);
        assert!(!world.open(ORG, "subscription").await);
        until("the notice", async || world.hooks.count(ORG, "entitlements.changed") == 2).await;
        world.billing.down(None);
        world.billing.end(&bought);
        world.pass(RECHECK);
        until("its end", async || world.status(ORG, &id).await == Status::Cancelled).await;
        world.rest().await;
        assert_eq!(world.hooks.count(ORG, "subscription.cancelled"), 1);
        assert_eq!(world.hooks.count(ORG, "subscription.deleted"), 1);
        assert_eq!(world.hooks.count(ORG, "entitlements.changed"), 2);
    }
}
