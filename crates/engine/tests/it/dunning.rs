//! Payments that fail, and trials that end: what time and the provider bring, each told once.

use std::time::Duration;

use tollkeeper_core::{
    catalog::{Grace, Policy},
    ids::ProviderSubscriptionId,
    snapshot::Dues,
    status::Status,
    time::{Clock as _, Timestamp, days},
};
use tollkeeper_testkit::both_engines;

use crate::{
    play::PERIOD,
    world::{ORG, World, until},
};

fn dues(since: Timestamp, attempts: u32, invoice: &str) -> Dues {
    Dues {
        since,
        attempts,
        next_attempt_at: Some(since.plus(days(3 * attempts))),
        invoice: Some(invoice.into()),
        exhausted: false,
    }
}

/// The provider tells that this is overdue.
async fn overdue(world: &World, event: &str, id: &ProviderSubscriptionId, dues: Option<Dues>) {
    world.billing.change(id, |it| it.dues = dues);
    world.tell(event, id.as_str()).await;
    world.settled(event).await;
    world.rest().await;
}

/// Whether each failure that was told was the last one.
fn finals(world: &World) -> Vec<bool> {
    let taken = world.hooks.taken();
    let failed = taken.iter().filter(|it| it.kind.as_str() == "payment.failed");
    failed.map(|it| it.data["final"].as_bool().unwrap()).collect()
}

both_engines! {
    async fn every_attempt_is_told_and_the_last_one_says_so_once(db: TestDb) {
        let world = World::new(&db).await;
        let (id, bought) = world.subscribe(ORG, "starter").await;
        let since = world.clock.now();
        for attempt in 1..=4 {
            for again in 0..2 {
                let event = format!("ev_{attempt}_{again}");
                overdue(&world, &event, &bought, Some(dues(since, attempt, "inv_1"))).await;
            }
        }
        assert_eq!(world.row(ORG, &id).await.dues.unwrap().attempts, 4);
        assert_eq!(finals(&world), [false, false, true, false], "the third one is final, and that is told once");
        overdue(&world, "ev_paid", &bought, None).await;
        assert_eq!(world.status(ORG, &id).await, Status::Active);
        assert_eq!(world.hooks.count(ORG, "payment.recovered"), 1);
        // Another invoice begins anew; without another attempt in sight the first one is the last.
        let hopeless = Dues { next_attempt_at: None, ..dues(world.clock.now(), 1, "inv_2") };
        overdue(&world, "ev_2", &bought, Some(hopeless)).await;
        assert_eq!(finals(&world).split_off(4), [true]);
        assert_eq!(world.hooks.count(ORG, "entitlements.changed"), 1, "within the grace nothing closes");
    }

    async fn the_grace_ends_by_time_alone(db: TestDb) {
        let policy = Policy { past_due_grace: Grace::For(days(5)), ..Policy::default() };
        let world = World::under(&db, true, policy, |_| {}).await;
        let (id, bought) = world.subscribe(ORG, "starter").await;
        let since = world.clock.now();
        overdue(&world, "ev_1", &bought, Some(dues(since, 1, "inv_1"))).await;
        assert_eq!(world.row(ORG, &id).await.grace_until, Some(since.plus(days(5))));
        // The second attempt does not extend it.
        world.pass(days(3));
        overdue(&world, "ev_2", &bought, Some(dues(since, 2, "inv_1"))).await;
        assert!(world.open(ORG, "subscription").await);
        world.pass(days(2));
        assert!(!world.open(ORG, "subscription").await);
        until("the notice", async || world.hooks.count(ORG, "entitlements.changed") == 2).await;
        assert_eq!(world.status(ORG, &id).await, Status::PastDue);
        overdue(&world, "ev_3", &bought, None).await;
        assert!(world.open(ORG, "subscription").await, "paid after all");
        assert_eq!(world.hooks.count(ORG, "entitlements.changed"), 3);
    }

    async fn without_grace_the_gate_closes_at_once(db: TestDb) {
        let policy = Policy { past_due_grace: Grace::None, ..Policy::default() };
        let world = World::under(&db, true, policy, |_| {}).await;
        let (_, bought) = world.subscribe(ORG, "starter").await;
        overdue(&world, "ev_1", &bought, Some(dues(world.clock.now(), 1, "inv_1"))).await;
        assert!(!world.open(ORG, "subscription").await);
    }

    async fn what_is_given_up_is_unpaid_and_a_payment_brings_it_back(db: TestDb) {
        let world = World::new(&db).await;
        let (id, bought) = world.subscribe(ORG, "starter").await;
        let since = world.clock.now();
        let exhausted = Dues { exhausted: true, next_attempt_at: None, ..dues(since, 4, "inv_1") };
        overdue(&world, "ev_1", &bought, Some(exhausted)).await;
        assert_eq!(world.status(ORG, &id).await, Status::Unpaid);
        assert!(!world.open(ORG, "subscription").await);
        assert_eq!(finals(&world), [true]);
        overdue(&world, "ev_2", &bought, None).await;
        assert_eq!(world.status(ORG, &id).await, Status::Active);
        assert!(world.open(ORG, "subscription").await);
        assert_eq!(world.hooks.count(ORG, "payment.recovered"), 1);
    }

    async fn cancelling_in_debt_gains_nothing(db: TestDb) {
        let world = World::new(&db).await;
        let (id, bought) = world.subscribe(ORG, "starter").await;
        let actor = world.actor(ORG).await;
        overdue(&world, "ev_1", &bought, Some(dues(world.clock.now(), 1, "inv_1"))).await;
        let end = world.row(ORG, &id).await.grace_until.unwrap();
        world.engine().cancel(&actor, &tollkeeper::CancelRequest::default()).await.unwrap();
        let row = world.row(ORG, &id).await;
        assert_eq!((row.status, row.grace_until, row.cancel_at), (Status::PastDue, Some(end), Some(end)));
        world.pass(end.since(world.clock.now()));
        assert!(!world.open(ORG, "subscription").await);
        world.billing.end(&bought);
        overdue(&world, "ev_2", &bought, Some(dues(world.clock.now(), 2, "inv_1"))).await;
        assert_eq!(world.status(ORG, &id).await, Status::Cancelled);
        assert!(!world.open(ORG, "subscription").await);
        assert_eq!(world.hooks.count(ORG, "payment.recovered"), 0, "it was never paid");
    }

    async fn the_end_of_a_trial_is_announced_once(db: TestDb) {
        let world = World::new(&db).await;
        let other = world.another(true).await;
        let (id, bought) = world.subscribe(ORG, "growth").await;
        world.pass(days(11) - Duration::from_micros(1));
        world.rest().await;
        assert_eq!(world.hooks.count(ORG, "trial.ending"), 0);
        world.pass(Duration::from_micros(1));
        other.engine().clock_moved();
        until("the announcement", async || world.hooks.count(ORG, "trial.ending") == 1).await;
        for n in 0..3 {
            world.pass(Duration::from_secs(3_600));
            let state = world.billing.change(&bought, |it| it.items[0].quantity += 1);
            world.tell_state(&format!("ev_{n}"), state).await;
            world.settled(&format!("ev_{n}")).await;
        }
        world.rest().await;
        assert_eq!(world.hooks.count(ORG, "trial.ending"), 1);
        // A trial that is made longer is announced again.
        let longer = world.billing.change(&bought, |it| it.trial_end = it.trial_end.map(|end| end.plus(days(7))));
        world.tell_state("ev_longer", longer).await;
        world.settled("ev_longer").await;
        world.pass(days(7));
        until("the next one", async || world.hooks.count(ORG, "trial.ending") == 2).await;
        assert_eq!(world.status(ORG, &id).await, Status::InTrial);
        other.stop().await;
    }

    async fn a_short_trial_is_announced_half_way_through(db: TestDb) {
        let policy = Policy { trial_reminder: days(10), ..Policy::default() };
        let world = World::under(&db, true, policy, |_| {}).await;
        world.subscribe(ORG, "care").await;
        world.pass(days(3));
        world.rest().await;
        assert_eq!(world.hooks.count(ORG, "trial.ending"), 0);
        world.pass(days(1));
        until("the announcement", async || world.hooks.count(ORG, "trial.ending") == 1).await;
    }

    async fn a_trial_that_becomes_paid_in_time_is_not_announced(db: TestDb) {
        let world = World::new(&db).await;
        let (id, bought) = world.subscribe(ORG, "growth").await;
        let paid = world.billing.change(&bought, |it| {
            it.phase = tollkeeper_core::snapshot::Phase::Active;
            it.trial_end = Some(it.observed_at);
            (it.period_start, it.period_end) = (Some(it.observed_at), Some(it.observed_at.plus(PERIOD)));
        });
        world.tell_state("ev_1", paid).await;
        world.settled("ev_1").await;
        world.pass(days(13));
        world.rest().await;
        assert_eq!(world.status(ORG, &id).await, Status::Active);
        assert_eq!(world.hooks.count(ORG, "trial.ending"), 0);
        assert_eq!(world.hooks.count(ORG, "trial.ended"), 1);
    }
}
