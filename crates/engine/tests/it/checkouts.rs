//! The saga behind one hosted page: whatever fails, there is one page, and it is found.

use std::{sync::Arc, time::Duration};

use tollkeeper::Error;
use tollkeeper_core::{
    ports::{CheckoutState, ErrorKind, ProviderError},
    reduce::RECHECK,
    status::Status,
    time::Clock as _,
};
use tollkeeper_testkit::both_engines;

use crate::{
    play::{Outcome, Stop},
    world::{ORG, World, actor, choice, code, until},
};

/// An engine dies while the provider makes the page; its lease is left behind.
async fn crash_while_the_page_is_made(world: &World) {
    let stop = Arc::new(Stop::default());
    world.billing.next("start_checkout", Outcome::Answered(stop.clone()));
    let dying = world.another(false).await;
    let engine = dying.engine().clone();
    let call = tokio::spawn(async move { engine.create(&actor(&engine, ORG).await, &choice("starter")).await });
    stop.reached().await;
    call.abort();
    assert!(call.await.unwrap_err().is_cancelled());
    dying.stop().await;
    assert_eq!(world.billing.pages().len(), 1);
    assert_eq!(world.account(ORG).await.subscriptions[0].checkout.as_ref().unwrap().reference, None);
}

/// The page is paid, and for a while nothing says with which subscription.
async fn paid_and_not_known(world: &World) {
    let row = world.account(ORG).await.subscriptions[0].id.clone();
    world.billing.pay(&row);
    world.billing.proposes_nothing(true);
    for plan in ["starter", "growth"] {
        assert_eq!(code(&world.create(ORG, plan).await.unwrap_err()), "checkout_in_progress", "{plan}");
    }
    assert_eq!(world.status(ORG, &row).await, Status::Future);
    assert_eq!(world.billing.pages().len(), 1);
    world.billing.proposes_nothing(false);
    assert_eq!(code(&world.create(ORG, "growth").await.unwrap_err()), "active_subscription_exists");
    assert_eq!(world.status(ORG, &row).await, Status::Active);
}

both_engines! {
    async fn a_page_that_was_made_under_an_error_is_found_and_not_made_again(db: TestDb) {
        let world = World::new(&db).await;
        world.billing.next("start_checkout", Outcome::Lost);
        let started = world.create(ORG, "starter").await.unwrap();
        let [(page, request)] = &world.billing.pages()[..] else { panic!("{:?}", world.billing.pages()) };
        assert_eq!(Some(&started.url), page.url.as_ref());
        assert_eq!(request.subscription_id, started.subscription_id);
        assert_eq!((world.billing.count("start_checkout"), world.billing.count("find_checkout")), (1, 1));
        assert_eq!(world.create(ORG, "starter").await.unwrap(), started, "asking again answers the same page");
        assert_eq!(world.told(ORG).await, ["customer.created", "subscription.created"]);
    }

    async fn where_nothing_was_made_the_next_key_is_used(db: TestDb) {
        let world = World::new(&db).await;
        world.billing.next("start_checkout", Outcome::Fail(ErrorKind::OutcomeUnknown));
        world.billing.next("start_checkout", Outcome::Fail(ErrorKind::Transient));
        let started = world.create(ORG, "starter").await.unwrap();
        let (_, request) = world.billing.page(&started.subscription_id);
        assert_eq!(request.key, format!("{}:3", started.subscription_id));
        assert_eq!((world.billing.count("start_checkout"), world.billing.count("find_checkout")), (3, 2));
    }

    async fn a_provider_that_stays_away_ends_the_request_and_not_the_attempt(db: TestDb) {
        let world = World::new(&db).await;
        for _ in 0..2 {
            world.billing.next("start_checkout", Outcome::Fail(ErrorKind::Transient));
        }
        world.billing.next("start_checkout", Outcome::Lost);
        let failed = world.create(ORG, "starter").await.unwrap_err();
        assert!(matches!(&failed, Error::Provider(ProviderError { kind: ErrorKind::OutcomeUnknown, .. })), "{failed:?}");
        let started = world.create(ORG, "starter").await.unwrap();
        assert_eq!(world.billing.pages().len(), 1);
        assert_eq!(world.account(ORG).await.subscriptions.len(), 1, "it is the same attempt");
        assert_eq!(Some(started.url), world.billing.page(&started.subscription_id).0.url);
    }

    async fn a_throttled_provider_is_not_pressed(db: TestDb) {
        let world = World::new(&db).await;
        world.billing.next("start_checkout", Outcome::Fail(ErrorKind::Throttled(Duration::from_secs(9))));
        let failed = world.create(ORG, "starter").await.unwrap_err();
        assert!(matches!(&failed, Error::Provider(ProviderError { kind: ErrorKind::Throttled(_), .. })), "{failed:?}");
        assert_eq!(world.billing.count("start_checkout"), 1);
        world.create(ORG, "starter").await.unwrap();
        assert_eq!(world.account(ORG).await.subscriptions.len(), 1);
    }

    async fn after_a_crash_the_page_is_found_once_the_lease_is_over(db: TestDb) {
        let world = World::with(&db, false, |it| it.checkout_wait = Duration::from_millis(100)).await;
        crash_while_the_page_is_made(&world).await;
        let waiting = world.create(ORG, "starter").await.unwrap_err();
        assert_eq!(code(&waiting), "checkout_in_progress");
        world.clock.advance_machine(Duration::from_secs(61));
        let started = world.create(ORG, "starter").await.unwrap();
        assert_eq!(world.billing.pages().len(), 1);
        assert_eq!(Some(started.url), world.billing.page(&started.subscription_id).0.url);
        assert_eq!(world.billing.count("start_checkout"), 1);
    }

    async fn after_a_crash_another_choice_is_free_at_once(db: TestDb) {
        let world = World::idle(&db).await;
        crash_while_the_page_is_made(&world).await;
        let started = world.create(ORG, "growth").await.unwrap();
        let rows = world.account(ORG).await.subscriptions;
        assert_eq!(rows.iter().map(|row| row.status).collect::<Vec<_>>(), [Status::Expired, Status::Future]);
        assert_eq!(rows[1].id, started.subscription_id);
        assert_eq!(world.billing.page(&rows[0].id).0.state, CheckoutState::Dead, "nobody can pay what nobody hears of");
    }

    async fn a_page_nobody_heard_of_is_shut_when_its_attempt_is_over(db: TestDb) {
        let world = World::new(&db).await;
        crash_while_the_page_is_made(&world).await;
        let row = world.account(ORG).await.subscriptions[0].clone();
        world.billing.next("find_checkout", Outcome::Fail(ErrorKind::Transient));
        world.pass(row.checkout.unwrap().expires_at.since(world.clock.now()));
        let now = world.clock.now();
        until("a later look", async || world.row(ORG, &row.id).await.due_at == Some(now.plus(RECHECK))).await;
        assert_eq!(world.status(ORG, &row.id).await, Status::Future, "whether it was paid is not known");
        world.pass(RECHECK);
        until("its end", async || world.status(ORG, &row.id).await == Status::Expired).await;
        assert_eq!(world.billing.page(&row.id).0.state, CheckoutState::Dead);
    }

    async fn a_customer_that_is_gone_holds_up_no_end(db: TestDb) {
        let world = World::new(&db).await;
        crash_while_the_page_is_made(&world).await;
        let row = world.account(ORG).await.subscriptions[0].clone();
        world.billing.next("find_checkout", Outcome::Fail(ErrorKind::NotFound));
        world.pass(row.checkout.unwrap().expires_at.since(world.clock.now()));
        until("its end", async || world.status(ORG, &row.id).await == Status::Expired).await;
    }

    async fn a_page_nobody_heard_of_that_was_paid_is_taken_in_instead_of_another_choice(db: TestDb) {
        let world = World::idle(&db).await;
        crash_while_the_page_is_made(&world).await;
        let row = world.account(ORG).await.subscriptions[0].id.clone();
        world.billing.pay(&row);
        let refused = world.create(ORG, "growth").await.unwrap_err();
        assert_eq!(code(&refused), "active_subscription_exists");
        assert_eq!(world.status(ORG, &row).await, Status::Active);
    }

    async fn what_is_paid_and_not_known_yet_is_not_sold_again(db: TestDb) {
        let world = World::idle(&db).await;
        world.create(ORG, "starter").await.unwrap();
        paid_and_not_known(&world).await;
    }

    async fn what_is_paid_on_a_page_nobody_heard_of_is_not_sold_again(db: TestDb) {
        let world = World::idle(&db).await;
        crash_while_the_page_is_made(&world).await;
        world.clock.advance_machine(Duration::from_secs(61));
        paid_and_not_known(&world).await;
    }

    async fn a_page_found_after_a_crash_may_be_paid_already(db: TestDb) {
        let world = World::idle(&db).await;
        crash_while_the_page_is_made(&world).await;
        let row = world.account(ORG).await.subscriptions[0].id.clone();
        world.billing.pay(&row);
        world.clock.advance_machine(Duration::from_secs(61));
        let refused = world.create(ORG, "starter").await.unwrap_err();
        assert_eq!(code(&refused), "active_subscription_exists");
        assert_eq!(world.status(ORG, &row).await, Status::Active);
    }

    async fn a_page_found_after_a_crash_may_be_dead(db: TestDb) {
        let world = World::idle(&db).await;
        crash_while_the_page_is_made(&world).await;
        let row = world.account(ORG).await.subscriptions[0].id.clone();
        world.billing.give_up(&row);
        world.clock.advance_machine(Duration::from_secs(61));
        world.create(ORG, "starter").await.unwrap();
        assert_eq!(world.billing.pages().len(), 2);
    }

    async fn without_a_gateway_it_is_a_conflict_and_a_later_one_works(db: TestDb) {
        let world = World::new(&db).await;
        world.billing.next("start_checkout", Outcome::Coded(ErrorKind::Rejected, "no_applicable_gateway"));
        let refused = world.create(ORG, "starter").await.unwrap_err();
        assert!(matches!(&refused, Error::Conflict { code: "no_applicable_gateway", .. }), "{refused:?}");
        let rows = world.account(ORG).await.subscriptions;
        assert_eq!(rows[0].status, Status::Expired);
        let started = world.create(ORG, "starter").await.unwrap();
        assert_ne!(started.subscription_id, rows[0].id);
        assert_eq!(world.billing.page(&started.subscription_id).0.state, CheckoutState::Open);
    }

    async fn what_the_provider_refuses_is_over(db: TestDb) {
        let world = World::new(&db).await;
        for kind in [ErrorKind::Rejected, ErrorKind::Declined, ErrorKind::NotFound, ErrorKind::Conflict] {
            world.billing.next("start_checkout", Outcome::Fail(kind));
            let refused = world.create(ORG, "starter").await.unwrap_err();
            assert!(matches!(&refused, Error::Provider(error) if error.kind == kind), "{refused:?}");
        }
        assert_eq!(world.billing.count("start_checkout"), 4);
        assert!(world.account(ORG).await.subscriptions.iter().all(|row| row.status == Status::Expired));
        world.create(ORG, "starter").await.unwrap();
    }

    async fn the_provider_is_told_everything_that_finds_the_row_again(db: TestDb) {
        let world = World::new(&db).await;
        let started = world.create(ORG, "growth").await.unwrap();
        let (_, request) = world.billing.page(&started.subscription_id);
        let row = &started.subscription_id;
        assert_eq!(request.redirect_url, format!("https://app.example.com/api/subscription/success?subscriptionId={row}"));
        assert_eq!((request.organization_id.as_str(), request.customer_id.as_str()), (ORG, ORG));
        assert_eq!(request.user_id.as_deref(), Some("usr_1"));
        assert_eq!(request.items[0].price_id.as_str(), "growth-monthly");
        assert!(request.trial_end.is_some());
    }
}
