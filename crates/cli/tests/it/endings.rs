//! The end of an organization: what it paid for ends too, and nothing brings it back.

use serde_json::{Value, json};
use tollkeeper_store::organization;
use tollkeeper_testkit::{database::TestDb, process::until};

use crate::{
    provider::{Provider, everywhere},
    support::{World, inbox_rows, worked_off},
    wire::{Fault, Wire},
};

async fn cancelled_at_the_provider(world: &World, organization: &str) {
    until("the provider has cancelled everything", async || {
        let rows = world.truth("subscriptions", organization).await;
        (!rows.is_empty() && rows.iter().all(|row| row["over"] == true)).then_some(())
    })
    .await;
}

async fn is_deleted(db: &TestDb, id: &str) -> bool {
    let mut conn = db.db().read().await.unwrap();
    organization::get(conn.c(), &id.into()).await.unwrap().unwrap().deleted_at.is_some()
}

fn delivery<'a>(deliveries: &'a [Value], kind: &str) -> &'a Value {
    deliveries.iter().find(|row| row["eventType"] == kind).unwrap_or_else(|| panic!("no {kind} in {deliveries:?}"))
}

everywhere! {
    async fn a_deletion_that_came_late_still_ends_what_is_paid_and_an_older_update_does_not_revive(db: TestDb, provider: Provider) {
        let world = World::of(provider).await;
        let mut server = world.serve(db.url(), &[]).await;
        let organization = world.organization("Acme Inc").await;
        let admin = world.admin(&server, &organization).await;
        let started = admin.create(json!({ "plan": "growth" })).await.ok();
        world.pay(&started["url"]).await;
        admin.subscription_is("in_trial").await;
        world.delivered(&organization).await;

        server.process.kill();
        world.rename(&organization, "Acme Ltd").await;
        world.delete(&organization).await;
        let server = world.serve(db.url(), &[]).await;
        let deliveries = world.deliveries(&organization).await;
        world.redeliver(delivery(&deliveries, "organization.deleted")).await;
        cancelled_at_the_provider(&world, &organization).await;
        until("the tombstone is there", async || is_deleted(&db, &organization).await.then_some(())).await;

        world.redeliver(delivery(&deliveries, "organization.updated")).await;
        worked_off(db.db()).await;
        assert!(is_deleted(&db, &organization).await);
        admin.gate_is("sso", 402).await;
        let refused = admin.create(json!({ "plan": "growth" })).await;
        assert_eq!((refused.status, refused.code()), (403, "organization_deleted"));
        drop(server);
    }

    async fn a_checkout_that_is_paid_after_the_deletion_sells_nothing(db: TestDb, provider: Provider) {
        let world = World::of(provider).await;
        let server = world.serve(db.url(), &[]).await;
        let organization = world.organization("Acme Inc").await;
        let admin = world.admin(&server, &organization).await;
        let started = admin.create(json!({ "plan": "starter" })).await.ok();
        world.delete(&organization).await;
        until("the tombstone is there", async || is_deleted(&db, &organization).await.then_some(())).await;

        let paid = world.try_to_pay(&started["url"]).await;
        match provider {
            // A page of this provider cannot be closed.
            Provider::Chargebee => {
                paid.ok();
                cancelled_at_the_provider(&world, &organization).await;
            }
            Provider::Stripe => assert_eq!(paid.code(), "page_over", "{}", paid.body),
        }
        worked_off(db.db()).await;
        let rows = world.truth("subscriptions", &organization).await;
        assert_eq!(rows.len(), usize::from(provider == Provider::Chargebee), "{rows:?}");
        assert_ne!(admin.gate("plan:starter").await, 200);
    }

    async fn a_deletion_waits_for_a_provider_that_is_away_and_then_ends_what_is_paid(db: TestDb, provider: Provider) {
        let mut world = World::of(provider).await;
        let wire = Wire::tap(&mut world).await;
        let server = world.serve(db.url(), &[]).await;
        let organization = world.organization("Acme Inc").await;
        let admin = world.admin(&server, &organization).await;
        let started = admin.create(json!({ "plan": "growth" })).await.ok();
        world.pay(&started["url"]).await;
        admin.subscription_is("in_trial").await;
        worked_off(db.db()).await;

        wire.set(Fault::Down);
        world.delete(&organization).await;
        until("the deletion was tried", async || {
            inbox_rows(db.db()).await.iter().any(|row| row.last_error.is_some()).then_some(())
        })
        .await;
        assert!(!is_deleted(&db, &organization).await, "nothing is forgotten before it is confirmed");
        admin.gate_is("sso", 402).await;
        let refused = admin.create(json!({ "plan": "growth" })).await;
        assert_eq!((refused.status, refused.code()), (403, "organization_deleted"), "nothing is sold meanwhile");
        wire.set(Fault::None);
        cancelled_at_the_provider(&world, &organization).await;
        until("the tombstone is there", async || is_deleted(&db, &organization).await.then_some(())).await;
        admin.gate_is("sso", 402).await;
        drop(server);
    }
}
