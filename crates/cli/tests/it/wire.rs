//! The wire between a server and the billing provider, with a test's fingers on it.

use std::sync::{Arc, Mutex};

use axum::{
    Router,
    body::Bytes,
    extract::{Request, State},
    http::{StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
};
use reqwest::Client;
use tokio::net::TcpListener;

use crate::support::{World, client};

/// What goes wrong with the requests of one method and path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Nothing.
    None,
    /// Nothing arrives: 503 for everything.
    Down,
    /// The first such POST is done, but answered with 500.
    FailureAfterTheWork(&'static str),
    /// Such POSTs are done, but never answered.
    SilenceAfterTheWork(&'static str),
}

/// A server on the way to the provider. Ends with the test.
pub(crate) struct Wire {
    fault: Arc<Mutex<Fault>>,
}

#[derive(Clone)]
struct Relay {
    client: Client,
    to: String,
    fault: Arc<Mutex<Fault>>,
}

impl Wire {
    /// Puts itself between the billing provider and every server that this world starts from now on.
    pub(crate) async fn tap(world: &mut World) -> Self {
        let fault = Arc::new(Mutex::new(Fault::None));
        let relay = Relay { client: client(), to: world.url.clone(), fault: fault.clone() };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new().fallback(pass).with_state(relay);
        tokio::spawn(async move { axum::serve(listener, router).await });
        world.env.insert(world.provider.address().to_owned(), url);
        Self { fault }
    }

    pub(crate) fn set(&self, fault: Fault) {
        *self.fault.lock().unwrap() = fault;
    }
}

async fn pass(State(relay): State<Relay>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
    if *relay.fault.lock().unwrap() == Fault::Down {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    let mut headers = parts.headers;
    headers.remove("host");
    let request = relay.client.request(parts.method.clone(), format!("{}{}", relay.to, parts.uri));
    let answer = request.headers(headers).body(body).send().await.unwrap();
    let (status, kind) = (answer.status(), answer.headers().get(CONTENT_TYPE).cloned());
    let bytes: Bytes = answer.bytes().await.unwrap();
    let fault = {
        let mut fault = relay.fault.lock().unwrap();
        let met = match *fault {
            Fault::FailureAfterTheWork(path) | Fault::SilenceAfterTheWork(path) => {
                parts.method == "POST" && parts.uri.path() == path
            }
            Fault::None | Fault::Down => false,
        };
        match *fault {
            Fault::FailureAfterTheWork(_) if met => std::mem::replace(&mut *fault, Fault::None),
            other if met => other,
            _ => Fault::None,
        }
    };
    match fault {
        Fault::FailureAfterTheWork(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        Fault::SilenceAfterTheWork(_) => std::future::pending().await,
        Fault::None | Fault::Down => {
            let kind = kind.map(|kind| (CONTENT_TYPE, kind));
            (status, axum::response::AppendHeaders(kind), bytes).into_response()
        }
    }
}
