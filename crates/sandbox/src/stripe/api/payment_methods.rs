//! `/v1/payment_methods`. Source: Stripe API reference, "Payment methods"; Stripe docs, "Testing".

use super::list::Window;
use super::{Call, Reply, problem};
use crate::stripe::account::Object;
use crate::stripe::account::model::merge;
use crate::stripe::account::refusal::Refusal;

pub(super) fn route(call: &mut Call<'_>, method: &str, path: &[&str]) -> Option<Reply> {
    Some(match (method, path) {
        ("POST", []) => create(call),
        ("GET", []) => list(call),
        ("GET", [id]) => retrieve(call, id),
        ("POST", [id]) => update(call, id),
        ("POST", [id, "attach"]) => attach(call, id),
        ("POST", [id, "detach"]) => detach(call, id),
        _ => return None,
    })
}

impl Call<'_> {
    /// A payment method of a path; a test token makes a new one.
    fn payment_method(&mut self, id: &str) -> Result<usize, Refusal> {
        self.account.method_by_id(id, "id", self.act).map_err(|_| Refusal::no_such("PaymentMethod", id))
    }
}

/// From a card number or a `tok_…`, as in test mode.
fn create(call: &mut Call<'_>) -> Reply {
    let kind = call.params.word("type", &["card", "us_bank_account"])?;
    let mut number = None;
    if let Some(mut card) = call.params.branch("card")? {
        card.ignore(&["exp_month", "exp_year", "cvc", "networks"]);
        number = card.text("token")?.or(card.text("number")?);
        card.done()?;
    }
    if let Some(mut bank) = call.params.branch("us_bank_account")? {
        bank.ignore(&["account_holder_type", "account_type", "routing_number", "financial_connections_account"]);
        number = number.or(bank.text("account_number")?);
        bank.done()?;
    }
    let (mut email, mut name) = (None, None);
    if let Some(mut details) = call.params.branch("billing_details")? {
        (email, name) = (details.text("email")?, details.text("name")?);
        details.ignore(&["address", "phone", "tax_id"]);
        details.done()?;
    }
    let metadata = call.params.new_metadata()?;
    call.params.ignore(&["allow_redisplay", "radar_options"]);
    call.read_all()?;
    let number = number.ok_or_else(|| problem::missing(kind.unwrap_or("type")))?;
    let position = call.account.new_payment_method(&number, call.act)?;
    let row = &mut call.account.payment_methods[position];
    (row.email, row.name, row.metadata) = (email, name, metadata);
    Ok(call.show(Object::PaymentMethod(position)))
}

fn retrieve(call: &mut Call<'_>, id: &str) -> Reply {
    call.read_all()?;
    let position = call.payment_method(id)?;
    Ok(call.show(Object::PaymentMethod(position)))
}

fn update(call: &mut Call<'_>, id: &str) -> Reply {
    let position = call.payment_method(id)?;
    let metadata = call.params.metadata()?;
    call.params.ignore(&["allow_redisplay", "billing_details", "card"]);
    call.read_all()?;
    merge(&mut call.account.payment_methods[position].metadata, metadata);
    Ok(call.show(Object::PaymentMethod(position)))
}

fn attach(call: &mut Call<'_>, id: &str) -> Reply {
    let customer = call.required_customer()?;
    call.read_all()?;
    let position = call.payment_method(id)?;
    call.account.attach(position, customer, call.act)?;
    Ok(call.show(Object::PaymentMethod(position)))
}

fn detach(call: &mut Call<'_>, id: &str) -> Reply {
    call.read_all()?;
    let position = call.payment_method(id)?;
    call.account.detach(position, call.act)?;
    Ok(call.show(Object::PaymentMethod(position)))
}

/// Without a customer nothing is listed, as only attached methods are.
fn list(call: &mut Call<'_>) -> Reply {
    let customer = call.params.text("customer")?;
    page(call, "/v1/payment_methods", customer.as_deref())
}

pub(super) fn list_of(call: &mut Call<'_>, customer: &str) -> Reply {
    call.account.live_customer(customer)?;
    call.params.ignore(&["allow_redisplay"]);
    page(call, &format!("/v1/customers/{customer}/payment_methods"), Some(customer))
}

pub(super) fn retrieve_of(call: &mut Call<'_>, customer: &str, id: &str) -> Reply {
    call.account.live_customer(customer)?;
    call.read_all()?;
    let table = &call.account.payment_methods;
    let owned = table.position(id).filter(|position| table[*position].customer.as_deref() == Some(customer));
    let position = owned.ok_or_else(|| Refusal::no_such("PaymentMethod", id))?;
    Ok(call.show(Object::PaymentMethod(position)))
}

fn page(call: &mut Call<'_>, url: &str, customer: Option<&str>) -> Reply {
    let window = Window::read(&mut call.params)?;
    let kind = call.params.text("type")?;
    call.read_all()?;
    let table = &call.account.payment_methods;
    let keeps = |position: usize| {
        let row = &table[position];
        customer.is_some()
            && row.customer.as_deref() == customer
            && kind.as_ref().is_none_or(|kind| row.instrument.kind() == kind)
    };
    window.page(url, table, keeps, |position| call.show(Object::PaymentMethod(position)))
}
