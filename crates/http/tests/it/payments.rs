//! What is paid once.

use serde_json::json;
use tollkeeper::{Scope, ports::ErrorKind};

use crate::world::World;

const CHECKOUT: &str = "/api/checkout";
const ONE: &str = r#"{"items":[{"priceId":"onboarding","quantity":1}]}"#;

#[tokio::test]
async fn a_payment_is_a_page_to_go_to() {
    let world = World::new().await;
    let body =
        r#"{"items":[{"priceId":"onboarding"}],"successUrl":"/thanks","cancelUrl":"/back","referenceId":"org_1"}"#;
    for body in [ONE, body] {
        let answer = world.post(CHECKOUT, body).await.ok();
        assert_eq!(answer, json!({ "mode": "hosted", "url": "https://pay.example.com/once/org_1" }));
    }
    assert_eq!(world.billing.calls().iter().filter(|call| **call == "start_payment").count(), 2);
    world.billing.fail(Some(ErrorKind::Transient));
    world.post(CHECKOUT, ONE).await.problem(503, "provider_unavailable");
}

#[tokio::test]
async fn each_bad_payment_is_told_what_is_wrong() {
    let world = World::new().await;
    let item = |item: &str| format!(r#"{{"items":[{item}]}}"#);
    let many = |count: usize| item(&vec![r#"{"priceId":"x"}"#; count].join(","));
    let back = |name: &str, url: &str| format!(r#"{{"items":[{{"priceId":"onboarding"}}],"{name}":"{url}"}}"#);
    let rows = [
        ("{".to_owned(), "invalid_json", None),
        ("[]".to_owned(), "invalid_type", None),
        (String::new(), "items_required", Some("items")),
        (r#"{"items":null}"#.to_owned(), "items_required", Some("items")),
        (r#"{"items":"onboarding"}"#.to_owned(), "invalid_type", Some("items")),
        (r#"{"items":{"priceId":"onboarding"}}"#.to_owned(), "invalid_type", Some("items")),
        (item(""), "empty_list", Some("items")),
        (item(r#""onboarding""#), "invalid_type", Some("items[0]")),
        (item("{}"), "invalid_type", Some("items[0].priceId")),
        (item(r#"{"priceId":"onboarding"},{"priceId":7}"#), "invalid_type", Some("items[1].priceId")),
        (item(r#"{"priceId":"on\u0000boarding"}"#), "invalid_text", Some("items[0].priceId")),
        (item(&format!(r#"{{"priceId":"{}"}}"#, "x".repeat(256))), "too_long", Some("items[0].priceId")),
        (item(r#"{"priceId":"onboarding","quantity":"1"}"#), "invalid_type", Some("items[0].quantity")),
        (item(r#"{"priceId":"onboarding","quantity":1.5}"#), "invalid_type", Some("items[0].quantity")),
        (item(r#"{"priceId":"onboarding","quantity":0}"#), "bad_quantity", Some("items[0].quantity")),
        (item(r#"{"priceId":"onboarding","quantity":100001}"#), "bad_quantity", Some("items[0].quantity")),
        (item(r#"{"priceId":"gold"}"#), "unknown_price", Some("items[0].priceId")),
        (item(r#"{"priceId":"starter-plan-monthly"}"#), "not_one_time", Some("items[0].priceId")),
        (item(r#"{"priceId":"extra-projects-monthly"}"#), "not_one_time", Some("items[0].priceId")),
        (item(r#"{"priceId":"onboarding"},{"priceId":"onboarding"}"#), "named_twice", Some("items[1].priceId")),
        (many(21), "too_many", Some("items")),
        (back("successUrl", "//evil.example"), "invalid_redirect", Some("successUrl")),
        (back("cancelUrl", "https://evil.example/"), "invalid_redirect", Some("cancelUrl")),
        (back("referenceId", "org_2").replace(r#""onboarding""#, "7"), "reference_mismatch", None),
    ];
    for (body, code, field) in rows {
        let status = if code == "reference_mismatch" { 403 } else { 400 };
        let document = world.post(CHECKOUT, &body).await.problem(status, code);
        assert_eq!(document["field"].as_str(), field, "{body}: {document}");
    }
    assert!(world.billing.calls().is_empty(), "{:?}", world.billing.calls());
}

#[tokio::test]
async fn only_who_may_change_billing_may_pay() {
    let world = World::new().await;
    world.ask("member:org_1", "POST", CHECKOUT, ONE).await.problem(403, "role_required");
    world.ask("nonsense", "POST", CHECKOUT, ONE).await.problem(401, "unauthenticated");
    let reader = world.key(&[Scope::Read], None).await;
    world.ask(&reader, "POST", CHECKOUT, ONE).await.problem(403, "scope_required");
    world.get(CHECKOUT).await.problem(405, "method_not_allowed");
    assert!(world.billing.calls().is_empty());
}
