//! What the product is told: at least once, in order per organization, and each organization for itself.

use std::{collections::HashMap, sync::Arc, time::Duration};

use futures_util::future::join_all;
use tollkeeper::Notice;
use tollkeeper_core::effect::EffectKind;
use tollkeeper_store::{
    history,
    outbox::{self, OutboxState},
};
use tollkeeper_testkit::{both_engines, database::TestDb};

use crate::{
    play::{Deed, Stop},
    world::{ORG, PURCHASE, World, until},
};

/// The place of a notice among those of its organization.
fn place(notice: &Notice) -> (i64, Option<usize>) {
    (notice.seq, EffectKind::ALL.iter().position(|kind| *kind == notice.kind))
}

async fn owed(db: &TestDb, organization: &str) -> Vec<outbox::OutboxRow> {
    outbox::list(db.db().read().await.unwrap().c(), &organization.into()).await.unwrap()
}

both_engines! {
    async fn two_processes_tell_everything_once_and_in_order(db: TestDb) {
        let world = World::new(&db).await;
        world.hooks.slow_down();
        let other = world.another(true).await;
        let organizations: Vec<_> = (0..8).map(|n| format!("org_{n}")).collect();
        join_all(organizations.iter().map(async |organization| {
            let (_, bought) = world.subscribe(organization, "growth").await;
            for n in 2..6 {
                let state = world.billing.change(&bought, |it| it.items[0].quantity = n);
                let event = format!("{organization}_{n}");
                world.tell_state(&event, state).await;
                world.settled(&event).await;
                other.engine().clock_moved();
            }
            let ended = world.billing.end(&bought);
            world.tell_state(&format!("{organization}_end"), ended).await;
        }))
        .await;
        world.rest().await;
        let mut told: HashMap<_, Vec<Notice>> = HashMap::new();
        for notice in world.hooks.taken() {
            told.entry(notice.organization_id.to_string()).or_default().push(notice);
        }
        for organization in &organizations {
            let notices = &told[organization];
            assert!(notices.is_sorted_by(|a, b| place(a) < place(b)), "{notices:?}");
            assert_eq!(notices.len(), owed(&db, organization).await.len());
            assert_eq!(notices.iter().filter(|it| it.kind == EffectKind::SubscriptionUpdated).count(), 4);
        }
        assert!(world.hooks.overlaps().is_empty(), "{:?}", world.hooks.overlaps());
        other.stop().await;
        world.stop().await;
    }

    async fn a_hook_that_fails_holds_up_its_own_organization_and_no_other(db: TestDb) {
        let world = World::new(&db).await;
        world.hooks.next("org_1:subscription.created", Deed::Fail);
        world.hooks.next("org_1:subscription.created", Deed::Panic);
        world.subscribe(ORG, "starter").await;
        until("the failure", async || owed(&db, ORG).await.iter().any(|row| row.attempts == 1)).await;
        world.subscribe("org_2", "starter").await;
        until("the other", async || world.hooks.kinds("org_2").len() == 4).await;
        assert_eq!(world.hooks.kinds(ORG), ["customer.created"], "what is later waits");
        let waiting = owed(&db, ORG).await;
        let failed = waiting.iter().find(|row| row.kind == EffectKind::SubscriptionCreated).unwrap();
        assert_eq!((failed.state, failed.attempts), (OutboxState::Pending, 1));
        assert_eq!(failed.last_error.as_deref(), Some("a hook failed: the product is closed today"));
        assert!(waiting.iter().all(|row| row.attempts == 0 || row.kind == EffectKind::SubscriptionCreated));
        for attempt in [2, 3] {
            world.clock.advance_machine(Duration::from_secs(600));
            world.upsert(&format!("org_wake_{attempt}"), "Wake").await.unwrap();
            until("the next try", async || {
                let rows = owed(&db, ORG).await;
                let row = rows.iter().find(|row| row.kind == EffectKind::SubscriptionCreated).unwrap();
                row.attempts >= attempt || row.state == OutboxState::Delivered
            })
            .await;
        }
        assert_eq!(world.told(ORG).await, PURCHASE);
    }

    async fn a_notice_that_nobody_ever_takes_steps_aside_at_last(db: TestDb) {
        let world = World::new(&db).await;
        (0..12).for_each(|_| world.hooks.next("org_1:customer.created", Deed::Fail));
        world.upsert(ORG, "Acme").await.unwrap();
        world.create(ORG, "starter").await.unwrap();
        for attempt in 1..=12 {
            until("one more try", async || owed(&db, ORG).await[0].attempts >= attempt).await;
            assert!(attempt == 12 || world.hooks.kinds(ORG).is_empty());
            world.clock.advance_machine(Duration::from_secs(600));
            world.upsert(&format!("org_wake_{attempt}"), "Wake").await.unwrap();
        }
        assert_eq!(world.told(ORG).await, ["subscription.created"]);
        assert_eq!(owed(&db, ORG).await[0].state, OutboxState::Dead);
    }

    async fn a_hook_that_hangs_holds_up_its_own_organization_and_no_other(db: TestDb) {
        let world = World::idle(&db).await;
        let stop = Arc::new(Stop::default());
        world.hooks.next("org_1:customer.created", Deed::Hang(stop.clone()));
        for organization in [ORG, "org_2"] {
            world.subscribe(organization, "starter").await;
        }
        let worker = world.another(true).await;
        stop.reached().await;
        until("the other", async || world.hooks.kinds("org_2").len() == 4).await;
        assert!(world.hooks.kinds(ORG).is_empty());
        stop.release();
        assert_eq!(world.told(ORG).await, PURCHASE);
        worker.stop().await;
    }

    async fn stopping_waits_for_the_hook_that_runs(db: TestDb) {
        let world = World::idle(&db).await;
        let stop = Arc::new(Stop::default());
        world.hooks.next("org_1:customer.created", Deed::Hang(stop.clone()));
        world.upsert(ORG, "Acme").await.unwrap();
        let worker = world.another(true).await;
        stop.reached().await;
        let stopping = tokio::spawn(worker.stop());
        tokio::task::yield_now().await;
        assert!(!stopping.is_finished());
        stop.release();
        stopping.await.unwrap();
        assert_eq!(world.hooks.kinds(ORG), ["customer.created"]);
        assert_eq!(owed(&db, ORG).await[0].state, OutboxState::Delivered);
        let again = world.another(true).await;
        world.rest().await;
        assert_eq!(world.hooks.kinds(ORG).len(), 1, "what was told is not told again");
        again.stop().await;
    }

    async fn what_is_owed_survives_a_restart(db: TestDb) {
        let world = World::idle(&db).await;
        world.subscribe(ORG, "growth").await;
        assert!(world.hooks.taken().is_empty());
        let worker = world.another(true).await;
        assert_eq!(
            world.told(ORG).await,
            ["customer.created", "subscription.created", "subscription.completed", "trial.started", "entitlements.changed"]
        );
        worker.stop().await;
    }

    async fn every_decision_leaves_a_line_with_its_cause(db: TestDb) {
        let world = World::new(&db).await;
        world.tell_organization("evt_1", "organization.created", ORG, 100).await;
        world.settled("evt_1").await;
        let (_, bought) = world.subscribe(ORG, "starter").await;
        let ended = world.billing.end(&bought);
        world.tell_state("ev_1", ended).await;
        world.settled("ev_1").await;
        let lines = world.history(ORG).await;
        assert!(lines.is_sorted_by(|a, b| a.seq < b.seq));
        let causes: Vec<_> = lines.iter().map(|line| (line.cause.kind.as_str(), line.cause.id.as_str())).collect();
        assert_eq!(causes.first(), Some(&("inbox", "evt_1")));
        assert!(causes.contains(&("api", "create by usr_1")));
        assert!(causes.contains(&("api", "success")));
        assert_eq!(causes.last(), Some(&("inbox", "ev_1")));
        assert_eq!(history::list(db.db().read().await.unwrap().c(), &"org_2".into(), 0, 10).await.unwrap().len(), 0);
    }
}
