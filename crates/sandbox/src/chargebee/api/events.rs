//! `/events`. Source: Chargebee API docs, "Events".

use super::list::{Attribute, page};
use super::{Answer, Form};
use crate::chargebee::refusal::Refusal;
use crate::chargebee::render;
use crate::chargebee::site::Site;

type Answered = Result<Answer, Refusal>;

pub(super) fn list(site: &Site, query: &Form) -> Answered {
    page(
        site.events.iter(),
        query,
        &["id", "event_type", "source", "occurred_at", "webhook_status"],
        &["occurred_at"],
        |row, name| match name {
            "id" => Attribute::Text(&row.id),
            "event_type" => Attribute::Text(row.event_type),
            "source" => Attribute::Text(row.source),
            "occurred_at" => Attribute::Number(row.occurred_at),
            "webhook_status" => Attribute::Text(row.webhook_status),
            _ => Attribute::Absent,
        },
        |_| true,
        |position| format!("{{\"event\":{}}}", render::event(&site.events[position])),
    )
}

pub(super) fn retrieve(site: &Site, id: &str) -> Answered {
    let row = site.events.get(id).ok_or_else(|| Refusal::not_found("event_id", id))?;
    Ok(Answer::text(format!("{{\"event\":{}}}", render::event(row))))
}
