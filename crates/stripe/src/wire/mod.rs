//! Stripe's JSON, as far as we read it: version 2026-10-28.endive, and 2024-04-10 where that has something elsewhere.
//!
//! Every object has members that we do not name, and every list of words may grow: both are tolerated.
//! Times are whole seconds since the epoch, UTC; version 2 of the API alone writes RFC 3339.

mod customer;
mod endpoint;
mod event;
mod invoice;
mod price;
mod schedule;
mod session;
mod subscription;

pub(crate) use customer::Customer;
pub(crate) use endpoint::WebhookEndpoint;
pub(crate) use event::{Data, Envelope, EventObject, ListedEvent, Related, Salvage, Text};
pub(crate) use invoice::{Invoice, Line};
pub(crate) use price::{ListedPrice, Rate};
pub(crate) use schedule::{Phase, PhaseDiscount, PhaseItem, Schedule};
use serde::{Deserialize, Deserializer, de::DeserializeOwned};
use serde_json::Value;
pub(crate) use session::{PortalSession, Session};
pub(crate) use subscription::{Item, Price, Subscription};
use tollkeeper_core::time::Timestamp;

/// A failure. Source: API reference, "Errors".
#[derive(Debug, Deserialize)]
pub(crate) struct Failure {
    pub(crate) error: Refused,
}

/// What a failure says.
#[derive(Debug, Deserialize)]
pub(crate) struct Refused {
    /// `api_error`, `card_error`, `idempotency_error`, `invalid_request_error`, …
    #[serde(rename = "type")]
    pub(crate) kind: Option<String>,
    pub(crate) code: Option<String>,
    pub(crate) message: Option<String>,
}

/// One page of a list. Without `data` it is none: an answer that says nothing must not read as "there is nothing".
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct List<T> {
    pub(crate) data: Vec<T>,
    #[serde(default)]
    pub(crate) has_more: bool,
}

/// What has an id, by which the next page of a list is asked for.
pub(crate) trait Identified {
    fn id(&self) -> &str;
}

/// Something else, by its id or, where that was asked for, whole.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub(crate) enum Reference<T> {
    Id(String),
    Whole(Box<T>),
}

impl<T: Identified> Reference<T> {
    pub(crate) fn id(&self) -> &str {
        match self {
            Self::Id(id) => id,
            Self::Whole(whole) => whole.id(),
        }
    }
}

impl<T> Reference<T> {
    pub(crate) fn whole(&self) -> Option<&T> {
        match self {
            Self::Id(_) => None,
            Self::Whole(whole) => Some(whole),
        }
    }
}

/// A resource of which only the id matters.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Named {
    pub(crate) id: String,
}

impl Identified for Named {
    fn id(&self) -> &str {
        &self.id
    }
}

/// An answer of which nothing is read.
#[derive(Debug, Deserialize)]
pub(crate) struct Nothing {}

/// What somebody wrote on a resource: texts under names.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(transparent)]
pub(crate) struct Metadata(Value);

impl Metadata {
    /// A text that is not empty. Stripe keeps at most 500 characters.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        let text = self.0.get(name)?.as_str()?;
        (!text.is_empty() && text.len() <= 2000).then_some(text)
    }

    /// Everything that is written there.
    pub(crate) fn texts(&self) -> impl Iterator<Item = (&str, &str)> {
        let members = self.0.as_object().into_iter().flatten();
        members.filter_map(|(name, text)| Some((name.as_str(), text.as_str()?)))
    }
}

/// The beginning of the year 9999, after which dates end soon.
const LAST_SECOND: i64 = 253_370_764_800;

/// Whole seconds as an instant. What has no date is as if it were not there.
pub(crate) fn instant(seconds: Option<i64>) -> Option<Timestamp> {
    seconds.filter(|seconds| (0..=LAST_SECOND).contains(seconds)).map(Timestamp::from_unix_seconds)
}

/// Reads a member that is only a companion: what cannot be read is as if it were not there.
fn lenient<'de, D: Deserializer<'de>, T: DeserializeOwned>(deserializer: D) -> Result<Option<T>, D::Error> {
    let value = Value::deserialize(deserializer)?;
    Ok(serde_json::from_value(value).ok())
}
