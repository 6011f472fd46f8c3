//! Deliveries: who sent them, and what they are about. What they say is never used: Stripe promises no order, so that
//! everything is read again.
//!
//! Two kinds arrive at one address: snapshot events with a rendered resource, in the version that the endpoint was made
//! with, and thin events that only name one. Source: Stripe docs, "Types of events" and "Webhooks"; the event types of
//! the official clients 15.12 (2024-04-10) and 23.1 (2026-10-28.endive).

use bytes::Bytes;
use http::HeaderMap;
use serde::Deserialize;
use serde_json::Value;
use tollkeeper_core::{
    ids::Source,
    ports::{Content, DecodeError, Hint, Inbound, Subject, Verified, VerifyError},
    time::{MachineTime, Timestamp},
};

use crate::{
    NAME, Stripe,
    wire::{self, Data, Envelope, EventObject, ListedEvent, Related, Salvage, Text},
};

/// The longest id or type that is believed to be one.
const MAX_NAME_BYTES: usize = 200;

impl Inbound for Stripe {
    fn source(&self) -> Source {
        NAME.into()
    }

    /// Checks the signature over the raw bytes, in constant time, and the time that was signed with it.
    fn verify(&self, headers: &HeaderMap, body: Bytes, now: MachineTime) -> Result<Verified, VerifyError> {
        self.signatures.check(headers, &body, now)?;
        Ok(Verified::vouched(self.source(), body))
    }

    fn envelope(&self, verified: &Verified) -> Result<Hint, DecodeError> {
        match serde_json::from_slice::<Envelope<'_>>(verified.body()) {
            Ok(event) => {
                let ids = Ids::of(event.data.as_ref(), event.related_object.as_ref());
                hint(event.id.as_ref(), event.event_type.as_ref(), event.created.as_ref(), &ids)
            }
            // Content in a shape that we do not know is still a delivery, and mostly still about something that we do.
            Err(_) => {
                let event = read::<Salvage<'_>>(verified)?;
                let (data, related) = (event.data.unwrap_or_default(), event.related_object.unwrap_or_default());
                let ids = Ids::salvaged(&data, &related);
                let hint = hint(event.id.as_ref(), event.event_type.as_ref(), event.created.as_ref(), &ids)?;
                tracing::warn!(event.kind = %hint.event_type, subject = %hint.subject, "an event has content of a new shape");
                Ok(hint)
            }
        }
    }

    /// Says only whether it is about the customer itself; never what a subscription is.
    fn decode(&self, verified: &Verified) -> Result<Hint, DecodeError> {
        let mut hint = self.envelope(verified)?;
        if let Subject::Customer(id) = &hint.subject
            && is_about_the_customer(&hint.event_type)
        {
            hint.content = Some(Content::Customer(id.clone()));
        }
        Ok(hint)
    }
}

/// What a listed event is about.
pub(crate) fn about(event: &ListedEvent) -> Subject {
    subject(&event.event_type, &Ids::of_document(&event.data.object))
}

fn read<'a, T: Deserialize<'a>>(verified: &'a Verified) -> Result<T, DecodeError> {
    serde_json::from_slice(verified.body()).map_err(|error| {
        // The words of the parser may repeat parts of the delivery; its position does not.
        DecodeError(format!("it is not an event in JSON (line {}, column {})", error.line(), error.column()))
    })
}

fn hint(
    id: Option<&Text<'_>>,
    event_type: Option<&Text<'_>>,
    created: Option<&Value>,
    ids: &Ids<'_>,
) -> Result<Hint, DecodeError> {
    let id = name(id, "id")?;
    let event_type = name(event_type, "type")?;
    Ok(Hint {
        event_id: id.into(),
        event_type: event_type.to_owned(),
        occurred_at: created.and_then(occurred_at),
        subject: subject(event_type, ids),
        content: None,
    })
}

fn name<'a>(text: Option<&'a Text<'_>>, member: &str) -> Result<&'a str, DecodeError> {
    match text.map(|text| text.0.as_ref()) {
        None | Some("") => Err(DecodeError(format!("it has no {member}"))),
        Some(text) if text.len() > MAX_NAME_BYTES => {
            Err(DecodeError(format!("its {member} is longer than {MAX_NAME_BYTES} bytes")))
        }
        Some(text) => Ok(text),
    }
}

/// Whole seconds, or RFC 3339 on a thin event.
fn occurred_at(created: &Value) -> Option<Timestamp> {
    match created {
        Value::Number(seconds) => wire::instant(seconds.as_i64()),
        Value::String(text) => {
            text.parse::<Timestamp>().ok().filter(|at| wire::instant(Some(at.as_unix_seconds())).is_some())
        }
        _ => None,
    }
}

/// The ids in an event that tell what it is about.
#[derive(Clone, Copy, Debug, Default)]
struct Ids<'a> {
    /// The resource itself.
    id: Option<&'a str>,
    /// What kind of resource it is.
    kind: Option<&'a str>,
    customer: Option<&'a str>,
    /// The customer that a payment method was detached from.
    previous_customer: Option<&'a str>,
    /// The subscription that it names, by whichever version.
    subscription: Option<&'a str>,
    /// Whether it only names the resource.
    is_thin: bool,
}

impl<'a> Ids<'a> {
    fn of(data: Option<&'a Data<'_>>, related: Option<&'a Related<'_>>) -> Self {
        match (data.and_then(|data| data.object.as_ref()), related) {
            (None, Some(related)) => {
                Self { id: text(&related.id), kind: text(&related.kind), is_thin: true, ..Self::default() }
            }
            (object, _) => {
                let previous = data.and_then(|data| data.previous_attributes.as_ref());
                let previous_customer = previous.and_then(|previous| text(&previous.customer));
                Self { previous_customer, ..object.map(Self::of_object).unwrap_or_default() }
            }
        }
    }

    fn of_object(object: &'a EventObject<'_>) -> Self {
        let details = object.parent.as_ref().and_then(|parent| parent.subscription_details.as_ref());
        Self {
            id: text(&object.id),
            kind: text(&object.object),
            customer: text(&object.customer),
            subscription: text(&object.subscription)
                .or_else(|| details.and_then(|details| text(&details.subscription)))
                .or_else(|| text(&object.released_subscription)),
            ..Self::default()
        }
    }

    /// The same ids in an event of any shape.
    fn salvaged(data: &'a Value, related: &'a Value) -> Self {
        let object = &data["object"];
        if !object.is_object() && related.is_object() {
            return Self { id: named(related), kind: related["type"].as_str(), is_thin: true, ..Self::default() };
        }
        Self { previous_customer: named(&data["previous_attributes"]["customer"]), ..Self::of_document(object) }
    }

    fn of_document(object: &'a Value) -> Self {
        Self {
            id: named(object),
            kind: object["object"].as_str(),
            customer: named(&object["customer"]),
            subscription: named(&object["subscription"])
                .or_else(|| named(&object["parent"]["subscription_details"]["subscription"]))
                .or_else(|| named(&object["released_subscription"])),
            ..Self::default()
        }
    }
}

/// What a document names: by its id, or whole.
fn named(value: &Value) -> Option<&str> {
    value.as_str().or_else(|| value["id"].as_str()).filter(|text| is_usable(text))
}

/// An id that could be one.
fn text<'a>(text: &'a Option<Text<'_>>) -> Option<&'a str> {
    text.as_ref().map(|text| &*text.0).filter(|text| is_usable(text))
}

fn is_usable(text: &str) -> bool {
    !text.is_empty() && text.len() <= MAX_NAME_BYTES
}

/// What an event is about: the subscription that it names, else the customer.
///
/// A thin event names only its own resource: one about an invoice or a session is about nothing that can be told here,
/// and the subscription's own events tell what came of it.
fn subject(event_type: &str, ids: &Ids<'_>) -> Subject {
    let subscription = |id: Option<&str>| id.map(|id| Subject::Subscription(id.into()));
    let customer = |id: Option<&str>| id.map(|id| Subject::Customer(id.into()));
    let found = if ids.is_thin {
        match ids.kind {
            Some("subscription") => subscription(ids.id),
            Some("customer") => customer(ids.id),
            _ => None,
        }
    } else if event_type.starts_with("customer.subscription.") {
        subscription(ids.id).or_else(|| customer(ids.customer))
    } else if is_about_the_customer(event_type) {
        customer(ids.id)
    } else if ["invoice.", "subscription_schedule.", "checkout.session.", "customer."]
        .iter()
        .any(|beginning| event_type.starts_with(beginning))
    {
        subscription(ids.subscription).or_else(|| customer(ids.customer))
    } else if event_type.starts_with("payment_method.") {
        customer(ids.customer.or(ids.previous_customer))
    } else {
        None
    };
    found.unwrap_or(Subject::Other)
}

/// `customer.created`, `customer.updated`, `customer.deleted`; not what a customer has (`customer.tax_id.created`).
fn is_about_the_customer(event_type: &str) -> bool {
    let name = event_type.strip_prefix("v1.").unwrap_or(event_type);
    name.strip_prefix("customer.").is_some_and(|what| !what.contains('.'))
}
