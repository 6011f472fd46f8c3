//! Finishing checkout pages, and changing subscriptions as somebody would in the provider's dashboard.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::response::Response;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Failure, chargebee_truth, read, stripe, stripe_truth};
use crate::challenge::Challenge;
use crate::chargebee::site::catalog::{Asked, ItemType};
use crate::chargebee::site::changes::Change;
use crate::chargebee::site::ending::{Cancel, CancelWhen};
use crate::chargebee::site::pauses::{Pause, PauseWhen};
use crate::chargebee::site::{Act, Cause, Site};
use crate::moment::Moment;
use crate::pages::{self, hosted};
use crate::router::json_response;
use crate::server::Shared;
use crate::stripe::account as stripe_account;
use crate::stripe::account::checkout::Completion;
use crate::world::World;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CompleteBody {
    #[serde(default)]
    url: String,
    #[serde(default)]
    card: String,
    /// How the customer answers where the bank asks: `pass` or `fail`.
    challenge: Option<String>,
}

/// Finishes a checkout page as a browser would.
pub(super) async fn complete_page(State(shared): State<Arc<Shared>>, body: Bytes) -> Result<Response, Failure> {
    let body: CompleteBody = read(&body)?;
    if let Some(id) = pages::stripe::id_in(&body.url) {
        return complete_session(&shared, &id, body);
    }
    if let Some(key) = pages::stripe::key_in(&body.url) {
        return complete_invoice(&shared, &key, body);
    }
    let id = hosted::id_in(&body.url).ok_or_else(|| Failure::invalid("the url is not that of a checkout page"))?;
    if body.card.trim().is_empty() {
        return Err(Failure::invalid("the card is missing"));
    }
    let challenge = body.challenge()?;
    let redirect_url = shared.with(|world, now| -> Result<Value, Failure> {
        let site = &mut world.site;
        let position = site
            .hosted_pages
            .position(&id)
            .ok_or_else(|| Failure::not_found("there is no checkout page at this url"))?;
        site.finish_page(position, &body.card, challenge, Act::new(now, Cause::HostedPage))?;
        Ok(hosted::success_url(site, position).map_or(Value::Null, Value::from))
    })?;
    Ok(json_response(200, json!({ "redirectUrl": redirect_url }).to_string()))
}

impl CompleteBody {
    fn challenge(&self) -> Result<Option<Challenge>, Failure> {
        match self.challenge.as_deref() {
            None | Some("") => Ok(None),
            Some(word) => {
                let challenge = Challenge::parse(word);
                challenge.map(Some).ok_or_else(|| Failure::invalid("challenge must be `pass` or `fail`"))
            }
        }
    }
}

/// Pays a Stripe invoice on its page, from where the browser goes nowhere else.
fn complete_invoice(shared: &Shared, key: &str, body: CompleteBody) -> Result<Response, Failure> {
    let challenge = body.challenge()?;
    shared.with(|world, now| -> Result<(), Failure> {
        let account = &mut world.stripe;
        let position = pages::stripe::find_invoice(account, key);
        let position = position.ok_or_else(|| Failure::not_found("there is no invoice at this url"))?;
        let act = stripe_account::Act::new(now, stripe_account::Cause::Portal);
        Ok(pages::stripe::pay_invoice(account, position, &body.card, challenge, act)?)
    })?;
    Ok(json_response(200, json!({ "redirectUrl": null }).to_string()))
}

/// Finishes a Stripe checkout session. Without a card where none is needed.
fn complete_session(shared: &Shared, id: &str, body: CompleteBody) -> Result<Response, Failure> {
    let challenge = body.challenge()?;
    let number = Some(body.card).filter(|card| !card.trim().is_empty());
    let redirect_url = shared.with(|world, now| -> Result<Value, Failure> {
        let account = &mut world.stripe;
        let position = account.checkout_sessions.position(id);
        let position = position.ok_or_else(|| Failure::not_found("there is no checkout page at this url"))?;
        let completion = Completion { number, challenge, ..Completion::default() };
        account.complete_session(
            position,
            completion,
            stripe_account::Act::new(now, stripe_account::Cause::Checkout),
        )?;
        Ok(account.session_return_url(position).map_or(Value::Null, Value::from))
    })?;
    Ok(json_response(200, json!({ "redirectUrl": redirect_url }).to_string()))
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SubscriptionBody {
    pub(crate) cancel: Option<bool>,
    pub(crate) cancel_at_period_end: Option<bool>,
    pub(crate) seats: Option<i64>,
    pub(crate) price_id: Option<String>,
    pub(crate) pause: Option<bool>,
    pub(crate) resume: Option<bool>,
    /// Stripe's own: it goes on, and its invoices are voided; `false` collects again.
    pub(crate) collection_paused: Option<bool>,
    /// The next charge is declined, whatever the card; `false` takes that back.
    pub(crate) fail_next_payment: Option<bool>,
    /// Pays what is open, as if the money had come another way.
    pub(crate) pay_dues: Option<bool>,
}

pub(super) async fn change_subscription(
    State(shared): State<Arc<Shared>>,
    Path(id): Path<String>,
    body: Bytes,
) -> Result<Response, Failure> {
    let body: SubscriptionBody = read(&body)?;
    let truth = shared.with(|world, now| change_row(world, &id, body, now))?;
    Ok(json_response(200, truth.to_string()))
}

/// Changes a subscription of either provider, and returns its row of truth.
pub(crate) fn change_row(world: &mut World, id: &str, body: SubscriptionBody, now: Moment) -> Result<Value, Failure> {
    if body.seats.is_some_and(|seats| !(1..=1_000_000_000).contains(&seats)) {
        return Err(Failure::invalid("seats must be a positive number"));
    }
    // A Chargebee subscription may be named like one of Stripe's, but never the other way round.
    if !world.site.subscriptions.contains(id)
        && let Some(position) = world.stripe.subscriptions.position(id)
    {
        let account = &mut world.stripe;
        stripe::apply(account, position, body, stripe_account::Act::new(now, stripe_account::Cause::Dashboard))?;
        return Ok(stripe_truth(account, position));
    }
    let site = &mut world.site;
    let position = site.live_subscription(id)?;
    apply(site, position, body, Act::new(now, Cause::Dashboard))?;
    Ok(chargebee_truth(site, position))
}

fn apply(site: &mut Site, position: usize, body: SubscriptionBody, act: Act) -> Result<(), Failure> {
    if body.collection_paused.is_some() {
        return Err(Failure::invalid("collectionPaused: only Stripe can pause a collection"));
    }
    if let Some(fail) = body.fail_next_payment {
        site.subscriptions[position].fail_next_payment = fail;
    }
    if body.pay_dues == Some(true) {
        site.pay_dues(position, act)?;
    }
    if body.resume == Some(true) {
        site.resume(position, true, act)?;
    }
    if body.seats.is_some() || body.price_id.is_some() {
        let item = plan_item(site, position, body.seats, body.price_id)?;
        site.update_subscription(position, Change::to(vec![item]), act)?;
    }
    if body.pause == Some(true) {
        site.pause(position, Pause::new(PauseWhen::Now, None), act)?;
    }
    match body.cancel_at_period_end {
        Some(true) => drop(site.cancel(position, Cancel::new(CancelWhen::EndOfTerm), act)?),
        Some(false) => site.undo_cancel(position, act)?,
        None => {}
    }
    if body.cancel == Some(true) {
        site.cancel(position, Cancel::new(CancelWhen::Now), act)?;
    }
    Ok(())
}

/// The plan row of the subscription with another price or number of seats.
fn plan_item(site: &Site, position: usize, seats: Option<i64>, price_id: Option<String>) -> Result<Asked, Failure> {
    if let Some(id) = &price_id
        && site.catalog.prices.get(id).is_none_or(|price| price.item_type != ItemType::Plan)
    {
        return Err(Failure::invalid(format!("{id} is no price of a plan")));
    }
    let row = &site.subscriptions[position];
    let plan = row.items.iter().find(|item| item.item_type == ItemType::Plan);
    let plan = plan.ok_or_else(|| Failure::invalid("the subscription has no plan"))?;
    Ok(Asked {
        item_price_id: price_id.unwrap_or_else(|| plan.item_price_id.clone()),
        quantity: seats.unwrap_or(plan.quantity),
    })
}
