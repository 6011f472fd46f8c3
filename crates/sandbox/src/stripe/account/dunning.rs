//! Invoices that were not paid at the first try.
//!
//! A failed charge is tried again 1, 3, 5, 7, 9, 11 and 14 days after the first try: eight tries in two weeks, as the
//! provider recommends for its smart retries (whose real instants nobody can know). Where there is nothing to charge,
//! or the refusal is final, nothing is tried, and `next_payment_attempt` is null. After two weeks the subscription is
//! canceled, or unpaid, or stays past due, by the account's setting.
//!
//! Source: Stripe docs, "Automate payment retries".

use super::calendar::DAY;
use super::model::{CollectionMethod, InvoiceStatus, PauseBehavior, Status};
use super::{Account, Act, AfterDunning, Object};

/// When a charge is tried again, in days from the first try.
const RETRY_DAYS: [i64; 7] = [1, 3, 5, 7, 9, 11, 14];
/// When an invoice is given up where nothing is tried, in days from the first try.
const LAST_DAY: i64 = 14;

/// Whether a failed invoice is tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dunning {
    Retries,
    /// There is nothing to charge.
    Waits,
}

impl super::model::Invoice {
    /// The next instant at which this invoice moves by itself.
    pub(super) fn due_at(&self) -> Option<i64> {
        match self.status {
            _ if self.deleted => None,
            InvoiceStatus::Draft => self.automatically_finalizes_at,
            InvoiceStatus::Open => {
                let overdue = self.due_date.filter(|_| !self.is_overdue);
                [self.next_payment_attempt, self.dunning_ends_at, overdue].into_iter().flatten().min()
            }
            InvoiceStatus::Paid | InvoiceStatus::Uncollectible | InvoiceStatus::Void => None,
        }
    }
}

impl Account {
    /// What is due of an invoice happens.
    pub(super) fn advance_invoice(&mut self, invoice: usize, act: Act) {
        if self.invoices[invoice].status == InvoiceStatus::Draft {
            self.finalize(invoice, act);
            let pause = self.subscription_of(invoice).and_then(|row| self.subscriptions[row].pause_collection);
            match pause.map(|pause| pause.behavior) {
                _ if self.invoices[invoice].status != InvoiceStatus::Open => {}
                Some(PauseBehavior::Void) => self.void(invoice, act),
                Some(PauseBehavior::MarkUncollectible) => self.give_up_invoice(invoice, act),
                Some(PauseBehavior::KeepAsDraft) | None => self.collect(invoice, act),
            }
            return;
        }
        if self.invoices[invoice].next_payment_attempt == Some(act.secs()) {
            self.collect(invoice, act);
        }
        if self.invoices[invoice].status == InvoiceStatus::Open {
            if self.invoices[invoice].dunning_ends_at == Some(act.secs()) {
                self.give_up(invoice, act);
            }
            if self.invoices[invoice].due_date.is_some_and(|due| due <= act.secs()) {
                self.become_overdue(invoice, act);
            }
        }
    }

    /// Charges what is on file, where that is automatic.
    pub(super) fn collect(&mut self, invoice: usize, act: Act) {
        if self.invoices[invoice].collection_method == CollectionMethod::SendInvoice {
            self.emit("invoice.sent", Object::Invoice(invoice), None, act);
            return;
        }
        let method = self.method_for(invoice);
        self.invoices[invoice].next_payment_attempt = None;
        // What came of it is in the invoice and in events.
        let _ = self.attempt(invoice, method, false, act);
    }

    /// Plans the next try after one that failed.
    pub(super) fn begin_dunning(&mut self, invoice: usize, dunning: Dunning, act: Act) {
        let row = &mut self.invoices[invoice];
        if row.collection_method == CollectionMethod::SendInvoice || !row.auto_advance {
            return;
        }
        let ends_at = *row.dunning_ends_at.get_or_insert(act.secs().saturating_add(LAST_DAY * DAY));
        let first_try = ends_at - LAST_DAY * DAY;
        let tries = RETRY_DAYS.iter().map(|day| first_try + day * DAY);
        row.next_payment_attempt = match dunning {
            Dunning::Retries => tries.into_iter().find(|at| *at > act.secs()),
            Dunning::Waits => None,
        };
    }

    fn give_up(&mut self, invoice: usize, act: Act) {
        let before = self.snapshot(Object::Invoice(invoice));
        let owner = self.owner_of(invoice);
        self.customers[owner].delinquent = true;
        let row = &mut self.invoices[invoice];
        row.dunning_ends_at = None;
        row.next_payment_attempt = None;
        self.emit_updated("invoice.updated", Object::Invoice(invoice), &before, act);
        let Some(position) = self.subscription_of(invoice) else { return };
        if self.subscriptions[position].status != Status::PastDue {
            return;
        }
        match self.settings.after_dunning {
            AfterDunning::LeavePastDue => {}
            AfterDunning::Cancel => self.end(position, "payment_failed", act),
            AfterDunning::MarkUnpaid => {
                let before = self.snapshot(Object::Subscription(position));
                self.subscriptions[position].status = Status::Unpaid;
                self.plan_subscription(position);
                self.emit_updated("customer.subscription.updated", Object::Subscription(position), &before, act);
            }
        }
    }

    /// Nobody paid by the day that the invoice names.
    fn become_overdue(&mut self, invoice: usize, act: Act) {
        self.invoices[invoice].is_overdue = true;
        self.emit("invoice.overdue", Object::Invoice(invoice), None, act);
        if let Some(position) = self.subscription_of(invoice)
            && self.latest_final(position) == Some(invoice)
        {
            self.fall_behind(position, act);
        }
    }
}
