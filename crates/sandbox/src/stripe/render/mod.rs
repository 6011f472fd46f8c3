//! Records as they appear on the wire in version 2026-10-28.endive, references as ids.
//!
//! Members that begin with `_` are hints for the older version; see `version`, through which every answer goes.
//!
//! Source: Stripe API reference, the attributes of each object; the types of the official Node client 23.1.

mod catalog;
mod checkout;
mod customer;
mod event;
mod invoice;
mod meter;
mod payment;
mod portal;
mod schedule;
mod subscription;
mod thin_event;

use serde_json::{Value, json};

pub(crate) use catalog::price_with;
pub(crate) use checkout::{session_line, session_with};
pub(crate) use event::event;
pub(crate) use invoice::{hosted_url, invoice_of, invoice_with, line};
pub(crate) use meter::{meter_event, meter_event_v2};
pub(crate) use payment::charge;
pub(crate) use subscription::item as subscription_item;
pub(crate) use thin_event::{notification, thin_event};

use super::account::{Account, Object};

/// The most entries of a list inside an object.
///
/// Source: Stripe API reference: included lists have up to ten entries, the rest is listed at their `url`.
const INCLUDED: usize = 10;

/// Renders a record in the current version of the API.
pub(crate) fn object(account: &Account, object: Object) -> Value {
    match object {
        Object::Customer(position) => customer::customer(account, &account.customers[position]),
        Object::PaymentMethod(position) => customer::payment_method(&account.payment_methods[position]),
        Object::Product(position) => catalog::product(&account.products[position]),
        Object::Price(position) => catalog::price(&account.prices[position]),
        Object::Subscription(position) => subscription::subscription(account, &account.subscriptions[position]),
        Object::Schedule(position) => schedule::schedule(account, &account.schedules[position]),
        Object::Invoice(position) => invoice::invoice(account, position),
        Object::InvoiceItem(position) => invoice::item(account, &account.invoice_items[position]),
        Object::InvoicePayment(position) => invoice::payment(&account.invoice_payments[position]),
        Object::PaymentIntent(position) => payment::intent(account, &account.payment_intents[position]),
        Object::SetupIntent(position) => payment::setup_intent(account, &account.setup_intents[position]),
        Object::CheckoutSession(position) => checkout::session(account, position),
        Object::PortalSession(position) => portal::session(account, &account.portal_sessions[position]),
        Object::PortalConfiguration(position) => portal::configuration(&account.portal_configurations[position]),
        Object::TestClock(position) => test_clock(account, position),
        Object::Meter(position) => meter::meter(&account.meters[position]),
    }
}

/// A list inside an object.
fn included(entries: Vec<Value>, url: &str) -> Value {
    let has_more = entries.len() > INCLUDED;
    let data: Vec<Value> = entries.into_iter().take(INCLUDED).collect();
    json!({ "object": "list", "data": data, "has_more": has_more, "url": url })
}

/// The subscriptions of a customer that are not over, newest first: shown where they are asked for.
pub(crate) fn subscriptions_of(account: &Account, customer: &str) -> Value {
    let rows = account.subscriptions.linked("customer", customer).iter().rev();
    let rows = rows.map(|position| &account.subscriptions[*position]).filter(|row| !row.status.is_over());
    let entries = rows.map(|row| subscription::subscription(account, row)).collect();
    included(entries, &format!("/v1/customers/{customer}/subscriptions"))
}

fn test_clock(account: &Account, position: usize) -> Value {
    let row = &account.test_clocks[position];
    if row.deleted {
        return json!({ "id": row.id, "object": "test_helpers.test_clock", "deleted": true });
    }
    let details = match row.target {
        Some(target) => json!({ "advancing": { "target_frozen_time": target } }),
        None => json!({}),
    };
    json!({
        "id": row.id,
        "object": "test_helpers.test_clock",
        "created": row.created,
        "deletes_after": row.deletes_after,
        "frozen_time": row.frozen_time,
        "livemode": false,
        "name": row.name,
        "status": row.status.as_str(),
        "status_details": details,
    })
}

/// An address with all its members.
fn address(given: &Value) -> Value {
    let at = |name: &str| given[name].clone();
    json!({
        "city": at("city"),
        "country": at("country"),
        "line1": at("line1"),
        "line2": at("line2"),
        "postal_code": at("postal_code"),
        "state": at("state"),
    })
}
