//! How a comparison runs: alone, patiently, stoppable, and only as far as it must.

use std::{sync::Arc, time::Duration};

use tollkeeper::{Error, Extent};
use tollkeeper_core::{ports::ErrorKind, status::Status, time::days};
use tollkeeper_testkit::{both_engines, database::TestDb};

use crate::{
    asks::refusal,
    play::{Outcome, Stop},
    world::{ORG, World, until},
};

/// Three organizations with a subscription each, one on a page.
async fn three(db: &TestDb) -> World {
    let world = World::new(db).await;
    for n in 1..=3 {
        let organization = format!("org_{n}");
        world.identity.name(&organization, &organization);
        world.subscribe(&organization, "starter").await;
    }
    world.billing.rows_per_page(1);
    world
}

/// Each of the three changes, and nobody is told.
fn change_all(world: &World, seats: i64) {
    let bought: Vec<_> = world.billing.pages().into_iter().map(|(_, it)| it.subscription_id).collect();
    for id in bought {
        world.billing.change(&id.as_str().into(), |it| it.items[0].quantity = seats);
    }
}

/// How many of our rows have so many seats.
async fn with_seats(world: &World, seats: i64) -> usize {
    let mut count = 0;
    for n in 1..=3 {
        let account = world.account(&format!("org_{n}")).await;
        count += account.subscriptions.iter().filter(|row| row.seats == Some(seats)).count();
    }
    count
}

both_engines! {
    async fn there_are_never_two_at_once(db: TestDb) {
        let world = three(&db).await;
        let other = world.another(true).await;
        change_all(&world, 2);
        let stop = Arc::new(Stop::default());
        world.billing.next("customers", Outcome::Held(stop.clone()));
        let engine = world.engine().clone();
        let first = tokio::spawn(async move { engine.reconcile(&Extent::Full).await });
        stop.reached().await;
        for engine in [world.engine(), other.engine()] {
            for extent in [Extent::Full, Extent::Recent] {
                let refused = engine.reconcile(&extent).await.unwrap_err();
                assert_eq!(refusal(&refused), (None, "reconcile_running"), "{extent:?}");
            }
        }
        // One organization can be looked at meanwhile.
        assert_eq!(other.engine().reconcile(&Extent::Organization(ORG.into())).await.unwrap().repaired, 1);
        stop.release();
        assert_eq!(first.await.unwrap().unwrap().repaired, 2);
        assert_eq!(other.engine().reconcile(&Extent::Full).await.unwrap().repaired, 0);
        other.stop().await;
    }

    async fn one_whose_process_died_holds_up_nobody_for_long(db: TestDb) {
        let world = three(&db).await;
        let stop = Arc::new(Stop::default());
        world.billing.next("customers", Outcome::Held(stop.clone()));
        let engine = world.engine().clone();
        let first = tokio::spawn(async move { engine.reconcile(&Extent::Full).await });
        stop.reached().await;
        first.abort();
        assert!(first.await.is_err());
        world.clock.advance_machine(Duration::from_secs(10));
        world.engine().reconcile(&Extent::Full).await.unwrap();
    }

    async fn a_failure_in_the_middle_keeps_what_was_repaired(db: TestDb) {
        let world = three(&db).await;
        change_all(&world, 2);
        world.billing.next("subscriptions", Outcome::Fine);
        // Once more or less is nothing; again and again is.
        for _ in 0..4 {
            world.billing.next("subscriptions", Outcome::Fail(ErrorKind::Transient));
        }
        let report = world.engine().reconcile(&Extent::Full).await.unwrap();
        assert_eq!(report.not_compared, ["chargebee"]);
        assert_eq!((report.repaired, report.failed), (1, 0), "{report:?}");
        assert_eq!(with_seats(&world, 2).await, 1, "one page was repaired");
        let report = world.engine().reconcile(&Extent::Full).await.unwrap();
        assert_eq!((report.repaired, with_seats(&world, 2).await, report.not_compared.len()), (2, 3, 0));
        world.rest().await;
        for n in 1..=3 {
            assert_eq!(world.hooks.count(&format!("org_{n}"), "subscription.updated"), 1);
        }
        assert_eq!(world.engine().drift(None, 100).await.unwrap().len(), 6, "items and seats, each once");
    }

    async fn one_that_cannot_be_read_holds_up_nothing_else(db: TestDb) {
        let world = three(&db).await;
        change_all(&world, 2);
        let bad = world.account("org_2").await.subscriptions[0].provider_subscription_id.clone().unwrap();
        world.billing.refuse(bad.as_str(), Some(ErrorKind::Rejected));
        // And an organization whose customer id is somebody else's.
        world.identity.name("org_0", "Zero");
        world.billing.put_customer("org_0", None, false);
        let report = world.engine().reconcile(&Extent::Full).await.unwrap();
        assert_eq!((report.repaired, report.failed), (2, 2), "{report:?}");
        assert_eq!(with_seats(&world, 2).await, 2);
        world.billing.refuse(bad.as_str(), None);
        let report = world.engine().reconcile(&Extent::Full).await.unwrap();
        assert_eq!((report.repaired, report.failed), (1, 1), "{report:?}");
    }

    async fn an_identity_provider_that_fails_holds_up_no_subscription(db: TestDb) {
        let world = three(&db).await;
        change_all(&world, 2);
        world.identity.fail_next(ErrorKind::Rejected);
        let report = world.engine().reconcile(&Extent::Full).await.unwrap();
        assert_eq!((report.repaired, &report.not_compared[..]), (3, &["identity".to_owned()][..]), "{report:?}");
    }

    async fn a_provider_that_says_later_is_waited_for(db: TestDb) {
        let world = three(&db).await;
        change_all(&world, 2);
        let later = || Outcome::Fail(ErrorKind::Throttled(Duration::from_millis(5)));
        for call in ["customers", "subscriptions", "subscription", "subscription"] {
            world.billing.next(call, later());
        }
        world.identity.fail_next(ErrorKind::Throttled(Duration::from_millis(5)));
        let report = world.engine().reconcile(&Extent::Full).await.unwrap();
        assert_eq!((report.repaired, report.failed), (3, 0), "{report:?}");
    }

    async fn it_ends_between_two_pages_when_the_engine_stops(db: TestDb) {
        let world = three(&db).await;
        let other = world.another(false).await;
        change_all(&world, 2);
        let stop = Arc::new(Stop::default());
        world.billing.next("subscriptions", Outcome::Held(stop.clone()));
        let engine = other.engine().clone();
        let run = tokio::spawn(async move { engine.reconcile(&Extent::Full).await });
        stop.reached().await;
        other.wind_down()();
        stop.release();
        let ended = run.await.unwrap().unwrap_err();
        assert!(matches!(&ended, Error::Unavailable { code: "stopping", .. }), "{ended:?}");
        assert_eq!(world.billing.count("subscriptions"), 1);
        other.stop().await;
        // The next one is not held up, and does the rest.
        world.engine().reconcile(&Extent::Full).await.unwrap();
        assert_eq!(with_seats(&world, 2).await, 3);
    }

    async fn a_run_over_what_changed_reads_only_that(db: TestDb) {
        let world = three(&db).await;
        world.engine().reconcile(&Extent::Recent).await.unwrap();
        world.pass(days(1));
        world.engine().reconcile(&Extent::Recent).await.unwrap();
        world.pass(days(1));
        let (id, bought) = {
            let row = world.account("org_2").await.subscriptions[0].clone();
            (row.id, row.provider_subscription_id.unwrap())
        };
        world.billing.change(&bought, |it| it.items[0].quantity = 4);
        world.billing.forget_calls();
        let report = world.engine().reconcile(&Extent::Recent).await.unwrap();
        assert_eq!((report.checked, report.repaired), (1, 1), "{report:?}");
        assert_eq!(world.row("org_2", &id).await.seats, Some(4));
        let asked: Vec<_> = world.billing.calls().into_iter().map(|(call, _)| call).collect();
        assert_eq!(asked, ["customers", "subscriptions", "subscription"]);
        // What changed just before the last run began, and came into the list just after, is not missed.
        world.billing.change(&bought, |it| it.items[0].quantity = 5);
        world.clock.advance_business(Duration::from_secs(60));
        assert_eq!(world.engine().reconcile(&Extent::Recent).await.unwrap().repaired, 1);
    }

    async fn it_runs_by_itself_where_it_is_asked_to(db: TestDb) {
        let world = three(&db).await;
        let often = |it: &mut tollkeeper::Settings| it.reconcile_interval = Some(Duration::from_millis(20));
        let others = [world.another_with(true, often).await, world.another_with(true, often).await];
        change_all(&world, 6);
        until("the repair", async || with_seats(&world, 6).await == 3).await;
        let ended = world.account("org_3").await.subscriptions[0].clone();
        world.billing.end(&ended.provider_subscription_id.unwrap());
        until("its end", async || world.status("org_3", &ended.id).await == Status::Cancelled).await;
        world.rest().await;
        assert_eq!(world.hooks.count("org_3", "subscription.deleted"), 1);
        assert_eq!(world.hooks.count(ORG, "subscription.updated"), 1);
        for other in others {
            other.stop().await;
        }
    }

    async fn an_organization_that_nobody_knows_cannot_be_compared(db: TestDb) {
        let world = three(&db).await;
        let unknown = world.engine().reconcile(&Extent::Organization("org_9".into())).await.unwrap_err();
        assert!(matches!(unknown, Error::UnknownOrganization(_)));
    }

    async fn an_identity_provider_that_lists_nothing_ends_nobody(db: TestDb) {
        let world = three(&db).await;
        world.upsert("org_hand", "By hand").await.unwrap();
        world.identity.fall_silent();
        for extent in [Extent::Full, Extent::Organization("org_hand".into())] {
            let report = world.engine().reconcile(&extent).await.unwrap();
            assert_eq!(report.repaired, 0, "{report:?}");
        }
        assert_eq!(world.account("org_hand").await.organization.deleted_at, None);
    }

    async fn news_that_arrive_meanwhile_are_newer_than_the_list(db: TestDb) {
        let world = three(&db).await;
        change_all(&world, 2);
        let stop = Arc::new(Stop::default());
        world.billing.next("subscriptions", Outcome::Answered(stop.clone()));
        let engine = world.engine().clone();
        let run = tokio::spawn(async move { engine.reconcile(&Extent::Full).await });
        stop.reached().await;
        // The page is read, and on its way: each of them changes once more, and its news arrive first.
        change_all(&world, 9);
        for n in 1..=3 {
            let bought = world.account(&format!("org_{n}")).await.subscriptions[0].provider_subscription_id.clone();
            let event = format!("ev_{n}");
            world.tell_state(&event, world.billing.truth(&bought.unwrap())).await;
            world.settled(&event).await;
        }
        stop.release();
        assert_eq!(run.await.unwrap().unwrap().repaired, 0, "an old page repairs nothing");
        assert_eq!(with_seats(&world, 9).await, 3);
    }
}
