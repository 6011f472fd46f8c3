//! The self-serve portal: a customer's subscriptions, and cancelling them.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse as _, Redirect, Response};
use http::StatusCode;

use super::layout::{escape, instant, money, page};
use crate::chargebee::api::Form;
use crate::chargebee::refusal::Refusal;
use crate::chargebee::site::cards::{Card, NAMED};
use crate::chargebee::site::catalog::amount_of;
use crate::chargebee::site::ending::{Cancel, CancelWhen};
use crate::chargebee::site::model::Status;
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
    page(StatusCode::GONE, "Portal link is over", false, text)
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
        let result = change(site, position, &form, act);
        match result {
            Ok(()) => Redirect::to(&format!("/portal/v2/home/{key}")).into_response(),
            Err(refusal) => render(site, position, Some(&refusal.message)),
        }
    })
}

fn change(site: &mut Site, session: usize, form: &Form, act: Act) -> Result<(), Refusal> {
    if form.get("action") == Some("card") {
        let customer = site.live_customer(&site.portal_sessions[session].customer_id)?;
        let number = form.get("card").unwrap_or_default();
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
        _ => Err(Refusal::invalid_request("Please use one of the buttons.")),
    }
}

fn render(site: &Site, session: usize, problem: Option<&str>) -> Response {
    let row = &site.portal_sessions[session];
    let mut content = String::new();
    if let Some(problem) = problem {
        content.push_str(&format!(
            "<div class=\"box error\" role=\"alert\"><strong>Not done.</strong> {}</div>",
            escape(problem)
        ));
    }
    let mut any = false;
    let mut dues = 0;
    for subscription in site.subscriptions.linked("customer_id", &row.customer_id) {
        let subscription = &site.subscriptions[*subscription];
        if subscription.deleted {
            continue;
        }
        any = true;
        dues += subscription.unpaid.len();
        let id = escape(&subscription.id);
        let amount = money(amount_of(&subscription.items, false), &subscription.currency);
        let unit = subscription.billing_period_unit.as_str();
        let mut items = String::new();
        for item in &subscription.items {
            items.push_str(&format!("<li>{} × {}</li>", escape(&item.item_price_id), item.quantity));
        }
        let ends = subscription.scheduled_cancel.as_ref().filter(|_| subscription.status != Status::Cancelled);
        let state = match ends {
            Some(cancel) => format!("{}, ends on {}", subscription.status.as_str(), instant(cancel.at)),
            None => subscription.status.as_str().to_owned(),
        };
        let button = |action: &str, text: &str| format!("<button name=\"action\" value=\"{action}\">{text}</button>");
        let buttons = match (subscription.status, ends) {
            (Status::Cancelled, _) => String::new(),
            (_, Some(_)) => button("undo", "Keep the subscription") + &button("cancel_now", "Cancel now"),
            (Status::Future | Status::Paused, None) => button("cancel_now", "Cancel now"),
            (_, None) => {
                button("cancel_at_end", "Cancel at the end of the period") + &button("cancel_now", "Cancel now")
            }
        };
        content.push_str(&format!(
            "<form method=\"post\" class=\"box\"><input type=\"hidden\" name=\"subscription\" value=\"{id}\">\
             <p class=\"total\"><span>Subscription <code>{id}</code></span><span>{amount} a {unit}</span></p>\
             <ul>{items}</ul><p>Status: <strong>{state}</strong></p>{buttons}</form>"
        ));
    }
    if !any {
        content.push_str("<p>There is no subscription.</p>");
    }
    let due = match dues {
        0 => String::new(),
        one_or_more => format!("<p><strong>{one_or_more} unpaid.</strong> A card that pays settles it at once.</p>"),
    };
    content.push_str(&format!(
        "<form method=\"post\" class=\"box\"><h2>Payment method</h2>{due}<label for=\"card\">Card number</label>\
         <input type=\"text\" id=\"card\" name=\"card\" value=\"{first}\" inputmode=\"numeric\" autocomplete=\"off\" required>\
         <button name=\"action\" value=\"card\">Use this card</button></form>",
        first = NAMED[0].0,
    ));
    let leave = if row.redirect_url.is_some() { "Back to the product" } else { "Log out" };
    content
        .push_str(&format!("<form method=\"post\"><button name=\"action\" value=\"logout\">{leave}</button></form>"));
    page(StatusCode::OK, "Your subscriptions", false, &content)
}
