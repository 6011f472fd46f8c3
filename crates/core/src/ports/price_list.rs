//! What a billing provider sells, as its own catalog holds it, and how ours gets there.

use std::collections::BTreeMap;

use async_trait::async_trait;

use crate::{
    catalog::Interval,
    ids::PriceId,
    money::Currency,
    ports::{Page, ProviderError},
    snapshot::ItemType,
};

/// One price id as our catalog sells it, in every currency that it is listed in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /// The id of our catalog.
    pub id: PriceId,
    /// What it is a price of, at the provider.
    pub item: String,
    /// As people read it.
    pub title: String,
    /// Plan, add-on or charge.
    pub item_type: ItemType,
    /// How often it is charged.
    pub interval: Interval,
    /// Minor units by currency; never empty.
    pub amounts: BTreeMap<Currency, i64>,
    /// Whether the amount is charged for every one of a quantity, or once for all of it.
    pub each: bool,
}

/// One price as the provider holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PriceRecord {
    /// Its id.
    pub id: PriceId,
    /// The id of our catalog under which it was made, where the provider chose another one.
    pub made_as: Option<PriceId>,
    /// What it is a price of.
    pub item: String,
    /// As people read it.
    pub title: String,
    /// Plan, add-on or charge, where the provider tells.
    pub item_type: Option<ItemType>,
    /// How often it is charged; `None` for what our catalog has no word for.
    pub interval: Option<Interval>,
    /// Minor units by currency; `None` where it is not one number, or was not told.
    pub amounts: BTreeMap<Currency, Option<i64>>,
    /// Whether the amount is charged for every one of a quantity; `None` where it is neither, as with steps.
    pub each: Option<bool>,
    /// Whether it can be sold.
    pub active: bool,
}

/// A provider's own catalog, where its API lets us read and write it.
#[async_trait]
pub trait PriceList: Send + Sync {
    /// Whether the provider names prices itself, so that a new one does not have the id of our catalog.
    fn names_prices(&self) -> bool;

    /// Whether the amount of a price can be changed. Whoever has bought it before may keep the old one.
    fn changes_amounts(&self) -> bool;

    /// Reads every price, also what is no longer sold, page by page.
    ///
    /// # Errors
    /// [`ProviderError`], by kind.
    async fn prices(&self, page: Option<&str>) -> Result<Page<PriceRecord>, ProviderError>;

    /// Makes a price, and what it is a price of where that is missing; answers the id it has there. Repeating it makes
    /// no second one: a price that was made for this offer before is answered.
    ///
    /// # Errors
    /// [`ProviderError`], by kind.
    async fn create_price(&self, offer: &Offer) -> Result<PriceId, ProviderError>;

    /// Has a price sold again, and, where [`PriceList::changes_amounts`], at the offer's amount.
    ///
    /// # Errors
    /// [`ProviderError`], by kind.
    async fn change_price(&self, id: &PriceId, offer: &Offer) -> Result<(), ProviderError>;
}
