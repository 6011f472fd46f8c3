//! The hosted page of an invoice, where a customer pays it.

use crate::challenge::Challenge;
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::response::{IntoResponse as _, Redirect, Response};
use http::StatusCode;

use super::super::layout::{Width, escape, message, money, page};
use super::super::{parts, pdf};
use super::checkout::{challenge, completion_of};
use super::{OF, amount};
use crate::server::Shared;
use crate::stripe::account::cards::NAMED;
use crate::stripe::account::collection::Pay;
use crate::stripe::account::model::InvoiceStatus;
use crate::stripe::account::refusal::Refusal;
use crate::stripe::account::{Account, Act, Cause};
use crate::stripe::api::Form;
use crate::stripe::render::hosted_url;

/// What an invoice says whose customer is asked first.
const ASKS: &str = "invoice_payment_intent_requires_action";

/// The part of a hosted invoice's address that names it.
pub(crate) fn key_in(url: &str) -> Option<String> {
    let url = url::Url::parse(url).ok()?;
    let mut parts = url.path_segments()?;
    let (first, _account, key) = (parts.next()?, parts.next()?, parts.next()?);
    (first == "i").then(|| key.to_owned())
}

/// The invoice of an address.
pub(crate) fn find(account: &Account, key: &str) -> Option<usize> {
    account.invoices.iter().position(|row| row.hosted_key == key && row.finalized_at.is_some())
}

/// Pays with another card, which becomes the customer's default.
///
/// A card that asks is refused with `invoice_payment_intent_requires_action` until the challenge is answered.
pub(crate) fn pay(
    account: &mut Account,
    position: usize,
    card: &str,
    challenge: Option<Challenge>,
    act: Act,
) -> Result<(), Refusal> {
    if challenge == Some(Challenge::Fail) {
        let message = "We are unable to authenticate your payment method. Please choose a different payment method and \
                       try again.";
        return Err(Refusal::card("payment_intent_authentication_failure", None, message));
    }
    if account.invoices[position].status != InvoiceStatus::Open {
        return Err(Refusal::invalid("This invoice can no longer be paid."));
    }
    let customer = account.live_customer(&account.invoices[position].customer)?;
    let method = account.save_card(customer, card, act)?;
    let payment_method = Some(account.payment_methods[method].id.clone());
    let pay = Pay { payment_method, has_passed: challenge.is_some(), ..Pay::default() };
    account.pay_invoice(position, pay, act)
}

fn gone() -> Response {
    message(StatusCode::NOT_FOUND, OF, "No such invoice", "<p>There is no invoice at this address.</p>")
}

pub(super) async fn show(State(shared): State<Arc<Shared>>, Path((_, key)): Path<(String, String)>) -> Response {
    shared.with(|world, _| match find(&world.stripe, &key) {
        Some(position) => render(&world.stripe, position, None, None),
        None => gone(),
    })
}

/// The same as a document.
pub(super) async fn document(State(shared): State<Arc<Shared>>, Path((_, key)): Path<(String, String)>) -> Response {
    shared.with(|world, _| {
        let account = &world.stripe;
        let Some(row) = find(account, &key).map(|position| &account.invoices[position]) else { return gone() };
        let money = |minor| money(minor, &row.currency.to_uppercase());
        let mut lines = vec![format!("SANDBOX: Invoice {}", row.number.as_deref().unwrap_or(&row.id))];
        lines.extend(row.lines.iter().map(|line| format!("{}: {}", line.description, money(line.amount))));
        lines.push(format!("Total: {}, due: {}", money(row.total()), money(row.amount_remaining())));
        pdf::document(&lines)
    })
}

pub(super) async fn submit(
    State(shared): State<Arc<Shared>>,
    Path((_, key)): Path<(String, String)>,
    body: Bytes,
) -> Response {
    let form = Form::parse(&body);
    let completion = completion_of(&form);
    let card = completion.number.clone().unwrap_or_default();
    shared.with(|world, now| {
        let account = &mut world.stripe;
        let Some(position) = find(account, &key) else { return gone() };
        match pay(account, position, &card, completion.challenge, Act::new(now, Cause::Portal)) {
            Ok(()) => Redirect::to(&hosted_url(account, &account.invoices[position])).into_response(),
            Err(refusal) if refusal.code == Some(ASKS) => challenge(&completion),
            Err(refusal) => render(account, position, Some(&refusal.message), Some(&card)),
        }
    })
}

fn render(account: &Account, position: usize, refused: Option<&str>, tried: Option<&str>) -> Response {
    let invoice = &account.invoices[position];
    let note = refused.map(|text| parts::problem("Not paid", text)).unwrap_or_default();
    let lines: String = invoice
        .lines
        .iter()
        .map(|line| parts::line(&line.description, &amount(line.amount, &invoice.currency)))
        .collect();
    let due = parts::sum("Due", &amount(invoice.amount_remaining(), &invoice.currency));
    let summary = format!(
        "<section class=\"panel\" aria-labelledby=\"what\"><div class=\"row mid apart\">\
         <h2 id=\"what\">Invoice <code>{number}</code></h2>{status}</div><dl class=\"lines\">{lines}{due}</dl>\
         <p class=\"foot\"><a href=\"{url}/pdf\">The invoice as a document</a></p></section>",
        number = escape(invoice.number.as_deref().unwrap_or(&invoice.id)),
        status = parts::badge(invoice.status.as_str()),
        url = escape(&hosted_url(account, invoice)),
    );
    let (width, content) = match invoice.status {
        InvoiceStatus::Open => {
            let pay = format!(
                "<form method=\"post\" class=\"panel\"><h2>Payment</h2>{}\
                 <button class=\"main block\" name=\"action\" value=\"pay\">Pay</button></form>",
                parts::cards(&NAMED, tried)
            );
            (Width::Pair, format!("{note}<div class=\"columns\">{summary}{pay}</div>"))
        }
        _ => (Width::Narrow, note + &summary),
    };
    let status = if refused.is_some() { StatusCode::PAYMENT_REQUIRED } else { StatusCode::OK };
    page(status, OF, "Invoice", width, &content)
}
