//! Test clocks: time of its own for some customers.
//!
//! Signatures: `create_clock(frozen_time, name, act) -> Outcome<usize>`, `advance_clock(position, frozen_time, act) ->
//! Outcome<()>`, `delete_clock(position, act)`, `live_clock(id) -> Outcome<usize>`.
//!
//! An advance is answered with `advancing`; it happens at the sandbox's next `act_due`, and the clock is `ready` then.
//!
//! Source: Stripe API reference, "Test clocks"; Stripe docs, "API and advanced usage" of test clocks, and "Simulate
//! subscriptions": the customers of a clock go with it.

use super::calendar::{DAY, add};
use super::model::{ClockStatus, TestClock};
use super::refusal::Refusal;
use super::{Account, Act, Object, Outcome, Subject};
use crate::moment::Moment;

/// How long a clock lives, in seconds. An assumption.
const LIFETIME: i64 = 30 * DAY;
/// How far a clock without subscriptions may go at once.
const FARTHEST: i64 = 2 * 366 * DAY;

impl Account {
    pub(crate) fn create_clock(&mut self, frozen_time: i64, name: Option<String>, act: Act) -> Outcome<usize> {
        if frozen_time <= 0 {
            return Err(Refusal::wrong_value("frozen_time", "Invalid timestamp: must be an integer Unix timestamp."));
        }
        Ok(self.test_clocks.insert(TestClock {
            id: self.ids.alphanumeric("clock_1", 23),
            name,
            frozen_time,
            status: ClockStatus::Ready,
            target: None,
            created: act.secs(),
            deletes_after: act.secs().saturating_add(LIFETIME),
            deleted: false,
        }))
    }

    /// The position of a clock that was not deleted.
    pub(crate) fn live_clock(&self, id: &str) -> Outcome<usize> {
        self.test_clocks
            .position(id)
            .filter(|position| !self.test_clocks[*position].deleted)
            .ok_or_else(|| Refusal::no_such("testclock", id))
    }

    /// Lets a clock go on: at most two intervals of the shortest subscription on it, or two years without one.
    pub(crate) fn advance_clock(&mut self, position: usize, to: i64, act: Act) -> Outcome<()> {
        let row = &self.test_clocks[position];
        let from = row.frozen_time;
        if row.status == ClockStatus::Advancing {
            return Err(Refusal::invalid("The test clock is advancing. Wait until it is ready."));
        }
        if to <= from {
            let message = "The new frozen time must be after the current one.";
            return Err(Refusal::wrong_value("frozen_time", message));
        }
        let clock = row.id.clone();
        let customers = self.customers.linked("test_clock", &clock);
        let running = customers.iter().flat_map(|customer| self.subscriptions_of(*customer));
        let running = running.map(|subscription| &self.subscriptions[*subscription]);
        let farthest = running.filter(|row| !row.status.is_over()).map(|row| add(from, row.interval, 2)).min();
        if to > farthest.unwrap_or(from.saturating_add(FARTHEST)) {
            let message = "A test clock advances by at most two intervals of the shortest subscription on it, or by \
                           two years without one.";
            return Err(Refusal::wrong_value("frozen_time", message));
        }
        let row = &mut self.test_clocks[position];
        row.status = ClockStatus::Advancing;
        row.target = Some(to);
        self.plan(None, Subject::TestClock(position), Some(act.secs()));
        self.emit("test_helpers.test_clock.advancing", Object::TestClock(position), None, act);
        Ok(())
    }

    /// Does everything that is due on the way, each at its instant.
    pub(super) fn finish_advance(&mut self, position: usize, act: Act) {
        let row = &self.test_clocks[position];
        let (id, Some(target)) = (row.id.clone(), row.target) else { return };
        if !row.deleted {
            self.run_agenda(Some(&id), target);
        }
        let row = &mut self.test_clocks[position];
        row.frozen_time = target;
        row.target = None;
        row.status = ClockStatus::Ready;
        let act = Act::new(Moment::from_secs(act.secs()), act.cause);
        self.emit("test_helpers.test_clock.ready", Object::TestClock(position), None, act);
    }

    /// Deletes a clock and its customers.
    pub(crate) fn delete_clock(&mut self, position: usize, act: Act) {
        let id = self.test_clocks[position].id.clone();
        for customer in self.customers.linked("test_clock", &id).to_vec() {
            if !self.customers[customer].deleted {
                self.delete_customer(customer, act);
            }
        }
        self.agendas.remove(&Some(id));
        self.test_clocks[position].deleted = true;
        self.emit("test_helpers.test_clock.deleted", Object::TestClock(position), None, act);
    }
}
