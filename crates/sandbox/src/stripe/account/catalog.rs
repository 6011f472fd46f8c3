//! Products and prices: the demo's catalog, and what may be changed.
//!
//! Signatures: `create_product(ProductInput, act) -> Outcome<usize>`, `update_product(position, ProductInput, act)`,
//! `create_price(PriceInput, act) -> Outcome<usize>`, `update_price(position, PriceChange, act) -> Outcome<()>`,
//! `reprice(position, amount, act)` for the dashboard, `live_price(id, param) -> Outcome<usize>`.
//!
//! Through the API an amount is never edited: a new price is made. The sandbox's dashboard can, so that a test can
//! have a price that is edited in between; what is charged from then on has the new amount.
//!
//! Source: Stripe API reference, "Products" and "Prices".

use std::collections::BTreeMap;

use super::model::{Interval, IntervalUnit, Metadata, Patch, Price, Product, Rate, merge, set};
use super::refusal::Refusal;
use super::{Account, Act, Object, Outcome};

/// What a request says about a product.
#[derive(Debug, Clone, Default)]
pub(crate) struct ProductInput {
    pub(crate) id: Option<String>,
    pub(crate) name: Option<String>,
    pub(crate) description: Patch<String>,
    pub(crate) active: Option<bool>,
    pub(crate) default_price: Patch<String>,
    pub(crate) metadata: Patch<Metadata>,
}

/// What a request says about a new price.
#[derive(Debug, Clone)]
pub(crate) struct PriceInput {
    /// The id of a product.
    pub(crate) product: String,
    pub(crate) currency: String,
    pub(crate) rate: Rate,
    pub(crate) currency_options: BTreeMap<String, Rate>,
    pub(crate) interval: Option<Interval>,
    /// The id of a meter; only with an interval.
    pub(crate) meter: Option<String>,
    pub(crate) nickname: Option<String>,
    pub(crate) lookup_key: Option<String>,
    /// Whether a price that has the lookup key gives it up.
    pub(crate) transfers_lookup_key: bool,
    /// Prices that a request describes in passing are not active.
    pub(crate) active: bool,
    pub(crate) metadata: Metadata,
}

/// What a request changes of a price.
#[derive(Debug, Clone, Default)]
pub(crate) struct PriceChange {
    pub(crate) active: Option<bool>,
    pub(crate) nickname: Patch<String>,
    pub(crate) lookup_key: Patch<String>,
    pub(crate) transfers_lookup_key: bool,
    pub(crate) metadata: Patch<Metadata>,
}

impl Account {
    /// Puts the demo's catalog, its meter and the default portal configuration there.
    pub(super) fn stock(&mut self, now: i64) {
        let month = Interval { unit: IntervalUnit::Month, count: 1 };
        let year = Interval { unit: IntervalUnit::Year, count: 1 };
        let products = [
            ("starter", "Starter"),
            ("growth", "Growth"),
            ("scale", "Scale"),
            ("extra_projects", "Extra projects"),
            ("onboarding", "Onboarding"),
        ];
        for (key, name) in products {
            self.products.insert(Product {
                id: format!("prod_{key}"),
                name: name.into(),
                description: None,
                active: true,
                default_price: None,
                metadata: Metadata::new(),
                created: now,
                updated: now,
                deleted: false,
            });
        }
        let flat = Rate::flat as fn(i64) -> Rate;
        let prices = [
            ("starter", "starter_monthly", "Starter monthly", flat(1_900), Some(month)),
            ("starter", "starter_yearly", "Starter yearly", flat(19_000), Some(year)),
            ("growth", "growth_monthly", "Growth monthly", flat(4_900), Some(month)),
            ("growth", "growth_yearly", "Growth yearly", flat(49_000), Some(year)),
            ("scale", "scale_monthly", "Scale monthly", Rate::PerUnit(1_500), Some(month)),
            ("scale", "scale_yearly", "Scale yearly", Rate::PerUnit(15_000), Some(year)),
            ("extra_projects", "extra_projects_monthly", "Extra projects", Rate::PerUnit(500), Some(month)),
            ("onboarding", "onboarding", "Onboarding", Rate::PerUnit(49_900), None),
        ];
        for (product, key, name, rate, interval) in prices {
            self.prices.insert(Price {
                id: format!("price_{key}"),
                product: format!("prod_{product}"),
                nickname: Some(name.into()),
                active: true,
                currency: "usd".into(),
                currency_options: BTreeMap::from([("eur".to_owned(), rate.clone())]),
                rate,
                interval,
                meter: None,
                lookup_key: Some(key.into()),
                metadata: Metadata::new(),
                created: now,
            });
        }
        self.stock_meters(now);
        self.stock_portal(now);
    }

    pub(crate) fn create_product(&mut self, input: ProductInput, act: Act) -> Outcome<usize> {
        let name = input.name.clone().ok_or_else(|| Refusal::parameter_missing("name"))?;
        let id = input.id.clone().unwrap_or_else(|| self.ids.alphanumeric("prod_", 14));
        if self.products.contains(&id) {
            return Err(Refusal::already_exists(format!("Product already exists: {id}")).about("id"));
        }
        let product = self.products.insert(Product {
            id,
            name,
            description: None,
            active: true,
            default_price: None,
            metadata: Metadata::new(),
            created: act.secs(),
            updated: act.secs(),
            deleted: false,
        });
        self.apply_product(product, input, act);
        self.emit("product.created", Object::Product(product), None, act);
        Ok(product)
    }

    pub(crate) fn update_product(&mut self, position: usize, input: ProductInput, act: Act) {
        let before = self.snapshot(Object::Product(position));
        self.apply_product(position, input, act);
        self.emit_updated("product.updated", Object::Product(position), &before, act);
    }

    fn apply_product(&mut self, position: usize, input: ProductInput, act: Act) {
        let row = &mut self.products[position];
        row.name = input.name.unwrap_or(std::mem::take(&mut row.name));
        row.active = input.active.unwrap_or(row.active);
        row.updated = act.secs();
        set(&mut row.description, input.description);
        set(&mut row.default_price, input.default_price);
        merge(&mut row.metadata, input.metadata);
    }

    pub(crate) fn create_price(&mut self, input: PriceInput, act: Act) -> Outcome<usize> {
        if self.products.get(&input.product).is_none_or(|product| product.deleted) {
            return Err(Refusal::missing_reference("product", &input.product, "product"));
        }
        if let Some(meter) = &input.meter
            && !self.meters.contains(meter)
        {
            return Err(Refusal::missing_reference("meter", meter, "recurring[meter]"));
        }
        self.claim_lookup_key(input.lookup_key.as_deref(), input.transfers_lookup_key, None, act)?;
        let price = self.prices.insert(Price {
            id: self.ids.alphanumeric("price_1", 23),
            product: input.product,
            nickname: input.nickname,
            active: input.active,
            currency: input.currency,
            rate: input.rate,
            currency_options: input.currency_options,
            interval: input.interval,
            meter: input.meter,
            lookup_key: input.lookup_key,
            metadata: input.metadata,
            created: act.secs(),
        });
        self.emit("price.created", Object::Price(price), None, act);
        Ok(price)
    }

    pub(crate) fn update_price(&mut self, position: usize, change: PriceChange, act: Act) -> Outcome<()> {
        if let Some(Some(key)) = &change.lookup_key {
            self.claim_lookup_key(Some(key), change.transfers_lookup_key, Some(position), act)?;
        }
        let before = self.snapshot(Object::Price(position));
        let row = &mut self.prices[position];
        row.active = change.active.unwrap_or(row.active);
        set(&mut row.nickname, change.nickname);
        set(&mut row.lookup_key, change.lookup_key);
        merge(&mut row.metadata, change.metadata);
        self.emit_updated("price.updated", Object::Price(position), &before, act);
        Ok(())
    }

    /// A lookup key belongs to one price.
    fn claim_lookup_key(&mut self, key: Option<&str>, transfers: bool, by: Option<usize>, act: Act) -> Outcome<()> {
        let Some(key) = key else { return Ok(()) };
        let holder = self.prices.iter().position(|price| price.lookup_key.as_deref() == Some(key));
        match holder.filter(|holder| Some(*holder) != by) {
            None => Ok(()),
            Some(holder) if transfers => {
                let before = self.snapshot(Object::Price(holder));
                self.prices[holder].lookup_key = None;
                self.emit_updated("price.updated", Object::Price(holder), &before, act);
                Ok(())
            }
            Some(_) => Err(Refusal::wrong_value(
                "lookup_key",
                format!("A price with the lookup key {key} already exists. Use transfer_lookup_key to move it."),
            )),
        }
    }

    /// Changes what a price costs, as somebody with hands on the database would: `amount` in minor units, in every
    /// currency, for a unit where units cost, else in all.
    pub(crate) fn reprice(&mut self, position: usize, amount: i64, act: Act) {
        let before = self.snapshot(Object::Price(position));
        let row = &mut self.prices[position];
        for rate in row.currency_options.values_mut().chain([&mut row.rate]) {
            *rate = match rate {
                Rate::PerUnit(_) => Rate::PerUnit(amount),
                Rate::Volume(_) => Rate::flat(amount),
            };
        }
        self.emit_updated("price.updated", Object::Price(position), &before, act);
    }

    /// The position of a price that can be sold; `param` names it in the request.
    pub(crate) fn live_price(&self, id: &str, param: &str) -> Outcome<usize> {
        let position = self.prices.position(id).ok_or_else(|| Refusal::missing_reference("price", id, param))?;
        let product = self.products.get(&self.prices[position].product);
        if product.is_none_or(|product| !product.active || product.deleted) {
            let message = format!("The price `{id}` belongs to a product that is not active.");
            return Err(Refusal::wrong_value(param, message));
        }
        Ok(position)
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::account;

    #[test]
    fn seats_cost_only_where_they_are_sold() {
        let account = account();
        let amount = |id: &str, currency: &str, quantity| {
            account.prices.get(id).unwrap().rate_in(currency).unwrap().amount(quantity)
        };
        assert_eq!(amount("price_growth_monthly", "usd", 25), 4_900);
        assert_eq!(amount("price_growth_yearly", "eur", 2), 49_000);
        assert_eq!(amount("price_scale_monthly", "usd", 3), 4_500);
        assert_eq!(amount("price_onboarding", "usd", 1), 49_900);
        assert_eq!(account.prices.len(), 8);
    }
}
