//! From a delivery to what it changes: until the gate shows it, and while the provider allows little.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use anyhow::ensure;
use tollkeeper::{Tollkeeper, ids::OrganizationId};
use tollkeeper_testkit::database::Engine;

use crate::{
    events::Sender,
    figures::{micros, percentile},
    load::{self, Pace, Requests},
    report::{Bar, Line, Report, Unit},
    rows::{self, GROWTH, Ids, STARTER},
    stand_in,
    world::{Database, Plan, Providers, Server, Wish, engine},
};

/// Deliveries a second.
const RATE: u64 = 500;
/// What the provider allows in the second part: 25 a second.
const PER_MINUTE: u32 = 25 * 60;
/// Organizations whose people ask meanwhile.
const ASKING: usize = 20;
/// How long anything may take to show before the run is given up.
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) async fn run(plan: &Plan, report: &mut Report) -> anyhow::Result<()> {
    for engine in &plan.engines {
        for from in [Sender::Chargebee, Sender::Stripe] {
            delivery_to_gate(plan, *engine, from, report).await?;
        }
    }
    for engine in &plan.engines {
        person_meanwhile(plan, *engine, report).await?;
    }
    Ok(())
}

/// What was sent and does not show yet, and how long the others took.
#[derive(Default)]
struct Watch {
    open: Mutex<Vec<(usize, Instant)>>,
    seen: Mutex<Vec<u64>>,
}

/// Chargebee's deliveries say how things are; about Stripe's the provider is asked, here one that answers at once.
async fn delivery_to_gate(plan: &Plan, engine_kind: Engine, from: Sender, report: &mut Report) -> anyhow::Result<()> {
    let database = Database::new(engine_kind, &plan.folder).await?;
    let count = usize::try_from(RATE)? * plan.size(20, 1);
    let ids = |number| Ids { provider: from.name(), ..rows::own(number) };
    rows::seed(&database.db, 0..count, ids, STARTER).await?;
    let stripe = Server::start(stand_in::stripe()).await?;
    let providers = Providers { url: format!("http://{}", stripe.address), ..Providers::default() };
    let running = engine(&database.db, &Wish { workers: true, gates_from_memory: true, providers })?;
    let ours = Server::of(&running).await?;
    let template = from.template();
    let mut requests = Requests::default();
    for number in 0..count {
        let event = u64::try_from(number)?;
        from.push(&mut requests, event, &template.fill(&ids(number).news(event, 2, 5, GROWTH)));
    }
    let watch = Arc::new(Watch::default());
    let sending = watch.clone();
    let sent: load::Sent = Arc::new(move |number, at| lock(&sending.open).push((number, at)));
    let looking = tokio::spawn(look(running.engine().clone(), watch.clone(), count));
    let mut outcome =
        load::send(ours.address, Arc::new(requests), plan.connections, Pace::PerSecond(RATE), Some(sent)).await?;
    looking.await??;
    let mut seen = lock(&watch.seen).split_off(0);
    let answered = percentile(&mut outcome.latencies, 99);
    let line = |what: &str, percent, bar, note: String, seen: &mut Vec<u64>| Line {
        work: "lag",
        what: format!("{}: delivery to open gate, {RATE}/s: {what}", from.name()),
        engine: database.name,
        value: percentile(seen, percent),
        unit: Unit::Microseconds,
        bar,
        note,
    };
    report.add(line("p50", 50, None, "looked for every millisecond".into(), &mut seen));
    let note = format!("200 came within {answered} us (p99)");
    report.add(line("p99", 99, Some(Bar::AtMost(100_000)), note, &mut seen));
    ours.stop().await?;
    stripe.stop().await?;
    running.stop().await;
    database.db.close().await;
    Ok(())
}

/// Looks at the gate of every organization that was written about, until all of them are open.
async fn look(engine: Tollkeeper, watch: Arc<Watch>, count: usize) -> anyhow::Result<()> {
    let begun = Instant::now();
    let mut tick = tokio::time::interval(Duration::from_millis(1));
    let limit = PATIENCE + Duration::from_secs(count as u64 / RATE);
    while lock(&watch.seen).len() < count {
        ensure!(begun.elapsed() < limit, "not every gate opened within {limit:?}");
        tick.tick().await;
        let open = |number: usize| {
            let id: OrganizationId = rows::own(number).organization.into();
            engine.gate_now(&id, "sso").is_some_and(|decision| decision.allowed)
        };
        let mut seen = Vec::new();
        lock(&watch.open).retain(|(number, at)| {
            let shows = open(*number);
            if shows {
                seen.push(micros(at.elapsed()));
            }
            !shows
        });
        lock(&watch.seen).append(&mut seen);
    }
    Ok(())
}

/// Deliveries that need the provider, more than it allows; meanwhile somebody asks for the portal.
async fn person_meanwhile(plan: &Plan, engine_kind: Engine, report: &mut Report) -> anyhow::Result<()> {
    let seconds = plan.size(90, 2);
    let count = plan.size(4_000, 100);
    let sandbox = stand_in::start(count).await?;
    let client = stand_in::client()?;
    // Of many organizations, for one may not ask that often.
    let mut tokens = Vec::new();
    for number in 0..ASKING {
        tokens.push(stand_in::token(&client, sandbox.url(), &rows::seeded(number).organization).await?);
    }
    stand_in::limit(&client, sandbox.url(), PER_MINUTE).await?;
    let database = Database::new(engine_kind, &plan.folder).await?;
    rows::seed(&database.db, 0..count, rows::seeded, GROWTH).await?;
    let providers = Providers { url: sandbox.url().to_owned(), requests_per_minute: PER_MINUTE };
    let running = engine(&database.db, &Wish { workers: true, providers, ..Wish::default() })?;
    let ours = Server::of(&running).await?;
    let from = Sender::Chargebee;
    let template = from.template();
    let mut requests = Requests::default();
    for number in 0..count {
        let event = u64::try_from(number)?;
        let mut news = rows::seeded(number).news(event, 2, 5, GROWTH);
        news.scheduled = true;
        from.push(&mut requests, event, &template.fill(&news));
    }
    load::send(ours.address, Arc::new(requests), plan.connections, Pace::PerSecond(RATE), None).await?;

    let portal = format!("http://{}/api/subscription/portal", ours.address);
    let mut waits = Vec::new();
    let (mut refused, mut tick) = (0, tokio::time::interval(Duration::from_millis(500)));
    let begun = Instant::now();
    for token in tokens.iter().cycle() {
        if begun.elapsed() >= Duration::from_secs(seconds as u64) {
            break;
        }
        tick.tick().await;
        let asked = Instant::now();
        let body = serde_json::json!({});
        let answer = client.post(&portal).bearer_auth(token).json(&body).send().await?;
        if !answer.status().is_success() {
            refused += 1;
        }
        waits.push(micros(asked.elapsed()));
    }
    let longest = waits.iter().copied().max().unwrap_or(0);
    let line = |what: &str, value, unit, bar, note| Line {
        work: "lag",
        what: format!("a person's call at 25 requests/s: {what}"),
        engine: database.name,
        value,
        unit,
        bar,
        note,
    };
    let p50 = percentile(&mut waits, 50);
    let note = format!("p50 {p50} us; {} calls in {seconds} s, {count} deliveries before them", waits.len());
    report.add(line("longest", longest, Unit::Microseconds, Some(Bar::AtMost(1_000_000)), note));
    report.add(line("refused", refused, Unit::Count, Some(Bar::AtMost(0)), String::new()));
    ours.stop().await?;
    running.stop().await;
    database.db.close().await;
    sandbox.stop().await;
    Ok(())
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
