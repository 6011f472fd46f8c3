//! Meters and what they counted.
//!
//! Source: Stripe API reference, "Meters", "Meter events".

/// `billing.meter`
#[derive(Debug, Clone)]
pub(crate) struct Meter {
    /// `mtr_test_…`
    pub(crate) id: String,
    pub(crate) display_name: String,
    pub(crate) event_name: String,
    /// `default_aggregation.formula`: `sum`, `count` or `last`.
    pub(crate) formula: String,
    /// `customer_mapping.event_payload_key`
    pub(crate) customer_key: String,
    /// `value_settings.event_payload_key`
    pub(crate) value_key: String,
    pub(crate) active: bool,
    pub(crate) created: i64,
    pub(crate) updated: i64,
    pub(crate) deactivated_at: Option<i64>,
}

/// `billing.meter_event`
#[derive(Debug, Clone)]
pub(crate) struct MeterEvent {
    pub(crate) identifier: String,
    pub(crate) event_name: String,
    /// As sent, string to string.
    pub(crate) payload: std::collections::BTreeMap<String, String>,
    /// When it counts.
    pub(crate) timestamp: i64,
    pub(crate) created: i64,
    /// Not once it was cancelled, and never when it was found to be wrong after it was taken in.
    pub(crate) counts: bool,
}
