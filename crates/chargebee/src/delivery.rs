//! Deliveries: who sent them, what they are about, what they say.
//!
//! Source: API docs, "Events" and "Webhooks"; the members of each event's `content` are in the event catalog.

use std::borrow::Cow;

use bytes::Bytes;
use http::HeaderMap;
use serde::Deserialize;
use tollkeeper_core::{
    ids::Source,
    ports::{Content, DecodeError, Hint, Inbound, Subject, Verified, VerifyError},
    snapshot::{Origin, Snapshot},
    time::{MachineTime, Timestamp},
};

use crate::{
    Chargebee, NAME,
    snapshot::{self, Beside},
    wire::{self, Envelope, EventIds, SubscriptionContent, Text},
};

/// The longest id or type that is believed to be one.
const MAX_NAME_BYTES: usize = 200;

/// A customer's end, which carries its subscriptions; but it is the customer that ended.
const CUSTOMER_DELETED: &str = "customer_deleted";
/// How the events begin that are about the customer alone.
const CUSTOMER: &str = "customer_";

impl Inbound for Chargebee {
    fn source(&self) -> Source {
        NAME.into()
    }

    /// Checks user and password in constant time; everything passes with `insecure_webhooks`. The time is not looked at:
    /// Chargebee sends none that it vouches for.
    fn verify(&self, headers: &HeaderMap, body: Bytes, _now: MachineTime) -> Result<Verified, VerifyError> {
        if let Some(credentials) = &self.credentials {
            credentials.check(headers)?;
        }
        Ok(Verified::vouched(self.source(), body))
    }

    fn envelope(&self, verified: &Verified) -> Result<Hint, DecodeError> {
        match serde_json::from_slice::<Envelope<'_, EventIds<'_>>>(verified.body()) {
            Ok(event) => hint(&event, |kind| event.content.as_ref().map_or(Subject::Other, |ids| subject(kind, ids))),
            // Content in a shape that we do not know is still a delivery, and mostly still about something that we do.
            Err(_) => {
                let event = read::<serde_json::Value>(verified)?;
                let hint = hint(&event, |kind| event.content.as_ref().map_or(Subject::Other, |it| salvaged(kind, it)))?;
                tracing::warn!(event.kind = %hint.event_type, subject = %hint.subject, "an event has content of a new shape");
                Ok(hint)
            }
        }
    }

    /// Content comes along only when it is the whole truth: a subscription with a version, nothing overdue and nothing
    /// scheduled. Whatever else is true of it, the engine reads it again.
    fn decode(&self, verified: &Verified) -> Result<Hint, DecodeError> {
        let mut hint = self.envelope(verified)?;
        hint.content = match &hint.subject {
            Subject::Customer(id) if hint.event_type.starts_with(CUSTOMER) => Some(Content::Customer(id.clone())),
            Subject::Subscription(id) => delivered(verified, hint.occurred_at)
                .filter(|snapshot| snapshot.id == *id)
                .map(|snapshot| Content::Subscription(Box::new(snapshot))),
            Subject::Customer(_) | Subject::Organization(_) | Subject::Other => None,
        };
        Ok(hint)
    }
}

fn read<'a, C: Deserialize<'a>>(verified: &'a Verified) -> Result<Envelope<'a, C>, DecodeError> {
    serde_json::from_slice(verified.body()).map_err(|error| {
        // The words of the parser may repeat parts of the delivery; its position does not.
        DecodeError(format!("it is not an event in JSON (line {}, column {})", error.line(), error.column()))
    })
}

fn hint<C>(event: &Envelope<'_, C>, subject: impl FnOnce(&str) -> Subject) -> Result<Hint, DecodeError> {
    let id = name(event.id.as_ref(), "id")?;
    let event_type = name(event.event_type.as_ref(), "event_type")?;
    Ok(Hint {
        event_id: id.into(),
        event_type: event_type.to_owned(),
        occurred_at: wire::instant(event.occurred_at),
        subject: subject(event_type),
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

/// What an event is about: the one subscription that it names, else the customer.
fn subject(event_type: &str, ids: &EventIds<'_>) -> Subject {
    if event_type != CUSTOMER_DELETED
        && let Some(id) = subscription_id(ids)
    {
        return Subject::Subscription(id.into());
    }
    customer_id(ids).map_or(Subject::Other, |id| Subject::Customer(id.into()))
}

/// What an event with odd companions is about, by the two resources that matter most.
fn salvaged(event_type: &str, content: &serde_json::Value) -> Subject {
    let id =
        |resource: &str| content[resource]["id"].as_str().filter(|id| !id.is_empty() && id.len() <= MAX_NAME_BYTES);
    match (id("subscription"), id("customer")) {
        (Some(subscription), _) if event_type != CUSTOMER_DELETED => Subject::Subscription(subscription.into()),
        (_, Some(customer)) => Subject::Customer(customer.into()),
        _ => Subject::Other,
    }
}

fn subscription_id<'a>(ids: &'a EventIds<'_>) -> Option<&'a str> {
    if let Some(id) = ids.subscription.as_ref().and_then(|subscription| usable(subscription.id.as_ref())) {
        return Some(id);
    }
    let resources = [
        &ids.invoice,
        &ids.transaction,
        &ids.credit_note,
        &ids.subscription_entitlements_created_detail,
        &ids.subscription_entitlements_updated_detail,
        &ids.ramp,
        &ids.alert_status,
    ];
    for resource in resources.into_iter().flatten() {
        if let Some(id) = usable(resource.subscription_id.as_ref()) {
            return Some(id);
        }
        // An invoice for several subscriptions names them in its lines only.
        let lines = resource.line_items.iter().filter_map(|line| usable(line.subscription_id.as_ref()));
        if let Some(id) = the_only(lines) {
            return Some(id);
        }
    }
    if let Some(impacted) = &ids.impacted_subscription
        && impacted.count.is_none_or(|count| count == 1)
        && let Some(id) = the_only(impacted.subscription_ids.iter().filter_map(|id| usable(Some(id))))
    {
        return Some(id);
    }
    the_only(ids.unbilled_charges.iter().filter_map(|charge| usable(charge.subscription_id.as_ref())))
}

fn customer_id<'a>(ids: &'a EventIds<'_>) -> Option<&'a str> {
    if let Some(id) = ids.customer.as_ref().and_then(|customer| usable(customer.id.as_ref())) {
        return Some(id);
    }
    let resources = [
        &ids.subscription,
        &ids.invoice,
        &ids.transaction,
        &ids.credit_note,
        &ids.payment_source,
        &ids.card,
        &ids.promotional_credit,
    ];
    resources
        .into_iter()
        .flatten()
        .find_map(|resource| usable(resource.customer_id.as_ref()))
        .or_else(|| the_only(ids.unbilled_charges.iter().filter_map(|charge| usable(charge.customer_id.as_ref()))))
}

/// An id that could be one.
fn usable<'a>(text: Option<&'a Text<'_>>) -> Option<&'a str> {
    let id: &Cow<'_, str> = &text?.0;
    (!id.is_empty() && id.len() <= MAX_NAME_BYTES).then_some(id.as_ref())
}

/// The value of all, if they agree; several subscriptions have no single subject.
fn the_only<'a>(mut ids: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let first = ids.next()?;
    ids.all(|id| id == first).then_some(first)
}

/// The subscription that a delivery carries, when that is all there is to know about it.
fn delivered(verified: &Verified, occurred_at: Option<Timestamp>) -> Option<Snapshot> {
    let content = read::<SubscriptionContent>(verified).ok()?.content?;
    let subscription = content.subscription?;
    let is_whole = subscription.resource_version.is_some() && snapshot::is_whole(&subscription);
    is_whole.then(|| {
        let customer = content.customer.as_ref();
        snapshot::snapshot(&subscription, customer, Beside::default(), Origin::Delivered, occurred_at)
    })
}
