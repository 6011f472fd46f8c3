//! Changing things at Stripe as somebody would in the provider's dashboard, and what a price costs, which nobody can there.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::response::Response;
use serde::Deserialize;
use serde_json::json;

use super::billing::SubscriptionBody;
use super::{Failure, read};
use crate::router::json_response;
use crate::server::Shared;
use crate::stripe::account::changes::{Change, ItemChange};
use crate::stripe::account::collection::Pay;
use crate::stripe::account::ending::CancelNow;
use crate::stripe::account::model::{InvoiceStatus, PauseBehavior, PauseCollection};
use crate::stripe::account::pauses::{Pause, Resume};
use crate::stripe::account::{Account, Act, Cause};

#[derive(Deserialize)]
pub(super) struct PriceBody {
    amount: i64,
}

/// Changes what a price costs, so that a preview can be outdated. Elsewhere a coupon or a tax rate would do it.
pub(super) async fn reprice(
    State(shared): State<Arc<Shared>>,
    Path(id): Path<String>,
    body: Bytes,
) -> Result<Response, Failure> {
    let PriceBody { amount } = read(&body)?;
    if amount < 0 {
        return Err(Failure::invalid("amount must not be negative"));
    }
    shared.with(|world, now| {
        let account = &mut world.stripe;
        let position = account.prices.position(&id);
        let position = position.ok_or_else(|| Failure::not_found(format!("Stripe has no price {id}")))?;
        account.reprice(position, amount, Act::new(now, Cause::Dashboard));
        Ok(json_response(200, json!({ "id": id, "amount": amount }).to_string()))
    })
}

pub(super) fn apply(account: &mut Account, position: usize, body: SubscriptionBody, act: Act) -> Result<(), Failure> {
    if account.subscriptions[position].status.is_over() {
        return Err(Failure::conflict("the subscription has ended"));
    }
    if let Some(fail) = body.fail_next_payment {
        account.subscriptions[position].fail_next_payment = fail;
    }
    if body.pay_dues == Some(true) {
        pay_dues(account, position, act)?;
    }
    if body.resume == Some(true) {
        account.resume_subscription(position, Resume::default(), act)?;
    }
    if body.seats.is_some() || body.price_id.is_some() {
        let change = Change { items: vec![plan_item(account, position, &body)?], ..Change::default() };
        account.update_subscription(position, change, act)?;
    }
    if body.pause == Some(true) {
        account.pause_subscription(position, Pause::default(), act)?;
    }
    if let Some(paused) = body.collection_paused {
        let pause = PauseCollection { behavior: PauseBehavior::Void, resumes_at: None };
        let change = Change { pause_collection: Some(paused.then_some(pause)), ..Change::default() };
        account.update_subscription(position, change, act)?;
    }
    if let Some(at_end) = body.cancel_at_period_end {
        let change = Change { cancel_at_period_end: Some(at_end), ..Change::default() };
        account.update_subscription(position, change, act)?;
    }
    if body.cancel == Some(true) {
        account.cancel_subscription(position, CancelNow::default(), act)?;
    }
    Ok(())
}

/// The first item, which is the plan, with another price or number of seats.
fn plan_item(account: &Account, position: usize, body: &SubscriptionBody) -> Result<ItemChange, Failure> {
    if let Some(id) = &body.price_id
        && account.prices.get(id).is_none_or(|price| price.interval.is_none())
    {
        return Err(Failure::invalid(format!("{id} is no price of a plan")));
    }
    let plan = account.subscriptions[position].items.first();
    let plan = plan.ok_or_else(|| Failure::invalid("the subscription has no plan"))?;
    Ok(ItemChange {
        id: Some(plan.id.clone()),
        price: body.price_id.clone(),
        // Another price keeps the number of seats.
        quantity: body.seats.or(plan.quantity),
        ..ItemChange::default()
    })
}

/// Pays what is open, as if the money had come another way.
fn pay_dues(account: &mut Account, position: usize, act: Act) -> Result<(), Failure> {
    let id = account.subscriptions[position].id.clone();
    for invoice in account.invoices.linked("subscription", &id).to_vec() {
        if matches!(account.invoices[invoice].status, InvoiceStatus::Open | InvoiceStatus::Uncollectible) {
            account.pay_invoice(invoice, Pay { paid_out_of_band: true, ..Pay::default() }, act)?;
        }
    }
    Ok(())
}
