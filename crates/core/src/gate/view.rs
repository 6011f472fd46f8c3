//! What a gate keeps in memory of one organization: no more than a decision reads, and in few pieces, because with a
//! million organizations each piece is another wait for memory.

use std::{ops::Deref, sync::Arc};

use crate::{
    account::Account,
    ids::{PlanName, PriceId, Provider},
    snapshot::ItemType,
    status::Status,
    subscription::Subscription,
    time::Timestamp,
};

/// One organization, for gates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct View {
    /// The organization's version that this shows.
    pub version: i64,
    /// Whether the organization is deleted, or about to be.
    pub deleted: bool,
    /// Its subscriptions. What is over is kept only as far as it explains a closed gate.
    pub subscriptions: Rows,
}

/// Subscriptions of one organization. Nearly always there is one, and that one needs no memory of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rows {
    /// The usual one.
    One([ViewSubscription; 1]),
    /// None, or several.
    Many(Box<[ViewSubscription]>),
}

/// One subscription, for gates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ViewSubscription {
    /// In our words.
    pub status: Status,
    /// The scheduled end.
    pub cancel_at: Option<Timestamp>,
    /// Whether somebody at the provider has paused its collection.
    pub collection_paused: bool,
    /// The end of the grace.
    pub grace_until: Option<Timestamp>,
    /// What was bought.
    pub bought: Arc<Bought>,
}

/// What was bought: the same for many organizations, so that they can share it ([`View::share`]).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Bought {
    /// Who bills it: price ids are only unique per provider.
    pub provider: Provider,
    /// The plan; `None` when its price is unknown.
    pub plan: Option<PlanName>,
    /// The plan's price.
    pub price_id: Option<PriceId>,
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
            version: account.organization.version,
            deleted: account.organization.is_leaving(),
            subscriptions: subscriptions.into(),
        }
    }

    /// What a gate knows of an organization that nobody has heard of.
    pub fn unknown() -> Self {
        Self { version: 0, deleted: false, subscriptions: Vec::new().into() }
    }

    /// Replaces what was bought by something equal that others have too.
    pub fn share(&mut self, mut known: impl FnMut(&Arc<Bought>) -> Arc<Bought>) {
        let rows = match &mut self.subscriptions {
            Rows::One(row) => row.as_mut_slice(),
            Rows::Many(rows) => rows,
        };
        for row in rows {
            row.bought = known(&row.bought);
        }
    }

    pub(super) fn of_row(row: &Subscription) -> ViewSubscription {
        ViewSubscription {
            status: row.status,
            cancel_at: row.cancel_at,
            collection_paused: row.collection_paused,
            grace_until: row.grace_until,
            bought: Arc::new(Bought {
                provider: row.provider.clone(),
                plan: row.plan.clone(),
                price_id: row.price_id.clone(),
                addons: row
                    .items
                    .iter()
                    .filter(|item| item.item_type == ItemType::Addon)
                    .map(|item| (item.item_price_id.clone(), item.quantity))
                    .collect(),
            }),
        }
    }
}

impl From<Vec<ViewSubscription>> for Rows {
    fn from(rows: Vec<ViewSubscription>) -> Self {
        rows.try_into().map_or_else(|rows: Vec<_>| Self::Many(rows.into()), Self::One)
    }
}

impl Deref for Rows {
    type Target = [ViewSubscription];

    fn deref(&self) -> &[ViewSubscription] {
        match self {
            Self::One(row) => row,
            Self::Many(rows) => rows,
        }
    }
}
