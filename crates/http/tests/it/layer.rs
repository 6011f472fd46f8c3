//! Gates around routes of a product that embeds the engine.

use axum::{
    Json, Router,
    body::Body,
    middleware::{self, Next},
    routing::{get, post},
};
use http::{Request, StatusCode, header};
use serde_json::{Value, json};
use tollkeeper::{Scope, ids::OrganizationId};
use tollkeeper_http::{Config, Entitled, Face, Gates};

use crate::world::{ADMIN, Answer, OPERATOR, World, as_admin, operated, plain};

const A_BROWSER: &str = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";

/// Says who was let in, and why.
async fn report(entitled: Entitled) -> Json<Value> {
    Json(json!({
        "organization": entitled.organization_id,
        "person": entitled.person.as_ref().map(|person| person.user_id.clone()),
        "feature": &*entitled.feature,
        "plan": entitled.plan(),
        "reason": entitled.decision.reason,
        "limit": entitled.limit(),
    }))
}

/// A product whose routes are gated, with ours beside them.
async fn product(gates: impl FnOnce(Gates) -> Gates) -> World {
    let mut world = World::with(|_| {}, operated()).await;
    let face = Face::new(world.engine.clone(), operated());
    let gates = gates(face.gates());
    let inner = Router::new().route("/deep", get(report)).route_layer(gates.require("sso"));
    world.app = Router::new()
        .route("/reports", get(report).post(report))
        .route_layer(gates.require("sso"))
        .merge(Router::new().route("/projects", get(report)).route_layer(gates.require("projects")))
        .merge(Router::new().route("/growth", get(report)).route_layer(gates.require_plan("growth")))
        .merge(Router::new().route("/any", post(report)).route_layer(gates.require_subscription()))
        .merge(Router::new().route("/typo", get(report)).route_layer(gates.require("ssso")))
        .route("/open", get(report))
        .nest("/nested", inner)
        .merge(face.router());
    world
}

fn as_browser(request: http::request::Builder) -> Request<Body> {
    request.header(header::ACCEPT, A_BROWSER).body(Body::empty()).unwrap()
}

fn leads_to(answer: &Answer) -> &str {
    assert_eq!(answer.status, StatusCode::SEE_OTHER);
    answer.header("location").unwrap()
}

#[tokio::test]
async fn a_program_is_refused_until_its_organization_has_paid() {
    let world = product(|gates| gates).await;
    for path in ["/reports", "/growth", "/nested/deep"] {
        let closed = world.get(path).await;
        assert_eq!(closed.problem(402, "payment_required")["reason"], "no_subscription", "{path}");
        assert_eq!(closed.header("cache-control"), Some("no-store"));
        assert_eq!(closed.header("vary"), Some("accept, authorization, cookie"));
    }
    world.post("/any", "").await.problem(402, "payment_required");
    // The plan that everybody has.
    let free = world.get("/projects").await;
    assert_eq!((&free.ok()["plan"], &free.ok()["limit"]), (&json!("free"), &json!(3)));

    world.subscribe(r#"{"plan":"growth"}"#).await;
    let open = world.get("/reports").await;
    assert_eq!(
        open.ok(),
        json!({
            "organization": "org_1", "person": "usr_1", "feature": "sso", "plan": "growth", "reason": "active",
            "limit": null,
        })
    );
    assert_eq!(open.header("cache-control"), Some("no-store"));
    assert_eq!(open.header("vary"), Some("authorization, cookie"));
    assert_eq!(world.get("/growth").await.ok()["feature"], "plan:growth");
    assert_eq!(world.get("/projects").await.ok()["limit"], "unlimited");
    assert_eq!(world.get("/nested/deep").await.ok()["plan"], "growth");
    assert_eq!(world.post("/any", "").await.ok()["feature"], "subscription");
    // Ours are beside it.
    assert_eq!(world.get("/gate/sso").await.ok()["allowed"], true);
}

#[tokio::test]
async fn a_browser_is_led_on() {
    let world = product(|gates| gates).await;
    let closed = world.send(as_browser(as_admin("GET", "/reports"))).await;
    assert_eq!(leads_to(&closed), "/pricing?reason=subscription_required&feature=sso");
    assert_eq!(closed.header("vary"), Some("accept, authorization, cookie"));
    assert_eq!(closed.header("cache-control"), Some("no-store"));
    let closed = world.send(as_browser(as_admin("GET", "/growth"))).await;
    assert_eq!(leads_to(&closed), "/pricing?reason=subscription_required&feature=plan%3Agrowth");

    let nobody = world.send(as_browser(plain("GET", "/reports?year=2026&half=2"))).await;
    assert_eq!(leads_to(&nobody), "/auth/login?next=%2Freports%3Fyear%3D2026%26half%3D2");
    let nobody = world.send(as_browser(plain("GET", "/nested/deep"))).await;
    assert_eq!(leads_to(&nobody), "/auth/login?next=%2Fnested%2Fdeep");
    let expired = as_browser(plain("GET", "/reports").header("authorization", "Bearer expired"));
    assert!(leads_to(&world.send(expired).await).starts_with("/auth/login?"));
    // What was being sent would be lost on the way.
    world.send(as_browser(as_admin("POST", "/reports"))).await.problem(402, "payment_required");
    // No plan has what nobody has heard of.
    world.send(as_browser(as_admin("GET", "/typo"))).await.problem(403, "unknown_feature");
    // An organization is what it lacks, and no subscription.
    let alone = as_browser(plain("GET", "/reports").header("authorization", "Bearer admin:"));
    world.send(alone).await.problem(403, "organization_required");
}

#[tokio::test]
async fn only_who_asks_for_a_page_gets_one() {
    let world = product(|gates| gates).await;
    for accept in ["*/*", "application/json", "application/json, text/plain, */*", "application/xhtml+xml", ""] {
        let request = as_admin("GET", "/reports").header(header::ACCEPT, accept).body(Body::empty()).unwrap();
        world.send(request).await.problem(402, "payment_required");
    }
    for accept in ["text/html", "TEXT/HTML;q=0.9", "application/json, text/html"] {
        let request = as_admin("GET", "/reports").header(header::ACCEPT, accept).body(Body::empty()).unwrap();
        leads_to(&world.send(request).await);
    }
}

#[tokio::test]
async fn whoever_is_not_proven_stays_outside() {
    let world = product(|gates| gates).await;
    for (request, status, code) in [
        (plain("GET", "/reports"), 401, "unauthenticated"),
        (plain("GET", "/reports").header("authorization", "Bearer nonsense"), 401, "unauthenticated"),
        (plain("GET", "/reports").header("authorization", "Bearer expired"), 401, "token_expired"),
        (plain("GET", "/reports").header("authorization", "Bearer keyless"), 503, "keys_unavailable"),
        (as_admin("GET", "/reports?referenceId=org_2"), 403, "reference_mismatch"),
        (plain("POST", "/any").header("cookie", format!("scalekit_session={ADMIN}")), 403, "csrf"),
    ] {
        world.send(request.body(Body::empty()).unwrap()).await.problem(status, code);
    }
    let asked = world.send(plain("HEAD", "/reports").body(Body::empty()).unwrap()).await;
    assert_eq!(asked.status, 401);
    assert!(asked.body.is_empty());

    // Without the database nobody knows who has paid.
    world.engine.database().close().await;
    world.get("/reports").await.problem(503, "gate_unavailable");
    world.send(as_browser(as_admin("GET", "/reports"))).await.problem(503, "gate_unavailable");
}

#[tokio::test]
async fn a_silent_identity_provider_keeps_it_closed() {
    let mut world = World::new().await;
    let limits = tollkeeper_http::Limits { request_time: std::time::Duration::from_millis(1), ..Default::default() };
    let gates = Face::new(world.engine.clone(), Config { limits, ..Config::default() }).gates();
    world.app = Router::new().route("/reports", get(report)).route_layer(gates.require("sso"));
    world.ask("silence", "GET", "/reports", "").await.problem(503, "timeout");
}

#[tokio::test]
async fn programs_come_in_with_keys() {
    let world = product(|gates| gates).await;
    world.operate("PUT", "/admin/api/organizations/org_1", "{}").await;
    world.subscribe(r#"{"plan":"growth"}"#).await;
    let read = world.key(&[Scope::Read], Some("org_1")).await;
    let open = world.ask(&read, "GET", "/reports", "").await.ok();
    assert_eq!((&open["organization"], &open["person"]), (&json!("org_1"), &Value::Null));
    world.ask(OPERATOR, "GET", "/reports", "").await.problem(400, "reference_required");
    world.ask(OPERATOR, "GET", "/reports?referenceId=org_1", "").await.ok();
    let usage = world.key(&[Scope::Usage], Some("org_1")).await;
    world.ask(&usage, "GET", "/reports", "").await.problem(403, "scope_required");
    // To read is not to write, whatever the product's route writes.
    world.ask(&read, "POST", "/any", "").await.problem(403, "scope_required");
    let admin = world.key(&[Scope::Read, Scope::Admin], Some("org_1")).await;
    world.ask(&admin, "POST", "/any", "").await.ok();
}

/// What a product's own layer has proven.
#[derive(Clone)]
struct OwnSession(String);

#[tokio::test]
async fn a_product_may_prove_organizations_by_itself() {
    let mut world = product(|gates| {
        let own = |parts: &http::request::Parts| parts.extensions.get::<OwnSession>().map(|it| it.0.as_str().into());
        gates.organization_from(own).login_page("/signin?from=app").pricing_page("https://shop.example.com/plans")
    })
    .await;
    world.subscribe(r#"{"plan":"growth"}"#).await;
    world.app = world.app.clone().layer(middleware::from_fn(|mut request: axum::extract::Request, next: Next| async {
        if let Some(own) = request.headers().get("x-own-session").and_then(|value| value.to_str().ok()) {
            let own = OwnSession(own.to_owned());
            request.extensions_mut().insert(own);
        }
        next.run(request).await
    }));
    let with = |own: &str| plain("GET", "/reports").header("x-own-session", own);
    let open = world.send(with("org_1").body(Body::empty()).unwrap()).await.ok();
    assert_eq!(open["organization"], json!(OrganizationId::from("org_1")));
    assert_eq!(open["person"], Value::Null);
    world.send(with("org_2").body(Body::empty()).unwrap()).await.problem(402, "payment_required");
    // Then a token of ours proves nobody.
    world.get("/reports").await.problem(401, "unauthenticated");
    let led = world.send(as_browser(with("org_2"))).await;
    assert_eq!(leads_to(&led), "https://shop.example.com/plans?reason=subscription_required&feature=sso");
    let led = world.send(as_browser(plain("GET", "/reports"))).await;
    assert_eq!(leads_to(&led), "/signin?from=app&next=%2Freports");
}

#[tokio::test]
async fn a_handler_without_a_gate_lets_nobody_in() {
    let world = product(|gates| gates).await;
    world.subscribe(r#"{"plan":"growth"}"#).await;
    assert_eq!(world.get("/open").await.status, StatusCode::INTERNAL_SERVER_ERROR);
}

#[tokio::test]
async fn a_session_that_is_used_behind_gates_alone_lives_on() {
    let mut world = product(|gates| gates).await;
    let face = Face::new(world.engine.clone(), operated());
    let ask = async |world: &World, path: &str, session: &str| {
        world.send(plain("GET", path).header("cookie", session).body(Body::empty()).unwrap()).await
    };
    let kept = |answer: &Answer| answer.header("set-cookie").map(|line| line.split(';').next().unwrap().to_owned());
    let session = world.sign_in().await;
    assert_eq!(kept(&ask(&world, "/projects", &session).await), None, "it is new");
    world.clock.advance(3_600);
    let open = ask(&world, "/projects", &session).await;
    open.ok();
    assert!(open.header("set-cookie").unwrap().contains("; Max-Age=604800; "), "{open:?}");
    // Also where the gate stays closed.
    world.clock.advance(3_600);
    let closed = ask(&world, "/reports", &kept(&open).unwrap()).await;
    closed.problem(402, "payment_required");
    let session = kept(&closed).unwrap();
    // Whatever a handler says about its answer, nobody keeps somebody's cookie for others.
    let public = |_: Entitled| async { ([(header::CACHE_CONTROL, "public, max-age=60")], "for everybody") };
    world.app = Router::new().route("/public", get(public)).route_layer(face.gates().require("projects"));
    assert_eq!(ask(&world, "/public", &session).await.header("cache-control"), Some("public, max-age=60"));
    world.clock.advance(3_600);
    let renewed = ask(&world, "/public", &session).await;
    assert!(kept(&renewed).is_some());
    assert_eq!(renewed.header("cache-control"), Some("no-store"));
    // One that is over is taken away.
    world.clock.advance(7 * 86_400);
    let over = ask(&world, "/public", &session).await;
    over.problem(401, "session_expired");
    assert!(over.header("set-cookie").unwrap().contains("=; Path=/; Max-Age=0; "), "{over:?}");
}
