//! What a provider is asked, when much happens at once: little, and never so much that a person has to wait.

use std::time::Duration;

use futures_util::{StreamExt as _, TryStreamExt as _, future::join_all, stream};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};
use tollkeeper_store::inbox::{self, InboxState};
use tollkeeper_testkit::database::TestDb;

use super::{figure, full, truth};
use crate::{
    provider::{Provider, everywhere},
    support::{Answer, DAY, HOUR, Person, Server, World, worked_off},
};

/// Deliveries about one subscription.
const BURST: usize = 50;
/// Requests to providers and to the sandbox's control that are under way at once.
const WIDTH: usize = 16;

everywhere! {
    async fn fifty_deliveries_about_one_subscription_cost_at_most_three_questions(db: TestDb, provider: Provider) {
        let world = World::of(provider).await;
        let server = world.serve(db.url(), &[]).await;
        let organization = world.organization("Acme Inc").await;
        let admin = world.admin(&server, &organization).await;
        let started = admin.create(json!({ "plan": "growth", "trial": false })).await.ok();
        world.pay(&started["url"]).await;
        admin.subscription_is("active").await;
        world.delivered(&organization).await;
        worked_off(db.db()).await;
        // As far away as a provider is.
        world.control(Method::PUT, "/sandbox/chaos", json!({ "apiLatencyMs": 200 })).await.ok();
        let before = last_request(&world).await;
        let event = match provider {
            Provider::Chargebee => "subscription_changed",
            Provider::Stripe => "customer.subscription.updated",
        };
        let told = json!({ "event": event, "organizationId": organization });
        join_all((0..BURST).map(|_| world.post("/sandbox/trigger", told.clone()))).await;
        world.delivered(&organization).await;
        worked_off(db.db()).await;
        let questions = asked_since(&world, &before).await;
        assert!(questions <= 3, "{questions} questions");
        let figures = json!({ "deliveries": BURST, "questions": questions });
        figure("few calls: a burst about one subscription", &provider.on(&db), figures);
        server.stop().await;
    }
}

tollkeeper_testkit::both_engines! {
    async fn everybody_renews_at_once_and_a_person_finds_room(db: TestDb) {
        let (count, people) = if full() { (10_000, 60) } else { (300, 4) };
        let world = World::of(Provider::Stripe).await;
        let server = world.serve(db.url(), &[]).await;
        let organizations = organizations(&world, count + people).await;
        at_rest(&world, &db).await;
        subscribe(&world, &organizations[people..]).await;
        at_rest(&world, &db).await;
        server.stop().await;

        // The budget that is usual, and the limit of Stripe's own sandboxes: 25 requests in any second.
        let catalog = std::fs::read_to_string(&world.env["TOLLKEEPER_CONFIG"]).unwrap();
        let usual = catalog.replace("[providers.stripe]\nrequests_per_minute = 60000\n", "").replace("\"60s\"", "0");
        assert!(!usual.contains("[providers.stripe]") && !usual.contains("60s"));
        let config = world.folder.path().join("usual.toml");
        std::fs::write(&config, usual).unwrap();
        let env = [("TOLLKEEPER_CONFIG", config.to_str().unwrap())];
        let server = world.serve_with(world.app, db.url(), &[], &env).await;
        world.control(Method::PUT, "/sandbox/chaos", json!({ "apiRateLimitPerMinute": 1_500 })).await.ok();
        let before = last_request(&world).await;
        let known = deliveries(&db).await;

        let begun = Instant::now();
        // A month later, and as long again as Stripe takes to ask for the money.
        world.advance(31 * DAY + 2 * HOUR).await;
        let (renewed, waits) = tokio::join!(
            renewed(&world, &db),
            people_buy(&world, &server, &organizations[..people], Duration::from_secs(if full() { 1 } else { 0 })),
        );
        let Renewed { sent, right } = renewed;
        let questions = asked_since(&world, &before).await;
        world.control(Method::PUT, "/sandbox/chaos", json!({})).await.ok();
        assert_eq!(truth::differences(&world, db.db()).await, Vec::<String>::new());
        // With few, their tail is asked for one by one: what a list saves shows among many.
        let told = deliveries(&db).await - known;
        let most = u64::try_from(told).unwrap() / 4;
        assert!(questions < most, "{questions} questions for {count} renewals and {told} deliveries");
        figure(
            "few calls: everybody renews at once",
            &Provider::Stripe.on(&db),
            json!({
                "renewals": count,
                "deliveries": told,
                "seconds until the last delivery": (sent - begun).as_secs(),
                "seconds until all rows were right after it": right.saturating_duration_since(sent).as_secs(),
                "requests to Stripe": questions,
                "checkouts meanwhile": waits.len(),
                "longest wait of a person, ms": waits.iter().map(Duration::as_millis).max(),
            }),
        );
        server.stop().await;
    }
}

/// The last request that any provider was sent so far.
async fn last_request(world: &World) -> String {
    world.get("/sandbox/requests?limit=1").await["requests"][0]["id"].as_str().unwrap().to_owned()
}

/// How many requests the billing provider was sent since.
async fn asked_since(world: &World, last: &str) -> u64 {
    let count = async |query: &str| {
        world.get(&format!("/sandbox/requests?after={last}&limit=1{query}")).await["total"].as_u64().unwrap()
    };
    // A full log has forgotten some.
    assert!(count("").await < 100_000, "more requests than the log holds");
    count(&format!("&provider={}", world.provider.name())).await
}

/// How many deliveries were taken in so far.
async fn deliveries(db: &TestDb) -> i64 {
    inbox::counts(db.db().read().await.unwrap().c()).await.unwrap().iter().map(|(.., count)| count).sum()
}

async fn organizations(world: &World, count: usize) -> Vec<String> {
    let made = stream::iter(0..count).map(|n| async move { world.organization(&format!("Organization {n}")).await });
    made.buffered(WIDTH).collect().await
}

/// Every organization's customer gets a card and a subscription, as somebody does at the provider.
async fn subscribe(world: &World, organizations: &[String]) {
    let truth = world.get("/sandbox/truth").await;
    let customers = truth["customers"].as_array().unwrap();
    let wanted: std::collections::HashSet<&str> = organizations.iter().map(String::as_str).collect();
    let price = world.provider.price("starter", "month");
    let ids = customers.iter().filter(|row| wanted.contains(row["organizationId"].as_str().unwrap_or_default()));
    let ids: Vec<String> = ids.map(|row| row["id"].as_str().unwrap().to_owned()).collect();
    assert_eq!(ids.len(), organizations.len());
    let work = stream::iter(ids).map(|customer| {
        let price = &price;
        async move {
            let post = async |path: &str, form: &[(&str, &str)]| -> Value {
                let request = world.client.post(format!("{}{path}", world.url));
                Answer::of(request.bearer_auth(&world.env["STRIPE_SECRET_KEY"]).form(form)).await.ok()
            };
            let card = post("/v1/payment_methods/pm_card_visa/attach", &[("customer", &customer)]).await;
            let card = card["id"].as_str().unwrap();
            let form = [
                ("customer", customer.as_str()),
                ("items[0][price]", price.as_str()),
                ("default_payment_method", card),
            ];
            post("/v1/subscriptions", &form).await;
            Ok::<_, ()>(())
        }
    });
    work.buffer_unordered(WIDTH).try_collect::<()>().await.unwrap();
}

/// When the last delivery was taken in, and when nothing waited any more.
struct Renewed {
    sent: Instant,
    right: Instant,
}

async fn renewed(world: &World, db: &TestDb) -> Renewed {
    sent(world).await;
    let sent = Instant::now();
    quiet(db).await;
    Renewed { sent, right: Instant::now() }
}

/// One after the other begins a checkout; answers how long each waited.
async fn people_buy(world: &World, server: &Server, organizations: &[String], pause: Duration) -> Vec<Duration> {
    let mut people: Vec<Person> = Vec::new();
    for organization in organizations {
        people.push(world.admin(server, organization).await);
    }
    let mut waits = Vec::new();
    for person in people {
        let begun = Instant::now();
        person.create(json!({ "plan": "growth" })).await.ok();
        waits.push(begun.elapsed());
        sleep(pause).await;
    }
    waits
}

/// Nothing is on its way, and nothing waits for work.
async fn at_rest(world: &World, db: &TestDb) {
    sent(world).await;
    quiet(db).await;
}

async fn sent(world: &World) {
    long("every delivery was sent", async || {
        world.get("/sandbox/deliveries?state=pending&limit=1").await["total"] == 0
    })
    .await;
}

async fn quiet(db: &TestDb) {
    long("nothing waits for work", async || {
        let counts = inbox::counts(db.db().read().await.unwrap().c()).await.unwrap();
        counts.iter().all(|(_, state, count)| *state != InboxState::Pending || *count == 0)
    })
    .await;
}

/// Waits for something that takes minutes when there is much of it.
async fn long(what: &str, mut condition: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(15 * 60);
    while !condition().await {
        assert!(Instant::now() < deadline, "waited in vain: {what}");
        sleep(Duration::from_millis(100)).await;
    }
}
