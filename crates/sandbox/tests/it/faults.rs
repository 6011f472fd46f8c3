//! Faults of the billing API, and what they leave alone.

use std::sync::atomic::Ordering;

use reqwest::{Method, Response};
use serde_json::{Value, json};

use crate::support::*;

async fn create(world: &World, id: &str, key: Option<&str>) -> Response {
    world.billing_raw(Method::POST, "/customers", &[("id", id)], key).await
}

fn replayed(response: &Response) -> bool {
    response.headers().contains_key("chargebee-idempotency-replayed")
}

/// The faults of the logged requests, oldest first.
async fn faults(world: &World) -> Vec<Value> {
    let log = world.get("/sandbox/requests").await;
    log["requests"].as_array().unwrap().iter().map(|entry| entry["fault"].clone()).collect()
}

async fn customers(world: &World) -> usize {
    world.get("/sandbox/truth").await["customers"].as_array().unwrap().len()
}

#[tokio::test]
async fn an_error_before_the_work_leaves_nothing_behind() {
    let world = World::start().await;
    world.chaos(json!({ "seed": 4, "apiErrorRate": 1 })).await;
    let mut seen = std::collections::BTreeMap::new();
    for number in 0..16 {
        let (status, body) = answer(create(&world, &format!("cus_{number}"), Some("k-1")).await).await;
        assert_eq!((&body["http_status_code"], &body["type"]), (&json!(status), &json!("operation_failed")));
        assert!(body["message"].is_string());
        *seen.entry((status, body["api_error_code"].as_str().unwrap().to_owned())).or_insert(0) += 1;
    }
    let kinds: Vec<_> = seen.keys().map(|(status, code)| (*status, code.as_str())).collect();
    assert_eq!(kinds, [(500, "internal_error"), (503, "internal_temporary_error")]);
    assert_eq!(customers(&world).await, 0);
    assert_eq!(world.billing(Method::GET, "/customers", &[]).await.0 / 100, 5, "reads fail too");

    // The key was not used up by the errors.
    world.chaos(json!({})).await;
    let response = create(&world, "cus_0", Some("k-1")).await;
    assert!(response.status() == 200 && !replayed(&response));
    let faults = faults(&world).await;
    assert!(faults[..17].iter().all(|fault| fault == "error"), "{faults:?}");
    assert_eq!(faults[17], Value::Null);
}

#[tokio::test]
async fn an_error_after_the_work_is_remembered_under_its_key() {
    let world = World::start().await;
    world.chaos(json!({ "seed": 4, "apiErrorAfterCommitRate": 1 })).await;
    let response = create(&world, "cus_0", Some("k-1")).await;
    assert!(response.status() == 500 && !replayed(&response));
    let first = answer(response).await.1;
    assert_eq!(first["api_error_code"], "internal_error");

    // It happened: reads, which have nothing to lose, say so, and so does the webhook.
    assert_eq!(world.read("/customers/cus_0", &[]).await["customer"]["id"], "cus_0");
    world.receiver.event("customer_created").await;

    for chaos in [json!({ "apiErrorAfterCommitRate": 1 }), json!({})] {
        world.chaos(chaos).await;
        let response = create(&world, "cus_0", Some("k-1")).await;
        assert!(response.status() == 500 && replayed(&response));
        assert_eq!(answer(response).await.1, first);
    }
    let (status, duplicate) = answer(create(&world, "cus_0", Some("k-2")).await).await;
    assert_eq!((status, duplicate["api_error_code"].as_str()), (400, Some("duplicate_entry")));
    assert_eq!(faults(&world).await, [json!("error_after_commit"), Value::Null, Value::Null, Value::Null, Value::Null]);

    // What is refused has nothing to lose either.
    world.chaos(json!({ "apiErrorAfterCommitRate": 1 })).await;
    assert_eq!(create(&world, "cus_0", None).await.status(), 400);
}

#[tokio::test]
async fn the_rate_limit_says_when_to_come_back() {
    let world = World::start().await;
    let pass = |secs: i64| world.machine.fetch_add(secs * 1_000_000, Ordering::SeqCst);
    world.chaos(json!({ "apiRateLimitPerMinute": 2 })).await;
    assert_eq!(create(&world, "cus_0", None).await.status(), 200);
    pass(20);
    assert_eq!(create(&world, "cus_1", None).await.status(), 200);
    pass(10);
    for _ in 0..3 {
        let refused = create(&world, "cus_2", Some("k-1")).await;
        assert_eq!((refused.status().as_u16(), refused.headers()["retry-after"].to_str().unwrap()), (429, "30"));
        let (_, body) = answer(refused).await;
        assert_eq!(
            (&body["api_error_code"], &body["type"]),
            (&json!("api_request_limit_exceeded"), &json!("operation_failed"))
        );
    }
    // Business time has nothing to do with it.
    world.advance(86_400).await;
    assert_eq!(create(&world, "cus_2", None).await.status(), 429);
    pass(30);
    let recovered = create(&world, "cus_2", Some("k-1")).await;
    assert!(recovered.status() == 200 && !replayed(&recovered));
    assert_eq!(create(&world, "cus_3", None).await.headers()["retry-after"], "20");

    let log = faults(&world).await;
    assert_eq!(log.iter().filter(|fault| *fault == "rate_limited").count(), 5);
    // Who has no key takes no place.
    pass(60);
    for _ in 0..5 {
        let anonymous = world.client.get(world.url("/api/v2/customers")).send().await.unwrap();
        assert_eq!(anonymous.status(), 401);
    }
    assert_eq!(create(&world, "cus_4", None).await.status(), 200);
    world.chaos(json!({})).await;
    for number in 5..15 {
        assert_eq!(create(&world, &format!("cus_{number}"), None).await.status(), 200, "0 is no limit");
    }
}

#[tokio::test]
async fn latency_is_logged() {
    let world = World::start().await;
    world.chaos(json!({ "apiLatencyMs": 1 })).await;
    assert_eq!(create(&world, "cus_0", None).await.status(), 200);
    assert_eq!(faults(&world).await, ["latency"]);
}

#[tokio::test]
async fn the_same_seed_meets_the_same_errors() {
    let mut runs = Vec::new();
    for seed in [3, 3, 4] {
        let world = World::start().await;
        world.chaos(json!({ "seed": seed, "apiErrorRate": 0.3, "apiErrorAfterCommitRate": 0.3 })).await;
        let mut statuses = Vec::new();
        for number in 0..30 {
            statuses.push(create(&world, &format!("cus_{number}"), None).await.status().as_u16());
        }
        runs.push((statuses, faults(&world).await));
    }
    assert_eq!(runs[0], runs[1]);
    assert_ne!(runs[0], runs[2]);
    for kind in ["error", "error_after_commit"] {
        assert!(runs[0].1.iter().any(|fault| fault == kind), "{kind}");
    }
}

#[tokio::test]
async fn the_control_api_and_the_identity_provider_never_fail() {
    let world = World::start().await;
    world.chaos(json!({ "apiErrorRate": 1, "apiErrorAfterCommitRate": 1, "apiRateLimitPerMinute": 1 })).await;
    world.done("/sandbox/organizations", json!({ "displayName": "Acme", "id": "org_acme" })).await;
    let form = [("grant_type", "client_credentials"), ("client_id", "skc_test"), ("client_secret", CLIENT_SECRET)];
    for _ in 0..20 {
        for path in [
            "/sandbox/clock",
            "/sandbox/chaos",
            "/sandbox/truth",
            "/sandbox/requests",
            "/sandbox/deliveries",
            "/keys",
            "/.well-known/openid-configuration",
        ] {
            world.get(path).await;
        }
        world.done("/sandbox/tokens", json!({ "email": "ada@acme.test", "organizationId": "org_acme" })).await;
        world.done("/sandbox/trigger", json!({ "event": "customer_created" })).await;
        world.advance(1).await;
        let token = world.client.post(world.url("/oauth/token")).form(&form).send().await.unwrap();
        let token: Value = token.json().await.unwrap();
        let listed = world
            .client
            .get(world.url("/api/v1/organizations"))
            .bearer_auth(token["access_token"].as_str().unwrap())
            .send()
            .await
            .unwrap();
        assert_eq!(listed.status(), 200);
    }
    assert_eq!(create(&world, "cus_0", None).await.status().as_u16() / 100, 5);
    assert_eq!(create(&world, "cus_0", None).await.status(), 429);
}
