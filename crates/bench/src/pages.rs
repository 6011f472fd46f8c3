//! The pages for people and for operators over HTTP, while very many organizations are in the database.

use std::sync::Arc;

use anyhow::Context as _;
use tollkeeper::{Scope, Tollkeeper};
use tollkeeper_testkit::database::Engine;

use crate::{
    figures::{median, percentile, rate, spread},
    load::{self, Pace, Requests},
    report::{Bar, Line, Report, Unit},
    rows::{self, GROWTH},
    stand_in,
    world::{APP_URL, Database, Plan, Providers, Server, Wish, engine},
};

/// What a page may take, in microseconds.
const SLOWEST: u64 = 10_000;
/// A machine that stands still for a moment spoils one of them and not the figure.
const ROUNDS: usize = 5;

/// A page and whoever looks at it.
struct Page {
    what: &'static str,
    /// Its address for one of the organizations.
    path: fn(&str) -> String,
    by: By,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum By {
    Member,
    Operator,
}

/// How a page is called, its address, who looks at it.
const PAGES: [Page; 7] = [
    Page { what: "/", path: |_| "/".into(), by: By::Member },
    Page { what: "/pricing", path: |_| "/pricing".into(), by: By::Member },
    Page { what: "/billing", path: |_| "/billing".into(), by: By::Member },
    Page { what: "/console", path: |_| "/console".into(), by: By::Operator },
    Page {
        what: "/console, one by its id",
        path: |organization| format!("/console?query={organization}"),
        by: By::Operator,
    },
    Page {
        what: "/console/organizations/{id}",
        path: |organization| format!("/console/organizations/{organization}"),
        by: By::Operator,
    },
    Page {
        what: "/console, by a name that nobody has",
        path: |organization| format!("/console?query=Not+{organization}"),
        by: By::Operator,
    },
];

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
    let mut members = Vec::new();
    for person in 0..people {
        // From everywhere in the table, so that no page of it is read for two of them.
        let organization = rows::seeded(person * (organizations / people)).organization;
        let token = stand_in::token(&client, &sandbox.url, &organization).await?;
        members.push((organization, format!("authorization: Bearer {token}")));
    }
    let providers = Providers { url: sandbox.url.clone(), ..Providers::default() };
    let running = engine(&database.db, &Wish { providers, ..Wish::default() })?;
    let ours = Server::of(&running).await?;
    let operator = operator(running.engine(), &ours).await?;
    for page in PAGES {
        let what = page.what;
        let requests = |count: usize| {
            let mut requests = Requests::default();
            for number in 0..count {
                let (organization, token) = &members[number % people];
                let path = (page.path)(organization);
                let credential = if page.by == By::Member { token } else { &operator };
                requests.push_get(&format!(
                    "GET {path} HTTP/1.1\r\nhost: bench.test\r\naccept: text/html\r\n{credential}\r\n"
                ));
            }
            Arc::new(requests)
        };
        let count = plan.size(10_000, 20);
        // The first round proves the tokens, and the second tells what half load is.
        load::send(ours.address, requests(people), plan.connections, Pace::Closed, None).await?;
        let most = load::send(ours.address, requests(count), plan.connections, Pace::Closed, None).await?;
        let most = rate(count, most.took);
        let pace = Pace::PerSecond((most / 2).max(1));
        let (mut p50s, mut p99s) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            let count = plan.size(4_000, 20);
            let mut half = load::send(ours.address, requests(count), plan.connections, pace, None).await?;
            p50s.push(percentile(&mut half.latencies, 50));
            p99s.push(percentile(&mut half.latencies, 99));
        }
        let (p50, p99) = (median(&p50s), median(&p99s));
        report.add(Line {
            work: "pages",
            what: format!("{what}, {organizations} organizations: p99 at half load"),
            engine: database.name,
            value: p99,
            unit: Unit::Microseconds,
            bar: Some(Bar::AtMost(SLOWEST)),
            note: format!(
                "the middle of {ROUNDS} rounds, {} us; {}/s asked for, {most}/s at most; p50 {p50} us",
                spread(&p99s),
                (most / 2).max(1)
            ),
        });
    }
    ours.stop().await?;
    running.stop().await;
    database.db.close().await;
    Ok(())
}

/// The cookie of somebody who has shown a key to the console, as a line of a request.
async fn operator(engine: &Tollkeeper, ours: &Server) -> anyhow::Result<String> {
    let (_, secret) = engine.create_key("bench", &[Scope::Admin], None).await?;
    // What comes after the login would hide its cookie.
    let client = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build()?;
    let login = client.post(format!("http://{}/console/login", ours.address)).header("origin", APP_URL);
    let form = login.header("content-type", "application/x-www-form-urlencoded").body(format!("key={secret}"));
    let answer = form.send().await?;
    let cookie = answer.headers().get("set-cookie").and_then(|line| line.to_str().ok()?.split(';').next());
    Ok(format!("cookie: {}", cookie.context("the console lets nobody in")?))
}
