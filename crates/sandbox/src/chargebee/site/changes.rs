//! Changing what a subscription holds: plan, seats, add-ons, trial end, metadata; now or later.
//!
//! Assumptions where the documents are silent: an update takes the place of a scheduled change, whatever it changes;
//! what is scheduled keeps the rates of the day on which it was asked for; with `prorate=false` and no new term, the
//! new items are first charged at the next renewal.
//!
//! Source: Chargebee API docs, "Update subscription for items", "Remove scheduled changes".

use serde_json::Value;

use super::basket::Basket;
use super::catalog::{Asked, Item, ItemType};
use super::model::{ScheduledChange, Status};
use super::news::Raised;
use super::{Act, Outcome, Site};
use crate::chargebee::refusal::Refusal;

/// When a change takes effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ChangeWhen {
    Now,
    EndOfTerm,
    /// An instant in Unix seconds.
    At(i64),
}

/// What a request changes. `None` and an empty list keep what is there.
#[derive(Debug, Clone)]
pub(crate) struct Change {
    pub(crate) items: Vec<Asked>,
    /// `replace_items_list`: the given items are the whole list.
    pub(crate) replace: bool,
    pub(crate) when: ChangeWhen,
    pub(crate) prorate: bool,
    pub(crate) invoice_immediately: bool,
    pub(crate) force_term_reset: bool,
    /// Whether a cancelled subscription comes back with the new items.
    pub(crate) reactivate: bool,
    pub(crate) trial_end: Option<i64>,
    pub(crate) auto_collection: Option<bool>,
    pub(crate) meta_data: Option<Value>,
}

impl Change {
    /// An immediate, prorated and invoiced change to `items`, as a person makes it.
    pub(crate) fn to(items: Vec<Asked>) -> Self {
        Self {
            items,
            replace: false,
            when: ChangeWhen::Now,
            prorate: true,
            invoice_immediately: true,
            force_term_reset: false,
            reactivate: true,
            trial_end: None,
            auto_collection: None,
            meta_data: None,
        }
    }
}

impl Site {
    /// Applies or schedules a change. Refused without any change when its charge would fail.
    pub(crate) fn update_subscription(&mut self, position: usize, change: Change, act: Act) -> Outcome<Raised> {
        self.check_payment_on(position, act, |copy, position| copy.change(position, &change, act))?;
        self.change(position, &change, act)
    }

    fn change(&mut self, position: usize, change: &Change, act: Act) -> Outcome<Raised> {
        let basket = self.changed_items(position, change)?;
        let row = &self.subscriptions[position];
        let gives_items = !change.items.is_empty();
        if change.when != ChangeWhen::Now && gives_items {
            return self.schedule_change(position, basket.items, change, act);
        }
        match row.status {
            Status::Cancelled if gives_items && change.reactivate => {
                let trial_end = self.reactivation_trial(position, change.trial_end, act)?;
                self.keep_settings(position, change);
                self.put_items(position, basket);
                return Ok(self.come_back(position, trial_end, change.invoice_immediately, act));
            }
            Status::Cancelled | Status::Paused if gives_items => {
                return Err(Refusal::invalid_state(format!("The subscription is {}.", row.status.as_str())));
            }
            _ => {}
        }
        if let Some(end) = change.trial_end {
            self.check_trial_end(position, end, act)?;
        }
        self.apply_change(position, basket, change, act)
    }

    /// Puts the items in place and charges for the rest of a running term.
    fn apply_change(&mut self, position: usize, basket: Basket, change: &Change, act: Act) -> Outcome<Raised> {
        let row = &self.subscriptions[position];
        let status = row.status;
        let charged = matches!(status, Status::Active | Status::NonRenewing)
            && (basket.items != row.items || change.force_term_reset);
        let proration = if charged {
            let period = (basket.period, basket.unit);
            Some(self.prorate(position, &basket.items, period, change, act.secs())?)
        } else {
            None
        };
        self.keep_settings(position, change);
        self.put_items(position, basket);
        let row = &mut self.subscriptions[position];
        row.scheduled_change = None;
        let mut raised = Raised::default();
        if let Some(proration) = proration {
            row.term = Some(proration.term);
            if let Some(cancel) = row.scheduled_cancel.as_mut().filter(|cancel| cancel.follows_term) {
                cancel.at = proration.term.end;
            }
            if let Some(line) = proration.credit {
                self.credit(position, line, "subscription_change", &mut raised, act);
            }
            self.bill(position, proration.charges, change.invoice_immediately, &mut raised, act);
        }
        let activates = change.trial_end.is_some_and(|end| self.move_trial_end(position, end, act));
        self.touch_subscription(position, act.now);
        let gives_items = !change.items.is_empty();
        let extended = status == Status::InTrial && change.trial_end.is_some() && !gives_items;
        let event = if extended { "subscription_trial_extended" } else { "subscription_changed" };
        if gives_items || !activates {
            self.tell(event, position, &raised, act);
        }
        if activates {
            raised = self.activate(position, act);
        }
        Ok(raised)
    }

    fn keep_settings(&mut self, position: usize, change: &Change) {
        let row = &mut self.subscriptions[position];
        if let Some(meta_data) = &change.meta_data {
            row.meta_data = Some(meta_data.clone());
        }
        if change.auto_collection.is_some() {
            row.auto_collection = change.auto_collection;
        }
    }

    fn put_items(&mut self, position: usize, basket: Basket) {
        let row = &mut self.subscriptions[position];
        row.items = basket.items;
        row.billing_period = basket.period;
        row.billing_period_unit = basket.unit;
    }

    /// The list of items after the change.
    pub(super) fn changed_items(&self, position: usize, change: &Change) -> Outcome<Basket> {
        let row = &self.subscriptions[position];
        if change.items.is_empty() {
            return self.basket(row.items.clone());
        }
        let given = self.sold(&change.items, &row.items)?;
        let is_plan = |item: &Item| item.item_type == ItemType::Plan;
        let gives_plan = given.iter().any(is_plan);
        let survives = |kept: &&Item| {
            let given_again = given.iter().any(|item| item.item_price_id == kept.item_price_id);
            // A given plan takes the place of the old one; a list that replaces keeps at most the plan.
            !given_again && if is_plan(kept) { !gives_plan } else { !change.replace }
        };
        let kept: Vec<Item> = row.items.iter().filter(survives).cloned().collect();
        let items = if gives_plan { [given, kept].concat() } else { [kept, given].concat() };
        let basket = self.basket(items)?;
        if basket.currency != row.currency {
            let message = "The currency of a subscription cannot be changed.";
            return Err(Refusal::wrong_value("subscription_items[item_price_id][0]", message));
        }
        Ok(basket)
    }

    fn schedule_change(&mut self, position: usize, items: Vec<Item>, change: &Change, act: Act) -> Outcome<Raised> {
        let row = &self.subscriptions[position];
        let end = match row.status {
            Status::InTrial => row.trial_end,
            Status::Active => row.term.map(|term| term.end),
            Status::Future | Status::NonRenewing | Status::Paused | Status::Cancelled => None,
        };
        let Some(end) = end.filter(|_| row.scheduled_cancel.is_none()) else {
            let ends = if row.scheduled_cancel.is_some() { "that is to be cancelled" } else { row.status.as_str() };
            let message = format!("A change cannot be scheduled for a subscription: {ends}.");
            return Err(Refusal::invalid_state(message));
        };
        let at = match change.when {
            ChangeWhen::At(at) if at <= act.secs() => {
                return Err(Refusal::wrong_value("changes_scheduled_at", "The date must be in the future."));
            }
            ChangeWhen::At(at) => at,
            ChangeWhen::EndOfTerm | ChangeWhen::Now => end,
        };
        self.keep_settings(position, change);
        self.subscriptions[position].scheduled_change = Some(ScheduledChange {
            at,
            items,
            prorate: change.prorate,
            invoice_immediately: change.invoice_immediately,
            force_term_reset: change.force_term_reset,
        });
        self.touch_subscription(position, act.now);
        let raised = Raised::default();
        self.tell("subscription_changes_scheduled", position, &raised, act);
        Ok(raised)
    }

    /// Takes a scheduled change back.
    pub(crate) fn remove_scheduled_change(&mut self, position: usize, act: Act) -> Outcome<()> {
        if self.subscriptions[position].scheduled_change.take().is_none() {
            return Err(Refusal::invalid_state("No changes are scheduled for this subscription."));
        }
        self.touch_subscription(position, act.now);
        self.tell("subscription_scheduled_changes_removed", position, &Raised::default(), act);
        Ok(())
    }

    /// Puts the scheduled items in place at the end of a term, where the next term charges for them.
    pub(crate) fn apply_scheduled_items(&mut self, position: usize, act: Act) {
        let Some(scheduled) = self.subscriptions[position].scheduled_change.take() else { return };
        match self.basket(scheduled.items) {
            Ok(basket) => self.put_items(position, basket),
            Err(refusal) => tracing::debug!(reason = %refusal.message, "a scheduled change was dropped"),
        }
        self.touch_subscription(position, act.now);
        self.tell("subscription_changed", position, &Raised::default(), act);
    }

    /// Applies a change that was scheduled for a date inside the term.
    pub(crate) fn apply_scheduled_change(&mut self, position: usize, act: Act) {
        let Some(scheduled) = self.subscriptions[position].scheduled_change.take() else { return };
        let mut change = Change::to(Vec::new());
        change.prorate = scheduled.prorate;
        change.invoice_immediately = scheduled.invoice_immediately;
        change.force_term_reset = scheduled.force_term_reset;
        let applied = self.basket(scheduled.items).and_then(|basket| self.apply_change(position, basket, &change, act));
        if let Err(refusal) = applied {
            tracing::debug!(reason = %refusal.message, "a scheduled change was dropped");
            self.touch_subscription(position, act.now);
        }
    }

    fn check_trial_end(&self, position: usize, end: i64, act: Act) -> Outcome<()> {
        match self.subscriptions[position].status {
            Status::Future | Status::InTrial if end == 0 || end > act.secs() => Ok(()),
            Status::Future | Status::InTrial => {
                Err(Refusal::wrong_value("trial_end", "The trial end must be in the future."))
            }
            _ => Err(Refusal::invalid_state("The trial end can only be changed before or in a trial.")),
        }
    }

    /// Moves the trial's end and says whether the trial is over now.
    fn move_trial_end(&mut self, position: usize, end: i64, act: Act) -> bool {
        let row = &mut self.subscriptions[position];
        let over = end == 0 && row.status == Status::InTrial;
        row.trial_end = match (end, over) {
            (0, true) => Some(act.secs()),
            (0, false) => None,
            (end, _) => Some(end),
        };
        if row.status == Status::InTrial && !over {
            row.plan_trial_reminder(act.secs());
            if let Some(cancel) = row.scheduled_cancel.as_mut().filter(|cancel| cancel.follows_term) {
                cancel.at = end;
            }
        }
        over
    }
}
