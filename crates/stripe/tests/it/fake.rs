//! A server that records what it is asked, and answers what it is told.

use std::{
    collections::VecDeque,
    future::pending,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Router,
    body::{Body, to_bytes},
    extract::{Request, State},
    response::Response,
};
use http::{HeaderMap, Method};
use percent_encoding::percent_decode_str;
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};
use tollkeeper_core::time::{Clock, MachineTime, Timestamp};
use tollkeeper_stripe::{Config, Stripe, Timeouts};

/// What the server does with a request.
pub(crate) enum Play {
    /// Answers.
    Answer { status: u16, headers: Vec<(&'static str, &'static str)>, body: String },
    /// Never answers.
    Silence,
}

/// A JSON answer.
pub(crate) fn answer(status: u16, body: &Value) -> Play {
    Play::Answer { status, headers: vec![("content-type", "application/json")], body: body.to_string() }
}

/// A refusal in Stripe's own words.
pub(crate) fn refusal(status: u16, kind: &str, code: &str) -> Play {
    answer(status, &serde_json::json!({ "error": { "type": kind, "code": code, "message": "no" } }))
}

/// What is not there.
pub(crate) fn missing() -> Play {
    refusal(404, "invalid_request_error", "resource_missing")
}

/// A whole list.
pub(crate) fn list(rows: &[Value]) -> Play {
    answer(200, &serde_json::json!({ "object": "list", "data": rows, "has_more": false }))
}

/// A page of a list that goes on.
pub(crate) fn page(rows: &[Value]) -> Play {
    answer(200, &serde_json::json!({ "object": "list", "data": rows, "has_more": true }))
}

/// A subscription with these members over the usual ones.
pub(crate) fn subscription(members: Value) -> Value {
    let mut whole = serde_json::json!({
        "id": "sub_1", "object": "subscription", "customer": "cus_1", "status": "active", "currency": "usd",
        "created": 1, "collection_method": "charge_automatically", "billing_mode": { "type": "flexible" },
        "latest_invoice": { "id": "in_1", "status": "paid", "amount_due": 5 }, "schedule": null,
        "items": { "data": [{ "id": "si_1", "price": { "id": "growth", "currency": "usd" }, "quantity": 5,
            "current_period_start": 100, "current_period_end": 900 }], "has_more": false },
    });
    for (name, value) in members.as_object().unwrap() {
        whole[name] = value.clone();
    }
    whole
}

/// A schedule that holds `sub_1`, with this after the current phase.
pub(crate) fn schedule(next: &[Value]) -> Value {
    let current = serde_json::json!({ "start_date": 100, "end_date": 900, "discounts": [{ "discount": "di_1" }],
        "items": [{ "price": "growth", "quantity": 5 }] });
    let phases: Vec<_> = std::iter::once(current).chain(next.iter().cloned()).collect();
    serde_json::json!({ "id": "sub_sched_1", "object": "subscription_schedule", "status": "active",
        "current_phase": { "start_date": 100, "end_date": 900 }, "phases": phases })
}

/// A phase that begins when the current one ends.
pub(crate) fn next_phase(price: &str, quantity: i64) -> Value {
    serde_json::json!({ "start_date": 900, "end_date": 1000, "items": [{ "price": price, "quantity": quantity }] })
}

/// A request as it came.
#[derive(Clone, Debug)]
pub(crate) struct Recorded {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) query: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Recorded {
    /// The pairs of body and query, decoded.
    pub(crate) fn pairs(&self) -> Vec<(String, String)> {
        let mut pairs = decode(&self.query);
        pairs.extend(decode(&self.body));
        pairs
    }

    /// The value of one pair.
    pub(crate) fn value(&self, name: &str) -> Option<String> {
        self.pairs().into_iter().find(|(key, _)| key == name).map(|(_, value)| value)
    }

    /// What it does, in a line: `POST /v1/customers`.
    pub(crate) fn line(&self) -> String {
        format!("{} {}", self.method, self.path)
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }
}

/// Reads a form or a query.
pub(crate) fn decode(form: &str) -> Vec<(String, String)> {
    let text = |part: &str| percent_decode_str(&part.replace('+', " ")).decode_utf8().unwrap().into_owned();
    form.split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap();
            (text(name), text(value))
        })
        .collect()
}

#[derive(Default)]
struct Stage {
    script: Mutex<VecDeque<Play>>,
    requests: Mutex<Vec<Recorded>>,
}

/// The server and an adapter that talks to it.
pub(crate) struct Fake {
    stage: Arc<Stage>,
    pub(crate) stripe: Stripe,
}

impl Fake {
    /// Starts it with what it shall answer, in order. A request beyond that is a 418, which no test expects.
    pub(crate) async fn playing(script: impl IntoIterator<Item = Play>) -> Self {
        Self::with(script, |config| config).await
    }

    /// The same, with other settings.
    pub(crate) async fn with(script: impl IntoIterator<Item = Play>, settings: impl FnOnce(Config) -> Config) -> Self {
        let stage = Arc::new(Stage { script: Mutex::new(script.into_iter().collect()), ..Stage::default() });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new().fallback(play).with_state(Arc::clone(&stage));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { stage, stripe: adapter(settings(config(&url))) }
    }

    /// The same, at this business time.
    pub(crate) async fn playing_at(seconds: i64, script: impl IntoIterator<Item = Play>) -> Self {
        Self::playing(script).await.at(seconds)
    }

    /// Gives the adapter a clock that stands still.
    pub(crate) fn at(self, seconds: i64) -> Self {
        Self { stripe: self.stripe.with_clock(Arc::new(At(seconds))), stage: self.stage }
    }

    /// What was asked, in lines, oldest first.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.requests().iter().map(Recorded::line).collect()
    }

    /// What was asked, oldest first.
    pub(crate) fn requests(&self) -> Vec<Recorded> {
        self.stage.requests.lock().unwrap().clone()
    }

    /// The only request.
    pub(crate) fn request(&self) -> Recorded {
        let requests = self.requests();
        assert_eq!(requests.len(), 1, "{requests:?}");
        requests.into_iter().next().unwrap()
    }
}

async fn play(State(stage): State<Arc<Stage>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, 1 << 20).await.unwrap();
    stage.requests.lock().unwrap().push(Recorded {
        method: parts.method,
        path: parts.uri.path().to_owned(),
        query: parts.uri.query().unwrap_or_default().to_owned(),
        headers: parts.headers,
        body: String::from_utf8(body.to_vec()).unwrap(),
    });
    let next = stage.script.lock().unwrap().pop_front();
    match next {
        Some(Play::Silence) => pending().await,
        Some(Play::Answer { status, headers, body }) => {
            let mut response = Response::builder().status(status);
            for (name, value) in headers {
                response = response.header(name, value);
            }
            response.body(Body::from(body)).unwrap()
        }
        None => Response::builder().status(418).body(Body::empty()).unwrap(),
    }
}

/// A server that reads one whole request, writes these bytes and hangs up.
pub(crate) async fn hanging_up(written: &'static str) -> Stripe {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut seen = Vec::new();
            while !is_whole(&seen) {
                let mut buffer = [0; 4096];
                match stream.read(&mut buffer).await {
                    Ok(0) | Err(_) => break,
                    Ok(count) => seen.extend_from_slice(&buffer[..count]),
                }
            }
            let _ = stream.write_all(written.as_bytes()).await;
        }
    });
    adapter(config(&url))
}

fn is_whole(request: &[u8]) -> bool {
    let text = String::from_utf8_lossy(request).to_ascii_lowercase();
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head.lines().find_map(|line| line.strip_prefix("content-length:"));
    body.len() >= length.map_or(0, |length| length.trim().parse().unwrap())
}

/// An address where nobody listens.
pub(crate) async fn nobody() -> Stripe {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    adapter(config(&url))
}

/// A clock that stands still.
struct At(i64);

impl Clock for At {
    fn now(&self) -> Timestamp {
        Timestamp::from_unix_seconds(self.0)
    }

    fn machine_now(&self) -> MachineTime {
        MachineTime::from_unix_seconds(self.0)
    }
}

/// An adapter that is never asked to call anybody.
pub(crate) fn offline() -> Stripe {
    adapter(config("http://127.0.0.1:9"))
}

pub(crate) fn config(url: &str) -> Config {
    Config {
        secret_key: "sk_test_key".into(),
        webhook_secrets: vec!["whsec_test_secret".into(), "whsec_rotated_secret".into()],
        api_url: Some(url.into()),
        timeouts: Timeouts { connect: Duration::from_secs(3), total: Duration::from_secs(10) },
        ..Config::default()
    }
}

pub(crate) fn adapter(config: Config) -> Stripe {
    // Another test of this process may have installed it already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Stripe::new(config).unwrap()
}
