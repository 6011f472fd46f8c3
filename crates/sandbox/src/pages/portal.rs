//! The self-serve portal: another plan, other seats, a pause, an end, another card, and the invoices.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse as _, Redirect, Response};
use http::StatusCode;

use super::hosted::OF;
use super::layout::{Width, escape, instant, message, money, page, short};
use super::parts;
use crate::chargebee::api::Form;
use crate::chargebee::refusal::Refusal;
use crate::chargebee::site::cards::{Card, NAMED};
use crate::chargebee::site::catalog::{Asked, ItemType, amount_of};
use crate::chargebee::site::changes::Change;
use crate::chargebee::site::ending::{Cancel, CancelWhen};
use crate::chargebee::site::model::{Invoice, Status, Subscription};
use crate::chargebee::site::pauses::{Pause, PauseWhen};
use crate::chargebee::site::{Act, Cause, Site};
use crate::server::Shared;

#[derive(serde::Deserialize)]
pub(super) struct Access {
    #[serde(default)]
    token: String,
}

fn closed() -> Response {
    let text = "<p>This portal link was used already, has expired, or never existed. \
                Ask the product for a new one.</p>";
    message(StatusCode::GONE, OF, "Portal link is over", text)
}

pub(super) async fn authenticate(State(shared): State<Arc<Shared>>, Query(access): Query<Access>) -> Response {
    shared.with(|world, now| {
        let Some(position) = world.site.enter_portal(&access.token, Act::new(now, Cause::Portal)) else {
            return closed();
        };
        let key = &world.site.portal_sessions[position].browser_key;
        Redirect::to(&format!("/portal/v2/home/{key}")).into_response()
    })
}

pub(super) async fn show(State(shared): State<Arc<Shared>>, Path(key): Path<String>) -> Response {
    shared.with(|world, _| match world.site.portal_of_browser(&key) {
        Some(position) => render(&world.site, position, None),
        None => closed(),
    })
}

pub(super) async fn submit(State(shared): State<Arc<Shared>>, Path(key): Path<String>, body: Bytes) -> Response {
    let form = Form::parse(&body);
    shared.with(|world, now| {
        let site = &mut world.site;
        let act = Act::new(now, Cause::Portal);
        let Some(position) = site.portal_of_browser(&key) else { return closed() };
        if form.get("action") == Some("logout") {
            site.leave_portal(position, act);
            // Parsed again, so that the header is plain ASCII whatever was given.
            let back = site.portal_sessions[position].redirect_url.as_deref().and_then(|url| url::Url::parse(url).ok());
            return back.map_or_else(closed, |url| Redirect::to(url.as_str()).into_response());
        }
        if let Some(id) = form.get("invoice") {
            return document(site, position, id, act);
        }
        let result = change(site, position, &form, act);
        match result {
            Ok(()) => Redirect::to(&format!("/portal/v2/home/{key}")).into_response(),
            Err(refusal) => render(site, position, Some(&refusal.message)),
        }
    })
}

/// Leads to the document of one of the customer's invoices.
fn document(site: &mut Site, session: usize, id: &str, act: Act) -> Response {
    let customer = &site.portal_sessions[session].customer_id;
    let known = site.invoices.linked("customer_id", customer).iter().copied();
    let Some(invoice) = known.into_iter().find(|position| site.invoices[*position].id == id) else {
        return render(site, session, Some("There is no such invoice."));
    };
    let key = site.download(invoice, act).key.clone();
    Redirect::to(&format!("/invoices/download/{key}.pdf")).into_response()
}

fn change(site: &mut Site, session: usize, form: &Form, act: Act) -> Result<(), Refusal> {
    if form.get("action") == Some("card") {
        let customer = site.live_customer(&site.portal_sessions[session].customer_id)?;
        let number = parts::card_of(form.pairs()).unwrap_or_default();
        let card = Card::accept(number).map_err(|reason| Refusal::payment(reason, "gateway.general.decline"))?;
        site.store_card(customer, card, act);
        return Ok(());
    }
    let id = form.get("subscription").unwrap_or_default();
    let subscription = site.live_subscription(id)?;
    if site.subscriptions[subscription].customer_id != site.portal_sessions[session].customer_id {
        return Err(Refusal::not_found("subscription_id", id));
    }
    match form.get("action") {
        Some("cancel_at_end") => site.cancel(subscription, Cancel::new(CancelWhen::EndOfTerm), act).map(drop),
        Some("cancel_now") => site.cancel(subscription, Cancel::new(CancelWhen::Now), act).map(drop),
        Some("undo") => site.undo_cancel(subscription, act),
        Some("pause_now") => site.pause(subscription, Pause::new(PauseWhen::Now, None), act).map(drop),
        Some("pause_at_end") => site.pause(subscription, Pause::new(PauseWhen::EndOfTerm, None), act).map(drop),
        Some("undo_pause") => site.remove_scheduled_pause(subscription, act),
        Some("resume") => site.resume(subscription, true, act).map(drop),
        Some("undo_change") => site.remove_scheduled_change(subscription, act),
        Some("update") => {
            let seats = form.get("seats").unwrap_or_default().trim().parse().ok().filter(|seats| *seats > 0);
            let quantity = seats.ok_or_else(|| Refusal::invalid_request("The seats must be a positive number."))?;
            let item_price_id = form.get("price").unwrap_or_default().to_owned();
            let row = &site.subscriptions[subscription];
            if !offered(site, row).any(|(id, _)| id == item_price_id) {
                return Err(Refusal::invalid_request("This plan is not offered."));
            }
            let change = Change::to(vec![Asked { item_price_id, quantity }]);
            site.update_subscription(subscription, change, act).map(drop)
        }
        _ => Err(Refusal::invalid_request("Please use one of the buttons.")),
    }
}

/// The prices of plans that a subscription could have, by id and name.
fn offered<'a>(site: &'a Site, row: &'a Subscription) -> impl Iterator<Item = (&'a str, &'a str)> {
    let plans = site.catalog.prices.iter().filter(|price| price.item_type == ItemType::Plan && !price.archived);
    plans.filter(|price| price.currency == row.currency).map(|price| (price.id.as_str(), price.name.as_str()))
}

fn render(site: &Site, session: usize, problem: Option<&str>) -> Response {
    let row = &site.portal_sessions[session];
    let mut content = problem.map(|text| parts::problem("Not done", text)).unwrap_or_default();
    let mut left = String::new();
    let mut dues = 0;
    for position in site.subscriptions.linked("customer_id", &row.customer_id).iter().rev() {
        let row = &site.subscriptions[*position];
        if !row.deleted {
            dues += row.unpaid.len();
            left.push_str(&subscription(site, row));
        }
    }
    if left.is_empty() {
        left.push_str("<p class=\"panel\">There is no subscription.</p>");
    }
    let invoices = site.invoices.linked("customer_id", &row.customer_id).iter().rev();
    let invoices = invoices.map(|position| &site.invoices[*position]).filter(|row| !row.deleted);
    let card = site.customers.get(&row.customer_id).and_then(|customer| customer.card.as_ref());
    let card = card.map(|stored| format!("{} {}", stored.card.brand, stored.card.masked()));
    content.push_str(&format!(
        "<div class=\"columns\"><div class=\"stack\">{left}{invoices}</div>{payment}</div>\
         <form method=\"post\" class=\"row\"><button name=\"action\" value=\"logout\">{leave}</button></form>",
        invoices = invoice_list(invoices),
        payment = parts::payment_method(card.as_deref(), dues, &parts::cards(&NAMED, None)),
        leave = if row.redirect_url.is_some() { "Back to the product" } else { "Log out" },
    ));
    let status = if problem.is_some() { StatusCode::BAD_REQUEST } else { StatusCode::OK };
    page(status, OF, "Your subscriptions", Width::Wide, &content)
}

fn subscription(site: &Site, row: &Subscription) -> String {
    let mut facts = vec![parts::fact("Status", &parts::badge(row.status.as_str()))];
    let amount = money(amount_of(&row.items, false), &row.currency);
    facts.push(parts::fact("Price", &format!("{amount} a {}", row.billing_period_unit.as_str())));
    let ends = row.scheduled_cancel.as_ref().filter(|_| row.status != Status::Cancelled);
    let dates = [
        ("Trial until", row.trial_end.filter(|_| row.status == Status::InTrial)),
        ("Period until", row.term.map(|term| term.end).filter(|_| row.status != Status::Cancelled)),
        ("Ends on", ends.map(|cancel| cancel.at)),
        ("Pauses on", row.pause_date.filter(|_| row.status != Status::Paused)),
        ("Resumes on", row.resume_date),
        ("Changes on", row.scheduled_change.as_ref().map(|change| change.at)),
    ];
    let dates = dates.into_iter().filter_map(|(name, at)| Some(parts::fact(name, &instant(at?))));
    facts.extend(dates);
    let items: String = row
        .items
        .iter()
        .map(|item| format!("<li><code>{}</code> × {}</li>", escape(&item.item_price_id), item.quantity))
        .collect();
    let is_over = row.status == Status::Cancelled;
    let plan = row.items.iter().find(|item| item.item_type == ItemType::Plan);
    let change = plan
        .filter(|_| !is_over && row.status != Status::Paused)
        .map(|plan| parts::plan_form(&row.id, offered(site, row), &plan.item_price_id, plan.quantity));
    let mut buttons = Vec::new();
    if row.scheduled_change.is_some() && !is_over {
        buttons.push(("undo_change", "Do not change it"));
    }
    match (row.status, ends) {
        (Status::Cancelled, _) => {}
        (_, Some(_)) => buttons.extend([("undo", "Keep the subscription"), ("cancel_now", "Cancel now")]),
        (Status::Paused, None) => buttons.extend([("resume", "Resume"), ("cancel_now", "Cancel now")]),
        (Status::Future, None) => buttons.push(("cancel_now", "Cancel now")),
        (status, None) => {
            match (status, row.pause_date) {
                (_, Some(_)) => buttons.push(("undo_pause", "Do not pause")),
                (Status::Active, None) => {
                    buttons.extend([("pause_now", "Pause now"), ("pause_at_end", "Pause at the end of the period")]);
                }
                _ => {}
            }
            buttons.extend([("cancel_at_end", "Cancel at the end of the period"), ("cancel_now", "Cancel now")]);
        }
    }
    let title = plan.and_then(|plan| site.catalog.prices.get(&plan.item_price_id));
    let title = title.map_or("Subscription", |price| price.name.as_str());
    parts::subscription((title, &row.id), &items, &facts.concat(), &change.unwrap_or_default(), &buttons)
}

fn invoice_list<'a>(invoices: impl Iterator<Item = &'a Invoice>) -> String {
    let rows = invoices.map(|row| {
        let id = escape(&row.id);
        let link = format!(
            "<form method=\"post\"><button class=\"slim\" name=\"invoice\" value=\"{id}\">PDF\
             <span class=\"hidden\"> of invoice {id}</span></button></form>"
        );
        [id, short(row.date), money(row.total, &row.currency), parts::badge(row.status.as_str()), link]
    });
    parts::invoices(rows)
}
