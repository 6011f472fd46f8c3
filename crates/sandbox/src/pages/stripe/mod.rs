//! Stripe's pages: checkout, the customer portal, and hosted invoices.

mod checkout;
mod invoice;
mod portal;

use std::sync::Arc;

use axum::Router;
use axum::routing::get;

pub(crate) use checkout::id_in;
pub(crate) use invoice::{find as find_invoice, key_in, pay as pay_invoice};

use super::layout::{escape, money};
use crate::server::Shared;
use crate::stripe::account::Account;
use crate::stripe::account::cards::NAMED;

pub(super) fn router() -> Router<Arc<Shared>> {
    Router::new()
        .route("/c/pay/{id}", get(checkout::show).post(checkout::submit))
        .route("/p/session/{key}", get(portal::show).post(portal::submit))
        .route("/i/{account}/{key}", get(invoice::show).post(invoice::submit))
        .route("/i/{account}/{key}/pdf", get(invoice::document))
}

/// The field of a card number, filled with one that pays.
fn card_field() -> String {
    format!(
        "<label for=\"card\">Card number</label>\
         <input type=\"text\" id=\"card\" name=\"card\" value=\"{first}\" inputmode=\"numeric\" autocomplete=\"off\" required>",
        first = NAMED[0].0,
    )
}

/// The test cards, with what each does.
fn test_cards() -> String {
    let cards: String = NAMED.iter().map(|(number, what)| format!("<li><code>{number}</code> {what}</li>")).collect();
    format!(
        "<h2>Test cards</h2><ul>{cards}</ul>\
         <p class=\"muted\">Any expiry in the future and any security code would do; this page does not ask for them.</p>"
    )
}

/// A box that says what went wrong.
fn problem(title: &str, text: &str) -> String {
    format!("<div class=\"box error\" role=\"alert\"><strong>{title}</strong> {}</div>", escape(text))
}

fn row(name: &str, amount: &str) -> String {
    format!("<p class=\"total\"><span>{}</span><span>{amount}</span></p>", escape(name))
}

/// Money as people write it; Stripe's currencies are in lower case.
fn amount(minor: i64, currency: &str) -> String {
    money(minor, &currency.to_uppercase())
}

/// What a price is called, and how often it is charged.
fn price_name(account: &Account, id: &str) -> (String, String) {
    let price = account.prices.get(id);
    let name = price.and_then(|price| price.nickname.clone()).unwrap_or_else(|| id.to_owned());
    let unit = price.and_then(|price| price.interval).map(|interval| format!(" a {}", interval.unit.as_str()));
    (name, unit.unwrap_or_default())
}
