//! Our catalog and the provider's own: what differs, and bringing ours there.
//!
//! Comparing reads and never writes. Pushing does one step at a time; every step may be repeated without harm, so that a
//! push that ended in the middle is simply pushed again.

use std::collections::{BTreeMap, HashMap};

use tollkeeper_core::{
    catalog::{Catalog, Price},
    ids::{PriceId, Provider},
    ports::{Offer, PriceList, PriceRecord},
    snapshot::ItemType,
};

use crate::{Error, Tollkeeper};

/// What our catalog and the provider's own say of one price of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PriceState {
    /// The same.
    Same,
    /// It is not there. A push makes it.
    Missing,
    /// It is there, and differs in what can be changed there. A push changes it.
    Changeable(Vec<String>),
    /// It is there, and differs in what nobody can change there. The catalog has to follow, or sell another price.
    Stuck(Vec<String>),
    /// It was made there, under an id that the provider chose: the catalog has to name that one. With what differs.
    Renamed(PriceId, Vec<String>),
}

/// One price of ours beside what the provider has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ComparedPrice {
    /// As our catalog sells it.
    pub offer: Offer,
    /// The plan or add-on of our catalog.
    pub sold_as: String,
    /// What a push would do about it, and whether it can.
    pub state: PriceState,
}

/// Our catalog beside the one of a provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ComparedPrices {
    /// The provider.
    pub provider: Provider,
    /// Every price of ours, in the order of our catalog.
    pub ours: Vec<ComparedPrice>,
    /// What the provider sells, and our catalog does not know; with the plan or add-on of ours whose prices are of the
    /// same item there.
    pub unknown: Vec<(PriceRecord, Option<String>)>,
}

impl Tollkeeper {
    /// Reads the provider's own catalog and compares it with ours.
    ///
    /// # Errors
    /// [`Error::NotConfigured`]; [`Error::Conflict`] with `no_price_list`, where the provider has none that can be read;
    /// [`Error::Provider`].
    pub async fn compare_prices(&self, provider: &Provider) -> Result<ComparedPrices, Error> {
        let list = self.billing(provider)?.price_list().ok_or_else(no_price_list)?;
        let mut records = Vec::new();
        let mut page = None;
        loop {
            let read = list.prices(page.as_deref()).await?;
            records.extend(read.rows);
            page = match read.next {
                Some(next) if page.as_ref() != Some(&next) => Some(next),
                _ => break,
            };
        }
        Ok(compare(&self.catalog(), provider, &records, list))
    }

    /// Makes or changes one price at the provider, as its comparison says; answers its id there. Does nothing for what
    /// needs nothing, or can have nothing done.
    ///
    /// # Errors
    /// As [`Tollkeeper::compare_prices`]. Repeating it does no harm.
    pub async fn push_price(&self, provider: &Provider, price: &ComparedPrice) -> Result<PriceId, Error> {
        let list = self.billing(provider)?.price_list().ok_or_else(no_price_list)?;
        let offer = &price.offer;
        match &price.state {
            PriceState::Missing => Ok(list.create_price(offer).await?),
            PriceState::Changeable(_) => {
                list.change_price(&offer.id, offer).await?;
                Ok(offer.id.clone())
            }
            PriceState::Renamed(id, _) => Ok(id.clone()),
            PriceState::Same | PriceState::Stuck(_) => Ok(offer.id.clone()),
        }
    }
}

fn no_price_list() -> Error {
    Error::Conflict { code: "no_price_list", message: "this provider has no catalog that can be read".into() }
}

/// Every price of ours, with what is found under its id.
fn compare(catalog: &Catalog, provider: &Provider, records: &[PriceRecord], list: &dyn PriceList) -> ComparedPrices {
    let by_id: HashMap<_, _> = records.iter().map(|record| (&record.id, record)).collect();
    let by_wish: HashMap<_, _> = records.iter().filter_map(|record| Some((record.made_as.as_ref()?, record))).collect();
    let mut ours = Vec::new();
    let mut items: HashMap<&str, String> = HashMap::new();
    for shelf in shelves(catalog) {
        let prices: Vec<_> = offers(&shelf, provider);
        // What is new joins what is there already of the same plan.
        let there = prices.iter().find_map(|offer| by_id.get(&offer.id));
        if let Some(record) = there {
            items.insert(&record.item, shelf.name.clone());
        }
        for mut offer in prices {
            if let Some(record) = there {
                offer.item.clone_from(&record.item);
            }
            let state = match (by_id.get(&offer.id), by_wish.get(&offer.id)) {
                (Some(record), _) => differences(&offer, record, list),
                (None, Some(record)) if list.names_prices() => {
                    let why = match differences(&offer, record, list) {
                        PriceState::Changeable(why) | PriceState::Stuck(why) => why,
                        _ => Vec::new(),
                    };
                    PriceState::Renamed(record.id.clone(), why)
                }
                (None, _) => PriceState::Missing,
            };
            ours.push(ComparedPrice { offer, sold_as: shelf.name.clone(), state });
        }
    }
    let is_known = |record: &&PriceRecord| {
        let known = |id: &PriceId| catalog.sold(provider, id).is_some();
        known(&record.id) || record.made_as.as_ref().is_some_and(known)
    };
    let unknown = records.iter().filter(|record| record.active && !is_known(record));
    let unknown = unknown.map(|record| (record.clone(), items.get(&*record.item).cloned())).collect();
    ComparedPrices { provider: provider.clone(), ours, unknown }
}

/// A plan or an add-on.
struct Shelf<'a> {
    name: String,
    title: &'a str,
    item_type: ItemType,
    prices: &'a [Price],
}

fn shelves(catalog: &Catalog) -> impl Iterator<Item = Shelf<'_>> {
    let plans = catalog.plans().iter().map(|plan| Shelf {
        name: plan.name.to_string(),
        title: &plan.title,
        item_type: ItemType::Plan,
        prices: &plan.prices,
    });
    let addons = catalog.addons().iter().map(|addon| Shelf {
        name: addon.name.to_string(),
        title: &addon.title,
        item_type: addon.item_type,
        prices: &addon.prices,
    });
    plans.chain(addons)
}

/// The prices at one provider; an id that is listed in several currencies is one.
fn offers(shelf: &Shelf<'_>, provider: &Provider) -> Vec<Offer> {
    let mut offers: Vec<Offer> = Vec::new();
    for price in shelf.prices.iter().filter(|price| price.provider == *provider) {
        if let Some(offer) = offers.iter_mut().find(|offer| offer.id == price.id) {
            offer.amounts.insert(price.currency, price.amount);
            continue;
        }
        offers.push(Offer {
            id: price.id.clone(),
            item: shelf.name.clone(),
            title: shelf.title.to_owned(),
            item_type: shelf.item_type,
            interval: price.interval,
            amounts: BTreeMap::from([(price.currency, price.amount)]),
            // More of what comes on top always costs more.
            each: price.per_seat || shelf.item_type != ItemType::Plan,
        });
    }
    offers
}

fn differences(offer: &Offer, record: &PriceRecord, list: &dyn PriceList) -> PriceState {
    let (mut changeable, mut stuck) = (Vec::new(), Vec::new());
    if !record.active {
        changeable.push("is not sold there any more".to_owned());
    }
    if record.interval != Some(offer.interval) {
        let theirs = record.interval.map_or("another interval", |interval| interval.as_str());
        stuck.push(format!("is charged by {theirs} there, {} here", offer.interval.as_str()));
    }
    let is_plan = offer.item_type == ItemType::Plan;
    if record.item_type.is_some_and(|theirs| theirs != offer.item_type) {
        let theirs = record.item_type.map_or("", |theirs| theirs.as_str());
        stuck.push(format!("is a {theirs} there, a {} here", offer.item_type.as_str()));
    }
    // A plan may cost the same for any number of seats; of the rest, one is mostly bought.
    if is_plan && record.each.is_some_and(|each| each != offer.each) {
        let word = |each| if each { "per seat" } else { "in all" };
        stuck.push(format!("costs {} there, {} here", word(!offer.each), word(offer.each)));
    }
    for (currency, amount) in &offer.amounts {
        match record.amounts.get(currency) {
            None => stuck.push(format!("is not sold in {currency} there")),
            Some(Some(theirs)) if theirs != amount => {
                let difference = format!("costs {theirs} {currency} there, {amount} here");
                if list.changes_amounts() { changeable.push(difference) } else { stuck.push(difference) }
            }
            // What is not one number cannot be compared.
            Some(_) => {}
        }
    }
    match (changeable.is_empty(), stuck.is_empty()) {
        (true, true) => PriceState::Same,
        (false, true) => PriceState::Changeable(changeable),
        (_, false) => PriceState::Stuck(stuck.into_iter().chain(changeable).collect()),
    }
}
