//! `/v1/webhook_endpoints`, and which events each endpoint gets.
//!
//! Source: Stripe API reference, "Webhook endpoints".

use std::collections::HashMap;

use serde_json::{Value, json};

use super::list::Window;
use super::{Call, Reply, problem};
use crate::chargebee::site::table::{Row, Table};
use crate::ids::Ids;
use crate::stripe::account::meter_errors::ERROR_REPORT;
use crate::stripe::account::model::{Metadata, merge};
use crate::stripe::account::refusal::Refusal;
use crate::stripe::version::Version;

/// The id of the endpoint that the sandbox was told at its start.
const CONFIGURED: &str = "we_sandbox";

#[derive(Debug, Clone)]
pub(crate) struct Endpoint {
    pub(crate) id: String,
    pub(crate) url: String,
    /// `whsec_…`, shown once.
    pub(crate) secret: String,
    /// How its events are rendered, for good.
    pub(crate) version: Version,
    /// Whether it was given one, and does not have the account's.
    names_version: bool,
    enabled_events: Vec<String>,
    enabled: bool,
    description: Option<String>,
    metadata: Metadata,
    created: i64,
    deleted: bool,
}

impl Row for Endpoint {
    fn id(&self) -> &str {
        &self.id
    }
}

/// The endpoints of the account, and how many of them have not taken each event yet.
#[derive(Debug)]
pub(crate) struct Endpoints {
    ids: Ids,
    table: Table<Endpoint>,
    undelivered: HashMap<String, usize>,
}

impl Endpoints {
    pub(crate) fn new(ids: Ids) -> Self {
        Self { ids, table: Table::default(), undelivered: HashMap::new() }
    }

    /// Forgets what was delivered, and keeps the endpoints.
    pub(crate) fn forget_deliveries(&mut self) {
        self.undelivered.clear();
    }

    /// Registers the one endpoint that no request made, or takes it away.
    pub(crate) fn configure(&mut self, url: Option<&str>, secret: &str, now: i64) {
        match (self.table.position(CONFIGURED), url) {
            (None, None) => {}
            (Some(position), None) => self.table[position].deleted = true,
            (Some(position), Some(url)) => {
                self.table[position].url = url.to_owned();
                self.table[position].deleted = false;
            }
            (None, Some(url)) => {
                self.table.insert(Endpoint {
                    id: CONFIGURED.into(),
                    url: url.to_owned(),
                    secret: secret.to_owned(),
                    version: Version::CURRENT,
                    names_version: false,
                    enabled_events: vec!["*".into(), ERROR_REPORT.into()],
                    enabled: true,
                    description: None,
                    metadata: Metadata::new(),
                    created: now,
                    deleted: false,
                });
            }
        }
    }

    /// The endpoint of a delivery, as long as it takes any.
    pub(crate) fn open(&self, id: &str) -> Option<&Endpoint> {
        self.table.get(id).filter(|row| row.enabled && !row.deleted)
    }

    /// The ids of the endpoints that want events of a type.
    pub(crate) fn wanting(&self, event_type: &str) -> Vec<String> {
        let wants = |row: &&Endpoint| row.enabled && !row.deleted && row.wants(event_type);
        self.table.iter().filter(wants).map(|row| row.id.clone()).collect()
    }

    /// How many endpoints have not taken an event yet: `pending_webhooks`.
    pub(crate) fn undelivered(&self, event_id: &str) -> usize {
        self.undelivered.get(event_id).copied().unwrap_or(0)
    }

    pub(crate) fn owe(&mut self, event_id: &str, count: usize) {
        if count > 0 {
            self.undelivered.insert(event_id.to_owned(), count);
        }
    }

    pub(crate) fn delivered(&mut self, event_id: &str) {
        if let Some(count) = self.undelivered.get_mut(event_id) {
            *count = count.saturating_sub(1);
        }
    }
}

impl Endpoint {
    fn wants(&self, event_type: &str) -> bool {
        let all = !is_thin(event_type);
        self.enabled_events.iter().any(|one| one == event_type || (all && one == "*"))
    }

    fn render(&self) -> Value {
        if self.deleted {
            return json!({ "id": self.id, "object": "webhook_endpoint", "deleted": true });
        }
        json!({
            "id": self.id,
            "object": "webhook_endpoint",
            "api_version": self.names_version.then_some(self.version.as_str()),
            "application": null,
            "created": self.created,
            "description": self.description,
            "enabled_events": self.enabled_events,
            "livemode": false,
            "metadata": self.metadata,
            "status": if self.enabled { "enabled" } else { "disabled" },
            "url": self.url,
        })
    }
}

/// Whether an event of this type is thin, so that `*` leaves it out.
///
/// At Stripe thin events go to the event destinations of v2. Those are not served: here an endpoint gets a thin event
/// when it names its type, so that both kinds can arrive at one address.
///
/// Source: Stripe changelog (endive), "Makes thin events for API v1 resources generally available": their types begin
/// with the version of the API that the object is of.
fn is_thin(event_type: &str) -> bool {
    event_type.starts_with("v1.") || event_type.starts_with("v2.")
}

pub(super) fn route(call: &mut Call<'_>, method: &str, path: &[&str]) -> Option<Reply> {
    Some(match (method, path) {
        ("POST", []) => create(call),
        ("GET", []) => list(call),
        ("GET", [id]) => find(call, id).and_then(|position| {
            call.read_all()?;
            Ok(call.endpoints.table[position].render())
        }),
        ("POST", [id]) => update(call, id),
        ("DELETE", [id]) => find(call, id).and_then(|position| {
            call.read_all()?;
            call.endpoints.table[position].deleted = true;
            Ok(call.endpoints.table[position].render())
        }),
        _ => return None,
    })
}

fn find(call: &Call<'_>, id: &str) -> Result<usize, Refusal> {
    let table = &call.endpoints.table;
    let position = table.position(id).filter(|position| !table[*position].deleted);
    position.ok_or_else(|| Refusal::no_such("webhook endpoint", id))
}

fn checked_url(url: String) -> Result<String, Refusal> {
    let is_web = url::Url::parse(&url).is_ok_and(|url| matches!(url.scheme(), "http" | "https"));
    if is_web { Ok(url) } else { Err(problem::invalid("url", "Invalid URL: An explicit scheme must be provided.")) }
}

fn create(call: &mut Call<'_>) -> Reply {
    let params = &mut call.params;
    let url = checked_url(params.required("url")?)?;
    let enabled_events = params.texts("enabled_events")?.filter(|events| !events.is_empty());
    let enabled_events = enabled_events.ok_or_else(|| problem::missing("enabled_events"))?;
    let named = params.text("api_version")?;
    let version = match &named {
        None => Version::CURRENT,
        Some(text) => Version::parse(text).ok_or_else(|| problem::invalid("api_version", "Invalid API version"))?,
    };
    let (description, metadata) = (params.text("description")?, params.new_metadata()?);
    params.ignore(&["connect"]);
    call.read_all()?;
    let endpoints = &mut call.endpoints;
    let secret = endpoints.ids.alphanumeric("whsec_", 32);
    let id = endpoints.ids.alphanumeric("we_1", 23);
    let position = endpoints.table.insert(Endpoint {
        id,
        url,
        secret: secret.clone(),
        version,
        names_version: named.is_some(),
        enabled_events,
        enabled: true,
        description,
        metadata,
        created: call.act.secs(),
        deleted: false,
    });
    let mut object = endpoints.table[position].render();
    object["secret"] = secret.into();
    Ok(object)
}

fn update(call: &mut Call<'_>, id: &str) -> Reply {
    let position = find(call, id)?;
    let params = &mut call.params;
    let url = params.text("url")?.map(checked_url).transpose()?;
    let (events, disabled) = (params.texts("enabled_events")?, params.boolean("disabled")?);
    let (description, metadata) = (params.patch("description")?, params.metadata()?);
    call.read_all()?;
    let row = &mut call.endpoints.table[position];
    row.url = url.unwrap_or(std::mem::take(&mut row.url));
    row.enabled_events = events.unwrap_or(std::mem::take(&mut row.enabled_events));
    row.enabled = disabled.map_or(row.enabled, |disabled| !disabled);
    row.description = description.unwrap_or(row.description.take());
    merge(&mut row.metadata, metadata);
    Ok(row.render())
}

fn list(call: &mut Call<'_>) -> Reply {
    let window = Window::read(&mut call.params)?;
    call.read_all()?;
    let table = &call.endpoints.table;
    window.page(
        "/v1/webhook_endpoints",
        table,
        |position| !table[position].deleted,
        |position| table[position].render(),
    )
}
