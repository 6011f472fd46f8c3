//! The hosted checkout page, and the question of the customer's bank (3-D Secure) in between.
//!
//! Source: Stripe docs, "How Checkout works", "Authenticate with 3D Secure".

use crate::challenge::Challenge;
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::response::{IntoResponse as _, Redirect, Response};
use http::StatusCode;

use super::super::layout::{Width, escape, instant, message, page};
use super::super::parts;
use super::{OF, amount, price_name};
use crate::moment::Moment;
use crate::server::Shared;
use crate::stripe::account::cards::NAMED;
use crate::stripe::account::checkout::{Completion, NotFinished, trial_end_of};
use crate::stripe::account::model::{CheckoutMode, SessionStatus};
use crate::stripe::account::{Account, Act, Cause};
use crate::stripe::api::Form;

/// The id in the address of a checkout page.
pub(crate) fn id_in(url: &str) -> Option<String> {
    let url = url::Url::parse(url).ok()?;
    let mut parts = url.path_segments()?.filter(|part| !part.is_empty());
    let known = parts.next() == Some("c") && parts.next() == Some("pay");
    let id = parts.next().filter(|_| known)?.to_owned();
    parts.next().is_none().then_some(id)
}

fn gone() -> Response {
    message(StatusCode::NOT_FOUND, OF, "No such checkout", "<p>There is no checkout page at this address.</p>")
}

pub(super) async fn show(State(shared): State<Arc<Shared>>, Path(id): Path<String>) -> Response {
    shared.with(|world, now| match world.stripe.checkout_sessions.position(&id) {
        Some(position) => render(&world.stripe, position, now, None, &Completion::default()),
        None => gone(),
    })
}

fn member(form: &Form, name: &str) -> Option<String> {
    let found = form.pairs().iter().rev().find(|(known, _)| known == name);
    found.map(|(_, value)| value.clone()).filter(|value| !value.is_empty())
}

/// What somebody filled in.
pub(super) fn completion_of(form: &Form) -> Completion {
    Completion {
        number: parts::card_of(form.pairs()).map(str::to_owned),
        challenge: member(form, "challenge").and_then(|word| Challenge::parse(&word)),
        email: member(form, "email"),
        name: member(form, "name"),
    }
}

pub(super) async fn submit(State(shared): State<Arc<Shared>>, Path(id): Path<String>, body: Bytes) -> Response {
    let form = Form::parse(&body);
    shared.with(|world, now| {
        let account = &mut world.stripe;
        let Some(position) = account.checkout_sessions.position(&id) else { return gone() };
        if member(&form, "action").as_deref() == Some("cancel") {
            let back =
                account.checkout_sessions[position].cancel_url.as_deref().and_then(|url| url::Url::parse(url).ok());
            return back.map_or_else(
                || render(account, position, now, None, &Completion::default()),
                |url| Redirect::to(url.as_str()).into_response(),
            );
        }
        let completion = completion_of(&form);
        let result = account.complete_session(position, completion.clone(), Act::new(now, Cause::Checkout));
        match result {
            Ok(()) => {
                let back = account.session_return_url(position).and_then(|url| url::Url::parse(&url).ok());
                back.map_or_else(
                    || render(account, position, now, None, &completion),
                    |url| Redirect::to(url.as_str()).into_response(),
                )
            }
            Err(NotFinished::Challenge) => challenge(&completion),
            Err(NotFinished::Over(_)) => render(account, position, now, None, &completion),
            Err(NotFinished::Declined(refusal) | NotFinished::Refused(refusal)) => {
                render(account, position, now, Some(&refusal.message), &completion)
            }
        }
    })
}

/// The bank's question, with everything that was filled in before.
pub(super) fn challenge(Completion { number, email, name, .. }: &Completion) -> Response {
    let kept = [("card", number), ("email", email), ("name", name)];
    parts::challenge(OF, &kept.map(|(name, value)| (name, value.as_deref())))
}

fn render(account: &Account, position: usize, now: Moment, refused: Option<&str>, tried: &Completion) -> Response {
    let session = &account.checkout_sessions[position];
    if let Some(reason) = account.session_over(position) {
        let bought = session.status == SessionStatus::Complete;
        let title = if bought { "Thank you" } else { "This checkout is over" };
        let back = session.success_url.as_deref().filter(|_| bought).or(session.cancel_url.as_deref());
        let back = back.map(|url| url.replace("{CHECKOUT_SESSION_ID}", &session.id));
        let back = back.map(|url| format!("<p><a href=\"{}\">Back to the product</a></p>", escape(&url)));
        let text = format!("<p>{}</p>{}", escape(reason), back.unwrap_or_default());
        return message(if bought { StatusCode::OK } else { StatusCode::GONE }, OF, title, &text);
    }
    let is_setup = session.mode == CheckoutMode::Setup;
    let (title, button) = if is_setup { ("Payment method", "Use this card") } else { ("Checkout", "Pay") };
    let email = match (&session.customer, &session.customer_email) {
        (None, None) => format!(
            "<div class=\"field\"><label for=\"email\">E-mail</label><input type=\"text\" id=\"email\" name=\"email\" \
             value=\"{}\" inputmode=\"email\" autocomplete=\"off\"></div>",
            escape(tried.email.as_deref().unwrap_or_default())
        ),
        _ => String::new(),
    };
    let cancel = match session.cancel_url {
        Some(_) => {
            "<button class=\"block\" name=\"action\" value=\"cancel\" formnovalidate>Cancel and go back</button>"
        }
        None => "",
    };
    let content = format!(
        "{note}<div class=\"columns\"><section class=\"panel\" aria-labelledby=\"what\">{offer}\
         <p class=\"hint foot\">The page is open until {until}.</p></section>\
         <form method=\"post\" class=\"panel\"><h2>Payment</h2>{email}{cards}\
         <button class=\"main block\" name=\"action\" value=\"pay\">{button}</button>{cancel}</form></div>",
        note = refused.map(|text| parts::problem("Not paid", text)).unwrap_or_default(),
        offer = offer(account, position, now),
        cards = parts::cards(&NAMED, tried.number.as_deref()),
        until = instant(session.expires_at),
    );
    let status = if refused.is_some() { StatusCode::PAYMENT_REQUIRED } else { StatusCode::OK };
    page(status, OF, title, Width::Pair, &content)
}

/// What is bought, and what is charged today.
fn offer(account: &Account, position: usize, now: Moment) -> String {
    let session = &account.checkout_sessions[position];
    let Some(total) = session.amount_total else {
        return "<h2 id=\"what\">A card to pay with</h2><p>It is kept for what is to be paid later.</p>".into();
    };
    let currency = session.currency.as_deref().unwrap_or_default();
    let mut lines = String::new();
    for line in &session.lines {
        let (name, unit) = price_name(account, &line.price);
        let rate = account.prices.get(&line.price).and_then(|price| price.rate_in(currency));
        let (text, cost) = match line.quantity {
            Some(quantity) => (format!("{name} ×\u{a0}{quantity}"), rate.map_or(0, |rate| rate.amount(quantity))),
            None => (format!("{name}, by use"), 0),
        };
        lines.push_str(&parts::line(&text, &(amount(cost, currency) + &unit)));
    }
    lines.push_str(&parts::sum("To pay today", &amount(total, currency)));
    let trial = trial_end_of(&session.subscription_data, now.secs());
    let trial = trial
        .map(|end| format!("<p class=\"note plain\">Your trial runs until <strong>{}</strong>.</p>", instant(end)));
    format!("<h2 id=\"what\">Your order</h2><dl class=\"lines\">{lines}</dl>{}", trial.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_of_checkout_pages_have_an_id() {
        assert_eq!(id_in("http://127.0.0.1:1/c/pay/cs_test_1").as_deref(), Some("cs_test_1"));
        assert_eq!(id_in("http://127.0.0.1:1/c/pay/cs_test_1#x").as_deref(), Some("cs_test_1"));
        for other in ["", "cs_test_1", "http://a/c/pay/", "http://a/c/pay/a/b", "http://a/pages/v4/abc"] {
            assert_eq!(id_in(other), None, "{other}");
        }
    }
}
