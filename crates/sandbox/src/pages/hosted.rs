//! The hosted checkout page, and the question of the customer's bank (3-D Secure) in between.
//!
//! Source: Chargebee API docs, "Hosted pages": after success the browser goes to `redirect_url`, after a cancellation
//! to `cancel_url`, each with `id` and `state` appended.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::response::{IntoResponse as _, Redirect, Response};
use http::StatusCode;

use super::layout::{Width, escape, instant, message, money, page};
use super::{parts, pdf};
use crate::challenge::Challenge;
use crate::chargebee::api::Form;
use crate::chargebee::site::cards::NAMED;
use crate::chargebee::site::catalog::{Item, amount_of};
use crate::chargebee::site::checkout::NotFinished;
use crate::chargebee::site::model::{PageState, PageTask};
use crate::chargebee::site::{Act, Cause, Site};
use crate::moment::Moment;
use crate::server::Shared;

/// Whom the pages stand in for.
pub(super) const OF: &str = "Chargebee";

/// The id in the address of a checkout page.
pub(crate) fn id_in(url: &str) -> Option<String> {
    let url = url::Url::parse(url).ok()?;
    let mut parts = url.path_segments()?.filter(|part| !part.is_empty());
    let known = parts.next() == Some("pages") && parts.next() == Some("v4");
    let id = parts.next().filter(|_| known)?.to_owned();
    parts.next().is_none().then_some(id)
}

fn with_state(url: &str, id: &str, state: &str) -> String {
    let Ok(mut url) = url::Url::parse(url) else { return url.to_owned() };
    url.query_pairs_mut().append_pair("id", id).append_pair("state", state);
    url.into()
}

/// Where the browser goes after success.
pub(crate) fn success_url(site: &Site, position: usize) -> Option<String> {
    let row = &site.hosted_pages[position];
    row.redirect_url.as_deref().map(|url| with_state(url, &row.id, "succeeded"))
}

fn cancel_url(site: &Site, position: usize) -> Option<String> {
    let row = &site.hosted_pages[position];
    row.cancel_url.as_deref().or(row.redirect_url.as_deref()).map(|url| with_state(url, &row.id, "cancelled"))
}

/// The document of an invoice, by a link that the API gave out. Nobody signs in for it: the link is the key.
pub(super) async fn invoice(State(shared): State<Arc<Shared>>, Path(file): Path<String>) -> Response {
    shared.with(|world, now| {
        let site = &world.site;
        let invoice = file.strip_suffix(".pdf").and_then(|key| site.downloaded(key, now.secs()));
        let Some(row) = invoice.map(|position| &site.invoices[position]) else {
            let text = "<p>There is no document at this address, or its time is over.</p>";
            return message(StatusCode::NOT_FOUND, OF, "No such document", text);
        };
        let mut lines = vec![format!("SANDBOX: Invoice {}", row.id)];
        lines.extend(
            row.lines.iter().map(|line| format!("{}: {}", line.description, money(line.amount, &row.currency))),
        );
        let (total, due) = (money(row.total, &row.currency), money(row.amount_due(), &row.currency));
        lines.push(format!("Total: {total}, due: {due}"));
        pdf::document(&lines)
    })
}

fn gone() -> Response {
    message(StatusCode::NOT_FOUND, OF, "No such checkout", "<p>There is no checkout page at this address.</p>")
}

pub(super) async fn show(State(shared): State<Arc<Shared>>, Path(id): Path<String>) -> Response {
    shared.with(|world, now| {
        let Some(position) = world.site.hosted_pages.position(&id) else { return gone() };
        world.site.open_page(position, Act::new(now, Cause::HostedPage));
        render(&world.site, position, now.secs(), None, None)
    })
}

pub(super) async fn submit(State(shared): State<Arc<Shared>>, Path(id): Path<String>, body: Bytes) -> Response {
    let form = Form::parse(&body);
    shared.with(|world, now| {
        let site = &mut world.site;
        let Some(position) = site.hosted_pages.position(&id) else { return gone() };
        let act = Act::new(now, Cause::HostedPage);
        let card = parts::card_of(form.pairs());
        let challenge = form.get("challenge").and_then(Challenge::parse);
        let cancels = form.get("action") == Some("cancel");
        let result = if cancels {
            site.cancel_page(position, act)
        } else {
            site.finish_page(position, card.unwrap_or_default(), challenge, act)
        };
        match result {
            Ok(()) => {
                let target = if cancels { cancel_url(site, position) } else { success_url(site, position) };
                target.map_or_else(
                    || render(site, position, now.secs(), None, None),
                    |target| Redirect::to(&target).into_response(),
                )
            }
            Err(NotFinished::Challenge) => parts::challenge(OF, &[("card", card)]),
            Err(NotFinished::Over(_)) => render(site, position, now.secs(), None, None),
            Err(NotFinished::Declined(message)) => render(site, position, now.secs(), Some(&message), card),
            Err(NotFinished::Refused(refusal)) => render(site, position, now.secs(), Some(&refusal.message), card),
        }
    })
}

fn render(site: &Site, position: usize, now_secs: i64, problem: Option<&str>, tried: Option<&str>) -> Response {
    let row = &site.hosted_pages[position];
    if let Some(reason) = site.page_over(position, now_secs) {
        let bought = matches!(row.state, PageState::Succeeded | PageState::Acknowledged);
        let title = if bought { "Thank you" } else { "This checkout is over" };
        let back = row.redirect_url.as_deref().or(row.cancel_url.as_deref());
        let back = back.map(|url| format!("<p><a href=\"{}\">Back to the product</a></p>", escape(url)));
        let text = format!("<p>{}</p>{}", escape(reason), back.unwrap_or_default());
        return message(if bought { StatusCode::OK } else { StatusCode::GONE }, OF, title, &text);
    }
    let (title, offer) = offer(site, &row.task, now_secs);
    let note = problem.map(|text| parts::problem("Not paid", text)).unwrap_or_default();
    let button = if row.task.is_checkout() { "Pay" } else { "Use this card" };
    let content = format!(
        "{note}<div class=\"columns\"><section class=\"panel\" aria-labelledby=\"what\">{offer}\
         <p class=\"hint foot\">The page is open until {until}.</p></section>\
         <form method=\"post\" class=\"panel\"><h2>Payment</h2>{cards}\
         <button class=\"main block\" name=\"action\" value=\"pay\">{button}</button>\
         <button class=\"block\" name=\"action\" value=\"cancel\">Cancel and go back</button></form></div>",
        cards = parts::cards(&NAMED, tried),
        until = instant(row.expires_at),
    );
    let status = if problem.is_some() { StatusCode::PAYMENT_REQUIRED } else { StatusCode::OK };
    page(status, OF, title, Width::Pair, &content)
}

/// A summary with its heading; `lines` and `more` are HTML.
fn summary(title: &str, lines: &str, more: &str) -> String {
    format!("<h2 id=\"what\">{title}</h2><dl class=\"lines\">{lines}</dl>{more}")
}

/// Only a sentence, with its heading.
fn sentence(title: &str, text: &str) -> String {
    format!("<h2 id=\"what\">{title}</h2><p>{}</p>", escape(text))
}

/// What the page is about: its title and its summary.
fn offer(site: &Site, task: &PageTask, now_secs: i64) -> (&'static str, String) {
    match task {
        PageTask::New { items, trial_end, .. } => {
            let Ok(basket) = site.sell(items) else {
                return ("Checkout", sentence("Your order", "What was offered here is no longer sold."));
            };
            let trial = Site::trial_end(&basket, *trial_end, now_secs, "").ok().flatten();
            let currency = &basket.currency;
            let total = money(amount_of(&basket.items, true), currency);
            let (sums, note) = match trial {
                None => (parts::sum("To pay today", &total), String::new()),
                Some(end) => (
                    parts::line("After the trial", &total) + &parts::sum("To pay today", &money(0, currency)),
                    format!(
                        "<p class=\"note plain\">Your trial runs until <strong>{}</strong>. \
                         Nothing is charged today.</p>",
                        instant(end)
                    ),
                ),
            };
            ("Checkout", summary("Your order", &(lines(site, &basket.items, currency) + &sums), &note))
        }
        PageTask::Existing { subscription_id, change } => {
            let act = Act::new(Moment::from_secs(now_secs), Cause::HostedPage);
            let tried = site.live_subscription(subscription_id).and_then(|position| {
                site.rehearse_on(position, |copy, position| copy.update_subscription(position, *change.clone(), act))
            });
            let text = match tried {
                Ok(rehearsed) => {
                    let changed = &rehearsed.site.subscriptions[rehearsed.subscription];
                    let items = changed.scheduled_change.as_ref().map_or(&changed.items, |change| &change.items);
                    let due = parts::sum("To pay today", &money(rehearsed.due_now(), &changed.currency));
                    summary("Your subscription then", &(lines(site, items, &changed.currency) + &due), "")
                }
                Err(refusal) => sentence("Your subscription", &refusal.message),
            };
            ("Change your subscription", text)
        }
        PageTask::Once { items, currency, .. } => {
            let Ok((items, currency)) = site.sell_once(items, currency.as_deref()) else {
                return ("Checkout", sentence("Your order", "What was offered here is no longer sold."));
            };
            let total = parts::sum("To pay today", &money(amount_of(&items, true), &currency));
            ("Checkout", summary("Your order", &(lines(site, &items, &currency) + &total), ""))
        }
        PageTask::ManageCard { .. } => {
            let text = "The card is kept for what is to be paid later. Whatever is open is paid with it at once.";
            ("Payment method", sentence("A card to pay with", text))
        }
        PageTask::CollectNow { customer_id } => {
            let open = site.subscriptions.linked("customer_id", customer_id).iter().flat_map(|subscription| {
                let row = &site.subscriptions[*subscription];
                row.unpaid.iter().map(|invoice| &site.invoices[*invoice])
            });
            let rows: String = open
                .map(|invoice| {
                    parts::line(&format!("Invoice {}", invoice.id), &money(invoice.amount_due(), &invoice.currency))
                })
                .collect();
            let text = match rows.is_empty() {
                true => sentence("Open invoices", "Nothing is due."),
                false => summary("Open invoices", &rows, ""),
            };
            ("Pay what is due", text)
        }
    }
}

fn lines(site: &Site, items: &[Item], currency: &str) -> String {
    let line = |item: &Item| {
        let price = site.catalog.prices.get(&item.item_price_id);
        let name = price.map_or(item.item_price_id.as_str(), |price| price.name.as_str());
        let period = price.and_then(|price| price.period).map(|(_, unit)| format!(" a {}", unit.as_str()));
        let amount = money(item.amount(), currency) + &period.unwrap_or_default();
        parts::line(&format!("{name} ×\u{a0}{}", item.quantity), &amount)
    };
    items.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_state_is_appended_to_what_is_there() {
        assert_eq!(with_state("http://a/b", "1", "succeeded"), "http://a/b?id=1&state=succeeded");
        assert_eq!(with_state("http://a/b?c=d", "1", "cancelled"), "http://a/b?c=d&id=1&state=cancelled");
    }

    #[test]
    fn only_addresses_of_checkout_pages_have_an_id() {
        assert_eq!(id_in("http://127.0.0.1:1/pages/v4/abc/").as_deref(), Some("abc"));
        assert_eq!(id_in("http://127.0.0.1:1/pages/v4/abc?x=1").as_deref(), Some("abc"));
        for other in ["", "abc", "http://a/pages/v4/", "http://a/pages/v4/a/b", "http://a/x/v4/abc"] {
            assert_eq!(id_in(other), None, "{other}");
        }
    }
}
