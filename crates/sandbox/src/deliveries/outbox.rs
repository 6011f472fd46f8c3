//! What is owed to the endpoints, and when each delivery is tried again.
//!
//! Retries happen in business time.
//!
//! Source: Chargebee docs, "Webhook retries": 2 min, 6 min, 30 min, 1 h, 5 h, 1 day, 2 days, each after the one before.
//! Scalekit docs, SCIM quickstart: 5 s, 5 min, 30 min, 2 h, 5 h, 10 h, 10 h (one of three versions that it documents).

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use crate::ids::Ids;
use crate::moment::Moment;

/// Whose API or webhook something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Provider {
    Chargebee,
    Scalekit,
}

impl Provider {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Provider::Chargebee => "chargebee",
            Provider::Scalekit => "scalekit",
        }
    }

    /// Seconds between a failed attempt and the next one.
    fn retries(self) -> &'static [i64] {
        match self {
            Provider::Chargebee => &[120, 360, 1_800, 3_600, 18_000, 86_400, 172_800],
            Provider::Scalekit => &[5, 300, 1_800, 7_200, 18_000, 36_000, 36_000],
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    Pending,
    Delivered,
    Failed,
}

impl State {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            State::Pending => "pending",
            State::Delivered => "delivered",
            State::Failed => "failed",
        }
    }
}

#[derive(Debug, Clone)]
pub(crate) struct Delivery {
    pub(crate) id: String,
    /// Business time.
    pub(crate) at: Moment,
    pub(crate) provider: Provider,
    pub(crate) event_id: String,
    pub(crate) event_type: &'static str,
    pub(crate) organization_id: Option<String>,
    /// The `webhook-id` of signed deliveries; the same for every attempt.
    pub(crate) message_id: String,
    /// `None`: rendered from the event when it is sent.
    pub(crate) body: Option<Arc<str>>,
    pub(crate) state: State,
    pub(crate) attempts: usize,
    /// The status of the last answer; `None` before the first one, and when there was no answer.
    pub(crate) last_status: Option<u16>,
    /// Business time.
    pub(crate) next_attempt_at: Option<Moment>,
}

/// A new delivery, before it has an id.
#[derive(Debug)]
pub(crate) struct Parcel {
    pub(crate) provider: Provider,
    pub(crate) event_id: String,
    pub(crate) event_type: &'static str,
    pub(crate) organization_id: Option<String>,
    pub(crate) body: Option<Arc<str>>,
}

#[derive(Debug)]
pub(crate) struct Outbox {
    ids: Ids,
    rows: Vec<Delivery>,
    positions: HashMap<String, usize>,
    /// Pending deliveries that nobody is sending, by the instant of their next attempt.
    waiting: BTreeSet<(Moment, usize)>,
    /// Deliveries that are being sent, and since when.
    in_flight: HashMap<String, tokio::time::Instant>,
}

impl Outbox {
    pub(crate) fn new(ids: Ids) -> Self {
        Self { ids, rows: Vec::new(), positions: HashMap::new(), waiting: BTreeSet::new(), in_flight: HashMap::new() }
    }

    /// The generator, for an outbox that follows this one.
    pub(crate) fn ids(&self) -> Ids {
        self.ids.clone()
    }

    pub(crate) fn rows(&self) -> &[Delivery] {
        &self.rows
    }

    pub(crate) fn enqueue(&mut self, parcel: Parcel, now: Moment) {
        let position = self.rows.len();
        let delivery = Delivery {
            id: self.ids.alphanumeric("dlv_", 20),
            at: now,
            provider: parcel.provider,
            event_id: parcel.event_id,
            event_type: parcel.event_type,
            organization_id: parcel.organization_id,
            message_id: self.ids.alphanumeric("msg_", 27),
            body: parcel.body,
            state: State::Pending,
            attempts: 0,
            last_status: None,
            next_attempt_at: Some(now),
        };
        self.positions.insert(delivery.id.clone(), position);
        self.waiting.insert((now, position));
        self.rows.push(delivery);
    }

    /// When the next attempt is due, in business time.
    pub(crate) fn next_due(&self) -> Option<Moment> {
        self.waiting.first().map(|(at, _)| *at)
    }

    /// Takes the delivery that has been due longest.
    pub(crate) fn claim(&mut self, now: Moment, since: tokio::time::Instant) -> Option<Delivery> {
        let &(at, position) = self.waiting.first()?;
        if at > now {
            return None;
        }
        self.waiting.remove(&(at, position));
        let delivery = self.rows[position].clone();
        self.in_flight.insert(delivery.id.clone(), since);
        Some(delivery)
    }

    /// Records an answer: 2xx delivers, anything else is tried again until the schedule ends.
    pub(crate) fn record(&mut self, id: &str, status: Option<u16>, now: Moment) -> Option<&Delivery> {
        self.in_flight.remove(id);
        let position = *self.positions.get(id)?;
        let row = &mut self.rows[position];
        let pause = row.provider.retries().get(row.attempts).copied();
        row.attempts += 1;
        row.last_status = status;
        row.next_attempt_at = None;
        row.state = if status.is_some_and(|status| (200..300).contains(&status)) {
            State::Delivered
        } else if let Some(pause) = pause {
            let at = now.plus_secs(pause);
            row.next_attempt_at = Some(at);
            self.waiting.insert((at, position));
            State::Pending
        } else {
            State::Failed
        };
        Some(&self.rows[position])
    }

    /// Plans another attempt right now. `None` for an unknown id.
    pub(crate) fn resend(&mut self, id: &str, now: Moment) -> Option<&Delivery> {
        let position = *self.positions.get(id)?;
        if !self.in_flight.contains_key(id) {
            let row = &mut self.rows[position];
            if let Some(at) = row.next_attempt_at {
                self.waiting.remove(&(at, position));
            }
            row.state = State::Pending;
            row.next_attempt_at = Some(now);
            self.waiting.insert((now, position));
        }
        Some(&self.rows[position])
    }

    /// Whether something is due, or was sent less than `patience` ago and has no answer yet.
    pub(crate) fn is_busy(&self, now: Moment, patience: std::time::Duration) -> bool {
        self.waiting.first().is_some_and(|(at, _)| *at <= now)
            || self.in_flight.values().any(|since| since.elapsed() < patience)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chargebee_tries_seven_times_more_and_then_gives_up() {
        let mut outbox = Outbox::new(Ids::new(1));
        let mut now = Moment::from_secs(1_000_000);
        outbox.enqueue(
            Parcel {
                provider: Provider::Chargebee,
                event_id: "ev_1".into(),
                event_type: "customer_created",
                organization_id: None,
                body: None,
            },
            now,
        );
        let mut pauses = Vec::new();
        while let Some(due) = outbox.next_due() {
            pauses.push(due.secs() - now.secs());
            now = due;
            let id = outbox.rows()[0].id.clone();
            outbox.waiting.clear();
            outbox.record(&id, Some(500), now);
        }
        assert_eq!(pauses, [0, 120, 360, 1_800, 3_600, 18_000, 86_400, 172_800]);
        assert_eq!(outbox.rows()[0].state, State::Failed);
        assert_eq!(outbox.rows()[0].attempts, 8);
    }
}
