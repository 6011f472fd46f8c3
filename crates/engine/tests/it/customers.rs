//! Customers change at the provider, and sometimes go away there.

use serde_json::json;
use tollkeeper::Received;
use tollkeeper_core::{
    ports::{CheckoutState, ErrorKind},
    snapshot::Dues,
    status::Status,
    time::Clock as _,
};
use tollkeeper_store::inbox::InboxState;
use tollkeeper_testkit::both_engines;

use crate::{
    play::Outcome,
    world::{ORG, World, code},
};

/// The billing provider tells about a customer.
async fn tell_customer(world: &World, event: &str, kind: &str, customer: &str) -> Received {
    world.receive("chargebee", json!({ "id": event, "type": kind, "customer": customer })).await
}

both_engines! {
    async fn a_customer_deleted_at_the_provider_ends_everything_and_the_next_purchase_makes_a_new_one(db: TestDb) {
        let world = World::new(&db).await;
        let (id, bought) = world.subscribe(ORG, "growth").await;
        let page = world.create(ORG, "care").await.unwrap();
        world.billing.delete_customer(ORG);
        tell_customer(&world, "ev_1", "customer_deleted", ORG).await;
        assert_eq!(world.settled("ev_1").await.state, InboxState::Done);
        assert_eq!(world.status(ORG, &id).await, Status::Cancelled);
        assert_eq!(world.status(ORG, &page.subscription_id).await, Status::Expired);
        assert_eq!(world.billing.page(&page.subscription_id).0.state, CheckoutState::Dead);
        assert!(world.account(ORG).await.customers.is_empty());
        assert!(!world.open(ORG, "sso").await);

        let (again, _) = world.subscribe(ORG, "growth").await;
        assert_eq!(world.account(ORG).await.customers[0].id.as_str(), "org_1-2");
        assert_eq!(world.status(ORG, &again).await, Status::Active, "a trial is given once");
        assert!(world.open(ORG, "sso").await);
        // Late news of what the old customer had.
        world.billing.change(&bought, |it| it.provider_status = "refunded".into());
        world.tell("ev_2", bought.as_str()).await;
        assert_eq!(world.settled("ev_2").await.state, InboxState::Ignored);
        assert_eq!(world.status(ORG, &again).await, Status::Active);
        let told = world.told(ORG).await;
        for (kind, times) in [("customer.created", 2), ("subscription.deleted", 1), ("entitlements.changed", 3)] {
            assert_eq!(told.iter().filter(|it| **it == kind).count(), times, "{kind} in {told:?}");
        }
    }

    async fn the_news_of_a_deleted_customer_is_repeated_until_it_is_all_done(db: TestDb) {
        let world = World::new(&db).await;
        let (id, _) = world.subscribe(ORG, "starter").await;
        let page = world.create(ORG, "care").await.unwrap();
        world.billing.delete_customer(ORG);
        world.billing.next("subscription", Outcome::Fail(ErrorKind::Transient));
        world.billing.next("expire_checkout", Outcome::Fail(ErrorKind::Transient));
        tell_customer(&world, "ev_1", "customer_deleted", ORG).await;
        for n in 1..=2 {
            world.failed("ev_1", n).await;
            assert_eq!(world.account(ORG).await.customers.len(), 1);
            world.later().await;
        }
        assert_eq!(world.settled("ev_1").await.state, InboxState::Done);
        assert!(world.account(ORG).await.customers.is_empty());
        assert_eq!(world.status(ORG, &id).await, Status::Cancelled);
        assert_eq!(world.status(ORG, &page.subscription_id).await, Status::Expired);
        tell_customer(&world, "ev_2", "customer_deleted", ORG).await;
        assert_eq!(world.settled("ev_2").await.state, InboxState::Ignored);
    }

    async fn a_purchase_of_a_customer_that_nobody_linked_opens_nothing(db: TestDb) {
        let world = World::new(&db).await;
        world.upsert(ORG, "Acme").await.unwrap();
        world.billing.delete_customer(ORG);
        // The news of it is late: the provider makes somebody new for the page.
        let started = world.create(ORG, "growth").await;
        let Ok(started) = started else {
            assert!(world.billing.pages().is_empty());
            return;
        };
        let bought = world.billing.pay(&started.subscription_id);
        world.tell("ev_1", bought.as_str()).await;
        assert_eq!(world.settled("ev_1").await.why.as_deref(), Some("unknown customer"));
        assert_eq!(world.engine().land(&started.subscription_id).await.unwrap(), tollkeeper::Landing::Failed);
        assert!(!world.open(ORG, "sso").await);
    }

    async fn the_billing_contact_is_read_back(db: TestDb) {
        let world = World::new(&db).await;
        world.create(ORG, "starter").await.unwrap();
        world.billing.change_contact(ORG, "accounting@example.com");
        world.billing.forget_calls();
        tell_customer(&world, "ev_1", "customer_changed", ORG).await;
        world.settled("ev_1").await;
        assert_eq!(world.account(ORG).await.organization.email.as_deref(), Some("accounting@example.com"));
        assert_eq!(world.billing.calls(), [("customer", ORG.to_owned())]);
    }

    async fn a_first_contact_that_could_not_be_written_is_written_by_the_next_checkout(db: TestDb) {
        let world = World::new(&db).await;
        world.billing.next("update_customer", Outcome::Fail(ErrorKind::Transient));
        world.create(ORG, "starter").await.unwrap_err();
        assert_eq!(world.account(ORG).await.organization.email, None);
        world.create(ORG, "starter").await.unwrap();
        assert_eq!(world.account(ORG).await.organization.email.as_deref(), Some("ada@example.com"));
        assert_eq!(world.billing.customers()[0].email.as_deref(), Some("ada@example.com"));
    }

    async fn a_payment_that_fails_and_recovers_is_told_once_each(db: TestDb) {
        let world = World::new(&db).await;
        let (id, bought) = world.subscribe(ORG, "growth").await;
        world.billing.change(&bought, |it| {
            it.phase = tollkeeper_core::snapshot::Phase::Active;
            let now = it.observed_at;
            (it.period_start, it.period_end) = (Some(now), Some(now.plus(crate::play::PERIOD)));
            it.dues = Some(Dues { since: now, attempts: 1, next_attempt_at: None, invoice: None, exhausted: false });
        });
        tell_customer(&world, "ev_1", "payment_failed", ORG).await;
        world.settled("ev_1").await;
        assert_eq!(world.status(ORG, &id).await, Status::PastDue);
        assert!(world.open(ORG, "sso").await, "within the grace");
        tell_customer(&world, "ev_2", "payment_failed", ORG).await;
        world.settled("ev_2").await;
        world.billing.change(&bought, |it| it.dues = None);
        tell_customer(&world, "ev_3", "payment_succeeded", ORG).await;
        world.settled("ev_3").await;
        assert_eq!(world.status(ORG, &id).await, Status::Active);
        assert!(world.row(ORG, &id).await.observed_at <= Some(world.clock.now()));
        world.rest().await;
        for kind in ["payment.failed", "payment.recovered", "trial.ended"] {
            assert_eq!(world.hooks.count(ORG, kind), 1, "{kind}");
        }
        assert_eq!(world.hooks.count(ORG, "entitlements.changed"), 1, "nothing was closed meanwhile");
    }

    async fn without_a_customer_there_is_no_portal(db: TestDb) {
        let world = World::new(&db).await;
        let actor = world.actor(ORG).await;
        assert_eq!(code(&world.engine().portal(&actor, None).await.unwrap_err()), "no_customer");
        assert!(world.billing.calls().is_empty());
        world.upsert(ORG, "Acme").await.unwrap();
        let link = world.engine().portal(&actor, Some("/settings")).await.unwrap();
        assert_eq!(link, "https://portal.example.com/org_1?back=https://app.example.com/settings");
        let refused = world.engine().portal(&actor, Some("https://evil.example/")).await.unwrap_err();
        assert_eq!(code(&refused), "invalid_redirect");
    }
}
