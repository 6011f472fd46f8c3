//! The customer portal: another plan, other seats, an end, another card.
//!
//! Source: Stripe docs, "Customer portal".

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::response::{IntoResponse as _, Redirect, Response};
use http::StatusCode;

use super::super::layout::{escape, instant, page};
use super::{amount, card_field, price_name, problem, test_cards};
use crate::moment::Moment;
use crate::server::Shared;
use crate::stripe::account::changes::{Change, ItemChange};
use crate::stripe::account::collection::Pay;
use crate::stripe::account::ending::CancelNow;
use crate::stripe::account::model::{InvoiceStatus, ProrationBehavior, Subscription};
use crate::stripe::account::refusal::Refusal;
use crate::stripe::account::{Account, Act, Cause};
use crate::stripe::api::Form;

fn closed() -> Response {
    let text = "<p>This portal link has expired or never existed. Ask the product for a new one.</p>";
    page(StatusCode::GONE, "Portal link is over", false, text)
}

/// The session of an address, as long as it is open.
fn find(account: &Account, key: &str, now: Moment) -> Option<usize> {
    account.portal_session_by_key(key).filter(|position| account.portal_sessions[*position].expires_at > now.secs())
}

pub(super) async fn show(State(shared): State<Arc<Shared>>, Path(key): Path<String>) -> Response {
    shared.with(|world, now| match find(&world.stripe, &key, now) {
        Some(position) => render(&world.stripe, position, None),
        None => closed(),
    })
}

pub(super) async fn submit(State(shared): State<Arc<Shared>>, Path(key): Path<String>, body: Bytes) -> Response {
    let form = Form::parse(&body);
    shared.with(|world, now| {
        let account = &mut world.stripe;
        let Some(position) = find(account, &key, now) else { return closed() };
        let act = Act::new(now, Cause::Portal);
        match change(account, position, &form, act) {
            Ok(()) => Redirect::to(&account.portal_url(position)).into_response(),
            Err(refusal) => render(account, position, Some(&refusal.message)),
        }
    })
}

fn change(account: &mut Account, session: usize, form: &Form, act: Act) -> Result<(), Refusal> {
    let member =
        |name: &str| form.pairs().iter().rev().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
    let customer = account.live_customer(&account.portal_sessions[session].customer)?;
    let action = member("action");
    if action == Some("card") {
        account.save_card(customer, member("card").unwrap_or_default(), act)?;
        return pay_open(account, customer, act);
    }
    let id = member("subscription").unwrap_or_default();
    let subscription = account.live_subscription(id)?;
    if account.customer_of(subscription) != customer {
        return Err(Refusal::no_such("subscription", id));
    }
    let planned = |at_end| Change { cancel_at_period_end: Some(at_end), ..Change::default() };
    match action {
        Some("cancel_at_end") => account.update_subscription(subscription, planned(true), act),
        Some("undo") => account.update_subscription(subscription, planned(false), act),
        Some("cancel_now") => account.cancel_subscription(subscription, CancelNow::default(), act),
        Some("update") => {
            let seats = member("seats").unwrap_or_default().trim();
            let seats = seats.parse::<i64>().ok().filter(|seats| *seats > 0);
            let seats = seats.ok_or_else(|| Refusal::invalid("The number of seats must be a positive number."))?;
            let row = &account.subscriptions[subscription];
            let item = row.items.first().ok_or_else(|| Refusal::invalid("There is nothing to change."))?;
            let item = ItemChange {
                id: Some(item.id.clone()),
                price: member("price").filter(|price| *price != item.price).map(str::to_owned),
                quantity: Some(seats),
                ..ItemChange::default()
            };
            let features = portal_features(account, session);
            let behavior = features.and_then(|behavior| ProrationBehavior::parse(&behavior));
            let change = Change { items: vec![item], proration_behavior: behavior, ..Change::default() };
            account.update_subscription(subscription, change, act)
        }
        _ => Err(Refusal::invalid("Please use one of the buttons.")),
    }
}

/// How the configuration of the session prorates an update.
fn portal_features(account: &Account, session: usize) -> Option<String> {
    let configuration = account.portal_configurations.get(&account.portal_sessions[session].configuration)?;
    configuration.features["subscription_update"]["proration_behavior"].as_str().map(str::to_owned)
}

/// Pays what is open with the card that was stored just now.
fn pay_open(account: &mut Account, customer: usize, act: Act) -> Result<(), Refusal> {
    let id = account.customers[customer].id.clone();
    for invoice in account.invoices.linked("customer", &id).to_vec() {
        if account.invoices[invoice].status == InvoiceStatus::Open {
            account.pay_invoice(invoice, Pay::default(), act)?;
        }
    }
    Ok(())
}

fn render(account: &Account, session: usize, refused: Option<&str>) -> Response {
    let session = &account.portal_sessions[session];
    let mut content = refused.map(|text| problem("Not done.", text)).unwrap_or_default();
    let subscriptions = account.subscriptions.linked("customer", &session.customer);
    for position in subscriptions.iter().rev() {
        content.push_str(&subscription(account, &account.subscriptions[*position]));
    }
    if subscriptions.is_empty() {
        content.push_str("<p>There is no subscription.</p>");
    }
    let open = account.invoices.linked("customer", &session.customer).iter();
    let open = open.filter(|position| account.invoices[**position].status == InvoiceStatus::Open).count();
    let due = match open {
        0 => String::new(),
        open => format!("<p><strong>{open} unpaid.</strong> A card that pays settles it at once.</p>"),
    };
    content.push_str(&format!(
        "<form method=\"post\" class=\"box\"><h2>Payment method</h2>{due}{}\
         <button name=\"action\" value=\"card\">Use this card</button></form>{}",
        card_field(),
        test_cards()
    ));
    if let Some(url) = &session.return_url {
        content.push_str(&format!("<p><a href=\"{}\">Back to the product</a></p>", escape(url)));
    }
    page(StatusCode::OK, "Your subscriptions", false, &content)
}

fn subscription(account: &Account, row: &Subscription) -> String {
    let id = escape(&row.id);
    let mut items = String::new();
    for item in &row.items {
        let rate = account.prices.get(&item.price).and_then(|price| price.rate_in(&row.currency));
        let quantity = item.quantity.unwrap_or(1);
        let cost = amount(rate.map_or(0, |rate| rate.amount(quantity)), &row.currency);
        let (_, unit) = price_name(account, &item.price);
        items.push_str(&format!("<li><code>{}</code> × {quantity}: {cost}{unit}</li>", escape(&item.price)));
    }
    let ends = row.cancel_at.or(row.cancel_at_period_end.then_some(row.period_end)).filter(|_| !row.status.is_over());
    let state = match ends {
        Some(at) => format!("{}, ends on {}", row.status.as_str(), instant(at)),
        None => row.status.as_str().to_owned(),
    };
    let button = |action: &str, text: &str| format!("<button name=\"action\" value=\"{action}\">{text}</button>");
    let controls = match ends {
        _ if row.status.is_over() => String::new(),
        Some(_) => button("undo", "Keep the subscription") + &button("cancel_now", "Cancel now"),
        None => {
            update_fields(account, row)
                + &button("update", "Change")
                + &button("cancel_at_end", "Cancel at the end of the period")
                + &button("cancel_now", "Cancel now")
        }
    };
    format!(
        "<form method=\"post\" class=\"box\"><input type=\"hidden\" name=\"subscription\" value=\"{id}\">\
         <p>Subscription <code>{id}</code></p><ul>{items}</ul><p>Status: <strong>{state}</strong></p>{controls}</form>"
    )
}

/// The plans that could be had instead, and the number of seats.
fn update_fields(account: &Account, row: &Subscription) -> String {
    let Some(plan) = row.items.first() else { return String::new() };
    let mut options = String::new();
    for price in account.prices.iter().filter(|price| price.interval.is_some() && price.active) {
        if price.rate_in(&row.currency).is_some() {
            let selected = if price.id == plan.price { " selected" } else { "" };
            let (name, id) = (escape(&price_name(account, &price.id).0), escape(&price.id));
            options.push_str(&format!("<option value=\"{id}\"{selected}>{name}</option>"));
        }
    }
    format!(
        "<label for=\"price-{id}\">Plan</label><select id=\"price-{id}\" name=\"price\">{options}</select>\
         <label for=\"seats-{id}\">Seats</label>\
         <input type=\"text\" id=\"seats-{id}\" name=\"seats\" value=\"{seats}\" inputmode=\"numeric\">",
        id = escape(&row.id),
        seats = plan.quantity.unwrap_or(1),
    )
}
