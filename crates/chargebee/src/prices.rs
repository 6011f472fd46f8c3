//! The site's catalog: item families, items and item prices (Product Catalog 2.0).
//!
//! Every id is ours to choose, so that nothing can be made twice. Names must be unique as well: an item price is named by
//! its id, and people see its external name.
//!
//! A plan whose price does not grow with its seats is a stairstep price with one step: a flat fee has no quantity, and
//! then there would be no seats.
//!
//! Source: API docs, "Item families", "Items", "Item prices", "Pricing models".

use std::collections::BTreeMap;

use async_trait::async_trait;
use tollkeeper_core::{
    catalog::Interval,
    ids::PriceId,
    ports::{ErrorKind, Offer, Page, PriceList, PriceRecord, ProviderError},
    snapshot::ItemType,
};

use crate::{
    Chargebee,
    client::Endpoint,
    error::Attempt,
    form::Form,
    reading::PAGE_ROWS,
    wire::{self, ItemPrice},
};

const CREATE: &str = "create price";
const CHANGE: &str = "change price";

/// The family of new items, where the site has none.
const FAMILY: &str = "default";

#[async_trait]
impl PriceList for Chargebee {
    fn names_prices(&self) -> bool {
        false
    }

    fn changes_amounts(&self) -> bool {
        true
    }

    async fn prices(&self, page: Option<&str>) -> Result<Page<PriceRecord>, ProviderError> {
        let query = Form::new()
            .set("limit", PAGE_ROWS)
            .set_some("offset", page.filter(|page| !page.is_empty()))
            .pair(&["sort_by", "asc"], "updated_at");
        let page: wire::Page<wire::ItemPriceAnswer> =
            self.client.get(Endpoint::new("list prices", "/item_prices"), &query).await?;
        let is_there = |row: &ItemPrice| row.status.as_deref() != Some("deleted");
        let rows = page.list.into_iter().map(|row| row.item_price).filter(is_there).map(record).collect();
        Ok(Page { rows, next: page.next_offset.filter(|next| !next.is_empty()) })
    }

    async fn create_price(&self, offer: &Offer) -> Result<PriceId, ProviderError> {
        let form = creation(offer)?;
        self.ensure_item(offer).await?;
        let made = self.client.post::<wire::Nothing>(Endpoint::new(CREATE, "/item_prices"), &form, None).await;
        match made {
            Ok(_) => {}
            // A name that is taken is told in the same way as an id that is.
            Err(error) if error.kind == ErrorKind::Conflict => {
                self.item_price(offer.id.as_str()).await.map_err(|_| error)?;
            }
            Err(error) => return Err(error),
        }
        Ok(offer.id.clone())
    }

    async fn change_price(&self, id: &PriceId, offer: &Offer) -> Result<(), ProviderError> {
        let (_, amount) = only_amount(CHANGE, offer)?;
        let there = self.item_price(id.as_str()).await?;
        let is_step = there.pricing_model.as_deref() == Some("stairstep");
        let form = Form::new().set("status", "active");
        // Several steps were never compared with our one amount, so that nobody has agreed to lose them.
        let form = if record(there).each.is_some() { rate(form, is_step, amount) } else { form };
        let endpoint = Endpoint::on(CHANGE, "/item_prices/{id}", id.as_str());
        self.client.post::<wire::Nothing>(endpoint, &form, None).await.map(drop)
    }
}

impl Chargebee {
    async fn item_price(&self, id: &str) -> Result<ItemPrice, ProviderError> {
        let endpoint = Endpoint::on("read price", "/item_prices/{id}", id);
        Ok(self.client.get::<wire::ItemPriceAnswer>(endpoint, &Form::new()).await?.item_price)
    }

    async fn ensure_item(&self, offer: &Offer) -> Result<(), ProviderError> {
        let endpoint = Endpoint::on("read item", "/items/{id}", &offer.item);
        match self.client.get::<wire::Nothing>(endpoint, &Form::new()).await {
            Err(error) if error.kind == ErrorKind::NotFound => {}
            other => return other.map(drop),
        }
        let form = Form::new()
            .set("id", &offer.item)
            .set("name", &offer.title)
            .set("type", offer.item_type.as_str())
            .set("item_family_id", self.family().await?)
            .set("enabled_for_checkout", true)
            .set("enabled_in_portal", true);
        let made = self.client.post::<wire::Nothing>(Endpoint::new("create item", "/items"), &form, None).await;
        match made {
            // Somebody else made it meanwhile.
            Err(error) if error.kind == ErrorKind::Conflict => {
                self.client.get::<wire::Nothing>(endpoint, &Form::new()).await.map(drop).map_err(|_| error)
            }
            other => other.map(drop),
        }
    }

    /// The first family that is in use, else a new one.
    async fn family(&self) -> Result<String, ProviderError> {
        let families: Vec<wire::ItemFamilyAnswer> =
            self.list("list item families", "/item_families", &Form::new()).await?;
        let in_use = families.into_iter().map(|row| row.item_family);
        if let Some(family) = in_use.filter(|family| family.status.as_deref() != Some("deleted")).map(|it| it.id).next()
        {
            return Ok(family);
        }
        let form = Form::new().set("id", FAMILY).set("name", "Default");
        let endpoint = Endpoint::new("create item family", "/item_families");
        match self.client.post::<wire::Nothing>(endpoint, &form, None).await {
            Err(error) if error.kind != ErrorKind::Conflict => Err(error),
            _ => Ok(FAMILY.to_owned()),
        }
    }
}

/// A price has one currency.
fn only_amount(operation: &'static str, offer: &Offer) -> Result<(String, i64), ProviderError> {
    let mut amounts = offer.amounts.iter();
    match (amounts.next(), amounts.next()) {
        (Some((currency, amount)), None) => Ok((currency.to_string(), *amount)),
        _ => Err(Attempt { operation, writes: false }.error(
            ErrorKind::Rejected,
            format!("`{}` has several currencies, and here each currency has a price of its own", offer.id),
        )),
    }
}

fn creation(offer: &Offer) -> Result<Form, ProviderError> {
    let (currency, amount) = only_amount(CREATE, offer)?;
    let is_step = offer.item_type == ItemType::Plan && !offer.each;
    let form = Form::new()
        .set("id", &offer.id)
        .set("name", &offer.id)
        .set("external_name", &offer.title)
        .set("item_id", &offer.item)
        .set("currency_code", currency)
        .set("pricing_model", if is_step { "stairstep" } else { "per_unit" });
    let form = match offer.interval {
        Interval::Month | Interval::Year => form.set("period", 1).set("period_unit", offer.interval.as_str()),
        Interval::Once => form,
    };
    Ok(rate(form, is_step, amount))
}

fn rate(form: Form, is_step: bool, amount: i64) -> Form {
    if is_step {
        form.cell("tiers", "starting_unit", 0, 1).cell("tiers", "price", 0, amount)
    } else {
        form.set("price", amount)
    }
}

fn record(row: ItemPrice) -> PriceRecord {
    let item_type = row.item_type.as_deref().and_then(|word| {
        [ItemType::Plan, ItemType::Addon, ItemType::Charge].into_iter().find(|known| known.as_str() == word)
    });
    let interval = match (row.period, row.period_unit.as_deref()) {
        (Some(1), Some("month")) => Some(Interval::Month),
        (Some(1), Some("year")) => Some(Interval::Year),
        (None, None) => Some(Interval::Once),
        _ => None,
    };
    let (each, amount) = match (row.pricing_model.as_deref(), row.tiers.as_slice()) {
        (Some("per_unit"), _) => (Some(true), row.price),
        (Some("flat_fee"), _) => (Some(false), row.price),
        (Some("stairstep"), [only]) if only.starting_unit == Some(1) => (Some(false), only.price),
        _ => (None, None),
    };
    let currency = row.currency_code.and_then(|code| code.parse().ok());
    let item = row.item_id.unwrap_or_default();
    PriceRecord {
        // What the item is called is told by the item alone.
        title: item.clone(),
        id: row.id.into(),
        made_as: None,
        item,
        item_type,
        interval,
        amounts: currency.map(|currency| (currency, amount)).into_iter().collect::<BTreeMap<_, _>>(),
        each,
        active: row.status.as_deref() == Some("active"),
    }
}
