//! Events.

use serde_json::{Value, json};

use crate::stripe::account::model::Event;
use crate::stripe::version::{Version, as_of};

/// An event in a version. `pending_webhooks` counts the endpoints that have not taken it yet.
///
/// Source: Stripe API reference, "Events": the content is rendered in the version that `api_version` names.
pub(crate) fn event(row: &Event, version: Version, pending_webhooks: usize) -> Value {
    let mut data = json!({ "object": as_of(Value::clone(&row.object), version) });
    if let Some(previous) = &row.previous_attributes {
        data["previous_attributes"] = previous_as_of(row, previous, version);
    }
    let request = row.request.as_ref();
    json!({
        "id": row.id,
        "object": "event",
        "api_version": version.as_str(),
        "created": row.created,
        "data": data,
        "livemode": false,
        "pending_webhooks": pending_webhooks,
        "request": {
            "id": request.map(|request| request.id.as_str()),
            "idempotency_key": request.and_then(|request| request.idempotency_key.as_deref()),
        },
        "type": row.event_type,
    })
}

/// What had other values before, at the places that the version has for them.
///
/// The whole object is put back to how it was, rendered, and compared with what it is: a period that moved is then in
/// `items` in the current version, and at the top in the older one.
fn previous_as_of(row: &Event, previous: &Value, version: Version) -> Value {
    let mut before = Value::clone(&row.object);
    let (Some(members), Some(changed)) = (before.as_object_mut(), previous.as_object()) else {
        return previous.clone();
    };
    for (name, value) in changed {
        match (members.get_mut(name), value) {
            // What is nested names only what differs, but lists are whole.
            (Some(Value::Object(known)), Value::Object(value)) => known.extend(value.clone()),
            _ => drop(members.insert(name.clone(), value.clone())),
        }
    }
    let (before, after) = (as_of(before, version), as_of(Value::clone(&row.object), version));
    difference(&before, &after)
}

/// The members of `before` that `after` has otherwise.
fn difference(before: &Value, after: &Value) -> Value {
    let (Some(before), Some(after)) = (before.as_object(), after.as_object()) else { return Value::Null };
    let changed = before.iter().filter(|(name, value)| after.get(*name) != Some(*value));
    let changed = changed.map(|(name, value)| match (value, after.get(name)) {
        // A list is told as a whole.
        (Value::Object(_), Some(Value::Object(now))) if now.get("object").is_none_or(|kind| kind != "list") => {
            (name.clone(), difference(value, &after[name]))
        }
        _ => (name.clone(), value.clone()),
    });
    Value::Object(changed.collect())
}
