//! Events: what is told, and with which object.
//!
//! Signatures: `emit(event_type, about, previous, act)`, `snapshot(about) -> Value` before a change and
//! `emit_updated(event_type, about, &before, act)` after it, `emit_thin(event_type, meter, data, organization_id, act)`,
//! `take_fresh_events() -> Vec<usize>`, `take_fresh_thin_events() -> Vec<usize>`.
//!
//! Source: Stripe API reference, "Events"; `previous_attributes` appears on `*.updated` only.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::model::{Event, ThinEvent};
use super::{Account, Act, Cause, Object};
use crate::stripe::render;

/// The key of metadata that names the organization.
const ORGANIZATION: &str = "organizationId";

impl Account {
    /// Records an event. Its object is the record as it is now.
    pub(crate) fn emit(&mut self, event_type: &'static str, about: Object, previous: Option<Value>, act: Act) {
        if self.is_quiet {
            return;
        }
        let object = render::object(self, about);
        self.record(event_type, about, object, previous, act);
    }

    fn record(&mut self, event_type: &'static str, about: Object, object: Value, previous: Option<Value>, act: Act) {
        let organization_id = self.organization_in(&object);
        let id = self.ids.alphanumeric("evt_1", 23);
        let request = if act.cause == Cause::Api { self.request.clone() } else { None };
        let position = self.events.insert(Event {
            id,
            event_type,
            created: act.secs(),
            about,
            object: Arc::new(object),
            previous_attributes: previous.map(Arc::new),
            request,
            organization_id,
            webhook_status: "not_configured",
        });
        self.fresh_events.push(position);
    }

    /// The record as it is told of now, to compare with later.
    pub(super) fn snapshot(&self, about: Object) -> Value {
        if self.is_quiet { Value::Null } else { render::object(self, about) }
    }

    /// Tells of a change, if there was one.
    pub(super) fn emit_updated(&mut self, event_type: &'static str, about: Object, before: &Value, act: Act) {
        if self.is_quiet {
            return;
        }
        let object = render::object(self, about);
        let previous = difference(before, &object);
        if !previous.is_empty() {
            self.record(event_type, about, object, Some(Value::Object(previous)), act);
        }
    }

    /// Records a thin event about a meter. `data` is for those who read it.
    pub(super) fn emit_thin(
        &mut self,
        event_type: &'static str,
        meter: usize,
        data: Value,
        organization_id: Option<String>,
        act: Act,
    ) {
        if self.is_quiet {
            return;
        }
        let id = self.ids.alphanumeric("evt_test_65", 46);
        let meter = self.meters[meter].id.clone();
        let event = ThinEvent { id, event_type, created: act.now, meter, data, organization_id };
        self.fresh_thin_events.push(self.thin_events.insert(event));
    }

    /// Events since the last call, by position.
    pub(crate) fn take_fresh_events(&mut self) -> Vec<usize> {
        std::mem::take(&mut self.fresh_events)
    }

    /// Thin events since the last call, by position.
    pub(crate) fn take_fresh_thin_events(&mut self) -> Vec<usize> {
        std::mem::take(&mut self.fresh_thin_events)
    }

    /// The organization that an object's metadata names, else its subscription's, else its customer's.
    fn organization_in(&self, object: &Value) -> Option<String> {
        let named = |metadata: &Value| metadata.get(ORGANIZATION)?.as_str().map(str::to_owned);
        let details = object.get("parent").and_then(|parent| parent.get("subscription_details"));
        object
            .get("metadata")
            .and_then(named)
            .or_else(|| details.and_then(|details| named(details.get("metadata")?)))
            .or_else(|| self.organization_of_customer(object.get("customer")?.as_str()?))
    }

    /// The organization that a customer's metadata names.
    pub(crate) fn organization_of_customer(&self, id: &str) -> Option<String> {
        self.customers.get(id)?.metadata.get(ORGANIZATION).cloned()
    }

    /// The organization that a subscription's metadata names, else its customer's.
    pub(crate) fn organization_of_subscription(&self, subscription: usize) -> Option<String> {
        let row = &self.subscriptions[subscription];
        row.metadata.get(ORGANIZATION).cloned().or_else(|| self.organization_of_customer(&row.customer))
    }
}

/// The members that are not the same any more, as they were; what was not there before is null.
fn difference(before: &Value, after: &Value) -> Map<String, Value> {
    let (Value::Object(before), Value::Object(after)) = (before, after) else { return Map::new() };
    let mut previous = Map::new();
    for (name, value) in after {
        let old = before.get(name).unwrap_or(&Value::Null);
        if old != value {
            previous.insert(name.clone(), old.clone());
        }
    }
    for (name, old) in before {
        if !after.contains_key(name) {
            previous.insert(name.clone(), old.clone());
        }
    }
    previous
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn previous_attributes_are_what_differs() {
        let before = json!({"status": "trialing", "items": {"data": [1]}, "gone": 1, "id": "sub_1"});
        let after = json!({"status": "active", "items": {"data": [2]}, "new": 2, "id": "sub_1"});
        let previous = Value::Object(difference(&before, &after));
        assert_eq!(previous, json!({"status": "trialing", "items": {"data": [1]}, "gone": 1, "new": null}));
    }
}
