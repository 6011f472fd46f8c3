//! `tollkeeper plans`: the catalog goes to the provider, and comes from there.

use std::{fs, process::Command};

use serde_json::{Value, json};
use tollkeeper_testkit::database::{Engine, TestDb};
use toml::Table;

use crate::{
    provider::{Provider, both_providers},
    support::{World, run, tollkeeper},
};

/// A command with everything that the world knows; there is no database, and none is needed.
fn plans(world: &World, args: &[&str]) -> Command {
    let mut command = tollkeeper(&[&["plans"], args].concat());
    command.envs(&world.env).env("DATABASE_URL", format!("sqlite:{}/none.db", world.folder.path().display()));
    command
}

fn said(world: &World, args: &[&str]) -> String {
    let (good, said) = run(&mut plans(world, args));
    assert!(good, "{args:?}: {said}");
    said
}

fn refused(world: &World, args: &[&str]) -> String {
    let (good, said) = run(&mut plans(world, args));
    assert!(!good, "{args:?}: {said}");
    said
}

fn told(world: &World, args: &[&str]) -> Value {
    serde_json::from_str(&said(world, &[args, &["--json"]].concat())).unwrap()
}

/// The catalog of a world, changed.
fn edit(world: &World, change: impl FnOnce(&mut Table)) {
    let path = &world.env["TOLLKEEPER_CONFIG"];
    let mut table: Table = fs::read_to_string(path).unwrap().parse().unwrap();
    change(&mut table);
    fs::write(path, table.to_string()).unwrap();
}

/// A plan that nobody knows yet, and an add-on.
fn sell_more(world: &World) {
    let provider = world.provider.name();
    let text = format!(
        r#"
        [plans.basic]
        title = "Basic"
        prices = [
            {{ provider = "{provider}", id = "basic-monthly", interval = "month", currency = "USD", amount = 900 }},
            {{ provider = "{provider}", id = "basic-yearly", interval = "year", currency = "USD", amount = 800, per_seat = true }},
        ]
        [addons.support]
        prices = [{{ provider = "{provider}", id = "support-monthly", interval = "month", currency = "USD", amount = 250 }}]
        [addons.training]
        prices = [{{ provider = "{provider}", id = "training", interval = "once", currency = "USD", amount = 70000 }}]
        "#
    );
    let more: Table = text.parse().unwrap();
    edit(world, |table| {
        for kind in ["plans", "addons"] {
            let more = more[kind].as_table().unwrap().clone();
            table[kind].as_table_mut().unwrap().extend(more);
        }
    });
}

/// Puts the ids that a provider chose into the catalog, as its operator is told to.
fn rename(world: &World, pushed: &Value) {
    edit(world, |table| {
        for kind in ["plans", "addons"] {
            for (_, sold) in table[kind].as_table_mut().unwrap().iter_mut() {
                let prices = sold.get_mut("prices").and_then(toml::Value::as_array_mut);
                for price in prices.into_iter().flatten() {
                    let known = pushed["prices"].as_array().unwrap().iter();
                    let of_this =
                        |row: &&Value| row["id"] == price["id"].as_str().unwrap() && row["idThere"].is_string();
                    if let Some(row) = known.clone().find(of_this) {
                        price["id"] = row["idThere"].as_str().unwrap().into();
                    }
                }
            }
        }
    });
}

/// Every price at the provider, by the id that the catalog gave it.
async fn prices_there(world: &World) -> Vec<String> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    match world.provider {
        Provider::Chargebee => {
            let page = world.provider_get("/api/v2/item_prices?limit=100").await;
            page["list"].as_array().unwrap().iter().map(|row| text(&row["item_price"]["id"])).collect()
        }
        Provider::Stripe => {
            let page = world.provider_get("/v1/prices?limit=100").await;
            page["data"].as_array().unwrap().iter().map(|row| text(&row["lookup_key"])).collect()
        }
    }
}

const NEW: [&str; 4] = ["basic-monthly", "basic-yearly", "support-monthly", "training"];

both_providers! {
    async fn what_the_catalog_sells_is_made_at_the_provider_once_and_can_be_bought(provider: Provider) {
        let world = World::of(provider).await;
        let before = prices_there(&world).await;
        assert!(said(&world, &["push", "--yes"]).contains("Nothing to do"), "the demo's catalog is there");
        sell_more(&world);
        let shown = said(&world, &["push", "--dry-run"]);
        assert!(NEW.iter().all(|id| shown.lines().any(|line| line.starts_with("create") && line.contains(id))), "{shown}");
        assert!(shown.contains("900 USD, month") && shown.contains("800 USD per seat, year"), "{shown}");
        assert!(refused(&world, &["push"]).contains("--yes"), "nobody is there to be asked");
        assert_eq!(prices_there(&world).await, before, "nothing was done yet");

        let pushed = told(&world, &["push", "--yes"]);
        assert_eq!(pushed["todo"], 4, "{pushed}");
        let again = said(&world, &["push", "--yes"]);
        assert!(again.contains("Nothing to do"), "{again}");
        if provider == Provider::Stripe {
            assert!(again.lines().any(|line| line.starts_with("renamed") && line.contains("price_1")), "{again}");
            // What was made under another id may differ as well.
            let cost = |amount: i64| edit(&world, |table| table["plans"]["basic"]["prices"][0]["amount"] = amount.into());
            cost(950);
            let differs = said(&world, &["push", "--yes"]);
            assert!(differs.contains("costs 900 USD there, 950 here"), "{differs}");
            cost(900);
        }
        rename(&world, &pushed);
        let third = told(&world, &["push", "--yes"]);
        assert!(third["prices"].as_array().unwrap().iter().all(|row| row["state"] == "same"), "{third}");
        let there = prices_there(&world).await;
        assert_eq!(there.len(), before.len() + 4, "{there:?}");

        let db = TestDb::new(Engine::Sqlite).await;
        let server = world.serve(db.url(), &[]).await;
        let organization = world.organization("Acme Inc").await;
        let admin = world.admin(&server, &organization).await;
        for (interval, seats) in [("month", 3), ("year", 4)] {
            let page = admin.create(json!({ "plan": "basic", "interval": interval, "seats": seats })).await.ok();
            world.pay(&page["url"]).await;
            let row = admin.subscription_is("active").await;
            assert_eq!((&row["plan"], &row["seats"]), (&json!("basic"), &json!(seats)), "{row}");
            let subscription = world.bought(&organization).await;
            let paid: i64 = world.invoices(&subscription).await.iter().map(|invoice| invoice.total).sum();
            assert_eq!(paid, if interval == "month" { 900 } else { 4 * 800 });
            admin.post("/api/subscription/cancel", json!({ "when": "now" })).await.ok();
        }
    }

    async fn a_push_that_ended_in_the_middle_makes_nothing_twice(provider: Provider) {
        let world = World::of(provider).await;
        let before = prices_there(&world).await.len();
        sell_more(&world);
        // Everything is done, and no answer says so.
        let chaos = |rate: f64| json!({ "seed": 7, "apiErrorAfterCommitRate": rate });
        for _ in 0..12 {
            world.control(reqwest::Method::PUT, "/sandbox/chaos", chaos(1.0)).await.ok();
            let (good, lost) = run(&mut plans(&world, &["push", "--yes"]));
            world.control(reqwest::Method::PUT, "/sandbox/chaos", chaos(0.0)).await.ok();
            if good {
                break;
            }
            assert!(lost.contains("pushing again goes on"), "{lost}");
        }
        assert!(said(&world, &["push", "--yes"]).contains("Nothing to do"));
        let there = prices_there(&world).await;
        assert_eq!(there.len(), before + 4, "{there:?}");
        assert!(NEW.iter().all(|id| there.iter().filter(|known| known == id).count() == 1), "{there:?}");
    }

    async fn another_amount_is_changed_where_that_is_possible_and_told_where_it_is_not(provider: Provider) {
        let world = World::of(provider).await;
        let id = provider.price("starter", "month");
        edit(&world, |table| {
            for price in table["plans"]["starter"]["prices"].as_array_mut().unwrap() {
                if price["id"].as_str() == Some(&id) && price["currency"].as_str() == Some("USD") {
                    price["amount"] = 2_100.into();
                }
            }
        });
        let difference = "costs 1900 USD there, 2100 here";
        let pulled = said(&world, &["pull"]);
        assert!(pulled.contains(difference) && pulled.lines().all(|line| line.starts_with('#')), "{pulled}");
        match provider {
            Provider::Chargebee => {
                let shown = said(&world, &["push", "--yes"]);
                assert!(shown.contains(difference) && shown.contains("Done"), "{shown}");
                assert!(said(&world, &["push"]).contains("Nothing to do"));
                let price = world.provider_get(&format!("/api/v2/item_prices/{id}")).await["item_price"].clone();
                assert_eq!(price["tiers"][0]["price"], 2_100, "{price}");
            }
            Provider::Stripe => {
                let shown = refused(&world, &["push", "--yes"]);
                assert!(shown.contains(difference) && shown.contains("nobody can change"), "{shown}");
            }
        }
    }

    async fn what_is_no_longer_sold_is_sold_again(provider: Provider) {
        let world = World::of(provider).await;
        let id = provider.price("starter", "month");
        let (path, off) = match provider {
            Provider::Chargebee => (format!("/api/v2/item_prices/{id}"), ("status", "archived")),
            Provider::Stripe => (format!("/v1/prices/{id}"), ("active", "false")),
        };
        world.provider_post(&path, &[off]).await;
        let shown = said(&world, &["push", "--yes"]);
        assert!(shown.contains("not sold there any more") && shown.contains("Done"), "{shown}");
        assert!(said(&world, &["push"]).contains("Nothing to do"));
    }

    async fn what_is_sold_there_is_printed_as_the_catalog_writes_it(provider: Provider) {
        let world = World::of(provider).await;
        assert!(said(&world, &["pull"]).contains("nothing differs"));
        match provider {
            Provider::Chargebee => {
                let item = [("id", "team"), ("name", "Team"), ("type", "plan"), ("item_family_id", "sandbox")];
                world.provider_post("/api/v2/items", &item).await;
                let price = [("id", "team-m"), ("name", "Team m"), ("item_id", "team"), ("currency_code", "CHF"),
                    ("pricing_model", "per_unit"), ("price", "700"), ("period", "1"), ("period_unit", "month")];
                world.provider_post("/api/v2/item_prices", &price).await;
                let price = [("id", "growth-chf"), ("name", "g"), ("item_id", "growth"), ("currency_code", "CHF"),
                    ("pricing_model", "flat_fee"), ("price", "5000"), ("period", "1"), ("period_unit", "year")];
                world.provider_post("/api/v2/item_prices", &price).await;
                let price = [("id", "odd"), ("name", "o"), ("item_id", "growth"), ("currency_code", "CHF"),
                    ("pricing_model", "flat_fee"), ("price", "5000"), ("period", "3"), ("period_unit", "month")];
                world.provider_post("/api/v2/item_prices", &price).await;
            }
            Provider::Stripe => {
                let product = world.provider_post("/v1/products", &[("name", "Team")]).await;
                let price = [("product", product["id"].as_str().unwrap()), ("currency", "chf"), ("unit_amount", "700"),
                    ("recurring[interval]", "month")];
                world.provider_post("/v1/prices", &price).await;
                let price = [("product", "prod_growth"), ("currency", "chf"), ("recurring[interval]", "year"),
                    ("billing_scheme", "tiered"), ("tiers_mode", "volume"), ("tiers[0][up_to]", "inf"),
                    ("tiers[0][flat_amount]", "5000")];
                world.provider_post("/v1/prices", &price).await;
                let price = [("product", "prod_growth"), ("currency", "chf"), ("recurring[interval]", "month"),
                    ("recurring[interval_count]", "3"), ("unit_amount", "5000")];
                world.provider_post("/v1/prices", &price).await;
            }
        }
        let pulled = said(&world, &["pull"]);
        assert_eq!(pulled.matches("no words for").count(), 1, "{pulled}");
        assert_eq!(pulled.matches("add these prices").count(), 1, "{pulled}");
        let table: Table = pulled.parse().unwrap();
        let team = &table["plans"]["team"]["prices"][0];
        assert_eq!(
            (team["currency"].as_str(), team["amount"].as_integer(), team["per_seat"].as_bool()),
            (Some("CHF"), Some(700), Some(true))
        );
        let growth = &table["plans"]["growth"]["prices"][0];
        assert_eq!((growth["interval"].as_str(), growth["amount"].as_integer()), (Some("year"), Some(5_000)));
        assert!(growth.get("per_seat").is_none());
        let unknown = told(&world, &["pull"])["unknown"].as_array().unwrap().len();
        assert_eq!(unknown, 3);

        // Put into the catalog as it is printed, all that has words for it is known.
        edit(&world, |ours| {
            ours["plans"].as_table_mut().unwrap().insert("team".into(), table["plans"]["team"].clone());
            ours["plans"]["growth"]["prices"].as_array_mut().unwrap().push(growth.clone());
        });
        let rest = told(&world, &["pull"]);
        assert_eq!((rest["unknown"].as_array().unwrap().len(), &rest["differs"]), (1, &json!([])), "{rest}");
        assert!(said(&world, &["push"]).contains("Nothing to do"));
    }
}

#[tokio::test]
async fn the_catalog_is_shown() {
    let world = World::start().await;
    let listed = said(&world, &["list"]);
    let line = |words: &[&str]| listed.lines().any(|line| words.iter().all(|word| line.contains(word)));
    assert!(line(&["free", "for everybody"]), "{listed}");
    assert!(line(&["scale", "stripe", "price_scale_monthly", "month", "1500 EUR", "per seat"]), "{listed}");
    assert!(line(&["+ onboarding", "chargebee", "once", "49900 USD"]), "{listed}");
    let told = told(&world, &["list"]);
    assert_eq!((&told["defaultPlan"], told["plans"].as_array().unwrap().len()), (&json!("free"), 4));
}
