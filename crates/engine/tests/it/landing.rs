//! Whoever comes back from the hosted page lands where the provider's answer says.

use tollkeeper::{CreateRequest, Landing};
use tollkeeper_core::{ports::ErrorKind, status::Status};
use tollkeeper_testkit::both_engines;

use crate::{
    play::Outcome,
    world::{ORG, World, choice},
};

const THERE: &str = "https://app.example.com/welcome";

/// An open checkout that leads to [`THERE`].
async fn checkout(world: &World, organization: &str) -> tollkeeper::ids::SubscriptionId {
    let request = CreateRequest { success_url: Some("/welcome".into()), ..choice("starter") };
    world.engine().create(&world.actor(organization).await, &request).await.unwrap().subscription_id
}

both_engines! {
    async fn paid_leads_to_where_it_was_asked_to_and_the_gate_is_open_then(db: TestDb) {
        let world = World::idle(&db).await;
        let id = checkout(&world, ORG).await;
        world.billing.pay(&id);
        for _ in 0..2 {
            assert_eq!(world.engine().land(&id).await.unwrap(), Landing::Done(THERE.into()));
            assert!(world.open(ORG, "subscription").await);
        }
    }

    async fn what_the_provider_calls_the_page_is_enough(db: TestDb) {
        let world = World::idle(&db).await;
        let id = checkout(&world, ORG).await;
        let page = world.row(ORG, &id).await.checkout.unwrap().reference.unwrap();
        assert_eq!(world.engine().land_from(&page).await.unwrap(), Landing::Pending(THERE.into()));
        world.billing.pay(&id);
        assert_eq!(world.engine().land_from(&page).await.unwrap(), Landing::Done(THERE.into()));
        let calls = world.billing.calls().len();
        for stranger in ["", "hp_unknown", "' OR 1=1 --", id.as_str()] {
            assert_eq!(world.engine().land_from(stranger).await.unwrap(), Landing::Failed);
        }
        assert_eq!(world.billing.calls().len(), calls, "nobody is asked about a page that is not ours");
    }

    async fn not_paid_yet_is_pending(db: TestDb) {
        let world = World::idle(&db).await;
        let id = checkout(&world, ORG).await;
        assert_eq!(world.engine().land(&id).await.unwrap(), Landing::Pending(THERE.into()));
        assert_eq!(world.status(ORG, &id).await, Status::Future);
    }

    async fn a_page_that_was_given_up_has_failed(db: TestDb) {
        let world = World::idle(&db).await;
        let id = checkout(&world, ORG).await;
        world.billing.give_up(&id);
        let before = world.row(ORG, &id).await;
        assert_eq!(world.engine().land(&id).await.unwrap(), Landing::Failed);
        assert_eq!(world.row(ORG, &id).await, before, "the row is untouched");
    }

    async fn an_unknown_id_has_failed_without_asking_anybody(db: TestDb) {
        let world = World::idle(&db).await;
        for id in ["", "tks_00000000000000000000000000000000", "' OR 1=1 --"] {
            assert_eq!(world.engine().land(&id.into()).await.unwrap(), Landing::Failed);
        }
        assert!(world.billing.calls().is_empty());
    }

    async fn the_page_of_another_row_opens_nothing(db: TestDb) {
        let world = World::idle(&db).await;
        let id = checkout(&world, ORG).await;
        let other = checkout(&world, "org_2").await;
        world.billing.pay(&other);
        let paid = world.billing.page(&other).0;
        world.billing.change_page(&id, |page| {
            *page = tollkeeper::ports::CheckoutPage { reference: page.reference.clone(), ..paid };
        });
        assert_eq!(world.engine().land(&id).await.unwrap(), Landing::Failed);
        assert_eq!(world.status(ORG, &id).await, Status::Future);
        assert_eq!(world.status("org_2", &other).await, Status::Future);
    }

    async fn the_page_of_another_customer_opens_nothing(db: TestDb) {
        let world = World::idle(&db).await;
        let id = checkout(&world, ORG).await;
        world.billing.pay(&id);
        world.billing.change_page(&id, |page| page.customer_id = Some("cus_far".into()));
        assert_eq!(world.engine().land(&id).await.unwrap(), Landing::Failed);
        assert_eq!(world.status(ORG, &id).await, Status::Future);
    }

    async fn a_row_that_was_adopted_has_no_page_to_come_back_from(db: TestDb) {
        let world = World::new(&db).await;
        world.upsert(ORG, "Acme").await.unwrap();
        world.billing.put_subscription(world.billing.subscription_of("sub_hand", ORG, "starter-monthly"));
        world.tell("ev_1", "sub_hand").await;
        world.settled("ev_1").await;
        let id = world.account(ORG).await.subscriptions[0].id.clone();
        assert_eq!(world.engine().land(&id).await.unwrap(), Landing::Failed);
    }

    async fn a_provider_that_fails_is_pending_and_the_webhook_tells(db: TestDb) {
        let world = World::new(&db).await;
        let id = checkout(&world, ORG).await;
        let bought = world.billing.pay(&id);
        for (call, kind) in [
            ("checkout", ErrorKind::Transient),
            ("checkout", ErrorKind::Rejected),
            ("subscription", ErrorKind::Transient),
            ("subscription", ErrorKind::OutcomeUnknown),
        ] {
            world.billing.next(call, Outcome::Fail(kind));
            assert_eq!(world.engine().land(&id).await.unwrap(), Landing::Pending(THERE.into()), "{call} {kind:?}");
            assert_eq!(world.status(ORG, &id).await, Status::Future);
        }
        world.tell("ev_1", bought.as_str()).await;
        world.settled("ev_1").await;
        assert_eq!(world.status(ORG, &id).await, Status::Active);
        assert_eq!(world.engine().land(&id).await.unwrap(), Landing::Done(THERE.into()));
    }

    async fn a_database_that_is_away_is_an_error_and_not_a_failure_of_the_person(db: TestDb) {
        let world = World::idle(&db).await;
        let id = checkout(&world, ORG).await;
        let lonely = world.another(false).await;
        lonely.engine().database().close().await;
        assert!(matches!(lonely.engine().land(&id).await, Err(tollkeeper::Error::Store(error)) if error.is_unavailable()));
    }
}
