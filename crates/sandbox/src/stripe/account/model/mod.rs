//! The records of an account, as plain data. The rules are beside it, the wire names in `render`.
//!
//! Records name each other by id. Instants are Unix seconds of business time, amounts are minor units.

mod catalog;
mod checkout;
mod customer;
mod invoice;
mod meter;
mod payment;
mod schedule;
mod subscription;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

pub(crate) use catalog::{Interval, IntervalUnit, Price, Product, Rate, Tier};
pub(crate) use checkout::{
    CheckoutMode, CheckoutSession, PortalConfiguration, PortalFlow, PortalSession, SessionLine, SessionPayment,
    SessionStatus, SubscriptionData,
};
pub(crate) use customer::{Behaviour, Customer, Instrument, PaymentMethod};
pub(crate) use invoice::{
    BillingReason, Credited, Invoice, InvoiceItem, InvoicePayment, InvoicePaymentStatus, InvoiceStatus, Line,
    LineParent,
};
pub(crate) use meter::{Meter, MeterEvent};
pub(crate) use payment::{IntentStatus, PaymentError, PaymentIntent, SetupIntent};
pub(crate) use schedule::{EndBehavior, Phase, PhaseItem, Schedule, ScheduleStatus};
pub(crate) use subscription::{
    Billed, BillingMode, Cancellation, CollectionMethod, MissingMethod, PauseBehavior, PauseCollection, Paused,
    PaymentBehavior, PendingUpdate, ProrationBehavior, Status, Subscription, SubscriptionItem,
};

use super::Object;
use crate::chargebee::site::table::Row;
use crate::moment::Moment;

/// `metadata`: at most 50 keys.
pub(crate) type Metadata = BTreeMap<String, String>;

/// A member of a request that can be left out, be empty, or have a value: kept, unset, or set.
pub(crate) type Patch<T> = Option<Option<T>>;

/// Sets a member to what a request says about it.
pub(crate) fn set<T>(member: &mut Option<T>, patch: Patch<T>) {
    if let Some(value) = patch {
        *member = value;
    }
}

/// Merges metadata: an empty value deletes its key, no value at all deletes everything.
pub(crate) fn merge(metadata: &mut Metadata, patch: Patch<Metadata>) {
    match patch {
        None => {}
        Some(None) => metadata.clear(),
        Some(Some(entries)) => {
            metadata.extend(entries);
            metadata.retain(|_, value| !value.is_empty());
        }
    }
}

/// An enum of words of the API, with `as_str` and `parse`.
macro_rules! words {
    ($(#[$meta:meta])* $name:ident { $($(#[$variant_meta:meta])* $variant:ident = $word:literal),* $(,)? }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        #[allow(clippy::enum_variant_names, reason = "the words are the provider's")]
        pub(crate) enum $name {
            $($(#[$variant_meta])* $variant),*
        }

        #[allow(dead_code, reason = "every word can be read and written, whether or not something needs it yet")]
        impl $name {
            pub(crate) fn as_str(self) -> &'static str {
                match self {
                    $($name::$variant => $word),*
                }
            }

            pub(crate) fn parse(word: &str) -> Option<Self> {
                match word {
                    $($word => Some($name::$variant),)*
                    _ => None,
                }
            }
        }
    };
}
use words;

words! {
    ClockStatus { Ready = "ready", Advancing = "advancing" }
}

/// `test_helpers.test_clock`: time of its own for some customers.
#[derive(Debug, Clone)]
pub(crate) struct TestClock {
    pub(crate) id: String,
    pub(crate) name: Option<String>,
    pub(crate) frozen_time: i64,
    pub(crate) status: ClockStatus,
    /// Where it is going while it advances.
    pub(crate) target: Option<i64>,
    pub(crate) created: i64,
    pub(crate) deletes_after: i64,
    pub(crate) deleted: bool,
}

/// An event; its object is frozen as it was when it happened, in the current version of the API.
#[derive(Debug, Clone)]
pub(crate) struct Event {
    pub(crate) id: String,
    pub(crate) event_type: &'static str,
    pub(crate) created: i64,
    #[allow(dead_code, reason = "so far only tests look from an event to its record")]
    pub(crate) about: Object,
    /// `data.object`
    pub(crate) object: Arc<Value>,
    /// `data.previous_attributes`
    pub(crate) previous_attributes: Option<Arc<Value>>,
    /// The request that caused it; `None` where time or a page did.
    pub(crate) request: Option<RequestRef>,
    /// The organization it is about, for people who look at deliveries.
    pub(crate) organization_id: Option<String>,
    pub(crate) webhook_status: &'static str,
}

/// `v2.core.event`: an event that names a record and does not hold it. All that there are here are about meters.
#[derive(Debug, Clone)]
pub(crate) struct ThinEvent {
    /// `evt_test_…`
    pub(crate) id: String,
    pub(crate) event_type: &'static str,
    pub(crate) created: Moment,
    /// The meter that `related_object` names.
    pub(crate) meter: String,
    /// What happened, for those who read the event.
    pub(crate) data: Value,
    /// The organization it is about, for people who look at deliveries.
    pub(crate) organization_id: Option<String>,
}

/// What `request` of an event says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RequestRef {
    pub(crate) id: String,
    pub(crate) idempotency_key: Option<String>,
}

/// Rows, and what they belong to for good.
macro_rules! rows {
    ($($row:ty: [$($link:ident),*]),* $(,)?) => {
        $(impl Row for $row {
            fn id(&self) -> &str {
                &self.id
            }

            fn links(&self) -> Vec<(&'static str, &str)> {
                let links: Vec<(&'static str, &str)> = vec![$((stringify!($link), self.$link.link())),*];
                links.into_iter().filter(|(_, id)| !id.is_empty()).collect()
            }
        })*
    };
}

/// A member that names another record, or none.
trait Link {
    fn link(&self) -> &str;
}

impl Link for String {
    fn link(&self) -> &str {
        self
    }
}

impl Link for Option<String> {
    fn link(&self) -> &str {
        self.as_deref().unwrap_or_default()
    }
}

rows!(
    Customer: [test_clock],
    Product: [],
    Price: [product],
    Subscription: [customer],
    Schedule: [customer],
    Invoice: [customer, subscription],
    InvoiceItem: [customer],
    InvoicePayment: [invoice, payment_intent],
    PaymentIntent: [customer, invoice],
    SetupIntent: [customer],
    PaymentMethod: [],
    CheckoutSession: [],
    PortalSession: [customer],
    PortalConfiguration: [],
    TestClock: [],
    Meter: [],
    Event: [],
    ThinEvent: [],
);
