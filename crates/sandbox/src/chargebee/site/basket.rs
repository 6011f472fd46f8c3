//! From what is asked for to what is sold: known prices, one plan, one currency.
//!
//! Source: Chargebee API docs, "Create subscription for items", "Update subscription for items".

use super::catalog::{Asked, Item, ItemType};
use super::{Outcome, Site};
use crate::chargebee::refusal::Refusal;
use crate::moment::PeriodUnit;

/// Items that fit together, and what their plan says for all of them.
#[derive(Debug, Clone)]
pub(crate) struct Basket {
    pub(crate) items: Vec<Item>,
    pub(crate) currency: String,
    pub(crate) period: i64,
    pub(crate) unit: PeriodUnit,
    pub(crate) trial_days: Option<i64>,
}

impl Site {
    /// The items at today's rates, if they fit together.
    pub(crate) fn sell(&self, asked: &[Asked]) -> Outcome<Basket> {
        self.basket(self.sold(asked, &[])?)
    }

    /// The asked items at today's rates; one that is among `kept` stays at its own.
    pub(crate) fn sold(&self, asked: &[Asked], kept: &[Item]) -> Outcome<Vec<Item>> {
        let mut items = Vec::with_capacity(asked.len());
        for (index, wanted) in asked.iter().enumerate() {
            if let Some(item) = kept.iter().find(|item| item.item_price_id == wanted.item_price_id) {
                items.push(Item { quantity: wanted.quantity, ..item.clone() });
                continue;
            }
            let Some(price) = self.catalog.prices.get(&wanted.item_price_id).filter(|price| !price.archived) else {
                let message = format!("The item price {} is not present.", wanted.item_price_id);
                return Err(Refusal::wrong_value(price_param(index), message));
            };
            items.push(Item {
                item_price_id: wanted.item_price_id.clone(),
                item_type: price.item_type,
                quantity: wanted.quantity,
                rate: price.rate.clone(),
            });
        }
        Ok(items)
    }

    /// Checks that items fit together.
    pub(crate) fn basket(&self, items: Vec<Item>) -> Outcome<Basket> {
        let mut basket: Option<Basket> = None;
        for (index, item) in items.iter().enumerate() {
            let plan = self.catalog.prices.get(&item.item_price_id).filter(|price| price.item_type == ItemType::Plan);
            let Some(price) = plan else { continue };
            let (period, unit) = price.period.expect("every plan price of the catalog has a period");
            let (currency, trial_days) = (price.currency.clone(), price.trial_days);
            if basket.replace(Basket { items: Vec::new(), currency, period, unit, trial_days }).is_some() {
                let message = "A subscription has exactly one plan item price.";
                return Err(Refusal::wrong_value(price_param(index), message));
            }
        }
        let Some(mut basket) = basket else {
            return Err(Refusal::wrong_value(price_param(0), "A subscription needs a plan item price."));
        };
        for (index, item) in items.iter().enumerate() {
            let price = self.catalog.prices.get(&item.item_price_id);
            if price.is_some_and(|price| price.currency != basket.currency) {
                return Err(Refusal::wrong_value(price_param(index), "The currency differs from the plan's."));
            }
        }
        basket.items = items;
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
}

fn price_param(index: usize) -> String {
    format!("subscription_items[item_price_id][{index}]")
}
