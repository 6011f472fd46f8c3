//! What a delivery does, and what it does not do.

use serde_json::json;
use tollkeeper::{Error, Received};
use tollkeeper_core::{snapshot::ScheduledItems, status::Status, time::days};
use tollkeeper_store::inbox::InboxState;
use tollkeeper_testkit::both_engines;

use crate::{
    play::item,
    world::{ORG, PURCHASE, World},
};

both_engines! {
    async fn a_delivery_that_comes_again_has_one_effect(db: TestDb) {
        let world = World::new(&db).await;
        let started = world.create(ORG, "starter").await.unwrap();
        let bought = world.billing.pay(&started.subscription_id);
        assert_eq!(world.tell("ev_1", bought.as_str()).await, Received::New);
        assert_eq!(world.tell("ev_1", bought.as_str()).await, Received::Duplicate);
        world.settled("ev_1").await;
        let asked = world.billing.count("subscription");
        assert_eq!(world.tell("ev_1", bought.as_str()).await, Received::Duplicate);
        assert_eq!(world.delivery("ev_1").await.seen, 3);
        assert_eq!(world.told(ORG).await, PURCHASE);
        assert_eq!(world.hooks.events(), ["ev_1"]);
        assert_eq!(world.billing.count("subscription"), asked);
    }

    async fn newer_content_is_applied_without_asking(db: TestDb) {
        let world = World::new(&db).await;
        let (id, bought) = world.subscribe(ORG, "starter").await;
        world.billing.forget_calls();
        let seats = world.billing.change(&bought, |it| it.items[0].quantity = 7);
        world.tell_state("ev_1", seats).await;
        let settled = world.settled("ev_1").await;
        assert_eq!(settled.state, InboxState::Done);
        assert!(settled.why.unwrap().contains(id.as_str()));
        assert_eq!(world.row(ORG, &id).await.seats, Some(7));
        assert!(world.billing.calls().is_empty(), "{:?}", world.billing.calls());
        world.rest().await;
        assert_eq!(world.hooks.count(ORG, "subscription.updated"), 1);
    }

    async fn stale_content_is_not_believed(db: TestDb) {
        let world = World::new(&db).await;
        let (id, bought) = world.subscribe(ORG, "starter").await;
        let old = world.billing.change(&bought, |it| it.items[0].quantity = 2);
        let new = world.billing.change(&bought, |it| it.items[0].quantity = 3);
        world.tell_state("ev_2", new).await;
        world.settled("ev_2").await;
        world.billing.forget_calls();
        world.tell_state("ev_1", old).await;
        let settled = world.settled("ev_1").await;
        assert_eq!(settled.state, InboxState::Done);
        assert!(settled.why.as_deref().unwrap().contains("is older than what we have"), "{settled:?}");
        assert_eq!(world.row(ORG, &id).await.seats, Some(3));
        assert!(world.billing.calls().is_empty(), "{:?}", world.billing.calls());
    }

    async fn an_old_state_does_not_reopen_what_is_over(db: TestDb) {
        let world = World::new(&db).await;
        let (id, bought) = world.subscribe(ORG, "growth").await;
        let running = world.billing.truth(&bought);
        let ended = world.billing.end(&bought);
        world.tell_state("ev_2", ended).await;
        world.settled("ev_2").await;
        world.tell_state("ev_1", running).await;
        world.settled("ev_1").await;
        assert_eq!(world.status(ORG, &id).await, Status::Cancelled);
        assert!(!world.open(ORG, "sso").await);
    }

    async fn the_same_version_with_another_content_is_asked_about(db: TestDb) {
        let world = World::new(&db).await;
        let (id, bought) = world.subscribe(ORG, "starter").await;
        world.billing.forget_calls();
        let mut lie = world.billing.truth(&bought);
        lie.items[0].quantity = 20;
        world.tell_state("ev_1", lie).await;
        world.settled("ev_1").await;
        assert_eq!(world.billing.calls(), [("subscription", bought.to_string())]);
        assert_eq!(world.row(ORG, &id).await.seats, Some(1));
    }

    async fn without_content_the_provider_is_asked(db: TestDb) {
        let world = World::new(&db).await;
        let (id, bought) = world.subscribe(ORG, "starter").await;
        world.billing.forget_calls();
        world.billing.change(&bought, |it| it.items[0].quantity = 5);
        world.tell("ev_1", bought.as_str()).await;
        world.settled("ev_1").await;
        assert_eq!(world.billing.calls(), [("subscription", bought.to_string())]);
        assert_eq!(world.row(ORG, &id).await.seats, Some(5));
    }

    async fn what_has_a_change_scheduled_is_asked_about(db: TestDb) {
        let world = World::new(&db).await;
        let (id, bought) = world.subscribe(ORG, "starter").await;
        let at = world.row(ORG, &id).await.period_end.unwrap();
        let upgrade = ScheduledItems { price_id: Some("growth-monthly".into()), seats: None, items: Vec::new(), at };
        for (event, scheduled) in [("ev_1", Some(upgrade)), ("ev_2", None)] {
            world.billing.forget_calls();
            let state = world.billing.change(&bought, |it| it.scheduled = scheduled);
            world.tell_state(event, state).await;
            world.settled(event).await;
            assert_eq!(world.billing.count("subscription"), 1, "{event}");
        }
        assert_eq!(world.row(ORG, &id).await.scheduled, None);
        world.rest().await;
        assert_eq!(world.hooks.count(ORG, "subscription.updated"), 2);
    }

    async fn thirty_deliveries_about_one_subscription_cost_one_question(db: TestDb) {
        let world = World::idle(&db).await;
        let (_, bought) = world.subscribe(ORG, "starter").await;
        world.billing.forget_calls();
        for n in 0..30 {
            world.billing.change(&bought, |it| it.items[0].quantity += 1);
            world.tell(&format!("ev_{n}"), bought.as_str()).await;
        }
        let worker = world.another(true).await;
        world.rest().await;
        assert_eq!(world.billing.calls(), [("subscription", bought.to_string())]);
        assert_eq!(world.account(ORG).await.subscriptions[0].seats, Some(31));
        assert_eq!(world.hooks.count(ORG, "subscription.updated"), 1);
        worker.stop().await;
    }

    async fn several_states_at_once_end_in_the_newest(db: TestDb) {
        let world = World::idle(&db).await;
        let (_, bought) = world.subscribe(ORG, "starter").await;
        world.billing.forget_calls();
        let states: Vec<_> = (2..8).map(|n| world.billing.change(&bought, |it| it.items[0].quantity = n)).collect();
        for n in [3, 0, 5, 1, 4, 2] {
            world.tell_state(&format!("ev_{n}"), states[n].clone()).await;
        }
        let worker = world.another(true).await;
        world.rest().await;
        assert_eq!(world.account(ORG).await.subscriptions[0].seats, Some(7));
        assert!(world.billing.calls().is_empty(), "{:?}", world.billing.calls());
        worker.stop().await;
    }

    async fn what_waits_is_worked_on_after_a_restart(db: TestDb) {
        let world = World::idle(&db).await;
        let started = world.create(ORG, "starter").await.unwrap();
        let bought = world.billing.pay(&started.subscription_id);
        world.tell("ev_1", bought.as_str()).await;
        let worker = world.another(true).await;
        world.settled("ev_1").await;
        assert_eq!(world.status(ORG, &started.subscription_id).await, Status::Active);
        worker.stop().await;
    }

    async fn news_of_nobody_we_know_is_ignored_with_a_reason(db: TestDb) {
        let world = World::new(&db).await;
        let stranger = world.billing.subscription_of("sub_far", "cus_far", "starter-monthly");
        world.billing.put_subscription(stranger.clone());
        world.tell("ev_1", "sub_far").await;
        world.tell_state("ev_2", stranger).await;
        world.tell("ev_3", "sub_test_button").await;
        world.receive("chargebee", json!({ "id": "ev_4", "type": "customer_changed", "customer": "cus_far" })).await;
        for event in ["ev_1", "ev_2", "ev_3", "ev_4"] {
            let settled = world.settled(event).await;
            assert_eq!((settled.state, settled.why.as_deref()), (InboxState::Ignored, Some("unknown customer")), "{event}");
            assert_eq!(settled.attempts, 0);
        }
        world.receive("chargebee", json!({ "id": "ev_5", "type": "card_expiring" })).await;
        assert_eq!(world.settled("ev_5").await.state, InboxState::Ignored);
        let mut told = world.hooks.events();
        told.sort();
        assert_eq!(told, ["ev_1", "ev_2", "ev_3", "ev_4", "ev_5"], "the product hears of all of them");
    }

    async fn what_another_customer_pays_for_is_never_applied(db: TestDb) {
        let world = World::new(&db).await;
        let (id, bought) = world.subscribe(ORG, "starter").await;
        world.subscribe("org_2", "starter").await;
        // A subscription of org_2's customer that says it is for org_1.
        let mut foreign = world.billing.subscription_of("sub_x", "org_2", "growth-monthly");
        foreign.organization_id = Some(ORG.into());
        world.billing.put_subscription(foreign);
        world.tell("ev_1", "sub_x").await;
        let settled = world.settled("ev_1").await;
        assert_eq!(settled.state, InboxState::Ignored);
        assert_eq!(settled.why.as_deref(), Some("not applied: its metadata name organization org_1"));
        // One of ours that is over, and says now that it runs for somebody else.
        let ended = world.billing.end(&bought);
        world.tell_state("ev_2", ended).await;
        world.settled("ev_2").await;
        let mut moved = world.billing.subscription_of(bought.as_str(), "cus_far", "growth-monthly");
        moved.version = Some(9_000);
        world.billing.put_subscription(moved);
        world.tell("ev_3", bought.as_str()).await;
        let settled = world.settled("ev_3").await;
        assert_eq!(settled.state, InboxState::Ignored);
        assert_eq!(settled.why.as_deref(), Some("not applied: customer cus_far is not this organization's customer"));
        for organization in [ORG, "org_2"] {
            assert!(!world.open(organization, "sso").await);
            assert_eq!(world.account(organization).await.subscriptions.len(), 1);
        }
        assert_eq!(world.status(ORG, &id).await, Status::Cancelled);
    }

    async fn a_subscription_that_moves_to_another_customer_is_over_here(db: TestDb) {
        let world = World::new(&db).await;
        let (id, bought) = world.subscribe(ORG, "growth").await;
        world.billing.change(&bought, |it| it.customer_id = "cus_far".into());
        world.tell("ev_1", bought.as_str()).await;
        assert_eq!(world.settled("ev_1").await.state, InboxState::Done);
        assert_eq!(world.status(ORG, &id).await, Status::Cancelled);
        assert!(!world.open(ORG, "sso").await);
    }

    async fn a_subscription_made_by_hand_becomes_a_row(db: TestDb) {
        let world = World::new(&db).await;
        world.upsert(ORG, "Acme").await.unwrap();
        world.billing.put_subscription(world.billing.subscription_of("sub_hand", ORG, "growth-monthly"));
        world.tell("ev_1", "sub_hand").await;
        world.settled("ev_1").await;
        assert!(world.open(ORG, "sso").await);
        assert_eq!(world.told(ORG).await, PURCHASE);
    }

    async fn one_price_that_nobody_knows_keeps_the_status_and_fails_nothing(db: TestDb) {
        let world = World::new(&db).await;
        let (id, bought) = world.subscribe(ORG, "growth").await;
        let odd = world.billing.change(&bought, |it| it.items = vec![item("mystery-monthly")]);
        world.tell_state("ev_1", odd).await;
        assert_eq!(world.settled("ev_1").await.state, InboxState::Done);
        let row = world.row(ORG, &id).await;
        assert_eq!((row.status, row.plan), (Status::InTrial, None));
        let decision = world.engine().gate(&ORG.into(), "sso").await.unwrap();
        assert_eq!((decision.allowed, decision.reason.as_str()), (false, "plan_unknown"));
    }

    async fn late_news_of_a_row_that_ended_long_ago_meets_its_row(db: TestDb) {
        let world = World::new(&db).await;
        world.upsert(ORG, "Acme").await.unwrap();
        // More than are kept at hand for a decision.
        for n in 0..60 {
            let id = format!("sub_{n}");
            world.billing.put_subscription(world.billing.subscription_of(&id, ORG, "starter-monthly"));
            world.tell(&format!("ev_{n}"), &id).await;
            world.settled(&format!("ev_{n}")).await;
            world.clock.advance_business(days(1));
            let ended = world.billing.end(&id.as_str().into());
            world.tell_state(&format!("end_{n}"), ended).await;
            world.settled(&format!("end_{n}")).await;
        }
        let all = world.engine().subscriptions(&ORG.into(), true).await.unwrap();
        assert!(all.len() < 60, "{} are at hand", all.len());
        let refund = world.billing.change(&"sub_0".into(), |it| it.provider_status = "refunded".into());
        world.tell_state("ev_late", refund).await;
        world.tell("ev_later", "sub_1").await;
        let settled = world.settled("ev_late").await;
        world.settled("ev_later").await;
        assert!(!settled.why.unwrap().contains("adopted"));
        let id = tollkeeper_core::ids::SubscriptionId::adopted(&"chargebee".into(), &"sub_0".into());
        let row = world.row(ORG, &id).await;
        assert_eq!((row.status, row.provider_status.as_deref()), (Status::Cancelled, Some("refunded")));
        world.rest().await;
        assert_eq!(world.hooks.count(ORG, "subscription.created"), 60);
        assert_eq!(world.hooks.count(ORG, "subscription.deleted"), 60);
    }

    async fn members_come_and_go_with_their_deliveries(db: TestDb) {
        let world = World::new(&db).await;
        let member = |event: &str, at: i64, active: bool| {
            let (user, email) = ("usr_9", "Bo@Example.com");
            json!({
                "id": event, "type": "member", "organization": ORG, "at": at, "user": user, "email": email, "active": active,
            })
        };
        let session = tollkeeper::ports::Session {
            user_id: "usr_9".into(),
            email: None,
            ..(*world.engine().authenticate(&format!("member:{ORG}")).await.unwrap()).clone()
        };
        for (event, at, active, known) in
            [("m_1", 100, true, Some("bo@example.com")), ("m_3", 300, false, None), ("m_2", 200, true, None)]
        {
            world.receive("scalekit", member(event, at, active)).await;
            assert_eq!(world.settled(event).await.state, InboxState::Done);
            assert_eq!(world.engine().email_of(&session).await.unwrap().as_deref(), known, "{event}");
        }
        assert!(world.find(ORG).await.unwrap().customers.is_empty(), "a member alone needs no customer");
    }

    async fn what_cannot_be_read_or_placed_is_refused_at_the_door(db: TestDb) {
        let world = World::new(&db).await;
        let door = async |source: &str, body: &'static str| {
            world.engine().receive(&source.into(), &http::HeaderMap::new(), bytes::Bytes::from_static(body.as_bytes())).await
        };
        for body in ["", "{", "[]", "{\"id\":1}", "{\"id\":\"ev_1\"}"] {
            assert!(matches!(door("chargebee", body).await, Err(Error::Decode(_))), "{body}");
        }
        let refused = door("paypal", "{}").await.unwrap_err();
        assert!(matches!(refused, Error::NotConfigured(_)), "{refused:?}");
        world.rest().await;
        assert!(world.hooks.events().is_empty());
    }
}
