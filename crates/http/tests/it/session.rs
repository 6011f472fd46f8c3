//! Who asks: bearer tokens and cookies.

use axum::body::Body;
use http::Method;
use serde_json::json;

use crate::world::{ADMIN, APP, OTHER, World, as_admin, plain};

#[tokio::test]
async fn a_session_says_who_it_is_and_what_is_sold() {
    let world = World::new().await;
    let session = world.get("/api/session").await.ok();
    assert_eq!(session["userId"], "usr_1");
    assert_eq!(session["email"], "ada@example.com");
    assert_eq!(session["organizationId"], "org_1");
    assert_eq!(session["roles"], json!(["admin"]));
    assert_eq!(session["permissions"], json!(["billing:read"]));
    let plans = world.send(plain("GET", "/api/plans").body(Body::empty()).unwrap()).await.ok();
    assert_eq!(session["plans"], plans["plans"]);
    assert_eq!(plans["plans"][1]["plan"], "starter");
    assert!(world.billing.calls().is_empty());
}

#[tokio::test]
async fn the_scheme_has_no_case() {
    let world = World::new().await;
    for scheme in ["Bearer", "bearer", "BEARER"] {
        let request = plain("GET", "/api/session").header("authorization", format!("{scheme} {ADMIN}"));
        world.send(request.body(Body::empty()).unwrap()).await.ok();
    }
}

#[tokio::test]
async fn credentials_that_prove_nothing_are_refused_everywhere() {
    let world = World::new().await;
    let routes = [
        ("GET", "/api/session"),
        ("POST", "/api/subscription/create"),
        ("POST", "/api/subscription/cancel"),
        ("POST", "/api/subscription/restore"),
        ("POST", "/api/subscription/portal"),
        ("GET", "/api/subscription/list"),
        ("GET", "/api/entitlements"),
        ("GET", "/api/entitlements/sso"),
        ("GET", "/gate/sso"),
    ];
    let long = format!("Bearer admin:{}", "x".repeat(20_000));
    let credentials = [
        (None, 401, "unauthenticated"),
        (Some("Bearer"), 401, "unauthenticated"),
        (Some("Bearer "), 401, "unauthenticated"),
        (Some("Bearer nonsense"), 401, "unauthenticated"),
        (Some("Basic YWRtaW46b3JnXzE="), 401, "unauthenticated"),
        (Some(ADMIN), 401, "unauthenticated"),
        (Some(&*long), 401, "unauthenticated"),
        (Some("Bearer expired"), 401, "token_expired"),
        (Some("Bearer keyless"), 503, "keys_unavailable"),
    ];
    for (method, path) in routes {
        for (credential, status, code) in credentials {
            let mut request = plain(method, path);
            if let Some(credential) = credential {
                request = request.header("authorization", credential);
            }
            // The body is nothing that anybody should have looked at.
            let answer = world.send(request.body(Body::from("{")).unwrap()).await;
            let document = answer.problem(status, code);
            assert_eq!(answer.header("www-authenticate"), (status == 401).then_some("Bearer"));
            assert!(!document.to_string().contains("inner reason"));
        }
    }
    assert!(world.billing.calls().is_empty());
}

#[tokio::test]
async fn without_an_organization_there_is_no_billing() {
    let world = World::new().await;
    for (method, path) in [
        ("GET", "/api/session"),
        ("POST", "/api/subscription/create"),
        ("POST", "/api/subscription/cancel"),
        ("POST", "/api/subscription/restore"),
        ("POST", "/api/subscription/portal"),
        ("GET", "/api/subscription/list"),
        ("GET", "/api/entitlements"),
        ("GET", "/api/entitlements/sso"),
        ("GET", "/gate/sso"),
    ] {
        let request = plain(method, path).header("authorization", "Bearer admin:").body(Body::from("[")).unwrap();
        let document = world.send(request).await.problem(403, "organization_required");
        assert_eq!(document["error"], "Organization context required for billing");
    }
    assert!(world.billing.calls().is_empty());
}

#[tokio::test]
async fn members_read_and_do_not_write() {
    let world = World::new().await;
    for path in ["create", "cancel", "restore", "portal"] {
        let request =
            plain("POST", &format!("/api/subscription/{path}")).header("authorization", "Bearer member:org_1");
        // Also before the body is judged.
        world.send(request.body(Body::from("{\"plan\":7}")).unwrap()).await.problem(403, "role_required");
    }
    for path in ["/api/session", "/api/subscription/list", "/api/entitlements", "/gate/projects"] {
        let request = plain("GET", path).header("authorization", "Bearer member:org_1");
        world.send(request.body(Body::empty()).unwrap()).await.ok();
    }
    assert!(world.billing.calls().is_empty());
}

#[tokio::test]
async fn another_reference_is_refused_before_anything_else() {
    let world = World::new().await;
    let bodies = [
        ("", r#"{"referenceId":"org_2"}"#),
        ("", r#"{"referenceId":"org_2","plan":7,"seats":"x","when":1,"what":[]}"#),
        ("?referenceId=org_2", ""),
        ("?referenceId=org_2", "not json"),
        ("?referenceId=org_2", "[]"),
        ("?referenceId=org_2", r#"{"referenceId":"org_1"}"#),
        ("?referenceId=org_1", r#"{"referenceId":"org_2"}"#),
        ("?referenceId=", r#"{}"#),
        ("", r#"{"referenceId":""}"#),
    ];
    for path in ["create", "cancel", "restore", "portal"] {
        for (query, body) in bodies {
            let answer = world.post(&format!("/api/subscription/{path}{query}"), body).await;
            answer.problem(403, "reference_mismatch");
        }
    }
    for path in ["/api/session", "/api/subscription/list", "/api/entitlements", "/api/entitlements/sso", "/gate/sso"] {
        world.get(&format!("{path}?referenceId=org_2&all=maybe")).await.problem(403, "reference_mismatch");
        assert!(world.get(&format!("{path}?referenceId=org_1")).await.status != 403 || path == "/gate/sso");
    }
    assert!(world.billing.calls().is_empty());
    world.post("/api/subscription/create?referenceId=org_1", r#"{"referenceId":"org_1","plan":"starter"}"#).await.ok();
}

fn with_cookie(method: &Method, path: &str, cookie: &str) -> http::request::Builder {
    plain(method.as_str(), path).header("cookie", cookie)
}

#[tokio::test]
async fn a_cookie_reads_from_everywhere_and_writes_from_our_pages_only() {
    let world = World::with(|settings| settings.allowed_origins = vec![OTHER.into()], Default::default()).await;
    let cookie = format!("theme=dark; scalekit_session={ADMIN}; other=1");
    for path in ["/api/session", "/gate/projects"] {
        world.send(with_cookie(&Method::GET, path, &cookie).body(Body::empty()).unwrap()).await.ok();
    }
    let create = "/api/subscription/create";
    for origin in [None, Some("https://evil.example"), Some("null"), Some("https://app.example.com.evil.example")] {
        let mut request = with_cookie(&Method::POST, create, &cookie);
        if let Some(origin) = origin {
            request = request.header("origin", origin);
        }
        world.send(request.body(Body::from(r#"{"plan":"starter"}"#)).unwrap()).await.problem(403, "csrf");
    }
    assert!(world.billing.calls().is_empty());
    for origin in [APP, OTHER] {
        let request = with_cookie(&Method::POST, create, &cookie).header("origin", origin);
        world.send(request.body(Body::from(r#"{"plan":"starter"}"#)).unwrap()).await.ok();
    }
}

#[tokio::test]
async fn a_cookie_of_another_name_is_nothing() {
    let config = tollkeeper_http::Config { session_cookie: "mine".into(), ..Default::default() };
    let world = World::with(|_| {}, config).await;
    let old = with_cookie(&Method::GET, "/api/session", &format!("scalekit_session={ADMIN}"));
    world.send(old.body(Body::empty()).unwrap()).await.problem(401, "unauthenticated");
    let new = with_cookie(&Method::GET, "/api/session", &format!("mine={ADMIN}"));
    world.send(new.body(Body::empty()).unwrap()).await.ok();
    let expired = with_cookie(&Method::GET, "/api/session", "mine=expired");
    world.send(expired.body(Body::empty()).unwrap()).await.problem(401, "token_expired");
}

#[tokio::test]
async fn a_bearer_token_needs_no_origin() {
    let world = World::new().await;
    let request = as_admin("POST", "/api/subscription/create").header("cookie", "scalekit_session=expired");
    world.send(request.body(Body::from(r#"{"plan":"starter"}"#)).unwrap()).await.ok();
}
