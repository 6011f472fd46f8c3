//! Many at once: one organization has one customer and one open checkout.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use tokio::task::JoinSet;
use tollkeeper_store::account;
use tollkeeper_testkit::{database::TestDb, process::until};

use crate::{
    provider::everywhere,
    support::{Answer, Person, Server, World, worked_off},
    wire::{Fault, Wire},
};

const CALLERS: usize = 64;

/// Servers that share a database: one on SQLite, two on Postgres. The first gets the webhooks.
async fn servers(world: &World, db: &TestDb) -> Vec<Server> {
    let mut servers = vec![world.serve(db.url(), &[]).await];
    if db.db().is_postgres() {
        servers.push(world.serve_at("127.0.0.1:0".parse().unwrap(), db.url(), &[]).await);
    }
    servers
}

/// Every caller asks for its choice at once, spread over the servers.
async fn all_at_once(admins: &[Person], choices: &[Value]) -> Vec<Answer> {
    let mut callers = JoinSet::new();
    for caller in 0..CALLERS {
        callers.spawn(admins[caller % admins.len()].checkout(&choices[(caller / admins.len()) % choices.len()]));
    }
    callers.join_all().await.into_iter().map(Result::unwrap).collect()
}

fn by_status(answers: &[Answer]) -> BTreeMap<(u16, &str), usize> {
    let mut counts = BTreeMap::new();
    answers.iter().for_each(|answer| *counts.entry((answer.status, answer.code())).or_default() += 1);
    counts
}

everywhere! {
    async fn many_first_checkouts_and_webhooks_at_once_make_one_customer_and_one_page(db: TestDb, provider: Provider) {
        let world = World::of(provider).await;
        let servers = servers(&world, &db).await;
        // Its webhook is under way while everybody begins.
        let organization = world.organization("Acme Inc").await;
        let mut admins = Vec::new();
        for server in &servers {
            admins.push(world.admin(server, &organization).await);
        }
        let news = async {
            for round in 0..6 {
                world.rename(&organization, &format!("Acme {round}")).await;
                for delivery in world.deliveries(&organization).await {
                    world.resend(&delivery).await;
                }
            }
        };
        let choices = [json!({ "plan": "growth", "seats": 5 })];
        let (answers, ()) = tokio::join!(all_at_once(&admins, &choices), news);

        let counts = by_status(&answers);
        let allowed = [(200, ""), (503, "checkout_in_progress")];
        assert!(counts.keys().all(|kind| allowed.contains(kind)), "{counts:?}");
        let urls: BTreeSet<_> =
            answers.iter().filter(|answer| answer.status == 200).map(|answer| answer.body["url"].as_str().unwrap()).collect();
        assert_eq!(urls.len(), 1, "{counts:?}: {urls:?}");
        world.delivered(&organization).await;
        worked_off(db.db()).await;
        let customers = world.truth("customers", &organization).await;
        assert_eq!(customers.len(), 1, "{customers:?}");
        assert_eq!(customers[0]["company"], "Acme 5", "the last name reached the customer");
        assert_eq!(world.pages_made(&organization).await, 1);
        for admin in &admins {
            let rows = admin.subscriptions(true).await;
            assert_eq!(rows.len(), 1, "{rows:?}");
            assert_eq!(rows[0]["status"], "future");
        }
    }

    async fn two_choices_at_once_end_with_one_open_checkout(db: TestDb, provider: Provider) {
        let world = World::of(provider).await;
        let servers = servers(&world, &db).await;
        let organization = world.organization("Acme Inc").await;
        let mut admins = Vec::new();
        for server in &servers {
            admins.push(world.admin(server, &organization).await);
        }
        let choices = [json!({ "plan": "growth", "seats": 5 }), json!({ "plan": "starter" })];
        let answers = all_at_once(&admins, &choices).await;
        let counts = by_status(&answers);
        let allowed = [(200, ""), (409, "checkout_replaced"), (503, "checkout_in_progress"), (503, "contended")];
        assert!(counts.keys().all(|kind| allowed.contains(kind)), "{counts:?}");
        assert_eq!(world.truth("customers", &organization).await.len(), 1);

        // Whatever was left in the middle is brought to its end by the next who asks.
        let chosen = until("a checkout is open", async || {
            let answer = admins[0].create(choices[0].clone()).await;
            assert!(answer.status < 500 || answer.status == 503, "{}", answer.body);
            (answer.status == 200).then_some(answer.body)
        })
        .await;
        let id = organization.as_str().into();
        let account = account::load(db.db().read().await.unwrap().c(), &id).await.unwrap().unwrap();
        let open: Vec<_> = account.subscriptions.iter().filter(|row| row.status.as_str() == "future").collect();
        let [row] = open[..] else { panic!("{} checkouts are open here", open.len()) };
        let checkout = row.checkout.as_ref().unwrap();
        assert_eq!(checkout.url.as_deref(), chosen["url"].as_str());
        let page = world.page(checkout.reference.as_deref().unwrap()).await;
        assert_eq!(page, (true, chosen["url"].as_str().unwrap().to_owned()));
        // Asked again, it is still the same one.
        let again = admins.last().unwrap().create(choices[0].clone()).await.ok();
        assert_eq!(again["url"], chosen["url"]);
    }

    async fn what_was_done_behind_a_failure_is_found_and_not_done_again(db: TestDb, provider: Provider) {
        for path in [provider.customers(), provider.new_page()] {
            let mut world = World::of(provider).await;
            let wire = Wire::tap(&mut world).await;
            let server = world.serve_at("127.0.0.1:0".parse().unwrap(), db.url(), &[]).await;
            let organization = world.organization("Acme Inc").await;
            let admin = world.admin(&server, &organization).await;
            wire.set(Fault::FailureAfterTheWork(path));
            until("a checkout is open", async || {
                let answer = admin.create(json!({ "plan": "growth" })).await;
                let again = (answer.status, answer.code()) == (503, "provider_unavailable");
                assert!(again || answer.status == 200, "{path}: {}", answer.body);
                (!again).then_some(())
            })
            .await;
            assert_eq!(world.truth("customers", &organization).await.len(), 1);
            assert_eq!(world.pages_made(&organization).await, 1, "{path}");
        }
    }
}
