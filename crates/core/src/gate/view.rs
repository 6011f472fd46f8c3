//! What a gate keeps in memory of one organization: no more than a decision reads.

use crate::{
    account::Account,
    ids::{OrganizationId, PlanName, PriceId, Provider},
    snapshot::ItemType,
    status::Status,
    subscription::Subscription,
    time::Timestamp,
};

/// One organization, for gates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct View {
    /// Whose it is.
    pub organization_id: OrganizationId,
    /// The organization's version that this shows.
    pub version: i64,
    /// Whether the organization is deleted, or about to be.
    pub deleted: bool,
    /// Its subscriptions. What is over is kept only as far as it explains a closed gate.
    pub subscriptions: Vec<ViewSubscription>,
}

/// One subscription, for gates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ViewSubscription {
    /// Who bills it: price ids are only unique per provider.
    pub provider: Provider,
    /// In our words.
    pub status: Status,
    /// The plan; `None` when its price is unknown.
    pub plan: Option<PlanName>,
    /// The plan's price.
    pub price_id: Option<PriceId>,
    /// The scheduled end.
    pub cancel_at: Option<Timestamp>,
    /// The end of the grace.
    pub grace_until: Option<Timestamp>,
    /// What comes on top: price and quantity.
    pub addons: Vec<(PriceId, i64)>,
}

impl View {
    /// What a gate needs of `account`: the rows that are not over, or else the one that ended last.
    pub fn of(account: &Account) -> Self {
        let mut subscriptions: Vec<_> =
            account.subscriptions.iter().filter(|row| !row.status.is_over()).map(Self::of_row).collect();
        if subscriptions.is_empty() {
            let last = account.subscriptions.iter().max_by_key(|row| (row.ended_at, row.activated_at));
            subscriptions.extend(last.map(Self::of_row));
        }
        Self {
            organization_id: account.organization.id.clone(),
            version: account.organization.version,
            deleted: account.organization.is_leaving(),
            subscriptions,
        }
    }

    pub(super) fn of_row(row: &Subscription) -> ViewSubscription {
        ViewSubscription {
            provider: row.provider.clone(),
            status: row.status,
            plan: row.plan.clone(),
            price_id: row.price_id.clone(),
            cancel_at: row.cancel_at,
            grace_until: row.grace_until,
            addons: row
                .items
                .iter()
                .filter(|item| item.item_type == ItemType::Addon)
                .map(|item| (item.item_price_id.clone(), item.quantity))
                .collect(),
        }
    }
}
