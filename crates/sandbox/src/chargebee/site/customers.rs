//! Customers: create, change, delete, and the card on file.
//!
//! Source: Chargebee API docs, "Customers" and "Payment sources".

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::cards::Card;
use super::model::{Customer, Stamp, StoredCard};
use super::{Act, Outcome, Site};
use crate::chargebee::refusal::Refusal;
use crate::chargebee::render;

/// Text members of a customer and their longest length in characters.
pub(crate) const TEXTS: [(&str, usize); 10] = [
    ("first_name", 150),
    ("last_name", 150),
    ("email", 70),
    ("phone", 50),
    ("company", 250),
    ("locale", 50),
    ("preferred_currency_code", 3),
    ("vat_number", 20),
    ("invoice_notes", 2_000),
    ("created_from_ip", 50),
];

/// Members of a billing address and their longest length in characters.
pub(crate) const ADDRESS: [(&str, usize); 13] = [
    ("first_name", 150),
    ("last_name", 150),
    ("email", 70),
    ("company", 250),
    ("phone", 50),
    ("line1", 150),
    ("line2", 150),
    ("line3", 150),
    ("city", 50),
    ("state_code", 50),
    ("state", 50),
    ("zip", 20),
    ("country", 50),
];

/// What a request says about a customer; an empty text clears the member.
#[derive(Debug, Clone, Default)]
pub(crate) struct CustomerInput {
    pub(crate) texts: BTreeMap<&'static str, String>,
    pub(crate) billing_address: BTreeMap<&'static str, String>,
    pub(crate) auto_collection: Option<bool>,
    pub(crate) meta_data: Option<Value>,
}

impl Site {
    /// Creates a customer. Without an id one is generated; an id stays taken after a deletion.
    pub(crate) fn create_customer(&mut self, id: Option<String>, input: CustomerInput, act: Act) -> Outcome<usize> {
        let id = match id {
            Some(id) if self.customers.contains(&id) => return Err(Refusal::duplicate("id", &id)),
            Some(id) => id,
            None => self.ids.alphanumeric("", 17),
        };
        let position = self.customers.insert(Customer {
            id,
            texts: BTreeMap::new(),
            billing_address: BTreeMap::new(),
            auto_collection: true,
            meta_data: None,
            card: None,
            credits: Vec::new(),
            created_at: act.secs(),
            stamp: Stamp::default(),
            deleted: false,
        });
        self.apply_customer(position, input);
        self.touch_customer(position, act.now);
        self.emit_customer("customer_created", position, act);
        Ok(position)
    }

    /// Changes the given members. `meta_data` is replaced as a whole.
    pub(crate) fn update_customer(&mut self, position: usize, input: CustomerInput, act: Act) {
        self.apply_customer(position, input);
        self.touch_customer(position, act.now);
        self.emit_customer("customer_changed", position, act);
    }

    fn apply_customer(&mut self, position: usize, input: CustomerInput) {
        let customer = &mut self.customers[position];
        for (stored, given) in
            [(&mut customer.texts, input.texts), (&mut customer.billing_address, input.billing_address)]
        {
            for (name, text) in given {
                if text.is_empty() {
                    stored.remove(name);
                } else {
                    stored.insert(name, text);
                }
            }
        }
        if let Some(on) = input.auto_collection {
            customer.auto_collection = on;
        }
        if let Some(meta_data) = input.meta_data {
            customer.meta_data = Some(meta_data);
        }
    }

    /// Deletes a customer with its subscriptions, invoices and card, at once (the provider takes a few minutes).
    pub(crate) fn delete_customer(&mut self, position: usize, act: Act) {
        let owned: Vec<usize> = self.subscriptions_of(position).to_vec();
        let owned: Vec<usize> = owned.into_iter().filter(|row| !self.subscriptions[*row].deleted).collect();
        for subscription in &owned {
            self.mark_deleted(*subscription, act);
        }
        let invoices = self.invoices.linked("customer_id", &self.customers[position].id).to_vec();
        for invoice in invoices {
            // The others went with their subscriptions.
            if self.subscription_of(invoice).is_none() {
                self.invoices[invoice].deleted = true;
                self.touch_invoice(invoice, act.now);
            }
        }
        let customer = &mut self.customers[position];
        customer.deleted = true;
        customer.card = None;
        self.touch_customer(position, act.now);
        let mut content = Map::new();
        content.insert("customer".into(), render::customer(self, position));
        let subscriptions: Vec<Value> = owned.iter().map(|row| render::subscription(self, *row)).collect();
        content.insert("subscriptions".into(), subscriptions.into());
        self.emit("customer_deleted", content, act);
    }

    /// Makes `card` the customer's payment source, and settles what is open with it.
    pub(crate) fn store_card(&mut self, customer: usize, card: Card, act: Act) {
        let stored = StoredCard {
            payment_source_id: self.ids.alphanumeric("pm_", 16),
            reference_id: self.ids.alphanumeric("tok_", 16),
            card,
            created_at: act.secs(),
            stamp: Stamp::default().next(act.now),
        };
        self.customers[customer].card = Some(stored);
        self.touch_customer(customer, act.now);
        let mut content = Map::new();
        content.insert("customer".into(), render::customer(self, customer));
        if let Some(source) = render::payment_source(self, customer) {
            content.insert("payment_source".into(), source);
        }
        self.emit("payment_source_added", content, act);
        self.collect_dues(customer, act);
    }
}
