//! Paused subscriptions: no invoices, and the period stands still.
//!
//! Signatures: `pause_subscription(position, Pause, act) -> Outcome<()>`, `resume_subscription(position, Resume, act)
//! -> Outcome<()>`. (`pause_collection` is a `Change`.)
//!
//! Source: Stripe API reference, "Pause a subscription", "Resume a subscription" (2026-10-28.endive).

use super::calendar::{last_boundary, next_boundary};
use super::creation::INCOMPLETE_SECONDS;
use super::model::{BillingMode, BillingReason, CollectionMethod, InvoiceStatus, Paused, ProrationBehavior, Status};
use super::refusal::Refusal;
use super::{Account, Act, Object, Outcome};

/// From when on unused time is credited: `bill_for[unused_time_from]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum UnusedFrom {
    #[default]
    Now,
    PeriodStart,
    Nothing,
}

/// What a request says about a pause.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Pause {
    pub(crate) unused_from: UnusedFrom,
    /// `invoicing_behavior` is `invoice`; else credits wait.
    pub(crate) invoices: bool,
}

/// What a request says about a resumption.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Resume {
    /// `billing_cycle_anchor[type]` is `unchanged`; else a new period begins.
    pub(crate) keeps_anchor: bool,
    /// `payment_behavior` is `resume_on_payment_success`; else an attempt is enough.
    pub(crate) only_when_paid: bool,
    pub(crate) proration_behavior: Option<ProrationBehavior>,
    pub(crate) proration_date: Option<i64>,
}

impl Account {
    pub(crate) fn pause_subscription(&mut self, position: usize, pause: Pause, act: Act) -> Outcome<()> {
        let act = self.act_for(&self.subscriptions[position].customer.clone(), act);
        let row = &self.subscriptions[position];
        if row.billing_mode != BillingMode::Flexible {
            return Err(Refusal::invalid("Only subscriptions in flexible billing mode can be paused."));
        }
        if row.collection_method != CollectionMethod::ChargeAutomatically {
            return Err(Refusal::invalid("Only subscriptions that charge automatically can be paused."));
        }
        if row.schedule.is_some() {
            return Err(Refusal::invalid("A subscription with an attached schedule cannot be paused."));
        }
        if !matches!(row.status, Status::Active | Status::Trialing | Status::PastDue) {
            let message = format!("A subscription whose status is `{}` cannot be paused.", row.status.as_str());
            return Err(Refusal::invalid(message));
        }
        self.expire_pending(position, act);
        let row = &self.subscriptions[position];
        let from = match pause.unused_from {
            UnusedFrom::Now => Some(act.secs()),
            UnusedFrom::PeriodStart => Some(row.period_start),
            UnusedFrom::Nothing => None,
        };
        let items = row.items.clone();
        let period = (row.period_start, row.period_end);
        if let Some(from) = from.filter(|_| self.subscriptions[position].status != Status::Trialing) {
            self.credit_all(position, &items, from, act);
            for item in &mut self.subscriptions[position].items {
                item.billed = None;
            }
        }
        if pause.invoices {
            let reason = BillingReason::SubscriptionUpdate;
            let draft = self.draft_for(position, reason, Vec::new(), period, Some(act.secs()));
            let invoice = self.draft(draft, act);
            self.finalize(invoice, act);
            if self.invoices[invoice].status == InvoiceStatus::Open {
                self.collect(invoice, act);
            }
        }
        self.enter_pause(position, Paused::Requested, act);
        Ok(())
    }

    pub(super) fn enter_pause(&mut self, position: usize, why: Paused, act: Act) {
        let before = self.snapshot(Object::Subscription(position));
        let row = &mut self.subscriptions[position];
        row.status = Status::Paused;
        row.paused = Some((why, act.secs()));
        row.trial_reminder_at = None;
        self.plan_subscription(position);
        self.emit_updated("customer.subscription.updated", Object::Subscription(position), &before, act);
        self.emit("customer.subscription.paused", Object::Subscription(position), None, act);
    }

    /// Brings a paused subscription back, with an invoice where something is to be paid.
    pub(crate) fn resume_subscription(&mut self, position: usize, resume: Resume, act: Act) -> Outcome<()> {
        let act = self.act_for(&self.subscriptions[position].customer.clone(), act);
        let row = &self.subscriptions[position];
        if row.status != Status::Paused || row.resumption.is_some() {
            return Err(Refusal::invalid("Only a paused subscription can be resumed, and only once."));
        }
        let now = act.secs();
        let at = resume.proration_date.unwrap_or(now);
        let before = (row.period_start, row.period_end);
        let keeps = resume.keeps_anchor;
        let prorates = resume.proration_behavior != Some(ProrationBehavior::None);
        let waits = resume.proration_behavior.unwrap_or(ProrationBehavior::CreateProrations)
            == ProrationBehavior::CreateProrations;
        let lines = if keeps {
            let row = &mut self.subscriptions[position];
            row.period_start = last_boundary(row.anchor, row.interval, now);
            row.period_end = next_boundary(row.anchor, row.interval, now);
            let mut items = row.items.clone();
            for item in &mut items {
                if prorates && item.billed.is_none_or(|billed| billed.to <= now) {
                    self.charge_rest(position, item, at, act);
                }
            }
            self.subscriptions[position].items = items;
            Vec::new()
        } else {
            self.start_period(position, now);
            let period = (now, self.subscriptions[position].period_end);
            self.recurring_lines(position, period, None, (now, now))
        };
        if keeps && (waits || !prorates) {
            self.finish_resumption(position, act);
            return Ok(());
        }
        let reason = BillingReason::SubscriptionUpdate;
        let draft = self.draft_for(position, reason, lines, before, Some(at));
        let invoice = self.draft(draft, act);
        let open = (self.invoices[invoice].id.clone(), now.saturating_add(INCOMPLETE_SECONDS));
        if resume.only_when_paid {
            self.subscriptions[position].resumption = Some(open);
        }
        self.finalize(invoice, act);
        if !resume.only_when_paid {
            self.finish_resumption(position, act);
        }
        if self.invoices[invoice].status == InvoiceStatus::Open {
            let method = self.method_for(invoice);
            // How it went is in the invoice and in the status.
            let _ = self.attempt(invoice, method, false, act);
        }
        self.plan_subscription(position);
        Ok(())
    }

    pub(super) fn finish_resumption(&mut self, position: usize, act: Act) {
        let before = self.snapshot(Object::Subscription(position));
        let row = &mut self.subscriptions[position];
        row.status = Status::Active;
        // A trial that was interrupted does not go on.
        row.trial_end = row.trial_end.map(|end| end.min(act.secs()));
        row.paused = None;
        row.resumption = None;
        if row.cancel_at_period_end {
            row.cancel_at = Some(row.period_end);
        }
        self.plan_subscription(position);
        self.emit_updated("customer.subscription.updated", Object::Subscription(position), &before, act);
        self.emit("customer.subscription.resumed", Object::Subscription(position), None, act);
    }

    /// The resumption was not paid in time: the subscription stays paused.
    pub(super) fn expire_resumption(&mut self, position: usize, act: Act) {
        let Some((invoice, _)) = self.subscriptions[position].resumption.take() else { return };
        if let Some(invoice) = self.invoices.position(&invoice)
            && self.invoices[invoice].status == InvoiceStatus::Open
        {
            self.void(invoice, act);
        }
        // What the resumption would have charged for was not paid.
        self.subscriptions[position].items.iter_mut().for_each(|item| item.billed = None);
        self.plan_subscription(position);
    }
}
