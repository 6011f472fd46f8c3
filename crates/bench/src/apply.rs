//! The work on deliveries: lease, load, decide, write, tell; no provider is asked.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use tollkeeper::{Db, ids::OrganizationId};
use tollkeeper_core::time::Clock as _;
use tollkeeper_store::{inbox, organization, outbox};
use tollkeeper_testkit::database::Engine;

use crate::{
    events::{self, Sender},
    figures::{median, micros, rate, spread},
    machine::Machine,
    report::{Bar, Line, Report, Unit},
    rows::{self, GROWTH, STARTER},
    world::{Database, Plan, Wish, drain, engine},
};

/// A round longer than this is given up.
const PATIENCE: Duration = Duration::from_secs(300);

pub(crate) async fn run(plan: &Plan, report: &mut Report) -> anyhow::Result<()> {
    for engine in &plan.engines {
        measure(plan, *engine, report).await?;
    }
    Ok(())
}

async fn measure(plan: &Plan, engine_kind: Engine, report: &mut Report) -> anyhow::Result<()> {
    let database = Database::new(engine_kind, &plan.folder).await?;
    let db = &database.db;
    let (count, rounds) = (plan.size(10_000, 200), plan.size(3, 1));
    rows::seed(db, 0..count, rows::own, STARTER).await?;
    let (mut rates, mut behind) = (Vec::new(), Vec::new());
    for round in 0..rounds {
        fill(db, round, count).await?;
        let before = versions(db, count).await?;
        let begun = Instant::now();
        let running = engine(db, &Wish { workers: true, ..Wish::default() })?;
        drain(db, PATIENCE).await?;
        let took = begun.elapsed();
        // Effects are told meanwhile; the last of them may be a little later.
        while outbox::pending_count(db.read().await?.c()).await? > 0 {
            anyhow::ensure!(begun.elapsed() < PATIENCE, "effects were not told within {PATIENCE:?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let told = begun.elapsed();
        running.stop().await;
        let transitions = versions(db, count).await?.saturating_sub(before);
        rates.push(rate(usize::try_from(transitions)?, took));
        behind.push(micros(told.saturating_sub(took)));
    }
    let bar = match engine_kind {
        Engine::Sqlite => 2000,
        Engine::Postgres => 1500,
    };
    report.add(Line {
        work: "apply",
        what: format!("transitions, {count} subscriptions"),
        engine: database.name,
        value: median(&rates),
        unit: Unit::PerSecond,
        bar: Some(Bar::AtLeast(bar)),
        note: format!("rounds {}; half of them change plan and seats, half renew", spread(&rates)),
    });
    report.add(Line {
        work: "apply",
        what: "the last effect told after the last transition".into(),
        engine: database.name,
        value: median(&behind),
        unit: Unit::Microseconds,
        bar: None,
        note: String::new(),
    });
    db.close().await;
    Ok(())
}

/// One delivery about every subscription, newer than its row.
async fn fill(db: &Db, round: usize, count: usize) -> anyhow::Result<()> {
    // Its dates are those of now: what renews has another period in every round.
    let template = Sender::Chargebee.template();
    let writer = inbox::Writer::start(db.clone());
    let turn = i64::try_from(round)?;
    let price = if round.is_multiple_of(2) { GROWTH } else { STARTER };
    for begin in (0..count).step_by(128) {
        let puts = (begin..count.min(begin + 128)).map(|number| {
            let event = u64::try_from(round * count + number).unwrap_or(u64::MAX);
            let renews = number.is_multiple_of(2);
            let ids = rows::own(number);
            let news = match renews {
                true => ids.news(event, turn + 2, 5, STARTER),
                false => ids.news(event, turn + 2, turn + 6, price),
            };
            writer.put(inbox::Delivery {
                source: "chargebee".into(),
                event_id: events::event_id(event).into(),
                event_type: "subscription_renewed".into(),
                subject: format!("subscription:{}", ids.subscription),
                occurred_at: Some(Machine.now()),
                received_at: Machine.machine_now(),
                body: template.fill(&news).into(),
            })
        });
        for put in join_all(puts).await {
            put?;
        }
    }
    writer.stop().await;
    Ok(())
}

/// The sum of all versions: every transition adds one.
async fn versions(db: &Db, count: usize) -> anyhow::Result<i64> {
    let ids: Vec<OrganizationId> = (0..count).map(|number| rows::own(number).organization.into()).collect();
    let mut sum = 0;
    for chunk in ids.chunks(500) {
        let known = organization::versions(db.read().await?.c(), chunk).await?;
        sum += known.iter().map(|(_, version)| version).sum::<i64>();
    }
    Ok(sum)
}
