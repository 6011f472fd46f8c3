//! Thin events. No version of the API changes how they look.
//!
//! Source: Stripe API reference, "Events" of v2; the official client 23.1, `V2/Core/Events.d.ts`.

use serde_json::{Value, json};

use crate::stripe::account::model::ThinEvent;

/// A thin event as it is sent: it names the meter, and does not say what happened.
pub(crate) fn notification(row: &ThinEvent) -> Value {
    json!({
        "id": row.id,
        "object": "v2.core.event",
        "context": null,
        "created": row.created.rfc3339_millis(),
        "livemode": false,
        // A request is named where it is the reason; what is found out later has none.
        "reason": null,
        "related_object": {
            "id": row.meter,
            "type": "billing.meter",
            "url": format!("/v1/billing/meters/{}", row.meter),
        },
        "type": row.event_type,
    })
}

/// A thin event as it is read: with what happened.
pub(crate) fn thin_event(row: &ThinEvent) -> Value {
    let mut event = notification(row);
    // These types follow no changes of the meter.
    event["changes"] = Value::Null;
    event["data"] = row.data.clone();
    event
}
