//! The end of an organization: what it pays for ends first.

use std::sync::Arc;

use serde_json::json;
use tollkeeper::Error;
use tollkeeper_core::{
    ports::{CheckoutState, ErrorKind},
    snapshot::Phase,
    status::Status,
};
use tollkeeper_store::inbox::InboxState;
use tollkeeper_testkit::both_engines;

use crate::{
    play::{Outcome, Stop},
    world::{ORG, World, code, until},
};

async fn is_deleted(world: &World) -> bool {
    world.account(ORG).await.organization.deleted_at.is_some()
}

both_engines! {
    async fn a_deleted_organization_pays_for_nothing_and_may_use_nothing(db: TestDb) {
        let world = World::new(&db).await;
        let (id, bought) = world.subscribe(ORG, "growth").await;
        let page = world.create(ORG, "care").await.unwrap();
        world.tell_organization("evt_1", "organization.deleted", ORG, 900).await;
        assert_eq!(world.settled("evt_1").await.state, InboxState::Done);
        assert!(is_deleted(&world).await);
        assert_eq!(world.billing.truth(&bought).phase, Phase::Ended);
        assert_eq!(world.status(ORG, &id).await, Status::Cancelled);
        assert_eq!(world.billing.page(&page.subscription_id).0.state, CheckoutState::Dead);
        assert_eq!(world.status(ORG, &page.subscription_id).await, Status::Expired);
        let decision = world.engine().gate(&ORG.into(), "projects").await.unwrap();
        assert_eq!((decision.allowed, decision.reason.as_str()), (false, "organization_deleted"));
        let told = world.told(ORG).await;
        for (kind, times) in [("subscription.deleted", 1), ("entitlements.changed", 2)] {
            assert_eq!(told.iter().filter(|it| **it == kind).count(), times, "{kind} in {told:?}");
        }
    }

    async fn a_cancellation_that_fails_is_tried_until_it_is_confirmed(db: TestDb) {
        let world = World::new(&db).await;
        let (id, bought) = world.subscribe(ORG, "starter").await;
        for kind in [ErrorKind::Transient, ErrorKind::Rejected, ErrorKind::Transient] {
            world.billing.next("cancel", Outcome::Fail(kind));
        }
        world.billing.next("cancel", Outcome::Lost);
        world.tell_organization("evt_1", "organization.deleted", ORG, 900).await;
        for n in 1..=4 {
            world.failed("evt_1", n).await;
            assert!(!is_deleted(&world).await);
            world.later().await;
        }
        world.settled("evt_1").await;
        assert!(is_deleted(&world).await);
        assert_eq!(world.billing.truth(&bought).phase, Phase::Ended);
        world.rest().await;
        assert_eq!(world.status(ORG, &id).await, Status::Cancelled);
        assert_eq!(world.hooks.count(ORG, "subscription.deleted"), 1);
    }

    async fn a_cancellation_that_nobody_confirmed_is_confirmed_by_its_own_news(db: TestDb) {
        let world = World::new(&db).await;
        let (id, bought) = world.subscribe(ORG, "starter").await;
        world.billing.next("cancel", Outcome::Lost);
        world.tell_organization("evt_1", "organization.deleted", ORG, 900).await;
        world.failed("evt_1", 1).await;
        assert!(!is_deleted(&world).await);
        world.tell_state("ev_1", world.billing.truth(&bought)).await;
        world.settled("ev_1").await;
        world.later().await;
        world.settled("evt_1").await;
        assert!(is_deleted(&world).await);
        assert_eq!(world.status(ORG, &id).await, Status::Cancelled);
        assert_eq!(world.billing.count("cancel"), 1);
    }

    async fn a_deletion_is_never_given_up(db: TestDb) {
        let world = World::new(&db).await;
        world.subscribe(ORG, "starter").await;
        for _ in 0..15 {
            world.billing.next("cancel", Outcome::Fail(ErrorKind::Transient));
        }
        world.tell_organization("evt_1", "organization.deleted", ORG, 900).await;
        for n in 1..=15 {
            assert_eq!(world.failed("evt_1", n).await.state, InboxState::Pending);
            world.later().await;
        }
        assert_eq!(world.settled("evt_1").await.state, InboxState::Done);
        assert!(is_deleted(&world).await);
    }

    async fn what_is_paid_during_the_deletion_is_ended_before_the_tombstone(db: TestDb) {
        let world = World::new(&db).await;
        let other = world.another(true).await;
        let started = world.create(ORG, "starter").await.unwrap();
        let stop = Arc::new(Stop::default());
        world.billing.next("subscriptions_of", Outcome::Answered(stop.clone()));
        world.tell_organization("evt_1", "organization.deleted", ORG, 900).await;
        stop.reached().await;
        let bought = world.billing.pay(&started.subscription_id);
        world.billing.next("cancel", Outcome::Fail(ErrorKind::Transient));
        world.tell("ev_1", bought.as_str()).await;
        world.failed("ev_1", 1).await;
        assert!(!is_deleted(&world).await);
        stop.release();
        until("one try", async || world.delivery("evt_1").await.attempts > 0 || is_deleted(&world).await).await;
        world.later().await;
        world.settled("evt_1").await;
        world.settled("ev_1").await;
        assert!(is_deleted(&world).await);
        assert_eq!(world.billing.truth(&bought).phase, Phase::Ended);
        assert_eq!(world.status(ORG, &started.subscription_id).await, Status::Cancelled);
        world.rest().await;
        assert_eq!(world.hooks.count(ORG, "subscription.completed"), 0);
        other.stop().await;
    }

    async fn nothing_is_sold_while_the_deletion_goes_on(db: TestDb) {
        let world = World::new(&db).await;
        world.subscribe(ORG, "starter").await;
        world.billing.next("cancel", Outcome::Fail(ErrorKind::Transient));
        world.tell_organization("evt_1", "organization.deleted", ORG, 900).await;
        world.failed("evt_1", 1).await;
        assert_eq!(code(&world.create(ORG, "care").await.unwrap_err()), "organization_deleted");
        world.tell_organization("evt_2", "organization.updated", ORG, 950).await;
        world.settled("evt_2").await;
        assert_eq!(world.account(ORG).await.organization.display_name, ORG);
        world.later().await;
        world.settled("evt_1").await;
        assert!(is_deleted(&world).await);
        assert_eq!(world.billing.pages().len(), 1);
    }

    async fn what_is_paid_after_the_tombstone_is_ended_before_its_delivery_is_done(db: TestDb) {
        let world = World::new(&db).await;
        let started = world.create(ORG, "growth").await.unwrap();
        world.tell_organization("evt_1", "organization.deleted", ORG, 900).await;
        world.settled("evt_1").await;
        // A provider that cannot end a page.
        world.billing.change_page(&started.subscription_id, |page| page.state = CheckoutState::Open);
        let bought = world.billing.pay(&started.subscription_id);
        world.billing.next("cancel", Outcome::Fail(ErrorKind::Transient));
        world.tell_state("ev_1", world.billing.truth(&bought)).await;
        let waiting = world.failed("ev_1", 1).await;
        assert_eq!(waiting.state, InboxState::Pending);
        assert!(!world.status(ORG, &started.subscription_id).await.is_live());
        world.later().await;
        assert_eq!(world.settled("ev_1").await.state, InboxState::Done);
        assert_eq!(world.billing.truth(&bought).phase, Phase::Ended);
        assert_eq!(world.status(ORG, &started.subscription_id).await, Status::Cancelled);
        assert!(!world.open(ORG, "sso").await);
        assert!(is_deleted(&world).await);
        world.rest().await;
        assert_eq!(world.hooks.count(ORG, "subscription.completed"), 0);
    }

    async fn no_later_news_brings_it_back(db: TestDb) {
        let world = World::new(&db).await;
        world.tell_organization("evt_1", "organization.created", ORG, 100).await;
        world.settled("evt_1").await;
        world.tell_organization("evt_3", "organization.deleted", ORG, 300).await;
        world.settled("evt_3").await;
        world.tell_organization("evt_2", "organization.updated", ORG, 200).await;
        assert_eq!(world.settled("evt_2").await.state, InboxState::Done);
        let account = world.account(ORG).await;
        assert!(account.organization.deleted_at.is_some());
        assert_eq!(account.organization.display_name, "org_1 at 100");
        assert_eq!(world.billing.customer_name(ORG).unwrap(), "org_1 at 100");
        let refused = world.create(ORG, "starter").await.unwrap_err();
        assert!(matches!(&refused, Error::Forbidden { code: "organization_deleted", .. }), "{refused:?}");
        assert!(world.billing.pages().is_empty());
    }

    async fn an_end_that_comes_before_its_beginning_is_remembered(db: TestDb) {
        let world = World::new(&db).await;
        world.tell_organization("evt_2", "organization.deleted", ORG, 200).await;
        world.settled("evt_2").await;
        world.tell_organization("evt_1", "organization.created", ORG, 100).await;
        assert_eq!(world.settled("evt_1").await.state, InboxState::Done);
        assert!(is_deleted(&world).await);
        assert!(world.billing.calls().is_empty(), "{:?}", world.billing.calls());
    }

    async fn an_update_that_cannot_succeed_does_not_hold_up_the_end(db: TestDb) {
        let world = World::idle(&db).await;
        let (_, bought) = world.subscribe(ORG, "starter").await;
        world.billing.next("update_customer", Outcome::Fail(ErrorKind::Rejected));
        world.tell_organization("evt_1", "organization.updated", ORG, 100).await;
        world.tell_organization("evt_2", "organization.deleted", ORG, 200).await;
        let worker = world.another(true).await;
        world.settled("evt_1").await;
        world.settled("evt_2").await;
        assert!(is_deleted(&world).await);
        assert_eq!(world.billing.truth(&bought).phase, Phase::Ended);
        worker.stop().await;
    }

    async fn an_update_that_waits_to_be_tried_again_does_not_hold_up_the_end(db: TestDb) {
        let world = World::new(&db).await;
        world.subscribe(ORG, "starter").await;
        world.billing.next("update_customer", Outcome::Fail(ErrorKind::Transient));
        world.tell_organization("evt_1", "organization.updated", ORG, 100).await;
        world.failed("evt_1", 1).await;
        world.tell_organization("evt_2", "organization.deleted", ORG, 200).await;
        world.settled("evt_2").await;
        assert!(is_deleted(&world).await);
        world.later().await;
        assert_eq!(world.settled("evt_1").await.state, InboxState::Done);
        assert!(is_deleted(&world).await);
    }

    async fn a_member_that_cannot_be_read_does_not_hold_up_the_end(db: TestDb) {
        let world = World::idle(&db).await;
        world.subscribe(ORG, "starter").await;
        world.receive("scalekit", json!({ "id": "evt_1", "type": "member", "organization": ORG, "at": 100 })).await;
        world.tell_organization("evt_2", "organization.deleted", ORG, 200).await;
        let worker = world.another(true).await;
        assert_eq!(world.settled("evt_1").await.state, InboxState::Dead);
        assert_eq!(world.settled("evt_2").await.state, InboxState::Done);
        assert!(is_deleted(&world).await);
        worker.stop().await;
    }

    async fn a_strangers_subscription_ends_with_its_customer_and_never_becomes_a_row(db: TestDb) {
        let world = World::new(&db).await;
        world.upsert(ORG, "Acme").await.unwrap();
        let mut odd = world.billing.subscription_of("sub_odd", ORG, "growth-monthly");
        odd.organization_id = Some("org_z".into());
        world.billing.put_subscription(odd);
        world.engine().delete_organization(&ORG.into(), "a test").await.unwrap();
        assert!(is_deleted(&world).await);
        assert_eq!(world.billing.truth(&"sub_odd".into()).phase, Phase::Ended);
        assert!(world.account(ORG).await.subscriptions.is_empty());
    }

    async fn an_operator_may_repeat_what_failed(db: TestDb) {
        let world = World::new(&db).await;
        world.subscribe(ORG, "starter").await;
        world.billing.down(Some(ErrorKind::Transient));
        let failed = world.engine().delete_organization(&ORG.into(), "a test").await.unwrap_err();
        assert!(matches!(failed, Error::Provider(_)), "{failed:?}");
        assert!(!is_deleted(&world).await);
        world.billing.down(None);
        for _ in 0..2 {
            world.engine().delete_organization(&ORG.into(), "a test").await.unwrap();
        }
        assert!(is_deleted(&world).await);
        let told = world.told(ORG).await;
        assert_eq!(told.iter().filter(|kind| **kind == "subscription.deleted").count(), 1);
    }

    async fn a_checkout_that_is_being_made_during_the_deletion_does_not_survive_it(db: TestDb) {
        let world = World::new(&db).await;
        world.upsert(ORG, "Acme").await.unwrap();
        let stop = Arc::new(Stop::default());
        world.billing.next("start_checkout", Outcome::Answered(stop.clone()));
        let engine = world.engine().clone();
        let call = tokio::spawn(async move {
            let actor = crate::world::actor(&engine, ORG).await;
            engine.create(&actor, &crate::world::choice("starter")).await
        });
        stop.reached().await;
        world.tell_organization("evt_1", "organization.deleted", ORG, 900).await;
        world.settled("evt_1").await;
        stop.release();
        assert_eq!(code(&call.await.unwrap().unwrap_err()), "checkout_replaced");
        until("the end of its row", async || {
            world.account(ORG).await.subscriptions.iter().all(|row| row.status == Status::Expired)
        })
        .await;
    }

    async fn what_ended_without_our_hearing_of_it_does_not_hold_up_the_deletion(db: TestDb) {
        let world = World::new(&db).await;
        let (id, bought) = world.subscribe(ORG, "starter").await;
        world.billing.end(&bought);
        world.engine().delete_organization(&ORG.into(), "t").await.unwrap();
        assert!(is_deleted(&world).await);
        assert_eq!(world.status(ORG, &id).await, Status::Cancelled);
    }
}
