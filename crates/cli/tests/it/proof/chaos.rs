//! Any order, any duplication, any loss of webhooks, with a provider's API that fails before and after the work: the rows
//! end in the provider's truth. Without losses at once; with losses after one reconciliation.

use std::fs;

use futures_util::{StreamExt as _, stream};
use reqwest::Method;
use serde_json::{Value, json};
use tollkeeper_testkit::{database::TestDb, process::until};

use super::{dice::Dice, figure, full, truth};
use crate::provider::{Provider, everywhere};
use crate::support::{Answer, DAY, Person, World, worked_off};

/// Changes of each organization, and over how many days they are spread.
struct Size {
    organizations: u64,
    rounds: u64,
    changes_per_round: u64,
}

impl Size {
    fn now() -> Self {
        match full() {
            true => Self { organizations: 200, rounds: 6, changes_per_round: 5 },
            false => Self { organizations: 12, rounds: 3, changes_per_round: 3 },
        }
    }
}

/// A month in all.
const DAYS: u64 = 31;

everywhere! {
    async fn with_losses_one_reconciliation_is_enough(db: TestDb, provider: Provider) {
        chaos(&db, &[provider], 10, 1).await;
    }

    async fn without_losses_none_is_needed(db: TestDb, provider: Provider) {
        chaos(&db, &[provider], 0, 2).await;
    }
}

tollkeeper_testkit::both_engines! {
    async fn two_providers_side_by_side_end_in_the_truth_of_each(db: TestDb) {
        chaos(&db, &[Provider::Chargebee, Provider::Stripe], 10, 3).await;
    }
}

/// With organizations of every one of these providers, in turns.
async fn chaos(db: &TestDb, providers: &[Provider], drop_percent: u64, seed: u64) {
    let size = Size::now();
    let world = World::of(providers[0]).await;
    let catalog = fs::read_to_string(&world.env["TOLLKEEPER_CONFIG"]).unwrap();
    let config = world.folder.path().join("chaos.toml");
    // No comparison on a schedule: what is right is so by deliveries and by time alone.
    let alone = catalog.replace("interval = \"60s\"", "interval = 0");
    assert_ne!(alone, catalog);
    fs::write(&config, alone).unwrap();
    let env = [("TOLLKEEPER_CONFIG", config.to_str().unwrap())];
    let setting = json!({
        "seed": seed, "dropRate": rate(drop_percent), "duplicateRate": 0.3, "reorderRate": 0.5,
        "apiErrorRate": 0.05, "apiErrorAfterCommitRate": 0.03,
    });
    let begin = async || world.control(Method::PUT, "/sandbox/chaos", setting.clone()).await.ok();
    // Organizations of the providers before the last one are made while new ones are pinned to those; what pins them
    // must arrive, so chaos begins afterwards.
    let (last, others) = providers.split_last().unwrap();
    let mut organizations = vec![String::new(); usize::try_from(size.organizations).unwrap()];
    let make = async |organizations: &mut Vec<String>, provider: &Provider| {
        let place = providers.iter().position(|it| it == provider).unwrap();
        for (n, id) in organizations.iter_mut().enumerate().skip(place).step_by(providers.len()) {
            *id = world.organization(&format!("Organization {n}")).await;
        }
    };
    for provider in others {
        let pinned = [env[0], ("BILLING_PROVIDER", provider.name())];
        let server = world.serve_with(world.app, db.url(), &[], &pinned).await;
        make(&mut organizations, provider).await;
        settled(&world, db).await;
        server.stop().await;
    }
    let env = [env[0], ("BILLING_PROVIDER", last.name())];
    let first = world.serve_with(world.app, db.url(), &[], &env).await;
    // A second process works on the same rows where the engine is made for it.
    let second = match db.url().starts_with("postgres") {
        true => Some(world.serve_with("127.0.0.1:0".parse().unwrap(), db.url(), &[], &env).await),
        false => None,
    };
    begin().await;
    make(&mut organizations, last).await;

    let mut actors = Vec::new();
    for (n, organization) in (0..).zip(organizations) {
        let provider = providers[usize::try_from(n).unwrap() % providers.len()];
        let server = if n % 2 == 0 { &first } else { second.as_ref().unwrap_or(&first) };
        let admin = world.admin(server, &organization).await;
        // Half of each provider's.
        let plan = if n / u64::try_from(providers.len()).unwrap() % 2 == 0 {
            json!({ "plan": "starter", "trial": false })
        } else {
            json!({ "plan": "growth", "seats": 5 })
        };
        actors.push(Actor { admin, organization, provider, plan, dice: Dice::new(seed << 32 | n), made: 0 });
    }
    together(actors.iter_mut().map(|actor| actor.buy(&world))).await;
    for _ in 0..size.rounds {
        together(actors.iter_mut().map(|actor| actor.change(&world, size.changes_per_round))).await;
        world.advance(i64::try_from(DAYS / size.rounds).unwrap() * DAY).await;
    }

    world.control(Method::PUT, "/sandbox/chaos", json!({})).await.ok();
    settled(&world, db).await;
    let before = truth::differences(&world, db.db()).await;
    let mut checked = Value::Null;
    if drop_percent > 0 {
        let report = reconcile(&world, &first.url).await;
        worked_off(db.db()).await;
        checked = json!({ "checked": report["checked"], "repaired": report["repaired"] });
        let again = reconcile(&world, &first.url).await;
        assert_eq!(again["repaired"], 0, "a second one finds nothing: {again}");
    }
    let after = truth::differences(&world, db.db()).await;
    assert_eq!(after, Vec::<String>::new(), "before the reconciliation: {before:?}");
    for actor in &actors {
        let rows = world.truth("subscriptions", &actor.organization).await;
        assert!(!rows.is_empty() && rows.iter().all(|row| Provider::of(row) == actor.provider), "{rows:?}");
    }
    let organizations: Vec<String> = actors.iter().map(|actor| actor.organization.clone()).collect();
    let effects = truth::effects_match_history(db.db(), &organizations).await;
    let deliveries = world.get("/sandbox/deliveries").await["total"].clone();
    figure(
        "order, duplicates, loss",
        &providers.iter().map(|provider| provider.on(db)).collect::<Vec<_>>().join(" and "),
        json!({
            "organizations": size.organizations,
            "changes": actors.iter().map(|actor| actor.made).sum::<u64>(),
            "deliveries": deliveries,
            "dropped percent": drop_percent,
            "rows that differed before": before.len(),
            "reconciliation": checked,
            "rows that differ": after.len(),
            "effects": effects,
            "processes": 1 + usize::from(second.is_some()),
        }),
    );
    drop((first, second));
}

fn rate(percent: u64) -> Value {
    serde_json::from_str(&format!("0.{percent:02}")).unwrap()
}

async fn reconcile(world: &World, app: &str) -> Value {
    let request = world.client.post(format!("{app}/admin/api/reconcile")).json(&json!({ "full": true }));
    let answer = Answer::of(request.bearer_auth(&world.env["TOLLKEEPER_OPERATOR_KEY"])).await;
    if answer.status != 202 {
        return answer.ok();
    }
    let job = answer.body["job"].as_str().unwrap().to_owned();
    until("the reconciliation ends", async || {
        let request = world.client.get(format!("{app}/admin/api/reconcile/{job}"));
        let answer = Answer::of(request.bearer_auth(&world.env["TOLLKEEPER_OPERATOR_KEY"])).await;
        (answer.status == 200).then_some(answer.body)
    })
    .await
}

/// Nothing is on its way any more, and nothing waits for work. What the sandbox tries again it tries in business time.
async fn settled(world: &World, db: &TestDb) {
    for _ in 0..20 {
        worked_off(db.db()).await;
        let waiting = world.get("/sandbox/deliveries?state=pending").await;
        if waiting["total"] == 0 {
            worked_off(db.db()).await;
            return;
        }
        world.advance(60).await;
    }
    panic!("deliveries are on their way for ever");
}

/// Several at once.
async fn together(work: impl Iterator<Item = impl Future<Output = ()>>) {
    stream::iter(work).buffer_unordered(8).collect::<()>().await;
}

/// One organization, and somebody who keeps changing its subscription.
struct Actor {
    admin: Person,
    organization: String,
    provider: Provider,
    plan: Value,
    dice: Dice,
    /// Changes that somebody took.
    made: u64,
}

impl Actor {
    /// Buys, however often it takes: a provider that fails is asked again by whoever wants something.
    async fn buy(&mut self, world: &World) {
        until("a checkout", async || (self.buy_again(world).await.status == 200).then_some(())).await;
    }

    async fn buy_again(&self, world: &World) -> Answer {
        let answer = self.admin.create(self.plan.clone()).await;
        if answer.status != 200 {
            return answer;
        }
        let body = json!({ "url": answer.body["url"], "card": self.provider.card() });
        let paid = world.control(Method::POST, "/sandbox/hosted/complete", body).await;
        // It was paid before, and the provider did not answer when we looked: the news of it is still under way.
        if paid.code() != "page_over" {
            paid.ok();
            return answer;
        }
        paid
    }

    async fn change(&mut self, world: &World, changes: u64) {
        let wanted = self.made + changes;
        for _ in 0..changes * 10 {
            let truth = world.truth("subscriptions", &self.organization).await;
            let live = truth.iter().find(|row| row["over"] != true).map(|row| row["id"].as_str().unwrap());
            let answer = match live {
                // That it ended may not be known here yet: then this is refused, like anything else.
                None => self.buy_again(world).await,
                Some(id) if self.dice.below(2) == 0 => self.work_in_the_dashboard(world, id).await,
                Some(_) => self.ask().await,
            };
            // Refused, declined or failing are answers; nothing of ours may break.
            assert!(answer.status != 500 && answer.status < 504, "{} {}", answer.status, answer.body);
            self.made += u64::from(answer.status == 200);
            if self.made >= wanted {
                return;
            }
        }
    }

    /// Through our API.
    async fn ask(&mut self) -> Answer {
        let seats = 1 + self.dice.below(5);
        let when = *self.dice.of(&["now", "period_end", "auto"]);
        let plan = *self.dice.of(&["starter", "growth"]);
        let interval = *self.dice.of(&["month", "year"]);
        let (path, body) = match self.dice.below(9) {
            0 | 1 => ("update", json!({ "seats": seats, "when": when })),
            2 => ("update", json!({ "plan": plan, "seats": seats, "when": when })),
            3 => ("update", json!({ "plan": plan, "interval": interval, "when": when })),
            4 => ("cancel", json!({})),
            5 => ("restore", json!({})),
            6 => ("pause", json!({ "when": *self.dice.of(&["now", "period_end"]) })),
            7 => ("resume", json!({})),
            _ => ("restore", json!({ "what": "change" })),
        };
        self.admin.post(&format!("/api/subscription/{path}"), body).await
    }

    /// As somebody does at the provider.
    async fn work_in_the_dashboard(&mut self, world: &World, id: &str) -> Answer {
        let (plan, interval) = *self.dice.of(&[("starter", "month"), ("growth", "month"), ("growth", "year")]);
        let price = self.provider.price(plan, interval);
        let body = match self.dice.below(10) {
            0 | 1 => json!({ "seats": 1 + self.dice.below(9) }),
            2 => json!({ "priceId": price }),
            3 => json!({ "cancelAtPeriodEnd": true }),
            4 => json!({ "cancelAtPeriodEnd": false }),
            5 => json!({ "pause": true }),
            6 => json!({ "resume": true }),
            7 if self.dice.below(6) == 0 => json!({ "cancel": true }),
            8 if self.provider == Provider::Stripe => json!({ "collectionPaused": self.dice.below(2) == 0 }),
            _ => json!({ "failNextPayment": true }),
        };
        let path = format!("/sandbox/subscriptions/{}", id);
        world.control(Method::POST, &path, body).await
    }
}
