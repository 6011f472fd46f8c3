use serde::Deserialize;

/// `GET /item_prices`, `GET|POST /item_prices/{id}`.
#[derive(Debug, Deserialize)]
pub(crate) struct ItemPriceAnswer {
    pub(crate) item_price: ItemPrice,
}

/// A price of the catalog. Source: API docs, "Item prices".
#[derive(Debug, Deserialize)]
pub(crate) struct ItemPrice {
    pub(crate) id: String,
    pub(crate) item_id: Option<String>,
    pub(crate) item_type: Option<String>,
    /// `active`, `archived` or `deleted`.
    pub(crate) status: Option<String>,
    pub(crate) pricing_model: Option<String>,
    pub(crate) price: Option<i64>,
    #[serde(default)]
    pub(crate) tiers: Vec<Tier>,
    pub(crate) currency_code: Option<String>,
    pub(crate) period: Option<i64>,
    pub(crate) period_unit: Option<String>,
}

/// One step of a price.
#[derive(Debug, Deserialize)]
pub(crate) struct Tier {
    pub(crate) starting_unit: Option<i64>,
    pub(crate) price: Option<i64>,
}

/// `GET /item_families`.
#[derive(Debug, Deserialize)]
pub(crate) struct ItemFamilyAnswer {
    pub(crate) item_family: ItemFamily,
}

/// What items are grouped by.
#[derive(Debug, Deserialize)]
pub(crate) struct ItemFamily {
    pub(crate) id: String,
    pub(crate) status: Option<String>,
}
