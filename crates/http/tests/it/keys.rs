//! API keys and the operator key, and who may do what on which route.

use axum::body::Body;
use serde_json::json;
use tollkeeper::Scope;

use crate::world::{ADMIN, OPERATOR, World, operated, plain};

/// Routes that change billing, and routes that read.
const WRITES: [&str; 8] = ["create", "preview", "update", "cancel", "restore", "pause", "resume", "portal"];
const READS: [&str; 3] = ["/api/subscription/list", "/api/entitlements", "/api/entitlements/sso"];

async fn world() -> World {
    let world = World::with(|_| {}, operated()).await;
    world.operate("PUT", "/admin/api/organizations/org_1", "{}").await;
    world
}

#[tokio::test]
async fn a_key_does_what_its_scopes_allow_for_any_organization_it_names() {
    let world = world().await;
    let billing = world.key(&[Scope::Billing], None).await;
    let created = world.ask(&billing, "POST", "/api/subscription/create", r#"{"plan":"growth","referenceId":"org_1"}"#);
    let id = created.await.ok()["subscriptionId"].as_str().unwrap().to_owned();
    world.billing.finish(&id, tollkeeper::ports::CheckoutState::Completed);
    world.get(&format!("/api/subscription/success?subscriptionId={id}")).await;

    let read = world.key(&[Scope::Read], None).await;
    let listed = world.ask(&read, "GET", "/api/subscription/list?referenceId=org_1", "").await.ok();
    assert_eq!(listed["subscriptions"][0]["plan"], "growth");
    let gate = world.ask(&read, "GET", "/gate/sso?referenceId=org_1", "").await;
    assert_eq!(gate.ok()["allowed"], true);
    assert_eq!(gate.header("x-tollkeeper-organization"), Some("org_1"));
    let everything = world.ask(&read, "GET", "/api/entitlements?referenceId=org_1", "").await.ok();
    assert_eq!(everything["plans"], json!(["growth"]));
    // In the query, too.
    let cancelled = world.ask(&billing, "POST", "/api/subscription/cancel?referenceId=org_1", "").await.ok();
    assert_eq!(cancelled["subscription"]["status"], "non_renewing");
}

#[tokio::test]
async fn the_operator_key_has_every_scope() {
    let world = world().await;
    for path in READS {
        world.operate("GET", &format!("{path}?referenceId=org_1"), "").await.ok();
    }
    assert_eq!(world.operate("GET", "/gate/projects?referenceId=org_1", "").await.ok()["limit"], 3);
    let body = r#"{"plan":"growth","referenceId":"org_1"}"#;
    assert_eq!(world.operate("POST", "/api/subscription/create", body).await.ok()["mode"], "hosted");
    world.operate("GET", "/admin/api/keys", "").await.ok();
    let session = world.operate("GET", "/api/session", "").await.ok();
    assert_eq!(session["scopes"], json!(["read", "usage", "billing", "admin"]));
}

#[tokio::test]
async fn without_the_scope_nothing_is_done() {
    let world = world().await;
    let none_of_it = world.key(&[Scope::Usage], None).await;
    let read = world.key(&[Scope::Read], None).await;
    let billing = world.key(&[Scope::Billing], None).await;
    let before = world.billing.calls().len();
    for path in WRITES {
        for key in [&none_of_it, &read] {
            // Also before the body is judged, and whoever it is about.
            let answer = world.ask(key, "POST", &format!("/api/subscription/{path}"), "{\"plan\":7}").await;
            answer.problem(403, "scope_required");
        }
    }
    for path in READS.into_iter().chain(["/gate/sso"]) {
        for key in [&none_of_it, &billing] {
            world.ask(key, "GET", &format!("{path}?referenceId=org_1"), "").await.problem(403, "scope_required");
        }
    }
    assert_eq!(world.billing.calls().len(), before);
}

#[tokio::test]
async fn a_key_of_all_organizations_names_one() {
    let world = world().await;
    let key = world.key(&[Scope::Read, Scope::Billing], None).await;
    for path in WRITES {
        let path = format!("/api/subscription/{path}");
        let document = world.ask(&key, "POST", &path, "{}").await.problem(400, "reference_required");
        assert_eq!(document["field"], "referenceId");
        let two = world.ask(&key, "POST", &format!("{path}?referenceId=org_1"), r#"{"referenceId":"org_2"}"#).await;
        assert_eq!(two.problem(400, "ambiguous_reference")["field"], "referenceId");
        let bad = world.ask(&key, "POST", &format!("{path}?referenceId=%00"), "").await;
        assert_eq!(bad.problem(400, "invalid_text")["field"], "referenceId");
        let typed = world.ask(&key, "POST", &format!("{path}?referenceId=org_1"), r#"{"referenceId":7}"#).await;
        assert_eq!(typed.problem(400, "invalid_type")["field"], "referenceId");
    }
    for path in READS.into_iter().chain(["/gate/sso"]) {
        let document = world.ask(&key, "GET", path, "").await.problem(400, "reference_required");
        assert_eq!(document["field"], "referenceId");
        let long = format!("{path}?referenceId={}", "x".repeat(256));
        assert_eq!(world.ask(&key, "GET", &long, "").await.problem(400, "invalid_text")["field"], "referenceId");
    }
}

#[tokio::test]
async fn an_organization_that_nobody_knows_gets_no_row_from_a_key() {
    let world = world().await;
    let key = world.key(&[Scope::Read, Scope::Billing], None).await;
    for path in READS {
        let path = format!("{path}?referenceId=org_nobody");
        world.ask(&key, "GET", &path, "").await.problem(404, "unknown_organization");
    }
    let body = r#"{"plan":"growth","referenceId":"org_nobody"}"#;
    world.ask(&key, "POST", "/api/subscription/create", body).await.problem(404, "unknown_organization");
    // A gate has an answer for everybody.
    let gate = world.ask(&key, "GET", "/gate/sso?referenceId=org_nobody", "").await;
    assert_eq!(gate.problem(402, "payment_required")["reason"], "no_subscription");
    world.operate("GET", "/admin/api/organizations/org_nobody", "").await.problem(404, "unknown_organization");
    // One that the identity provider knows is welcome.
    world.ask(&key, "GET", "/api/subscription/list?referenceId=org_known_1", "").await.ok();
    world.operate("GET", "/admin/api/organizations/org_known_1", "").await.ok();
}

#[tokio::test]
async fn a_pinned_key_is_for_one_organization_only() {
    let world = world().await;
    let key = world.key(&Scope::ALL, Some("org_1")).await;
    let before = world.billing.calls().len();
    for path in READS {
        world.ask(&key, "GET", path, "").await.ok();
        world.ask(&key, "GET", &format!("{path}?referenceId=org_1"), "").await.ok();
        let other = world.ask(&key, "GET", &format!("{path}?referenceId=org_2"), "").await;
        other.problem(403, "reference_mismatch");
    }
    assert_eq!(world.ask(&key, "GET", "/gate/projects", "").await.ok()["limit"], 3);
    world.ask(&key, "GET", "/gate/projects?referenceId=org_2", "").await.problem(403, "reference_mismatch");
    for path in WRITES {
        for (query, body) in [
            ("", r#"{"referenceId":"org_2"}"#),
            ("?referenceId=org_2", ""),
            ("?referenceId=org_2", r#"{"referenceId":"org_1"}"#),
            ("?referenceId=org_1", r#"{"referenceId":"org_2"}"#),
        ] {
            let path = format!("/api/subscription/{path}{query}");
            world.ask(&key, "POST", &path, body).await.problem(403, "reference_mismatch");
        }
    }
    assert_eq!(world.billing.calls().len(), before, "a foreign reference reaches no provider");
    assert_eq!(world.ask(&key, "GET", "/api/session", "").await.ok()["organizationId"], "org_1");
    for (method, path) in OPERATED {
        world.ask(&key, method, path, "{}").await.problem(403, "key_is_pinned");
    }
}

/// Everything that only operators may do.
const OPERATED: [(&str, &str); 15] = [
    ("GET", "/admin/api/organizations/org_1"),
    ("PUT", "/admin/api/organizations/org_1"),
    ("DELETE", "/admin/api/organizations/org_1"),
    ("GET", "/admin/api/organizations/org_1/history"),
    ("PUT", "/admin/api/organizations/org_1/members/usr_1"),
    ("DELETE", "/admin/api/organizations/org_1/members/usr_1"),
    ("POST", "/admin/api/reconcile"),
    ("GET", "/admin/api/reconcile/1"),
    ("GET", "/admin/api/drift"),
    ("GET", "/admin/api/inbox"),
    ("GET", "/admin/api/inbox/chargebee/ev_1"),
    ("POST", "/admin/api/replay"),
    ("GET", "/admin/api/keys"),
    ("POST", "/admin/api/keys"),
    ("DELETE", "/admin/api/keys/key_1"),
];

#[tokio::test]
async fn only_operators_operate() {
    let world = world().await;
    let lesser = world.key(&[Scope::Read, Scope::Usage, Scope::Billing], None).await;
    let revoked = world.key(&Scope::ALL, None).await;
    let id = world.engine.keys().await.unwrap().into_iter().find(|key| key.scopes.len() == 4).unwrap().id;
    world.operate("DELETE", &format!("/admin/api/keys/{id}"), "").await;
    let before = world.billing.calls().len();
    for (method, path) in OPERATED {
        for (bearer, status, code) in [
            (&*lesser, 403, "scope_required"),
            (ADMIN, 401, "unauthenticated"),
            (&*revoked, 401, "unauthenticated"),
            ("tk_unknown", 401, "unauthenticated"),
            ("tk_", 401, "unauthenticated"),
            ("", 401, "unauthenticated"),
            (&OPERATOR[..5], 401, "unauthenticated"),
            ("operator", 401, "unauthenticated"),
        ] {
            // The body is nothing that anybody should have looked at.
            world.ask(bearer, method, path, "{").await.problem(status, code);
        }
        let nobody = plain(method, path).body(Body::empty()).unwrap();
        world.send(nobody).await.problem(401, "unauthenticated");
        let cookie = plain(method, path).header("cookie", format!("scalekit_session={OPERATOR}"));
        world.send(cookie.body(Body::empty()).unwrap()).await.problem(401, "unauthenticated");
    }
    assert_eq!(world.billing.calls().len(), before);
    let admin = world.key(&[Scope::Admin], None).await;
    world.ask(&admin, "GET", "/admin/api/keys", "").await.ok();
}

#[tokio::test]
async fn a_revoked_or_unknown_key_is_nobody() {
    let world = world().await;
    let made = world.operate("POST", "/admin/api/keys", r#"{"name":"backend","scopes":["read"]}"#).await.ok();
    let secret = made["secret"].as_str().unwrap();
    let path = "/api/subscription/list?referenceId=org_1";
    world.ask(secret, "GET", path, "").await.ok();
    let id = made["key"]["id"].as_str().unwrap();
    assert_eq!(world.operate("DELETE", &format!("/admin/api/keys/{id}"), "").await.status, 204);
    world.ask(secret, "GET", path, "").await.problem(401, "unauthenticated");
    world.ask("tk_0000", "GET", path, "").await.problem(401, "unauthenticated");
    // A key is no cookie.
    let live = world.key(&[Scope::Read], None).await;
    for secret in [&*live, OPERATOR] {
        let request = plain("GET", path).header("cookie", format!("scalekit_session={secret}"));
        world.send(request.body(Body::empty()).unwrap()).await.problem(401, "unauthenticated");
    }
}
