//! Seats: who holds one, and how many there are.

use serde::Serialize;
use tollkeeper_core::{
    catalog::{Catalog, Sold},
    ids::{OrganizationId, UserId},
    member::Member,
    subscription::Subscription,
    time::Timestamp,
};
use tollkeeper_store::member;

use crate::{Error, Tollkeeper};

/// The seats of an organization.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Seats {
    /// How many are held.
    pub used: u64,
    /// How many there are; `None` without a limit.
    pub limit: Option<u64>,
    /// Whether more are held than there are: nobody loses one for that.
    pub over: bool,
    /// Who holds them, by e-mail.
    pub holders: Vec<SeatHolder>,
}

/// One person, however many ids the identity provider has of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SeatHolder {
    /// The first of the ids that belong to the organization.
    pub user_id: UserId,
    /// Lower-cased.
    pub email: String,
    /// The first that is known of the person.
    pub since: Timestamp,
}

impl Tollkeeper {
    /// Tells who holds seats and how many there are, from the database alone.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn seats(&self, organization: &OrganizationId) -> Result<Seats, Error> {
        let account = self.find_account(organization).await?;
        let members = member::list(self.inner.db.read().await?.c(), organization).await?;
        let holders: Vec<_> = members.into_iter().filter_map(holder).collect();
        let used = holders.len() as u64;
        let rows = account.map(|account| account.subscriptions).unwrap_or_default();
        let limit = limit(&self.catalog(), &rows);
        Ok(Seats { used, limit, over: limit.is_some_and(|limit| used > limit), holders })
    }
}

/// The person, if any of the ids belongs to the organization now.
fn holder(member: Member) -> Option<SeatHolder> {
    let id = member.ids.into_iter().find(|identity| identity.active)?.id;
    Some(SeatHolder { user_id: id, email: member.holder, since: member.since })
}

/// The seats of what is live, else of the default plan. Of several product lines the one with most counts: a person who
/// has a seat in any of them belongs here.
pub(crate) fn limit(catalog: &Catalog, rows: &[Subscription]) -> Option<u64> {
    let mut live = rows.iter().filter(|row| row.status.is_live()).peekable();
    if live.peek().is_none() {
        return catalog.default_plan().and_then(|plan| plan.seats);
    }
    live.filter_map(|row| seat_limit(catalog, row)).max()
}

/// Says how many seats one subscription has; `None` without a limit.
///
/// What was bought, where seats are sold, or what the plan allows, whichever is lower. A plan that neither allows so many
/// nor is paid by the seat sells none, whatever its quantity is.
pub fn seat_limit(catalog: &Catalog, row: &Subscription) -> Option<u64> {
    let allowed = row.plan.as_ref().and_then(|name| catalog.plan(name)).and_then(|plan| plan.seats);
    let currency = row.items.iter().find_map(|item| item.currency);
    let sold = row.price_id.as_ref().and_then(|price| match currency {
        Some(currency) => catalog.sold_in(&row.provider, price, currency),
        None => catalog.sold(&row.provider, price),
    });
    let by_the_seat = matches!(sold, Some(Sold::Plan(_, price)) if price.per_seat);
    let bought = row.seats.filter(|_| by_the_seat || allowed.is_some()).map(i64::unsigned_abs);
    match (bought, allowed) {
        (Some(bought), Some(allowed)) => Some(bought.min(allowed)),
        (one, other) => one.or(other),
    }
}
