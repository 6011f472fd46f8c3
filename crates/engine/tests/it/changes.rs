//! What a person does to a subscription that runs.

use std::sync::Arc;

use tollkeeper::{Action, CancelRequest, Cancelled, Error, SubscriptionView};
use tollkeeper_core::{
    ports::{ErrorKind, ProviderError},
    status::Status,
    time::Clock as _,
};
use tollkeeper_testkit::both_engines;

use crate::{
    play::{Outcome, PERIOD, Stop},
    world::{ORG, World, code},
};

async fn cancel(world: &World, request: &CancelRequest) -> Result<SubscriptionView, Error> {
    match world.engine().cancel(&world.actor(ORG).await, request).await? {
        Cancelled::Applied { subscription, .. } => Ok(*subscription),
        Cancelled::Hosted(url) => panic!("hosted at {url}"),
    }
}

fn at_once() -> CancelRequest {
    CancelRequest { now: true, ..CancelRequest::default() }
}

fn named(id: &str) -> CancelRequest {
    CancelRequest { subscription_id: Some(id.into()), ..CancelRequest::default() }
}

both_engines! {
    async fn a_cancellation_waits_for_the_end_of_the_period_and_asking_again_does_nothing(db: TestDb) {
        let world = World::new(&db).await;
        world.subscribe(ORG, "starter").await;
        let end = world.clock.now().plus(PERIOD);
        for _ in 0..3 {
            let view = cancel(&world, &CancelRequest::default()).await.unwrap();
            assert_eq!((view.status, view.cancel_at, view.cancel_at_period_end), (Status::NonRenewing, Some(end), true));
            assert!(view.access.granted);
        }
        assert_eq!(world.billing.count("cancel"), 1);
        world.rest().await;
        assert_eq!(world.hooks.count(ORG, "subscription.cancelled"), 1);
    }

    async fn a_trial_that_is_cancelled_stays_a_trial_until_its_end(db: TestDb) {
        let world = World::new(&db).await;
        let (id, _) = world.subscribe(ORG, "growth").await;
        let view = cancel(&world, &CancelRequest::default()).await.unwrap();
        assert_eq!((view.status, view.cancel_at), (Status::InTrial, view.trial_end));
        assert!(view.cancel_at_period_end);
        assert!(world.open(ORG, "sso").await);
        assert_eq!(world.status(ORG, &id).await, Status::InTrial);
    }

    async fn a_cancellation_at_once_closes_the_gate(db: TestDb) {
        let world = World::new(&db).await;
        let (id, bought) = world.subscribe(ORG, "growth").await;
        // Also when an end is scheduled already.
        cancel(&world, &CancelRequest::default()).await.unwrap();
        let view = cancel(&world, &at_once()).await.unwrap();
        assert_eq!((view.status, view.cancel_at, view.ended_at), (Status::Cancelled, None, Some(world.clock.now())));
        assert!(!world.open(ORG, "sso").await);
        assert_eq!(code(&cancel(&world, &at_once()).await.unwrap_err()), "no_subscription");
        world.tell_state("ev_1", world.billing.truth(&bought)).await;
        world.settled("ev_1").await;
        assert_eq!(world.status(ORG, &id).await, Status::Cancelled);
        world.rest().await;
        for kind in ["subscription.cancelled", "subscription.deleted"] {
            assert_eq!(world.hooks.count(ORG, kind), 1, "{kind}");
        }
    }

    async fn a_cancellation_without_an_answer_can_be_repeated(db: TestDb) {
        let world = World::new(&db).await;
        let (id, _) = world.subscribe(ORG, "starter").await;
        for request in [CancelRequest::default(), at_once()] {
            world.billing.next("cancel", Outcome::Lost);
            let before = world.row(ORG, &id).await;
            let failed = cancel(&world, &request).await.unwrap_err();
            assert!(matches!(&failed, Error::Provider(ProviderError { kind: ErrorKind::OutcomeUnknown, .. })), "{failed:?}");
            assert_eq!(world.row(ORG, &id).await, before, "nothing is believed that was not answered");
            cancel(&world, &request).await.unwrap();
        }
        assert_eq!(world.status(ORG, &id).await, Status::Cancelled);
        world.rest().await;
        for kind in ["subscription.cancelled", "subscription.deleted"] {
            assert_eq!(world.hooks.count(ORG, kind), 1, "{kind}");
        }
    }

    async fn an_answer_that_is_overtaken_by_newer_news_does_not_win(db: TestDb) {
        let world = World::new(&db).await;
        let (id, bought) = world.subscribe(ORG, "starter").await;
        let stop = Arc::new(Stop::default());
        world.billing.next("cancel", Outcome::Answered(stop.clone()));
        let (engine, actor) = (world.engine().clone(), world.actor(ORG).await);
        let call = tokio::spawn(async move { engine.cancel(&actor, &CancelRequest::default()).await });
        stop.reached().await;
        let ended = world.billing.end(&bought);
        world.tell_state("ev_1", ended).await;
        world.settled("ev_1").await;
        stop.release();
        let Cancelled::Applied { subscription: view, .. } = call.await.unwrap().unwrap() else { panic!() };
        assert_eq!(view.status, Status::Cancelled);
        assert_eq!(world.status(ORG, &id).await, Status::Cancelled);
        world.rest().await;
        assert_eq!(world.hooks.count(ORG, "subscription.deleted"), 1);
    }

    async fn a_cancellation_can_be_taken_back(db: TestDb) {
        let world = World::new(&db).await;
        world.subscribe(ORG, "starter").await;
        let actor = world.actor(ORG).await;
        assert_eq!(code(&world.engine().restore(&actor, None, None).await.unwrap_err()), "nothing_scheduled");
        cancel(&world, &CancelRequest::default()).await.unwrap();
        let view = world.engine().restore(&actor, None, None).await.unwrap();
        assert_eq!((view.status, view.cancel_at, view.cancelled_at), (Status::Active, None, None));
        assert_eq!(code(&world.engine().restore(&actor, None, None).await.unwrap_err()), "nothing_scheduled");
        assert_eq!(world.billing.count("undo_cancellation"), 1);
        cancel(&world, &CancelRequest::default()).await.unwrap();
        world.rest().await;
        assert_eq!(world.hooks.count(ORG, "subscription.cancelled"), 2);
        assert_eq!(world.hooks.count(ORG, "entitlements.changed"), 1, "the gate was open all the time");
    }

    async fn a_restoration_without_an_answer_can_be_learned_from_its_news(db: TestDb) {
        let world = World::new(&db).await;
        let (id, bought) = world.subscribe(ORG, "starter").await;
        cancel(&world, &CancelRequest::default()).await.unwrap();
        world.billing.next("undo_cancellation", Outcome::Lost);
        let actor = world.actor(ORG).await;
        world.engine().restore(&actor, None, None).await.unwrap_err();
        assert_eq!(world.status(ORG, &id).await, Status::NonRenewing);
        world.tell_state("ev_1", world.billing.truth(&bought)).await;
        world.settled("ev_1").await;
        assert_eq!(world.status(ORG, &id).await, Status::Active);
    }

    async fn without_a_subscription_there_is_nothing_to_change(db: TestDb) {
        let world = World::new(&db).await;
        let actor = world.actor(ORG).await;
        for _ in 0..2 {
            assert_eq!(code(&cancel(&world, &CancelRequest::default()).await.unwrap_err()), "no_subscription");
            assert_eq!(code(&world.engine().restore(&actor, None, None).await.unwrap_err()), "no_subscription");
            // Nor while it is only a page.
            world.create(ORG, "starter").await.unwrap();
        }
        assert_eq!((world.billing.count("cancel"), world.billing.count("undo_cancellation")), (0, 0));
    }

    async fn of_several_one_must_be_named_and_only_ones_own(db: TestDb) {
        let world = World::new(&db).await;
        let (starter, _) = world.subscribe(ORG, "starter").await;
        let (care, _) = world.subscribe(ORG, "care").await;
        let (foreign, _) = world.subscribe("org_2", "starter").await;
        assert_eq!(code(&cancel(&world, &CancelRequest::default()).await.unwrap_err()), "subscription_required");
        for id in [foreign.as_str(), "", "tks_0"] {
            assert_eq!(code(&cancel(&world, &named(id)).await.unwrap_err()), "no_subscription");
        }
        assert_eq!(world.billing.count("cancel"), 0);
        cancel(&world, &named(care.as_str())).await.unwrap();
        assert_eq!(world.status(ORG, &starter).await, Status::Active);
        assert!(world.row(ORG, &care).await.cancel_at.is_some());
        let actor = world.actor(ORG).await;
        world.engine().restore(&actor, None, Some(care.as_str())).await.unwrap();
        assert_eq!(world.row(ORG, &care).await.cancel_at, None);
        assert_eq!(world.status("org_2", &foreign).await, Status::Active);
    }

    async fn a_cancellation_may_go_through_the_portal(db: TestDb) {
        let world = World::new(&db).await;
        let actor = world.actor(ORG).await;
        let request = CancelRequest { hosted: true, return_url: Some("/back".into()), ..CancelRequest::default() };
        assert_eq!(code(&world.engine().cancel(&actor, &request).await.unwrap_err()), "no_customer");
        let (id, _) = world.subscribe(ORG, "starter").await;
        let Cancelled::Hosted(url) = world.engine().cancel(&actor, &request).await.unwrap() else { panic!() };
        assert_eq!(url, "https://portal.example.com/org_1?back=https://app.example.com/back");
        assert_eq!(world.status(ORG, &id).await, Status::Active);
        assert_eq!(world.billing.count("cancel"), 0);
    }

    async fn the_list_shows_what_is_live_or_everything(db: TestDb) {
        let world = World::new(&db).await;
        world.subscribe(ORG, "starter").await;
        world.create(ORG, "care").await.unwrap();
        let list = async |all| world.engine().subscriptions(&ORG.into(), all).await.unwrap();
        assert_eq!((list(false).await.len(), list(true).await.len()), (1, 2));
        cancel(&world, &at_once()).await.unwrap();
        assert_eq!((list(false).await.len(), list(true).await.len()), (0, 2));
        assert!(world.engine().subscriptions(&"org_2".into(), true).await.unwrap().is_empty());
    }

    async fn nobody_acts_for_another_organization_or_without_a_role(db: TestDb) {
        let world = World::new(&db).await;
        world.subscribe(ORG, "starter").await;
        world.billing.forget_calls();
        let engine = world.engine();
        let member = engine.authenticate(&format!("member:{ORG}")).await.unwrap();
        let admin = engine.authenticate(&format!("admin:{ORG}")).await.unwrap();
        for action in [Action::Create, Action::Cancel, Action::Restore, Action::Portal] {
            assert_eq!(code(&engine.authorize(&member, None, action).await.unwrap_err()), "role_required");
            assert_eq!(code(&engine.authorize(&admin, Some("org_2"), action).await.unwrap_err()), "reference_mismatch");
            engine.authorize(&admin, Some(ORG), action).await.unwrap();
        }
        engine.authorize(&member, None, Action::List).await.unwrap();
        assert!(world.billing.calls().is_empty());
    }
}
