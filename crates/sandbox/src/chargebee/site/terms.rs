//! What the passing of time does to a subscription: start, trial, activation, renewal, scheduled changes.
//!
//! Of a trial's end the customer is reminded three days before, an assumption: sites configure it. Reminders of
//! renewals and of cancellations are off.
//!
//! Source: Chargebee docs, "Subscription lifecycle"; Chargebee API docs, "Events".

use super::catalog::amount_of;
use super::model::{Status, Subscription, Term};
use super::news::Raised;
use super::{Act, Site};
use crate::moment::add_periods;

const TRIAL_REMINDER_SECONDS: i64 = 3 * 86_400;

impl Subscription {
    /// Plans the reminder of the trial's end; a trial that is too short has none.
    pub(super) fn plan_trial_reminder(&mut self, now: i64) {
        let at = self.trial_end.map(|end| end.saturating_sub(TRIAL_REMINDER_SECONDS));
        self.trial_reminder_at = at.filter(|at| *at > now);
    }
}

impl Site {
    /// Does what is due now. Each call moves the subscription on, so that its next due instant is another one.
    pub(super) fn advance_subscription(&mut self, position: usize, act: Act) {
        let row = &self.subscriptions[position];
        let is_due = |instant: Option<i64>| instant.is_some_and(|instant| instant <= act.secs());
        let change_due = is_due(row.scheduled_change.as_ref().map(|change| change.at));
        let cancel_due = is_due(row.scheduled_cancel.as_ref().map(|cancel| cancel.at));
        let term_over = is_due(row.term.map(|term| term.end));
        let trial_over = is_due(row.trial_end);
        let pause_due = is_due(row.pause_date);
        match row.status {
            Status::Future => self.start(position, act),
            Status::InTrial | Status::NonRenewing if cancel_due => self.finish(position, act),
            Status::InTrial => {
                if is_due(row.trial_reminder_at) {
                    self.remind_of_trial_end(position, act);
                }
                if change_due {
                    self.apply_scheduled_items(position, act);
                }
                if trial_over {
                    self.activate(position, act);
                }
            }
            Status::Active | Status::NonRenewing if term_over => {
                if change_due {
                    self.apply_scheduled_items(position, act);
                }
                if pause_due {
                    self.enter_pause(position, Raised::default(), act);
                } else {
                    self.renew(position, act);
                }
            }
            Status::Active if pause_due => self.enter_pause(position, Raised::default(), act),
            Status::Active => self.apply_scheduled_change(position, act),
            Status::Paused => drop(self.leave_pause(position, true, act)),
            Status::NonRenewing | Status::Cancelled => {}
        }
    }

    fn start(&mut self, position: usize, act: Act) {
        let mut raised = Raised::default();
        self.enter_service(position, true, &mut raised, act);
        self.touch_subscription(position, act.now);
        self.tell("subscription_started", position, &raised, act);
    }

    /// Nothing changes, so that the version stays. Who is to be cancelled is not reminded.
    fn remind_of_trial_end(&mut self, position: usize, act: Act) {
        let row = &mut self.subscriptions[position];
        row.trial_reminder_at = None;
        if row.scheduled_cancel.is_none() {
            self.tell("subscription_trial_end_reminder", position, &Raised::default(), act);
        }
    }

    /// Ends the trial: active whether or not the charge succeeds, cancelled where there is no card to charge.
    pub(super) fn activate(&mut self, position: usize, act: Act) -> Raised {
        let row = &self.subscriptions[position];
        let has_card = self.is_rehearsal || self.customers[self.customer_of(position)].card.is_some();
        let mut raised = Raised::default();
        if !has_card && self.collects_automatically(position) && amount_of(&row.items, true) > 0 {
            self.end(position, Some("no_card"), act);
            self.tell("subscription_cancelled", position, &raised, act);
            return raised;
        }
        self.begin_term(position, true, true, &mut raised, act);
        self.touch_subscription(position, act.now);
        self.tell("subscription_activated", position, &raised, act);
        raised
    }

    fn renew(&mut self, position: usize, act: Act) {
        let row = &mut self.subscriptions[position];
        let Some(term) = row.term else { return };
        let cycle = term.cycle + 1;
        let (unit, period) = (row.billing_period_unit, row.billing_period);
        let mut next = Term {
            anchor: term.anchor,
            cycle,
            start: term.end,
            end: add_periods(term.anchor, unit, (cycle + 1).saturating_mul(period)),
        };
        if next.end <= next.start || add_periods(term.anchor, unit, cycle.saturating_mul(period)) != term.end {
            // The period was changed on the way, so that the old anchor no longer fits.
            let now = act.secs();
            next = Term { anchor: now, cycle: 0, start: now, end: add_periods(now, unit, period) };
        }
        row.term = Some(next);
        let mut raised = Raised::default();
        let mut lines = self.waiting_lines(position, &mut raised);
        lines.extend(self.term_lines(position, false));
        self.bill(position, lines, true, &mut raised, act);
        self.touch_subscription(position, act.now);
        self.tell("subscription_renewed", position, &raised, act);
    }
}
