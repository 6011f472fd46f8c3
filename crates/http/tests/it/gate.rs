//! Gates and entitlements.

use axum::body::Body;
use serde_json::json;

use crate::world::{World, as_admin};

#[tokio::test]
async fn a_gate_answers_by_status() {
    let world = World::new().await;
    let closed = world.get("/gate/sso").await;
    assert_eq!(closed.problem(402, "payment_required")["reason"], "no_subscription");
    let unknown = world.get("/gate/teleport").await;
    assert_eq!(unknown.problem(403, "unknown_feature")["reason"], "unknown_feature");
    let free = world.get("/gate/projects").await;
    assert_eq!(free.ok()["limit"], 3);
    assert_eq!(free.header("x-tollkeeper-plan"), Some("free"));

    world.subscribe(r#"{"plan":"growth"}"#).await;
    for path in ["/gate/sso", "/gate/projects", "/gate/subscription", "/gate/plan:growth", "/gate/plan%3Agrowth"] {
        let open = world.get(path).await;
        assert_eq!(open.ok()["allowed"], true, "{path}");
        assert_eq!(open.header("x-tollkeeper-organization"), Some("org_1"));
        assert_eq!(open.header("x-tollkeeper-plan"), Some("growth"));
        assert_eq!(open.header("cache-control"), Some("no-store"));
        assert_eq!(open.header("vary"), Some("authorization, cookie"));
    }
    world.get("/gate/%C3%BCbersicht").await.ok();
    world.get("/gate/price:growth-plan-monthly").await.ok();
    assert_eq!(world.get("/gate/price:other").await.problem(402, "payment_required")["reason"], "plan_lacks_feature");
    assert_eq!(world.get("/gate/plan:starter").await.problem(402, "payment_required")["reason"], "plan_lacks_feature");
    world.get("/gate/plan:gold").await.problem(403, "unknown_feature");
    world.get("/gate/%FF%00").await.problem(403, "unknown_feature");
    world.get(&format!("/gate/{}", "x".repeat(5000))).await.problem(403, "unknown_feature");
}

#[tokio::test]
async fn nginx_may_ask_for_403() {
    let world = World::new().await;
    let denied = world.get("/gate/sso?deny=403").await;
    assert_eq!(denied.problem(403, "payment_required")["reason"], "no_subscription");
    assert_eq!(denied.header("x-tollkeeper-code"), Some("payment_required"));
    assert_eq!(denied.header("cache-control"), Some("no-store"));
    assert_eq!(denied.header("vary"), Some("authorization, cookie"));
    world.get("/gate/projects?deny=403").await.ok();
    world.get("/gate/sso?deny=999").await.problem(402, "payment_required");
}

#[tokio::test]
async fn head_has_the_status_and_no_body() {
    let world = World::new().await;
    for (path, status) in [("/gate/projects", 200), ("/gate/sso", 402), ("/gate/nothing", 403)] {
        let answer = world.send(as_admin("HEAD", path).body(Body::empty()).unwrap()).await;
        assert_eq!(answer.status, status);
        assert!(answer.body.is_empty(), "{path}");
        assert_eq!(answer.header("vary"), Some("authorization, cookie"));
    }
}

#[tokio::test]
async fn a_name_that_headers_cannot_carry_is_encoded() {
    let world = World::new().await;
    let request = http::Request::builder().uri("/gate/projects").header("cookie", "x=1");
    let request = request.header("authorization", "Bearer admin:org_1%\u{7e}").body(Body::empty()).unwrap();
    assert_eq!(world.send(request).await.header("x-tollkeeper-organization"), Some("org_1%~"));
}

#[tokio::test]
async fn without_the_database_a_gate_is_closed() {
    let world = World::new().await;
    world.engine.database().close().await;
    let answer = world.get("/gate/sso").await;
    answer.problem(503, "gate_unavailable");
    assert_eq!(answer.header("vary"), Some("authorization, cookie"));
    world.get("/api/entitlements").await.problem(503, "database_unavailable");
    world.get("/api/subscription/list").await.problem(503, "database_unavailable");
    world.post("/api/subscription/create", r#"{"plan":"starter"}"#).await.problem(503, "database_unavailable");
    world.get("/api/subscription/success?subscriptionId=tks_1").await.problem(503, "database_unavailable");
}

#[tokio::test]
async fn entitlements_are_everything_that_may_be_used() {
    let world = World::new().await;
    let free = world.get("/api/entitlements").await.ok();
    assert_eq!(free, json!({ "plans": ["free"], "features": { "projects": 3 } }));
    world.subscribe(r#"{"plan":"growth"}"#).await;
    let growth = world.get("/api/entitlements?referenceId=org_1").await.ok();
    assert_eq!(
        growth,
        json!({
            "plans": ["growth"],
            "features": { "api_calls": 100_000, "projects": "unlimited", "sso": true, "übersicht": true },
        })
    );
}

#[tokio::test]
async fn a_question_has_an_answer_and_not_a_refusal() {
    let world = World::new().await;
    let no = world.get("/api/entitlements/sso").await.ok();
    assert_eq!(
        no,
        json!({
            "allowed": false, "reason": "no_subscription", "feature": "sso", "plan": "free",
            "limit": null, "used": null, "remaining": null, "until": null,
        })
    );
    assert_eq!(world.get("/api/entitlements/teleport").await.ok()["reason"], "unknown_feature");
    // Kept for an address of its own.
    world.get("/api/entitlements/snapshot").await.problem(404, "not_found");
    assert_eq!(world.get("/api/entitlements/projects").await.ok()["limit"], 3);
    assert_eq!(world.get("/api/entitlements/%FF").await.problem(400, "invalid_text")["field"], "feature");
}
