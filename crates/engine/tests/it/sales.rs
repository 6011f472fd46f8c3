//! What may be sold: trials once, seats within limits, and only where people may be sent back.

use std::sync::Arc;

use serde_json::json;
use tollkeeper::{CreateRequest, Error};
use tollkeeper_core::status::Status;
use tollkeeper_testkit::both_engines;

use crate::{
    play::{Outcome, Stop},
    world::{ORG, World, actor, choice, code},
};

/// Whether the page of the next checkout of `plan` offers a trial.
async fn offers_a_trial(world: &World, plan: &str) -> bool {
    let started = world.create(ORG, plan).await.unwrap();
    world.billing.page(&started.subscription_id).1.trial_end.is_some()
}

both_engines! {
    async fn a_trial_is_given_once_for_ever(db: TestDb) {
        let world = World::new(&db).await;
        assert!(offers_a_trial(&world, "growth").await);
        let (_, bought) = world.subscribe(ORG, "growth").await;
        assert!(world.account(ORG).await.organization.had_trial);
        let ended = world.billing.end(&bought);
        world.tell_state("ev_1", ended).await;
        world.settled("ev_1").await;
        assert!(!offers_a_trial(&world, "growth").await, "the same plan again");
        assert!(!offers_a_trial(&world, "care").await, "another one");
    }

    async fn a_trial_that_was_only_offered_is_still_there(db: TestDb) {
        let world = World::new(&db).await;
        let offered = world.create(ORG, "growth").await.unwrap();
        world.billing.give_up(&offered.subscription_id);
        assert!(offers_a_trial(&world, "growth").await);
    }

    async fn a_trial_can_be_declined_and_is_not_used_up_then(db: TestDb) {
        let world = World::new(&db).await;
        let request = CreateRequest { trial: Some(false), ..choice("growth") };
        let started = world.engine().create(&world.actor(ORG).await, &request).await.unwrap();
        assert_eq!(world.billing.page(&started.subscription_id).1.trial_end, None);
        world.billing.pay(&started.subscription_id);
        world.engine().land(&started.subscription_id).await.unwrap();
        assert_eq!(world.status(ORG, &started.subscription_id).await, Status::Active);
        assert!(offers_a_trial(&world, "care").await);
    }

    async fn two_open_pages_never_offer_two_trials(db: TestDb) {
        let world = World::new(&db).await;
        assert!(offers_a_trial(&world, "growth").await);
        assert!(!offers_a_trial(&world, "care").await);
        // A plan without a trial leaves it to the other group.
        world.create(ORG, "starter").await.unwrap();
        assert!(offers_a_trial(&world, "care").await);
        assert!(!offers_a_trial(&world, "growth").await);
    }

    async fn whoever_has_one_cannot_buy_another_of_the_group(db: TestDb) {
        let world = World::new(&db).await;
        world.subscribe(ORG, "starter").await;
        world.billing.forget_calls();
        for plan in ["starter", "growth"] {
            assert_eq!(code(&world.create(ORG, plan).await.unwrap_err()), "active_subscription_exists");
        }
        assert!(world.billing.calls().is_empty(), "{:?}", world.billing.calls());
    }

    async fn what_is_wrong_with_a_request_is_said_before_anything_is_done(db: TestDb) {
        let world = World::new(&db).await;
        let actor = world.actor(ORG).await;
        let wrong = |change: fn(&mut CreateRequest)| {
            let mut request = choice("starter");
            change(&mut request);
            request
        };
        let unknown_price = CreateRequest { price_ids: vec!["gold-monthly".into()], ..CreateRequest::default() };
        for (request, named, wanted) in [
            (wrong(|it| it.plan = Some("gold".into())), "plan", "unknown_plan"),
            (wrong(|it| it.seats = Some(0)), "seats", "bad_seats"),
            (wrong(|it| it.seats = Some(26)), "seats", "bad_seats"),
            (wrong(|it| it.addons = vec![("nothing".into(), 1)]), "addons", ""),
            (wrong(|it| it.success_url = Some("//evil.example".into())), "successUrl", "invalid_redirect"),
            (wrong(|it| it.cancel_url = Some("https://evil.example/".into())), "cancelUrl", "invalid_redirect"),
            (wrong(|it| it.metadata = Some(json!({ "organizationId": "org_2" }))), "metadata", "reserved_metadata"),
            (CreateRequest::default(), "plan", "plan_required"),
            (unknown_price, "itemPriceId", "unknown_plan"),
        ] {
            let refused = world.engine().create(&actor, &request).await.unwrap_err();
            let Error::Invalid { field, code, .. } = &refused else { panic!("{refused:?}") };
            assert_eq!(field.as_deref(), Some(named), "{refused:?}");
            assert!(wanted.is_empty() || wanted == *code, "{refused:?}");
        }
        assert!(world.billing.calls().is_empty(), "{:?}", world.billing.calls());
        assert!(world.account(ORG).await.subscriptions.is_empty());
    }

    async fn add_ons_and_seats_reach_the_page_and_the_gate(db: TestDb) {
        let world = World::new(&db).await;
        let request = CreateRequest {
            price_ids: vec!["starter-monthly".into()],
            addons: vec![("extra-projects".into(), 2)],
            seats: Some(4),
            ..CreateRequest::default()
        };
        let started = world.engine().create(&world.actor(ORG).await, &request).await.unwrap();
        world.billing.pay(&started.subscription_id);
        world.engine().land(&started.subscription_id).await.unwrap();
        let row = world.row(ORG, &started.subscription_id).await;
        assert_eq!((row.seats, row.items.len()), (Some(4), 2));
        let decision = world.engine().gate(&ORG.into(), "projects").await.unwrap();
        assert_eq!(decision.grant, Some(tollkeeper_core::catalog::Grant::Limit(Some(30))));
    }

    async fn two_groups_at_once_never_offer_two_trials(db: TestDb) {
        let world = World::new(&db).await;
        let stop = Arc::new(Stop::default());
        world.billing.next("update_customer", Outcome::Held(stop.clone()));
        let engine = world.engine().clone();
        let first = tokio::spawn(async move { engine.create(&actor(&engine, ORG).await, &choice("growth")).await });
        stop.reached().await;
        let second = world.create(ORG, "care").await.unwrap();
        stop.release();
        let first = first.await.unwrap().unwrap();
        let trials = [first, second].map(|it| world.billing.page(&it.subscription_id).1.trial_end.is_some());
        assert_ne!(trials, [true, true]);
    }

    async fn a_trial_that_began_while_another_page_is_prepared_is_not_given_again(db: TestDb) {
        let world = World::new(&db).await;
        let stop = Arc::new(Stop::default());
        world.billing.next("update_customer", Outcome::Held(stop.clone()));
        let engine = world.engine().clone();
        let first = tokio::spawn(async move { engine.create(&actor(&engine, ORG).await, &choice("growth")).await });
        stop.reached().await;
        world.subscribe(ORG, "care").await;
        assert!(world.account(ORG).await.organization.had_trial);
        stop.release();
        let first = first.await.unwrap().unwrap();
        assert_eq!(world.billing.page(&first.subscription_id).1.trial_end, None);
    }
}
