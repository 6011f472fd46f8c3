//! Finishing checkout pages, and changing subscriptions as somebody would in the provider's dashboard.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::response::Response;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Failure, read, subscription_truth};
use crate::chargebee::site::catalog::{Asked, ItemType};
use crate::chargebee::site::changes::Change;
use crate::chargebee::site::ending::{Cancel, CancelWhen};
use crate::chargebee::site::pauses::{Pause, PauseWhen};
use crate::chargebee::site::{Act, Cause, Site};
use crate::pages::hosted;
use crate::router::json_response;
use crate::server::Shared;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CompleteBody {
    #[serde(default)]
    url: String,
    #[serde(default)]
    card: String,
}

/// Finishes a checkout page as a browser would. No card of the test gateway asks for a challenge.
pub(super) async fn complete_page(State(shared): State<Arc<Shared>>, body: Bytes) -> Result<Response, Failure> {
    let body: CompleteBody = read(&body)?;
    let id = hosted::id_in(&body.url).ok_or_else(|| Failure::invalid("the url is not that of a checkout page"))?;
    if body.card.trim().is_empty() {
        return Err(Failure::invalid("the card is missing"));
    }
    let redirect_url = shared.with(|world, now| -> Result<Value, Failure> {
        let site = &mut world.site;
        let position = site
            .hosted_pages
            .position(&id)
            .ok_or_else(|| Failure::not_found("there is no checkout page at this url"))?;
        site.finish_page(position, &body.card, Act::new(now, Cause::HostedPage))?;
        Ok(hosted::success_url(site, position).map_or(Value::Null, Value::from))
    })?;
    Ok(json_response(200, json!({ "redirectUrl": redirect_url }).to_string()))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SubscriptionBody {
    cancel: Option<bool>,
    cancel_at_period_end: Option<bool>,
    seats: Option<i64>,
    price_id: Option<String>,
    pause: Option<bool>,
    resume: Option<bool>,
    /// The next charge is declined, whatever the card; `false` takes that back.
    fail_next_payment: Option<bool>,
    /// Pays what is open, as if the money had come another way.
    pay_dues: Option<bool>,
}

pub(super) async fn change_subscription(
    State(shared): State<Arc<Shared>>,
    Path(id): Path<String>,
    body: Bytes,
) -> Result<Response, Failure> {
    let body: SubscriptionBody = read(&body)?;
    if body.seats.is_some_and(|seats| !(1..=1_000_000_000).contains(&seats)) {
        return Err(Failure::invalid("seats must be a positive number"));
    }
    let truth = shared.with(|world, now| -> Result<Value, Failure> {
        let site = &mut world.site;
        let position = site.live_subscription(&id)?;
        apply(site, position, body, Act::new(now, Cause::Dashboard))?;
        Ok(subscription_truth(site, position))
    })?;
    Ok(json_response(200, truth.to_string()))
}

fn apply(site: &mut Site, position: usize, body: SubscriptionBody, act: Act) -> Result<(), Failure> {
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
