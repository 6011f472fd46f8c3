//! Items and their prices: the demo's catalog, and what a quantity costs.
//!
//! A subscription keeps the rate at which an item was sold to it. Editing a price changes what is sold from then on;
//! who has the item keeps its rate, also with another quantity, until the item is given up and taken anew. (What the
//! provider does when only the quantity changes is not documented in what we have; this is an assumption.)
//!
//! Source: Chargebee API docs, "Items" and "Item prices" (Product Catalog 2.0).

use std::collections::BTreeMap;
use std::sync::Arc;

use super::model::Stamp;
use super::table::{Row, Table};
use crate::moment::PeriodUnit;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ItemType {
    Plan,
    Addon,
    Charge,
}

impl ItemType {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            ItemType::Plan => "plan",
            ItemType::Addon => "addon",
            ItemType::Charge => "charge",
        }
    }
}

/// The family of everything that the demo sells.
const FAMILY: &str = "sandbox";

/// One step of a stairstep price: what every quantity from `starting_unit` on costs in all, in minor units.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Tier {
    pub(crate) starting_unit: i64,
    pub(crate) price: i64,
}

/// A pricing model with its numbers, in minor units.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Rate {
    PerUnit(i64),
    FlatFee(i64),
    /// By starting unit, the first one being 1.
    Stairstep(Arc<[Tier]>),
}

impl Rate {
    pub(crate) fn stairs(price: i64) -> Self {
        Self::Stairstep(Arc::from([Tier { starting_unit: 1, price }]))
    }

    /// The `pricing_model`.
    pub(crate) fn model(&self) -> &'static str {
        match self {
            Rate::PerUnit(_) => "per_unit",
            Rate::FlatFee(_) => "flat_fee",
            Rate::Stairstep(_) => "stairstep",
        }
    }

    /// The amount of one period for `quantity`, in minor units; saturates.
    pub(crate) fn amount(&self, quantity: i64) -> i64 {
        match self {
            Rate::PerUnit(price) => price.saturating_mul(quantity),
            Rate::FlatFee(_) | Rate::Stairstep(_) => self.unit_amount(quantity),
        }
    }

    /// The `unit_amount` of an invoice line.
    pub(crate) fn unit_amount(&self, quantity: i64) -> i64 {
        match self {
            Rate::PerUnit(price) | Rate::FlatFee(price) => *price,
            Rate::Stairstep(tiers) => {
                let step = tiers.iter().rev().find(|tier| tier.starting_unit <= quantity);
                step.or(tiers.first()).map_or(0, |tier| tier.price)
            }
        }
    }
}

/// What a request asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Asked {
    pub(crate) item_price_id: String,
    pub(crate) quantity: i64,
}

/// What a subscription has, at the rate at which it was sold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Item {
    pub(crate) item_price_id: String,
    pub(crate) item_type: ItemType,
    pub(crate) quantity: i64,
    pub(crate) rate: Rate,
}

impl Item {
    /// The amount of one period, in minor units.
    pub(crate) fn amount(&self) -> i64 {
        self.rate.amount(self.quantity)
    }

    /// Whether it is charged for in every period.
    pub(crate) fn recurs(&self) -> bool {
        self.item_type != ItemType::Charge
    }
}

/// The sum of the items for one period, in minor units; with one-time charges or without.
pub(crate) fn amount_of(items: &[Item], with_charges: bool) -> i64 {
    items.iter().filter(|item| with_charges || item.recurs()).map(Item::amount).fold(0, i64::saturating_add)
}

/// What items are grouped by.
#[derive(Debug, Clone)]
pub(crate) struct ItemFamily {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) stamp: Stamp,
}

#[derive(Debug, Clone)]
pub(crate) struct CatalogItem {
    pub(crate) id: String,
    pub(crate) name: String,
    /// The id of its family.
    pub(crate) family: String,
    pub(crate) item_type: ItemType,
    pub(crate) stamp: Stamp,
}

#[derive(Debug, Clone)]
pub(crate) struct ItemPrice {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) item_id: String,
    /// The id of the item's family.
    pub(crate) family: String,
    pub(crate) item_type: ItemType,
    pub(crate) rate: Rate,
    pub(crate) currency: String,
    /// `None` for one-time charges.
    pub(crate) period: Option<(i64, PeriodUnit)>,
    pub(crate) trial_days: Option<i64>,
    pub(crate) archived: bool,
    pub(crate) created_at: i64,
    pub(crate) stamp: Stamp,
    /// What an update said beside the modelled members: `description`, `external_name`, …
    pub(crate) texts: BTreeMap<&'static str, String>,
}

macro_rules! rows {
    ($($row:ty),*) => {
        $(impl Row for $row {
            fn id(&self) -> &str {
                &self.id
            }

            fn stamp(&self) -> Option<Stamp> {
                Some(self.stamp)
            }

            fn set_stamp(&mut self, stamp: Stamp) {
                self.stamp = stamp;
            }
        })*
    };
}

rows!(ItemFamily, CatalogItem, ItemPrice);

#[derive(Debug, Clone, Default)]
pub(crate) struct Catalog {
    pub(crate) families: Table<ItemFamily>,
    pub(crate) items: Table<CatalogItem>,
    pub(crate) prices: Table<ItemPrice>,
}

impl Catalog {
    /// The demo's catalog, in US dollars and euros.
    pub(crate) fn demo(now_secs: i64) -> Self {
        let mut catalog = Self::default();
        let stamp = Stamp { updated_at: now_secs, resource_version: now_secs.saturating_mul(1_000) };
        catalog.families.insert(ItemFamily { id: FAMILY.into(), name: "Sandbox".into(), stamp });
        let items = [
            ("starter", "Starter", ItemType::Plan),
            ("growth", "Growth", ItemType::Plan),
            ("scale", "Scale", ItemType::Plan),
            ("extra-projects", "Extra projects", ItemType::Addon),
            ("onboarding", "Onboarding", ItemType::Charge),
        ];
        for (id, name, item_type) in items {
            let (id, name, family) = (id.to_owned(), name.to_owned(), FAMILY.to_owned());
            catalog.items.insert(CatalogItem { id, name, family, item_type, stamp });
        }
        let plans = [
            ("starter", "Starter", Rate::stairs as fn(i64) -> Rate, 1_900, 19_000, None),
            ("growth", "Growth", Rate::stairs, 4_900, 49_000, Some(14)),
            ("scale", "Scale", Rate::PerUnit, 1_500, 15_000, None),
        ];
        for (currency, suffix) in [("USD", ""), ("EUR", "-eur")] {
            let mut add = |id: String, name: String, item_id: &str, item_type, rate, period, trial_days| {
                catalog.prices.insert(ItemPrice {
                    id,
                    name,
                    item_id: item_id.into(),
                    family: FAMILY.into(),
                    item_type,
                    rate,
                    currency: currency.into(),
                    period,
                    trial_days,
                    archived: false,
                    created_at: now_secs,
                    stamp,
                    texts: BTreeMap::new(),
                });
            };
            for (plan, name, rate, month, year, trial) in plans {
                for (word, unit, price) in [("monthly", PeriodUnit::Month, month), ("yearly", PeriodUnit::Year, year)] {
                    let id = format!("{plan}-plan-{word}{suffix}");
                    let name = format!("{name} {currency} {word}");
                    add(id, name, plan, ItemType::Plan, rate(price), Some((1, unit)), trial);
                }
            }
            let month = Some((1, PeriodUnit::Month));
            let name = format!("Extra projects {currency}");
            let id = format!("extra-projects-monthly{suffix}");
            add(id, name, "extra-projects", ItemType::Addon, Rate::PerUnit(500), month, None);
            let name = format!("Onboarding {currency}");
            let id = format!("onboarding{suffix}");
            add(id, name, "onboarding", ItemType::Charge, Rate::FlatFee(49_900), None, None);
        }
        catalog
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seats_cost_only_where_they_are_sold() {
        let catalog = Catalog::demo(0);
        let amount = |id: &str, quantity| catalog.prices.get(id).unwrap().rate.amount(quantity);
        assert_eq!(amount("growth-plan-monthly", 25), 4_900);
        assert_eq!(amount("growth-plan-yearly-eur", 2), 49_000);
        assert_eq!(amount("scale-plan-monthly", 3), 4_500);
        assert_eq!(amount("onboarding", 1), 49_900);
        assert_eq!(catalog.prices.len(), 16);
    }

    #[test]
    fn a_stair_holds_from_its_first_unit_on() {
        let tier = |starting_unit, price| Tier { starting_unit, price };
        let rate = Rate::Stairstep(Arc::from([tier(1, 100), tier(6, 250)]));
        assert_eq!([1, 5, 6, 60].map(|quantity| rate.amount(quantity)), [100, 100, 250, 250]);
    }
}
