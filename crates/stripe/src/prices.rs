//! The account's catalog: products and prices.
//!
//! Stripe names prices itself. A price that we make carries the id of our catalog as its lookup key, which only one price
//! can have: so it is found again, and no second one is made. What a price costs can never be changed.
//!
//! A plan whose price does not grow with its seats has one volume tier with only a flat amount.
//!
//! Source: API reference, "Products" and "Prices".

use std::collections::BTreeMap;

use async_trait::async_trait;
use tollkeeper_core::{
    catalog::Interval,
    ids::PriceId,
    ports::{ErrorKind, Offer, Page, PriceList, PriceRecord, ProviderError},
    snapshot::ItemType,
};

use crate::{
    Stripe,
    client::Endpoint,
    form::Form,
    wire::{self, ListedPrice, Rate},
};

const PRICES: &str = "/v1/prices";
const LIST: &str = "list prices";

/// The metadata that tells an add-on from a plan: here both are products.
const ITEM_TYPE: &str = "itemType";

#[async_trait]
impl PriceList for Stripe {
    fn names_prices(&self) -> bool {
        true
    }

    fn changes_amounts(&self) -> bool {
        false
    }

    async fn prices(&self, page: Option<&str>) -> Result<Page<PriceRecord>, ProviderError> {
        let shown = Form::new().list("expand", &["data.currency_options", "data.product", "data.tiers"]);
        let page = page.filter(|page| !page.is_empty());
        let (rows, next) = self.page::<ListedPrice>(LIST, PRICES, &shown, page).await?;
        Ok(Page { rows: rows.into_iter().map(record).collect(), next })
    }

    async fn create_price(&self, offer: &Offer) -> Result<PriceId, ProviderError> {
        if let Some(made) = self.made_before(offer).await? {
            return Ok(made);
        }
        self.ensure_product(offer).await?;
        // Without a key: a repeated one would bring a stored failure back, and the lookup key is unique.
        let made = self.client.post::<ListedPrice>(Endpoint::new("create price", PRICES), &creation(offer), None).await;
        match made {
            Ok(made) => Ok(made.id.into()),
            Err(error) if matches!(error.kind, ErrorKind::Rejected | ErrorKind::Conflict) => {
                // Somebody else may have made it in between.
                self.made_before(offer).await?.ok_or(error)
            }
            Err(error) => Err(error),
        }
    }

    async fn change_price(&self, id: &PriceId, _offer: &Offer) -> Result<(), ProviderError> {
        let endpoint = Endpoint::on("change price", "/v1/prices/{id}", id.as_str());
        self.client.post::<wire::Nothing>(endpoint, &Form::new().set("active", true), None).await.map(drop)
    }
}

impl Stripe {
    /// The price that was made for an offer, when the answer that named it was lost.
    async fn made_before(&self, offer: &Offer) -> Result<Option<PriceId>, ProviderError> {
        let query = Form::new().list("lookup_keys", &[offer.id.as_str()]);
        let rows: Vec<ListedPrice> = self.list(LIST, PRICES, &query).await?;
        Ok(rows.into_iter().next().map(|price| price.id.into()))
    }

    async fn ensure_product(&self, offer: &Offer) -> Result<(), ProviderError> {
        let endpoint = Endpoint::on("read product", "/v1/products/{id}", &offer.item);
        match self.client.get::<wire::Nothing>(endpoint, &Form::new()).await {
            Err(error) if error.kind == ErrorKind::NotFound => {}
            other => return other.map(drop),
        }
        let form = Form::new()
            .set("id", &offer.item)
            .set("name", &offer.title)
            .set(format!("metadata[{ITEM_TYPE}]"), offer.item_type.as_str());
        match self.client.post::<wire::Nothing>(Endpoint::new("create product", "/v1/products"), &form, None).await {
            // Somebody else made it meanwhile.
            Err(error) if error.kind == ErrorKind::Conflict => Ok(()),
            other => other.map(drop),
        }
    }
}

fn creation(offer: &Offer) -> Form {
    let is_step = offer.item_type == ItemType::Plan && !offer.each;
    let mut currencies = offer.amounts.iter();
    let mut form = Form::new().set("product", &offer.item).set("lookup_key", &offer.id).set("nickname", &offer.id);
    if let Some((currency, amount)) = currencies.next() {
        form = rate(form.set("currency", currency.to_string().to_lowercase()), "", is_step, *amount);
    }
    for (currency, amount) in currencies {
        let options = format!("currency_options[{}]", currency.to_string().to_lowercase());
        form = rate(form, &options, is_step, *amount);
    }
    if is_step {
        form = form.set("billing_scheme", "tiered").set("tiers_mode", "volume");
    }
    match offer.interval {
        Interval::Month | Interval::Year => form.set("recurring[interval]", offer.interval.as_str()),
        Interval::Once => form,
    }
}

/// The numbers of one currency, below `within`.
fn rate(form: Form, within: &str, is_step: bool, amount: i64) -> Form {
    let name = |member: &str, rest: &str| {
        if within.is_empty() { format!("{member}{rest}") } else { format!("{within}[{member}]{rest}") }
    };
    if is_step {
        form.set(name("tiers", "[0][up_to]"), "inf").set(name("tiers", "[0][flat_amount]"), amount)
    } else {
        form.set(name("unit_amount", ""), amount)
    }
}

fn record(row: ListedPrice) -> PriceRecord {
    let is_volume = row.tiers_mode.as_deref() == Some("volume");
    let is_tiered = row.billing_scheme.as_deref() == Some("tiered");
    let (each, own) = numbers(&row.rate, is_tiered, is_volume);
    let others = row.currency_options.iter().flatten();
    let mut amounts: BTreeMap<_, _> =
        others.filter_map(|(code, rate)| Some((code.parse().ok()?, numbers(rate, is_tiered, is_volume).1))).collect();
    amounts.extend(row.currency.parse().map(|currency| (currency, own)));
    let product = row.product;
    let marked = product.as_ref().and_then(|product| product.metadata.get(ITEM_TYPE)).map(String::as_str);
    let (interval, item_type) = match &row.recurring {
        None => (Some(Interval::Once), Some(ItemType::Charge)),
        Some(recurring) => {
            let is_one = recurring.interval_count.unwrap_or(1) == 1;
            let interval = Interval::parse(&recurring.interval)
                .filter(|interval| is_one && *interval != Interval::Once)
                .filter(|_| recurring.usage_type.as_deref() != Some("metered"));
            let marks = [ItemType::Plan, ItemType::Addon].into_iter();
            (interval, marks.into_iter().find(|known| Some(known.as_str()) == marked))
        }
    };
    let (item, title) = product.map(|product| (product.id, product.name)).unwrap_or_default();
    PriceRecord {
        id: row.id.into(),
        made_as: row.lookup_key.filter(|key| !key.is_empty()).map(PriceId::from),
        title: title.unwrap_or_else(|| item.clone()),
        item,
        item_type,
        interval,
        amounts,
        each,
        active: row.active.unwrap_or(false),
    }
}

/// Whether an amount is for each of a quantity, and the amount, where it is one number.
fn numbers(rate: &Rate, is_tiered: bool, is_volume: bool) -> (Option<bool>, Option<i64>) {
    if !is_tiered {
        return (Some(true), rate.unit_amount);
    }
    match rate.tiers.as_deref() {
        Some([only]) if is_volume && only.up_to.is_none() => match (only.flat_amount, only.unit_amount) {
            (Some(amount), None | Some(0)) => (Some(false), Some(amount)),
            (None | Some(0), Some(amount)) => (Some(true), Some(amount)),
            _ => (None, None),
        },
        _ => (None, None),
    }
}
