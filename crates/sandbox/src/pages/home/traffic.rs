//! What was sent to the product, and what the product asked.

use super::{Notes, SHOWN, Section, newest};
use crate::pages::layout::{escape, short};
use crate::pages::parts;
use crate::world::World;

pub(super) fn deliveries(world: &World, notes: &Notes) -> String {
    let all = world.outbox.rows();
    let mut rows = String::new();
    for row in all.iter().rev().take(SHOWN) {
        let next = row.next_attempt_at.map(|at| short(at.secs())).unwrap_or_default();
        rows.push_str(&format!(
            "<tr><th scope=\"row\">{event}</th><td>{provider}</td><td>{organization}</td><td>{state}</td><td class=\"number\">{attempts}</td>\
             <td class=\"number\">{status}</td><td class=\"when\">{at}</td><td class=\"when\">{next}</td>\
             <td>{form}<input type=\"hidden\" name=\"id\" value=\"{id}\">\
             <button class=\"slim\" name=\"action\" value=\"resend\">Resend<span class=\"hidden\"> {event}, {id}</span></button>\
             </form></td></tr>",
            event = escape(row.event_type),
            provider = row.provider.as_str(),
            at = short(row.at.secs()),
            organization = escape(row.organization_id.as_deref().unwrap_or_default()),
            state = parts::badge(row.state.as_str()),
            attempts = row.attempts,
            status = row.last_status.map(|status| status.to_string()).unwrap_or_default(),
            form = Section::Deliveries.form(""),
            id = escape(&row.id),
        ));
    }
    let heads = ["Event", "Provider", "Organization", "State", "Attempts", "Answer", "At (UTC)", "Next try", "Again"];
    let content = listed(Section::Deliveries, &heads, &rows, "Nothing was sent yet.");
    Section::Deliveries.panel(notes, &newest(all.len(), "/sandbox/deliveries"), &content)
}

pub(super) fn requests(world: &World, notes: &Notes) -> String {
    let mut rows = String::new();
    for (at, entry) in world.requests.newest(SHOWN) {
        rows.push_str(&format!(
            "<tr><th scope=\"row\">{method} <code>{path}</code></th><td>{provider}</td><td class=\"when\">{at}</td>\
             <td class=\"number\">{status}</td><td>{fault}</td></tr>",
            method = escape(&entry.method),
            path = escape(&entry.path),
            provider = entry.provider.as_str(),
            at = short(at.secs()),
            status = entry.status,
            fault = entry
                .fault
                .map(|fault| format!("<span class=\"badge bad\">{}</span>", escape(fault)))
                .unwrap_or_default(),
        ));
    }
    let heads = ["Request", "Provider", "At (UTC)", "Status", "Fault"];
    let content = listed(Section::Requests, &heads, &rows, "Nobody asked for anything yet.");
    Section::Requests.panel(notes, &newest(world.requests.len(), "/sandbox/requests?limit=1000"), &content)
}

fn listed(section: Section, heads: &[&str], rows: &str, nothing: &str) -> String {
    if rows.is_empty() {
        return format!("<p class=\"soft\">{nothing}</p>");
    }
    parts::table(section.title(), heads, rows)
}
