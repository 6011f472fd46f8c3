//! Invoices over HTTP: a list, and the way to a document.

use serde_json::json;
use tollkeeper::{Scope, ports::ErrorKind};

use crate::world::{OPERATOR, World, limited, operated};

const LIST: &str = "/api/invoices";
const PDF: &str = "/api/invoices/INV-1/pdf";

#[tokio::test]
async fn every_member_may_see_what_was_charged() {
    let world = World::new().await;
    assert_eq!(world.get(LIST).await.ok(), json!({ "invoices": [], "next": null }), "nobody was charged yet");
    world.subscribe(r#"{"plan":"starter"}"#).await;
    let list = world.ask("member:org_1", "GET", LIST, "").await.ok();
    let expected = json!({
        "id": "INV-1", "number": "INV-1", "status": "open", "currency": "USD", "total": 4900, "amountDue": 900,
        "date": "2025-06-15T15:06:40Z", "dueDate": null, "periodStart": null, "periodEnd": null,
    });
    assert_eq!(list, json!({ "invoices": [expected], "next": "[\"2\"]" }));
    assert_eq!(world.get("/api/invoices?page=%5B%222%22%5D").await.ok()["next"], json!(null));
    let led = world.ask("member:org_1", "GET", PDF, "").await;
    assert_eq!((led.status.as_u16(), led.header("location")), (302, Some("https://pdf.example.com/INV-1")));
    assert_eq!(led.header("cache-control"), Some("no-store"));
    let reader = world.key(&[Scope::Read], Some("org_1")).await;
    assert_eq!(world.ask(&reader, "GET", PDF, "").await.status.as_u16(), 302);
}

#[tokio::test]
async fn what_cannot_be_shown_is_said() {
    let world = World::with(|_| {}, operated()).await;
    world.get(PDF).await.problem(404, "unknown_invoice");
    world.subscribe(r#"{"plan":"starter"}"#).await;
    let before = world.billing.calls().len();
    let long = "x".repeat(1001);
    for (path, code, field) in [
        (format!("{LIST}?page="), "invalid_text", "page"),
        (format!("{LIST}?page=a%00"), "invalid_text", "page"),
        (format!("{LIST}?page={long}"), "invalid_text", "page"),
        ("/api/invoices/%0A/pdf".to_owned(), "invalid_text", "id"),
        (format!("/api/invoices/{}/pdf", &long[..256]), "invalid_text", "id"),
    ] {
        assert_eq!(world.get(&path).await.problem(400, code)["field"], field, "{path}");
    }
    for path in [LIST, PDF] {
        world.ask("nonsense", "GET", path, "").await.problem(401, "unauthenticated");
        world.get(&format!("{path}?referenceId=org_2")).await.problem(403, "reference_mismatch");
        world.ask(OPERATOR, "GET", path, "").await.problem(400, "reference_required");
        let usage = world.key(&[Scope::Usage], None).await;
        world.ask(&usage, "GET", &format!("{path}?referenceId=org_1"), "").await.problem(403, "scope_required");
        world.post(path, "").await.problem(405, "method_not_allowed");
    }
    assert_eq!(world.billing.calls().len(), before, "{:?}", world.billing.calls());
    world.get("/api/invoices/..%2F..%2Fcustomers/pdf").await.problem(404, "unknown_invoice");
    world.get("/api/invoices/INV-bad/pdf").await.problem(502, "provider_rejected");
    world.billing.fail(Some(ErrorKind::Transient));
    for path in [LIST, PDF] {
        world.get(path).await.problem(503, "provider_unavailable");
    }
}

#[tokio::test]
async fn looking_again_and_again_has_its_limit() {
    let limit = |limits: &mut tollkeeper_http::Limits| {
        limits.provider_calls = tollkeeper_http::Rate { per_minute: 1, burst: 2 }
    };
    let world = World::with(|_| {}, limited(limit)).await;
    for _ in 0..2 {
        world.get(LIST).await.ok();
    }
    world.get(LIST).await.problem(429, "rate_limited");
    world.get(PDF).await.problem(429, "rate_limited");
}
