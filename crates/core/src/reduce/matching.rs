//! Which row a snapshot is about.

use crate::{
    account::Account,
    catalog::{Catalog, DEFAULT_GROUP},
    ids::SubscriptionId,
    snapshot::Snapshot,
    subscription::Subscription,
    time::Timestamp,
};

/// The row of a snapshot, and how it was found (for the console).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Match<'a> {
    /// It is this row.
    Row(&'a Subscription, String),
    /// Nobody has a row for it: this fresh one is taken.
    New(Box<Subscription>, String),
}

/// Finds the row of a snapshot, or makes one. The snapshot's customer must be the account's.
///
/// In order: the provider's subscription id; our id on the subscription; the id that a cookbook stamped on the
/// customer; the one unexpired `future` row with the same price and group. The last two only serve a subscription
/// without our id. Else it is adopted: under our id where it carries one, else under an id that derives from the
/// provider's.
pub fn find_row<'a>(account: &'a Account, snapshot: &Snapshot, catalog: &Catalog, now: Timestamp) -> Match<'a> {
    let ours = |row: &&Subscription| row.provider == snapshot.provider;
    let known = |row: &&Subscription| ours(row) && row.provider_subscription_id.as_ref() == Some(&snapshot.id);
    if let Some(row) = account.subscriptions.iter().find(known) {
        return Match::Row(row, format!("found by {}", snapshot.id));
    }
    // A row that already belongs to another subscription of the provider is never given away.
    let free = |id: &SubscriptionId| {
        account.subscription(id).filter(ours).filter(|row| row.provider_subscription_id.is_none())
    };
    if let Some(id) = &snapshot.our_id {
        if let Some(row) = free(id) {
            return Match::Row(row, "found by our id on the subscription".into());
        }
        if account.subscription(id).is_none() {
            return Match::New(fresh(account, id.clone(), snapshot, catalog), "adopted under the id it carries".into());
        }
    } else if let Some(row) = snapshot.pending_id.as_ref().and_then(free) {
        return Match::Row(row, "found by the pending id on the customer".into());
    } else {
        let group = group_of(snapshot, catalog);
        let price = snapshot.plan_item().map(|item| &item.item_price_id);
        let mut open = account.subscriptions.iter().filter(ours).filter(|row| {
            row.is_open_checkout(now) && row.plan_group == group && price.is_some() && row.price_id.as_ref() == price
        });
        if let (Some(row), None) = (open.next(), open.next()) {
            return Match::Row(row, "found as the one open checkout of this price".into());
        }
    }
    let id = SubscriptionId::adopted(&snapshot.provider, &snapshot.id);
    match account.subscription(&id) {
        Some(row) => Match::Row(row, "found by the id it was adopted under".into()),
        None => Match::New(fresh(account, id, snapshot, catalog), "adopted: made elsewhere".into()),
    }
}

fn fresh(account: &Account, id: SubscriptionId, snapshot: &Snapshot, catalog: &Catalog) -> Box<Subscription> {
    let group = group_of(snapshot, catalog);
    Box::new(Subscription::future(id, account.organization.id.clone(), snapshot.provider.clone(), group))
}

fn group_of<'a>(snapshot: &Snapshot, catalog: &'a Catalog) -> &'a str {
    snapshot
        .plan_item()
        .and_then(|item| catalog.plan_of(&snapshot.provider, &item.item_price_id))
        .map_or(DEFAULT_GROUP, |plan| plan.group.as_str())
}
