//! `/v1/products` and `/v1/prices`. Source: Stripe API reference, "Products", "Prices".

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::list::{Range, Window};
use super::params::Params;
use super::search::Search;
use super::{Call, Reply, problem};
use crate::stripe::account::Object;
use crate::stripe::account::catalog::{PriceChange, PriceInput, ProductInput};
use crate::stripe::account::model::{Interval, IntervalUnit, Rate, Tier};
use crate::stripe::account::refusal::Refusal;

/// Understood, and without an effect here.
const OF_PRODUCTS: [&str; 9] = [
    "images",
    "marketing_features",
    "package_dimensions",
    "shippable",
    "statement_descriptor",
    "tax_code",
    "tax_details",
    "unit_label",
    "url",
];

pub(super) fn products(call: &mut Call<'_>, method: &str, path: &[&str]) -> Option<Reply> {
    Some(match (method, path) {
        ("POST", []) => create_product(call),
        ("GET", []) => list_products(call),
        ("GET", ["search"]) => search(call, "/v1/products/search", |call| {
            (0..call.account.products.len()).rev().map(Object::Product).collect()
        }),
        ("GET", [id]) => call.product(id).and_then(|position| {
            call.read_all()?;
            Ok(call.show(Object::Product(position)))
        }),
        ("POST", [id]) => update_product(call, id),
        _ => return None,
    })
}

pub(super) fn prices(call: &mut Call<'_>, method: &str, path: &[&str]) -> Option<Reply> {
    Some(match (method, path) {
        ("POST", []) => create_price(call),
        ("GET", []) => list_prices(call),
        ("GET", ["search"]) => {
            search(call, "/v1/prices/search", |call| (0..call.account.prices.len()).rev().map(Object::Price).collect())
        }
        ("GET", [id]) => call.price(id).and_then(|position| {
            call.read_all()?;
            Ok(call.show(Object::Price(position)))
        }),
        ("POST", [id]) => update_price(call, id),
        _ => return None,
    })
}

/// Searches among objects, newest first.
pub(super) fn search(call: &mut Call<'_>, url: &str, objects: impl Fn(&Call<'_>) -> Vec<Object>) -> Reply {
    let search = Search::read(&mut call.params)?;
    call.read_all()?;
    let rows = objects(call);
    Ok(search.page(url, rows.into_iter().map(|object| call.show(object))))
}

impl Call<'_> {
    fn product(&self, id: &str) -> Result<usize, Refusal> {
        self.account.products.position(id).ok_or_else(|| Refusal::no_such("product", id))
    }

    fn price(&self, id: &str) -> Result<usize, Refusal> {
        self.account.prices.position(id).ok_or_else(|| Refusal::no_such("price", id))
    }
}

fn product_input(params: &mut Params) -> Result<ProductInput, Refusal> {
    params.ignore(&OF_PRODUCTS);
    Ok(ProductInput {
        id: None,
        name: params.text("name")?,
        description: params.patch("description")?,
        active: params.boolean("active")?,
        default_price: params.patch("default_price")?,
        metadata: params.metadata()?,
    })
}

fn create_product(call: &mut Call<'_>) -> Reply {
    call.params.ignore(&["type"]);
    let id = call.params.text("id")?;
    let input = ProductInput { id, ..product_input(&mut call.params)? };
    call.read_all()?;
    let position = call.account.create_product(input, call.act)?;
    Ok(call.show(Object::Product(position)))
}

fn update_product(call: &mut Call<'_>, id: &str) -> Reply {
    let position = call.product(id)?;
    let input = product_input(&mut call.params)?;
    call.read_all()?;
    if let Some(Some(price)) = &input.default_price
        && !call.account.prices.contains(price)
    {
        return Err(Refusal::missing_reference("price", price, "default_price"));
    }
    call.account.update_product(position, input, call.act);
    Ok(call.show(Object::Product(position)))
}

fn list_products(call: &mut Call<'_>) -> Reply {
    let window = Window::read(&mut call.params)?;
    let created = Range::read(&mut call.params, "created")?;
    let (active, ids) = (call.params.boolean("active")?, call.params.texts("ids")?);
    call.read_all()?;
    let table = &call.account.products;
    let keeps = |position: usize| {
        let row = &table[position];
        !row.deleted
            && created.holds(row.created)
            && active.is_none_or(|active| row.active == active)
            && ids.as_ref().is_none_or(|ids| ids.contains(&row.id))
    };
    window.page("/v1/products", table, keeps, |position| call.show(Object::Product(position)))
}

fn interval(params: &mut Params) -> Result<Option<(Interval, Option<String>)>, Refusal> {
    let Some(mut recurring) = params.branch("recurring")? else { return Ok(None) };
    let word = recurring.required("interval")?;
    let unit = IntervalUnit::parse(&word)
        .ok_or_else(|| problem::not_among(&recurring.name_of("interval"), &["day", "week", "month", "year"]))?;
    let count = recurring.at_least("interval_count", 1)?.unwrap_or(1);
    let usage = recurring.word("usage_type", &["licensed", "metered"])?;
    let meter = recurring.text("meter")?;
    recurring.ignore(&["trial_period_days", "aggregate_usage"]);
    if usage == Some("metered") && meter.is_none() {
        // Since basil a metered price has a meter.
        return Err(problem::missing(&recurring.name_of("meter")));
    }
    recurring.done()?;
    Ok(Some((Interval { unit, count }, meter)))
}

/// The numbers of a price, or of one of its currencies.
fn rate(params: &mut Params) -> Result<Rate, Refusal> {
    params.ignore(&["tax_behavior", "custom_unit_amount"]);
    if let Some(tiers) = params.branches("tiers")? {
        let tiers = tiers.into_iter().map(tier).collect::<Result<Vec<_>, _>>()?;
        return Ok(Rate::Volume(tiers));
    }
    let amount = match params.integer("unit_amount")? {
        Some(amount) => Some(amount),
        None => params.integer("unit_amount_decimal")?,
    };
    amount.map(Rate::PerUnit).ok_or_else(|| problem::missing(&params.name_of("unit_amount")))
}

fn tier(mut params: Params) -> Result<Tier, Refusal> {
    let up_to = params.required("up_to")?;
    let up_to = match up_to.as_str() {
        "inf" => None,
        number => Some(number.parse().map_err(|_| problem::integer(&params.name_of("up_to"), number))?),
    };
    let tier = Tier { up_to, unit_amount: params.integer("unit_amount")?, flat_amount: params.integer("flat_amount")? };
    params.done()?;
    Ok(tier)
}

fn create_price(call: &mut Call<'_>) -> Reply {
    let params = &mut call.params;
    params.ignore(&["transform_quantity"]);
    let currency = params.required("currency")?.to_lowercase();
    params.word("billing_scheme", &["per_unit", "tiered"])?;
    if params.word("tiers_mode", &["graduated", "volume"])? == Some("graduated") {
        return Err(problem::invalid("tiers_mode", "This sandbox only has volume tiers."));
    }
    let rate = rate(params)?;
    let mut currency_options = BTreeMap::new();
    if let Some(mut options) = params.branch("currency_options")? {
        for name in options.names() {
            if let Some(mut option) = options.branch(&name)? {
                currency_options.insert(name.to_lowercase(), self::rate(&mut option)?);
                option.done()?;
            }
        }
    }
    let recurring = interval(params)?;
    let product = params.text("product")?;
    let described = params.branch("product_data")?;
    let mut input = PriceInput {
        product: String::new(),
        currency,
        rate,
        currency_options,
        interval: recurring.as_ref().map(|(interval, _)| *interval),
        meter: recurring.and_then(|(_, meter)| meter),
        nickname: params.text("nickname")?,
        lookup_key: params.text("lookup_key")?,
        transfers_lookup_key: params.boolean("transfer_lookup_key")?.unwrap_or(false),
        active: params.boolean("active")?.unwrap_or(true),
        metadata: params.new_metadata()?,
    };
    call.read_all()?;
    input.product = match (product, described) {
        (Some(id), None) => id,
        (None, Some(described)) => new_product(call, described)?,
        (Some(_), Some(_)) => return Err(Refusal::parameters_exclusive("product", "product_data")),
        (None, None) => return Err(problem::missing("product")),
    };
    let position = call.account.create_price(input, call.act)?;
    Ok(call.show(Object::Price(position)))
}

/// `price_data`: a price that is described in passing, and not active.
pub(super) fn inline_price(call: &mut Call<'_>, mut described: Params) -> Result<String, Refusal> {
    let currency = described.required("currency")?.to_lowercase();
    let rate = rate(&mut described)?;
    let recurring = interval(&mut described)?;
    let (product, data) = (described.text("product")?, described.branch("product_data")?);
    let missing = problem::missing(&described.name_of("product"));
    described.done()?;
    let product = match (product, data) {
        (Some(id), _) => id,
        (None, Some(data)) => new_product(call, data)?,
        (None, None) => return Err(missing),
    };
    let input = PriceInput {
        product,
        currency,
        rate,
        currency_options: BTreeMap::new(),
        interval: recurring.as_ref().map(|(interval, _)| *interval),
        meter: None,
        nickname: None,
        lookup_key: None,
        transfers_lookup_key: false,
        active: false,
        metadata: BTreeMap::new(),
    };
    let position = call.account.create_price(input, call.act)?;
    Ok(call.account.prices[position].id.clone())
}

/// `product_data`: a product that is described in passing.
fn new_product(call: &mut Call<'_>, mut described: Params) -> Result<String, Refusal> {
    let name = described.required("name")?;
    let input = ProductInput { name: Some(name), ..product_input(&mut described)? };
    described.done()?;
    let position = call.account.create_product(input, call.act)?;
    Ok(call.account.products[position].id.clone())
}

fn update_price(call: &mut Call<'_>, id: &str) -> Reply {
    let position = call.price(id)?;
    let params = &mut call.params;
    params.ignore(&["tax_behavior", "currency_options"]);
    let change = PriceChange {
        active: params.boolean("active")?,
        nickname: params.patch("nickname")?,
        lookup_key: params.patch("lookup_key")?,
        transfers_lookup_key: params.boolean("transfer_lookup_key")?.unwrap_or(false),
        metadata: params.metadata()?,
    };
    call.read_all()?;
    call.account.update_price(position, change, call.act)?;
    Ok(call.show(Object::Price(position)))
}

fn list_prices(call: &mut Call<'_>) -> Reply {
    let window = Window::read(&mut call.params)?;
    let params = &mut call.params;
    let created = Range::read(params, "created")?;
    let (active, currency, product) = (params.boolean("active")?, params.text("currency")?, params.text("product")?);
    let (kind, keys) = (params.word("type", &["one_time", "recurring"])?, params.texts("lookup_keys")?);
    let recurring = match params.branch("recurring")? {
        None => Value::Null,
        Some(recurring) => json!(recurring.rest()?),
    };
    call.read_all()?;
    if keys.as_ref().is_some_and(|keys| keys.len() > 10) {
        return Err(problem::invalid("lookup_keys", "You can list prices by up to 10 lookup keys."));
    }
    let table = &call.account.prices;
    let keeps = |position: usize| {
        let row = &table[position];
        let unit = row.interval.map(|interval| interval.unit.as_str());
        let usage = if row.meter.is_some() { "metered" } else { "licensed" };
        created.holds(row.created)
            && active.is_none_or(|active| row.active == active)
            && currency.as_ref().is_none_or(|currency| row.currency == *currency)
            && product.as_ref().is_none_or(|product| row.product == *product)
            && kind.is_none_or(|kind| (kind == "recurring") == row.interval.is_some())
            && keys.as_ref().is_none_or(|keys| row.lookup_key.as_ref().is_some_and(|key| keys.contains(key)))
            && recurring["interval"].as_str().is_none_or(|interval| unit == Some(interval))
            && recurring["usage_type"].as_str().is_none_or(|wanted| row.interval.is_some() && usage == wanted)
            && recurring["meter"].as_str().is_none_or(|meter| row.meter.as_deref() == Some(meter))
    };
    window.page("/v1/prices", table, keeps, |position| call.show(Object::Price(position)))
}
