//! `/v1/subscription_items`: changes of a subscription, seen from one of its items.
//!
//! Source: Stripe API reference, "Subscription items".

use serde_json::{Value, json};

use super::list::Window;
use super::subscription_params as shared;
use super::{Call, Reply, problem};
use crate::stripe::account::changes::{Change, ItemChange};
use crate::stripe::account::refusal::Refusal;
use crate::stripe::render;

pub(super) fn route(call: &mut Call<'_>, method: &str, path: &[&str]) -> Option<Reply> {
    Some(match (method, path) {
        ("POST", []) => create(call),
        ("GET", []) => list(call),
        ("GET", [id]) => call.item(id).and_then(|(subscription, _)| {
            call.read_all()?;
            call.show_item(subscription, id)
        }),
        ("POST", [id]) => update(call, id),
        ("DELETE", [id]) => delete(call, id),
        _ => return None,
    })
}

impl Call<'_> {
    /// The subscription of an item, and its place there.
    fn item(&self, id: &str) -> Result<(usize, usize), Refusal> {
        let rows = self.account.subscriptions.iter().enumerate();
        let mut found =
            rows.filter_map(|(position, row)| Some((position, row.items.iter().position(|one| one.id == id)?)));
        found.next().ok_or_else(|| Refusal::no_such("subscription_item", id))
    }

    fn show_item(&self, subscription: usize, id: &str) -> Reply {
        let row = &self.account.subscriptions[subscription];
        let item = row.items.iter().find(|item| item.id == id);
        let item = item.ok_or_else(|| Refusal::no_such("subscription_item", id))?;
        Ok(render::subscription_item(self.account, row, item))
    }
}

/// The change with what goes along: how it is prorated and paid.
fn change(call: &mut Call<'_>, item: ItemChange) -> Result<Change, Refusal> {
    let params = &mut call.params;
    params.ignore(&["billing_thresholds", "discounts", "tax_rates", "off_session", "current_trial"]);
    Ok(Change {
        items: vec![item],
        proration_behavior: shared::proration_behavior(params)?,
        proration_date: params.integer("proration_date")?,
        payment_behavior: shared::payment_behavior(params)?,
        ..Change::default()
    })
}

fn create(call: &mut Call<'_>) -> Reply {
    let id = call.params.required("subscription")?;
    let subscription = call.account.live_subscription(&id);
    let subscription = subscription.map_err(|_| Refusal::missing_reference("subscription", &id, "subscription"))?;
    let mut params = std::mem::take(&mut call.params);
    let price = shared::entry_price(call, &mut params)?;
    call.params = params;
    let item = ItemChange {
        id: None,
        price: Some(price.ok_or_else(|| problem::missing("price"))?),
        quantity: call.params.at_least("quantity", 0)?,
        deleted: false,
        metadata: call.params.metadata()?,
    };
    let change = change(call, item)?;
    call.read_all()?;
    let known: Vec<String> = ids(call, subscription);
    call.account.update_subscription(subscription, change, call.act)?;
    let new = ids(call, subscription).into_iter().find(|id| !known.contains(id));
    call.show_item(subscription, &new.unwrap_or_default())
}

fn ids(call: &Call<'_>, subscription: usize) -> Vec<String> {
    call.account.subscriptions[subscription].items.iter().map(|item| item.id.clone()).collect()
}

fn update(call: &mut Call<'_>, id: &str) -> Reply {
    let (subscription, _) = call.item(id)?;
    let mut params = std::mem::take(&mut call.params);
    let price = shared::entry_price(call, &mut params)?;
    call.params = params;
    let item = ItemChange {
        id: Some(id.to_owned()),
        price,
        quantity: call.params.at_least("quantity", 0)?,
        deleted: false,
        metadata: call.params.metadata()?,
    };
    let change = change(call, item)?;
    call.read_all()?;
    call.account.update_subscription(subscription, change, call.act)?;
    call.show_item(subscription, id)
}

fn delete(call: &mut Call<'_>, id: &str) -> Reply {
    let (subscription, _) = call.item(id)?;
    call.params.ignore(&["clear_usage"]);
    let change = change(call, ItemChange { id: Some(id.to_owned()), deleted: true, ..ItemChange::default() })?;
    call.read_all()?;
    call.account.update_subscription(subscription, change, call.act)?;
    Ok(json!({ "id": id, "object": "subscription_item", "deleted": true }))
}

fn list(call: &mut Call<'_>) -> Reply {
    let id = call.params.required("subscription")?;
    let subscription = call.account.live_subscription(&id)?;
    let window = Window::read(&mut call.params)?;
    call.read_all()?;
    let row = &call.account.subscriptions[subscription];
    let items: Vec<Value> = row.items.iter().map(|item| render::subscription_item(call.account, row, item)).collect();
    window.page_of("/v1/subscription_items", items)
}
