//! The home page: what the providers hold, what was asked and sent, and the ways to change it.
//!
//! Every form goes to the page itself and comes back to the section that it is in.

mod actions;
mod controls;
mod organizations;
mod subscriptions;
mod traffic;

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Query, State};
use axum::response::{IntoResponse as _, Redirect, Response};
use http::StatusCode;

use super::layout::{Width, escape, page};
use super::parts;
use crate::chargebee::api::Form;
use crate::moment::Moment;
use crate::server::Shared;
use crate::world::World;

/// How many rows of each kind the page shows, newest first.
const SHOWN: usize = 25;

/// A part of the page, by the id of its heading.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Section {
    Clock,
    Faults,
    Organizations,
    Subscriptions,
    Deliveries,
    Requests,
    Reset,
}

impl Section {
    fn id(self) -> &'static str {
        match self {
            Section::Clock => "clock",
            Section::Faults => "faults",
            Section::Organizations => "organizations",
            Section::Subscriptions => "subscriptions",
            Section::Deliveries => "deliveries",
            Section::Requests => "requests",
            Section::Reset => "reset",
        }
    }

    fn title(self) -> &'static str {
        match self {
            Section::Clock => "Clock",
            Section::Faults => "Faults",
            Section::Organizations => "Organizations",
            Section::Subscriptions => "Subscriptions",
            Section::Deliveries => "Deliveries",
            Section::Requests => "Requests",
            Section::Reset => "Start over",
        }
    }

    /// What is said once something was done here.
    fn done(self) -> &'static str {
        match self {
            Section::Clock => "Time has moved.",
            Section::Faults => "The faults are set.",
            Section::Organizations | Section::Subscriptions => "Done. Whoever listens is told by webhook.",
            Section::Deliveries => "It is sent again.",
            Section::Requests => "Done.",
            Section::Reset => "Everything is empty again.",
        }
    }

    /// The beginning of a form of this section.
    fn form(self, class: &str) -> String {
        format!("<form method=\"post\" action=\"/#{}\" class=\"{class}\">", self.id())
    }

    /// The section with its heading; `aside` stands beside the heading.
    fn panel(self, notes: &Notes, aside: &str, content: &str) -> String {
        let (id, title) = (self.id(), self.title());
        let note = match notes {
            Notes::Done(section) if *section == self => {
                format!("<p class=\"note good\" role=\"status\">{}</p>", self.done())
            }
            Notes::Failed(section, text) if *section == self => parts::problem("Not done", text),
            Notes::Done(_) | Notes::Failed(..) | Notes::None => String::new(),
        };
        format!(
            "<section class=\"panel\" aria-labelledby=\"{id}\"><div class=\"row mid apart\">\
             <h2 id=\"{id}\">{title}</h2>{aside}</div>{note}{content}</section>"
        )
    }
}

const SECTIONS: [Section; 7] = [
    Section::Clock,
    Section::Faults,
    Section::Organizations,
    Section::Subscriptions,
    Section::Deliveries,
    Section::Requests,
    Section::Reset,
];

/// What is to be said, and where.
#[derive(Debug)]
enum Notes {
    None,
    Done(Section),
    Failed(Section, String),
}

#[derive(serde::Deserialize)]
pub(super) struct Seen {
    #[serde(default)]
    done: String,
}

pub(super) async fn show(State(shared): State<Arc<Shared>>, Query(seen): Query<Seen>) -> Response {
    let done = SECTIONS.into_iter().find(|section| section.id() == seen.done);
    let notes = done.map_or(Notes::None, Notes::Done);
    shared.with(|world, now| render(&shared, world, now, &notes))
}

pub(super) async fn submit(State(shared): State<Arc<Shared>>, body: Bytes) -> Response {
    let form = Form::parse(&body);
    let (section, result) = actions::perform(&shared, &form).await;
    match result {
        Ok(()) => Redirect::to(&format!("/?done={id}#{id}", id = section.id())).into_response(),
        Err(text) => shared.with(|world, now| render(&shared, world, now, &Notes::Failed(section, text))),
    }
}

fn render(shared: &Shared, world: &World, now: Moment, notes: &Notes) -> Response {
    let mut jumps = String::new();
    for section in SECTIONS {
        let count = match section {
            Section::Organizations => Some(world.directory.live_organizations()),
            Section::Subscriptions => Some(world.site.subscriptions.len() + world.stripe.subscriptions.len()),
            Section::Deliveries => Some(world.outbox.rows().len()),
            Section::Requests => Some(world.requests.len()),
            Section::Clock | Section::Faults | Section::Reset => None,
        };
        let count = count.map(|count| format!(" <span>{count}</span>")).unwrap_or_default();
        jumps.push_str(&format!("<li><a href=\"#{}\">{}{count}</a></li>", section.id(), section.title()));
    }
    let content = format!(
        "<p class=\"soft\">Stand-ins for Scalekit, Chargebee (site <code>{site}</code>) and Stripe, all at \
         <code>{url}</code>. What can be done here can also be done with the control API.</p>\
         <nav aria-label=\"Sections\"><ul class=\"jump\">{jumps}</ul></nav>\
         <div class=\"columns\">{clock}{faults}</div>\
         <div class=\"columns\">{organizations}{subscriptions}</div>{deliveries}{requests}{reset}",
        site = escape(&shared.config.chargebee.site),
        url = escape(&shared.url),
        clock = controls::clock(world, now, notes),
        faults = controls::faults(world, notes),
        organizations = organizations::panel(world, notes),
        subscriptions = subscriptions::panel(world, notes),
        deliveries = traffic::deliveries(world, notes),
        requests = traffic::requests(world, notes),
        reset = controls::reset(notes),
    );
    let status = if matches!(notes, Notes::Failed(..)) { StatusCode::BAD_REQUEST } else { StatusCode::OK };
    page(status, "", "Sandbox", Width::Wide, &content)
}

/// How many there are in all, where not all are shown.
fn newest(total: usize, api: &str) -> String {
    let link = format!("<a class=\"small\" href=\"{api}\">as JSON</a>");
    if total <= SHOWN {
        link
    } else {
        format!("<span class=\"small\"><span class=\"soft\">newest {SHOWN} of {total},</span> {link}</span>")
    }
}
