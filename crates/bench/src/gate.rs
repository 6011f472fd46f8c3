//! Gates over HTTP with a token, against a route that does nothing on the same server.

use std::sync::Arc;

use tollkeeper_testkit::database::Engine;

use crate::{
    figures::{median, micros, rate, spread, thousandths},
    load::{self, Pace, Requests},
    machine::cores,
    report::{Bar, Line, Report, Unit},
    rows::{self, GROWTH},
    stand_in,
    world::{Database, Plan, Providers, Server, Wish, engine},
};

pub(crate) async fn run(plan: &Plan, report: &mut Report) -> anyhow::Result<()> {
    for engine in &plan.engines {
        over_http(plan, *engine, report).await?;
    }
    Ok(())
}

async fn over_http(plan: &Plan, engine_kind: Engine, report: &mut Report) -> anyhow::Result<()> {
    let organizations = plan.size(1_000, 20);
    let sandbox = stand_in::start(organizations).await?;
    let client = stand_in::client()?;
    let mut tokens = Vec::new();
    for number in 0..organizations {
        tokens.push(stand_in::token(&client, sandbox.url(), &rows::seeded(number).organization).await?);
    }
    let database = Database::new(engine_kind, &plan.folder).await?;
    rows::seed(&database.db, 0..organizations, rows::seeded, GROWTH).await?;
    let providers = Providers { url: sandbox.url().to_owned(), ..Providers::default() };
    let running = engine(&database.db, &Wish { providers, ..Wish::default() })?;
    let ours = Server::of(&running).await?;
    let (count, rounds) = (plan.size(60_000, 200), plan.size(7, 1));
    let requests = |path: &str| {
        let mut requests = Requests::default();
        for number in 0..count {
            let token = &tokens[number % organizations];
            requests.push_get(&format!("GET {path} HTTP/1.1\r\nhost: bench.test\r\nauthorization: Bearer {token}\r\n"));
        }
        Arc::new(requests)
    };
    // The same bytes but for the path, so that both are as dear to read.
    let (noop, gate) = (requests("/healthz"), requests("/gate/sso"));
    let (mut noops, mut gates, mut clients) = (Vec::new(), Vec::new(), Vec::new());
    // The first round proves the tokens and loads the views, and is not kept.
    for round in 0..=rounds {
        let nothing = load::send(ours.address, noop.clone(), plan.connections, Pace::Closed, None).await?;
        let gated = load::send(ours.address, gate.clone(), plan.connections, Pace::Closed, None).await?;
        if round > 0 {
            noops.push(rate(count, nothing.took));
            gates.push(rate(count, gated.took));
            clients.push(thousandths(micros(gated.client), micros(gated.took) * cores() as u64));
        }
    }
    let ratios: Vec<_> = gates.iter().zip(&noops).map(|(gate, noop)| thousandths(*gate, *noop)).collect();
    let line = |what: &str, value, unit, bar, note| Line {
        work: "gate",
        what: format!("over HTTP, {organizations} organizations: {what}"),
        engine: database.name,
        value,
        unit,
        bar,
        note,
    };
    report.add(line("a route that does nothing", median(&noops), Unit::PerSecond, None, spread(&noops)));
    let client = median(&clients) / 10;
    let note = format!("rounds {}; the client took {client} % of {} cores", spread(&gates), cores());
    report.add(line("gates", median(&gates), Unit::PerSecond, None, note));
    let note = format!("round by round {}", spread(&ratios));
    report.add(line("ratio", median(&ratios), Unit::Thousandths, Some(Bar::AtLeast(800)), note));
    ours.stop().await?;
    running.stop().await;
    database.db.close().await;
    sandbox.stop().await;
    Ok(())
}
