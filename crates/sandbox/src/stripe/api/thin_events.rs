//! `/v2/core/events`: thin events with what happened, newest first. `/v1/events` does not list them.
//!
//! Filtering by `created` is not served.
//!
//! Source: Stripe API reference, "Events" of v2: events of the last 30 days; the official Node client 23.1,
//! `V2/Core/Events.d.ts`, `autoPagination.js`.

use serde_json::{Value, json};
use url::form_urlencoded::Serializer;

use super::events::KEPT;
use super::{Call, Reply, list, problem};
use crate::stripe::account::model::ThinEvent;
use crate::stripe::account::refusal::Refusal;
use crate::stripe::render;

pub(super) fn retrieve(call: &mut Call<'_>, id: &str) -> Reply {
    call.read_all()?;
    let row = call.account.thin_events.get(id).filter(|row| call.keeps_thin(row));
    // v2 has a word of its own for this.
    let missing = || Refusal { code: Some("not_found"), ..Refusal::no_such("event", id) };
    row.map(render::thin_event).ok_or_else(missing)
}

/// A page begins at the event that `page` names; its URL repeats what was asked for.
pub(super) fn list(call: &mut Call<'_>) -> Reply {
    let params = &mut call.params;
    let asked = params.integer("limit")?;
    let limit = list::checked_limit(asked)?;
    let (object, types, page) = (params.text("object_id")?, params.texts("types")?, params.text("page")?);
    call.read_all()?;
    let fits = |row: &&ThinEvent| {
        call.keeps_thin(row)
            && object.as_ref().is_none_or(|object| row.meter == *object)
            && types.as_ref().is_none_or(|types| types.iter().any(|one| one == row.event_type))
    };
    let found: Vec<&ThinEvent> = call.account.thin_events.iter().rev().filter(fits).collect();
    let first = match &page {
        None => 0,
        Some(page) => found
            .iter()
            .position(|row| row.id == *page)
            .ok_or_else(|| problem::invalid("page", "There is no such page."))?,
    };
    let url = |row: &&ThinEvent| {
        let mut query = Serializer::new(String::new());
        query.extend_pairs(object.iter().map(|object| ("object_id", object)));
        query.extend_pairs(types.iter().flatten().enumerate().map(|(index, one)| (format!("types[{index}]"), one)));
        query.extend_pairs(asked.map(|limit| ("limit", limit.to_string())));
        query.append_pair("page", &row.id);
        format!("/v2/core/events?{}", query.finish())
    };
    let shown: Vec<Value> = found.iter().skip(first).take(limit).map(|row| render::thin_event(row)).collect();
    Ok(json!({
        "data": shown,
        "next_page_url": found.get(first + limit).map(url),
        "previous_page_url": if first > 0 { found.get(first.saturating_sub(limit)).map(url) } else { None },
    }))
}

impl Call<'_> {
    fn keeps_thin(&self, row: &ThinEvent) -> bool {
        row.created.secs() > self.act.secs() - KEPT
    }
}
