//! Stripe's pages: checkout, the customer portal, and hosted invoices.

mod checkout;
mod invoice;
mod portal;

use std::sync::Arc;

use axum::Router;
use axum::routing::get;

pub(crate) use checkout::id_in;
pub(crate) use invoice::{find as find_invoice, key_in, pay as pay_invoice};

use super::layout::money;
use crate::server::Shared;
use crate::stripe::account::Account;

pub(super) fn router() -> Router<Arc<Shared>> {
    Router::new()
        .route("/c/pay/{id}", get(checkout::show).post(checkout::submit))
        .route("/p/session/{key}", get(portal::show).post(portal::submit))
        .route("/i/{account}/{key}", get(invoice::show).post(invoice::submit))
        .route("/i/{account}/{key}/pdf", get(invoice::document))
}

/// Whom the pages stand in for.
const OF: &str = "Stripe";

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
