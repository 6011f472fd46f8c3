//! The main job from the first news of an organization to the end of what it bought, as a product hears of it.

use tollkeeper_core::{status::Status, time::days};
use tollkeeper_store::inbox::InboxState;
use tollkeeper_testkit::both_engines;

use crate::world::{ORG, PURCHASE, World};

both_engines! {
    async fn from_organization_to_cancellation_every_effect_arrives_once_and_in_order(db: TestDb) {
        let world = World::new(&db).await;
        world.tell_organization("evt_1", "organization.created", ORG, 100).await;
        assert_eq!(world.settled("evt_1").await.state, InboxState::Done);
        assert_eq!(world.told(ORG).await, ["customer.created"]);
        assert_eq!(world.billing.customer_name(ORG).unwrap(), "org_1 at 100");
        assert!(!world.open(ORG, "sso").await);

        let started = world.create(ORG, "growth").await.unwrap();
        assert_eq!(started.mode, "hosted");
        assert_eq!(world.status(ORG, &started.subscription_id).await, Status::Future);
        let bought = world.billing.pay(&started.subscription_id);
        world.tell("ev_1", bought.as_str()).await;
        world.settled("ev_1").await;
        assert!(world.open(ORG, "sso").await, "the webhook alone opens the gate");

        world.clock.advance_business(days(14));
        let paid = world.billing.change(&bought, |it| {
            it.phase = tollkeeper_core::snapshot::Phase::Active;
            it.provider_status = "active".into();
            (it.period_start, it.period_end) = (it.trial_end, it.trial_end.map(|end| end.plus(days(30))));
        });
        world.tell_state("ev_2", paid).await;
        world.settled("ev_2").await;
        assert_eq!(world.status(ORG, &started.subscription_id).await, Status::Active);

        let actor = world.actor(ORG).await;
        world.engine().cancel(&actor, &tollkeeper::CancelRequest::default()).await.unwrap();
        assert_eq!(world.status(ORG, &started.subscription_id).await, Status::NonRenewing);
        world.clock.advance_business(days(31));
        let ended = world.billing.end(&bought);
        world.tell_state("ev_3", ended).await;
        world.settled("ev_3").await;
        assert!(!world.open(ORG, "sso").await);

        let told = world.told(ORG).await;
        assert_eq!(
            told,
            [
                "customer.created",
                "subscription.created",
                "subscription.completed",
                "trial.started",
                "entitlements.changed",
                "subscription.updated",
                "trial.ended",
                "subscription.cancelled",
                "subscription.deleted",
                "entitlements.changed",
            ]
        );
        let seqs: Vec<_> = world.hooks.taken().iter().map(|notice| notice.seq).collect();
        assert!(seqs.is_sorted(), "{seqs:?}");
        assert_eq!(world.billing.pages().len(), 1);
        assert_eq!(world.billing.customers().len(), 1);
        world.stop().await;
    }

    async fn a_checkout_comes_before_the_news_of_its_organization(db: TestDb) {
        let world = World::new(&db).await;
        let (id, _) = world.subscribe("org_early", "starter").await;
        world.tell_organization("evt_1", "organization.created", "org_early", 100).await;
        world.settled("evt_1").await;
        let account = world.account("org_early").await;
        assert_eq!(account.organization.display_name, "org_early at 100");
        assert_eq!(world.billing.customer_name("org_early").unwrap(), "org_early at 100");
        assert_eq!(world.status("org_early", &id).await, Status::Active);
        let told = world.told("org_early").await;
        assert_eq!(told, PURCHASE);
        assert_eq!(world.billing.count("create_customer"), 1);
    }

    async fn a_notice_carries_the_new_state_and_what_it_was_before(db: TestDb) {
        let world = World::new(&db).await;
        let (id, _) = world.subscribe(ORG, "growth").await;
        world.rest().await;
        let taken = world.hooks.taken();
        let completed = taken.iter().find(|it| it.kind.as_str() == "subscription.completed").unwrap();
        assert_eq!(completed.id, format!("{ORG}:{}:subscription.completed", completed.seq));
        assert_eq!(completed.data["subscription"]["id"], id.as_str());
        assert_eq!(completed.data["subscription"]["status"], "in_trial");
        assert_eq!(completed.data["previous"]["status"], "future");
        assert_eq!(completed.data["subscription"]["checkout"], serde_json::Value::Null, "bookkeeping stays ours");
        let entitled = taken.iter().find(|it| it.kind.as_str() == "entitlements.changed").unwrap();
        assert_eq!(entitled.data["entitlements"]["plans"][0], "growth");
        assert_eq!(entitled.data["previous"]["plans"][0], "free");
    }

    async fn several_sightings_of_one_purchase_are_one_purchase(db: TestDb) {
        let world = World::new(&db).await;
        let started = world.create(ORG, "starter").await.unwrap();
        let bought = world.billing.pay(&started.subscription_id);
        let (landings, deliveries) = tokio::join!(
            futures_util::future::join_all((0..8).map(|_| world.engine().land(&started.subscription_id))),
            futures_util::future::join_all((0..8).map(|n| {
                let (world, bought) = (&world, bought.as_str());
                async move { world.tell(&format!("ev_{n}"), bought).await }
            })),
        );
        assert!(landings.iter().all(|landed| matches!(landed, Ok(tollkeeper::Landing::Done(_)))), "{landings:?}");
        assert_eq!(deliveries.len(), 8);
        let told = world.told(ORG).await;
        assert_eq!(told, PURCHASE);
        assert_eq!(world.account(ORG).await.subscriptions.len(), 1);
    }
}
