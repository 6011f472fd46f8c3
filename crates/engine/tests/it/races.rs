//! Several people, tabs and processes want something at once.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use futures_util::future::join_all;
use tollkeeper_core::{ports::CheckoutState, status::Status};
use tollkeeper_testkit::both_engines;

use crate::{
    asks::{seats, to},
    play::{Outcome, Stop},
    world::{ORG, World, actor, choice, code, until},
};

both_engines! {
    async fn the_loser_waits_and_gets_the_page_of_the_winner(db: TestDb) {
        let world = World::new(&db).await;
        let other = world.another(true).await;
        let stop = Arc::new(Stop::default());
        world.billing.next("start_checkout", Outcome::Held(stop.clone()));
        let start = |engine: tollkeeper::Tollkeeper| {
            tokio::spawn(async move { engine.create(&actor(&engine, ORG).await, &choice("starter")).await })
        };
        let winner = start(world.engine().clone());
        stop.reached().await;
        let losers = [start(world.engine().clone()), start(other.engine().clone())];
        tokio::task::yield_now().await;
        stop.release();
        let won = winner.await.unwrap().unwrap();
        for loser in losers {
            assert_eq!(loser.await.unwrap().unwrap(), won);
        }
        assert_eq!((world.billing.count("start_checkout"), world.billing.pages().len()), (1, 1));
    }

    async fn whoever_waits_too_long_is_told_to_come_back(db: TestDb) {
        let world = World::with(&db, true, |it| it.checkout_wait = Duration::from_millis(50)).await;
        let stop = Arc::new(Stop::default());
        world.billing.next("start_checkout", Outcome::Held(stop.clone()));
        let engine = world.engine().clone();
        let winner = tokio::spawn(async move { engine.create(&actor(&engine, ORG).await, &choice("starter")).await });
        stop.reached().await;
        let late = world.create(ORG, "starter").await.unwrap_err();
        assert!(matches!(&late, tollkeeper::Error::Unavailable { code: "checkout_in_progress", .. }), "{late:?}");
        stop.release();
        let won = winner.await.unwrap().unwrap();
        assert_eq!(world.create(ORG, "starter").await.unwrap(), won);
    }

    async fn twenty_tabs_on_two_processes_get_one_page(db: TestDb) {
        let world = World::new(&db).await;
        let other = world.another(true).await;
        let calls = (0..20).map(|n| {
            let engine = if n % 2 == 0 { world.engine() } else { other.engine() }.clone();
            tokio::spawn(async move { engine.create(&actor(&engine, ORG).await, &choice("growth")).await })
        });
        let urls: BTreeSet<_> = join_all(calls).await.into_iter().map(|it| it.unwrap().unwrap().url).collect();
        assert_eq!(urls.len(), 1);
        assert_eq!(world.billing.pages().len(), 1);
        assert_eq!(world.told(ORG).await, ["customer.created", "subscription.created"]);
    }

    async fn two_choices_at_once_leave_one_page_that_can_be_paid(db: TestDb) {
        let world = World::new(&db).await;
        let calls = (0..8).map(|n| {
            let engine = world.engine().clone();
            let plan = if n % 2 == 0 { "starter" } else { "growth" };
            tokio::spawn(async move { engine.create(&actor(&engine, ORG).await, &choice(plan)).await })
        });
        let mut handed_out = Vec::new();
        for outcome in join_all(calls).await {
            match outcome.unwrap() {
                Ok(started) => handed_out.push(started.subscription_id),
                Err(refused) => assert_eq!(code(&refused), "checkout_replaced"),
            }
        }
        let rows = world.account(ORG).await.subscriptions;
        let open: Vec<_> = rows.iter().filter(|row| row.status == Status::Future).collect();
        assert_eq!(open.len(), 1, "{open:?}");
        for id in handed_out.iter().filter(|id| **id != open[0].id) {
            assert_eq!(world.billing.page(id).0.state, CheckoutState::Dead);
        }
    }

    async fn a_winner_that_was_replaced_meanwhile_does_not_hand_out_its_page(db: TestDb) {
        let world = World::new(&db).await;
        let stop = Arc::new(Stop::default());
        world.billing.next("start_checkout", Outcome::Answered(stop.clone()));
        let engine = world.engine().clone();
        let first = tokio::spawn(async move { engine.create(&actor(&engine, ORG).await, &choice("starter")).await });
        stop.reached().await;
        let second = world.create(ORG, "growth").await.unwrap();
        stop.release();
        assert_eq!(code(&first.await.unwrap().unwrap_err()), "checkout_replaced");
        assert_eq!(world.create(ORG, "growth").await.unwrap(), second);
        let pages = world.billing.pages().into_iter();
        let open: Vec<_> = pages.filter(|(page, _)| page.state == CheckoutState::Open).map(|(_, it)| it.subscription_id).collect();
        assert_eq!(open, [second.subscription_id], "the page that nobody hears of cannot be paid");
    }

    async fn what_was_paid_while_somebody_waits_is_not_sold_again(db: TestDb) {
        let world = World::new(&db).await;
        let first = world.create(ORG, "starter").await.unwrap();
        let stop = Arc::new(Stop::default());
        world.billing.next("checkout", Outcome::Answered(stop.clone()));
        let engine = world.engine().clone();
        let second = tokio::spawn(async move { engine.create(&actor(&engine, ORG).await, &choice("growth")).await });
        stop.reached().await;
        let bought = world.billing.pay(&first.subscription_id);
        world.tell("ev_1", bought.as_str()).await;
        until("the purchase", async || world.status(ORG, &first.subscription_id).await == Status::Active).await;
        stop.release();
        assert_eq!(code(&second.await.unwrap().unwrap_err()), "active_subscription_exists");
        assert_eq!(world.status(ORG, &first.subscription_id).await, Status::Active);
    }

    async fn the_same_change_by_two_people_is_made_once(db: TestDb) {
        let world = World::new(&db).await;
        world.subscribe(ORG, "starter").await;
        let other = world.another(true).await;
        let calls = (0..6).map(|n| {
            let engine = if n % 2 == 0 { world.engine() } else { other.engine() }.clone();
            tokio::spawn(async move { engine.update(&actor(&engine, ORG).await, &to("growth")).await })
        });
        let mut made = 0;
        for outcome in join_all(calls).await {
            match outcome.unwrap() {
                Ok(_) => made += 1,
                Err(refused) => assert_eq!(code(&refused), "nothing_changes"),
            }
        }
        assert_eq!((made, world.billing.charges()), (1, vec![3_000]));
        assert_eq!(world.billing.count("change"), 1);
        other.stop().await;
    }

    async fn different_changes_at_once_happen_one_after_the_other(db: TestDb) {
        let world = World::new(&db).await;
        let (id, bought) = world.subscribe(ORG, "starter").await;
        let other = world.another(true).await;
        let calls = (2..6).map(|n| {
            let engine = if n % 2 == 0 { world.engine() } else { other.engine() }.clone();
            let request = tollkeeper::UpdateRequest { when: Some(tollkeeper::ports::ChangeWhen::Now), ..seats(n) };
            tokio::spawn(async move { engine.update(&actor(&engine, ORG).await, &request).await })
        });
        for outcome in join_all(calls).await {
            outcome.unwrap().unwrap();
        }
        assert_eq!(world.billing.changes().len(), 4);
        assert_eq!(world.row(ORG, &id).await.seats, world.billing.truth(&bought).seats());
        other.stop().await;
    }

    async fn a_change_takes_too_long_for_whoever_waits(db: TestDb) {
        let world = World::with(&db, true, |it| it.checkout_wait = Duration::from_millis(50)).await;
        world.subscribe(ORG, "starter").await;
        let stop = Arc::new(Stop::default());
        world.billing.next("change", Outcome::Held(stop.clone()));
        let first = world.begin_update(to("growth")).await;
        stop.reached().await;
        assert_eq!(code(&world.update(seats(4)).await.unwrap_err()), "change_in_progress");
        stop.release();
        first.await.unwrap().unwrap();
        world.update(seats(4)).await.unwrap();
    }

    async fn a_change_that_is_overtaken_by_its_news_ends_in_the_providers_truth(db: TestDb) {
        let world = World::new(&db).await;
        let (id, bought) = world.subscribe(ORG, "starter").await;
        for (n, event) in ["ev_1", "ev_2"].into_iter().enumerate() {
            let stop = Arc::new(Stop::default());
            world.billing.next("change", Outcome::Answered(stop.clone()));
            let call = world.begin_update(seats(5 + i64::try_from(n).unwrap())).await;
            stop.reached().await;
            // Its own news, or newer ones.
            let truth = if n == 0 {
                world.billing.truth(&bought)
            } else {
                world.billing.change(&bought, |it| it.items[0].quantity = 20)
            };
            world.tell_state(event, truth.clone()).await;
            world.settled(event).await;
            stop.release();
            let view = call.await.unwrap().unwrap();
            assert_eq!(view.seats, truth.seats(), "{event}");
            assert_eq!(world.row(ORG, &id).await.seats, truth.seats());
        }
        world.rest().await;
        assert_eq!(world.hooks.count(ORG, "subscription.updated"), 2, "each state once");
    }

    async fn a_state_that_came_back_is_not_overwritten_by_a_slow_answer_from_between(db: TestDb) {
        let world = World::new(&db).await;
        let (id, bought) = world.subscribe(ORG, "starter").await;
        let seats = world.row(ORG, &id).await.seats;
        // A provider whose states have no versions: nothing says which of two is newer.
        world.billing.change(&bought, |it| it.version = None);
        world.tell("ev_1", bought.as_str()).await;
        world.settled("ev_1").await;

        world.billing.change(&bought, |it| it.items[0].quantity = 9);
        let stop = Arc::new(Stop::default());
        world.billing.next("subscription", Outcome::Answered(stop.clone()));
        let (engine, landed) = (world.engine().clone(), id.clone());
        let slow = tokio::spawn(async move { engine.land(&landed).await });
        stop.reached().await;
        world.billing.change(&bought, |it| it.items[0].quantity = 1);
        world.tell("ev_2", bought.as_str()).await;
        world.settled("ev_2").await;
        stop.release();
        slow.await.unwrap().unwrap();
        assert_eq!((world.row(ORG, &id).await.seats, seats), (Some(1), Some(1)));
    }

    async fn clicking_twice_cancels_once(db: TestDb) {
        let world = World::new(&db).await;
        world.subscribe(ORG, "starter").await;
        let calls = (0..4).map(|_| {
            let engine = world.engine().clone();
            tokio::spawn(async move {
                engine.cancel(&actor(&engine, ORG).await, &tollkeeper::CancelRequest::default()).await
            })
        });
        for outcome in join_all(calls).await {
            outcome.unwrap().unwrap();
        }
        assert_eq!(world.billing.count("cancel"), 1);
    }
}
