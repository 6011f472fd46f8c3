//! How a subscription comes to be, over the API or from a checkout.
//!
//! Source: Chargebee API docs, "Create subscription for items"; "Subscription lifecycle".

use serde_json::Value;

use super::catalog::ItemType;
use super::collection::Collected;
use super::model::{Item, LineItem, Stamp, Status, Subscription, Term};
use super::{Act, Outcome, Site};
use crate::chargebee::refusal::Refusal;
use crate::moment::{PeriodUnit, add_periods};

/// A subscription that was asked for, its items already checked by [`Site::check_items`].
#[derive(Debug)]
pub(crate) struct NewSubscription {
    pub(crate) id: Option<String>,
    pub(crate) customer: usize,
    pub(crate) items: Vec<Item>,
    /// `None`: the plan price's own trial; `Some(0)`: none; else when it ends, in Unix seconds.
    pub(crate) trial_end: Option<i64>,
    pub(crate) start_date: Option<i64>,
    pub(crate) auto_collection: Option<bool>,
    pub(crate) meta_data: Option<Value>,
}

/// What a list of items amounts to.
#[derive(Debug, Clone)]
pub(crate) struct Basket {
    pub(crate) currency: String,
    pub(crate) period: i64,
    pub(crate) unit: PeriodUnit,
    pub(crate) trial_days: Option<i64>,
}

impl Site {
    /// Checks a list of items: known, one plan, one currency, periods that fit the plan's.
    pub(crate) fn check_items(&self, items: &[Item]) -> Outcome<Basket> {
        let mut basket: Option<Basket> = None;
        for (index, item) in items.iter().enumerate() {
            let param = format!("subscription_items[item_price_id][{index}]");
            let Some(price) = self.catalog.prices.get(&item.item_price_id).filter(|price| !price.archived) else {
                let message = format!("The item price {} is not present.", item.item_price_id);
                return Err(Refusal::wrong_value(param, message));
            };
            if price.item_type == ItemType::Plan {
                let (period, unit) = price.period.expect("every plan price of the catalog has a period");
                let next = Basket { currency: price.currency.clone(), period, unit, trial_days: price.trial_days };
                if basket.replace(next).is_some() {
                    return Err(Refusal::wrong_value(param, "A subscription has exactly one plan item price."));
                }
            }
        }
        let Some(basket) = basket else {
            let message = "A subscription needs a plan item price.";
            return Err(Refusal::wrong_value("subscription_items[item_price_id][0]", message));
        };
        for (index, item) in items.iter().enumerate() {
            let price = self.catalog.prices.get(&item.item_price_id).expect("checked above");
            if price.currency != basket.currency {
                let param = format!("subscription_items[item_price_id][{index}]");
                return Err(Refusal::wrong_value(param, "The currency differs from the plan's."));
            }
        }
        Ok(basket)
    }

    /// When the trial ends, if there is one.
    pub(crate) fn trial_end(basket: &Basket, asked: Option<i64>, starts_at: i64, param: &str) -> Outcome<Option<i64>> {
        match asked {
            Some(0) => Ok(None),
            Some(end) if end > starts_at => Ok(Some(end)),
            Some(_) => Err(Refusal::wrong_value(param, "The trial end must be in the future.")),
            None => Ok(basket.trial_days.map(|days| starts_at.saturating_add(days.saturating_mul(86_400)))),
        }
    }

    /// Creates the subscription and charges for its first term, unless it is a trial or starts later.
    ///
    /// Refused without any change when the id is taken or the charge would fail.
    pub(crate) fn create_subscription(&mut self, new: NewSubscription, act: Act) -> Outcome<(usize, Option<usize>)> {
        let basket = self.check_items(&new.items)?;
        if let Some(id) = &new.id
            && self.subscriptions.contains(id)
        {
            return Err(Refusal::duplicate("id", id));
        }
        let now = act.secs();
        let start_date = new.start_date.filter(|start| *start > now);
        let starts_at = start_date.unwrap_or(now);
        let trial_end = Self::trial_end(&basket, new.trial_end, starts_at, "trial_end")?;
        let charges_now = start_date.is_none() && trial_end.is_none();
        if charges_now {
            let customer = &self.customers[new.customer];
            if new.auto_collection.unwrap_or(customer.auto_collection) {
                let amount = self.items_amount(&new.items, true);
                self.check_charge(new.customer, amount, false, &basket.currency)?;
            }
        }
        let id = new.id.unwrap_or_else(|| self.ids.alphanumeric("", 17));
        let position = self.subscriptions.insert(Subscription {
            id,
            customer_id: self.customers[new.customer].id.clone(),
            currency: basket.currency,
            items: new.items,
            status: Status::Future,
            billing_period: basket.period,
            billing_period_unit: basket.unit,
            created_at: now,
            start_date,
            started_at: None,
            activated_at: None,
            trial_start: None,
            trial_end,
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
            invoiced: false,
            fail_next_payment: false,
            stamp: Stamp::default(),
            deleted: false,
        });
        let mut collected = None;
        if start_date.is_none() {
            collected = self.enter_service(position, now, act);
        }
        self.touch_subscription(position, act.now);
        let invoice = collected.as_ref().map(|collected| collected.invoice);
        self.emit_subscription("subscription_created", position, invoice, act);
        if let Some(collected) = collected {
            self.announce(&collected, act);
        }
        Ok((position, invoice))
    }

    /// Starts the trial, or the first paid term. No event yet: the caller knows which one it is.
    pub(crate) fn enter_service(&mut self, position: usize, at: i64, act: Act) -> Option<Collected> {
        let row = &mut self.subscriptions[position];
        row.started_at = Some(at);
        if row.trial_end.is_some_and(|end| end > at) {
            row.status = Status::InTrial;
            row.trial_start = Some(at);
            return None;
        }
        Some(self.begin_term(position, at, true, act))
    }

    /// Begins a paid term at `at` from a new anchor, raises its invoice and tries to collect it.
    pub(crate) fn begin_term(&mut self, position: usize, at: i64, with_charges: bool, act: Act) -> Collected {
        let row = &mut self.subscriptions[position];
        let end = add_periods(at, row.billing_period_unit, row.billing_period);
        row.status = if row.scheduled_cancel.is_some() { Status::NonRenewing } else { Status::Active };
        row.activated_at.get_or_insert(at);
        row.term = Some(Term { anchor: at, cycle: 0, start: at, end });
        let lines = self.term_lines(position, at, end, with_charges);
        self.raise_and_collect(position, lines, act)
    }

    /// The sum of the items for one period, in minor units.
    pub(crate) fn items_amount(&self, items: &[Item], with_charges: bool) -> i64 {
        items.iter().map(|item| self.item_amount(item, with_charges)).fold(0, i64::saturating_add)
    }

    fn item_amount(&self, item: &Item, with_charges: bool) -> i64 {
        self.catalog.prices.get(&item.item_price_id).map_or(0, |price| {
            if price.item_type == ItemType::Charge && !with_charges { 0 } else { price.amount(item.quantity) }
        })
    }

    /// Invoice lines of one full term, and what was left unbilled before.
    pub(crate) fn term_lines(&mut self, position: usize, from: i64, to: i64, with_charges: bool) -> Vec<LineItem> {
        let mut lines = std::mem::take(&mut self.subscriptions[position].unbilled);
        for item in self.subscriptions[position].items.clone() {
            let amount = self.item_amount(&item, with_charges);
            let is_charge =
                self.catalog.prices.get(&item.item_price_id).is_some_and(|price| price.item_type == ItemType::Charge);
            if !is_charge || with_charges {
                lines.push(self.line(&item, from, to, amount));
            }
        }
        lines
    }

    pub(crate) fn line(&mut self, item: &Item, from: i64, to: i64, amount: i64) -> LineItem {
        let price = self.catalog.prices.get(&item.item_price_id);
        let unit_amount = price.map_or(0, |price| price.price);
        let description = price.map_or_else(|| item.item_price_id.clone(), |price| price.name.clone());
        LineItem {
            id: self.ids.alphanumeric("li_", 16),
            date_from: from,
            date_to: to,
            unit_amount,
            quantity: item.quantity,
            amount,
            item_price_id: item.item_price_id.clone(),
            description,
        }
    }
}
