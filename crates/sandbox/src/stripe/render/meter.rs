//! Meters and what they counted.

use serde_json::{Value, json};

use crate::moment::Moment;
use crate::stripe::account::model::{Meter, MeterEvent};

pub(super) fn meter(row: &Meter) -> Value {
    json!({
        "id": row.id,
        "object": "billing.meter",
        "created": row.created,
        "customer_mapping": { "event_payload_key": row.customer_key, "type": "by_id" },
        "default_aggregation": { "formula": row.formula },
        "display_name": row.display_name,
        "event_name": row.event_name,
        "event_time_window": null,
        "livemode": false,
        "status": if row.active { "active" } else { "inactive" },
        "status_transitions": { "deactivated_at": row.deactivated_at },
        "updated": row.updated,
        "value_settings": { "event_payload_key": row.value_key },
    })
}

/// A meter event as v1 answers it.
pub(crate) fn meter_event(row: &MeterEvent) -> Value {
    json!({
        "object": "billing.meter_event",
        "created": row.created,
        "event_name": row.event_name,
        "identifier": row.identifier,
        "livemode": false,
        "payload": row.payload,
        "timestamp": row.timestamp,
    })
}

/// A meter event as v2 answers it: instants are texts.
pub(crate) fn meter_event_v2(row: &MeterEvent) -> Value {
    json!({
        "object": "v2.billing.meter_event",
        "created": Moment::from_secs(row.created).rfc3339_millis(),
        "event_name": row.event_name,
        "identifier": row.identifier,
        "livemode": false,
        "payload": row.payload,
        "timestamp": Moment::from_secs(row.timestamp).rfc3339_millis(),
    })
}
