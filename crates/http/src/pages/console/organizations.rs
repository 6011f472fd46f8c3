//! The first page: finding an organization, and what needs somebody.

use askama::Template;
use axum::{extract::State, response::Response};
use http::Uri;
use tollkeeper::{Backlog, NameMatch, Trouble, organization::Organization};
use tollkeeper_core::time::MachineTime;

use super::{DELIVERIES, EFFECTS, Frame, Operator, Place, organization_at, stamp};
use crate::{
    body::NAME,
    pages::{frame::with_query, page, words},
    problem::Problem,
    query,
    router::Shared,
};

/// Rows of the list.
const SHOWN: usize = 25;
/// Seconds after which what waits is late: whatever works on it does so within a few.
const LATE: u64 = 120;

/// `/console`
#[derive(Template)]
#[template(path = "console/home.html")]
pub(crate) struct OrganizationsPage {
    pub(crate) frame: Frame,
    pub(crate) query: String,
    pub(crate) heading: &'static str,
    pub(crate) organizations: Vec<Row>,
    pub(crate) has_more: bool,
    /// Where every part of names is looked at, if that was not done.
    pub(crate) elsewhere: Option<String>,
    /// Told to who looks for nothing.
    pub(crate) undone: Option<Undone>,
}

/// What is not done.
pub(crate) struct Undone {
    pub(crate) figures: Vec<Figure>,
    pub(crate) troubles: Vec<TroubleRow>,
}

impl From<&Backlog> for Undone {
    fn from(backlog: &Backlog) -> Self {
        let troubles = backlog.deliveries.iter().map(|it| TroubleRow::of(it, backlog.at)).collect();
        Self { figures: figures(backlog), troubles }
    }
}

/// An organization in a list.
pub(crate) struct Row {
    pub(crate) href: String,
    pub(crate) name: String,
    pub(crate) id: String,
    pub(crate) external_id: Option<String>,
    pub(crate) provider: String,
    pub(crate) since: String,
    pub(crate) is_deleted: bool,
}

impl From<&Organization> for Row {
    fn from(organization: &Organization) -> Self {
        Self {
            href: organization_at(organization.id.as_str()),
            name: shown_name(organization),
            id: organization.id.to_string(),
            external_id: organization.external_id.clone(),
            provider: organization.billing_provider.to_string(),
            since: stamp(organization.created_at.as_micros()),
            is_deleted: organization.deleted_at.is_some(),
        }
    }
}

/// The name, or what stands for one.
pub(super) fn shown_name(organization: &Organization) -> String {
    match organization.display_name.trim() {
        "" => "Without a name".to_owned(),
        name => name.to_owned(),
    }
}

/// A figure about what is not done.
pub(crate) struct Figure {
    pub(crate) name: &'static str,
    pub(crate) value: String,
    pub(crate) more: Option<String>,
    pub(crate) tone: &'static str,
    pub(crate) href: String,
}

/// What was given up of one sender's deliveries, and what waits.
pub(crate) struct TroubleRow {
    pub(crate) source: String,
    pub(crate) dead: String,
    pub(crate) dead_href: String,
    pub(crate) waiting: String,
    pub(crate) failing: String,
    pub(crate) waiting_href: String,
    pub(crate) oldest: Option<String>,
}

fn number(count: i64) -> String {
    words::number(count.unsigned_abs())
}

/// How long something waits: `40 seconds`, `3 minutes`, `2 days`.
fn age(seconds: u64) -> String {
    match seconds {
        0..120 => words::count(seconds, "second", "seconds"),
        120..7_200 => words::count(seconds / 60, "minute", "minutes"),
        7_200..172_800 => words::count(seconds / 3_600, "hour", "hours"),
        _ => words::count(seconds / 86_400, "day", "days"),
    }
}

impl TroubleRow {
    fn of(trouble: &Trouble, now: MachineTime) -> Self {
        let source = trouble.source.to_string();
        let at = |state| with_query(DELIVERIES, &[("state", state), ("source", &source)]);
        Self {
            dead: if trouble.dead == 0 { String::new() } else { number(trouble.dead) },
            dead_href: at("dead"),
            waiting: number(trouble.waiting),
            failing: number(trouble.failing),
            waiting_href: at("pending"),
            oldest: trouble.oldest.map(|oldest| age(now.since(oldest).as_secs())),
            source: source.clone(),
        }
    }
}

/// Figures, each of which is a way to what it counts.
fn figures(backlog: &Backlog) -> Vec<Figure> {
    let sum = |of: fn(&Trouble) -> i64| backlog.deliveries.iter().map(of).sum::<i64>();
    let (dead, waiting, failing) = (sum(|it| it.dead), sum(|it| it.waiting), sum(|it| it.failing));
    let oldest = backlog.deliveries.iter().filter_map(|it| it.oldest).min();
    let waits = oldest.map(|oldest| backlog.at.since(oldest).as_secs());
    let list = |state| with_query(DELIVERIES, &[("state", state)]);
    let figure = |name, count: i64, more: Option<String>, tone: &'static str, href| {
        let tone = if count > 0 { tone } else { "good" };
        Figure { name, value: number(count), more, tone, href }
    };
    let late = if waits.is_some_and(|seconds| seconds >= LATE) { "warn" } else { "" };
    let effects = &backlog.effects;
    let retried = |count: i64| (count > 0).then(|| format!("{} tried, and tried again", number(count)));
    vec![
        figure(
            "Deliveries that wait",
            waiting,
            waits.map(|seconds| format!("the oldest for {}", age(seconds))),
            late,
            list("pending"),
        ),
        figure(
            "Deliveries that fail",
            failing,
            (failing > 0).then(|| "put off to their next try".to_owned()),
            "warn",
            list("pending"),
        ),
        figure("Deliveries given up", dead, None, "bad", list("dead")),
        figure(
            "Effects that wait",
            effects.waiting,
            retried(effects.failing),
            if effects.failing > 0 { "warn" } else { "" },
            EFFECTS.to_owned(),
        ),
        figure("Effects given up", effects.dead, None, "bad", EFFECTS.to_owned()),
    ]
}

impl OrganizationsPage {
    pub(crate) fn of(
        frame: Frame,
        query: String,
        names: NameMatch,
        found: &[Organization],
        backlog: Option<&Backlog>,
    ) -> Self {
        let is_asked = !query.is_empty() && names == NameMatch::Beginning;
        Self {
            frame,
            heading: if query.is_empty() { "The newest" } else { "Found" },
            elsewhere: is_asked.then(|| with_query("/console", &[("query", &query), ("anywhere", "true")])),
            query,
            organizations: found.iter().take(SHOWN).map(Row::from).collect(),
            has_more: found.len() > SHOWN,
            undone: backlog.map(Undone::from),
        }
    }
}

/// `GET /console?query=&anywhere=`
pub(crate) async fn show(State(app): State<Shared>, operator: Operator, uri: Uri) -> Result<Response, Problem> {
    let query = query::value(&uri, "query").unwrap_or_default();
    // What no database can hold, nobody is called.
    let query: String = query.trim().chars().filter(|letter| !letter.is_control()).take(NAME).collect();
    let names = query::names(&uri)?;
    let limit = SHOWN as i64 + 1;
    let (found, backlog) = match query.as_str() {
        "" => (app.engine.newest_organizations(limit).await?, Some(app.engine.backlog().await?)),
        text => (app.engine.find_organizations(text, names, limit).await?, None),
    };
    let frame = Frame::new(&app, "Organizations", Place::Organizations, &operator);
    page(&OrganizationsPage::of(frame, query, names, &found, backlog.as_ref()))
}
