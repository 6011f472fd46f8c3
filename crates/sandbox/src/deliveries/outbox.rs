//! What is owed to the endpoints, and when each delivery is tried again.
//!
//! Retries happen in business time. What faults hold back waits in machine time and is not waited for by the clock.
//!
//! Source: Chargebee docs, "Webhook retries": 2 min, 6 min, 30 min, 1 h, 5 h, 1 day, 2 days, each after the one before.
//! Scalekit docs, SCIM quickstart: 5 s, 5 min, 30 min, 2 h, 5 h, 10 h, 10 h (one of three versions that it documents).
//! Stripe's intervals are not published, only that a live endpoint is tried for three days with growing pauses; the
//! instants here are ours: 5 min, 30 min, 2 h, 5 h, 10 h, then every 12 h until three days are over.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::held::Held;
use crate::chaos::Fate;
use crate::ids::Ids;
use crate::moment::Moment;

/// Whose API or webhook something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Provider {
    Chargebee,
    Scalekit,
    Stripe,
}

impl Provider {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Provider::Chargebee => "chargebee",
            Provider::Scalekit => "scalekit",
            Provider::Stripe => "stripe",
        }
    }

    /// A number that no other provider has, to tell their streams of random numbers apart.
    pub(crate) fn salt(self) -> u64 {
        match self {
            Provider::Chargebee => 1,
            Provider::Scalekit => 2,
            Provider::Stripe => 3,
        }
    }

    /// Seconds between a failed attempt and the next one.
    fn retries(self) -> &'static [i64] {
        match self {
            Provider::Chargebee => &[120, 360, 1_800, 3_600, 18_000, 86_400, 172_800],
            Provider::Scalekit => &[5, 300, 1_800, 7_200, 18_000, 36_000, 36_000],
            Provider::Stripe => &[300, 1_800, 7_200, 18_000, 36_000, 43_200, 43_200, 43_200, 43_200],
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    Pending,
    Delivered,
    Failed,
    /// A fault took it: it never arrives and is not tried again.
    Dropped,
}

impl State {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            State::Pending => "pending",
            State::Delivered => "delivered",
            State::Failed => "failed",
            State::Dropped => "dropped",
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
    /// The endpoint it goes to, where the provider has several.
    pub(crate) endpoint_id: Option<String>,
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
    /// The endpoint it goes to, where the provider has several.
    pub(crate) endpoint_id: Option<String>,
    pub(crate) body: Option<Arc<str>>,
}

#[derive(Debug)]
pub(crate) struct Outbox {
    ids: Ids,
    rows: Vec<Delivery>,
    positions: HashMap<String, usize>,
    /// Pending deliveries that nobody is sending, by the instant of their next attempt.
    waiting: BTreeSet<(Moment, usize)>,
    /// What is still to become of deliveries, where it is out of the ordinary.
    fates: HashMap<usize, Fate>,
    held: Held,
    /// Deliveries that are being sent, and since when.
    in_flight: HashMap<usize, Instant>,
}

impl Outbox {
    pub(crate) fn new(ids: Ids) -> Self {
        Self {
            ids,
            rows: Vec::new(),
            positions: HashMap::new(),
            waiting: BTreeSet::new(),
            fates: HashMap::new(),
            held: Held::default(),
            in_flight: HashMap::new(),
        }
    }

    /// The generator, for an outbox that follows this one.
    pub(crate) fn ids(&self) -> Ids {
        self.ids.clone()
    }

    pub(crate) fn rows(&self) -> &[Delivery] {
        &self.rows
    }

    /// Takes a delivery in, and returns its state: pending, or dropped at once.
    pub(crate) fn enqueue(&mut self, parcel: Parcel, fate: Fate, now: Moment) -> State {
        let position = self.rows.len();
        let state = if fate.dropped { State::Dropped } else { State::Pending };
        let delivery = Delivery {
            id: self.ids.alphanumeric("dlv_", 20),
            at: now,
            provider: parcel.provider,
            event_id: parcel.event_id,
            event_type: parcel.event_type,
            organization_id: parcel.organization_id,
            endpoint_id: parcel.endpoint_id,
            message_id: self.ids.alphanumeric("msg_", 27),
            body: parcel.body,
            state,
            attempts: 0,
            last_status: None,
            next_attempt_at: (!fate.dropped).then_some(now),
        };
        self.positions.insert(delivery.id.clone(), position);
        self.rows.push(delivery);
        if !fate.dropped {
            self.waiting.insert((now, position));
            if fate != Fate::default() {
                self.fates.insert(position, fate);
            }
        }
        state
    }

    /// When the next attempt is due, in business time. What is held back is not counted.
    pub(crate) fn next_due(&self) -> Option<Moment> {
        self.waiting.first().map(|(at, _)| *at)
    }

    /// When the next held-back delivery may go, in machine time.
    pub(crate) fn next_release(&self) -> Option<Instant> {
        self.held.next_release()
    }

    /// Takes the delivery that is to be sent next: one that was held back long enough, else what has been due longest.
    ///
    /// `delay` holds each attempt back before it is sent.
    pub(crate) fn claim(&mut self, now: Moment, since: Instant, delay: Duration) -> Option<Delivery> {
        let position = match self.held.take(since) {
            Some(position) => position,
            None => self.claim_due(now, since, delay)?,
        };
        self.in_flight.insert(position, since);
        Some(self.rows[position].clone())
    }

    /// Takes what has been due longest, and sets aside what faults hold back.
    fn claim_due(&mut self, now: Moment, since: Instant, delay: Duration) -> Option<usize> {
        loop {
            let &(at, position) = self.waiting.first()?;
            if at > now {
                return None;
            }
            self.waiting.remove(&(at, position));
            let hold = self.fates.get_mut(&position).and_then(|fate| fate.overtaken.take());
            if hold.is_none() && delay.is_zero() {
                return Some(position);
            }
            let until = since + delay + hold.map_or(Duration::ZERO, |hold| hold.at_most);
            self.held.hold(position, self.rows[position].provider, until, hold.map(|hold| hold.others));
        }
    }

    /// Sends at once what is held back, and forgets what was still to become of deliveries.
    pub(crate) fn let_go(&mut self) {
        self.fates.clear();
        self.held.release_all();
    }

    /// Records an answer: 2xx delivers, anything else is tried again until the schedule ends.
    ///
    /// An acknowledgement that is lost leaves the delivery pending, and it is sent again a little later.
    pub(crate) fn record(&mut self, id: &str, status: Option<u16>, now: Moment, at: Instant) -> Option<&Delivery> {
        let position = *self.positions.get(id)?;
        self.in_flight.remove(&position);
        let row = &mut self.rows[position];
        let provider = row.provider;
        let pause = provider.retries().get(row.attempts).copied();
        row.attempts += 1;
        row.last_status = status;
        row.next_attempt_at = None;
        let acknowledged = status.is_some_and(|status| (200..300).contains(&status));
        let repeat = if acknowledged { self.fates.remove(&position).and_then(|fate| fate.repeat) } else { None };
        self.held.answered(provider);
        row.state = if let Some(hold) = repeat {
            row.next_attempt_at = Some(now);
            self.held.hold(position, provider, at + hold.at_most, Some(hold.others));
            State::Pending
        } else if acknowledged {
            State::Delivered
        } else if let Some(pause) = pause {
            let at = now.plus_secs(pause);
            row.next_attempt_at = Some(at);
            self.waiting.insert((at, position));
            State::Pending
        } else {
            self.fates.remove(&position);
            State::Failed
        };
        Some(&self.rows[position])
    }

    /// Plans another attempt right now, whatever became of the delivery. `None` for an unknown id.
    pub(crate) fn resend(&mut self, id: &str, now: Moment) -> Option<&Delivery> {
        let position = *self.positions.get(id)?;
        if !self.in_flight.contains_key(&position) {
            self.held.forget(position);
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

    /// Whether something can be sent right now.
    pub(crate) fn owes(&self, now: Moment) -> bool {
        self.held.has_released() || self.waiting.first().is_some_and(|(at, _)| *at <= now)
    }

    /// Whether something is to be sent now, or was sent less than `patience` ago and has no answer yet.
    pub(crate) fn is_busy(&self, now: Moment, patience: Duration) -> bool {
        self.owes(now) || self.in_flight.values().any(|since| since.elapsed() < patience)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chaos::Hold;

    fn parcel() -> Parcel {
        Parcel {
            provider: Provider::Chargebee,
            event_id: "ev_1".into(),
            event_type: "customer_created",
            organization_id: None,
            endpoint_id: None,
            body: None,
        }
    }

    fn claimed(outbox: &mut Outbox, now: Moment, delay: Duration) -> Vec<String> {
        std::iter::from_fn(|| outbox.claim(now, Instant::now(), delay)).map(|delivery| delivery.id).collect()
    }

    #[test]
    fn without_faults_deliveries_are_sent_in_the_order_of_their_instants() {
        let mut outbox = Outbox::new(Ids::new(1));
        let now = Moment::from_secs(1_000_000);
        for _ in 0..5 {
            outbox.enqueue(parcel(), Fate::default(), now);
        }
        outbox.enqueue(parcel(), Fate::default(), now.plus_secs(1));
        let due: Vec<String> = outbox.rows()[..5].iter().map(|row| row.id.clone()).collect();
        assert_eq!(claimed(&mut outbox, now, Duration::ZERO), due);
    }

    #[test]
    fn what_is_held_back_is_not_owed_until_it_is_let_go() {
        let mut outbox = Outbox::new(Ids::new(1));
        let now = Moment::from_secs(1_000_000);
        let hold = Hold { others: 2, at_most: Duration::from_secs(600) };
        outbox.enqueue(parcel(), Fate { overtaken: Some(hold), ..Fate::default() }, now);
        outbox.enqueue(parcel(), Fate::default(), now);
        let (late, prompt) = (outbox.rows()[0].id.clone(), outbox.rows()[1].id.clone());
        assert_eq!(claimed(&mut outbox, now, Duration::ZERO), [prompt.as_str()]);
        outbox.record(&prompt, Some(200), now, Instant::now());
        assert!(!outbox.is_busy(now, Duration::ZERO) && outbox.next_release().is_some());
        outbox.let_go();
        assert!(outbox.owes(now));
        assert_eq!(claimed(&mut outbox, now, Duration::from_secs(600)), [late]);
    }

    #[test]
    fn chargebee_tries_seven_times_more_and_then_gives_up() {
        let mut outbox = Outbox::new(Ids::new(1));
        let mut now = Moment::from_secs(1_000_000);
        outbox.enqueue(parcel(), Fate::default(), now);
        let mut pauses = Vec::new();
        while let Some(due) = outbox.next_due() {
            pauses.push(due.secs() - now.secs());
            now = due;
            let id = outbox.rows()[0].id.clone();
            outbox.waiting.clear();
            outbox.record(&id, Some(500), now, Instant::now());
        }
        assert_eq!(pauses, [0, 120, 360, 1_800, 3_600, 18_000, 86_400, 172_800]);
        assert_eq!(outbox.rows()[0].state, State::Failed);
        assert_eq!(outbox.rows()[0].attempts, 8);
    }
}
