//! Meters: what was used, counted by customer and time.
//!
//! Signatures: `create_meter(MeterInput, act) -> Outcome<usize>`, `set_meter_active(position, bool, act)`,
//! `meter_of(event_name) -> Option<usize>`,
//! `record_usage(event_name, payload, identifier, timestamp, act) -> Outcome<usize>` (the position in
//! `meter_events`), `cancel_usage(event_name, identifier, act) -> Outcome<()>`,
//! `usage(meter, customer, from, to) -> i64`.
//!
//! Source: Stripe API reference, "Meters", "Meter events", "Meter event adjustments".

use std::collections::BTreeMap;

use super::calendar::{DAY, HOUR};
use super::model::{Meter, MeterEvent};
use super::refusal::Refusal;
use super::{Account, Act, Object, Outcome};

/// How far back and ahead an event may lie, in seconds, and how long its identifier is remembered.
const OLDEST: i64 = 35 * DAY;
const NEWEST: i64 = 300;
const REMEMBERED: i64 = DAY;

/// What a request says about a new meter.
#[derive(Debug, Clone)]
pub(crate) struct MeterInput {
    pub(crate) display_name: String,
    pub(crate) event_name: String,
    /// `sum`, `count` or `last`.
    pub(crate) formula: String,
    pub(crate) customer_key: Option<String>,
    pub(crate) value_key: Option<String>,
}

impl Account {
    pub(super) fn stock_meters(&mut self, now: i64) {
        let input = MeterInput {
            display_name: "API calls".into(),
            event_name: "api_calls".into(),
            formula: "sum".into(),
            customer_key: None,
            value_key: None,
        };
        self.insert_meter("mtr_test_api_calls".into(), input, now);
    }

    fn insert_meter(&mut self, id: String, input: MeterInput, now: i64) -> usize {
        self.meters.insert(Meter {
            id,
            display_name: input.display_name,
            event_name: input.event_name,
            formula: input.formula,
            customer_key: input.customer_key.unwrap_or_else(|| "stripe_customer_id".into()),
            value_key: input.value_key.unwrap_or_else(|| "value".into()),
            active: true,
            created: now,
            updated: now,
            deactivated_at: None,
        })
    }

    pub(crate) fn create_meter(&mut self, input: MeterInput, act: Act) -> Outcome<usize> {
        if self.meters.iter().any(|meter| meter.active && meter.event_name == input.event_name) {
            let message = format!("There is already an active meter with event name `{}`.", input.event_name);
            return Err(Refusal::wrong_value("event_name", message));
        }
        let id = self.ids.alphanumeric("mtr_test_61", 29);
        let meter = self.insert_meter(id, input, act.secs());
        self.emit("billing.meter.created", Object::Meter(meter), None, act);
        Ok(meter)
    }

    pub(crate) fn set_meter_active(&mut self, position: usize, active: bool, act: Act) {
        let row = &mut self.meters[position];
        if row.active == active {
            return;
        }
        row.active = active;
        row.updated = act.secs();
        row.deactivated_at = (!active).then_some(act.secs());
        let event = if active { "billing.meter.reactivated" } else { "billing.meter.deactivated" };
        self.emit(event, Object::Meter(position), None, act);
    }

    /// The meter of an event's name: the active one, else the newest that had it.
    pub(super) fn meter_of(&self, event_name: &str) -> Option<usize> {
        let named = |meter: &&Meter| meter.event_name == event_name;
        let active = self.meters.iter().position(|meter| meter.active && named(&meter));
        active.or_else(|| self.meters.rows().iter().rposition(|meter| named(&meter)))
    }

    /// Takes usage in. An identifier that was seen within a day is refused.
    ///
    /// What nothing can be seen wrong with may still not count: see `meter_errors`. Its identifier is taken then, too.
    pub(crate) fn record_usage(
        &mut self,
        event_name: &str,
        payload: BTreeMap<String, String>,
        identifier: Option<String>,
        timestamp: Option<i64>,
        act: Act,
    ) -> Outcome<usize> {
        let Some(position) = self.meter_of(event_name) else {
            let message = format!("No active meter found for event name `{event_name}`.");
            return Err(Refusal::wrong_value("event_name", message));
        };
        let meter = &self.meters[position];
        let Some(customer) = payload.get(&meter.customer_key).cloned() else {
            let param = format!("payload[{}]", meter.customer_key);
            return Err(
                Refusal::coded("meter_event_no_customer_defined", "The payload names no customer.").about(param)
            );
        };
        let now = self.act_for(&customer, act).secs();
        let value = payload.get(&meter.value_key);
        let is_number = value.is_some_and(|value| value.parse::<i64>().is_ok());
        if !is_number && meter.formula != "count" {
            let param = format!("payload[{}]", meter.value_key);
            return Err(Refusal::coded("meter_event_invalid_value", "The value must be a whole number.").about(param));
        }
        let timestamp = timestamp.unwrap_or(now);
        if timestamp < now.saturating_sub(OLDEST) {
            let message = "The timestamp may be at most 35 days back.";
            return Err(Refusal::coded("timestamp_too_far_in_past", message).about("timestamp"));
        }
        if timestamp > now.saturating_add(NEWEST) {
            let message = "The timestamp may be at most 5 minutes ahead.";
            return Err(Refusal::coded("timestamp_in_future", message).about("timestamp"));
        }
        let identifier = identifier.unwrap_or_else(|| self.ids.alphanumeric("", 32));
        let seen = self.meter_events.iter().rev().take_while(|event| event.created > now - REMEMBERED);
        if seen.clone().any(|event| event.identifier == identifier && event.event_name == event_name) {
            let message = format!("An event already exists with identifier {identifier}.");
            return Err(Refusal::already_exists(message).about("identifier"));
        }
        let error = self.usage_error(position, &customer);
        if let Some(error) = error {
            // A test clock moves its customers only: a report is told in the time of the account.
            self.report_usage_error(position, &customer, &identifier, error, act);
        }
        self.meter_events.push(MeterEvent {
            identifier,
            event_name: event_name.to_owned(),
            payload,
            timestamp,
            created: now,
            counts: error.is_none(),
        });
        Ok(self.meter_events.len() - 1)
    }

    /// Takes an event back, within a day of its arrival.
    pub(crate) fn cancel_usage(&mut self, event_name: &str, identifier: &str, act: Act) -> Outcome<()> {
        let earliest = act.secs() - 24 * HOUR;
        let event = self.meter_events.iter_mut().rev().find(|event| {
            event.event_name == event_name && event.identifier == identifier && event.created >= earliest
        });
        let event = event.ok_or_else(|| Refusal::missing_reference("meter event", identifier, "cancel[identifier]"))?;
        event.counts = false;
        Ok(())
    }

    /// What a customer used in `[from, to)`.
    pub(crate) fn usage(&self, meter: usize, customer: &str, from: i64, to: i64) -> i64 {
        let meter = &self.meters[meter];
        let mut counted: Vec<(i64, i64)> = self
            .meter_events
            .iter()
            .filter(|event| event.counts && event.event_name == meter.event_name)
            .filter(|event| (from..to).contains(&event.timestamp))
            .filter(|event| event.payload.get(&meter.customer_key).is_some_and(|id| id == customer))
            .map(|event| {
                (event.timestamp, event.payload.get(&meter.value_key).and_then(|v| v.parse().ok()).unwrap_or(0))
            })
            .collect();
        match meter.formula.as_str() {
            "count" => i64::try_from(counted.len()).unwrap_or(i64::MAX),
            "last" => {
                counted.sort_by_key(|(at, _)| *at);
                counted.last().map_or(0, |(_, value)| *value)
            }
            _ => counted.iter().map(|(_, value)| *value).fold(0, i64::saturating_add),
        }
    }
}
