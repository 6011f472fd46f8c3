#![allow(dead_code, missing_docs, unused_imports, clippy::all, reason = "scratch")]
#[path = "../tests/it/fakes/mod.rs"]
mod fakes;
#[path = "../tests/it/world.rs"]
mod world;
use axum::{Router, body::Body, routing::get};
use std::time::Instant;
use tower::Service;
async fn time(name: &str, router: &Router, make: impl Fn() -> http::Request<Body>) {
    let mut best = u128::MAX;
    for _ in 0..9 {
        let n = 40_000u32;
        let begun = Instant::now();
        for _ in 0..n {
            let r = router.clone().call(make()).await.unwrap();
            std::hint::black_box(&r);
        }
        best = best.min(begun.elapsed().as_nanos() / u128::from(n));
    }
    println!("{name}: {best} ns");
}
#[tokio::main(flavor = "current_thread")]
async fn main() {
    let handle = metrics_exporter_prometheus::PrometheusBuilder::new().install_recorder().unwrap();
    let config = tollkeeper_http::Config { metrics: Some(handle.clone()), ..Default::default() };
    let world = world::World::with(|s| s.gate_fresh = std::time::Duration::from_secs(3600), config).await;
    world.subscribe(r#"{"plan":"growth"}"#).await;
    let noop: Router = Router::new().route("/noop", get(|| async { "ok" }));
    let gate = || world::as_admin("GET", "/gate/sso").header("host", "x").body(Body::empty()).unwrap();
    let health = || world::as_admin("GET", "/healthz").header("host", "x").body(Body::empty()).unwrap();
    let none = || world::as_admin("GET", "/noop").header("host", "x").body(Body::empty()).unwrap();
    for _ in 0..2 {
        time("make", &noop, none).await;
        time("noop", &noop, none).await;
        time("health", &world.app, health).await;
        time("gate", &world.app, gate).await;
        handle.run_upkeep();
    }
    let now = std::time::Instant::now();
    for _ in 0..100_000 {
        std::hint::black_box(world.engine.gate(&"org_1".into(), "sso").await.unwrap());
    }
    println!("engine.gate {} ns", now.elapsed().as_nanos() / 100_000);
    let now = std::time::Instant::now();
    for _ in 0..100_000 {
        std::hint::black_box(world.engine.authenticate(world::ADMIN).await.unwrap());
    }
    println!("authenticate {} ns", now.elapsed().as_nanos() / 100_000);
}
