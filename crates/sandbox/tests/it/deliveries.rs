//! Webhooks as they arrive: authenticated, repeated, given up.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::Method;
use ring::hmac;
use serde_json::{Value, json};

use crate::support::*;

#[tokio::test]
async fn notices_of_the_identity_provider_are_signed() {
    let world = World::start().await;
    // Business time moves, machine time does not: the signature carries machine time.
    world.advance(86_400).await;
    world.done("/sandbox/organizations", json!({ "displayName": "Ärger & Söhne" })).await;
    let received = world.receiver.notice("organization.created").await;
    let header = |name: &str| received.headers[name].to_str().unwrap();
    let id = header("webhook-id");
    assert!(id.starts_with("msg_"));
    assert_eq!(header("webhook-timestamp"), START.to_string());
    let key = hmac::Key::new(hmac::HMAC_SHA256, b"0123456789abcdef0123456789abcdef");
    let mut content = format!("{id}.{START}.").into_bytes();
    content.extend_from_slice(&received.body);
    let signature = header("webhook-signature").strip_prefix("v1,").unwrap();
    hmac::verify(&key, &content, &STANDARD.decode(signature).unwrap()).unwrap();

    let body = received.json();
    assert_eq!(body["spec_version"], "1");
    assert!(body["id"].as_str().unwrap().starts_with("evt_"));
    assert_ne!(body["id"], id);
    assert_eq!(body["object"], "Organization");
    assert_eq!(body["environment_id"], "env_test");
    assert_eq!(body["display_name"], "Organization Created");
    assert_eq!(body["data"]["display_name"], "Ärger & Söhne");
    assert_eq!(body["data"]["id"], body["organization_id"]);
    assert_eq!(body["data"]["metadata"], Value::Null);
    let occurred_at = body["occurred_at"].as_str().unwrap();
    assert_eq!(secs(occurred_at), START + 86_400);
    assert_eq!(occurred_at.len(), "2026-01-02T00:00:00.000000000Z".len());
}

#[tokio::test]
async fn events_of_the_billing_provider_carry_basic_credentials() {
    let world = World::start().await;
    world.acme().await;
    world.receiver.event("customer_created").await;
    let received = world.receiver.all().into_iter().find(|one| one.path == "/chargebee").unwrap();
    assert_eq!(received.headers["authorization"], format!("Basic {}", STANDARD.encode("hook:secret")));
    assert_eq!(received.headers["content-type"], "application/json");
    let event = received.json();
    assert_eq!((event["object"].as_str(), event["webhook_status"].as_str()), (Some("event"), Some("scheduled")));
    assert_eq!((event["source"].as_str(), event["user"].as_str()), (Some("api"), Some("full_access_key_v1")));
    let id = event["id"].as_str().unwrap();
    let mut stored = Value::Null;
    for _ in 0..200 {
        stored = world.read(&format!("/events/{id}"), &[]).await["event"].clone();
        if stored["webhook_status"] == "succeeded" {
            break;
        }
    }
    assert_eq!(stored["webhook_status"], "succeeded");
    assert_eq!(stored["content"], event["content"]);
}

#[tokio::test]
async fn a_delivery_that_always_fails_is_given_up_and_can_be_resent() {
    let world = World::start().await;
    world.receiver.answer_with(503);
    world.acme().await;
    world.done("/sandbox/organizations", json!({ "displayName": "Acme" })).await;
    world.advance(5 * 86_400).await;
    let failed = world.get("/sandbox/deliveries?state=failed").await;
    assert_eq!(failed["total"], 2);
    for row in failed["deliveries"].as_array().unwrap() {
        assert_eq!((row["attempts"].as_i64(), row["lastStatus"].as_i64()), (Some(8), Some(503)));
    }
    // Retries of a signed message keep its id.
    let ids: std::collections::BTreeSet<_> = world
        .receiver
        .all()
        .iter()
        .filter(|one| one.path == "/scalekit")
        .map(|one| one.headers["webhook-id"].to_str().unwrap().to_owned())
        .collect();
    assert_eq!(ids.len(), 1);

    world.receiver.answer_with(200);
    let billing = world.get("/sandbox/deliveries?provider=chargebee").await;
    assert_eq!(billing["deliveries"][0]["organizationId"], "org_acme");
    let id = billing["deliveries"][0]["id"].as_str().unwrap();
    let row = world.done(&format!("/sandbox/deliveries/{id}/resend"), json!({})).await;
    assert_eq!(row["state"], "pending");
    world.advance(0).await;
    let delivered = world.get("/sandbox/deliveries?state=delivered").await;
    assert_eq!((delivered["total"].as_i64(), delivered["deliveries"][0]["attempts"].as_i64()), (Some(1), Some(9)));
    let (status, _) = world.control(Method::POST, "/sandbox/deliveries/no/resend", json!({})).await;
    assert_eq!(status, 404);
}

#[tokio::test]
async fn an_endpoint_that_moves_is_not_followed() {
    let world = World::start().await;
    world.receiver.answer_with(302);
    world.acme().await;
    world.receiver.event("customer_created").await;
    world.advance(1).await;
    let deliveries = world.get("/sandbox/deliveries").await;
    assert_eq!(deliveries["deliveries"][0]["state"], "pending");
    assert_eq!(deliveries["deliveries"][0]["lastStatus"], 302);
}

#[tokio::test]
async fn the_list_shows_the_newest_and_counts_all() {
    let world = World::start().await;
    for number in 0..5 {
        world.bill("/customers", &[("id", &format!("cus_{number}"))]).await;
    }
    world.done("/sandbox/organizations", json!({ "displayName": "Acme" })).await;
    world.advance(0).await;
    let all = world.get("/sandbox/deliveries").await;
    let rows = all["deliveries"].as_array().unwrap();
    assert_eq!((all["total"].as_i64(), rows.len()), (Some(6), 6));
    let newest = world.get("/sandbox/deliveries?limit=2").await;
    assert_eq!((newest["total"].as_i64(), &newest["deliveries"]), (Some(6), &json!(rows[4..])));
    let billing = world.get("/sandbox/deliveries?provider=chargebee&state=delivered&limit=1").await;
    assert_eq!((billing["total"].as_i64(), &billing["deliveries"][0]), (Some(5), &rows[4]));
    let none = world.get("/sandbox/deliveries?limit=0").await;
    assert_eq!((none["total"].as_i64(), &none["deliveries"]), (Some(6), &json!([])));
    let requests = world.get("/sandbox/requests?method=POST&limit=2").await;
    assert_eq!((requests["total"].as_i64(), requests["requests"].as_array().unwrap().len()), (Some(5), 2));
    assert_eq!(requests["requests"][1]["body"]["id"], "cus_4");
    for path in ["/sandbox/deliveries?limit=x", "/sandbox/requests?limit=-1", "/sandbox/requests?after=5"] {
        assert_eq!(world.control(Method::GET, path, Value::Null).await.0, 400, "{path}");
    }
}
