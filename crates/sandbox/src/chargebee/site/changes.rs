//! Changing what a subscription holds: plan, seats, add-ons, trial end, metadata.
//!
//! An immediate change inside a paid term credits the rest of the old items and charges the rest of the new ones, by
//! the second and rounded half up. Credits become refundable credits of the customer (the provider writes credit
//! notes); they are used by the next invoice.
//!
//! Source: Chargebee API docs, "Update subscription for items"; the proration is an approximation.

use serde_json::Value;

use super::catalog::ItemType;
use super::model::{Item, LineItem, ScheduledChange, Status, Term};
use super::{Act, Outcome, Site};
use crate::chargebee::refusal::Refusal;
use crate::moment::add_periods;

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
    pub(crate) items: Vec<Item>,
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
    pub(crate) fn to(items: Vec<Item>) -> Self {
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
    /// Applies or schedules a change, and returns the invoice it raised.
    pub(crate) fn update_subscription(&mut self, position: usize, change: Change, act: Act) -> Outcome<Option<usize>> {
        let items = self.merged_items(position, &change)?;
        let status = self.subscriptions[position].status;
        if change.when != ChangeWhen::Now && !change.items.is_empty() {
            return self.schedule_change(position, items, &change, act).map(|()| None);
        }
        match status {
            Status::Cancelled if !change.items.is_empty() && change.reactivate => {
                self.keep_settings(position, &change);
                let before = std::mem::replace(&mut self.subscriptions[position].items, items);
                self.adopt_period(position);
                return self.reactivate(position, change.trial_end, act).inspect_err(|_| {
                    self.subscriptions[position].items = before;
                    self.adopt_period(position);
                });
            }
            Status::Cancelled if !change.items.is_empty() => {
                return Err(Refusal::invalid_state("The subscription is cancelled."));
            }
            Status::Paused if !change.items.is_empty() => {
                return Err(Refusal::invalid_state("The subscription is paused."));
            }
            _ => {}
        }
        if let Some(end) = change.trial_end {
            self.check_trial_end(position, end, act)?;
        }
        let charged = matches!(status, Status::Active | Status::NonRenewing)
            && (items != self.subscriptions[position].items || change.force_term_reset);
        let proration = if charged { Some(self.price_change(position, &items, &change, act)?) } else { None };

        self.keep_settings(position, &change);
        let row = &mut self.subscriptions[position];
        row.items = items;
        // A new change takes the place of one that was scheduled.
        row.scheduled_change = None;
        self.adopt_period(position);
        let mut collected = None;
        if let Some(proration) = proration {
            self.subscriptions[position].term = Some(proration.term);
            if proration.credit > 0 {
                let customer = self.customer_of(position);
                self.customers[customer].refundable_credits += proration.credit;
                self.touch_customer(customer, act.now);
            }
            if proration.lines.is_empty() {
                // Nothing to charge: the credit, if any, waits for the next invoice.
            } else if change.invoice_immediately {
                collected = Some(self.raise_and_collect(position, proration.lines, act));
            } else {
                self.subscriptions[position].unbilled.extend(proration.lines);
            }
        }
        let activates = change.trial_end.is_some_and(|end| self.move_trial_end(position, end, act));
        self.touch_subscription(position, act.now);
        let extended = status == Status::InTrial && change.trial_end.is_some() && change.items.is_empty();
        let event = if extended { "subscription_trial_extended" } else { "subscription_changed" };
        let invoice = collected.as_ref().map(|collected| collected.invoice);
        if !(activates && change.items.is_empty()) {
            self.emit_subscription(event, position, invoice, act);
        }
        if let Some(collected) = collected {
            self.announce(&collected, act);
        }
        if activates {
            self.activate(position, act.secs(), act);
        }
        Ok(invoice)
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

    /// The list of items after the change.
    fn merged_items(&self, position: usize, change: &Change) -> Outcome<Vec<Item>> {
        let current = &self.subscriptions[position].items;
        if change.items.is_empty() {
            return Ok(current.clone());
        }
        let is_plan = |item: &Item| {
            self.catalog.prices.get(&item.item_price_id).is_some_and(|price| price.item_type == ItemType::Plan)
        };
        let gives_plan = change.items.iter().any(is_plan);
        let mut items: Vec<Item> = Vec::new();
        for kept in current {
            let given_again = change.items.iter().any(|item| item.item_price_id == kept.item_price_id);
            // A given plan takes the place of the old one; a list that replaces keeps at most the plan.
            let survives = if is_plan(kept) { !gives_plan } else { !change.replace };
            if survives && !given_again {
                items.push(kept.clone());
            }
        }
        let at = if gives_plan { 0 } else { items.len() };
        items.splice(at..at, change.items.iter().cloned());
        let basket = self.check_items(&items)?;
        if basket.currency != self.subscriptions[position].currency {
            let message = "The currency of a subscription cannot be changed.";
            return Err(Refusal::wrong_value("subscription_items[item_price_id][0]", message));
        }
        Ok(items)
    }

    fn schedule_change(&mut self, position: usize, items: Vec<Item>, change: &Change, act: Act) -> Outcome<()> {
        let row = &self.subscriptions[position];
        let end = match row.status {
            Status::InTrial => row.trial_end,
            Status::Active => row.term.map(|term| term.end),
            Status::Future | Status::NonRenewing | Status::Paused | Status::Cancelled => None,
        };
        let Some(end) = end else {
            let message = format!("A change cannot be scheduled for a {} subscription.", row.status.as_str());
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
        self.subscriptions[position].scheduled_change = Some(ScheduledChange { at, items });
        self.touch_subscription(position, act.now);
        self.emit_subscription("subscription_changes_scheduled", position, None, act);
        Ok(())
    }

    /// Takes a scheduled change back.
    pub(crate) fn remove_scheduled_change(&mut self, position: usize, act: Act) -> Outcome<()> {
        if self.subscriptions[position].scheduled_change.take().is_none() {
            return Err(Refusal::invalid_state("No changes are scheduled for this subscription."));
        }
        self.touch_subscription(position, act.now);
        self.emit_subscription("subscription_scheduled_changes_removed", position, None, act);
        Ok(())
    }

    /// Puts the scheduled items in place at the end of a term, where the next term charges for them.
    pub(crate) fn apply_scheduled_items(&mut self, position: usize, act: Act) {
        if let Some(change) = self.subscriptions[position].scheduled_change.take() {
            self.subscriptions[position].items = change.items;
            self.adopt_period(position);
            self.touch_subscription(position, act.now);
            self.emit_subscription("subscription_changed", position, None, act);
        }
    }

    /// Applies a change that was scheduled for a date inside the term.
    pub(crate) fn apply_scheduled_change(&mut self, position: usize, act: Act) {
        if let Some(scheduled) = self.subscriptions[position].scheduled_change.take() {
            let mut change = Change::to(scheduled.items);
            change.replace = true;
            if let Err(refusal) = self.update_subscription(position, change, act) {
                tracing::debug!(reason = %refusal.message, "a scheduled change was dropped");
                self.touch_subscription(position, act.now);
            }
        }
    }

    fn adopt_period(&mut self, position: usize) {
        if let Ok(basket) = self.check_items(&self.subscriptions[position].items) {
            let row = &mut self.subscriptions[position];
            row.billing_period = basket.period;
            row.billing_period_unit = basket.unit;
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
        over
    }

    /// What an immediate change inside a paid term costs. Refused when the charge would fail.
    fn price_change(&mut self, position: usize, items: &[Item], change: &Change, act: Act) -> Outcome<Proration> {
        let basket = self.check_items(items)?;
        let row = &self.subscriptions[position];
        let old = row.term.ok_or_else(|| Refusal::invalid_state("The subscription has no current term."))?;
        let now = act.secs();
        let resets =
            change.force_term_reset || (basket.period, basket.unit) != (row.billing_period, row.billing_period_unit);
        let term = if resets {
            Term { anchor: now, cycle: 0, start: now, end: add_periods(now, basket.unit, basket.period) }
        } else {
            old
        };
        let old_items = row.items.clone();
        let share = |amount: i64, term: Term| prorated(amount, term.end - now.max(term.start), term.end - term.start);
        let credit = if change.prorate { share(self.items_amount(&old_items, false), old) } else { 0 };
        let mut lines = Vec::new();
        for item in items {
            let Some(price) = self.catalog.prices.get(&item.item_price_id) else { continue };
            let is_new = !old_items.contains(item);
            let amount = match price.item_type {
                ItemType::Charge if is_new => price.amount(item.quantity),
                ItemType::Charge => continue,
                _ if resets => price.amount(item.quantity),
                _ if change.prorate => share(price.amount(item.quantity), old),
                _ => continue,
            };
            let to = term.end;
            lines.push(self.line(item, now, to, amount));
        }
        let charge: i64 = lines.iter().map(|line| line.amount).fold(0, i64::saturating_add);
        let credit_left = (credit - charge).max(0);
        if charge <= credit && !resets {
            // A downgrade: what the old items were worth more becomes a credit, and no invoice is needed.
            return Ok(Proration { term, credit: credit_left, lines: Vec::new() });
        }
        if change.invoice_immediately {
            self.check_subscription_charge(position, charge - credit)?;
        }
        Ok(Proration { term, credit, lines })
    }
}

/// The price of a change: the term it leads to, a credit, and the lines to invoice.
struct Proration {
    term: Term,
    credit: i64,
    lines: Vec<LineItem>,
}

/// `amount * part / whole`, rounded half up.
fn prorated(amount: i64, part: i64, whole: i64) -> i64 {
    if whole <= 0 || part <= 0 {
        return 0;
    }
    let share = (i128::from(amount) * i128::from(part.min(whole)) * 2 + i128::from(whole)) / (i128::from(whole) * 2);
    i64::try_from(share).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::prorated;

    #[test]
    fn shares_are_rounded_half_up() {
        assert_eq!(prorated(100, 1, 2), 50);
        assert_eq!(prorated(5, 1, 2), 3);
        assert_eq!(prorated(100, 3, 0), 0);
        assert_eq!(prorated(100, 9, 3), 100);
    }
}
