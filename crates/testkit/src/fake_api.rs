//! A provider's server that records what it is asked, and answers what it is told.

#![expect(clippy::unwrap_used, reason = "what goes wrong here fails a test")]

use std::{
    collections::VecDeque,
    future::pending,
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
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
use tollkeeper_core::ports::Pace;

/// What the server does with a request.
pub enum Play {
    /// Answers.
    Answer {
        /// The HTTP status.
        status: u16,
        /// Names and values.
        headers: Vec<(&'static str, &'static str)>,
        /// What comes after them.
        body: String,
    },
    /// Never answers.
    Silence,
}

/// A JSON answer.
pub fn answer(status: u16, body: &Value) -> Play {
    Play::Answer { status, headers: vec![("content-type", "application/json")], body: body.to_string() }
}

/// A request as it came.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// The method.
    pub method: Method,
    /// The path, as it was sent.
    pub path: String,
    /// The query, as it was sent; empty where there was none.
    pub query: String,
    /// The headers.
    pub headers: HeaderMap,
    /// The body, as it was sent.
    pub body: String,
}

impl Recorded {
    /// The pairs of body and query, decoded.
    pub fn pairs(&self) -> Vec<(String, String)> {
        let mut pairs = decode(&self.query);
        pairs.extend(decode(&self.body));
        pairs
    }

    /// The value of one pair.
    pub fn value(&self, name: &str) -> Option<String> {
        self.pairs().into_iter().find(|(key, _)| key == name).map(|(_, value)| value)
    }

    /// What it does, in a line: `POST /v1/customers`.
    pub fn line(&self) -> String {
        format!("{} {}", self.method, self.path)
    }

    /// One header, where it was sent.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }
}

/// Reads a form or a query.
pub fn decode(form: &str) -> Vec<(String, String)> {
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

/// The server. Where it is reached comes with it.
pub struct FakeApi {
    stage: Arc<Stage>,
}

impl FakeApi {
    /// Starts it with what it shall answer, in order; also tells its address. A request beyond that is a 418, which no
    /// test expects.
    pub async fn playing(script: impl IntoIterator<Item = Play>) -> (Self, String) {
        let stage = Arc::new(Stage { script: Mutex::new(script.into_iter().collect()), ..Stage::default() });
        let (listener, url) = listen().await;
        let router = Router::new().fallback(play).with_state(Arc::clone(&stage));
        tokio::spawn(async move { axum::serve(listener, router).await });
        (Self { stage }, url)
    }

    /// What was asked, oldest first.
    pub fn requests(&self) -> Vec<Recorded> {
        self.stage.requests.lock().unwrap().clone()
    }

    /// What was asked, in lines, oldest first.
    pub fn lines(&self) -> Vec<String> {
        self.requests().iter().map(Recorded::line).collect()
    }

    /// The only request.
    pub fn request(&self) -> Recorded {
        let requests = self.requests();
        assert_eq!(requests.len(), 1, "{requests:?}");
        requests.into_iter().next().unwrap()
    }
}

async fn listen() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    (listener, url)
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

/// The address of a server that reads one whole request, writes these bytes and hangs up.
pub async fn hanging_up(written: &'static str) -> String {
    let (listener, url) = listen().await;
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
    url
}

fn is_whole(request: &[u8]) -> bool {
    let text = String::from_utf8_lossy(request).to_ascii_lowercase();
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head.lines().find_map(|line| line.strip_prefix("content-length:"));
    body.len() >= length.map_or(0, |length| length.trim().parse().unwrap())
}

/// An address where nobody listens.
pub async fn nobody() -> String {
    listen().await.1
}

/// A pace that lets so many requests through, and keeps what it is told.
#[derive(Debug)]
pub struct Budget {
    left: Mutex<u32>,
    told: Mutex<Vec<Duration>>,
}

impl Budget {
    /// How long a request without a turn is told to wait.
    pub const WAIT: Duration = Duration::from_secs(9);

    /// One that lets `left` requests through.
    pub fn of(left: u32) -> Arc<Self> {
        Arc::new(Self { left: Mutex::new(left), told: Mutex::default() })
    }

    /// How many more it lets through.
    pub fn left(&self) -> u32 {
        *self.left.lock().unwrap()
    }

    /// What the provider asked for, oldest first.
    pub fn told(&self) -> Vec<Duration> {
        self.told.lock().unwrap().clone()
    }
}

#[async_trait]
impl Pace for Budget {
    async fn permit(&self) -> Result<(), Duration> {
        let mut left = self.left.lock().unwrap();
        *left = left.checked_sub(1).ok_or(Self::WAIT)?;
        Ok(())
    }

    fn throttled(&self, after: Duration) {
        self.told.lock().unwrap().push(after);
    }
}
