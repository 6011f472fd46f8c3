//! Cancelling, its undoing, coming back, and deletion.
//!
//! A date of its own may lie terms away: until then the subscription renews, and its status tells of its end at once.
//! Assumptions: without an option nothing is credited for the current term, and what waits for an invoice is invoiced.
//!
//! Source: Chargebee API docs, "Cancel subscription for items", "Remove scheduled cancellation",
//! "Reactivate a subscription", "Delete a subscription".

use super::catalog::amount_of;
use super::model::{LineItem, ScheduledCancel, Status};
use super::news::Raised;
use super::proration::rest_of_term;
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

/// What an immediate cancellation gives back of the current term.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TermCredit {
    Nothing,
    Rest,
    All,
}

/// What becomes of invoices that are open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Receivables {
    Keep,
    Collect,
    WriteOff,
}

/// What a request says about a cancellation. All but `when` and `code` is about an immediate one.
#[derive(Debug, Clone)]
pub(crate) struct Cancel {
    pub(crate) when: CancelWhen,
    pub(crate) code: Option<String>,
    pub(crate) credit: TermCredit,
    /// Whether what waits for an invoice is invoiced; else it is dropped.
    pub(crate) invoices_waiting: bool,
    pub(crate) receivables: Receivables,
}

impl Cancel {
    /// A cancellation as a person asks for it.
    pub(crate) fn new(when: CancelWhen) -> Self {
        Self { when, code: None, credit: TermCredit::Nothing, invoices_waiting: true, receivables: Receivables::Keep }
    }
}

impl Site {
    /// Cancels now or later.
    pub(crate) fn cancel(&mut self, position: usize, cancel: Cancel, act: Act) -> Outcome<Raised> {
        let row = &self.subscriptions[position];
        if row.status == Status::Cancelled {
            return Err(Refusal::invalid_state("The subscription is already cancelled."));
        }
        let at = match (cancel.when, row.status) {
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
        let Some(at) = at else { return Ok(self.cancel_now(position, cancel, act)) };
        let row = &mut self.subscriptions[position];
        let follows_term = cancel.when == CancelWhen::EndOfTerm;
        row.scheduled_cancel = Some(ScheduledCancel { at, asked_at: act.secs(), follows_term });
        row.cancel_reason_code = cancel.code.or(row.cancel_reason_code.take());
        row.pause_date = None;
        row.resume_date = None;
        row.scheduled_change = None;
        if row.status == Status::Active {
            row.status = Status::NonRenewing;
        }
        self.touch_subscription(position, act.now);
        let raised = Raised::default();
        self.tell("subscription_cancellation_scheduled", position, &raised, act);
        Ok(raised)
    }

    fn cancel_now(&mut self, position: usize, cancel: Cancel, act: Act) -> Raised {
        let mut raised = Raised::default();
        if let Some(line) = self.term_credit(position, cancel.credit, act.secs()) {
            self.credit(position, line, "subscription_cancellation", &mut raised, act);
        }
        if cancel.receivables == Receivables::WriteOff {
            for invoice in self.subscriptions[position].unpaid.clone() {
                self.write_off(invoice, &mut raised, act);
            }
        }
        if cancel.invoices_waiting {
            self.bill_waiting(position, &mut raised, act);
        }
        let row = &mut self.subscriptions[position];
        row.unbilled.clear();
        row.scheduled_cancel = None;
        row.cancel_reason_code = cancel.code.or(row.cancel_reason_code.take());
        self.end(position, None, act);
        self.tell("subscription_cancelled", position, &raised, act);
        if cancel.receivables == Receivables::Collect {
            for invoice in self.subscriptions[position].unpaid.clone() {
                // A charge that fails is an event already.
                drop(self.collect_payment(invoice, None, act));
            }
        }
        raised
    }

    /// The line that credits the current term, where it was charged for.
    fn term_credit(&mut self, position: usize, credit: TermCredit, now: i64) -> Option<LineItem> {
        let row = &self.subscriptions[position];
        let term = row.term.filter(|term| term.start <= now && now < term.end)?;
        if !matches!(row.status, Status::Active | Status::NonRenewing) {
            return None;
        }
        let (from, amount) = match credit {
            TermCredit::Nothing => return None,
            TermCredit::Rest => (now, rest_of_term(row, now)),
            TermCredit::All => (term.start, amount_of(&row.items, false)),
        };
        let items = row.items.clone();
        self.credit_line(&items, from, term.end, amount)
    }

    /// Takes all that is due off an invoice.
    fn write_off(&mut self, invoice: usize, raised: &mut Raised, act: Act) {
        let row = &self.invoices[invoice];
        if let Some(line) = row.lines.first() {
            let line = LineItem { amount: row.amount_due(), ..line.clone() };
            self.adjust(invoice, line, "write_off", raised, act);
        }
    }

    /// The scheduled cancellation happens. What waits for an invoice is invoiced.
    pub(super) fn finish(&mut self, position: usize, act: Act) {
        let mut raised = Raised::default();
        self.bill_waiting(position, &mut raised, act);
        self.end(position, None, act);
        self.tell("subscription_cancelled", position, &raised, act);
    }

    /// Ends the subscription. No event yet: the caller knows what came with it.
    pub(super) fn end(&mut self, position: usize, reason: Option<&'static str>, act: Act) {
        let row = &mut self.subscriptions[position];
        row.status = Status::Cancelled;
        row.cancelled_at = Some(act.secs());
        row.cancel_reason = reason;
        row.scheduled_change = None;
        row.trial_reminder_at = None;
        row.pause_date = None;
        row.resume_date = None;
        self.touch_subscription(position, act.now);
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
        self.tell("subscription_scheduled_cancellation_removed", position, &Raised::default(), act);
        Ok(())
    }

    /// Brings a cancelled subscription back, in a new term or in a trial until `trial_end`.
    pub(crate) fn reactivate(
        &mut self,
        position: usize,
        trial_end: Option<i64>,
        invoice_now: bool,
        act: Act,
    ) -> Outcome<Raised> {
        let trial_end = self.reactivation_trial(position, trial_end, act)?;
        self.check_payment_on(position, act, |copy, position| {
            Ok(copy.come_back(position, trial_end, invoice_now, act))
        })?;
        Ok(self.come_back(position, trial_end, invoice_now, act))
    }

    /// Checks that the subscription can come back, and until when in a trial.
    pub(super) fn reactivation_trial(&self, position: usize, asked: Option<i64>, act: Act) -> Outcome<Option<i64>> {
        if self.subscriptions[position].status != Status::Cancelled {
            return Err(Refusal::invalid_state("Only a cancelled subscription can be reactivated."));
        }
        match asked.filter(|end| *end != 0) {
            Some(end) if end <= act.secs() => {
                Err(Refusal::wrong_value("trial_end", "The trial end must be in the future."))
            }
            trial_end => Ok(trial_end),
        }
    }

    pub(super) fn come_back(&mut self, position: usize, trial_end: Option<i64>, invoice_now: bool, act: Act) -> Raised {
        let row = &mut self.subscriptions[position];
        row.cancelled_at = None;
        row.cancel_reason = None;
        row.cancel_reason_code = None;
        row.scheduled_cancel = None;
        let mut raised = Raised::default();
        if trial_end.is_some() {
            row.status = Status::InTrial;
            row.trial_start = Some(act.secs());
            row.trial_end = trial_end;
            row.plan_trial_reminder(act.secs());
            row.term = None;
        } else {
            row.activated_at = Some(act.secs());
            self.begin_term(position, false, invoice_now, &mut raised, act);
        }
        self.touch_subscription(position, act.now);
        self.tell("subscription_reactivated", position, &raised, act);
        raised
    }

    /// Deletes the subscription. Its id stays taken.
    pub(crate) fn delete_subscription(&mut self, position: usize, act: Act) {
        self.mark_deleted(position, act);
        self.tell("subscription_deleted", position, &Raised::default(), act);
    }

    pub(super) fn mark_deleted(&mut self, position: usize, act: Act) {
        if self.subscriptions[position].status != Status::Cancelled {
            self.end(position, None, act);
        }
        let row = &mut self.subscriptions[position];
        row.deleted = true;
        let invoices = self.invoices.linked("subscription_id", &row.id).to_vec();
        for invoice in invoices {
            self.invoices[invoice].deleted = true;
            self.invoices[invoice].next_retry_at = None;
            self.touch_invoice(invoice, act.now);
        }
        self.subscriptions[position].unpaid.clear();
        self.touch_subscription(position, act.now);
    }
}
