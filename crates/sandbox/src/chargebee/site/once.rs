//! What is bought once, without a subscription: one invoice, paid with the card of the page.
//!
//! Source: Chargebee API docs, "Create checkout for one-time charges" and "Invoices": such an invoice is not `recurring`
//! and names no subscription.

use super::cards::{Behaviour, Card};
use super::catalog::{Asked, Item, ItemType};
use super::checkout::NotFinished;
use super::customers::CustomerInput;
use super::news::Raised;
use super::{Act, Outcome, Site};
use crate::chargebee::refusal::Refusal;

impl Site {
    /// The charges at today's rates, and their currency.
    ///
    /// `currency` is what the request says; a site with several currencies has a price for each, so that the prices say
    /// it too.
    pub(crate) fn sell_once(&self, asked: &[Asked], currency: Option<&str>) -> Outcome<(Vec<Item>, String)> {
        let mut currency = currency.map(str::to_owned);
        let mut items = Vec::with_capacity(asked.len());
        for (index, wanted) in asked.iter().enumerate() {
            let param = || format!("item_prices[item_price_id][{index}]");
            let Some(price) = self.catalog.prices.get(&wanted.item_price_id).filter(|price| !price.archived) else {
                let message = format!("The item price {} is not present.", wanted.item_price_id);
                return Err(Refusal::wrong_value(param(), message));
            };
            if price.item_type != ItemType::Charge {
                return Err(Refusal::wrong_value(param(), "Only item prices of charges can be bought once."));
            }
            if *currency.get_or_insert_with(|| price.currency.clone()) != price.currency {
                return Err(Refusal::wrong_value(param(), "The currency differs from that of the invoice."));
            }
            items.push(Item {
                item_price_id: wanted.item_price_id.clone(),
                item_type: price.item_type,
                quantity: wanted.quantity,
                rate: price.rate.clone(),
            });
        }
        match currency.filter(|_| !items.is_empty()) {
            Some(currency) => Ok((items, currency)),
            None => Err(Refusal::wrong_value("item_prices[item_price_id][0]", "At least one item price is needed.")),
        }
    }

    /// Buys with a card, as a person does on the page. A declined card changes nothing. Answers the customer, by
    /// position, and what was raised.
    pub(super) fn finish_once(
        &mut self,
        asked: &[Asked],
        currency: Option<&str>,
        customer_id: Option<&str>,
        customer: CustomerInput,
        card: Card,
        act: Act,
    ) -> Result<(usize, Raised), NotFinished> {
        let (items, currency) = self.sell_once(asked, currency)?;
        if card.behaviour != Behaviour::Pays {
            return Err(NotFinished::Declined("Your card has insufficient funds.".into()));
        }
        let customer = self.customer_at_checkout(customer_id, customer, act)?;
        self.store_card(customer, card, act);
        let now = act.secs();
        let lines = items.iter().map(|item| self.line(item, now, now, item.amount())).collect();
        let mut raised = Raised::default();
        let invoice = self.insert_invoice(self.customers[customer].id.clone(), String::new(), currency, lines, act);
        self.collect(invoice, true, &mut raised, act);
        self.announce_purchase(invoice, &raised, act);
        Ok((customer, raised))
    }
}
