//! What is too much is refused in time, and by name.

use std::{
    net::SocketAddr,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use axum::{body::Body, extract::ConnectInfo};
use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use tokio::sync::mpsc;
use tollkeeper::{Scope, ports::ErrorKind};
use tollkeeper_http::{Config, Rate};
use tower::ServiceExt as _;

use crate::world::{ADMIN, World, as_admin, limited, operated, plain};

const CANCEL: &str = "/api/subscription/cancel";

/// A body that comes piece by piece, as the test sends them.
fn pieces() -> (mpsc::UnboundedSender<Bytes>, Body) {
    let (send, mut receive) = mpsc::unbounded_channel();
    let stream = stream::poll_fn(move |context| receive.poll_recv(context)).map(Ok::<_, std::io::Error>);
    (send, Body::from_stream(stream))
}

/// Drives a request until it waits for something.
async fn until_it_waits(request: Pin<&mut (impl Future + ?Sized)>) {
    let mut request = request;
    for _ in 0..100 {
        let polled = std::future::poll_fn(|context: &mut Context<'_>| Poll::Ready(request.as_mut().poll(context)));
        assert!(polled.await.is_pending(), "it does not wait");
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn beyond_the_limit_requests_are_told_to_come_back() {
    let mut config = Config { operator_key: Some("tko".into()), ..Config::default() };
    config.limits.requests = 2;
    let world = World::with(|_| {}, config).await;
    let mut waiting: Vec<_> = (0..2)
        .map(|_| {
            let request = plain("GET", "/api/session").header("authorization", "Bearer silence");
            Box::pin(world.app.clone().oneshot(request.body(Body::empty()).unwrap()))
        })
        .collect();
    for request in &mut waiting {
        until_it_waits(request.as_mut()).await;
    }
    for path in ["/api/session", "/api/plans", "/gate/sso", "/billing", "/nowhere"] {
        world.get(path).await.problem(503, "overloaded");
    }
    // Nobody reads what cannot be answered.
    let (_never, body) = pieces();
    let webhook = plain("POST", "/api/webhooks/chargebee").header("authorization", "Basic good").body(body).unwrap();
    world.send(webhook).await.problem(503, "overloaded");
    for path in ["/healthz", "/readyz", "/version"] {
        world.get(path).await.ok();
    }
    drop(waiting);
    world.get("/api/session").await.ok();
}

#[tokio::test]
async fn bodies_share_a_room() {
    let world = World::with(|_| {}, limited(|limits| limits.bodies_bytes = 1000)).await;
    let (send, body) = pieces();
    let slow = plain("POST", "/api/webhooks/chargebee").header("authorization", "Basic good").body(body).unwrap();
    let mut slow = Box::pin(world.app.clone().oneshot(slow));
    send.send(Bytes::from(format!(r#"{{"id":"ev_1","x":"{}"#, "x".repeat(900)))).unwrap();
    until_it_waits(slow.as_mut()).await;

    let deliver = async |body: String| {
        let request = plain("POST", "/api/webhooks/chargebee").header("authorization", "Basic good");
        world.send(request.body(Body::from(body)).unwrap()).await
    };
    let large = format!(r#"{{"id":"ev_2","x":"{}"}}"#, "x".repeat(200));
    deliver(large.clone()).await.problem(503, "overloaded");
    deliver(r#"{"id":"ev_3"}"#.into()).await.ok();
    world.post(CANCEL, &large).await.problem(503, "overloaded");
    send.send(Bytes::from_static(b"\"}")).unwrap();
    drop(send);
    assert_eq!(slow.await.unwrap().status(), 200);
    // What was taken is free again, also of those that were refused.
    for _ in 0..20 {
        deliver(large.clone()).await.ok();
    }
}

#[tokio::test]
async fn a_body_that_does_not_come_is_not_waited_for() {
    let world = World::with(|_| {}, limited(|limits| limits.body_time = Duration::from_millis(20))).await;
    for (path, credential) in
        [("/api/webhooks/chargebee", "Basic good".to_owned()), (CANCEL, format!("Bearer {ADMIN}"))]
    {
        let (send, body) = pieces();
        send.send(Bytes::from_static(b"{")).unwrap();
        let request = plain("POST", path).header("authorization", credential).body(body).unwrap();
        world.send(request).await.problem(408, "body_timeout");
    }
}

#[tokio::test]
async fn what_says_that_it_is_too_long_is_not_read() {
    let world = World::new().await;
    let (_never, body) = pieces();
    // Nothing of it ever comes; what counts is what it says of itself.
    struct Announced(Body, u64);
    impl axum::body::HttpBody for Announced {
        type Data = Bytes;
        type Error = axum::Error;
        fn poll_frame(
            mut self: Pin<&mut Self>,
            context: &mut Context<'_>,
        ) -> Poll<Option<Result<hyper::body::Frame<Bytes>, axum::Error>>> {
            Pin::new(&mut self.0).poll_frame(context)
        }
        fn size_hint(&self) -> hyper::body::SizeHint {
            hyper::body::SizeHint::with_exact(self.1)
        }
    }
    let request = as_admin("POST", CANCEL).body(Body::new(Announced(body, 70_000))).unwrap();
    world.send(request).await.problem(413, "body_too_large");
}

#[tokio::test]
async fn nobody_who_is_not_proven_has_a_body_read() {
    let world = World::with(|_| {}, operated()).await;
    let read_only = world.key(&[Scope::Read], None).await;
    for (path, bearer, status, code) in [
        (CANCEL, "nonsense", 401, "unauthenticated"),
        (CANCEL, "expired", 401, "token_expired"),
        (CANCEL, "admin:", 403, "organization_required"),
        ("/api/subscription/cancel?referenceId=org_2", ADMIN, 403, "reference_mismatch"),
        (CANCEL, &*read_only, 403, "scope_required"),
        ("/admin/api/keys", &*read_only, 403, "scope_required"),
        ("/admin/api/replay", ADMIN, 401, "unauthenticated"),
        ("/admin/api/reconcile", "tk_unknown", 401, "unauthenticated"),
    ] {
        let (never, body) = pieces();
        let request = plain("POST", path).header("authorization", format!("Bearer {bearer}")).body(body).unwrap();
        world.send(request).await.problem(status, code);
        assert!(never.is_closed(), "the body was dropped, unread");
    }
}

#[tokio::test]
async fn an_organization_does_not_keep_the_provider_busy() {
    let rate = |limits: &mut tollkeeper_http::Limits| limits.provider_calls = Rate { per_minute: 1, burst: 3 };
    let world = World::with(|_| {}, limited(rate)).await;
    // What costs no provider anything is not counted.
    for body in ["{", r#"{"plan":7}"#, r#"{"plan":"gold"}"#, r#"{"plan":"gold"}"#, r#"{"referenceId":"org_2"}"#] {
        let status = world.post("/api/subscription/create", body).await.status;
        assert!(status == 400 || status == 403, "{status}");
    }
    for _ in 0..3 {
        world.post("/api/subscription/create", r#"{"plan":"starter"}"#).await.ok();
    }
    let before = world.billing.calls().len();
    for path in ["create", "cancel", "preview", "portal"] {
        let answer = world.post(&format!("/api/subscription/{path}"), r#"{"plan":"starter"}"#).await;
        answer.problem(429, "rate_limited");
        let wait: u64 = answer.header("retry-after").unwrap().parse().unwrap();
        assert!((1..=60).contains(&wait), "{wait}");
    }
    assert_eq!(world.billing.calls().len(), before);
    // Reading is free, gates and deliveries are, and others have their own.
    world.get("/api/subscription/list").await.ok();
    world.get("/gate/projects").await.ok();
    let delivery = plain("POST", "/api/webhooks/chargebee").header("authorization", "Basic good");
    world.send(delivery.body(Body::from(r#"{"id":"ev_1"}"#)).unwrap()).await.ok();
    world.ask("admin:org_2", "POST", "/api/subscription/create", r#"{"plan":"starter"}"#).await.ok();
    let key = world.key(&[Scope::Billing], None).await;
    let body = r#"{"plan":"starter","referenceId":"org_1"}"#;
    // Whoever asks, it is the same organization.
    world.ask(&key, "POST", "/api/subscription/create", body).await.problem(429, "rate_limited");
}

#[tokio::test]
async fn the_way_back_is_not_walked_all_the_time() {
    let rate = |limits: &mut tollkeeper_http::Limits| limits.provider_calls = Rate { per_minute: 1, burst: 2 };
    let world = World::with(|_| {}, limited(rate)).await;
    let created = world.post("/api/subscription/create", r#"{"plan":"starter"}"#).await.ok();
    let path = format!("/api/subscription/success?subscriptionId={}", created["subscriptionId"].as_str().unwrap());
    for _ in 0..2 {
        assert_eq!(world.get(&path).await.status, 303);
    }
    let before = world.billing.calls().len();
    world.get(&path).await.problem(429, "rate_limited");
    assert_eq!(world.billing.calls().len(), before);
    assert_eq!(world.get("/api/subscription/success?subscriptionId=tks_2").await.status, 303);
}

#[tokio::test]
async fn an_address_that_proves_nothing_again_and_again_waits_for_its_turn() {
    let mut config = operated();
    config.limits.failed_bearers = Rate { per_minute: 1, burst: 3 };
    let world = World::with(|_| {}, config).await;
    let from = async |peer: &str, bearer: &str, path: &str| {
        let mut request = plain("GET", path).header("authorization", format!("Bearer {bearer}"));
        let peer: SocketAddr = peer.parse().unwrap();
        request.extensions_mut().unwrap().insert(ConnectInfo(peer));
        world.send(request.body(Body::empty()).unwrap()).await
    };
    let bad = "192.0.2.1:4711";
    // An expired token was good once: whoever has it is no stranger.
    for _ in 0..10 {
        from(bad, "expired", "/api/session").await.problem(401, "token_expired");
        from(bad, ADMIN, "/api/session").await.ok();
    }
    from(bad, "nonsense", "/api/session").await.problem(401, "unauthenticated");
    from(bad, "tk_nonsense", "/api/session").await.problem(401, "unauthenticated");
    from(bad, "nonsense", "/admin/api/keys").await.problem(401, "unauthenticated");
    for path in ["/api/session", "/api/subscription/list", "/admin/api/keys"] {
        let answer = from(bad, "nonsense", path).await;
        answer.problem(429, "rate_limited");
        assert!(answer.header("retry-after").is_some());
    }
    // Gates are asked by one proxy for everybody; other addresses, and other ports of none, are not concerned.
    from(bad, ADMIN, "/gate/projects").await.ok();
    from(bad, "nonsense", "/gate/projects").await.problem(401, "unauthenticated");
    from("192.0.2.1:9", ADMIN, "/api/session").await.problem(429, "rate_limited");
    from("192.0.2.2:4711", ADMIN, "/api/session").await.ok();
}

#[tokio::test]
async fn a_short_line_is_stood_in() {
    let mut config = operated();
    // A turn every 30 ms, and a line of a second.
    config.limits.failed_bearers = Rate { per_minute: 2_000, burst: 1 };
    let world = World::with(|_| {}, config).await;
    let from = async |bearer: &str| {
        let mut request = plain("GET", "/api/session").header("authorization", format!("Bearer {bearer}"));
        request.extensions_mut().unwrap().insert(ConnectInfo::<SocketAddr>("192.0.2.1:1".parse().unwrap()));
        world.send(request.body(Body::empty()).unwrap()).await
    };
    for _ in 0..5 {
        from("nonsense").await.problem(401, "unauthenticated");
        from(ADMIN).await.ok();
    }
}

#[tokio::test]
async fn a_provider_that_throttles_is_said_with_its_wait() {
    let world = World::new().await;
    world.subscribe(r#"{"plan":"starter"}"#).await;
    world.billing.fail(Some(ErrorKind::Throttled(Duration::from_secs(9))));
    let answer = world.post("/api/subscription/preview", r#"{"plan":"growth"}"#).await;
    answer.problem(503, "provider_throttled");
    assert_eq!(answer.header("retry-after"), Some("9"));
}
