//! The way in: a signed delivery over HTTP, durable before its 200.
//!
//! Three things take turns, round by round: A, the same route that verifies and decodes and stores nothing; B, the same
//! rows in batches of 64 into the same database, alone; and C, our server. The lower of A and B is what nobody could
//! beat with the same parts.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};
use axum::{
    Router,
    extract::{Path, State},
    response::{IntoResponse, Response},
    routing::post,
};
use bytes::Bytes;
use futures_util::future::join_all;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use tollkeeper::{
    Db,
    ids::Source,
    ports::{Inbound, Verified},
};
use tollkeeper_core::time::Clock as _;
use tollkeeper_store::{Options, inbox};
use tollkeeper_testkit::database::Engine;

use crate::{
    events::Sender,
    figures::{median, micros, percentile, rate, spread, thousandths},
    load::{self, Outcome, Pace, Requests},
    machine::{Machine, cores, fdatasync_p50},
    report::{Bar, Line, Report, Unit},
    rows::{self, GROWTH, Ids, STARTER},
    world::{Database, Plan, Providers, Server, Wish, billing, drain, engine, identity, stripe},
};

/// Subscriptions that the deliveries are about.
const SUBSCRIPTIONS: usize = 10_000;
/// What B writes at once.
const BATCH: usize = 64;

/// Numbers every event of the run, so that none comes twice.
static EVENTS: AtomicU64 = AtomicU64::new(0);

pub(crate) async fn run(plan: &Plan, report: &mut Report) -> anyhow::Result<()> {
    for engine in &plan.engines {
        for from in [Sender::Chargebee, Sender::Stripe, Sender::Scalekit] {
            compare(plan, *engine, from, report).await?;
        }
        with_workers(plan, *engine, report).await?;
    }
    Ok(())
}

struct Round {
    a: u64,
    b: u64,
    c: u64,
    /// What the client had of the machine while C ran, in thousandths.
    client: u64,
}

async fn compare(plan: &Plan, engine_kind: Engine, from: Sender, report: &mut Report) -> anyhow::Result<()> {
    let database = Database::new(engine_kind, &plan.folder).await?;
    let running = engine(&database.db, &Wish::default())?;
    let (ours, theirs) = (Server::of(&running).await?, Server::start(nothing_stored()?).await?);
    let (count, rounds) = (plan.size(20_000, 300), plan.size(7, 1));
    let mut all = Vec::new();
    // The first round warms everything up and is not kept.
    for round in 0..=rounds {
        let (requests, _) = prepare(from, count);
        let a = load::send(theirs.address, requests, plan.connections, Pace::Closed, None).await?;
        let (_, bodies) = prepare(from, count);
        let b = alone(database.url.clone(), from, bodies).await?;
        let (requests, _) = prepare(from, count);
        let c = load::send(ours.address, requests, plan.connections, Pace::Closed, None).await?;
        if round > 0 {
            all.push(Round { a: rate(count, a.took), b: rate(count, b), c: rate(count, c.took), client: share(&c) });
        }
    }
    let of = |pick: fn(&Round) -> u64| all.iter().map(pick).collect::<Vec<_>>();
    let (a, b, c) = (of(|it| it.a), of(|it| it.b), of(|it| it.c));
    let ratios: Vec<_> = all.iter().map(|it| thousandths(it.c, it.a.min(it.b))).collect();
    let name = from.name();
    let line = |what: &str, value, unit, bar, note| Line {
        work: "ingest",
        what: format!("{name}: {what}"),
        engine: database.name,
        value,
        unit,
        bar,
        note,
    };
    report.add(line("A, nothing stored", median(&a), Unit::PerSecond, None, format!("rounds {}", spread(&a))));
    report.add(line("B, rows alone", median(&b), Unit::PerSecond, None, format!("rounds {}", spread(&b))));
    let client = median(&of(|it| it.client)) / 10;
    let note = format!("rounds {}; the client took {client} % of {} cores", spread(&c), cores());
    report.add(line("ours, durable before 200", median(&c), Unit::PerSecond, None, note));
    let note = format!("of the lower of A and B, round by round {}", spread(&ratios));
    report.add(line("ratio", median(&ratios), Unit::Thousandths, Some(Bar::AtLeast(600)), note));

    let half = (median(&c) / 2).max(1);
    let (count, pace) = (usize::try_from(half)? * plan.size(10, 1), Pace::PerSecond(half));
    let fdatasync = fdatasync_p50(&plan.folder)?;
    let mut outcome = load::send(ours.address, prepare(from, count).0, plan.connections, pace, None).await?;
    // What the machine and the client do to anybody at this pace.
    let mut nothing = load::send(theirs.address, prepare(from, count).0, plan.connections, pace, None).await?;
    let (p50, a99) = (percentile(&mut outcome.latencies, 50), percentile(&mut nothing.latencies, 99));
    let note = format!("{half}/s asked for; p50 {p50} us; p99 of A {a99} us; fdatasync p50 {fdatasync} us just before");
    let bar = Bar::AtMost(20_000.max(10 * fdatasync));
    report.add(line("p99 at half load", percentile(&mut outcome.latencies, 99), Unit::Microseconds, Some(bar), note));
    theirs.stop().await?;
    ours.stop().await?;
    running.stop().await;
    database.db.close().await;
    Ok(())
}

/// The rate with workers on, and how long they were behind at its end.
async fn with_workers(plan: &Plan, engine_kind: Engine, report: &mut Report) -> anyhow::Result<()> {
    let database = Database::new(engine_kind, &plan.folder).await?;
    let subscriptions = plan.size(SUBSCRIPTIONS, 100);
    rows::seed(&database.db, 0..subscriptions, rows::own, STARTER).await?;
    let running = engine(&database.db, &Wish { workers: true, ..Wish::default() })?;
    let ours = Server::of(&running).await?;
    let count = plan.size(30_000, 300);
    let from = Sender::Chargebee;
    let template = from.template();
    let mut requests = Requests::default();
    for number in 0..count {
        let version = i64::try_from(number / subscriptions)? + 2;
        let event = next_event();
        let news = rows::own(number % subscriptions).news(event, version, version + 5, STARTER);
        from.push(&mut requests, event, &template.fill(&news));
    }
    let mut outcome = load::send(ours.address, Arc::new(requests), plan.connections, Pace::Closed, None).await?;
    let behind = drain(&database.db, Duration::from_secs(300)).await?;
    let line = |what: &str, value, unit, note| Line {
        work: "ingest",
        what: format!("chargebee: workers on, {what}"),
        engine: database.name,
        value,
        unit,
        bar: None,
        note,
    };
    let p99 = percentile(&mut outcome.latencies, 99);
    let note = format!("p99 {p99} us; {count} deliveries about {subscriptions} subscriptions");
    report.add(line("taken in", rate(count, outcome.took), Unit::PerSecond, note));
    let note = "after the last delivery was taken in".to_owned();
    report.add(line("backlog applied", micros(behind), Unit::Microseconds, note));
    ours.stop().await?;
    running.stop().await;
    database.db.close().await;
    Ok(())
}

fn next_event() -> u64 {
    EVENTS.fetch_add(1, Ordering::Relaxed)
}

/// Deliveries that nobody has seen, as they go out and as they are stored.
fn prepare(from: Sender, count: usize) -> (Arc<Requests>, Vec<(u64, Bytes)>) {
    let template = from.template();
    let (mut requests, mut bodies) = (Requests::default(), Vec::with_capacity(count));
    for number in 0..count {
        let event = next_event();
        let ids: Ids = rows::own(number % SUBSCRIPTIONS);
        let body = template.fill(&ids.news(event, Machine::micros(), 5, GROWTH));
        from.push(&mut requests, event, &body);
        bodies.push((event, body.into()));
    }
    (Arc::new(requests), bodies)
}

fn share(outcome: &Outcome) -> u64 {
    thousandths(micros(outcome.client), micros(outcome.took) * cores() as u64)
}

/// B: reads the envelopes first, and then measures nothing but writing.
async fn alone(url: String, from: Sender, bodies: Vec<(u64, Bytes)>) -> anyhow::Result<Duration> {
    let inbound = inbound(from)?;
    let now = Machine.machine_now();
    let mut deliveries = Vec::with_capacity(bodies.len());
    for (_, body) in bodies {
        let hint = inbound.envelope(&Verified::vouched(inbound.source(), body.clone()))?;
        deliveries.push(inbox::Delivery {
            source: inbound.source(),
            event_id: hint.event_id,
            event_type: hint.event_type,
            subject: hint.subject.to_string(),
            occurred_at: hint.occurred_at,
            received_at: now,
            body,
        });
    }
    // One thread that sends and writes in turn, so that a batch is what was sent together, and one batch follows another.
    let work = move || -> anyhow::Result<Duration> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            let db = Db::connect(&url, &Options::default()).await?;
            db.write(|_| Box::pin(async { Ok::<_, tollkeeper_store::Error>(()) })).await?;
            let writer = inbox::Writer::start(db.clone());
            let begun = Instant::now();
            let mut left = deliveries.into_iter();
            loop {
                let batch: Vec<_> = left.by_ref().take(BATCH).map(|delivery| writer.put(delivery)).collect();
                if batch.is_empty() {
                    break;
                }
                for put in join_all(batch).await {
                    if put? != inbox::Put::New {
                        bail!("an event came twice");
                    }
                }
            }
            let took = begun.elapsed();
            db.close().await;
            Ok(took)
        })
    };
    tokio::task::spawn_blocking(work).await.context("writing alone")?
}

fn inbound(from: Sender) -> anyhow::Result<Arc<dyn Inbound>> {
    Ok(match from {
        Sender::Chargebee => Arc::new(billing(&Providers::default())?),
        Sender::Stripe => Arc::new(stripe(&Providers::default())?),
        Sender::Scalekit => Arc::new(identity(&Providers::default())?),
    })
}

type Sources = Arc<Vec<Arc<dyn Inbound>>>;

/// A: the same path and the same adapters, without anything that a product needs around them.
fn nothing_stored() -> anyhow::Result<Router> {
    let sources: Sources =
        Arc::new(vec![inbound(Sender::Chargebee)?, inbound(Sender::Stripe)?, inbound(Sender::Scalekit)?]);
    Ok(Router::new().route("/api/webhooks/{source}", post(look)).with_state(sources))
}

async fn look(
    State(sources): State<Sources>,
    Path(source): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, StatusCode> {
    let source = Source::from(source);
    let inbound = sources.iter().find(|inbound| inbound.source() == source).ok_or(StatusCode::NOT_FOUND)?;
    let verified = inbound.verify(&headers, body, Machine.machine_now()).map_err(|_| StatusCode::UNAUTHORIZED)?;
    inbound.envelope(&verified).map_err(|_| StatusCode::BAD_REQUEST)?;
    let kind = [(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))];
    Ok((kind, Bytes::from_static(br#"{"received":true}"#)).into_response())
}
