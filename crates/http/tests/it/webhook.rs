//! The door for deliveries.

use axum::body::Body;

use crate::world::{Answer, World, limited, plain};

async fn deliver(world: &World, path: &str, header: (&str, &str), body: &str) -> Answer {
    let request = plain("POST", path).header(header.0, header.1).header("content-type", "text/odd");
    world.send(request.body(Body::from(body.to_owned())).unwrap()).await
}

const GOOD: (&str, &str) = ("authorization", "Basic good");

#[tokio::test]
async fn a_delivery_is_taken_once() {
    let world = World::new().await;
    let path = "/api/webhooks/chargebee";
    let first = deliver(&world, path, GOOD, r#"{"id":"ev_1"}"#).await;
    assert_eq!(first.ok(), serde_json::json!({ "received": true }));
    assert_eq!(first.header("content-type"), Some("application/json"));
    let again = serde_json::json!({ "received": true, "duplicate": true });
    assert_eq!(deliver(&world, path, GOOD, r#"{"id":"ev_1"}"#).await.ok(), again);
    assert_eq!(deliver(&world, "/chargebee/webhook", GOOD, r#"{"id":"ev_1"}"#).await.ok(), again);
    // Another source has ids of its own; the raw bytes arrive as they were sent, or the signature would not fit.
    let body = "{ \"id\" :\t\"ev_1\",\n\"name\":\"größe\\u0000\" }\n";
    let signature = body.len().to_string();
    let other = deliver(&world, "/api/webhooks/scalekit", ("webhook-signature", &signature), body).await;
    assert_eq!(other.ok(), serde_json::json!({ "received": true }));
}

#[tokio::test]
async fn what_nobody_vouches_for_is_refused() {
    let world = World::new().await;
    for (path, header) in [
        ("/api/webhooks/chargebee", ("authorization", "Basic bad")),
        ("/api/webhooks/chargebee", ("authorization", "Bearer admin:org_1")),
        ("/chargebee/webhook", ("x-nothing", "1")),
        ("/api/webhooks/scalekit", ("webhook-signature", "999")),
        ("/api/webhooks/scalekit", ("x-nothing", "1")),
    ] {
        // Also when it is no JSON: nothing is read before it is proven.
        for body in [r#"{"id":"ev_1"}"#, "{", ""] {
            let answer = deliver(&world, path, header, body).await;
            answer.problem(401, "unverified");
            assert_eq!(answer.header("www-authenticate"), None);
        }
    }
    // Nothing of it was kept.
    let first = deliver(&world, "/api/webhooks/chargebee", GOOD, r#"{"id":"ev_1"}"#).await;
    assert_eq!(first.ok(), serde_json::json!({ "received": true }));
}

#[tokio::test]
async fn what_cannot_be_a_delivery_is_refused() {
    let config = limited(|limits| limits.body_bytes = 1000);
    let world = World::with(|_| {}, config).await;
    for body in ["", "{", "[]", "nonsense", r#"{"name":"no id"}"#] {
        deliver(&world, "/api/webhooks/chargebee", GOOD, body).await.problem(400, "invalid_delivery");
    }
    for source in ["paypal", "stripe", "%FF", "Chargebee"] {
        deliver(&world, &format!("/api/webhooks/{source}"), GOOD, "{}").await.problem(404, "unknown_source");
    }
    let fits = format!(r#"{{"id":"ev_1","x":"{}"}}"#, "x".repeat(1000 - 20));
    assert_eq!(fits.len(), 1000);
    deliver(&world, "/api/webhooks/chargebee", GOOD, &fits).await.ok();
    deliver(&world, "/api/webhooks/chargebee", GOOD, &format!("{fits} ")).await.problem(413, "body_too_large");
}

#[tokio::test]
async fn a_long_delivery_is_taken_by_default() {
    let world = World::new().await;
    let body = format!(r#"{{"id":"ev_1","x":"{}"}}"#, "x".repeat(1_000_000));
    deliver(&world, "/api/webhooks/chargebee", GOOD, &body).await.ok();
    let body = format!(r#"{{"id":"ev_2","x":"{}"}}"#, "x".repeat(1_100_000));
    deliver(&world, "/api/webhooks/chargebee", GOOD, &body).await.problem(413, "body_too_large");
}

#[tokio::test]
async fn without_the_database_the_provider_shall_try_again() {
    let world = World::new().await;
    world.engine.database().close().await;
    let answer = deliver(&world, "/api/webhooks/chargebee", GOOD, r#"{"id":"ev_1"}"#).await;
    answer.problem(503, "database_unavailable");
}
