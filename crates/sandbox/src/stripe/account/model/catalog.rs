//! Products and prices.
//!
//! Source: Stripe API reference, "Products" and "Prices".

use std::collections::BTreeMap;

use super::{Metadata, words};

words! {
    /// The `recurring.interval`.
    IntervalUnit { Day = "day", Week = "week", Month = "month", Year = "year" }
}

/// The length of a billing period.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Interval {
    pub(crate) unit: IntervalUnit,
    /// `interval_count`, at least 1.
    pub(crate) count: i64,
}

/// One step of a volume price: what every unit costs, and what the step costs in all, up to and with `up_to`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Tier {
    /// `None` is `inf`.
    pub(crate) up_to: Option<i64>,
    pub(crate) unit_amount: Option<i64>,
    pub(crate) flat_amount: Option<i64>,
}

/// A billing scheme with its numbers, in minor units.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Rate {
    /// `billing_scheme` `per_unit`.
    PerUnit(i64),
    /// `billing_scheme` `tiered`, `tiers_mode` `volume`.
    Volume(Vec<Tier>),
}

impl Rate {
    /// One tier with only a `flat_amount`: there is a quantity, and the price does not grow with it.
    pub(crate) fn flat(amount: i64) -> Self {
        Self::Volume(vec![Tier { up_to: None, unit_amount: None, flat_amount: Some(amount) }])
    }

    /// The amount of one period for `quantity`, in minor units; saturates.
    pub(crate) fn amount(&self, quantity: i64) -> i64 {
        match self {
            Rate::PerUnit(price) => price.saturating_mul(quantity),
            Rate::Volume(_) if quantity <= 0 => 0,
            Rate::Volume(tiers) => {
                let step = tiers.iter().find(|tier| tier.up_to.is_none_or(|up_to| quantity <= up_to));
                step.or(tiers.last()).map_or(0, |tier| {
                    let units = tier.unit_amount.unwrap_or(0).saturating_mul(quantity);
                    units.saturating_add(tier.flat_amount.unwrap_or(0))
                })
            }
        }
    }

    /// The `unit_amount` of a price: tiers have none.
    pub(crate) fn unit_amount(&self) -> Option<i64> {
        match self {
            Rate::PerUnit(price) => Some(*price),
            Rate::Volume(_) => None,
        }
    }
}

#[derive(Debug, Clone)]
pub(crate) struct Product {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) description: Option<String>,
    pub(crate) active: bool,
    /// The id of a price.
    pub(crate) default_price: Option<String>,
    pub(crate) metadata: Metadata,
    pub(crate) created: i64,
    pub(crate) updated: i64,
    pub(crate) deleted: bool,
}

#[derive(Debug, Clone)]
pub(crate) struct Price {
    pub(crate) id: String,
    /// The id of its product.
    pub(crate) product: String,
    pub(crate) nickname: Option<String>,
    pub(crate) active: bool,
    /// Lower case, as everywhere in this API.
    pub(crate) currency: String,
    pub(crate) rate: Rate,
    /// `currency_options` but for the price's own currency.
    pub(crate) currency_options: BTreeMap<String, Rate>,
    /// `recurring`; `None` for one-time prices.
    pub(crate) interval: Option<Interval>,
    /// `recurring.meter`; with one, `recurring.usage_type` is `metered`.
    pub(crate) meter: Option<String>,
    pub(crate) lookup_key: Option<String>,
    pub(crate) metadata: Metadata,
    pub(crate) created: i64,
}

impl Price {
    /// The rate in a currency, if the price has one.
    pub(crate) fn rate_in(&self, currency: &str) -> Option<&Rate> {
        if currency == self.currency { Some(&self.rate) } else { self.currency_options.get(currency) }
    }
}
