//! Pausing and resuming.
//!
//! A pause inside a term stops renewals. A subscription that comes back inside its term goes on with it; later it
//! begins a new term and pays for it.
//!
//! Source: Chargebee API docs, "Pause a subscription", "Resume a subscription".

use super::model::Status;
use super::{Act, Outcome, Site};
use crate::chargebee::refusal::Refusal;

/// When a pause begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PauseWhen {
    Now,
    EndOfTerm,
    /// An instant in Unix seconds.
    At(i64),
}

impl Site {
    pub(crate) fn pause(&mut self, position: usize, when: PauseWhen, resume: Option<i64>, act: Act) -> Outcome<()> {
        let row = &mut self.subscriptions[position];
        let Some(term) = row.term.filter(|_| row.status == Status::Active) else {
            let message = format!("A {} subscription cannot be paused.", row.status.as_str());
            return Err(Refusal::invalid_state(message));
        };
        let begins = match when {
            PauseWhen::Now => act.secs(),
            PauseWhen::EndOfTerm => term.end,
            PauseWhen::At(at) if at > act.secs() => at,
            PauseWhen::At(_) => return Err(Refusal::wrong_value("pause_date", "The date must be in the future.")),
        };
        if resume.is_some_and(|resume| resume <= begins) {
            return Err(Refusal::wrong_value("resume_date", "The resumption must come after the pause."));
        }
        row.resume_date = resume;
        if when == PauseWhen::Now {
            self.enter_pause(position, begins, act);
        } else {
            row.pause_date = Some(begins);
            self.touch_subscription(position, act.now);
            self.emit_subscription("subscription_pause_scheduled", position, None, act);
        }
        Ok(())
    }

    pub(crate) fn enter_pause(&mut self, position: usize, at: i64, act: Act) {
        let row = &mut self.subscriptions[position];
        row.status = Status::Paused;
        row.pause_date = Some(at);
        row.scheduled_change = None;
        self.touch_subscription(position, act.now);
        self.emit_subscription("subscription_paused", position, None, act);
    }

    /// Resumes a paused subscription now. Refused when the charge of a new term would fail.
    pub(crate) fn resume(&mut self, position: usize, act: Act) -> Outcome<()> {
        let row = &self.subscriptions[position];
        if row.status != Status::Paused {
            return Err(Refusal::invalid_state("Only a paused subscription can be resumed."));
        }
        if row.term.is_none_or(|term| term.end <= act.secs()) {
            self.check_subscription_charge(position, self.items_amount(&row.items, false))?;
        }
        self.leave_pause(position, act.secs(), act);
        Ok(())
    }

    pub(crate) fn leave_pause(&mut self, position: usize, at: i64, act: Act) {
        let row = &mut self.subscriptions[position];
        row.pause_date = None;
        row.resume_date = None;
        row.status = Status::Active;
        let mut collected = None;
        if row.term.is_none_or(|term| term.end <= at) {
            collected = Some(self.begin_term(position, at, false, act));
        }
        self.touch_subscription(position, act.now);
        let invoice = collected.as_ref().map(|collected| collected.invoice);
        self.emit_subscription("subscription_resumed", position, invoice, act);
        if let Some(collected) = collected {
            self.announce(&collected, act);
        }
    }

    /// Plans the end of a pause.
    pub(crate) fn schedule_resumption(&mut self, position: usize, at: i64, act: Act) -> Outcome<()> {
        let row = &mut self.subscriptions[position];
        if row.status != Status::Paused {
            return Err(Refusal::invalid_state("Only a paused subscription can be resumed."));
        }
        if at <= act.secs() {
            return Err(Refusal::wrong_value("resume_date", "The date must be in the future."));
        }
        row.resume_date = Some(at);
        self.touch_subscription(position, act.now);
        self.emit_subscription("subscription_resumption_scheduled", position, None, act);
        Ok(())
    }

    pub(crate) fn remove_scheduled_pause(&mut self, position: usize, act: Act) -> Outcome<()> {
        let row = &mut self.subscriptions[position];
        if row.status == Status::Paused || row.pause_date.take().is_none() {
            return Err(Refusal::invalid_state("No pause is scheduled for this subscription."));
        }
        row.resume_date = None;
        self.touch_subscription(position, act.now);
        self.emit_subscription("subscription_scheduled_pause_removed", position, None, act);
        Ok(())
    }

    pub(crate) fn remove_scheduled_resumption(&mut self, position: usize, act: Act) -> Outcome<()> {
        if self.subscriptions[position].resume_date.take().is_none() {
            return Err(Refusal::invalid_state("No resumption is scheduled for this subscription."));
        }
        self.touch_subscription(position, act.now);
        self.emit_subscription("subscription_scheduled_resumption_removed", position, None, act);
        Ok(())
    }
}
