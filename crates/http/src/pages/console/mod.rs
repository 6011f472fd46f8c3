//! The operator's console: why an organization is on its plan, what arrived, what failed, and working on it again.

mod compare;
pub(crate) mod delivery;
pub(crate) mod diff;
pub(crate) mod effects;
pub(crate) mod login;
mod operator;
pub(crate) mod organization;
pub(crate) mod organizations;
pub(crate) mod standing;

use axum::routing::{get, post};
use jiff::tz::TimeZone;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::asset;
use crate::{router::App, routes::Routes};
use operator::Operator;

/// Where the lists are.
const DELIVERIES: &str = "/console/deliveries";
const EFFECTS: &str = "/console/effects";

/// Every page of the console.
#[rustfmt::skip]
pub(super) fn routes() -> Routes {
    Routes::default()
        .page("/console", "The operator's console", get(organizations::show))
        .file("/console/login", get(login::show).post(login::open))
        .file("/console/logout", post(login::close))
        .file("/console/organizations/{id}", get(organization::show))
        .file("/console/organizations/{id}/refresh", post(compare::refresh))
        .page(DELIVERIES, "Deliveries", get(delivery::list))
        .file("/console/deliveries/replay", post(delivery::replay_all))
        .page(EFFECTS, "Effects", get(effects::list))
        .file("/console/deliveries/{source}/{event}", get(delivery::show))
        .file("/console/deliveries/{source}/{event}/replay", post(delivery::replay))
}

/// Around every page of the console.
pub(crate) struct Frame {
    pub(crate) title: String,
    pub(crate) here: Place,
    pub(crate) who: Option<Who>,
    pub(crate) sandbox: Option<String>,
    pub(crate) style: String,
    pub(crate) console: String,
    pub(crate) mark: String,
}

/// A place in the head.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    Organizations,
    Deliveries,
    Effects,
    Login,
}

/// Who looks, as the head shows it.
pub(crate) struct Who {
    pub(crate) name: String,
    /// Where the form goes that ends it.
    pub(crate) way_out: &'static str,
}

impl Frame {
    fn new(app: &App, title: impl Into<String>, here: Place, operator: &Operator) -> Self {
        let who = Who { name: operator.shown(), way_out: operator.way_out() };
        Self { sandbox: app.config.sandbox.clone(), ..Self::plain(title, here, Some(who)) }
    }

    /// Without anything that the configuration says.
    pub(crate) fn plain(title: impl Into<String>, here: Place, who: Option<Who>) -> Self {
        Self {
            title: title.into(),
            here,
            who,
            sandbox: None,
            style: asset::address("page.css"),
            console: asset::address("console.css"),
            mark: asset::address("mark.svg"),
        }
    }

    pub(crate) fn is(&self, here: Place) -> bool {
        self.here == here
    }
}

/// What came of something that was asked for, on the page that follows.
pub(crate) struct News {
    pub(crate) tone: &'static str,
    pub(crate) sentence: String,
}

/// An instant of either kind, in microseconds since the Unix epoch: `2026-03-12 14:05:06`.
fn stamp(micros: i64) -> String {
    match jiff::Timestamp::from_microsecond(micros) {
        Ok(instant) => instant.to_zoned(TimeZone::UTC).strftime("%Y-%m-%d %H:%M:%S").to_string(),
        Err(_) => format!("{micros} µs"),
    }
}

/// What a piece of a path cannot be written with.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// A piece of a path, whatever it has in it.
fn piece(text: &str) -> String {
    utf8_percent_encode(text, RESERVED).to_string()
}

/// Where an organization is.
fn organization_at(id: &str) -> String {
    format!("/console/organizations/{}", piece(id))
}

/// Where a delivery is.
fn delivery_at(source: &str, event: &str) -> String {
    format!("/console/deliveries/{}/{}", piece(source), piece(event))
}
