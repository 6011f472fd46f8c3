//! One-time payments: from prices to a hosted page, without a row of ours.
//!
//! Nothing is written down before the provider is asked: a page whose link was lost can be paid by nobody, so that
//! asking again makes another one and costs nothing. The provider sends the person straight back to the product, and
//! keeps what was paid as an invoice.

use tollkeeper_core::{
    account::Account,
    catalog::{Catalog, Interval, Price, Sold},
    ids::PriceId,
    money::Currency,
    ports::PaymentRequest,
    snapshot::ItemType,
    subscription::CheckoutItem,
};

use crate::{
    Actor, Error, Settings, Tollkeeper,
    budget::for_a_person,
    checkout::refused,
    choice::{MOST, redirects},
    decide::cause,
};

/// What a person wants to pay once.
#[derive(Clone, Debug, Default)]
pub struct PayRequest {
    /// One-time prices by id, each with its quantity; at least one.
    pub items: Vec<(String, i64)>,
    /// Where to go after paying; `/billing?done=paid` when not given.
    pub success_url: Option<String>,
    /// Where to go after giving up; `/billing?checkout=cancelled` when not given.
    pub cancel_url: Option<String>,
}

impl Tollkeeper {
    /// Makes a hosted page for a one-time payment, and the customer that pays if there is none yet; answers the page's
    /// address. Every call makes a page of its own; what nobody pays expires at the provider.
    ///
    /// # Errors
    /// [`Error::Invalid`] with the field; [`Error::Conflict`] with `no_applicable_gateway`; [`Error::Provider`].
    pub async fn pay(&self, actor: &Actor, request: &PayRequest) -> Result<String, Error> {
        for_a_person(self.start_payment(actor, request)).await
    }

    async fn start_payment(&self, actor: &Actor, request: &PayRequest) -> Result<String, Error> {
        let id = actor.organization_id();
        let cause = cause::api(format!("pay by {}", actor.user_id));
        let account = self.ensure_organization(id).await?;
        let choose = |account: &Account| basket(self.settings(), &self.catalog(), account, &request.items);
        choose(&account)?;
        let success = request.success_url.as_deref().unwrap_or("/billing?done=paid");
        let (success_url, cancel_url) = redirects(self.settings(), Some(success), request.cancel_url.as_deref())?;
        let account = self.payer(actor, &cause).await?;
        // Again, on the account as it is now: somebody may have pinned a currency meanwhile.
        let basket = choose(&account)?;
        let provider = &account.organization.billing_provider;
        let billing = self.billing(provider)?;
        let customer = account
            .customer(provider)
            .ok_or_else(|| Error::conflict("no_customer", "the customer went away while the payment began"))?;
        let request = PaymentRequest {
            key: self.key("payment"),
            organization_id: id.clone(),
            customer_id: customer.clone(),
            user_id: Some(actor.user_id.to_string()),
            items: basket.items,
            currency: basket.currency,
            success_url: self.short_enough(billing.as_ref(), &success_url),
            cancel_url: self.short_enough(billing.as_ref(), &cancel_url),
        };
        let url = billing.start_payment(&request).await.map_err(refused)?;
        Ok(url)
    }
}

/// What can be paid on one page.
struct Basket {
    items: Vec<CheckoutItem>,
    currency: Currency,
}

/// Resolves prices against the catalog, or refuses the first that cannot be paid once. Who pays in no currency yet pays
/// in that of the first price: the default one, if it is sold in that.
fn basket(
    settings: &Settings,
    catalog: &Catalog,
    account: &Account,
    wanted: &[(String, i64)],
) -> Result<Basket, Error> {
    let organization = &account.organization;
    let mut items: Vec<CheckoutItem> = Vec::new();
    let mut currency = organization.currency;
    for (place, (id, quantity)) in wanted.iter().enumerate() {
        let field = |member: &str| format!("items[{place}].{member}");
        let preferred = currency.unwrap_or(settings.default_currency);
        let price = match catalog.sold_in(&organization.billing_provider, &PriceId::from(id.as_str()), preferred) {
            Some(Sold::Addon(_, price)) if price.interval == Interval::Once => price,
            Some(Sold::Addon(_, Price { interval, .. }) | Sold::Plan(_, Price { interval, .. })) => {
                let problem = format!("`{id}` is paid every {}: name a price that is paid once", interval.as_str());
                return Err(Error::invalid(field("priceId"), "not_one_time", problem));
            }
            None => {
                let problem = format!("Unknown price: `{id}` is not in the catalog");
                return Err(Error::invalid(field("priceId"), "unknown_price", problem));
            }
        };
        if !(1..=MOST).contains(quantity) {
            let problem = format!("a quantity is {quantity}: 1 to {MOST} are possible");
            return Err(Error::invalid(field("quantity"), "bad_quantity", problem));
        }
        if items.iter().any(|item| item.price_id == price.id) {
            return Err(Error::invalid(field("priceId"), "named_twice", format!("`{id}` is named twice")));
        }
        let pays_in = *currency.get_or_insert(price.currency);
        if pays_in != price.currency {
            let problem = format!("`{id}` is in {}: everything here must be in {pays_in}", price.currency);
            return Err(Error::invalid(field("priceId"), "currency_mismatch", problem));
        }
        items.push(CheckoutItem { price_id: price.id.clone(), quantity: *quantity, item_type: ItemType::Charge });
    }
    match currency.filter(|_| !items.is_empty()) {
        Some(currency) => Ok(Basket { items, currency }),
        None => Err(Error::invalid("items", "empty_list", "items must not be empty")),
    }
}
