//! Items and their prices: the demo's catalog, and what a quantity costs.
//!
//! Source: Chargebee API docs, "Items" and "Item prices" (Product Catalog 2.0).

use std::collections::BTreeMap;

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

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pricing {
    PerUnit,
    FlatFee,
    /// One tier for every quantity, so that a quantity exists and the price does not grow with it.
    Stairstep,
}

impl Pricing {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Pricing::PerUnit => "per_unit",
            Pricing::FlatFee => "flat_fee",
            Pricing::Stairstep => "stairstep",
        }
    }
}

#[derive(Debug, Clone)]
pub(crate) struct CatalogItem {
    pub(crate) id: String,
    pub(crate) name: &'static str,
    pub(crate) item_type: ItemType,
    pub(crate) stamp: Stamp,
}

#[derive(Debug, Clone)]
pub(crate) struct ItemPrice {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) item_id: String,
    pub(crate) item_type: ItemType,
    pub(crate) pricing: Pricing,
    /// Minor units.
    pub(crate) price: i64,
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

impl ItemPrice {
    /// The amount of one period for `quantity`, in minor units; saturates.
    pub(crate) fn amount(&self, quantity: i64) -> i64 {
        match self.pricing {
            Pricing::PerUnit => self.price.saturating_mul(quantity),
            Pricing::FlatFee | Pricing::Stairstep => self.price,
        }
    }
}

impl Row for CatalogItem {
    fn id(&self) -> &str {
        &self.id
    }
}

impl Row for ItemPrice {
    fn id(&self) -> &str {
        &self.id
    }
}

#[derive(Debug, Default)]
pub(crate) struct Catalog {
    pub(crate) items: Table<CatalogItem>,
    pub(crate) prices: Table<ItemPrice>,
}

impl Catalog {
    /// The demo's catalog, in US dollars and euros.
    pub(crate) fn demo(now_secs: i64) -> Self {
        let mut catalog = Self::default();
        let stamp = Stamp { updated_at: now_secs, resource_version: now_secs.saturating_mul(1_000) };
        let items = [
            ("starter", "Starter", ItemType::Plan),
            ("growth", "Growth", ItemType::Plan),
            ("scale", "Scale", ItemType::Plan),
            ("extra-projects", "Extra projects", ItemType::Addon),
            ("onboarding", "Onboarding", ItemType::Charge),
        ];
        for (id, name, item_type) in items {
            catalog.items.insert(CatalogItem { id: id.into(), name, item_type, stamp });
        }
        let plans = [
            ("starter", "Starter", Pricing::Stairstep, 1_900, 19_000, None),
            ("growth", "Growth", Pricing::Stairstep, 4_900, 49_000, Some(14)),
            ("scale", "Scale", Pricing::PerUnit, 1_500, 15_000, None),
        ];
        for (currency, suffix) in [("USD", ""), ("EUR", "-eur")] {
            let mut add = |id: String, name: String, item_id: &str, item_type, pricing, price, period, trial_days| {
                catalog.prices.insert(ItemPrice {
                    id,
                    name,
                    item_id: item_id.into(),
                    item_type,
                    pricing,
                    price,
                    currency: currency.into(),
                    period,
                    trial_days,
                    archived: false,
                    created_at: now_secs,
                    stamp,
                    texts: BTreeMap::new(),
                });
            };
            for (plan, name, pricing, month, year, trial) in plans {
                for (word, unit, price) in [("monthly", PeriodUnit::Month, month), ("yearly", PeriodUnit::Year, year)] {
                    let id = format!("{plan}-plan-{word}{suffix}");
                    let name = format!("{name} {currency} {word}");
                    add(id, name, plan, ItemType::Plan, pricing, price, Some((1, unit)), trial);
                }
            }
            let month = Some((1, PeriodUnit::Month));
            let name = format!("Extra projects {currency}");
            let id = format!("extra-projects-monthly{suffix}");
            add(id, name, "extra-projects", ItemType::Addon, Pricing::PerUnit, 500, month, None);
            let name = format!("Onboarding {currency}");
            let id = format!("onboarding{suffix}");
            add(id, name, "onboarding", ItemType::Charge, Pricing::FlatFee, 49_900, None, None);
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
        assert_eq!(catalog.prices.get("growth-plan-monthly").unwrap().amount(25), 4_900);
        assert_eq!(catalog.prices.get("growth-plan-yearly-eur").unwrap().amount(2), 49_000);
        assert_eq!(catalog.prices.get("scale-plan-monthly").unwrap().amount(3), 4_500);
        assert_eq!(catalog.prices.get("onboarding").unwrap().amount(1), 49_900);
        assert_eq!(catalog.prices.len(), 16);
    }
}
