//! Settings that stop the start, and say why.

use std::fs;

use serde_json::Value;
use tempfile::TempDir;

use crate::support::{World, run, tollkeeper};

#[tokio::test]
async fn without_webhook_credentials_the_server_does_not_start_and_names_them() {
    let world = World::start().await;
    let mut command = tollkeeper(&["serve", "--listen", "127.0.0.1:0"]);
    command.envs(&world.env).env("DATABASE_URL", format!("sqlite://{}", world.folder.path().join("t.db").display()));
    command.env_remove("CHARGEBEE_WEBHOOK_USERNAME").env_remove("CHARGEBEE_WEBHOOK_PASSWORD");
    let (good, said) = run(&mut command);
    assert!(!good);
    for name in ["CHARGEBEE_WEBHOOK_USERNAME", "CHARGEBEE_WEBHOOK_PASSWORD"] {
        assert!(said.contains(name), "{name} is not named: {said}");
    }
}

#[tokio::test]
async fn insecure_webhooks_are_refused_where_others_could_reach_them() {
    let mut world = World::start().await;
    let database = format!("sqlite://{}", world.folder.path().join("t.db").display());
    let mut command = tollkeeper(&["serve", "--listen", "0.0.0.0:0", "--insecure-webhooks"]);
    command.envs(&world.env).env("DATABASE_URL", &database);
    let (good, said) = run(&mut command);
    assert!(!good && said.contains("--insecure-webhooks") && said.contains("0.0.0.0"), "{said}");

    // On loopback they are a person's own choice.
    world.env.retain(|name, _| !name.starts_with("CHARGEBEE_WEBHOOK_"));
    let server = world.serve(&database, &["--insecure-webhooks"]).await;
    let event = r#"{"id":"ev_1","event_type":"add_usages_reminder","occurred_at":1767225600,"content":{}}"#;
    let answer = world.client.post(format!("{}/api/webhooks/chargebee", server.url)).body(event).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.json::<Value>().await.unwrap()["received"], true);
}

#[test]
fn everything_that_is_wrong_is_named_at_once() {
    let folder = TempDir::new().unwrap();
    let wrong = [
        ("APP_URL", "not an address"),
        ("BILLING_PROVIDER", "abacus"),
        ("DATABASE_URL", "mysql://localhost/t"),
        ("STRIPE_PUBLISHABLE_KEY", "sk_test_51"),
        ("TOLLKEEPER_CLOCK_URL", "https://time.example.com/clock"),
        ("TOLLKEEPER_SECRET", "short"),
    ];
    let missing = [
        "SCALEKIT_ENV_URL",
        "SCALEKIT_CLIENT_ID",
        "SCALEKIT_CLIENT_SECRET",
        "SCALEKIT_WEBHOOK_SECRET",
        "CHARGEBEE_SITE",
        "CHARGEBEE_API_KEY",
        "CHARGEBEE_WEBHOOK_USERNAME",
        "CHARGEBEE_WEBHOOK_PASSWORD",
    ];
    let file = "
        [policy]
        duplicates = \"drop\"
        trial_reminder = \"later\"
        preview_tolerance = 1
        [dunning]
        final_after = 0
        [providers.chargebee]
        requests_per_minute = 0
        [reconcile]
        interval = \"often\"
        [http]
        request_time = \"0s\"
        provider_calls = { burst = 0 }
        timeout = 3
        [plans.team]
        prices = [{ provider = \"chargebee\", id = \"team\", interval = \"month\", currency = \"USD\", per_seat = \"yes\" }]
    ";
    fs::write(folder.path().join("tollkeeper.toml"), file).unwrap();
    let in_file = [
        "policy.duplicates",
        "policy.trial_reminder",
        "policy.preview_tolerance",
        "dunning.final_after",
        "providers.chargebee.requests_per_minute",
        "reconcile.interval",
        "http.request_time",
        "http.provider_calls.burst",
        "http.timeout",
        "plans.team.prices[0].per_seat",
    ];
    for command in [&["config", "check"][..], &["serve"], &["reconcile"], &["keys", "list"]] {
        let (good, said) = run(tollkeeper(command).envs(wrong).current_dir(folder.path()));
        assert!(!good, "{command:?}: {said}");
        for name in wrong.map(|(name, _)| name).iter().chain(&missing).chain(&in_file) {
            if command[0] != "serve" && command[0] != "config" && name.starts_with("CHARGEBEE_WEBHOOK_") {
                // A command takes no deliveries in.
                continue;
            }
            assert!(said.contains(name), "{command:?} does not name {name}: {said}");
        }
        assert!(!said.contains("sk_test_51"), "{command:?} prints a key: {said}");
    }
}

#[tokio::test]
async fn what_a_sandbox_writes_down_is_a_good_configuration() {
    let world = World::start().await;
    let (good, said) = run(tollkeeper(&["config", "check"]).envs(&world.env).current_dir(world.folder.path()));
    assert!(good && said.contains("growth"), "{said}");
}
