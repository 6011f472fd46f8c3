//! What every request has: an id, a limit in time, headers, figures; and machines' routes.

use std::time::Duration;

use axum::body::Body;
use metrics_exporter_prometheus::PrometheusBuilder;
use serde_json::json;
use tollkeeper::{Catalog, Db, Settings, Tollkeeper};
use tollkeeper_http::Config;
use tollkeeper_store::Options;
use tower::ServiceExt;

use crate::{
    fakes::{PlayedBilling, PlayedIdentity, Still},
    world::{APP, OTHER, World, as_admin, limited, plain},
};

#[tokio::test]
async fn a_request_id_is_taken_or_made_and_always_told() {
    let world = World::new().await;
    let with = |id: &[u8]| plain("GET", "/nowhere").header("x-request-id", id).body(Body::empty()).unwrap();
    let sane = world.send(with(b"abc-123_~!")).await;
    assert_eq!(sane.header("x-request-id"), Some("abc-123_~!"));
    assert_eq!(sane.problem(404, "not_found")["requestId"], "abc-123_~!");
    let long = vec![b'x'; 64];
    assert_eq!(world.send(with(&long)).await.header("x-request-id").unwrap().as_bytes(), long);

    let mut made = Vec::new();
    for bad in [&b""[..], b"a b", b"\xff\xfe", &[b'x'; 65], b"a\tb"] {
        let answer = world.send(with(bad)).await;
        answer.problem(404, "not_found");
        made.push(answer.header("x-request-id").unwrap().to_owned());
    }
    made.push(world.get("/healthz").await.header("x-request-id").unwrap().to_owned());
    assert!(made.iter().all(|id| id.len() <= 64 && id.bytes().all(|byte| byte.is_ascii_graphic())));
    made.sort();
    made.dedup();
    assert_eq!(made.len(), 6, "no id twice");
}

#[tokio::test]
async fn unknown_paths_and_wrong_methods_are_problems() {
    let world = World::new().await;
    for path in ["/nowhere", "/api", "/gate", "/gate/", "/gate/a/b", "/api/plans/", "/static/other.css", "/metrics"] {
        world.get(path).await.problem(404, "not_found");
    }
    for (method, path, allow) in [
        ("DELETE", "/api/session", "GET,HEAD"),
        ("GET", "/api/subscription/create", "POST"),
        ("POST", "/gate/sso", "GET,HEAD"),
        ("GET", "/api/webhooks/chargebee", "POST"),
        ("BREW", "/api/plans", "GET,HEAD"),
    ] {
        let answer = world.send(as_admin(method, path).body(Body::empty()).unwrap()).await;
        answer.problem(405, "method_not_allowed");
        assert_eq!(answer.header("allow"), Some(allow), "{method} {path}");
    }
    let head = world.send(plain("HEAD", "/nowhere").body(Body::empty()).unwrap()).await;
    assert_eq!(head.status, 404);
    assert!(head.body.is_empty());
}

#[tokio::test]
async fn a_panic_is_a_problem_and_tells_nothing() {
    let world = World::new().await;
    let request = plain("GET", "/api/session").header("authorization", "Bearer panic").body(Body::empty()).unwrap();
    let document = world.send(request).await.problem(500, "internal");
    assert!(!document.to_string().contains("played"));
    world.get("/api/session").await.ok();
}

#[tokio::test]
async fn what_takes_too_long_is_given_up() {
    let config = limited(|limits| limits.request_time = Duration::from_millis(10));
    let world = World::with(|_| {}, config).await;
    let request = plain("GET", "/api/session").header("authorization", "Bearer silence").body(Body::empty()).unwrap();
    world.send(request).await.problem(503, "timeout");
}

#[tokio::test]
async fn machines_learn_how_we_are() {
    let config = Config { version: "1.2.3", ..Config::default() };
    let world = World::with(|_| {}, config).await;
    assert_eq!(world.get("/healthz").await.ok(), json!({ "status": "ok" }));
    let ready = world.get("/readyz").await.ok();
    assert_eq!(ready, json!({ "status": "ready", "now": world.engine.now() }));
    assert_eq!(world.get("/version").await.ok(), json!({ "name": "tollkeeper", "version": "1.2.3" }));
    world.engine.database().close().await;
    world.get("/healthz").await.ok();
    world.get("/readyz").await.problem(503, "not_ready");
}

#[tokio::test]
async fn an_empty_database_is_not_ready() {
    let running = Tollkeeper::builder(Settings::new("chargebee".into(), APP))
        .database(Db::connect("sqlite::memory:", &Options::default()).await.unwrap())
        .clock(std::sync::Arc::new(Still::new()))
        .identity(std::sync::Arc::new(PlayedIdentity::default()))
        .billing(std::sync::Arc::new(PlayedBilling::default()))
        .catalog(Catalog::default())
        .workers(false)
        .start()
        .unwrap();
    let router = tollkeeper_http::router(running.engine().clone(), Config::default());
    let answer = router.oneshot(plain("GET", "/readyz").body(Body::empty()).unwrap()).await.unwrap();
    assert_eq!(answer.status(), 503);
    let body = axum::body::to_bytes(answer.into_body(), 10_000).await.unwrap();
    assert!(std::str::from_utf8(&body).unwrap().contains("the database is empty"));
}

#[tokio::test]
async fn figures_are_kept_by_route_and_not_by_path() {
    let recorder = PrometheusBuilder::new().build_recorder();
    let _here = metrics::set_default_local_recorder(&recorder);
    let config = Config { metrics: Some(recorder.handle()), ..Config::default() };
    let world = World::with(|_| {}, config).await;
    world.get("/gate/sso?secret=1").await.problem(402, "payment_required");
    world.get("/gate/projects").await.ok();
    world.get("/nowhere/1").await.problem(404, "not_found");
    world.send(as_admin("BREW", "/healthz").body(Body::empty()).unwrap()).await.problem(405, "method_not_allowed");
    let figures = world.get("/metrics").await;
    assert_eq!(figures.status, 200);
    assert!(figures.header("content-type").unwrap().starts_with("text/plain"));
    let text = std::str::from_utf8(&figures.body).unwrap();
    for line in [
        r#"tollkeeper_http_requests_total{route="/gate/{feature}",method="GET",status="402"} 1"#,
        r#"tollkeeper_http_requests_total{route="/gate/{feature}",method="GET",status="200"} 1"#,
        r#"tollkeeper_http_requests_total{route="unmatched",method="GET",status="404"} 1"#,
        r#"tollkeeper_http_requests_total{route="/healthz",method="other",status="405"} 1"#,
        r#"tollkeeper_http_request_duration_seconds_count{route="/gate/{feature}"} 2"#,
    ] {
        assert!(text.contains(line), "{line}\n{text}");
    }
    assert!(!text.contains("nowhere") && !text.contains("secret"));
}

#[tokio::test]
async fn figures_tell_how_the_inbox_stands() {
    let recorder = PrometheusBuilder::new().build_recorder();
    let _here = metrics::set_default_local_recorder(&recorder);
    let config = Config { metrics: Some(recorder.handle()), ..Config::default() };
    let world = World::with(|_| {}, config).await;
    let figures = async || String::from_utf8(world.get("/metrics").await.body.to_vec()).unwrap();
    let delivery = plain("POST", "/api/webhooks/chargebee").header("authorization", "Basic good");
    world.send(delivery.body(Body::from(r#"{"id":"ev_1"}"#)).unwrap()).await.ok();
    let text = figures().await;
    for line in [
        r#"tollkeeper_inbox_deliveries{source="chargebee",state="pending"} 1"#,
        r#"tollkeeper_inbox_deliveries{source="chargebee",state="dead"} 0"#,
        "tollkeeper_http_requests_in_flight 1",
        "tollkeeper_http_body_bytes 0",
    ] {
        assert!(text.contains(line), "{line}\n{text}");
    }
    // Whoever reads them often does not keep the database busy; whoever reads them without it gets what was known.
    world.engine.database().close().await;
    let text = figures().await;
    assert!(text.contains(r#"tollkeeper_inbox_deliveries{source="chargebee",state="pending"} 1"#), "{text}");
}

fn preflight(origin: &str) -> http::Request<Body> {
    plain("OPTIONS", "/api/subscription/create")
        .header("origin", origin)
        .header("access-control-request-method", "POST")
        .body(Body::empty())
        .unwrap()
}

#[tokio::test]
async fn other_sites_are_not_answered_unless_allowed() {
    let closed = World::new().await;
    for origin in [OTHER, APP] {
        let answer = closed.send(preflight(origin)).await;
        answer.problem(405, "method_not_allowed");
        assert_eq!(answer.header("access-control-allow-origin"), None);
    }
    let plans = closed.send(plain("GET", "/api/plans").header("origin", OTHER).body(Body::empty()).unwrap()).await;
    assert_eq!(plans.header("access-control-allow-origin"), None);
    assert_eq!(plans.header("vary"), None);
}

#[tokio::test]
async fn allowed_sites_are_answered_by_name() {
    let world = World::with(|settings| settings.allowed_origins = vec![OTHER.into()], Default::default()).await;
    let yes = world.send(preflight(OTHER)).await;
    assert_eq!(yes.status, 204);
    assert_eq!(yes.header("access-control-allow-origin"), Some(OTHER));
    assert_eq!(yes.header("access-control-allow-credentials"), Some("true"));
    assert_eq!(yes.header("access-control-allow-methods"), Some("GET, HEAD, POST, PUT, PATCH, DELETE"));
    assert_eq!(yes.header("access-control-allow-headers"), Some("authorization, content-type"));
    assert_eq!(yes.header("access-control-max-age"), Some("600"));
    for origin in ["https://evil.example", "null", "https://shop.example.com.evil.example"] {
        let no = world.send(preflight(origin)).await;
        no.problem(405, "method_not_allowed");
        assert_eq!(no.header("access-control-allow-origin"), None);
        assert_eq!(no.header("vary"), Some("origin"));
    }
    // Failures are readable too, or front ends could not show their sentence.
    let failed = world.send(plain("GET", "/api/session").header("origin", OTHER).body(Body::empty()).unwrap()).await;
    failed.problem(401, "unauthenticated");
    assert_eq!(failed.header("access-control-allow-origin"), Some(OTHER));
}
