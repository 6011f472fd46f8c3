//! What a change of items, trial or anchor costs, and its invoice.
//!
//! Source: Stripe docs, "Prorations".

use super::calendar::add;
use super::changes::{Change, Planned};
use super::creation::{TrialEnd, reminder_at};
use super::model::{
    BillingMode, BillingReason, CollectionMethod, Interval, InvoiceStatus, Line, PauseBehavior, PaymentBehavior,
    ProrationBehavior, Status, SubscriptionItem,
};
use super::{Account, Act};

impl Account {
    /// Replaces the items and the trial, and raises what that costs. The invoice, if one was raised at once.
    pub(super) fn rebill(&mut self, position: usize, planned: Planned, change: &Change, act: Act) -> Option<usize> {
        let now = act.secs();
        let row = &self.subscriptions[position];
        let at = change.proration_date.unwrap_or(now);
        let in_trial = row.status == Status::Trialing;
        let before = (row.period_start, row.period_end);
        let old = row.items.clone();
        let interval_changes = planned.interval != row.interval;
        let was_free = self.period_amount(position, &old) == 0;
        let mut items = planned.items;
        for item in &mut items {
            if item.id.is_empty() {
                item.id = self.ids.alphanumeric("si_", 14);
                item.created = now;
            }
        }
        // In flexible mode one-time prices wait, also where prorations are invoiced at once.
        //
        // Source: Stripe docs, "Compare classic and flexible billing mode".
        let invoices_now = change.proration_behavior == Some(ProrationBehavior::AlwaysInvoice);
        let adds_later = invoices_now && self.subscriptions[position].billing_mode == BillingMode::Flexible;
        let within = !in_trial
            && !matches!(change.trial_end, Some(TrialEnd::At(_)))
            && !interval_changes
            && !change.resets_anchor
            && !self.becomes_paid(position, was_free, &items);
        if !(within && adds_later) {
            self.add_one_time(position, &change.add_invoice_items, act);
        }
        // A renewal is due in this very instant and will bill what is there then.
        let renews_now = now >= before.1 && change.trial_end.is_none() && !change.resets_anchor;
        let lines = if let Some(TrialEnd::At(end)) = change.trial_end {
            if !in_trial && change.prorates() {
                self.credit_all(position, &old, at, act);
            }
            self.set_items(position, items, planned.interval);
            let row = &mut self.subscriptions[position];
            row.trial_end = Some(end);
            row.trial_reminder_at = Some(reminder_at(end, now));
            row.anchor = end;
            row.period_end = end;
            if in_trial {
                return None;
            }
            row.status = Status::Trialing;
            row.trial_start = Some(now);
            row.period_start = now;
            row.items.iter_mut().for_each(|item| item.billed = None);
            self.trial_lines(position, (now, end))
        } else if renews_now || (in_trial && change.trial_end.is_none()) {
            self.set_items(position, items, planned.interval);
            let row = &mut self.subscriptions[position];
            if interval_changes && !in_trial {
                row.anchor = now;
            }
            if within && adds_later {
                self.add_one_time(position, &change.add_invoice_items, act);
            }
            return None;
        } else if !within {
            if !in_trial && change.prorates() {
                self.credit_all(position, &old, at, act);
            }
            self.set_items(position, items, planned.interval);
            self.start_period(position, now);
            let period = (now, self.subscriptions[position].period_end);
            self.recurring_lines(position, period, None, (before.0, now))
        } else {
            let waiting = self.change_items(position, &old, items, change, at, act);
            let invoice =
                (invoices_now && waiting).then(|| self.invoice_now(position, Vec::new(), before, change, act));
            if adds_later {
                self.add_one_time(position, &change.add_invoice_items, act);
            }
            return invoice;
        };
        Some(self.invoice_now(position, lines, before, change, act))
    }

    /// Changes items within the period. Whether that made anything to invoice.
    fn change_items(
        &mut self,
        position: usize,
        old: &[SubscriptionItem],
        mut items: Vec<SubscriptionItem>,
        change: &Change,
        at: i64,
        act: Act,
    ) -> bool {
        let known = self.invoice_items.len();
        let differs = |one: &SubscriptionItem, other: &SubscriptionItem| {
            one.price != other.price || one.quantity != other.quantity
        };
        if change.prorates() {
            for was in old {
                let now = items.iter().find(|item| item.id == was.id);
                if now.is_none_or(|now| differs(was, now)) {
                    self.credit_rest(position, was, at, act);
                }
            }
            for item in &mut items {
                let was = old.iter().find(|was| was.id == item.id);
                if was.is_none_or(|was| differs(was, item)) {
                    self.charge_rest(position, item, at, act);
                }
            }
        }
        let interval = self.subscriptions[position].interval;
        self.set_items(position, items, interval);
        // In classic mode one-time prices that were added are there already.
        let adds = !change.add_invoice_items.is_empty();
        let is_flexible = self.subscriptions[position].billing_mode == BillingMode::Flexible;
        self.invoice_items.len() > known || (adds && !is_flexible)
    }

    fn set_items(&mut self, position: usize, items: Vec<SubscriptionItem>, interval: Interval) {
        let row = &mut self.subscriptions[position];
        row.items = items;
        row.interval = interval;
    }

    fn becomes_paid(&self, position: usize, was_free: bool, items: &[SubscriptionItem]) -> bool {
        was_free && self.period_amount(position, items) > 0
    }

    /// What some items cost for a period, in minor units.
    fn period_amount(&self, position: usize, items: &[SubscriptionItem]) -> i64 {
        let amount = |item: &SubscriptionItem| {
            let (meter, rate) = self.rate_of(position, &item.price);
            // What is metered costs something, once it is used.
            if meter.is_some() { 1 } else { rate.amount(item.quantity.unwrap_or(1)) }
        };
        items.iter().map(amount).fold(0, i64::saturating_add)
    }

    pub(super) fn credit_all(&mut self, position: usize, items: &[SubscriptionItem], at: i64, act: Act) {
        for item in items {
            self.credit_rest(position, item, at, act);
        }
    }

    /// A new period from now on, with a new anchor. A trial is over with it.
    pub(super) fn start_period(&mut self, position: usize, now: i64) {
        let row = &mut self.subscriptions[position];
        if row.status == Status::Trialing {
            row.status = Status::Active;
            row.trial_end = Some(now);
            row.trial_reminder_at = None;
        }
        row.anchor = now;
        row.period_start = now;
        row.period_end = add(now, row.interval, 1);
    }

    /// Invoices at once, with what waits, and collects as the change asks for.
    fn invoice_now(
        &mut self,
        position: usize,
        lines: Vec<Line>,
        period: (i64, i64),
        change: &Change,
        act: Act,
    ) -> usize {
        let reason = BillingReason::SubscriptionUpdate;
        let mut draft = self.draft_for(position, reason, lines, period, change.proration_date);
        if change.prorates() && draft.proration_date.is_none() {
            draft.proration_date = Some(act.secs());
        }
        let invoice = self.draft(draft, act);
        let row = &self.subscriptions[position];
        let paused = row.pause_collection.map(|pause| pause.behavior);
        if row.status == Status::Unpaid || paused == Some(PauseBehavior::KeepAsDraft) {
            self.let_wait(invoice, false, act);
            return invoice;
        }
        if row.collection_method == CollectionMethod::SendInvoice {
            self.let_wait(invoice, true, act);
            return invoice;
        }
        self.finalize(invoice, act);
        if self.invoices[invoice].status != InvoiceStatus::Open {
            return invoice;
        }
        match paused {
            Some(PauseBehavior::Void) => self.void(invoice, act),
            Some(PauseBehavior::MarkUncollectible) => self.give_up_invoice(invoice, act),
            _ if change.payment_behavior == Some(PaymentBehavior::DefaultIncomplete) => self.fall_behind(position, act),
            _ => {
                let method = self.method_for(invoice);
                // How it went is in the invoice.
                let _ = self.attempt(invoice, method, false, act);
            }
        }
        invoice
    }
}
