//! The home page: what the providers hold, what was sent, and the clock.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::response::{IntoResponse as _, Redirect, Response};
use http::StatusCode;

use super::layout::{escape, instant, page};
use crate::chargebee::api::Form;
use crate::clock::{self, LONGEST_ADVANCE_SECONDS};
use crate::server::Shared;
use crate::world::World;

/// How many rows of each table the page shows, newest first.
const SHOWN: usize = 50;

const STEPS: [(i64, &str); 4] =
    [(3_600, "1 hour"), (86_400, "1 day"), (14 * 86_400, "14 days"), (31 * 86_400, "31 days")];

/// Moves the clock from a button of the page.
pub(super) async fn advance(State(shared): State<Arc<Shared>>, body: Bytes) -> Response {
    let seconds = Form::parse(&body).get("seconds").and_then(|seconds| seconds.parse::<i64>().ok());
    if let Some(seconds) = seconds.filter(|seconds| (0..=LONGEST_ADVANCE_SECONDS).contains(seconds)) {
        clock::advance(&shared, seconds).await;
    }
    Redirect::to("/").into_response()
}

pub(super) async fn show(State(shared): State<Arc<Shared>>) -> Response {
    let site_name = escape(&shared.config.chargebee.site);
    let content = shared.with(|world, now| {
        let mut content = format!(
            "<p>Stand-ins for Scalekit, Chargebee (site <code>{site_name}</code>) and Stripe (<code>/v1</code>). Control API: <code>/sandbox/…</code></p>\
             <div class=\"box\"><p>Business time: <strong>{}</strong>, {} seconds ahead of the machine.</p>\
             <form method=\"post\">Move on by ",
            instant(now.secs()),
            world.offset / 1_000_000,
        );
        for (seconds, text) in STEPS {
            content.push_str(&format!("<button name=\"seconds\" value=\"{seconds}\">{text}</button>"));
        }
        content.push_str("</form>");
        if !world.chaos.setting().is_off() {
            content.push_str("<p><strong>Faults are switched on</strong> (<code>/sandbox/chaos</code>).</p>");
        }
        content.push_str("</div>");
        tables(&mut content, world);
        content
    });
    page(StatusCode::OK, "Sandbox", true, &content)
}

fn tables(content: &mut String, world: &World) {
    let organizations = world.directory.organizations().iter().rev().take(SHOWN).map(|row| {
        let members = row.members.iter().filter(|member| member.active).count();
        let state = if row.deleted_at.is_some() { "deleted" } else { "live" };
        vec![row.id.clone(), row.display_name.clone(), members.to_string(), state.to_owned()]
    });
    table(content, "Organizations", &["id", "name", "members", "state"], organizations);
    let subscriptions = &world.site.subscriptions;
    let rows = subscriptions.iter().rev().take(SHOWN).map(|row| {
        let items: Vec<String> =
            row.items.iter().map(|item| format!("{} × {}", item.item_price_id, item.quantity)).collect();
        let end = row.term.map(|term| term.end).or(row.trial_end).map(instant).unwrap_or_default();
        let dues = if row.unpaid.is_empty() { "" } else { " (dues)" };
        let status = format!("{}{dues}", row.status.as_str());
        vec![row.id.clone(), row.customer_id.clone(), items.join(", "), status, end]
    });
    let of_stripe = world.stripe.subscriptions.iter().rev().take(SHOWN).map(|row| {
        let items: Vec<String> = row
            .items
            .iter()
            .map(|item| match item.quantity {
                Some(quantity) => format!("{} × {quantity}", item.price),
                None => item.price.clone(),
            })
            .collect();
        let status = row.status.as_str().to_owned();
        vec![row.id.clone(), row.customer.clone(), items.join(", "), status, instant(row.period_end)]
    });
    let heads = ["id", "customer", "items", "status", "period or trial end"];
    table(content, "Subscriptions", &heads, rows.chain(of_stripe));
    let deliveries = world.outbox.rows().iter().rev().take(SHOWN).map(|row| {
        let last = row.last_status.map(|status| status.to_string()).unwrap_or_default();
        vec![
            instant(row.at.secs()),
            row.provider.as_str().to_owned(),
            row.event_type.to_owned(),
            row.organization_id.clone().unwrap_or_default(),
            row.state.as_str().to_owned(),
            row.attempts.to_string(),
            last,
        ]
    });
    let heads = ["at", "provider", "event", "organization", "state", "attempts", "last status"];
    table(content, "Deliveries", &heads, deliveries);
}

fn table(content: &mut String, title: &str, heads: &[&str], rows: impl Iterator<Item = Vec<String>>) {
    content.push_str(&format!("<h2>{title}</h2><table><thead><tr>"));
    for head in heads {
        content.push_str(&format!("<th scope=\"col\">{head}</th>"));
    }
    content.push_str("</tr></thead><tbody>");
    let mut any = false;
    for row in rows {
        any = true;
        content.push_str("<tr>");
        for cell in row {
            content.push_str(&format!("<td>{}</td>", escape(&cell)));
        }
        content.push_str("</tr>");
    }
    content.push_str("</tbody></table>");
    if !any {
        content.push_str("<p class=\"muted\">None yet.</p>");
    }
}
