//! `/v1/customers`. Source: Stripe API reference, "Customers".

use serde_json::{Value, json};

use super::list::{Range, Window};
use super::params::Params;
use super::{Call, Reply, catalog, payment_methods, problem};
use crate::stripe::account::Object;
use crate::stripe::account::customers::CustomerInput;
use crate::stripe::account::model::Patch;
use crate::stripe::account::refusal::Refusal;

pub(super) fn route(call: &mut Call<'_>, method: &str, path: &[&str]) -> Option<Reply> {
    Some(match (method, path) {
        ("POST", []) => create(call),
        ("GET", []) => list(call),
        ("GET", ["search"]) => catalog::search(call, "/v1/customers/search", |call| {
            let table = &call.account.customers;
            (0..table.len()).rev().filter(|position| !table[*position].deleted).map(Object::Customer).collect()
        }),
        ("GET", [id]) => retrieve(call, id),
        ("POST", [id]) => update(call, id),
        ("DELETE", [id]) => delete(call, id),
        ("GET", [id, "payment_methods"]) => payment_methods::list_of(call, id),
        ("GET", [id, "payment_methods", method]) => payment_methods::retrieve_of(call, id, method),
        _ => return None,
    })
}

/// Understood, and without an effect here.
const IGNORED: [&str; 9] = [
    "cash_balance",
    "invoice_prefix",
    "next_invoice_sequence",
    "source",
    "default_source",
    "tax",
    "validate",
    "business_name",
    "individual_name",
];

fn input(call: &mut Call<'_>) -> Result<CustomerInput, Refusal> {
    let is_older = call.is_older();
    let params = &mut call.params;
    params.ignore(&IGNORED);
    // Coupons are none of what this sandbox has, and they are no parameters of customers since basil.
    if is_older {
        params.ignore(&["coupon", "promotion_code"]);
    }
    let mut default_payment_method = None;
    if let Some(mut settings) = params.branch("invoice_settings")? {
        default_payment_method = settings.patch("default_payment_method")?;
        settings.ignore(&["custom_fields", "footer", "rendering_options"]);
        settings.done()?;
    }
    Ok(CustomerInput {
        id: None,
        email: params.patch("email")?,
        name: params.patch("name")?,
        phone: params.patch("phone")?,
        description: params.patch("description")?,
        address: address(params)?,
        shipping: params.given("shipping"),
        preferred_locales: params.texts("preferred_locales")?,
        tax_exempt: params.word("tax_exempt", &["none", "exempt", "reverse"])?,
        balance: params.integer("balance")?,
        default_payment_method,
        payment_method: None,
        test_clock: None,
        metadata: params.metadata()?,
    })
}

fn address(params: &mut Params) -> Result<Patch<Value>, Refusal> {
    let Some(branch) = params.branch_patch("address")? else { return Ok(None) };
    let Some(mut branch) = branch else { return Ok(Some(None)) };
    let mut given = json!({});
    for name in ["city", "country", "line1", "line2", "postal_code", "state"] {
        if let Some(text) = branch.patch(name)? {
            given[name] = text.into();
        }
    }
    branch.done()?;
    Ok(Some(Some(given)))
}

fn create(call: &mut Call<'_>) -> Reply {
    call.params.ignore(&["tax_id_data"]);
    let payment_method = call.params.text("payment_method")?;
    let test_clock = call.params.text("test_clock")?;
    let input = CustomerInput { payment_method, test_clock, ..input(call)? };
    call.read_all()?;
    let position = call.account.create_customer(input, call.act)?;
    Ok(call.show(Object::Customer(position)))
}

/// A deleted customer is found, and says so.
fn retrieve(call: &mut Call<'_>, id: &str) -> Reply {
    call.read_all()?;
    let position = call.account.customers.position(id).ok_or_else(|| Refusal::no_such("customer", id))?;
    Ok(call.show(Object::Customer(position)))
}

fn update(call: &mut Call<'_>, id: &str) -> Reply {
    let position = call.account.live_customer(id)?;
    let input = input(call)?;
    call.read_all()?;
    call.account.update_customer(position, input, call.act)?;
    Ok(call.show(Object::Customer(position)))
}

fn delete(call: &mut Call<'_>, id: &str) -> Reply {
    let position = call.account.live_customer(id)?;
    call.read_all()?;
    call.account.delete_customer(position, call.act);
    Ok(call.show(Object::Customer(position)))
}

fn list(call: &mut Call<'_>) -> Reply {
    let window = Window::read(&mut call.params)?;
    let created = Range::read(&mut call.params, "created")?;
    let (email, clock) = (call.params.text("email")?, call.params.text("test_clock")?);
    call.read_all()?;
    let table = &call.account.customers;
    let keeps = |position: usize| {
        let row = &table[position];
        !row.deleted
            && created.holds(row.created)
            && email.as_ref().is_none_or(|email| row.email.as_ref() == Some(email))
            // What lives on a clock shows only where that clock is asked for.
            && row.test_clock == clock
    };
    window.page("/v1/customers", table, keeps, |position| call.show(Object::Customer(position)))
}

impl Call<'_> {
    /// The id of a live customer that a parameter names.
    pub(super) fn customer_named(&self, id: &str) -> Result<usize, Refusal> {
        self.account.live_customer(id).map_err(|_| Refusal::missing_reference("customer", id, "customer"))
    }

    /// The customer that a parameter must name.
    pub(super) fn required_customer(&mut self) -> Result<usize, Refusal> {
        let id = self.params.required("customer")?;
        self.customer_named(&id)
    }

    /// The instant at which something happens to a customer, whose clock may be another one.
    pub(super) fn secs_for(&self, customer: usize) -> i64 {
        self.account.act_for(&self.account.customers[customer].id, self.act).secs()
    }
}

/// Refuses both of two parameters.
pub(super) fn exclusive(params: &Params, one: &str, other: &str) -> Result<(), Refusal> {
    if params.has(one) && params.has(other) {
        return Err(Refusal::parameters_exclusive(&params.name_of(one), &params.name_of(other)));
    }
    Ok(())
}

/// A word of the API as one of its enums.
pub(super) fn parsed<T>(
    params: &mut Params,
    name: &str,
    words: &[&'static str],
    parse: impl Fn(&str) -> Option<T>,
) -> Result<Option<T>, Refusal> {
    let Some(word) = params.word(name, words)? else { return Ok(None) };
    parse(word).map(Some).ok_or_else(|| problem::not_among(&params.name_of(name), words))
}
