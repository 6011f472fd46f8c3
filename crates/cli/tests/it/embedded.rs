//! The example of a product that embeds the engine, as a process of its own, beside a sandbox.

use std::path::{Path, PathBuf};

use reqwest::header;
use serde_json::json;
use tollkeeper_testkit::{
    database::{Engine, TestDb},
    process::Process,
};

use crate::support::{Person, World, bare};

/// Where cargo puts an example: beside the program, in a folder of their own.
fn example(name: &str) -> PathBuf {
    let built = Path::new(env!("CARGO_BIN_EXE_tollkeeper")).with_file_name("examples").join(name);
    assert!(built.exists(), "{} is not built: `cargo build -p tollkeeper-cli --examples`", built.display());
    built
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_gate_of_an_embedding_product_opens_when_its_organization_pays_and_the_hook_hears_of_it() {
    let (world, db) = (World::start().await, TestDb::new(Engine::Sqlite).await);
    let mut command = bare(example("axum-embedded").to_str().unwrap());
    command.envs(&world.env).env("DATABASE_URL", db.url()).env("LISTEN", world.app.to_string());
    let mut product = Process::spawn(&mut command);
    let find = |line: &str| Some(line.strip_prefix("listening on ")?.to_owned());
    let app = product.line("where it listens", find).await;
    let organization = world.organization("Embedded").await;
    let wish = json!({ "email": "ada@example.test", "organizationId": organization, "roles": ["admin"] });
    let ada = Person { client: world.client.clone(), app: app.clone(), token: world.token(wish).await };

    let closed = ada.get("/reports").await;
    assert_eq!((closed.status, closed.code()), (402, "payment_required"));
    let a_browser = world.client.get(format!("{app}/reports")).header(header::ACCEPT, "text/html");
    let led_on = a_browser.bearer_auth(&ada.token).send().await.unwrap();
    assert_eq!(led_on.status().as_u16(), 303);
    assert_eq!(led_on.headers()["location"], "/pricing?reason=subscription_required&feature=sso");

    let page = ada.create(json!({ "plan": "growth" })).await.ok();
    world.pay(&page["url"]).await;
    ada.subscription_is("active").await;
    let open = world.client.get(format!("{app}/reports")).bearer_auth(&ada.token).send().await.unwrap();
    assert_eq!(open.text().await.unwrap(), format!("the reports of {organization}, on growth"));
    let welcome = format!("welcome, {organization}");
    product.line("that its hook was called", |line| (line == welcome).then_some(())).await;
}
