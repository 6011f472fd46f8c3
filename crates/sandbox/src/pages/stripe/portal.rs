//! The customer portal: another plan, other seats, a pause, an end, another card, and the invoices.
//!
//! Source: Stripe docs, "Customer portal".

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::response::{IntoResponse as _, Redirect, Response};
use http::StatusCode;

use super::super::layout::{Width, escape, instant, message, page, short};
use super::super::parts;
use super::{OF, amount, price_name};
use crate::moment::Moment;
use crate::server::Shared;
use crate::stripe::account::cards::NAMED;
use crate::stripe::account::changes::{Change, ItemChange};
use crate::stripe::account::collection::Pay;
use crate::stripe::account::ending::CancelNow;
use crate::stripe::account::model::{Instrument, Invoice, InvoiceStatus, ProrationBehavior, Status, Subscription};
use crate::stripe::account::pauses::{Pause, Resume};
use crate::stripe::account::refusal::Refusal;
use crate::stripe::account::{Account, Act, Cause};
use crate::stripe::api::Form;
use crate::stripe::render::hosted_url;

fn closed() -> Response {
    let text = "<p>This portal link has expired or never existed. Ask the product for a new one.</p>";
    message(StatusCode::GONE, OF, "Portal link is over", text)
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
        account.save_card(customer, parts::card_of(form.pairs()).unwrap_or_default(), act)?;
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
        Some("pause") => account.pause_subscription(subscription, Pause::default(), act),
        Some("resume") => account.resume_subscription(subscription, Resume::default(), act),
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
    let mut content = refused.map(|text| parts::problem("Not done", text)).unwrap_or_default();
    let subscriptions = account.subscriptions.linked("customer", &session.customer);
    let mut left: String =
        subscriptions.iter().rev().map(|position| subscription(account, &account.subscriptions[*position])).collect();
    if left.is_empty() {
        left.push_str("<p class=\"panel\">There is no subscription.</p>");
    }
    let invoices = || {
        let all = account.invoices.linked("customer", &session.customer).iter().rev();
        all.map(|position| &account.invoices[*position]).filter(|row| row.finalized_at.is_some() && !row.deleted)
    };
    let dues = invoices().filter(|row| row.status == InvoiceStatus::Open).count();
    content.push_str(&format!(
        "<div class=\"columns\"><div class=\"stack\">{left}{invoices}</div>{payment}</div>",
        invoices = invoice_list(account, invoices()),
        payment = parts::payment_method(card(account, &session.customer).as_deref(), dues, &parts::cards(&NAMED, None)),
    ));
    if let Some(url) = &session.return_url {
        content.push_str(&format!("<p><a class=\"button\" href=\"{}\">Back to the product</a></p>", escape(url)));
    }
    let status = if refused.is_some() { StatusCode::BAD_REQUEST } else { StatusCode::OK };
    page(status, OF, "Your subscriptions", Width::Wide, &content)
}

/// What the customer pays with, else what the newest subscription is paid with.
fn card(account: &Account, customer: &str) -> Option<String> {
    let own = account.customers.get(customer)?.default_payment_method.as_ref();
    let subscriptions = account.subscriptions.linked("customer", customer).iter().rev();
    let of_subscription =
        subscriptions.filter_map(|position| account.subscriptions[*position].default_payment_method.as_ref()).next();
    let method = own.or(of_subscription)?;
    Some(match &account.payment_methods.get(method)?.instrument {
        Instrument::Card { brand, last4, .. } => format!("{brand} ending in {last4}"),
        Instrument::Bank { last4, .. } => format!("bank account ending in {last4}"),
    })
}

fn subscription(account: &Account, row: &Subscription) -> String {
    let mut items = String::new();
    for item in &row.items {
        let rate = account.prices.get(&item.price).and_then(|price| price.rate_in(&row.currency));
        let quantity = item.quantity.unwrap_or(1);
        let cost = amount(rate.map_or(0, |rate| rate.amount(quantity)), &row.currency);
        let (_, unit) = price_name(account, &item.price);
        items.push_str(&format!("<li><code>{}</code> × {quantity}: {cost}{unit}</li>", escape(&item.price)));
    }
    let is_over = row.status.is_over();
    let ends = row.cancel_at.or(row.cancel_at_period_end.then_some(row.period_end)).filter(|_| !is_over);
    let mut facts = parts::fact("Status", &parts::badge(row.status.as_str()));
    let dates = [
        ("Trial until", row.trial_end.filter(|_| row.status == Status::Trialing)),
        ("Period until", Some(row.period_end).filter(|_| !is_over)),
        ("Ends on", ends),
        ("Ended on", row.ended_at),
    ];
    for (name, at) in dates {
        facts.push_str(&at.map(|at| parts::fact(name, &instant(at))).unwrap_or_default());
    }
    let plan = row.items.first().filter(|_| ends.is_none() && !is_over && row.status != Status::Paused);
    let change = plan.map(|plan| {
        let prices = account.prices.iter().filter(|price| price.interval.is_some() && price.active);
        let names = prices
            .filter(|price| price.rate_in(&row.currency).is_some() && price.meter.is_none())
            .map(|price| (price.id.as_str(), price.nickname.as_deref().unwrap_or(&price.id)));
        parts::plan_form(&row.id, names, &plan.price, plan.quantity.unwrap_or(1))
    });
    let mut buttons = Vec::new();
    match (row.status, ends) {
        _ if is_over => {}
        (_, Some(_)) => buttons.extend([("undo", "Keep the subscription"), ("cancel_now", "Cancel now")]),
        (Status::Paused, None) => buttons.extend([("resume", "Resume"), ("cancel_now", "Cancel now")]),
        (status, None) => {
            if matches!(status, Status::Active | Status::Trialing | Status::PastDue) {
                buttons.push(("pause", "Pause"));
            }
            buttons.extend([("cancel_at_end", "Cancel at the end of the period"), ("cancel_now", "Cancel now")]);
        }
    }
    let title = row.items.first().map_or_else(|| "Subscription".into(), |item| price_name(account, &item.price).0);
    parts::subscription((&title, &row.id), &items, &facts, &change.unwrap_or_default(), &buttons)
}

fn invoice_list<'a>(account: &Account, invoices: impl Iterator<Item = &'a Invoice>) -> String {
    let rows = invoices.map(|row| {
        let number = escape(row.number.as_deref().unwrap_or(&row.id));
        let url = escape(&hosted_url(account, row));
        let link = format!("<a href=\"{url}\">Open<span class=\"hidden\"> invoice {number}</span></a>");
        let total = amount(row.total(), &row.currency);
        [number, short(row.created), total, parts::badge(row.status.as_str()), link]
    });
    parts::invoices(rows)
}
