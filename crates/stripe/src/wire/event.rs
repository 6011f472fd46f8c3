//! An event, as it is delivered: a snapshot event (`event`), or a thin one (`v2.core.event`) that only names a resource.
//!
//! The envelope is read in one pass without building anything: texts borrow from the delivery.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::Value;

use super::{Customer, Identified, lenient};

/// A text that borrows where the JSON has no escapes in it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub(crate) struct Text<'a>(#[serde(borrow)] pub(crate) Cow<'a, str>);

/// What every event has.
#[derive(Debug, Deserialize)]
pub(crate) struct Envelope<'a> {
    #[serde(borrow)]
    pub(crate) id: Option<Text<'a>>,
    #[serde(borrow, rename = "type")]
    pub(crate) event_type: Option<Text<'a>>,
    /// Whole seconds, or RFC 3339 on a thin event.
    #[serde(default, deserialize_with = "lenient")]
    pub(crate) created: Option<Value>,
    #[serde(borrow)]
    pub(crate) data: Option<Data<'a>>,
    #[serde(borrow)]
    pub(crate) related_object: Option<Related<'a>>,
}

/// The same, of an event whose content has a shape that we do not know.
#[derive(Debug, Deserialize)]
pub(crate) struct Salvage<'a> {
    #[serde(borrow)]
    pub(crate) id: Option<Text<'a>>,
    #[serde(borrow, rename = "type")]
    pub(crate) event_type: Option<Text<'a>>,
    #[serde(default, deserialize_with = "lenient")]
    pub(crate) created: Option<Value>,
    pub(crate) data: Option<Value>,
    pub(crate) related_object: Option<Value>,
}

/// What a snapshot event carries.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Data<'a> {
    #[serde(borrow)]
    pub(crate) object: Option<EventObject<'a>>,
    #[serde(borrow)]
    pub(crate) previous_attributes: Option<Previous<'a>>,
}

/// A resource, as far as the ids in it. Source: the event types of the official client.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct EventObject<'a> {
    #[serde(borrow)]
    pub(crate) id: Option<Text<'a>>,
    #[serde(borrow)]
    pub(crate) object: Option<Text<'a>>,
    #[serde(borrow)]
    pub(crate) customer: Option<Text<'a>>,
    /// On sessions and schedules, and on invoices before 2025-03-31.
    #[serde(borrow)]
    pub(crate) subscription: Option<Text<'a>>,
    /// On a schedule that let its subscription go.
    #[serde(borrow)]
    pub(crate) released_subscription: Option<Text<'a>>,
    /// On invoices since 2025-03-31.
    #[serde(borrow)]
    pub(crate) parent: Option<EventParent<'a>>,
}

/// What made an invoice.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct EventParent<'a> {
    #[serde(borrow)]
    pub(crate) subscription_details: Option<EventDetails<'a>>,
}

/// The subscription that made an invoice.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct EventDetails<'a> {
    #[serde(borrow)]
    pub(crate) subscription: Option<Text<'a>>,
}

/// What changed, as it was before.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Previous<'a> {
    #[serde(borrow)]
    pub(crate) customer: Option<Text<'a>>,
}

/// What a thin event is about.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Related<'a> {
    #[serde(borrow)]
    pub(crate) id: Option<Text<'a>>,
    #[serde(borrow, rename = "type")]
    pub(crate) kind: Option<Text<'a>>,
}

/// One row of `GET /v1/events`.
#[derive(Debug, Deserialize)]
pub(crate) struct ListedEvent {
    pub(crate) id: String,
    #[serde(rename = "type")]
    pub(crate) event_type: String,
    pub(crate) data: ListedData,
}

impl Identified for ListedEvent {
    fn id(&self) -> &str {
        &self.id
    }
}

/// What a listed event carries.
#[derive(Debug, Deserialize)]
pub(crate) struct ListedData {
    pub(crate) object: Value,
}

impl ListedEvent {
    /// The customer that an event about one carries.
    pub(crate) fn customer(&self) -> Option<Customer> {
        serde_json::from_value(self.data.object.clone()).ok()
    }
}
