//! Server-sent events: what is told, to whom, and when it ends.

use std::time::Duration;

use axum::body::{Body, BodyDataStream};
use futures_util::StreamExt as _;
use serde_json::{Value, json};
use tokio::time::timeout;
use tollkeeper::Scope;

use crate::world::{ADMIN, World, limited, plain};

/// Nothing here takes this long, unless it never comes.
const PATIENCE: Duration = Duration::from_secs(20);

/// A stream that is open, read event by event.
struct Listening {
    frames: BodyDataStream,
    text: String,
}

/// What a stream said: the name, the id and the data.
type Event = (String, String, Value);

impl Listening {
    async fn to(world: &World, who: &str, last: Option<&str>) -> Self {
        let mut request = plain("GET", "/api/events").header("cookie", format!("scalekit_session={who}"));
        if let Some(last) = last {
            request = request.header("last-event-id", last);
        }
        let response =
            tower::ServiceExt::oneshot(world.app.clone(), request.body(Body::empty()).unwrap()).await.unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        assert_eq!(response.headers()["cache-control"], "no-store");
        assert_eq!(response.headers()["x-accel-buffering"], "no");
        Self { frames: response.into_body().into_data_stream(), text: String::new() }
    }

    /// The next event that says something; `None` at the end.
    async fn next(&mut self) -> Option<Event> {
        loop {
            while let Some((block, rest)) = self.text.split_once("\n\n") {
                let field = |name: &str| {
                    let line = block.lines().find_map(|line| line.strip_prefix(&format!("{name}: ")));
                    line.unwrap_or_default().to_owned()
                };
                let event = (field("event"), field("id"), field("data"));
                self.text = rest.to_owned();
                if !event.0.is_empty() {
                    return Some((event.0, event.1, serde_json::from_str(&event.2).unwrap()));
                }
            }
            let frame = timeout(PATIENCE, self.frames.next()).await.expect("something comes")?;
            self.text.push_str(std::str::from_utf8(&frame.unwrap()).unwrap());
        }
    }

    async fn wanted(&mut self, name: &str) -> Event {
        let event = self.next().await.expect("it goes on");
        assert_eq!(event.0, name, "{event:?}");
        event
    }
}

#[tokio::test]
async fn a_stream_says_how_everything_stands_and_what_becomes_of_it() {
    let world = World::new().await;
    world.get("/api/session").await.ok();
    let mut stream = Listening::to(&world, "member:org_1", None).await;
    let (_, _, data) = stream.wanted("subscription").await;
    assert_eq!(data, json!({ "subscriptions": [] }));
    assert_eq!(stream.wanted("entitlements").await.2, world.get("/api/entitlements").await.ok());

    let id = world.subscribe(r#"{"plan":"growth"}"#).await;
    // A checkout is several changes; what counts is what they come to.
    let (version, subscription) = loop {
        let (name, version, data) = stream.next().await.unwrap();
        if name == "subscription" && data["subscriptions"][0]["status"] == "active" {
            break (version, data["subscriptions"][0].clone());
        }
    };
    assert_eq!((&subscription["id"], &subscription["plan"]), (&json!(id), &json!("growth")));
    assert_eq!(subscription, world.get("/api/subscription/list").await.ok()["subscriptions"][0]);
    assert_eq!(stream.wanted("entitlements").await.2["features"]["sso"], true);

    // Whoever comes back knowing that hears only what is new.
    let mut again = Listening::to(&world, ADMIN, Some(&version)).await;
    world.post("/api/subscription/cancel", "").await.ok();
    for stream in [&mut stream, &mut again] {
        let (_, later, data) = stream.wanted("subscription").await;
        assert!(later.parse::<i64>().unwrap() > version.parse().unwrap());
        assert_eq!(data["subscriptions"][0]["status"], "non_renewing");
    }
}

#[tokio::test]
async fn nobody_hears_of_another_organization() {
    let world = World::new().await;
    world.ask("member:org_2", "GET", "/api/session", "").await.ok();
    let mut other = Listening::to(&world, "member:org_2", None).await;
    assert_eq!(other.wanted("subscription").await.2, json!({ "subscriptions": [] }));
    other.wanted("entitlements").await;
    world.subscribe(r#"{"plan":"growth"}"#).await;
    world.ask("admin:org_2", "POST", "/api/subscription/create", r#"{"plan":"starter"}"#).await.ok();
    let (name, _, data) = other.next().await.unwrap();
    assert_eq!((name.as_str(), data), ("subscription", json!({ "subscriptions": [] })));

    world.ask("nonsense", "GET", "/api/events", "").await.problem(401, "unauthenticated");
    world.get("/api/events?referenceId=org_2").await.problem(403, "reference_mismatch");
    let usage = world.key(&[Scope::Usage], Some("org_1")).await;
    world.ask(&usage, "GET", "/api/events", "").await.problem(403, "scope_required");
    world.post("/api/events", "").await.problem(405, "method_not_allowed");
}

#[tokio::test]
async fn streams_have_their_limits_and_give_their_places_back() {
    let limit = |limits: &mut tollkeeper_http::Limits| {
        limits.streams = 3;
        limits.streams_each = 2;
    };
    let world = World::with(|_| {}, limited(limit)).await;
    let first = Listening::to(&world, ADMIN, None).await;
    let second = Listening::to(&world, ADMIN, None).await;
    world.get("/api/events").await.problem(429, "rate_limited");
    let other = Listening::to(&world, "admin:org_2", None).await;
    world.ask("admin:org_3", "GET", "/api/events", "").await.problem(503, "overloaded");
    drop(first);
    let third = Listening::to(&world, ADMIN, None).await;
    drop((second, other, third));
    for _ in 0..3 {
        Listening::to(&world, ADMIN, None).await;
    }
}

#[tokio::test]
async fn a_stream_ends_with_the_token() {
    let world = World::new().await;
    let mut stream = Listening::to(&world, "brief:org_1", None).await;
    while stream.next().await.is_some() {}
}

#[tokio::test]
async fn a_silent_stream_beats() {
    let world = World::with(|_| {}, limited(|limits| limits.heartbeat = Duration::from_millis(5))).await;
    let mut stream = Listening::to(&world, ADMIN, None).await;
    let mut text = String::new();
    while text.matches("\n:").count() < 3 {
        let frame = timeout(PATIENCE, stream.frames.next()).await.expect("it beats").expect("it goes on");
        text.push_str(std::str::from_utf8(&frame.unwrap()).unwrap());
    }
    assert!(text.starts_with("retry: 2000\n\n"), "{text}");
}

#[tokio::test]
async fn a_stream_ends_when_the_engine_stops() {
    let world = World::new().await;
    let mut stream = Listening::to(&world, ADMIN, None).await;
    while stream.next().await.is_some_and(|(name, ..)| name != "entitlements") {}
    world.stop();
    assert_eq!(stream.next().await, None);
}
