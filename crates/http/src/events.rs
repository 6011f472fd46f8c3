//! What happens to an organization, as it happens: server-sent events.
//!
//! Source: the HTML standard, "Server-sent events".

use std::{
    collections::{HashMap, VecDeque},
    convert::Infallible,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use axum::{
    Extension,
    extract::State,
    response::{
        IntoResponse, Response,
        sse::{Event, Sse},
    },
};
use futures_util::stream;
use http::{HeaderMap, HeaderName, HeaderValue, Uri, header};
use serde_json::{Value, json};
use tokio::{sync::watch, time::Instant};
use tollkeeper::{Action, Changes, Heard, ids::OrganizationId};

use crate::{
    gate::entitlements_of,
    problem::Problem,
    query,
    router::{App, Shared},
    session::Caller,
};

/// The longest that a stream lives: whoever listens on proves itself again.
const LONGEST: Duration = Duration::from_secs(15 * 60);
/// How long a browser waits before it comes back.
const COME_BACK: Duration = Duration::from_secs(2);

/// Says that the server is about to stop: what would go on for ever ends now.
#[derive(Clone)]
pub(crate) struct Finishing(pub(crate) watch::Receiver<bool>);

/// The streams that are open.
pub(crate) struct Streams {
    open: Mutex<(usize, HashMap<OrganizationId, usize>)>,
    most: usize,
    most_each: usize,
}

impl Streams {
    pub(crate) fn new(most: usize, most_each: usize) -> Self {
        Self { open: Mutex::default(), most, most_each }
    }

    fn enter(app: &Shared, id: &OrganizationId) -> Result<OpenStream, Problem> {
        let streams = &app.streams;
        let mut open = streams.open.lock().unwrap_or_else(PoisonError::into_inner);
        if open.0 >= streams.most {
            return Err(Problem::overloaded());
        }
        let own = open.1.entry(id.clone()).or_default();
        if *own >= streams.most_each {
            return Err(Problem::too_often("Too many streams of events for this organization are open", COME_BACK));
        }
        *own += 1;
        open.0 += 1;
        Ok(OpenStream { app: app.clone(), id: id.clone() })
    }
}

/// A place among the open streams, until it is dropped.
struct OpenStream {
    app: Arc<App>,
    id: OrganizationId,
}

impl Drop for OpenStream {
    fn drop(&mut self) {
        let mut open = self.app.streams.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.0 -= 1;
        if let Some(own) = open.1.get_mut(&self.id) {
            *own -= 1;
            if *own == 0 {
                open.1.remove(&self.id);
            }
        }
    }
}

/// One stream.
struct Listener {
    stream: OpenStream,
    changes: Changes,
    /// When whoever listens must prove itself again.
    until: Instant,
    finishing: Option<watch::Receiver<bool>>,
    /// What is to be sent.
    waiting: VecDeque<Event>,
    /// What was said about entitlements last.
    entitlements: Value,
}

/// `GET /api/events`
///
/// `subscription` comes first and whenever something of the organization changes, `entitlements` when what it may use does.
/// Each says how everything stands then, so that one that was missed is made good by the next. Their id is the version of
/// the organization: whoever comes back with it hears nothing twice.
pub(crate) async fn stream(
    State(app): State<Shared>,
    caller: Caller,
    finishing: Option<Extension<Finishing>>,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let reference = query::value(&uri, "referenceId");
    let actor = caller.authorize(&app, reference.as_deref(), Action::List).await?;
    let left = match &caller {
        Caller::Person(session) => app.engine.time_left(session).min(LONGEST),
        Caller::Key(_) => LONGEST,
    };
    let id = actor.organization_id();
    let known = headers.get("last-event-id").and_then(|id| id.to_str().ok()?.parse().ok());
    let listener = Listener {
        stream: Streams::enter(&app, id)?,
        changes: app.engine.changes(id, known),
        until: Instant::now() + left,
        finishing: finishing.map(|Extension(Finishing(asked))| asked),
        waiting: VecDeque::from([Event::default().retry(COME_BACK)]),
        entitlements: Value::Null,
    };
    let events = stream::unfold(listener, async |mut listener| {
        let event = listener.next().await?;
        Some((Ok::<_, Infallible>(event), listener))
    });
    let headers = [
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
        // A proxy that collects answers would hold everything back.
        (HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no")),
    ];
    Ok((headers, Sse::new(Box::pin(events))).into_response())
}

impl Listener {
    /// What is sent next; `None` ends the stream.
    async fn next(&mut self) -> Option<Event> {
        if let Some(event) = self.waiting.pop_front() {
            return Some(event);
        }
        let heard = tokio::select! {
            () = asked_to_finish(self.finishing.as_mut()) => return None,
            () = tokio::time::sleep_until(self.until) => return None,
            heard = self.changes.next(self.stream.app.config.limits.heartbeat) => heard,
        };
        match heard {
            Heard::Over => None,
            Heard::Quiet => Some(Event::default().comment("")),
            Heard::Changed(version) => match self.tell(version).await {
                Ok(event) => Some(event),
                Err(error) => {
                    // It comes back, and hears how everything stands.
                    tracing::debug!(%error, organization.id = %self.stream.id, "a stream of events ends early");
                    None
                }
            },
        }
    }

    /// How everything stands now.
    async fn tell(&mut self, version: i64) -> Result<Event, tollkeeper::Error> {
        let (engine, id) = (&self.stream.app.engine, &self.stream.id);
        let event =
            |name: &str, data: &Value| Event::default().event(name).id(version.to_string()).data(data.to_string());
        let entitlements = entitlements_of(engine.entitlements(id).await?);
        if entitlements != self.entitlements {
            self.waiting.push_back(event("entitlements", &entitlements));
            self.entitlements = entitlements;
        }
        let subscriptions = engine.subscriptions(id, false).await?;
        Ok(event("subscription", &json!({ "subscriptions": subscriptions })))
    }
}

/// Resolves when the server is about to stop.
async fn asked_to_finish(asked: Option<&mut watch::Receiver<bool>>) {
    match asked {
        // When nobody can ask any more, it is over as well.
        Some(asked) => drop(asked.wait_for(|finishing| *finishing).await),
        None => std::future::pending().await,
    }
}
