//! `/v1/events`. Source: Stripe API reference, "Events": events of the last 30 days.

use serde_json::Value;

use super::list::{Range, Window};
use super::{Call, Reply, customers, problem};
use crate::stripe::account::refusal::Refusal;
use crate::stripe::render;
use crate::stripe::version::Version;

/// How long an event can be read, in seconds.
pub(super) const KEPT: i64 = 30 * 86_400;
/// The most `types` of one list.
const MOST_TYPES: usize = 20;

pub(super) fn route(call: &mut Call<'_>, method: &str, path: &[&str]) -> Option<Reply> {
    Some(match (method, path) {
        ("GET", []) => list(call),
        ("GET", [id]) => retrieve(call, id),
        _ => return None,
    })
}

impl Call<'_> {
    fn event(&self, position: usize) -> Value {
        let row = &self.account.events[position];
        // What an event holds was rendered when it happened, and does not follow the version of who reads it.
        render::event(row, Version::CURRENT, self.endpoints.undelivered(&row.id))
    }

    fn keeps_event(&self, position: usize) -> bool {
        self.account.events[position].created > self.act.secs() - KEPT
    }
}

fn retrieve(call: &mut Call<'_>, id: &str) -> Reply {
    call.read_all()?;
    let position = call.account.events.position(id).filter(|position| call.keeps_event(*position));
    position.map(|position| call.event(position)).ok_or_else(|| Refusal::no_such("event", id))
}

fn list(call: &mut Call<'_>) -> Reply {
    customers::exclusive(&call.params, "type", "types")?;
    let window = Window::read(&mut call.params)?;
    let created = Range::read(&mut call.params, "created")?;
    let (pattern, types) = (call.params.text("type")?, call.params.texts("types")?);
    let success = call.params.boolean("delivery_success")?;
    call.read_all()?;
    if types.as_ref().is_some_and(|types| types.len() > MOST_TYPES) {
        let message = format!("You can list events of up to {MOST_TYPES} types.");
        return Err(problem::invalid("types", &message));
    }
    let fits = |event_type: &str, pattern: &str| match pattern.split_once('*') {
        Some((start, end)) => event_type.starts_with(start) && event_type.ends_with(end),
        None => event_type == pattern,
    };
    let table = &call.account.events;
    let keeps = |position: usize| {
        let row = &table[position];
        call.keeps_event(position)
            && created.holds(row.created)
            && pattern.as_ref().is_none_or(|pattern| fits(row.event_type, pattern))
            && types.as_ref().is_none_or(|types| types.iter().any(|one| one == row.event_type))
            && success.is_none_or(|success| success == (call.endpoints.undelivered(&row.id) == 0))
    };
    window.page("/v1/events", table, keeps, |position| call.event(position))
}
