//! Cancellation: now, at the end of the period, at an instant.
//!
//! Signatures: `cancel_subscription(position, CancelNow, act) -> Outcome<()>`. Later ends are a `Change`.
//!
//! Source: Stripe API reference, "Cancel a subscription"; Stripe docs, "Cancel subscriptions".

use super::cards::Charged;
use super::model::{BillingReason, InvoiceStatus, Patch, Status, Subscription, set};
use super::refusal::Refusal;
use super::{Account, Act, Object, Outcome};

/// When a subscription is to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CancelAt {
    At(i64),
    /// `min_period_end`, `max_period_end` and `max_billed_until`: all items have the same period here.
    PeriodEnd,
}

/// What a request says about a cancellation at once.
#[derive(Debug, Clone, Default)]
pub(crate) struct CancelNow {
    /// Whether what waits is invoiced; else prorations that wait are dropped, unless `prorates`.
    pub(crate) invoice_now: bool,
    /// Whether the rest of the period is credited.
    pub(crate) prorates: bool,
    pub(crate) comment: Patch<String>,
    pub(crate) feedback: Patch<String>,
}

impl Subscription {
    /// Plans an end, or takes the plan back.
    pub(super) fn plan_end(&mut self, at: Option<CancelAt>, at_period_end: bool, now: i64) {
        self.cancel_at_period_end = at_period_end;
        self.cancel_at = at.map(|at| match at {
            CancelAt::At(at) => at,
            CancelAt::PeriodEnd => self.period_end,
        });
        self.canceled_at = self.cancel_at.map(|_| now);
        self.cancellation.reason = self.cancel_at.map(|_| "cancellation_requested");
    }
}

impl Account {
    /// Ends a subscription at once.
    pub(crate) fn cancel_subscription(&mut self, position: usize, cancel: CancelNow, act: Act) -> Outcome<()> {
        let act = self.act_for(&self.subscriptions[position].customer.clone(), act);
        let row = &mut self.subscriptions[position];
        if row.status.is_over() {
            return Err(Refusal::no_such("subscription", &row.id));
        }
        set(&mut row.cancellation.comment, cancel.comment);
        set(&mut row.cancellation.feedback, cancel.feedback);
        let bills = !matches!(row.status, Status::Incomplete | Status::Paused);
        if cancel.prorates && bills {
            let items = row.items.clone();
            self.credit_all(position, &items, act.secs(), act);
        }
        if cancel.invoice_now && bills {
            self.bill_waiting(position, act);
        } else if !cancel.prorates {
            self.drop_waiting(position);
        }
        self.end(position, "cancellation_requested", act);
        Ok(())
    }

    /// A planned end has come. Prorations that wait are invoiced.
    pub(super) fn end_as_planned(&mut self, position: usize, act: Act) {
        if self.subscriptions[position].status != Status::Paused {
            self.bill_waiting(position, act);
        }
        self.end(position, "cancellation_requested", act);
    }

    /// Invoices what waits for the subscription, and collects it.
    fn bill_waiting(&mut self, position: usize, act: Act) {
        let row = &self.subscriptions[position];
        let waiting = self.waiting_items(self.customer_of(position), Some(&row.id), &row.currency);
        if waiting.is_empty() {
            return;
        }
        let period = (row.period_start, row.period_end);
        let draft = self.draft_for(position, BillingReason::SubscriptionUpdate, Vec::new(), period, Some(act.secs()));
        let invoice = self.draft(draft, act);
        self.finalize(invoice, act);
        if self.invoices[invoice].status == InvoiceStatus::Open {
            let method = self.method_for(invoice);
            // How it went is in the invoice.
            let _: Option<Charged> = self.attempt(invoice, method, false, act);
        }
    }

    /// Forgets the prorations that wait for the subscription.
    fn drop_waiting(&mut self, position: usize) {
        let row = &self.subscriptions[position];
        for item in self.waiting_items(self.customer_of(position), Some(&row.id), &row.currency) {
            let item = &mut self.invoice_items[item];
            item.deleted = item.proration && item.subscription.is_some();
        }
    }

    /// Ends the subscription, stops collecting its invoices, and tells of it.
    pub(super) fn end(&mut self, position: usize, reason: &'static str, act: Act) {
        let row = &mut self.subscriptions[position];
        let was_incomplete = row.status == Status::Incomplete;
        row.status = Status::Canceled;
        row.ended_at = Some(act.secs());
        row.canceled_at.get_or_insert(act.secs());
        row.cancellation.reason = Some(reason);
        row.pending_update = None;
        row.incomplete_until = None;
        row.resumption = None;
        row.trial_reminder_at = None;
        row.paused = None;
        let (id, schedule) = (row.id.clone(), row.schedule.clone());
        for invoice in self.invoices.linked("subscription", &id).to_vec() {
            let row = &mut self.invoices[invoice];
            if row.status == InvoiceStatus::Open && was_incomplete {
                self.void(invoice, act);
            } else if matches!(row.status, InvoiceStatus::Open | InvoiceStatus::Draft) {
                let before = self.snapshot(Object::Invoice(invoice));
                let row = &mut self.invoices[invoice];
                row.auto_advance = false;
                row.automatically_finalizes_at = None;
                row.next_payment_attempt = None;
                row.dunning_ends_at = None;
                self.emit_updated("invoice.updated", Object::Invoice(invoice), &before, act);
            }
        }
        self.emit("customer.subscription.deleted", Object::Subscription(position), None, act);
        if let Some(schedule) = schedule.and_then(|id| self.schedules.position(&id)) {
            self.subscription_ended(schedule, act);
        }
    }
}
