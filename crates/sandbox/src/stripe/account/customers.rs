//! Customers and their payment methods.
//!
//! Signatures: `create_customer(CustomerInput, act) -> Outcome<usize>`, `update_customer(position, CustomerInput, act)
//! -> Outcome<()>`, `delete_customer(position, act)`, `new_payment_method(number_or_token, act) -> Outcome<usize>`,
//! `attach(method, customer, act) -> Outcome<()>`, `detach(method, act) -> Outcome<()>`,
//! `method_by_id(id_or_token, act) -> Outcome<usize>`, `methods_of(customer) -> Vec<usize>`.
//!
//! Source: Stripe API reference, "Customers" and "Payment methods".

use serde_json::Value;

use super::cards::{fingerprint, refusal_at_storage, token_number};
use super::model::{Customer, Instrument, Metadata, Patch, PaymentMethod, merge, set};
use super::refusal::Refusal;
use super::{Account, Act, Object, Outcome};
use crate::moment::Moment;

/// What a request says about a customer. `None` keeps what is there.
#[derive(Debug, Clone, Default)]
pub(crate) struct CustomerInput {
    /// Only the sandbox names a customer.
    pub(crate) id: Option<String>,
    pub(crate) email: Patch<String>,
    pub(crate) name: Patch<String>,
    pub(crate) phone: Patch<String>,
    pub(crate) description: Patch<String>,
    pub(crate) address: Patch<Value>,
    pub(crate) shipping: Patch<Value>,
    pub(crate) preferred_locales: Option<Vec<String>>,
    pub(crate) tax_exempt: Option<&'static str>,
    pub(crate) balance: Option<i64>,
    /// `invoice_settings[default_payment_method]`
    pub(crate) default_payment_method: Patch<String>,
    /// Only at creation: a method to attach, also a token.
    pub(crate) payment_method: Option<String>,
    /// Only at creation.
    pub(crate) test_clock: Option<String>,
    pub(crate) metadata: Patch<Metadata>,
}

impl Account {
    pub(crate) fn create_customer(&mut self, input: CustomerInput, act: Act) -> Outcome<usize> {
        let clock = match &input.test_clock {
            None => None,
            Some(id) => Some(
                self.live_clock(id)
                    .map_err(|_| Refusal::missing_reference("test_helpers.test_clock", id, "test_clock"))?,
            ),
        };
        let act =
            clock.map_or(act, |clock| Act::new(Moment::from_secs(self.test_clocks[clock].frozen_time), act.cause));
        let id = input.id.clone().unwrap_or_else(|| self.ids.alphanumeric("cus_", 14));
        if self.customers.contains(&id) {
            return Err(Refusal::already_exists(format!("Customer already exists: {id}")).about("id"));
        }
        let method = match &input.payment_method {
            None => None,
            Some(id) => Some(self.method_by_id(id, "payment_method", act)?),
        };
        let customer = self.customers.insert(Customer {
            id,
            email: None,
            name: None,
            phone: None,
            description: None,
            address: None,
            shipping: None,
            preferred_locales: Vec::new(),
            tax_exempt: "none",
            balance: 0,
            currency: None,
            default_payment_method: None,
            invoice_prefix: self.ids.alphanumeric("", 8).to_uppercase(),
            next_invoice_sequence: 1,
            delinquent: false,
            test_clock: input.test_clock.clone(),
            metadata: Metadata::new(),
            created: act.secs(),
            deleted: false,
        });
        if let Some(method) = method {
            self.quietly(|account| account.attach(method, customer, act))?;
        }
        // A method that cannot be the default must not leave a customer behind; the row stays, and nobody knows it.
        if let Err(refusal) = self.apply_customer(customer, input, act) {
            self.customers[customer].deleted = true;
            return Err(refusal);
        }
        self.emit("customer.created", Object::Customer(customer), None, act);
        if let Some(method) = method {
            self.emit("payment_method.attached", Object::PaymentMethod(method), None, act);
        }
        Ok(customer)
    }

    pub(crate) fn update_customer(&mut self, position: usize, input: CustomerInput, act: Act) -> Outcome<()> {
        let act = self.act_for(&self.customers[position].id.clone(), act);
        let before = self.snapshot(Object::Customer(position));
        self.apply_customer(position, input, act)?;
        self.emit_updated("customer.updated", Object::Customer(position), &before, act);
        Ok(())
    }

    fn apply_customer(&mut self, position: usize, input: CustomerInput, act: Act) -> Outcome<()> {
        let mut default = input.default_payment_method;
        if let Some(Some(id)) = &default {
            let param = "invoice_settings[default_payment_method]";
            let method = self.method_by_id(id, param, act)?;
            self.check_owner(method, position)?;
            if self.payment_methods[method].customer.is_none() {
                return Err(Refusal::wrong_value(param, not_attached(&self.payment_methods[method].id)));
            }
            default = Some(Some(self.payment_methods[method].id.clone()));
        }
        let row = &mut self.customers[position];
        set(&mut row.email, input.email);
        set(&mut row.name, input.name);
        set(&mut row.phone, input.phone);
        set(&mut row.description, input.description);
        set(&mut row.address, input.address);
        set(&mut row.shipping, input.shipping);
        set(&mut row.default_payment_method, default);
        row.preferred_locales = input.preferred_locales.unwrap_or(std::mem::take(&mut row.preferred_locales));
        row.tax_exempt = input.tax_exempt.unwrap_or(row.tax_exempt);
        row.balance = input.balance.unwrap_or(row.balance);
        merge(&mut row.metadata, input.metadata);
        Ok(())
    }

    /// Deletes a customer; its subscriptions end at once, and its row stays for what names it.
    pub(crate) fn delete_customer(&mut self, position: usize, act: Act) {
        let act = self.act_for(&self.customers[position].id.clone(), act);
        for subscription in self.subscriptions_of(position).to_vec() {
            if !self.subscriptions[subscription].status.is_over() {
                self.end(subscription, "cancellation_requested", act);
            }
        }
        for method in self.methods_of(position) {
            self.payment_methods[method].customer = None;
        }
        let row = &mut self.customers[position];
        row.deleted = true;
        row.default_payment_method = None;
        self.emit("customer.deleted", Object::Customer(position), None, act);
    }

    /// Makes a payment method from a number or a token. A card that is declined at once is refused.
    pub(crate) fn new_payment_method(&mut self, number_or_token: &str, act: Act) -> Outcome<usize> {
        let number = token_number(number_or_token).unwrap_or(number_or_token);
        let Some(instrument) = Instrument::parse(number) else {
            return Err(Refusal::card("incorrect_number", None, "Your card number is incorrect."));
        };
        let id = self.ids.alphanumeric("pm_1", 23);
        Ok(self.payment_methods.insert(PaymentMethod {
            id,
            customer: None,
            instrument,
            fingerprint: fingerprint(number),
            email: None,
            name: None,
            is_set_up: false,
            metadata: Metadata::new(),
            created: act.secs(),
        }))
    }

    /// A payment method by its id; a token makes a new one, as in test mode.
    pub(crate) fn method_by_id(&mut self, id: &str, param: &str, act: Act) -> Outcome<usize> {
        if let Some(position) = self.payment_methods.position(id) {
            return Ok(position);
        }
        if token_number(id).is_some() {
            return self.new_payment_method(id, act);
        }
        Err(Refusal::missing_reference("PaymentMethod", id, param))
    }

    /// Attaches a method. Cards that are declined at once cannot be attached.
    pub(crate) fn attach(&mut self, method: usize, customer: usize, act: Act) -> Outcome<()> {
        let id = self.customers[customer].id.clone();
        let act = self.act_for(&id, act);
        self.check_owner(method, customer)?;
        if self.payment_methods[method].customer.is_some() {
            return Ok(());
        }
        if let Some(error) = refusal_at_storage(&self.payment_methods[method].instrument) {
            return Err(error.into());
        }
        self.payment_methods[method].customer = Some(id);
        self.emit("payment_method.attached", Object::PaymentMethod(method), None, act);
        Ok(())
    }

    fn check_owner(&self, method: usize, customer: usize) -> Outcome<()> {
        let row = &self.payment_methods[method];
        match &row.customer {
            Some(owner) if *owner != self.customers[customer].id => Err(Refusal::coded(
                "payment_method_customer_mismatch",
                format!("The payment method {} belongs to another customer.", row.id),
            )
            .about("payment_method")),
            _ => Ok(()),
        }
    }

    /// Takes a method off its customer, and out of every default.
    pub(crate) fn detach(&mut self, method: usize, act: Act) -> Outcome<()> {
        let row = &self.payment_methods[method];
        let (id, Some(owner)) = (row.id.clone(), row.customer.clone()) else {
            return Err(Refusal::invalid(not_attached(&row.id)).about("payment_method"));
        };
        let act = self.act_for(&owner, act);
        let before = self.snapshot(Object::PaymentMethod(method));
        self.payment_methods[method].customer = None;
        if let Some(customer) = self.customers.position(&owner) {
            if self.customers[customer].default_payment_method.as_ref() == Some(&id) {
                self.customers[customer].default_payment_method = None;
            }
            for subscription in self.subscriptions_of(customer).to_vec() {
                if self.subscriptions[subscription].default_payment_method.as_ref() == Some(&id) {
                    self.subscriptions[subscription].default_payment_method = None;
                }
            }
        }
        let previous = serde_json::json!({"customer": before.get("customer")});
        self.emit("payment_method.detached", Object::PaymentMethod(method), Some(previous), act);
        Ok(())
    }

    /// The methods of a customer, by position, newest first.
    pub(crate) fn methods_of(&self, customer: usize) -> Vec<usize> {
        let id = &self.customers[customer].id;
        let owned = self.payment_methods.iter().enumerate().filter(|(_, row)| row.customer.as_ref() == Some(id));
        let mut owned: Vec<usize> = owned.map(|(position, _)| position).collect();
        owned.reverse();
        owned
    }

    /// The subscriptions of a customer, by position.
    pub(crate) fn subscriptions_of(&self, customer: usize) -> &[usize] {
        self.subscriptions.linked("customer", &self.customers[customer].id)
    }

    /// Does something that nobody is told of.
    pub(super) fn quietly<T>(&mut self, work: impl FnOnce(&mut Self) -> T) -> T {
        let before = std::mem::replace(&mut self.is_quiet, true);
        let result = work(self);
        self.is_quiet = before;
        result
    }
}

fn not_attached(id: &str) -> String {
    format!("The payment method {id} is not attached to a customer.")
}
