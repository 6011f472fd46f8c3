//! Looking: what was asked of the providers, what was sent, and what they hold.

use std::collections::HashMap;
use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::response::Response;
use serde_json::{Value, json};

use super::Failure;
use crate::chargebee::site::Site;
use crate::chargebee::site::catalog::ItemType;
use crate::chargebee::site::model::Status;
use crate::deliveries::outbox::Delivery;
use crate::requests::Wanted;
use crate::router::json_response;
use crate::scalekit::directory::Directory;
use crate::server::Shared;
use crate::stripe::account::Account;

/// How many deliveries are listed where no `limit` is given.
const DELIVERIES_SHOWN: usize = 1_000;

type Params = Query<HashMap<String, String>>;

fn param<'a>(params: &'a HashMap<String, String>, name: &str) -> Option<&'a str> {
    params.get(name).map(String::as_str).filter(|value| !value.is_empty())
}

/// How many rows the caller wants.
fn limit(params: &HashMap<String, String>) -> Result<Option<usize>, Failure> {
    let Some(text) = param(params, "limit") else { return Ok(None) };
    text.parse().map(Some).map_err(|_| Failure::invalid("limit must be a whole number"))
}

/// The number in a request's id; later requests have greater ones.
fn after(params: &HashMap<String, String>) -> Result<u64, Failure> {
    let Some(text) = param(params, "after") else { return Ok(0) };
    let number = text.strip_prefix("req_").and_then(|number| number.parse().ok());
    number.ok_or_else(|| Failure::invalid("after must be the id of a request (req_7)"))
}

/// `path` is compared as a whole; with a `*` at its end, as a beginning.
pub(super) async fn requests(State(shared): State<Arc<Shared>>, Query(params): Params) -> Result<Response, Failure> {
    let wanted = Wanted {
        provider: param(&params, "provider"),
        method: param(&params, "method"),
        path: param(&params, "path"),
        limit: limit(&params)?,
        after: after(&params)?,
    };
    let body = shared.with(|world, _| world.requests.render(&wanted));
    Ok(json_response(200, body.to_string()))
}

fn delivery(row: &Delivery) -> Value {
    json!({
        "id": row.id,
        "at": row.at.rfc3339(),
        "provider": row.provider.as_str(),
        "eventId": row.event_id,
        "eventType": row.event_type,
        "organizationId": row.organization_id,
        "state": row.state.as_str(),
        "attempts": row.attempts,
        "lastStatus": row.last_status,
        "nextAttemptAt": row.next_attempt_at.map(|at| at.rfc3339()),
    })
}

/// The newest deliveries that fit, oldest first; `total` counts all that fit.
pub(super) async fn deliveries(State(shared): State<Arc<Shared>>, Query(params): Params) -> Result<Response, Failure> {
    let (provider, state) = (param(&params, "provider"), param(&params, "state"));
    let limit = limit(&params)?.unwrap_or(DELIVERIES_SHOWN);
    let (total, rows) = shared.with(|world, _| {
        let (mut total, mut rows) = (0, Vec::new());
        for row in world.outbox.rows().iter().rev() {
            if provider.is_none_or(|provider| row.provider.as_str() == provider)
                && state.is_none_or(|state| row.state.as_str() == state)
            {
                total += 1_usize;
                if rows.len() < limit {
                    rows.push(delivery(row));
                }
            }
        }
        rows.reverse();
        (total, rows)
    });
    Ok(json_response(200, json!({ "total": total, "deliveries": rows }).to_string()))
}

/// Sends a delivery once more, now. Answers its row, pending again.
pub(super) async fn resend(State(shared): State<Arc<Shared>>, Path(id): Path<String>) -> Result<Response, Failure> {
    let row = shared.with(|world, now| world.outbox.resend(&id, now).map(delivery));
    let row = row.ok_or_else(|| Failure::not_found(format!("there is no delivery {id}")))?;
    Ok(json_response(200, row.to_string()))
}

/// All of it, or what concerns the one `organizationId`.
pub(super) async fn truth(State(shared): State<Arc<Shared>>, Query(params): Params) -> Response {
    let wanted = param(&params, "organizationId");
    let concerns = |organization: Option<&str>| wanted.is_none() || organization == wanted;
    let body = shared.with(|world, _| {
        let site = &world.site;
        let customers = site.customers.iter().filter_map(|row| {
            let organization = site.organization_of_customer(&row.id);
            concerns(organization.as_deref()).then(|| {
                json!({
                    "provider": "chargebee",
                    "id": row.id,
                    "organizationId": organization,
                    "company": row.texts.get("company"),
                    "deleted": row.deleted,
                })
            })
        });
        let customers: Vec<Value> = customers.collect();
        let subscriptions: Vec<Value> = (0..site.subscriptions.len())
            .filter(|position| !site.subscriptions[*position].deleted)
            .filter(|position| concerns(site.organization_of_subscription(&site.subscriptions[*position]).as_deref()))
            .map(|position| chargebee_truth(site, position))
            .collect();
        let (of_stripe, subscriptions_of_stripe) = stripe_rows(&world.stripe, &concerns);
        json!({
            "organizations": organizations(&world.directory, &concerns),
            "customers": ([customers, of_stripe].concat()),
            "subscriptions": ([subscriptions, subscriptions_of_stripe].concat()),
        })
    });
    json_response(200, body.to_string())
}

/// What the Stripe account holds of organizations that concern the caller: their customers and their subscriptions.
fn stripe_rows(account: &Account, concerns: &impl Fn(Option<&str>) -> bool) -> (Vec<Value>, Vec<Value>) {
    let customers = account.customers.iter().filter_map(|row| {
        let organization = account.organization_of_customer(&row.id);
        concerns(organization.as_deref()).then(|| {
            json!({
                "provider": "stripe",
                "id": row.id,
                "organizationId": organization,
                "company": row.name,
                "deleted": row.deleted,
            })
        })
    });
    let subscriptions = (0..account.subscriptions.len())
        .filter(|position| concerns(account.organization_of_subscription(*position).as_deref()))
        .map(|position| stripe_truth(account, position));
    (customers.collect(), subscriptions.collect())
}

/// A Stripe subscription's row of truth: the provider's words, times in Unix seconds.
///
/// Seats are the quantity of the first item, which is the plan wherever a product sells one plan and add-ons.
pub(crate) fn stripe_truth(account: &Account, position: usize) -> Value {
    let row = &account.subscriptions[position];
    let items: Vec<Value> =
        row.items.iter().map(|item| json!({ "priceId": item.price, "quantity": item.quantity })).collect();
    let at_end = row.cancel_at_period_end.then_some(row.period_end);
    json!({
        "provider": "stripe",
        "id": row.id,
        "customerId": row.customer,
        "organizationId": account.organization_of_subscription(position),
        "status": row.status.as_str(),
        "items": items,
        "seats": row.items.first().and_then(|item| item.quantity),
        "trialEnd": row.trial_end,
        "periodEnd": row.period_end,
        "cancelAt": row.cancel_at.or(at_end).filter(|_| !row.status.is_over()),
        "collectionPaused": row.pause_collection.is_some(),
        "metadata": row.metadata,
    })
}

fn organizations(directory: &Directory, concerns: &impl Fn(Option<&str>) -> bool) -> Vec<Value> {
    directory
        .organizations()
        .iter()
        .filter(|row| concerns(Some(&row.id)))
        .map(|row| {
            let members: Vec<Value> = row
                .members
                .iter()
                .map(|member| {
                    let email = directory.user(&member.user_id).map(|user| user.email.as_str());
                    json!({ "userId": member.user_id, "email": email, "active": member.active })
                })
                .collect();
            json!({
                "id": row.id,
                "displayName": row.display_name,
                "externalId": row.external_id,
                "deleted": row.deleted_at.is_some(),
                "members": members,
            })
        })
        .collect()
}

/// A Chargebee subscription's row of truth: the provider's words, times in Unix seconds.
pub(crate) fn chargebee_truth(site: &Site, position: usize) -> Value {
    let row = &site.subscriptions[position];
    let items: Vec<Value> =
        row.items.iter().map(|item| json!({ "priceId": item.item_price_id, "quantity": item.quantity })).collect();
    let plan = row.items.iter().find(|item| {
        site.catalog.prices.get(&item.item_price_id).is_some_and(|price| price.item_type == ItemType::Plan)
    });
    let ended = row.status == Status::Cancelled;
    json!({
        "provider": "chargebee",
        "id": row.id,
        "customerId": row.customer_id,
        "organizationId": site.organization_of_subscription(row),
        "status": row.status.as_str(),
        "items": items,
        "seats": plan.map(|item| item.quantity),
        "trialEnd": row.trial_end.filter(|_| row.trial_start.is_some()),
        "periodEnd": row.term.map(|term| term.end),
        "cancelAt": row.scheduled_cancel.as_ref().filter(|_| !ended).map(|cancel| cancel.at),
    })
}
