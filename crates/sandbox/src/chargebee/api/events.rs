//! `/events`. Source: Chargebee API docs, "Events".

use super::filter::{Attribute, Columns};
use super::list::List;
use super::{Answer, Form};
use crate::chargebee::refusal::Refusal;
use crate::chargebee::render;
use crate::chargebee::site::Site;
use crate::chargebee::site::model::Event;

type Answered = Result<Answer, Refusal>;

const COLUMNS: Columns<Event> = &[
    ("id", |_, row| Attribute::Text(&row.id)),
    ("event_type", |_, row| Attribute::Text(row.event_type)),
    ("source", |_, row| Attribute::Text(row.source)),
    ("occurred_at", |_, row| Attribute::Number(row.occurred_at)),
    ("webhook_status", |_, row| Attribute::Text(row.webhook_status)),
];

pub(super) fn list(site: &Site, query: &Form) -> Answered {
    List {
        site,
        table: &site.events,
        columns: COLUMNS,
        sorts: &["occurred_at"],
        within: None,
        is_deleted: |_| false,
        render: |site, position| format!("{{\"event\":{}}}", render::event(&site.events[position])),
    }
    .page(query)
}

pub(super) fn retrieve(site: &Site, id: &str) -> Answered {
    let row = site.events.get(id).ok_or_else(|| Refusal::not_found("event_id", id))?;
    Ok(Answer::text(format!("{{\"event\":{}}}", render::event(row))))
}
