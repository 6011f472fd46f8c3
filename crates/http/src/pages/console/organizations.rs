//! The first page: finding an organization, and what needs somebody.

use askama::Template;
use axum::{extract::State, response::Response};
use http::Uri;
use tollkeeper::{Trouble, organization::Organization};

use super::{Frame, Operator, Place, organization_at, stamp};
use crate::{
    body::NAME,
    pages::{frame::with_query, page},
    problem::Problem,
    query,
    router::Shared,
};

/// Rows of the list.
const SHOWN: usize = 25;

/// `/console`
#[derive(Template)]
#[template(path = "console/home.html")]
pub(crate) struct OrganizationsPage {
    pub(crate) frame: Frame,
    pub(crate) query: String,
    pub(crate) heading: &'static str,
    pub(crate) organizations: Vec<Row>,
    pub(crate) has_more: bool,
    pub(crate) troubles: Vec<TroubleRow>,
}

/// An organization in a list.
pub(crate) struct Row {
    pub(crate) href: String,
    pub(crate) name: String,
    pub(crate) id: String,
    pub(crate) external_id: Option<String>,
    pub(crate) provider: String,
    pub(crate) since: String,
    pub(crate) is_deleted: bool,
}

impl From<&Organization> for Row {
    fn from(organization: &Organization) -> Self {
        Self {
            href: organization_at(organization.id.as_str()),
            name: shown_name(organization),
            id: organization.id.to_string(),
            external_id: organization.external_id.clone(),
            provider: organization.billing_provider.to_string(),
            since: stamp(organization.created_at.as_micros()),
            is_deleted: organization.deleted_at.is_some(),
        }
    }
}

/// The name, or what stands for one.
pub(super) fn shown_name(organization: &Organization) -> String {
    match organization.display_name.trim() {
        "" => "Without a name".to_owned(),
        name => name.to_owned(),
    }
}

/// What needs somebody, of one sender.
pub(crate) struct TroubleRow {
    pub(crate) source: String,
    pub(crate) dead: i64,
    pub(crate) dead_href: String,
    pub(crate) failing: i64,
    pub(crate) failing_href: String,
}

impl From<&Trouble> for TroubleRow {
    fn from(trouble: &Trouble) -> Self {
        let source = trouble.source.to_string();
        let at = |state| with_query("/console/deliveries", &[("state", state), ("source", &source)]);
        Self {
            dead: trouble.dead,
            dead_href: at("dead"),
            failing: trouble.failing,
            failing_href: at("pending"),
            source: source.clone(),
        }
    }
}

impl OrganizationsPage {
    pub(crate) fn of(frame: Frame, query: String, found: &[Organization], troubles: &[Trouble]) -> Self {
        Self {
            frame,
            heading: if query.is_empty() { "The newest" } else { "Found" },
            query,
            organizations: found.iter().take(SHOWN).map(Row::from).collect(),
            has_more: found.len() > SHOWN,
            troubles: troubles.iter().map(TroubleRow::from).collect(),
        }
    }
}

/// `GET /console?query=`
pub(crate) async fn show(State(app): State<Shared>, operator: Operator, uri: Uri) -> Result<Response, Problem> {
    let query = query::value(&uri, "query").unwrap_or_default();
    // What no database can hold, nobody is called.
    let query: String = query.trim().chars().filter(|letter| !letter.is_control()).take(NAME).collect();
    let limit = SHOWN as i64 + 1;
    let found = match query.as_str() {
        "" => app.engine.newest_organizations(limit).await?,
        text => app.engine.find_organizations(text, limit).await?,
    };
    let troubles = app.engine.delivery_troubles().await?;
    let frame = Frame::new(&app, "Organizations", Place::Organizations, &operator);
    page(&OrganizationsPage::of(frame, query, &found, &troubles))
}
