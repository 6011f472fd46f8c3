use std::collections::BTreeMap;

use serde::Deserialize;

use super::{Identified, lenient};

/// A price of the account's catalog, with what has to be asked for. Source: API reference, "The Price object".
#[derive(Debug, Deserialize)]
pub(crate) struct ListedPrice {
    pub(crate) id: String,
    pub(crate) active: Option<bool>,
    pub(crate) lookup_key: Option<String>,
    pub(crate) currency: String,
    /// The numbers of the price's own currency.
    #[serde(flatten)]
    pub(crate) rate: Rate,
    /// Every currency with its numbers, the price's own among them.
    #[serde(default, deserialize_with = "lenient")]
    pub(crate) currency_options: Option<BTreeMap<String, Rate>>,
    /// `per_unit` or `tiered`.
    pub(crate) billing_scheme: Option<String>,
    /// `graduated` or `volume`.
    pub(crate) tiers_mode: Option<String>,
    pub(crate) recurring: Option<Recurring>,
    /// An id, unless it was expanded.
    #[serde(default, deserialize_with = "lenient")]
    pub(crate) product: Option<Product>,
}

impl Identified for ListedPrice {
    fn id(&self) -> &str {
        &self.id
    }
}

/// What one currency costs.
#[derive(Debug, Deserialize)]
pub(crate) struct Rate {
    /// `None` where it has tiers, or is finer than a minor unit.
    pub(crate) unit_amount: Option<i64>,
    /// Only where they were asked for.
    pub(crate) tiers: Option<Vec<Tier>>,
}

/// One step of a price.
#[derive(Debug, Deserialize)]
pub(crate) struct Tier {
    pub(crate) flat_amount: Option<i64>,
    pub(crate) unit_amount: Option<i64>,
    pub(crate) up_to: Option<i64>,
}

/// How often it is charged.
#[derive(Debug, Deserialize)]
pub(crate) struct Recurring {
    pub(crate) interval: String,
    pub(crate) interval_count: Option<i64>,
    pub(crate) usage_type: Option<String>,
}

/// What a price is a price of.
#[derive(Debug, Deserialize)]
pub(crate) struct Product {
    pub(crate) id: String,
    pub(crate) name: Option<String>,
    #[serde(default)]
    pub(crate) metadata: BTreeMap<String, String>,
}
