//! What the passing of time does to a subscription: start, activation, renewal, scheduled changes.
//!
//! Source: Chargebee docs, "Subscription lifecycle"; Chargebee API docs, "Events".

use super::model::{Status, Term};
use super::{Act, Site};
use crate::moment::add_periods;

impl Site {
    /// Does what is due at `at`. Each call moves the subscription on, so that its next due instant is another one.
    pub(crate) fn advance_subscription(&mut self, position: usize, at: i64, act: Act) {
        let row = &self.subscriptions[position];
        let is_due = |instant: Option<i64>| instant.is_some_and(|instant| instant <= at);
        let change_due = is_due(row.scheduled_change.as_ref().map(|change| change.at));
        let cancel_due = is_due(row.scheduled_cancel.as_ref().map(|cancel| cancel.at));
        let term_over = is_due(row.term.map(|term| term.end));
        let trial_over = is_due(row.trial_end);
        let pause_due = is_due(row.pause_date);
        match row.status {
            Status::Future => self.start(position, at, act),
            Status::InTrial if cancel_due => self.finish(position, at, None, act),
            Status::InTrial => {
                if change_due {
                    self.apply_scheduled_items(position, act);
                }
                if trial_over {
                    self.activate(position, at, act);
                }
            }
            Status::Active if term_over => {
                if change_due {
                    self.apply_scheduled_items(position, act);
                }
                if pause_due {
                    self.enter_pause(position, at, act);
                } else {
                    self.renew(position, at, act);
                }
            }
            Status::Active if pause_due => self.enter_pause(position, at, act),
            Status::Active => self.apply_scheduled_change(position, act),
            Status::NonRenewing => self.finish(position, at, None, act),
            Status::Paused => self.leave_pause(position, at, act),
            Status::Cancelled => {}
        }
    }

    fn start(&mut self, position: usize, at: i64, act: Act) {
        let collected = self.enter_service(position, at, act);
        self.touch_subscription(position, act.now);
        let invoice = collected.as_ref().map(|collected| collected.invoice);
        self.emit_subscription("subscription_started", position, invoice, act);
        if let Some(collected) = collected {
            self.announce(&collected, act);
        }
    }

    /// Ends the trial: active whether or not the charge succeeds, cancelled where there is nothing to charge.
    pub(crate) fn activate(&mut self, position: usize, at: i64, act: Act) {
        let row = &self.subscriptions[position];
        let customer = &self.customers[self.customer_of(position)];
        let automatic = row.auto_collection.unwrap_or(customer.auto_collection);
        if automatic && customer.card.is_none() && self.items_amount(&row.items, true) > 0 {
            self.finish(position, at, Some("no_card"), act);
            return;
        }
        let collected = self.begin_term(position, at, true, act);
        self.touch_subscription(position, act.now);
        self.emit_subscription("subscription_activated", position, Some(collected.invoice), act);
        self.announce(&collected, act);
    }

    fn renew(&mut self, position: usize, at: i64, act: Act) {
        let row = &mut self.subscriptions[position];
        let term = row.term.expect("an active subscription has a term");
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
            next = Term { anchor: at, cycle: 0, start: at, end: add_periods(at, unit, period) };
        }
        row.term = Some(next);
        let lines = self.term_lines(position, next.start, next.end, false);
        let collected = self.raise_and_collect(position, lines, act);
        self.touch_subscription(position, act.now);
        self.emit_subscription("subscription_renewed", position, Some(collected.invoice), act);
        self.announce(&collected, act);
    }
}
