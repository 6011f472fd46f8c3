//! Before something ends or pauses: what that means, and until when everything stays.

use askama::Template;
use axum::{extract::State, response::Response};
use http::Uri;
use tollkeeper::{Action, Overview};
use tollkeeper_core::{
    catalog::Catalog,
    gate::{Access, access},
    status::Status,
    subscription::Subscription,
    time::Timestamp,
};

use super::can::{Can, named};
use crate::{
    landing::see_other,
    pages::{
        frame::{Frame, Here, Person, Visitor},
        page, words,
    },
    problem::Problem,
    query,
    router::Shared,
};

/// `/billing/cancel`
#[derive(Template)]
#[template(path = "billing/cancel.html")]
pub(crate) struct CancelPage {
    pub(crate) frame: Frame,
    pub(crate) id: String,
    pub(crate) title: String,
    /// Until when what it includes stays, in words.
    pub(crate) stays: String,
    /// When it ends by itself, where that is known.
    pub(crate) until: Option<String>,
    pub(crate) in_trial: bool,
    /// What is gone then.
    pub(crate) lost: Vec<String>,
    /// What everybody has.
    pub(crate) left: Option<String>,
    /// A change that waits, and would be dropped.
    pub(crate) drops: bool,
}

/// `/billing/pause`
#[derive(Template)]
#[template(path = "billing/pause.html")]
pub(crate) struct PausePage {
    pub(crate) frame: Frame,
    pub(crate) id: String,
    pub(crate) title: String,
    pub(crate) until: Option<String>,
    /// The first day on which it can go on.
    pub(crate) earliest: String,
    pub(crate) stays_open: bool,
}

/// `GET /billing/cancel`
pub(crate) async fn cancel(State(app): State<Shared>, visitor: Visitor, uri: Uri) -> Result<Response, Problem> {
    let actor = visitor.authorize(&app, Action::Cancel).await?;
    let overview = app.engine.overview(&actor).await?;
    match asked_for(&overview, &uri).filter(|row| Can::of(row).cancel) {
        None => Ok(see_other("/billing")),
        Some(row) => {
            let frame = Frame::new(&app, "Cancel", Here::Billing, Some(Person::of(&actor)));
            page(&CancelPage::of(frame, row, &app.engine.catalog(), app.engine.now()))
        }
    }
}

/// `GET /billing/pause`
pub(crate) async fn pause(State(app): State<Shared>, visitor: Visitor, uri: Uri) -> Result<Response, Problem> {
    let actor = visitor.authorize(&app, Action::Pause).await?;
    let overview = app.engine.overview(&actor).await?;
    match asked_for(&overview, &uri).filter(|row| Can::of(row).pause) {
        None => Ok(see_other("/billing")),
        Some(row) => {
            let frame = Frame::new(&app, "Pause", Here::Billing, Some(Person::of(&actor)));
            page(&PausePage::of(frame, row, &app.engine.catalog(), app.engine.now()))
        }
    }
}

fn asked_for<'a>(overview: &'a Overview, uri: &Uri) -> Option<&'a Subscription> {
    named(overview, query::value(uri, "subscription").as_deref())
}

impl CancelPage {
    pub(crate) fn of(frame: Frame, row: &Subscription, catalog: &Catalog, now: Timestamp) -> Self {
        let plan = row.plan.as_ref().and_then(|name| catalog.plan(name));
        let default = catalog.default_plan();
        let kept: Vec<_> = default.map(words::grants).unwrap_or_default();
        let until = if row.status == Status::InTrial { row.trial_end.or(row.period_end) } else { row.period_end };
        Self {
            frame,
            id: row.id.to_string(),
            title: words::plan_title(catalog, row.plan.as_ref()),
            stays: stays(row, until, access(row, catalog.policy(), now)),
            until: until.map(words::date),
            in_trial: row.status == Status::InTrial,
            lost: plan.map(words::grants).unwrap_or_default().into_iter().filter(|line| !kept.contains(line)).collect(),
            left: default.map(|plan| format!("{}: {}", plan.title, kept.join(", "))),
            drops: row.scheduled.is_some(),
        }
    }
}

/// What stays until a row that is cancelled ends, at `end` as far as that is known. Not every period is paid for.
fn stays(row: &Subscription, end: Option<Timestamp>, access: Access) -> String {
    match (access.granted, row.status, end) {
        (false, ..) => "What it includes is closed already.".to_owned(),
        (true, Status::InTrial, Some(end)) => {
            format!("The trial goes on until {}, and nothing is charged after it.", words::date(end))
        }
        (true, Status::PastDue, end) => match access.until.into_iter().chain(end).min() {
            Some(at) => format!("A payment is due. What it includes stays open until {}.", words::date(at)),
            None => "A payment is due. What it includes stays open for now.".to_owned(),
        },
        (true, _, Some(end)) => {
            format!("What is paid for stays until {}. Nothing is charged after that.", words::date(end))
        }
        (true, _, None) => "What is paid for stays to the end of its period.".to_owned(),
    }
}

impl PausePage {
    pub(crate) fn of(frame: Frame, row: &Subscription, catalog: &Catalog, now: Timestamp) -> Self {
        let tomorrow = now.plus(tollkeeper_core::time::DAY).to_string();
        Self {
            frame,
            id: row.id.to_string(),
            title: words::plan_title(catalog, row.plan.as_ref()),
            until: row.period_end.map(words::date),
            earliest: tomorrow.split('T').next().unwrap_or_default().to_owned(),
            stays_open: catalog.policy().paused_access,
        }
    }
}
