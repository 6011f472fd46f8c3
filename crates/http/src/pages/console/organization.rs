//! One organization: what it has, why, what was owed for it, and what arrived about it.

use std::collections::HashMap;

use askama::Template;
use axum::{
    extract::{Path, State, rejection::PathRejection},
    response::Response,
};
use http::Uri;
use tollkeeper::{
    Catalog, DecisionMade, Drift, OwedEffect, OwedState, Story,
    ids::{EventId, OrganizationId, Source},
};
use tollkeeper_core::{
    member::Member,
    organization::Organization,
    time::{MachineTime, Timestamp},
};

use super::{
    Frame, News, Operator, Place, compare, delivery, delivery_at,
    diff::{self, Change},
    organization_at, organizations, stamp,
    standing::{Now, SubscriptionCard},
};
use crate::{admin::named, pages::page, problem::Problem, query, router::Shared};

/// E-mails that are shown.
const MEMBERS: usize = 60;

/// `/console/organizations/{id}`
#[derive(Template)]
#[template(path = "console/organization.html")]
pub(crate) struct OrganizationPage {
    pub(crate) frame: Frame,
    pub(crate) news: Option<News>,
    pub(crate) href: String,
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) deleted: Option<String>,
    pub(crate) facts: Vec<Fact>,
    pub(crate) members: Vec<MemberRow>,
    pub(crate) members_hidden: Option<String>,
    pub(crate) now: Now,
    pub(crate) subscriptions: Vec<SubscriptionCard>,
    /// Those that are over.
    pub(crate) past: Vec<SubscriptionCard>,
    pub(crate) history: Vec<DecisionRow>,
    pub(crate) older: Option<String>,
    /// Where the newest decisions are, when these are older ones.
    pub(crate) newest: Option<String>,
    pub(crate) deliveries: Vec<delivery::Row>,
    pub(crate) drift: Vec<DriftRow>,
}

/// A name and what it says.
pub(crate) struct Fact {
    pub(crate) name: &'static str,
    pub(crate) value: String,
    pub(crate) is_code: bool,
}

pub(crate) struct MemberRow {
    pub(crate) name: String,
    pub(crate) is_active: bool,
}

pub(crate) struct DecisionRow {
    pub(crate) seq: i64,
    pub(crate) at: String,
    pub(crate) cause: String,
    pub(crate) cause_href: Option<String>,
    pub(crate) subscription: Option<String>,
    pub(crate) why: String,
    /// Whether the row was not there before.
    pub(crate) is_new: bool,
    pub(crate) changes: Vec<Change>,
    pub(crate) effects: Vec<EffectRow>,
}

pub(crate) struct EffectRow {
    pub(crate) kind: &'static str,
    pub(crate) sink: String,
    pub(crate) state: String,
    pub(crate) tone: &'static str,
    pub(crate) error: Option<String>,
}

pub(crate) struct DriftRow {
    pub(crate) at: String,
    pub(crate) provider: String,
    pub(crate) field: String,
    pub(crate) expected: String,
    pub(crate) found: String,
    pub(crate) why: String,
    pub(crate) class: &'static str,
    pub(crate) is_repaired: bool,
}

fn at(instant: Timestamp) -> String {
    stamp(instant.as_micros())
}

impl Fact {
    pub(super) fn said(name: &'static str, value: impl Into<String>) -> Self {
        Self { name, value: value.into(), is_code: false }
    }

    pub(super) fn code(name: &'static str, value: impl Into<String>) -> Self {
        Self { is_code: true, ..Self::said(name, value) }
    }
}

fn facts(story: &Story) -> Vec<Fact> {
    let organization: &Organization = &story.account.organization;
    let mut facts = Vec::new();
    if let Some(id) = &organization.external_id {
        facts.push(Fact::code("External id", id));
    }
    for customer in &story.account.customers {
        facts.push(Fact::code("Customer", format!("{} {}", customer.provider, customer.id)));
    }
    if story.account.customers.is_empty() {
        facts.push(Fact::said("Customer", format!("none yet at {}", organization.billing_provider)));
    }
    if let Some(email) = &organization.email {
        facts.push(Fact::said("Bills go to", email));
    }
    if let Some(currency) = &organization.currency {
        facts.push(Fact::said("Currency", currency.as_str()));
    }
    let active = story.members.iter().filter(|member| member.active()).count();
    let members = match (story.more_members, story.members.len() - active) {
        (true, _) => format!("more than {}", story.members.len()),
        (false, 0) => active.to_string(),
        (false, left) => format!("{active}, and {left} who left"),
    };
    facts.push(Fact::said("Members", members));
    facts.push(Fact::said("Had a trial", if organization.had_trial { "yes" } else { "no" }));
    facts.push(Fact::said("Known since", at(organization.created_at)));
    facts.push(Fact::said("Decisions so far", organization.version.to_string()));
    if let (Some(began), None) = (organization.deletion_began_at, organization.deleted_at) {
        facts.push(Fact::said("Deletion began", at(began)));
    }
    facts
}

impl From<&Member> for MemberRow {
    fn from(member: &Member) -> Self {
        Self { name: member.holder.clone(), is_active: member.active() }
    }
}

impl DecisionRow {
    fn of(row: &DecisionMade, senders: &[(EventId, Source)], effects: Vec<EffectRow>) -> Self {
        let (kind, id) = (row.cause.kind.as_str(), row.cause.id.as_str());
        let sender = senders.iter().find(|(event, _)| kind == "inbox" && event.as_str() == id);
        let (cause, cause_href) = match sender {
            Some((_, source)) => (format!("delivery {id} of {source}"), Some(delivery_at(source.as_str(), id))),
            None if id.is_empty() => (kind.to_owned(), None),
            None => (format!("{kind}: {id}"), None),
        };
        Self {
            seq: row.seq,
            at: at(row.at),
            cause,
            cause_href,
            subscription: row.subscription_id.as_ref().map(ToString::to_string),
            why: row.why.clone(),
            is_new: row.before.is_none(),
            changes: diff::changes(row.before.as_ref(), row.after.as_ref()),
            effects,
        }
    }
}

impl From<&OwedEffect> for EffectRow {
    fn from(row: &OwedEffect) -> Self {
        let next = |at: MachineTime| format!("tried again at {}", stamp(at.as_micros()));
        let (state, tone) = match row.state {
            OwedState::Delivered => ("told".to_owned(), "good"),
            OwedState::Dead => ("given up".to_owned(), "bad"),
            OwedState::Pending if row.attempts > 0 => {
                (row.next_attempt_at.map_or_else(|| "tried again".to_owned(), next), "warn")
            }
            OwedState::Pending => ("owed".to_owned(), ""),
        };
        Self {
            kind: row.kind.as_str(),
            sink: row.sink.clone(),
            state,
            tone,
            error: row.last_error.clone().filter(|_| row.state != OwedState::Delivered),
        }
    }
}

impl From<&Drift> for DriftRow {
    fn from(drift: &Drift) -> Self {
        Self {
            at: at(drift.at),
            provider: drift.provider.to_string(),
            field: drift.field.clone(),
            expected: diff::cell(&drift.expected),
            found: diff::cell(&drift.found),
            why: drift.why.clone(),
            class: drift.class.as_str(),
            is_repaired: drift.repaired,
        }
    }
}

impl OrganizationPage {
    pub(crate) fn of(frame: Frame, story: &Story, catalog: &Catalog, now: Timestamp, news: Option<News>) -> Self {
        let organization = &story.account.organization;
        let href = organization_at(organization.id.as_str());
        let mut effects: HashMap<i64, Vec<EffectRow>> = HashMap::new();
        for row in &story.owed {
            effects.entry(row.seq).or_default().push(row.into());
        }
        // What began last is asked about most.
        let rows = story.account.subscriptions.iter().rev().map(|row| SubscriptionCard::of(row, catalog, now));
        let (past, subscriptions) = rows.partition(|card| card.is_over);
        let hidden = story.members.len().saturating_sub(MEMBERS);
        Self {
            frame,
            news,
            id: organization.id.to_string(),
            name: organizations::shown_name(organization),
            deleted: organization.deleted_at.map(at),
            facts: facts(story),
            members: story.members.iter().take(MEMBERS).map(MemberRow::from).collect(),
            members_hidden: (hidden > 0)
                .then(|| format!("And {hidden}{} more.", if story.more_members { "+" } else { "" })),
            now: Now::of(story, catalog, now),
            subscriptions,
            past,
            history: story
                .history
                .iter()
                .map(|row| DecisionRow::of(row, &story.senders, effects.remove(&row.seq).unwrap_or_default()))
                .collect(),
            newest: None,
            older: story.older.map(|seq| format!("{href}?before={seq}#history")),
            deliveries: story.deliveries.iter().map(delivery::Row::from).collect(),
            drift: story.drift.iter().map(DriftRow::from).collect(),
            href,
        }
    }
}

/// `GET /console/organizations/{id}?before=`
pub(crate) async fn show(
    State(app): State<Shared>,
    operator: Operator,
    id: Result<Path<String>, PathRejection>,
    uri: Uri,
) -> Result<Response, Problem> {
    let id = OrganizationId::from(named(id)?);
    let before: Option<i64> = query::value(&uri, "before").and_then(|said| said.parse().ok());
    let story = app.engine.story(&id, before).await?;
    let title = organizations::shown_name(&story.account.organization);
    let frame = Frame::new(&app, title, Place::Organizations, &operator);
    let news = compare::news(&app, &id, &uri).await;
    let newest = before.map(|_| format!("{}#history", organization_at(id.as_str())));
    page(&OrganizationPage {
        newest,
        ..OrganizationPage::of(frame, &story, &app.engine.catalog(), app.engine.now(), news)
    })
}
