//! `kill -9` at every named place and at random moments under load: no acknowledged delivery is lost, no effect doubled;
//! one customer, no second subscription.

use std::{collections::HashSet, time::Duration};

use futures_util::future::join_all;
use serde_json::{Value, json};
use tokio::time::Instant;
use tollkeeper_store::inbox::InboxState;
use tollkeeper_testkit::{database::TestDb, process::until};

use super::{dice::Dice, figure, full, truth};
use crate::provider::everywhere;
use crate::support::{Answer, Person, Server, World, inbox_rows, worked_off};

/// The places, by what leads to them. The program refuses a name that it does not know.
const PROVISIONING: [&str; 3] = ["provisioning.organization", "provisioning.customer", "provisioning.linked"];
const CHECKOUT: [&str; 3] = ["checkout.attempt", "checkout.page", "checkout.linked"];
const CHANGE: [&str; 3] = ["change.owed", "change.applied", "change.scheduled_again"];
const DELETION: [&str; 3] = ["deletion.begun", "deletion.cancelled", "deletion.tombstone"];

everywhere! {
    async fn a_death_at_any_step_of_provisioning_leaves_one_customer(db: TestDb, provider: Provider) {
        let world = World::of(provider).await;
        for place in PROVISIONING {
            let mut server = armed(&world, &db, place).await;
            let organization = world.organization("Acme Inc").await;
            assert!(!server.process.end().await.success(), "{place}");
            let server = world.serve(db.url(), &[]).await;
            all_is_well(&world, &db, &[organization], place).await;
            server.stop().await;
        }
        figure("durable: provisioning", &provider.on(&db), json!({ "places": PROVISIONING }));
    }

    async fn a_death_at_any_step_of_a_checkout_leaves_one_page_and_one_row(db: TestDb, provider: Provider) {
        let world = World::of(provider).await;
        for place in CHECKOUT {
            let mut server = armed(&world, &db, place).await;
            let organization = world.organization("Acme Inc").await;
            worked_off(db.db()).await;
            let admin = world.admin(&server, &organization).await;
            let choice = json!({ "plan": "growth", "seats": 5 });
            assert!(admin.checkout(&choice).await.is_err(), "{place}: nobody is left to answer");
            assert!(!server.process.end().await.success(), "{place}");
            let server = world.serve(db.url(), &[]).await;
            let started = admin.create(choice).await.ok();
            world.pay(&started["url"]).await;
            admin.gate_is("sso", 200).await;
            assert_eq!(world.pages_made(&organization).await, 1, "{place}");
            assert_eq!(admin.subscriptions(true).await.len(), 1, "{place}");
            all_is_well(&world, &db, &[organization], place).await;
            server.stop().await;
        }
        figure("durable: checkout", &provider.on(&db), json!({ "places": CHECKOUT }));
    }

    async fn a_death_at_any_step_of_a_change_charges_once_and_forgets_nothing(db: TestDb, provider: Provider) {
        let world = World::of(provider).await;
        for place in CHANGE {
            let server = world.serve(db.url(), &[]).await;
            let organization = world.organization("Acme Inc").await;
            let admin = world.admin(&server, &organization).await;
            let started = admin.create(json!({ "plan": "scale", "seats": 5, "trial": false })).await.ok();
            world.pay(&started["url"]).await;
            admin.subscription_is("active").await;
            let update = async |body: Value| admin.post("/api/subscription/update", body).await;
            update(json!({ "plan": "growth", "when": "period_end" })).await.ok();
            worked_off(db.db()).await;
            server.stop().await;

            let mut server = armed(&world, &db, place).await;
            let seats = json!({ "seats": 7, "when": "now" });
            let request = admin.request(reqwest::Method::POST, "/api/subscription/update", &seats);
            assert!(Answer::try_of(request).await.is_err(), "{place}: nobody is left to answer");
            assert!(!server.process.end().await.success(), "{place}");

            let server = world.serve(db.url(), &[]).await;
            // Whoever got no answer looks and, where it did not happen, asks again.
            world.advance(90).await;
            worked_off(db.db()).await;
            let again = update(seats).await;
            let happened = place != "change.owed";
            assert_eq!(again.status, if happened { 400 } else { 200 }, "{place}: {}", again.body);
            until("both phases have the seats", async || {
                let row = admin.subscriptions(false).await.remove(0);
                let waits = &row["scheduledChange"];
                (row["seats"] == 7 && waits["plan"] == "growth" && waits["seats"] == 7).then_some(())
            })
            .await;
            let extra = world.invoices(&world.bought(&organization).await).await.len();
            assert_eq!(extra, 2, "{place}: the first period, and the two seats once");
            all_is_well(&world, &db, &[organization], place).await;
            server.stop().await;
        }
        figure("durable: change", &provider.on(&db), json!({ "places": CHANGE }));
    }

    async fn a_death_at_any_step_of_a_deletion_ends_in_a_tombstone_and_no_bill(db: TestDb, provider: Provider) {
        let world = World::of(provider).await;
        for place in DELETION {
            let mut server = armed(&world, &db, place).await;
            let organization = world.organization("Acme Inc").await;
            let admin = world.admin(&server, &organization).await;
            let started = admin.create(json!({ "plan": "starter", "trial": false })).await.ok();
            world.pay(&started["url"]).await;
            admin.subscription_is("active").await;
            world.delete(&organization).await;
            assert!(!server.process.end().await.success(), "{place}");
            let server = world.serve(db.url(), &[]).await;
            all_is_well(&world, &db, std::slice::from_ref(&organization), place).await;
            let left = world.truth("subscriptions", &organization).await;
            assert!(left.iter().all(|row| row["over"] == true), "{place}: {left:?}");
            let id = organization.as_str().into();
            let account = tollkeeper_store::account::load(db.db().read().await.unwrap().c(), &id).await.unwrap().unwrap();
            assert!(account.organization.deleted_at.is_some(), "{place}");
            server.stop().await;
        }
        figure("durable: deletion", &provider.on(&db), json!({ "places": DELETION }));
    }

    async fn deaths_at_random_moments_under_load_lose_nothing(db: TestDb, provider: Provider) {
        let (kills, organizations) = if full() { (20, 16) } else { (3, 6) };
        let world = World::of(provider).await;
        let mut dice = Dice::new(3);
        let mut server = world.serve(db.url(), &[]).await;
        let mut people = Vec::new();
        for n in 0..organizations {
            let organization = world.organization(&format!("Organization {n}")).await;
            people.push((world.admin(&server, &organization).await, organization));
        }
        let mut moments = Vec::new();
        for _ in 0..kills {
            let moment = Duration::from_millis(20 + dice.below(400));
            moments.push(moment.as_millis());
            let until = Instant::now() + moment;
            let load = join_all(people.iter().map(|(person, organization)| work(&world, person, organization, until)));
            let (_, ()) = tokio::join!(load, async {
                tokio::time::sleep_until(until).await;
                server.process.kill();
            });
            server = world.serve(db.url(), &[]).await;
        }
        let organizations: Vec<String> = people.into_iter().map(|(_, organization)| organization).collect();
        all_is_well(&world, &db, &organizations, "random moments").await;
        figure(
            "durable: random moments",
            &provider.on(&db),
            json!({
                "kills": kills,
                "milliseconds": moments,
                "organizations": organizations.len(),
                "deliveries": world.get("/sandbox/deliveries").await["total"],
            }),
        );
        drop(server);
    }
}

/// What people and providers do all the time, until they are told to stop; a server that is gone answers nobody.
async fn work(world: &World, person: &Person, organization: &str, until: Instant) {
    let mut seats = 1;
    while Instant::now() < until {
        match world.truth("subscriptions", organization).await.first().map(|row| row["id"].clone()) {
            None => {
                let Ok(answer) = person.checkout(&json!({ "plan": "growth", "seats": 5 })).await else { return };
                if answer.status == 200 {
                    world
                        .control(
                            reqwest::Method::POST,
                            "/sandbox/hosted/complete",
                            json!({ "url": answer.body["url"], "card": world.provider.card() }),
                        )
                        .await;
                }
            }
            Some(id) => {
                seats = seats % 9 + 1;
                let path = format!("/sandbox/subscriptions/{}", id.as_str().unwrap());
                world.control(reqwest::Method::POST, &path, json!({ "seats": seats })).await;
                let body = json!({ "seats": seats % 5 + 1, "when": "now" });
                let request = person.request(reqwest::Method::POST, "/api/subscription/update", &body);
                if Answer::try_of(request).await.is_err() {
                    return;
                }
            }
        }
    }
}

/// A server that dies at a place.
async fn armed(world: &World, db: &TestDb, place: &str) -> Server {
    world.serve_with(world.app, db.url(), &[], &[("TOLLKEEPER_FAILPOINT", place)]).await
}

/// Everything that was acknowledged was worked off, rows are as the provider says, effects as history says, and every
/// organization has its one customer and at most one subscription.
async fn all_is_well(world: &World, db: &TestDb, organizations: &[String], place: &str) {
    // What was not acknowledged is tried again in business time.
    for _ in 0..20 {
        if world.get("/sandbox/deliveries?state=pending").await["total"] == 0 {
            break;
        }
        world.advance(150).await;
    }
    for organization in organizations {
        world.delivered(organization).await;
    }
    worked_off(db.db()).await;
    let rows = inbox_rows(db.db()).await;
    assert!(rows.iter().all(|row| row.state != InboxState::Dead), "{place}: {rows:?}");
    let known: HashSet<&str> = rows.iter().map(|row| row.event_id.as_str()).collect();
    for organization in organizations {
        for delivery in world.deliveries(organization).await {
            let acknowledged = delivery["state"] == "delivered";
            assert!(
                !acknowledged || known.contains(delivery["eventId"].as_str().unwrap()),
                "{place}: {delivery} is lost"
            );
        }
        assert_eq!(world.truth("customers", organization).await.len(), 1, "{place}");
        assert!(world.truth("subscriptions", organization).await.len() <= 1, "{place}");
    }
    truth::effects_match_history(db.db(), organizations).await;
    let different = until_equal(world, db).await;
    assert_eq!(different, Vec::<String>::new(), "{place}");
}

/// Rows and truth, once news that is on its way has arrived.
async fn until_equal(world: &World, db: &TestDb) -> Vec<String> {
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        let different = truth::differences(world, db.db()).await;
        if different.is_empty() || Instant::now() > deadline {
            return different;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
