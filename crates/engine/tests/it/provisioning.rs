//! One organization, one customer.

use std::sync::Arc;

use futures_util::future::join_all;
use tollkeeper::Error;
use tollkeeper_core::ports::{ErrorKind, ProviderError};
use tollkeeper_testkit::both_engines;

use crate::{
    play::{Outcome, Stop},
    world::{ORG, World, actor, choice, code, record},
};

both_engines! {
    async fn thirty_two_first_sights_at_once_make_one_customer(db: TestDb) {
        let world = World::new(&db).await;
        let other = world.another(true).await;
        let callers = (0..32).map(|n| {
            let engine = if n % 2 == 0 { world.engine() } else { other.engine() }.clone();
            tokio::spawn(async move {
                if n % 4 < 2 {
                    engine.upsert_organization(&record(ORG, "Acme"), "a test").await.map(drop)
                } else {
                    engine.create(&actor(&engine, ORG).await, &choice("starter")).await.map(drop)
                }
            })
        });
        for outcome in join_all(callers).await {
            outcome.unwrap().unwrap();
        }
        assert_eq!(world.told(ORG).await, ["customer.created", "subscription.created"]);
        assert_eq!(world.billing.customers().len(), 1);
        assert_eq!(world.account(ORG).await.customers.len(), 1);
        assert_eq!(world.billing.pages().len(), 1);
        other.stop().await;
        world.stop().await;
    }

    async fn within_one_process_the_provider_is_asked_once(db: TestDb) {
        let world = World::new(&db).await;
        for outcome in join_all((0..16).map(|_| world.upsert(ORG, "Acme"))).await {
            outcome.unwrap();
        }
        assert_eq!(world.billing.count("create_customer"), 1);
    }

    async fn a_customer_made_without_our_learning_of_it_is_found_by_the_next_try(db: TestDb) {
        let world = World::new(&db).await;
        world.billing.next("create_customer", Outcome::Lost);
        let failed = world.upsert(ORG, "Acme").await.unwrap_err();
        assert!(matches!(&failed, Error::Provider(ProviderError { kind: ErrorKind::OutcomeUnknown, .. })), "{failed:?}");
        assert!(world.account(ORG).await.customers.is_empty(), "nothing is believed that was not answered");
        world.upsert(ORG, "Acme").await.unwrap();
        assert_eq!(world.account(ORG).await.customers.len(), 1);
        assert_eq!(world.billing.customers().len(), 1);
        assert_eq!(world.told(ORG).await, ["customer.created"]);
    }

    async fn where_the_provider_chooses_the_id_many_at_once_make_one_customer(db: TestDb) {
        let world = World::new(&db).await;
        world.billing.name_customers();
        let other = world.another(true).await;
        let callers = (0..16).map(|n| {
            let engine = if n % 2 == 0 { world.engine() } else { other.engine() }.clone();
            tokio::spawn(async move { engine.upsert_organization(&record(ORG, "Acme"), "a test").await.map(drop) })
        });
        for outcome in join_all(callers).await {
            outcome.unwrap().unwrap();
        }
        assert_eq!(world.billing.customers().len(), 1);
        assert_eq!(world.account(ORG).await.customers[0].id.as_str(), "cus_1");
        assert_eq!(world.told(ORG).await, ["customer.created"]);
        other.stop().await;
        world.stop().await;
    }

    async fn where_the_provider_chooses_the_id_what_was_made_unseen_is_looked_for(db: TestDb) {
        let world = World::new(&db).await;
        world.billing.name_customers();
        world.billing.next("create_customer", Outcome::Lost);
        world.upsert(ORG, "Acme").await.unwrap();
        assert_eq!(world.billing.keys(), ["customer:org_1:1"]);
        assert_eq!(world.billing.customers().len(), 1);
        assert_eq!(world.account(ORG).await.customers[0].id.as_str(), "cus_1");
    }

    async fn where_the_provider_chooses_the_id_whoever_is_overtaken_makes_no_second_one(db: TestDb) {
        let world = World::new(&db).await;
        world.billing.name_customers();
        let stop = Arc::new(Stop::default());
        world.billing.next("create_customer", Outcome::HeldAndFailed(stop.clone(), ErrorKind::Transient));
        let slow = world.engine().clone();
        let slow = tokio::spawn(async move { slow.upsert_organization(&record(ORG, "Acme"), "a test").await.map(drop) });
        stop.reached().await;
        let other = world.another(true).await;
        other.engine().upsert_organization(&record(ORG, "Acme"), "a test").await.unwrap();
        stop.release();
        slow.await.unwrap().unwrap();
        assert_eq!(world.billing.customers().len(), 1);
        assert_eq!(world.account(ORG).await.customers[0].id.as_str(), "cus_1");
        assert_eq!(world.told(ORG).await, ["customer.created"]);
        other.stop().await;
        world.stop().await;
    }

    async fn where_the_provider_chooses_the_id_a_key_that_failed_is_left_behind_once_nothing_is_found(db: TestDb) {
        let world = World::new(&db).await;
        world.billing.name_customers();
        for _ in 0..2 {
            world.billing.next("create_customer", Outcome::Fail(ErrorKind::OutcomeUnknown));
        }
        world.upsert(ORG, "Acme").await.unwrap();
        assert_eq!(world.billing.keys(), ["customer:org_1:3"]);
        assert_eq!(world.billing.count("find_customer"), 2);
    }

    async fn where_the_provider_chooses_the_id_a_try_that_nobody_finished_goes_on_under_its_key(db: TestDb) {
        let world = World::new(&db).await;
        world.billing.name_customers();
        // As if the process had died before its answer came.
        world.billing.next("create_customer", Outcome::Fail(ErrorKind::Rejected));
        world.upsert(ORG, "Acme").await.unwrap_err();
        world.upsert(ORG, "Acme").await.unwrap();
        assert_eq!((world.billing.keys(), world.billing.count("find_customer")), (vec!["customer:org_1:1".to_owned()], 1));
    }

    async fn where_the_provider_chooses_the_id_a_deleted_customer_is_followed_by_another(db: TestDb) {
        let world = World::new(&db).await;
        world.billing.name_customers();
        world.upsert(ORG, "Acme").await.unwrap();
        world.billing.delete_customer("cus_1");
        world.receive("chargebee", serde_json::json!({ "id": "ev_1", "type": "customer_deleted", "customer": "cus_1" })).await;
        world.settled("ev_1").await;
        assert!(world.account(ORG).await.customers.is_empty());
        world.upsert(ORG, "Acme").await.unwrap();
        assert_eq!(world.billing.keys(), ["customer:org_1:1", "customer:org_1:2"]);
        assert_eq!(world.account(ORG).await.customers[0].id.as_str(), "cus_2");
    }

    async fn a_delivery_tries_again_until_the_customer_is_there(db: TestDb) {
        let world = World::new(&db).await;
        world.billing.next("create_customer", Outcome::Fail(ErrorKind::Transient));
        world.billing.next("create_customer", Outcome::Lost);
        world.tell_organization("evt_1", "organization.created", ORG, 100).await;
        world.failed("evt_1", 1).await;
        world.later().await;
        world.failed("evt_1", 2).await;
        world.later().await;
        world.settled("evt_1").await;
        assert_eq!(world.told(ORG).await, ["customer.created"]);
        assert_eq!(world.billing.customer_name(ORG).unwrap(), "org_1 at 100");
    }

    async fn a_stranger_with_our_id_is_never_linked(db: TestDb) {
        let world = World::new(&db).await;
        for (organization, named) in [("org_a", None), ("org_b", Some("org_z"))] {
            world.billing.put_customer(organization, named, false);
            let refused = world.upsert(organization, "Acme").await.unwrap_err();
            assert_eq!(code(&refused), "customer_taken");
            let refused = world.create(organization, "starter").await.unwrap_err();
            assert_eq!(code(&refused), "customer_taken");
            assert!(world.account(organization).await.customers.is_empty());
            assert!(world.told(organization).await.is_empty());
        }
        assert!(world.billing.pages().is_empty());
    }

    async fn a_deleted_customer_in_the_way_is_stepped_around(db: TestDb) {
        let world = World::new(&db).await;
        world.billing.put_customer("org_1", Some("org_1"), true);
        world.billing.put_customer("org_1-2", Some("org_1"), true);
        world.upsert(ORG, "Acme").await.unwrap();
        let account = world.account(ORG).await;
        assert_eq!(account.customer(&"chargebee".into()).unwrap().as_str(), "org_1-3");
        assert_eq!(world.told(ORG).await, ["customer.created"]);
    }

    async fn too_many_deleted_customers_are_for_a_person_to_look_at(db: TestDb) {
        let world = World::new(&db).await;
        world.billing.put_customer("org_1", Some("org_1"), true);
        (2..=10).for_each(|n| world.billing.put_customer(&format!("org_1-{n}"), Some("org_1"), true));
        assert_eq!(code(&world.upsert(ORG, "Acme").await.unwrap_err()), "customer_taken");
        assert_eq!(world.billing.count("create_customer"), 10);
    }

    async fn a_new_name_reaches_the_customer_and_an_older_one_does_not(db: TestDb) {
        let world = World::new(&db).await;
        world.tell_organization("evt_1", "organization.created", ORG, 100).await;
        world.settled("evt_1").await;
        world.tell_organization("evt_2", "organization.updated", ORG, 200).await;
        world.settled("evt_2").await;
        world.tell_organization("evt_3", "organization.updated", ORG, 150).await;
        world.settled("evt_3").await;
        assert_eq!(world.account(ORG).await.organization.display_name, "org_1 at 200");
        assert_eq!(world.billing.customer_name(ORG).unwrap(), "org_1 at 200");
    }

    async fn a_name_that_could_not_be_pushed_is_pushed_again(db: TestDb) {
        let world = World::new(&db).await;
        world.upsert(ORG, "Acme").await.unwrap();
        world.billing.next("update_customer", Outcome::Fail(ErrorKind::Transient));
        world.tell_organization("evt_2", "organization.updated", ORG, 200).await;
        world.failed("evt_2", 1).await;
        assert_eq!(world.account(ORG).await.organization.display_name, "org_1 at 200");
        assert_eq!(world.billing.customer_name(ORG).unwrap(), "Acme");
        world.later().await;
        world.settled("evt_2").await;
        assert_eq!(world.billing.customer_name(ORG).unwrap(), "org_1 at 200");
    }

    async fn the_name_comes_from_the_identity_provider_when_a_token_is_first(db: TestDb) {
        let world = World::new(&db).await;
        world.identity.name(ORG, "Acme Inc.");
        world.create(ORG, "starter").await.unwrap();
        assert_eq!(world.account(ORG).await.organization.display_name, "Acme Inc.");
        assert_eq!(world.billing.customer_name(ORG).unwrap(), "Acme Inc.");
        assert_eq!(world.account(ORG).await.organization.email.as_deref(), Some("ada@example.com"));
        assert_eq!(world.billing.customers()[0].email.as_deref(), Some("ada@example.com"));
    }
}
