//! Cancelling, its undoing, coming back, and deletion.
//!
//! Source: Chargebee API docs, "Cancel subscription for items", "Remove scheduled cancellation",
//! "Reactivate a subscription", "Delete a subscription".

use super::model::{ScheduledCancel, Status};
use super::{Act, Outcome, Site};
use crate::chargebee::refusal::Refusal;

/// When a cancellation takes effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CancelWhen {
    Now,
    /// The end of the term, or of the trial.
    EndOfTerm,
    /// An instant in Unix seconds.
    At(i64),
}

impl Site {
    /// Cancels now or later.
    pub(crate) fn cancel(&mut self, position: usize, when: CancelWhen, code: Option<String>, act: Act) -> Outcome<()> {
        let row = &self.subscriptions[position];
        if row.status == Status::Cancelled {
            return Err(Refusal::invalid_state("The subscription is already cancelled."));
        }
        let at = match (when, row.status) {
            (CancelWhen::Now, _) => None,
            (CancelWhen::At(at), _) if at <= act.secs() => {
                return Err(Refusal::wrong_value("cancel_at", "The date of the cancellation must be in the future."));
            }
            (CancelWhen::At(at), Status::InTrial | Status::Active | Status::NonRenewing) => Some(at),
            (CancelWhen::EndOfTerm, Status::InTrial) => row.trial_end,
            (CancelWhen::EndOfTerm, Status::Active | Status::NonRenewing) => row.term.map(|term| term.end),
            (_, Status::Future | Status::Paused | Status::Cancelled) => {
                let message = format!("A {} subscription can only be cancelled immediately.", row.status.as_str());
                return Err(Refusal::invalid_state(message));
            }
        };
        let row = &mut self.subscriptions[position];
        if code.is_some() {
            row.cancel_reason_code = code;
        }
        let Some(at) = at else {
            row.scheduled_cancel = None;
            self.finish(position, act.secs(), None, act);
            return Ok(());
        };
        row.scheduled_cancel = Some(ScheduledCancel { at, asked_at: act.secs() });
        row.pause_date = None;
        row.resume_date = None;
        row.scheduled_change = None;
        if row.status == Status::Active {
            row.status = Status::NonRenewing;
        }
        self.touch_subscription(position, act.now);
        self.emit_subscription("subscription_cancellation_scheduled", position, None, act);
        Ok(())
    }

    /// Ends the subscription at `at`.
    pub(crate) fn finish(&mut self, position: usize, at: i64, reason: Option<&'static str>, act: Act) {
        let row = &mut self.subscriptions[position];
        row.status = Status::Cancelled;
        row.cancelled_at = Some(at);
        row.cancel_reason = reason;
        row.scheduled_change = None;
        row.pause_date = None;
        row.resume_date = None;
        self.touch_subscription(position, act.now);
        self.emit_subscription("subscription_cancelled", position, None, act);
    }

    /// Takes a scheduled cancellation back.
    pub(crate) fn undo_cancel(&mut self, position: usize, act: Act) -> Outcome<()> {
        let row = &mut self.subscriptions[position];
        if row.status == Status::Cancelled || row.scheduled_cancel.is_none() {
            return Err(Refusal::invalid_state("No cancellation is scheduled for this subscription."));
        }
        row.scheduled_cancel = None;
        row.cancel_reason_code = None;
        if row.status == Status::NonRenewing {
            row.status = Status::Active;
        }
        self.touch_subscription(position, act.now);
        self.emit_subscription("subscription_scheduled_cancellation_removed", position, None, act);
        Ok(())
    }

    /// Brings a cancelled subscription back, in a new term or in a trial until `trial_end`.
    pub(crate) fn reactivate(&mut self, position: usize, trial_end: Option<i64>, act: Act) -> Outcome<Option<usize>> {
        let row = &self.subscriptions[position];
        if row.status != Status::Cancelled {
            return Err(Refusal::invalid_state("Only a cancelled subscription can be reactivated."));
        }
        let now = act.secs();
        let trial_end = trial_end.filter(|end| *end != 0);
        if trial_end.is_some_and(|end| end <= now) {
            return Err(Refusal::wrong_value("trial_end", "The trial end must be in the future."));
        }
        if trial_end.is_none() {
            self.check_subscription_charge(position, self.items_amount(&row.items, false))?;
        }
        let row = &mut self.subscriptions[position];
        row.cancelled_at = None;
        row.cancel_reason = None;
        row.cancel_reason_code = None;
        row.scheduled_cancel = None;
        let mut collected = None;
        if trial_end.is_some() {
            row.status = Status::InTrial;
            row.trial_start = Some(now);
            row.trial_end = trial_end;
            row.term = None;
        } else {
            row.activated_at = Some(now);
            collected = Some(self.begin_term(position, now, false, act));
        }
        self.touch_subscription(position, act.now);
        let invoice = collected.as_ref().map(|collected| collected.invoice);
        self.emit_subscription("subscription_reactivated", position, invoice, act);
        if let Some(collected) = collected {
            self.announce(&collected, act);
        }
        Ok(invoice)
    }

    /// Deletes the subscription. Its id stays taken.
    pub(crate) fn delete_subscription(&mut self, position: usize, act: Act) {
        let row = &mut self.subscriptions[position];
        if row.status != Status::Cancelled {
            row.status = Status::Cancelled;
            row.cancelled_at = Some(act.secs());
        }
        row.deleted = true;
        for invoice in std::mem::take(&mut row.unpaid) {
            self.invoices[invoice].next_retry_at = None;
        }
        self.touch_subscription(position, act.now);
        self.emit_subscription("subscription_deleted", position, None, act);
    }
}
