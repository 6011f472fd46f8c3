//! Many that wait at once are read from the provider's list; what the list cannot vouch for is asked for one by one.

use std::{sync::Arc, time::Duration};

use tollkeeper::{Running, UpdateRequest, ids::ProviderSubscriptionId, ports::ChangeWhen};
use tollkeeper_core::time::Clock as _;
use tollkeeper_store::inbox::InboxState;
use tollkeeper_testkit::both_engines;

use crate::{
    asks::seats,
    play::{Outcome, PERIOD, Stop},
    world::{World, until},
};

/// More than is asked for one by one.
const MANY: usize = 240;

fn organization(n: usize) -> String {
    format!("org_{n:03}")
}

fn bought(n: usize) -> ProviderSubscriptionId {
    format!("sub_{n:03}").as_str().into()
}

/// Organizations with a subscription each, at a provider whose states have no versions and that allows twenty questions a
/// second; nobody works on deliveries.
async fn world(db: &tollkeeper_testkit::database::TestDb) -> World {
    let pace = |it: &mut tollkeeper::Settings| {
        it.requests_per_minute.insert("chargebee".into(), 1_200);
    };
    let world = World::with(db, false, pace).await;
    let worker = world.another(true).await;
    for n in 0..MANY {
        world.upsert(&organization(n), "Somebody").await.unwrap();
        let mut snapshot = world.billing.subscription_of(bought(n).as_str(), &organization(n), "growth-monthly");
        snapshot.version = None;
        world.billing.put_subscription(snapshot);
        world.tell(&format!("ev_1_{n}"), bought(n).as_str()).await;
    }
    worked_off(&world).await;
    worker.stop().await;
    world.billing.lists_are_cheap();
    for n in 0..MANY {
        world.billing.change(&bought(n), |it| it.items[0].quantity = 7);
        world.tell(&format!("ev_2_{n}"), bought(n).as_str()).await;
    }
    world.billing.forget_calls();
    world.billing.keep_pace();
    world
}

async fn worked_off(world: &World) {
    until("nothing waits", async || {
        // Who was sent back to the queue comes again.
        world.clock.advance_machine(Duration::from_millis(100));
        let counts = world.engine().delivery_counts().await.unwrap();
        counts.iter().all(|(_, state, count)| *state != InboxState::Pending || *count == 0)
    })
    .await;
}

async fn rows_are_the_truth(world: &World) {
    for n in 0..MANY {
        let account = world.account(&organization(n)).await;
        assert_eq!(account.subscriptions[0].seats, world.billing.truth(&bought(n)).seats(), "{n}");
    }
}

async fn end(world: World, worker: Running) {
    worker.stop().await;
    world.stop().await;
}

both_engines! {
    async fn what_waits_in_hundreds_is_read_from_the_list(db: TestDb) {
        let world = world(&db).await;
        let worker = world.another(true).await;
        worked_off(&world).await;
        rows_are_the_truth(&world).await;
        let (single, pages) = (world.billing.count("subscription"), world.billing.count("subscriptions"));
        assert!((3..=6).contains(&pages), "{pages} pages");
        assert!(single < MANY / 2, "{single} were asked for one by one");
        end(world, worker).await;
    }

    async fn rows_whose_time_has_come_wait_for_the_news_of_the_list(db: TestDb) {
        let world = world(&db).await;
        for n in 0..MANY {
            world.billing.change(&bought(n), |it| it.period_end = it.period_end.map(|end| end.plus(PERIOD)));
        }
        world.clock.advance_business(PERIOD);
        let worker = world.another(true).await;
        worked_off(&world).await;
        rows_are_the_truth(&world).await;
        let single = world.billing.count("subscription");
        assert!(single < MANY / 2, "{single} were asked for one by one");
        for n in 0..MANY {
            let due = world.account(&organization(n)).await.subscriptions[0].due_at;
            assert!(due.is_none_or(|due| due > world.clock.now()), "{n} is due");
        }
        end(world, worker).await;
    }

    async fn what_the_list_does_not_tell_is_asked_for_one_by_one_and_the_list_is_not_read_for_it_again(db: TestDb) {
        let world = world(&db).await;
        for n in 0..MANY {
            // Dues are told by no list.
            world.billing.change(&bought(n), |it| {
                it.dues = Some(tollkeeper_core::snapshot::Dues {
                    since: it.period_start.unwrap(),
                    attempts: 1,
                    next_attempt_at: it.period_end,
                    invoice: Some("in_1".into()),
                    exhausted: false,
                });
            });
        }
        let worker = world.another(true).await;
        until("many are asked for after the list was read", async || {
            world.clock.advance_machine(Duration::from_millis(100));
            world.billing.count("subscription") >= 75
        })
        .await;
        assert_eq!(world.billing.count("subscriptions"), 3, "it has three pages");
        end(world, worker).await;
    }

    async fn what_changes_while_the_list_is_read_is_asked_for_again(db: TestDb) {
        let world = world(&db).await;
        let stop = Arc::new(Stop::default());
        world.billing.next("subscriptions", Outcome::Answered(stop.clone()));
        let worker = world.another(true).await;
        stop.reached().await;
        // The last of the first page are not asked for before the list is: at so many a second there was no time.
        let (told, written) = (98, 99);
        world.billing.change(&bought(told), |it| it.items[0].quantity = 9);
        world.tell("ev_3", bought(told).as_str()).await;
        let request = UpdateRequest { when: Some(ChangeWhen::Now), ..seats(8) };
        world.engine().update(&world.actor(&organization(written)).await, &request).await.unwrap();
        stop.release();
        worked_off(&world).await;
        rows_are_the_truth(&world).await;
        assert_eq!(world.account(&organization(told)).await.subscriptions[0].seats, Some(9));
        assert_eq!(world.account(&organization(written)).await.subscriptions[0].seats, Some(8));
        end(world, worker).await;
    }
}
