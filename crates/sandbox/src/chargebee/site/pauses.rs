//! Pausing and resuming.
//!
//! A pause inside a term stops renewals. A subscription that comes back inside its term goes on with it; later it
//! begins a new term and pays for it.
//!
//! Source: Chargebee API docs, "Pause a subscription", "Resume a subscription".

use super::model::Status;
use super::news::Raised;
use super::{Act, Outcome, Site};
use crate::chargebee::refusal::Refusal;
use crate::moment::add_periods;

/// When a pause begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PauseWhen {
    Now,
    EndOfTerm,
    /// An instant in Unix seconds.
    At(i64),
    /// At the end of the term, for so many billing cycles.
    Cycles(i64),
}

/// What a request says about a pause.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pause {
    pub(crate) when: PauseWhen,
    pub(crate) resume_date: Option<i64>,
    /// Whether what waits for an invoice is invoiced now.
    pub(crate) invoices_waiting: bool,
    /// Whether the retries of open invoices stop.
    pub(crate) stops_dunning: bool,
}

impl Pause {
    /// A pause as a person asks for it.
    pub(crate) fn new(when: PauseWhen, resume_date: Option<i64>) -> Self {
        Self { when, resume_date, invoices_waiting: false, stops_dunning: false }
    }
}

impl Site {
    pub(crate) fn pause(&mut self, position: usize, pause: Pause, act: Act) -> Outcome<Raised> {
        let row = &self.subscriptions[position];
        let Some(term) = row.term.filter(|_| row.status == Status::Active) else {
            let message = format!("A {} subscription cannot be paused.", row.status.as_str());
            return Err(Refusal::invalid_state(message));
        };
        let mut resume_date = pause.resume_date;
        let begins = match pause.when {
            PauseWhen::Now => act.secs(),
            PauseWhen::EndOfTerm => term.end,
            PauseWhen::At(at) if at > act.secs() => at,
            PauseWhen::At(_) => return Err(Refusal::wrong_value("pause_date", "The date must be in the future.")),
            PauseWhen::Cycles(cycles) => {
                let periods = cycles.saturating_mul(row.billing_period);
                resume_date = Some(add_periods(term.end, row.billing_period_unit, periods));
                term.end
            }
        };
        if resume_date.is_some_and(|resume| resume <= begins) {
            return Err(Refusal::wrong_value("resume_date", "The resumption must come after the pause."));
        }
        let mut raised = Raised::default();
        if pause.stops_dunning {
            for invoice in row.unpaid.clone() {
                // An invoice that is not in dunning has nothing to stop.
                drop(self.stop_dunning(invoice, act));
            }
        }
        if pause.invoices_waiting {
            self.bill_waiting(position, &mut raised, act);
        }
        self.subscriptions[position].resume_date = resume_date;
        if pause.when == PauseWhen::Now {
            self.enter_pause(position, raised.clone(), act);
        } else {
            self.subscriptions[position].pause_date = Some(begins);
            self.touch_subscription(position, act.now);
            self.tell("subscription_pause_scheduled", position, &Raised::default(), act);
            self.announce(position, &raised, act);
        }
        Ok(raised)
    }

    pub(super) fn enter_pause(&mut self, position: usize, raised: Raised, act: Act) {
        let row = &mut self.subscriptions[position];
        row.status = Status::Paused;
        row.pause_date = Some(act.secs());
        row.scheduled_change = None;
        self.touch_subscription(position, act.now);
        self.tell("subscription_paused", position, &raised, act);
    }

    /// Resumes a paused subscription now. Refused when the charge of a new term would fail.
    pub(crate) fn resume(&mut self, position: usize, invoice_now: bool, act: Act) -> Outcome<Raised> {
        if self.subscriptions[position].status != Status::Paused {
            return Err(Refusal::invalid_state("Only a paused subscription can be resumed."));
        }
        self.check_payment_on(position, act, |copy, position| Ok(copy.leave_pause(position, invoice_now, act)))?;
        Ok(self.leave_pause(position, invoice_now, act))
    }

    pub(super) fn leave_pause(&mut self, position: usize, invoice_now: bool, act: Act) -> Raised {
        let row = &mut self.subscriptions[position];
        row.pause_date = None;
        row.resume_date = None;
        row.status = Status::Active;
        let mut raised = Raised::default();
        if row.term.is_none_or(|term| term.end <= act.secs()) {
            self.begin_term(position, false, invoice_now, &mut raised, act);
        }
        self.touch_subscription(position, act.now);
        self.tell("subscription_resumed", position, &raised, act);
        raised
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
        self.tell("subscription_resumption_scheduled", position, &Raised::default(), act);
        Ok(())
    }

    pub(crate) fn remove_scheduled_pause(&mut self, position: usize, act: Act) -> Outcome<()> {
        let row = &mut self.subscriptions[position];
        if row.status == Status::Paused || row.pause_date.take().is_none() {
            return Err(Refusal::invalid_state("No pause is scheduled for this subscription."));
        }
        row.resume_date = None;
        self.touch_subscription(position, act.now);
        self.tell("subscription_scheduled_pause_removed", position, &Raised::default(), act);
        Ok(())
    }

    pub(crate) fn remove_scheduled_resumption(&mut self, position: usize, act: Act) -> Outcome<()> {
        let row = &mut self.subscriptions[position];
        if row.resume_date.take().is_none() {
            return Err(Refusal::invalid_state("No resumption is scheduled for this subscription."));
        }
        self.touch_subscription(position, act.now);
        self.tell("subscription_scheduled_resumption_removed", position, &Raised::default(), act);
        Ok(())
    }
}
