//! What an operator tells, and who else may not.

use axum::body::Body;
use http::StatusCode;
use serde_json::json;
use tollkeeper_store::member;

use crate::world::{World, as_admin, operated, plain};

#[tokio::test]
async fn an_organization_told_by_an_operator_gets_its_customer_and_its_end() {
    let world = World::with(|_| {}, operated()).await;
    let told = world.operate("PUT", "/admin/api/organizations/org_1", r#"{"displayName":"Acme"}"#).await;
    assert_eq!(told.status, StatusCode::NO_CONTENT, "{told:?}");
    assert_eq!(world.billing.calls(), ["create_customer"]);
    world.subscribe(r#"{"plan":"growth"}"#).await;
    assert_eq!(world.get("/gate/sso").await.status, StatusCode::OK);

    for _ in 0..2 {
        let ended = world.operate("DELETE", "/admin/api/organizations/org_1", "").await;
        assert_eq!(ended.status, StatusCode::NO_CONTENT, "{ended:?}");
    }
    assert_eq!(world.get("/gate/sso").await.problem(402, "payment_required")["reason"], "organization_deleted");
    world.post("/api/subscription/create", r#"{"plan":"growth"}"#).await.problem(403, "organization_deleted");
}

#[tokio::test]
async fn members_told_by_an_operator_are_a_set() {
    let world = World::with(|_| {}, operated()).await;
    let path = "/admin/api/organizations/org_1/members/usr_9";
    for _ in 0..2 {
        let told = world.operate("PUT", path, r#"{"email":"Jane@Acme.test"}"#).await;
        assert_eq!(told.status, StatusCode::NO_CONTENT, "{told:?}");
    }
    let members = async || {
        let mut connection = world.engine.database().read().await.unwrap();
        let all = member::list(connection.c(), &"org_1".into()).await.unwrap();
        all.into_iter().map(|member| json!([member.holder, member.active()])).collect::<Vec<_>>()
    };
    assert_eq!(members().await, [json!(["jane@acme.test", true])]);
    world.operate("DELETE", path, "").await;
    assert_eq!(members().await, [json!(["jane@acme.test", false])]);
}

#[tokio::test]
async fn nobody_else_may() {
    let with_key = World::with(|_| {}, operated()).await;
    let without_key = World::new().await;
    for path in ["/admin/api/organizations/org_1", "/admin/api/organizations/org_1/members/usr_1"] {
        for method in ["PUT", "DELETE"] {
            let admin = as_admin(method, path).body(Body::empty()).unwrap();
            with_key.send(admin).await.problem(401, "unauthenticated");
            let nobody = plain(method, path).body(Body::empty()).unwrap();
            with_key.send(nobody).await.problem(401, "unauthenticated");
            without_key.operate(method, path, "{}").await.problem(401, "unauthenticated");
        }
    }
    assert!(with_key.billing.calls().is_empty());
}

#[tokio::test]
async fn what_an_operator_tells_is_checked() {
    let world = World::with(|_| {}, operated()).await;
    let long = "x".repeat(300);
    for (path, body, field) in [
        ("/admin/api/organizations/org_1".to_owned(), r#"{"displayName":5}"#, "displayName"),
        ("/admin/api/organizations/org_1/members/usr_1".to_owned(), "{}", "email"),
        ("/admin/api/organizations/org_1/members/usr_1".to_owned(), r#"{"email":"nobody"}"#, "email"),
        (format!("/admin/api/organizations/{long}"), "{}", "id"),
        ("/admin/api/organizations/%00".to_owned(), "{}", "id"),
        ("/admin/api/organizations/%FF".to_owned(), "{}", "id"),
    ] {
        let answer = world.operate("PUT", &path, body).await;
        assert_eq!((answer.status.as_u16(), answer.json()["field"].as_str()), (400, Some(field)), "{path} {body}");
    }
    assert!(world.billing.calls().is_empty());
}
