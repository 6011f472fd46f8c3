//! The billing contact.

use serde_json::json;
use tollkeeper::ports::ErrorKind;

use crate::world::{OPERATOR, World, operated};

const PATH: &str = "/api/organization";

#[tokio::test]
async fn the_billing_contact_is_written_to_the_customer_and_to_our_row() {
    let world = World::with(|_| {}, operated()).await;
    let told = world.ask("admin:org_1", "PATCH", PATH, r#"{"email":"pay@acme.test","locale":"fr-CA"}"#).await.ok();
    let wanted = json!({
        "organizationId": "org_1", "displayName": "org_1", "email": "pay@acme.test", "locale": "fr-CA",
    });
    assert_eq!(told, wanted);
    assert_eq!(world.billing.calls(), ["create_customer", "update_customer"]);
    assert_eq!(world.billing.contact(), (Some("pay@acme.test".to_owned()), Some("fr-CA".to_owned())));
    // What is not named stays, and a program may do it as well.
    let path = format!("{PATH}?referenceId=org_1");
    let told = world.ask(OPERATOR, "PATCH", &path, r#"{"locale":"de","email":null}"#).await.ok();
    assert_eq!((&told["email"], &told["locale"]), (&json!("pay@acme.test"), &json!("de")));
    assert_eq!(world.ask("admin:org_1", "PATCH", PATH, "{}").await.ok()["locale"], "de");
}

#[tokio::test]
async fn each_bad_contact_is_told_what_is_wrong() {
    let world = World::new().await;
    for (body, code, field) in [
        (r#"{"email":"nobody"}"#, "bad_email", "email"),
        (r#"{"email":""}"#, "bad_email", "email"),
        (r#"{"email":"a@b.test\nbcc: x"}"#, "bad_email", "email"),
        (r#"{"email":7}"#, "invalid_type", "email"),
        (r#"{"locale":"en_US"}"#, "bad_locale", "locale"),
        (r#"{"locale":[]}"#, "invalid_type", "locale"),
    ] {
        assert_eq!(world.ask("admin:org_1", "PATCH", PATH, body).await.problem(400, code)["field"], field, "{body}");
    }
    let good = r#"{"email":"a@b.test"}"#;
    world.ask("member:org_1", "PATCH", PATH, good).await.problem(403, "role_required");
    world
        .ask("admin:org_1", "PATCH", &format!("{PATH}?referenceId=org_2"), good)
        .await
        .problem(403, "reference_mismatch");
    assert!(world.billing.calls().is_empty(), "{:?}", world.billing.calls());
    world.billing.fail(Some(ErrorKind::Transient));
    world.ask("admin:org_1", "PATCH", PATH, good).await.problem(503, "provider_unavailable");
    world.billing.fail(None);
    assert_eq!(world.ask("admin:org_1", "PATCH", PATH, "{}").await.ok()["email"], json!(null), "nothing was kept");
}
