//! What time does to a subscription: reminders, ends of trials, renewals.
//!
//! A renewal's invoice is a draft for about an hour; then it is finalised and collected (see `dunning`).
//!
//! Source: Stripe docs, "Billing cycle", "Use trial periods on subscriptions", "How subscriptions work"; Stripe API
//! reference, "The Invoice object", `attempted`.

use super::calendar::next_boundary;
use super::model::{BillingReason, CollectionMethod, MissingMethod, PauseBehavior, Paused, Status, Subscription};
use super::{Account, Act, Object};

impl Subscription {
    /// The next instant at which this subscription moves by itself, in Unix seconds.
    pub(super) fn due_at(&self) -> Option<i64> {
        let pending = self.pending_update.as_ref().map(|pending| pending.expires_at);
        let resumption = self.resumption.as_ref().map(|(_, until)| *until);
        let resumes_at = self.pause_collection.and_then(|pause| pause.resumes_at);
        let candidates = match self.status {
            Status::Incomplete => [self.incomplete_until, self.cancel_at, resumes_at, None, None],
            Status::Trialing | Status::Active | Status::PastDue | Status::Unpaid => {
                [Some(self.period_end), self.cancel_at, self.trial_reminder_at, resumes_at, pending]
            }
            Status::Paused => [resumption, self.cancel_at, resumes_at, pending, None],
            Status::Canceled | Status::IncompleteExpired => [None; 5],
        };
        candidates.into_iter().flatten().min()
    }
}

impl Account {
    /// Everything that is due for a subscription in this instant, in an order that does not surprise.
    pub(super) fn advance_subscription(&mut self, position: usize, act: Act) {
        let now = act.secs();
        let is_due = |at: Option<i64>| at.is_some_and(|at| at <= now);
        let until = self.subscriptions[position].incomplete_until;
        if self.subscriptions[position].status == Status::Incomplete && is_due(until) {
            self.expire(position, act);
            return;
        }
        let row = &self.subscriptions[position];
        let (pending, resumption) =
            (row.pending_update.as_ref().map(|row| row.expires_at), row.resumption.as_ref().map(|row| row.1));
        let resumes = row.pause_collection.and_then(|pause| pause.resumes_at);
        if is_due(pending) {
            self.expire_pending(position, act);
        }
        if is_due(resumption) {
            self.expire_resumption(position, act);
        }
        if is_due(self.subscriptions[position].trial_reminder_at) {
            self.subscriptions[position].trial_reminder_at = None;
            self.emit("customer.subscription.trial_will_end", Object::Subscription(position), None, act);
        }
        if is_due(resumes) {
            let before = self.snapshot(Object::Subscription(position));
            self.subscriptions[position].pause_collection = None;
            self.emit_updated("customer.subscription.updated", Object::Subscription(position), &before, act);
        }
        let row = &self.subscriptions[position];
        if is_due(row.cancel_at) {
            self.end_as_planned(position, act);
        } else if row.period_end <= now && !matches!(row.status, Status::Paused | Status::Incomplete) {
            if row.status == Status::Trialing { self.end_trial(position, act) } else { self.renew(position, act) }
        }
    }

    /// A trial is over: it is charged for, or what was asked for where there is nothing to charge.
    fn end_trial(&mut self, position: usize, act: Act) {
        let row = &self.subscriptions[position];
        let charges = row.collection_method == CollectionMethod::ChargeAutomatically;
        let has_method = self.method_of(position).is_some() || self.rehearsal.is_some();
        match row.missing_method {
            MissingMethod::Cancel if charges && !has_method => self.end(position, "cancellation_requested", act),
            MissingMethod::Pause if charges && !has_method => {
                self.enter_pause(position, Paused::TrialEndWithoutMethod, act);
            }
            MissingMethod::Cancel | MissingMethod::Pause | MissingMethod::CreateInvoice => self.renew(position, act),
        }
    }

    /// The next period begins, with a draft for it.
    fn renew(&mut self, position: usize, act: Act) {
        let before = self.snapshot(Object::Subscription(position));
        let row = &mut self.subscriptions[position];
        let old = (row.period_start, row.period_end);
        if row.status == Status::Trialing {
            row.status = Status::Active;
            row.trial_reminder_at = None;
        }
        row.period_start = row.period_end;
        row.period_end = next_boundary(row.anchor, row.interval, row.period_start);
        if row.cancel_at_period_end {
            row.cancel_at = Some(row.period_end);
        }
        let period = (row.period_start, row.period_end);
        let is_unpaid = row.status == Status::Unpaid;
        let keeps = row.pause_collection.is_some_and(|pause| pause.behavior == PauseBehavior::KeepAsDraft);
        let lines = self.recurring_lines(position, period, None, old);
        let draft = self.draft_for(position, BillingReason::SubscriptionCycle, lines, old, None);
        let invoice = self.draft(draft, act);
        self.let_wait(invoice, !is_unpaid && !keeps, act);
        self.plan_subscription(position);
        self.emit_updated("customer.subscription.updated", Object::Subscription(position), &before, act);
    }
}
