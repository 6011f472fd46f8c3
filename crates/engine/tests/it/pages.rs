//! What the person did with the page before the next choice is made.

use tollkeeper::{CreateRequest, Error};
use tollkeeper_core::{
    ports::{CheckoutState, ErrorKind},
    status::Status,
};
use tollkeeper_testkit::both_engines;

use crate::{
    play::Outcome,
    world::{ORG, World, choice, code},
};

both_engines! {
    async fn the_same_choice_is_answered_with_the_same_page(db: TestDb) {
        let world = World::new(&db).await;
        let actor = world.actor(ORG).await;
        let first = world.create(ORG, "growth").await.unwrap();
        let elsewhere = CreateRequest { success_url: Some("/welcome".into()), ..choice("growth") };
        assert_eq!(world.engine().create(&actor, &elsewhere).await.unwrap(), first);
        assert_eq!(world.billing.pages().len(), 1);
    }

    async fn another_choice_ends_the_page_of_the_first(db: TestDb) {
        let world = World::new(&db).await;
        let actor = world.actor(ORG).await;
        let choices = [
            choice("starter"),
            CreateRequest { seats: Some(3), ..choice("starter") },
            CreateRequest { interval: Some("year".into()), ..choice("starter") },
            CreateRequest { addons: vec![("extra-projects".into(), 2)], ..choice("starter") },
            choice("growth"),
            CreateRequest { trial: Some(false), ..choice("growth") },
        ];
        let mut before = None;
        for choice in &choices {
            let started = world.engine().create(&actor, choice).await.unwrap();
            if let Some(before) = before.replace(started.subscription_id.clone()) {
                assert_eq!(world.billing.page(&before).0.state, CheckoutState::Dead);
                assert_eq!(world.status(ORG, &before).await, Status::Expired);
            }
            assert_eq!(world.billing.page(&started.subscription_id).0.state, CheckoutState::Open);
        }
        assert_eq!(world.billing.pages().len(), choices.len());
        let expected = ["customer.created", "subscription.created", "subscription.updated"];
        assert!(world.told(ORG).await.iter().all(|kind| expected.contains(kind)));
    }

    async fn a_page_that_was_given_up_is_replaced_for_the_same_choice(db: TestDb) {
        let world = World::new(&db).await;
        let first = world.create(ORG, "starter").await.unwrap();
        world.billing.give_up(&first.subscription_id);
        let second = world.create(ORG, "starter").await.unwrap();
        assert_ne!(first.subscription_id, second.subscription_id);
        assert_ne!(first.url, second.url);
        assert_eq!(world.status(ORG, &first.subscription_id).await, Status::Expired);
        assert!(world.history(ORG).await.iter().any(|line| line.why.contains("the page was given up")));
    }

    async fn whoever_takes_a_checkout_up_has_the_page_or_a_new_one_for_the_same_choice(db: TestDb) {
        let world = World::new(&db).await;
        let actor = world.actor(ORG).await;
        let wanted = CreateRequest {
            seats: Some(3),
            addons: vec![("extra-projects".into(), 2)],
            ..choice("starter")
        };
        let first = world.engine().create(&actor, &wanted).await.unwrap();
        assert_eq!(world.engine().take_up(&actor, &first.subscription_id).await.unwrap(), first);

        world.billing.give_up(&first.subscription_id);
        let second = world.engine().take_up(&actor, &first.subscription_id).await.unwrap();
        assert_ne!(first.url, second.url);
        assert_eq!(world.status(ORG, &first.subscription_id).await, Status::Expired);
        let of = |id| world.billing.page(id).1.items.clone();
        assert_eq!(of(&first.subscription_id), of(&second.subscription_id));
        // Somebody who pressed the button of an older page has the newest one, too.
        assert_eq!(world.engine().take_up(&actor, &first.subscription_id).await.unwrap(), second);

        let refused = world.engine().take_up(&actor, &"tks_none".into()).await.unwrap_err();
        assert_eq!(code(&refused), "checkout_replaced");
    }

    async fn a_page_that_is_too_old_is_replaced(db: TestDb) {
        let world = World::idle(&db).await;
        let first = world.create(ORG, "starter").await.unwrap();
        world.clock.advance_business(crate::play::PAGE);
        let second = world.create(ORG, "starter").await.unwrap();
        assert_ne!(first.url, second.url);
        assert_eq!(world.status(ORG, &first.subscription_id).await, Status::Expired);
    }

    async fn a_purchase_that_nobody_heard_of_is_learned_by_the_next_choice(db: TestDb) {
        let world = World::idle(&db).await;
        for plan in ["starter", "growth"] {
            let organization = format!("org_{plan}");
            let started = world.create(&organization, "starter").await.unwrap();
            world.billing.pay(&started.subscription_id);
            let refused = world.create(&organization, plan).await.unwrap_err();
            assert_eq!(code(&refused), "active_subscription_exists");
            assert_eq!(refused.to_string(), "An active subscription already exists for this organization");
            assert_eq!(world.status(&organization, &started.subscription_id).await, Status::Active);
            assert!(world.open(&organization, "subscription").await);
        }
        assert_eq!(world.billing.pages().len(), 2);
    }

    async fn an_open_page_is_used_as_it_is_while_it_cannot_be_looked_up(db: TestDb) {
        let world = World::new(&db).await;
        let first = world.create(ORG, "starter").await.unwrap();
        world.billing.next("checkout", Outcome::Fail(ErrorKind::Transient));
        assert_eq!(world.create(ORG, "starter").await.unwrap(), first);
        world.billing.next("checkout", Outcome::Fail(ErrorKind::Transient));
        let failed = world.create(ORG, "growth").await.unwrap_err();
        assert!(matches!(failed, Error::Provider(_)), "what may be paid is not thrown away: {failed:?}");
        assert_eq!(world.status(ORG, &first.subscription_id).await, Status::Future);
    }

    async fn a_page_that_could_not_be_ended_stays_the_open_one(db: TestDb) {
        let world = World::new(&db).await;
        let first = world.create(ORG, "starter").await.unwrap();
        world.billing.next("expire_checkout", Outcome::Fail(ErrorKind::Transient));
        world.create(ORG, "growth").await.unwrap_err();
        assert_eq!(world.status(ORG, &first.subscription_id).await, Status::Future);
        let second = world.create(ORG, "growth").await.unwrap();
        assert_eq!(world.billing.page(&first.subscription_id).0.state, CheckoutState::Dead);
        assert_eq!(world.billing.page(&second.subscription_id).0.state, CheckoutState::Open);
    }

    async fn two_pages_paid_anyway_are_two_rows(db: TestDb) {
        let world = World::new(&db).await;
        let first = world.create(ORG, "starter").await.unwrap();
        let second = world.create(ORG, "growth").await.unwrap();
        // A provider that cannot end a page.
        world.billing.change_page(&first.subscription_id, |page| page.state = CheckoutState::Open);
        for (n, started) in [&first, &second].into_iter().enumerate() {
            let bought = world.billing.pay(&started.subscription_id);
            world.tell(&format!("ev_{n}"), bought.as_str()).await;
        }
        world.rest().await;
        assert_eq!(world.status(ORG, &first.subscription_id).await, Status::Active);
        assert_eq!(world.status(ORG, &second.subscription_id).await, Status::InTrial);
        assert_eq!(world.hooks.count(ORG, "subscription.completed"), 2);
        assert!(world.open(ORG, "sso").await);
    }

    async fn another_group_has_its_own_page(db: TestDb) {
        let world = World::new(&db).await;
        let first = world.create(ORG, "starter").await.unwrap();
        let second = world.create(ORG, "care").await.unwrap();
        assert_ne!(first.subscription_id, second.subscription_id);
        assert_eq!(world.billing.count("expire_checkout"), 0);
        world.subscribe(ORG, "care").await;
        assert_eq!(world.create(ORG, "starter").await.unwrap(), first);
    }
}
