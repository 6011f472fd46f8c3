//! `kill -9` at bad moments: what was acknowledged happens, and nothing happens twice.

use std::collections::BTreeSet;

use serde_json::json;
use tokio::task::JoinSet;
use tollkeeper_store::{history, outbox};
use tollkeeper_testkit::process::until;

use crate::{
    provider::everywhere,
    support::{World, inbox_rows, worked_off},
    wire::{Fault, Wire},
};

everywhere! {
    async fn what_was_acknowledged_before_the_kill_happens_after_it_and_once(db: TestDb, provider: Provider) {
        let world = World::of(provider).await;
        let mut server = world.serve(db.url(), &["--no-workers"]).await;
        let organization = world.organization("Acme Inc").await;
        let admin = world.admin(&server, &organization).await;
        let started = admin.create(json!({ "plan": "growth", "seats": 5 })).await.ok();
        world.pay(&started["url"]).await;
        world.delivered(&organization).await;
        assert_eq!(admin.gate("sso").await, 402, "nobody works on deliveries yet");
        server.process.kill();

        let acknowledged: BTreeSet<_> = world
            .deliveries(&organization)
            .await
            .iter()
            .map(|row| row["eventId"].as_str().unwrap().to_owned())
            .collect();
        let stored: BTreeSet<_> = inbox_rows(db.db()).await.iter().map(|row| row.event_id.to_string()).collect();
        assert_eq!(stored, acknowledged);

        let server = world.serve(db.url(), &[]).await;
        admin.gate_is("sso", 200).await;
        worked_off(db.db()).await;
        assert_eq!(world.truth("customers", &organization).await.len(), 1);
        let truth = world.truth("subscriptions", &organization).await;
        assert_eq!(truth.len(), 1, "{truth:?}");
        let rows = admin.subscriptions(true).await;
        assert_eq!(rows.len(), 1, "{rows:?}");
        assert_eq!((&rows[0]["id"], &rows[0]["status"]), (&started["subscriptionId"], &json!("in_trial")));

        let id = organization.as_str().into();
        let told = until("the effects were delivered", async || {
            let rows = outbox::list(db.db().read().await.unwrap().c(), &id).await.unwrap();
            rows.iter().all(|row| row.state == outbox::OutboxState::Delivered).then_some(rows)
        })
        .await;
        let mut kinds: Vec<_> = told.iter().map(|row| row.kind.as_str()).collect();
        let all = kinds.len();
        kinds.sort_unstable();
        kinds.dedup();
        // Entitlements may change more than once; what begins begins once.
        let repeated = told.iter().filter(|row| row.kind.as_str().contains("entitlements")).count().saturating_sub(1);
        assert_eq!(all - repeated, kinds.len(), "an effect happened twice: {told:?}");
        let log = history::list(db.db().read().await.unwrap().c(), &id, 0, 1_000).await.unwrap();
        let openings = log.iter().filter(|row| {
            let status = |row: &Option<serde_json::Value>| row.as_ref().map(|row| row["status"].clone());
            status(&row.after) == Some(json!("in_trial")) && status(&row.before) != Some(json!("in_trial"))
        });
        assert_eq!(openings.count(), 1, "{log:?}");
        drop(server);
    }

    async fn a_kill_amid_first_checkouts_leaves_one_customer_and_one_open_checkout(db: TestDb, provider: Provider) {
        let world = World::of(provider).await;
        let mut server = world.serve(db.url(), &[]).await;
        for moment in [world.provider.customers(), world.provider.new_page()] {
            let organization = world.organization("Acme Inc").await;
            let admin = world.admin(&server, &organization).await;
            let choice = json!({ "plan": "growth", "seats": 5 });
            let mut callers = JoinSet::new();
            for _ in 0..16 {
                callers.spawn(admin.checkout(&choice));
            }
            until("the provider was asked", async || {
                (!world.posts_about(moment, &organization).await.is_empty()).then_some(())
            })
            .await;
            server.process.kill();
            let before: BTreeSet<_> = callers
                .join_all()
                .await
                .into_iter()
                .filter_map(Result::ok)
                .filter(|answer| answer.status == 200)
                .map(|answer| answer.body["url"].to_string())
                .collect();
            assert!(before.len() <= 1, "{before:?}");

            server = world.serve(db.url(), &[]).await;
            let after = admin.create(choice.clone()).await;
            assert_eq!(after.status, 200, "killed at {moment}: {}", after.body);
            let url = after.body["url"].to_string();
            assert!(before.iter().all(|known| *known == url), "{before:?} before, {url} after");
            assert_eq!(world.truth("customers", &organization).await.len(), 1);
            assert_eq!(world.pages_made(&organization).await, 1, "killed at {moment}");
            let rows = admin.subscriptions(true).await;
            assert_eq!(rows.len(), 1, "{rows:?}");
        }
    }

    async fn the_work_of_a_killed_process_is_taken_over_within_seconds(db: TestDb, provider: Provider) {
        let mut world = World::of(provider).await;
        let wire = Wire::tap(&mut world).await;
        let mut server = world.serve(db.url(), &[]).await;
        wire.set(Fault::SilenceAfterTheWork(world.provider.customers()));
        let organization = world.organization("Acme Inc").await;
        until("a worker is at the provider", async || {
            (!world.posts_about(world.provider.customers(), &organization).await.is_empty()).then_some(())
        })
        .await;
        server.process.kill();
        wire.set(Fault::None);
        let server = world.serve(db.url(), &[]).await;
        worked_off(db.db()).await;
        assert_eq!(world.truth("customers", &organization).await.len(), 1);
        drop(server);
    }

    async fn a_page_whose_answer_died_with_the_process_is_found_and_not_made_again(db: TestDb, provider: Provider) {
        let mut world = World::of(provider).await;
        let wire = Wire::tap(&mut world).await;
        let mut server = world.serve(db.url(), &[]).await;
        let organization = world.organization("Acme Inc").await;
        let admin = world.admin(&server, &organization).await;
        let choice = json!({ "plan": "growth", "seats": 5 });
        wire.set(Fault::SilenceAfterTheWork(world.provider.new_page()));
        let caller = tokio::spawn(admin.checkout(&choice));
        until("the page is made", async || (world.pages_made(&organization).await == 1).then_some(())).await;
        server.process.kill();
        assert!(caller.await.unwrap().is_err(), "nobody was left to answer");

        wire.set(Fault::None);
        let server = world.serve(db.url(), &[]).await;
        let after = admin.create(choice).await.ok();
        assert_eq!(world.pages_made(&organization).await, 1);
        let rows = admin.subscriptions(true).await;
        assert_eq!(rows.len(), 1, "{rows:?}");
        world.pay(&after["url"]).await;
        admin.gate_is("sso", 200).await;
        drop(server);
    }
}
