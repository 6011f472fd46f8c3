//! The people's pages over HTTP, while very many organizations are in the database.

use std::sync::Arc;

use tollkeeper_testkit::database::Engine;

use crate::{
    figures::{percentile, rate},
    load::{self, Pace, Requests},
    report::{Bar, Line, Report, Unit},
    rows::{self, GROWTH},
    stand_in,
    world::{Database, Plan, Providers, Server, Wish, engine},
};

const PAGES: [&str; 3] = ["/", "/pricing", "/billing"];

/// What a page may take, in microseconds.
const SLOWEST: u64 = 10_000;

pub(crate) async fn run(plan: &Plan, report: &mut Report) -> anyhow::Result<()> {
    for engine in &plan.engines {
        each_page(plan, *engine, report).await?;
    }
    Ok(())
}

async fn each_page(plan: &Plan, engine_kind: Engine, report: &mut Report) -> anyhow::Result<()> {
    let (organizations, people) = (plan.size(100_000, 20), plan.size(2_000, 10));
    let database = Database::new(engine_kind, &plan.folder).await?;
    rows::seed(&database.db, 0..organizations, rows::seeded, GROWTH).await?;
    let sandbox = stand_in::Apart::start(organizations).await?;
    let client = stand_in::client()?;
    let mut tokens = Vec::new();
    for person in 0..people {
        // From everywhere in the table, so that no page of it is read for two of them.
        let organization = rows::seeded(person * (organizations / people)).organization;
        tokens.push(stand_in::token(&client, &sandbox.url, &organization).await?);
    }
    let providers = Providers { url: sandbox.url.clone(), ..Providers::default() };
    let running = engine(&database.db, &Wish { providers, ..Wish::default() })?;
    let ours = Server::of(&running).await?;
    for page in PAGES {
        let requests = |count: usize| {
            let mut requests = Requests::default();
            for number in 0..count {
                let token = &tokens[number % people];
                requests.push_get(&format!(
                    "GET {page} HTTP/1.1\r\nhost: bench.test\r\naccept: text/html\r\nauthorization: Bearer {token}\r\n"
                ));
            }
            Arc::new(requests)
        };
        // The first round proves the tokens, and the second tells what half load is.
        load::send(ours.address, requests(people), plan.connections, Pace::Closed, None).await?;
        let count = plan.size(10_000, 20);
        let most = load::send(ours.address, requests(count), plan.connections, Pace::Closed, None).await?;
        let most = rate(count, most.took);
        let pace = Pace::PerSecond((most / 2).max(1));
        let mut half = load::send(ours.address, requests(count), plan.connections, pace, None).await?;
        let p50 = percentile(&mut half.latencies, 50);
        report.add(Line {
            work: "pages",
            what: format!("{page}, {organizations} organizations: p99 at half load"),
            engine: database.name,
            value: percentile(&mut half.latencies, 99),
            unit: Unit::Microseconds,
            bar: Some(Bar::AtMost(SLOWEST)),
            note: format!("{}/s asked for, {most}/s at most; p50 {p50} us", (most / 2).max(1)),
        });
    }
    ours.stop().await?;
    running.stop().await;
    database.db.close().await;
    Ok(())
}
