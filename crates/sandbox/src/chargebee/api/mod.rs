//! The HTTP API of the site, as pure functions: a request and the site in, an answer out.

mod answer;
mod catalog;
mod customers;
mod documents;
mod estimates;
mod events;
mod filter;
mod form;
mod hosted_pages;
mod idempotency;
mod invoices;
mod list;
mod new_prices;
mod options;
mod portal_sessions;
mod read;
mod subscriptions;

pub(crate) use answer::Answer;
pub(crate) use form::Form;
pub(crate) use idempotency::Idempotency;

use super::refusal::Refusal;
use super::site::{Act, Cause, Site};
use crate::moment::Moment;

/// A request to `/api/v2`, its credentials already checked.
#[derive(Debug)]
pub(crate) struct Request<'a> {
    pub(crate) is_post: bool,
    /// The path below `/api/v2`, decoded, in segments.
    pub(crate) path: Vec<String>,
    pub(crate) query: &'a Form,
    pub(crate) form: &'a Form,
}

/// Answers a request. Everything that is not served is a 404 in Chargebee's own shape.
pub(crate) fn answer(site: &mut Site, request: &Request<'_>, now: Moment) -> Answer {
    route(site, request, Act::new(now, Cause::Api)).unwrap_or_else(|refusal| Answer::refused(&refusal))
}

fn route(site: &mut Site, request: &Request<'_>, act: Act) -> Result<Answer, Refusal> {
    let path: Vec<&str> = request.path.iter().map(String::as_str).collect();
    let (query, form) = (request.query, request.form);
    match (request.is_post, path.as_slice()) {
        (true, ["customers"]) => customers::create(site, form, act),
        (false, ["customers"]) => customers::list(site, query),
        (false, ["customers", id]) => customers::retrieve(site, id),
        (true, ["customers", id]) => customers::update(site, id, form, act),
        (true, ["customers", id, "update_billing_info"]) => customers::update_billing_info(site, id, form, act),
        (true, ["customers", id, "delete"]) => customers::delete(site, id, act),
        (true, ["customers", id, "subscription_for_items"]) => subscriptions::create(site, id, form, act),
        (true, ["customers", id, "create_subscription_for_items_estimate"]) => {
            estimates::create(site, Some(id), form, act)
        }
        (false, ["customers", id, "subscriptions"]) => subscriptions::list_for_customer(site, id, query),
        (false, ["customers", id, "invoices"]) => invoices::list_for_customer(site, id, query),

        (false, ["subscriptions"]) => subscriptions::list(site, query),
        (false, ["subscriptions", id]) => subscriptions::retrieve(site, id),
        (false, ["subscriptions", id, "retrieve_with_scheduled_changes"]) => {
            subscriptions::retrieve_as_scheduled(site, id)
        }
        (false, ["subscriptions", id, "renewal_estimate"]) => estimates::renewal(site, id, query, act),
        (true, ["subscriptions", id, "cancel_subscription_for_items_estimate"]) => {
            estimates::cancel(site, id, form, act)
        }
        (false, ["subscriptions", id, "invoices"]) => invoices::list_for_subscription(site, id, query),
        (true, ["subscriptions", id, action]) => subscriptions::act(site, id, action, form, act),

        (true, ["estimates", "create_subscription_for_items"]) => estimates::create(site, None, form, act),
        (true, ["estimates", "update_subscription_for_items"]) => estimates::update(site, form, act),

        (true, ["hosted_pages", "checkout_new_for_items"]) => hosted_pages::checkout_new(site, form, act),
        (true, ["hosted_pages", "checkout_existing_for_items"]) => hosted_pages::checkout_existing(site, form, act),
        (true, ["hosted_pages", "checkout_one_time_for_items"]) => hosted_pages::checkout_one_time(site, form, act),
        (true, ["hosted_pages", "manage_payment_sources"]) => hosted_pages::manage_payment_sources(site, form, act),
        (true, ["hosted_pages", "collect_now"]) => hosted_pages::collect_now(site, form, act),
        (false, ["hosted_pages"]) => hosted_pages::list(site, query),
        (false, ["hosted_pages", id]) => hosted_pages::retrieve(site, id),
        (true, ["hosted_pages", id, "acknowledge"]) => hosted_pages::acknowledge(site, id, act),

        (true, ["portal_sessions"]) => portal_sessions::create(site, form, act),
        (false, ["portal_sessions", id]) => portal_sessions::retrieve(site, id),
        (true, ["portal_sessions", id, "logout"]) => portal_sessions::logout(site, id, act),

        (false, ["invoices"]) => invoices::list(site, query),
        (false, ["invoices", id]) => invoices::retrieve(site, id),
        (true, ["invoices", id, "pdf"]) => invoices::pdf(site, id, form, act),
        (true, ["invoices", id, action]) => invoices::act(site, id, action, form, act),
        (false, ["transactions"]) => documents::list_transactions(site, query),
        (false, ["transactions", id]) => documents::retrieve_transaction(site, id),
        (false, ["credit_notes"]) => documents::list_notes(site, query),
        (false, ["credit_notes", id]) => documents::retrieve_note(site, id),
        (false, ["unbilled_charges"]) => documents::list_unbilled(site, query),

        (false, ["item_families"]) => new_prices::list_families(site, query),
        (true, ["item_families"]) => new_prices::create_family(site, form, act),
        (true, ["items"]) => new_prices::create_item(site, form, act),
        (true, ["item_prices"]) => new_prices::create_price(site, form, act),
        (false, ["items"]) => catalog::list_items(site, query),
        (false, ["items", id]) => catalog::retrieve_item(site, id),
        (false, ["item_prices"]) => catalog::list_prices(site, query),
        (false, ["item_prices", id]) => catalog::retrieve_price(site, id),
        (true, ["item_prices", id]) => catalog::update_price(site, id, form, act),

        (false, ["events"]) => events::list(site, query),
        (false, ["events", id]) => events::retrieve(site, id),

        _ => Err(Refusal::no_such_route(&format!("/{}", path.join("/")))),
    }
}

/// Whether a replay of this request may be answered from memory.
///
/// Source: Chargebee API docs, "Idempotency": every POST but the estimates.
pub(crate) fn is_replayable(path: &[String]) -> bool {
    path.first().is_none_or(|first| first != "estimates") && path.last().is_none_or(|last| !last.ends_with("_estimate"))
}
