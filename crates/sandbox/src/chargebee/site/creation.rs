//! How a subscription comes to be, over the API or from a checkout, and how its paid terms begin.
//!
//! Source: Chargebee API docs, "Create subscription for items"; Chargebee docs, "Subscription lifecycle".

use serde_json::Value;

use super::catalog::Asked;
use super::model::{LineItem, Stamp, Status, Subscription, Term};
use super::news::Raised;
use super::{Act, Outcome, Site};
use crate::chargebee::refusal::Refusal;
use crate::moment::add_periods;

/// A subscription that is asked for.
#[derive(Debug, Clone)]
pub(crate) struct NewSubscription {
    pub(crate) id: Option<String>,
    pub(crate) customer: usize,
    pub(crate) items: Vec<Asked>,
    /// `None`: the plan price's own trial; `Some(0)`: none; else when it ends, in Unix seconds.
    pub(crate) trial_end: Option<i64>,
    pub(crate) start_date: Option<i64>,
    pub(crate) auto_collection: Option<bool>,
    pub(crate) invoice_immediately: bool,
    pub(crate) meta_data: Option<Value>,
}

impl Site {
    /// Creates the subscription and charges for its first term, unless it is a trial or starts later.
    ///
    /// Refused without any change when the id is taken or the charge would fail.
    pub(crate) fn create_subscription(&mut self, new: NewSubscription, act: Act) -> Outcome<(usize, Raised)> {
        if let Some(id) = new.id.as_deref().filter(|id| self.subscriptions.contains(id)) {
            return Err(Refusal::duplicate("id", id));
        }
        let tried = NewSubscription { customer: 0, ..new.clone() };
        self.check_payment(new.customer, None, act, |copy| copy.create(tried, act))?;
        self.create(new, act)
    }

    fn create(&mut self, new: NewSubscription, act: Act) -> Outcome<(usize, Raised)> {
        let basket = self.sell(&new.items)?;
        let now = act.secs();
        let start_date = new.start_date.filter(|start| *start > now);
        let trial_end = Self::trial_end(&basket, new.trial_end, start_date.unwrap_or(now), "trial_end")?;
        let id = new.id.unwrap_or_else(|| self.ids.alphanumeric("", 17));
        let position = self.subscriptions.insert(Subscription {
            id,
            customer_id: self.customers[new.customer].id.clone(),
            currency: basket.currency,
            items: basket.items,
            status: Status::Future,
            billing_period: basket.period,
            billing_period_unit: basket.unit,
            created_at: now,
            start_date,
            started_at: None,
            activated_at: None,
            trial_start: None,
            trial_end,
            trial_reminder_at: None,
            term: None,
            scheduled_cancel: None,
            cancelled_at: None,
            cancel_reason: None,
            cancel_reason_code: None,
            pause_date: None,
            resume_date: None,
            scheduled_change: None,
            auto_collection: new.auto_collection,
            meta_data: new.meta_data,
            unpaid: Vec::new(),
            unbilled: Vec::new(),
            last_invoice: None,
            fail_next_payment: false,
            stamp: Stamp::default(),
            deleted: false,
        });
        let mut raised = Raised::default();
        if start_date.is_none() {
            self.enter_service(position, new.invoice_immediately, &mut raised, act);
        }
        self.touch_subscription(position, act.now);
        self.tell("subscription_created", position, &raised, act);
        Ok((position, raised))
    }

    /// Starts the trial, or the first paid term. No event yet: the caller knows which one it is.
    pub(super) fn enter_service(&mut self, position: usize, invoice_now: bool, raised: &mut Raised, act: Act) {
        let row = &mut self.subscriptions[position];
        row.started_at = Some(act.secs());
        if row.trial_end.is_some_and(|end| end > act.secs()) {
            row.status = Status::InTrial;
            row.trial_start = Some(act.secs());
            row.plan_trial_reminder(act.secs());
        } else {
            self.begin_term(position, true, invoice_now, raised, act);
        }
    }

    /// Begins a paid term from a new anchor and charges for it, with one-time charges or without.
    pub(super) fn begin_term(
        &mut self,
        position: usize,
        with_charges: bool,
        invoice_now: bool,
        raised: &mut Raised,
        act: Act,
    ) {
        let now = act.secs();
        let row = &mut self.subscriptions[position];
        let end = add_periods(now, row.billing_period_unit, row.billing_period);
        row.status = Status::Active;
        row.trial_reminder_at = None;
        row.activated_at.get_or_insert(now);
        row.term = Some(Term { anchor: now, cycle: 0, start: now, end });
        if let Some(cancel) = &mut row.scheduled_cancel {
            row.status = Status::NonRenewing;
            if cancel.follows_term {
                cancel.at = end;
            }
        }
        if invoice_now {
            let mut lines = self.waiting_lines(position, raised);
            lines.extend(self.term_lines(position, with_charges));
            self.bill(position, lines, true, raised, act);
        } else {
            let lines = self.term_lines(position, with_charges);
            self.bill(position, lines, false, raised, act);
        }
    }

    /// One line for each item that the current term is charged for.
    pub(super) fn term_lines(&mut self, position: usize, with_charges: bool) -> Vec<LineItem> {
        let row = &self.subscriptions[position];
        let Some(term) = row.term else { return Vec::new() };
        let items = row.items.clone();
        let charged = items.iter().filter(|item| with_charges || item.recurs());
        charged.map(|item| self.line(item, term.start, term.end, item.amount())).collect()
    }
}
