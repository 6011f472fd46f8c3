//! `/v1/invoiceitems`. Source: Stripe API reference, "Invoice items".

use super::list::{Range, Window};
use super::{Call, Reply, problem};
use crate::stripe::account::Object;
use crate::stripe::account::invoicing::NewInvoiceItem;
use crate::stripe::account::model::{merge, set};
use crate::stripe::account::refusal::Refusal;

pub(super) fn route(call: &mut Call<'_>, method: &str, path: &[&str]) -> Option<Reply> {
    Some(match (method, path) {
        ("POST", []) => create(call),
        ("GET", []) => list(call),
        ("GET", [id]) => call.invoice_item(id).and_then(|position| {
            call.read_all()?;
            Ok(call.show(Object::InvoiceItem(position)))
        }),
        ("POST", [id]) => update(call, id),
        ("DELETE", [id]) => call.invoice_item(id).and_then(|position| {
            call.read_all()?;
            call.account.delete_invoice_item(position, call.act)?;
            Ok(call.show(Object::InvoiceItem(position)))
        }),
        _ => return None,
    })
}

impl Call<'_> {
    fn invoice_item(&self, id: &str) -> Result<usize, Refusal> {
        let table = &self.account.invoice_items;
        let position = table.position(id).filter(|position| !table[*position].deleted);
        position.ok_or_else(|| Refusal::no_such("invoiceitem", id))
    }
}

fn create(call: &mut Call<'_>) -> Reply {
    let customer = call.required_customer()?;
    let is_older = call.is_older();
    let params = &mut call.params;
    params.ignore(&["discountable", "discounts", "period", "tax_behavior", "tax_code", "tax_rates"]);
    // Since basil the price is in `pricing`.
    let mut price = if is_older { params.text("price")? } else { None };
    if let Some(mut pricing) = params.branch("pricing")? {
        price = pricing.text("price")?;
        pricing.done()?;
    }
    let new = NewInvoiceItem {
        customer,
        price,
        amount: params.integer("amount")?,
        currency: params.text("currency")?.map(|currency| currency.to_lowercase()),
        quantity: params.at_least("quantity", 0)?,
        description: params.text("description")?,
        invoice: params.text("invoice")?,
        subscription: params.text("subscription")?,
        metadata: params.new_metadata()?,
    };
    call.read_all()?;
    if new.price.is_none() && new.amount.is_none() {
        return Err(problem::missing("amount"));
    }
    let position = call.account.create_invoice_item(new, call.act)?;
    Ok(call.show(Object::InvoiceItem(position)))
}

/// Only what says something, and no amounts.
fn update(call: &mut Call<'_>, id: &str) -> Reply {
    let position = call.invoice_item(id)?;
    let (description, metadata) = (call.params.patch("description")?, call.params.metadata()?);
    call.read_all()?;
    let row = &mut call.account.invoice_items[position];
    let mut known = Some(std::mem::take(&mut row.description));
    set(&mut known, description);
    row.description = known.unwrap_or_default();
    merge(&mut row.metadata, metadata);
    Ok(call.show(Object::InvoiceItem(position)))
}

fn list(call: &mut Call<'_>) -> Reply {
    let window = Window::read(&mut call.params)?;
    let params = &mut call.params;
    let created = Range::read(params, "created")?;
    let (customer, invoice) = (params.text("customer")?, params.text("invoice")?);
    let pending = params.boolean("pending")?;
    call.read_all()?;
    let table = &call.account.invoice_items;
    let keeps = |position: usize| {
        let row = &table[position];
        !row.deleted
            && created.holds(row.created)
            && customer.as_ref().is_none_or(|customer| row.customer == *customer)
            && (invoice.is_none() || row.invoice == invoice)
            && pending.is_none_or(|pending| pending == row.invoice.is_none())
    };
    window.page("/v1/invoiceitems", table, keeps, |position| call.show(Object::InvoiceItem(position)))
}
