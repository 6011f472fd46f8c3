//! `/v1/invoices` and `/v1/invoice_payments`. Source: Stripe API reference, "Invoices", "Invoice payments".

use serde_json::Value;

use super::customers::exclusive;
use super::list::{Range, Window};
use super::{Call, Reply, catalog, preview, problem};
use crate::stripe::account::Object;
use crate::stripe::account::collection::Pay;
use crate::stripe::account::invoicing::{InvoiceChange, NewInvoice};
use crate::stripe::account::refusal::Refusal;
use crate::stripe::render;

pub(super) fn route(call: &mut Call<'_>, method: &str, path: &[&str]) -> Option<Reply> {
    Some(match (method, path) {
        ("POST", []) => create(call),
        ("GET", []) => list(call),
        ("POST", ["create_preview"]) => preview::create(call),
        // Since basil there is only the preview that is created.
        ("GET", ["upcoming"]) if call.is_older() => preview::upcoming(call),
        ("GET", ["upcoming", "lines"]) if call.is_older() => preview::upcoming_lines(call),
        ("GET", ["search"]) => catalog::search(call, "/v1/invoices/search", |call| {
            let table = &call.account.invoices;
            (0..table.len()).rev().filter(|position| !table[*position].deleted).map(Object::Invoice).collect()
        }),
        ("GET", [id]) => call.invoice(id).and_then(|position| {
            call.read_all()?;
            Ok(call.show(Object::Invoice(position)))
        }),
        ("POST", [id]) => update(call, id),
        ("DELETE", [id]) => act(call, id, |call, position| call.account.delete_invoice(position, call.act)),
        ("GET", [id, "lines"]) => lines(call, id),
        ("POST", [id, "finalize"]) => {
            call.params.ignore(&["auto_advance"]);
            act(call, id, |call, position| call.account.finalize_invoice(position, call.act))
        }
        ("POST", [id, "pay"]) => pay(call, id),
        ("POST", [id, "void"]) => act(call, id, |call, position| call.account.void_invoice(position, call.act)),
        ("POST", [id, "mark_uncollectible"]) => {
            act(call, id, |call, position| call.account.mark_uncollectible(position, call.act))
        }
        _ => return None,
    })
}

impl Call<'_> {
    fn invoice(&self, id: &str) -> Result<usize, Refusal> {
        let table = &self.account.invoices;
        let position = table.position(id).filter(|position| !table[*position].deleted);
        position.ok_or_else(|| Refusal::no_such("invoice", id))
    }
}

/// An action without parameters, and the invoice after it.
fn act(call: &mut Call<'_>, id: &str, action: impl FnOnce(&mut Call<'_>, usize) -> Result<(), Refusal>) -> Reply {
    let position = call.invoice(id)?;
    call.read_all()?;
    action(call, position)?;
    Ok(call.show(Object::Invoice(position)))
}

/// Understood, and without an effect here.
const IGNORED: [&str; 14] = [
    "account_tax_ids",
    "automatic_tax",
    "automatically_finalizes_at",
    "custom_fields",
    "default_tax_rates",
    "discounts",
    "effective_at",
    "footer",
    "issuer",
    "payment_settings",
    "rendering",
    "statement_descriptor",
    "shipping_cost",
    "shipping_details",
];

fn create(call: &mut Call<'_>) -> Reply {
    let customer = call.required_customer()?;
    let params = &mut call.params;
    params.ignore(&IGNORED);
    let method = params.word("collection_method", &["charge_automatically", "send_invoice"])?;
    let days_until_due = params.at_least("days_until_due", 0)?;
    let takes = params.word("pending_invoice_items_behavior", &["exclude", "include"])?;
    let new = NewInvoice {
        customer,
        subscription: params.text("subscription")?,
        currency: params.text("currency")?.map(|currency| currency.to_lowercase()),
        sends_invoice: method == Some("send_invoice"),
        days_until_due,
        auto_advance: params.boolean("auto_advance")?.unwrap_or(false),
        description: params.text("description")?,
        takes_waiting: takes == Some("include"),
        default_payment_method: params.text("default_payment_method")?,
        metadata: params.new_metadata()?,
    };
    call.read_all()?;
    let position = call.account.create_invoice(new, call.act)?;
    Ok(call.show(Object::Invoice(position)))
}

fn update(call: &mut Call<'_>, id: &str) -> Reply {
    let position = call.invoice(id)?;
    let params = &mut call.params;
    params.ignore(&IGNORED);
    let change = InvoiceChange {
        description: params.patch("description")?,
        metadata: params.metadata()?,
        auto_advance: params.boolean("auto_advance")?,
        default_payment_method: params.patch("default_payment_method")?,
    };
    call.read_all()?;
    call.account.update_invoice(position, change, call.act)?;
    Ok(call.show(Object::Invoice(position)))
}

fn pay(call: &mut Call<'_>, id: &str) -> Reply {
    let position = call.invoice(id)?;
    let params = &mut call.params;
    exclusive(params, "paid_out_of_band", "payment_method")?;
    params.ignore(&["forgive", "mandate", "off_session", "source"]);
    let pay = Pay {
        paid_out_of_band: params.boolean("paid_out_of_band")?.unwrap_or(false),
        payment_method: params.text("payment_method")?,
        ..Pay::default()
    };
    call.read_all()?;
    call.account.pay_invoice(position, pay, call.act)?;
    Ok(call.show(Object::Invoice(position)))
}

fn lines(call: &mut Call<'_>, id: &str) -> Reply {
    let position = call.invoice(id)?;
    let window = Window::read(&mut call.params)?;
    call.read_all()?;
    let row = &call.account.invoices[position];
    let lines: Vec<Value> = row.lines.iter().map(|line| render::line(call.account, row, line)).collect();
    window.page_of(&format!("/v1/invoices/{id}/lines"), lines)
}

fn list(call: &mut Call<'_>) -> Reply {
    let window = Window::read(&mut call.params)?;
    let params = &mut call.params;
    let created = Range::read(params, "created")?;
    let due = Range::read(params, "due_date")?;
    let (customer, subscription) = (params.text("customer")?, params.text("subscription")?);
    let status = params.word("status", &["draft", "open", "paid", "uncollectible", "void"])?;
    let method = params.word("collection_method", &["charge_automatically", "send_invoice"])?;
    call.read_all()?;
    let table = &call.account.invoices;
    let keeps = |position: usize| {
        let row = &table[position];
        !row.deleted
            && created.holds(row.created)
            && (due.is_open() || row.due_date.is_some_and(|at| due.holds(at)))
            && customer.as_ref().is_none_or(|customer| row.customer == *customer)
            && (subscription.is_none() || row.subscription == subscription)
            && status.is_none_or(|status| row.status.as_str() == status)
            && method.is_none_or(|method| row.collection_method.as_str() == method)
    };
    window.page("/v1/invoices", table, keeps, |position| call.show(Object::Invoice(position)))
}

pub(super) fn payments(call: &mut Call<'_>, method: &str, path: &[&str]) -> Option<Reply> {
    Some(match (method, path) {
        ("GET", []) => list_payments(call),
        ("GET", [id]) => call.read_all().and_then(|()| {
            let position = call.account.invoice_payments.position(id);
            let position = position.ok_or_else(|| Refusal::no_such("invoice_payment", id))?;
            Ok(call.show(Object::InvoicePayment(position)))
        }),
        _ => return None,
    })
}

fn list_payments(call: &mut Call<'_>) -> Reply {
    let window = Window::read(&mut call.params)?;
    let params = &mut call.params;
    let created = Range::read(params, "created")?;
    let invoice = params.text("invoice")?;
    let status = params.word("status", &["open", "paid", "canceled"])?;
    let mut intent = None;
    if let Some(mut payment) = params.branch("payment")? {
        let kind = payment.word("type", &["payment_intent", "payment_record"])?;
        kind.ok_or_else(|| problem::missing("payment[type]"))?;
        intent = payment.text("payment_intent")?;
        payment.done()?;
    }
    call.read_all()?;
    let table = &call.account.invoice_payments;
    let keeps = |position: usize| {
        let row = &table[position];
        created.holds(row.created)
            && invoice.as_ref().is_none_or(|invoice| row.invoice == *invoice)
            && intent.as_ref().is_none_or(|intent| row.payment_intent == *intent)
            && status.is_none_or(|status| row.status.as_str() == status)
    };
    window.page("/v1/invoice_payments", table, keeps, |position| call.show(Object::InvoicePayment(position)))
}
