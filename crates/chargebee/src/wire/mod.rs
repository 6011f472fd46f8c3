//! Chargebee's JSON, as far as we read it. API v2; Product Catalog 2.0, with what Product Catalog 1.0 has instead.
//!
//! Every object has members that we do not name, and every list of words may grow: both are tolerated.
//! Times are whole seconds since the epoch, UTC, except `resource_version` (milliseconds).

mod customer;
mod estimate;
mod event;
mod hosted_page;
mod invoice;
mod price;
mod subscription;

pub(crate) use customer::{Customer, CustomerAnswer};
pub(crate) use estimate::{CreditNoteEstimate, Estimate, EstimateAnswer, EstimateLine, EstimateTax, InvoiceEstimate};
pub(crate) use event::{Envelope, EventIds, SubscriptionContent, Text};
pub(crate) use hosted_page::{HostedPage, HostedPageAnswer, PassThru};
pub(crate) use invoice::{Charged, DownloadAnswer, Invoice, InvoiceAnswer};
pub(crate) use price::{ItemFamilyAnswer, ItemPrice, ItemPriceAnswer};
use serde::{Deserialize, Deserializer, de::DeserializeOwned};
use serde_json::Value;
pub(crate) use subscription::{Addon, Subscription, SubscriptionAnswer, SubscriptionItem};
use tollkeeper_core::time::Timestamp;

/// A failure. Source: API docs, "Error handling".
#[derive(Debug, Deserialize)]
pub(crate) struct Refusal {
    pub(crate) message: Option<String>,
    /// `payment`, `invalid_request`, `operation_failed`, …
    #[serde(rename = "type")]
    pub(crate) kind: Option<String>,
    pub(crate) api_error_code: Option<String>,
    /// Older name of the code.
    pub(crate) error_code: Option<String>,
    /// Older name of the message.
    pub(crate) error_msg: Option<String>,
}

impl Refusal {
    /// The code, under whichever name it came.
    pub(crate) fn code(&self) -> Option<&str> {
        self.api_error_code.as_deref().or(self.error_code.as_deref())
    }
}

/// One page of a list. Without `list` it is none: an answer that says nothing must not read as "there is nothing".
#[derive(Debug, Deserialize)]
pub(crate) struct Page<T> {
    pub(crate) list: Vec<T>,
    /// Only when more exist.
    pub(crate) next_offset: Option<String>,
}

/// `POST /portal_sessions`.
#[derive(Debug, Deserialize)]
pub(crate) struct PortalAnswer {
    pub(crate) portal_session: PortalSession,
}

/// A way into the portal; single use, short-lived.
#[derive(Debug, Deserialize)]
pub(crate) struct PortalSession {
    pub(crate) access_url: String,
}

/// An answer of which nothing is read.
#[derive(Debug, Deserialize)]
pub(crate) struct Nothing {}

/// Free JSON that belongs to the resource: an object, or an object in a string as older sites send it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Metadata(Option<Value>);

impl Metadata {
    /// A text member that is not empty and not absurdly long.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        let text = self.0.as_ref()?.get(name)?.as_str()?;
        (!text.is_empty() && text.len() <= 200).then_some(text)
    }
}

impl<'de> Deserialize<'de> for Metadata {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self(match Value::deserialize(deserializer)? {
            Value::String(text) => serde_json::from_str(&text).ok(),
            other => Some(other),
        }))
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
