//! The rules, one by one and against random histories.

mod matching;
mod random;
mod rules;
mod table;

use crate::{
    account::Account,
    catalog::{Addon, Catalog, Grant, Interval, Plan, Policy, Price},
    ids::SubscriptionId,
    organization::{Customer, Organization},
    snapshot::{Item, ItemType, Origin, Phase, Snapshot},
    time::{DAY, Timestamp},
};

pub(super) fn at(day: i64) -> Timestamp {
    Timestamp::from_unix_seconds(1_767_225_600 + day * DAY.as_secs().cast_signed())
}

fn price(id: &str) -> Price {
    Price {
        id: id.into(),
        provider: "chargebee".into(),
        interval: Interval::Month,
        currency: "USD".parse().unwrap(),
        amount: 4900,
        per_seat: false,
    }
}

fn plan(name: &str, prices: &[&str], features: &[(&str, Grant)]) -> Plan {
    Plan {
        name: name.into(),
        title: name.into(),
        group: "default".into(),
        version: 1,
        features: features.iter().map(|(name, grant)| ((*name).into(), *grant)).collect(),
        seats: Some(25),
        trial_days: 14,
        credits: None,
        prices: prices.iter().map(|id| price(id)).collect(),
        past_due_grace: None,
    }
}

pub(super) fn catalog_with(policy: Policy) -> Catalog {
    let projects = |limit| ("projects", Grant::Limit(limit));
    Catalog::new(
        vec![
            plan("free", &[], &[projects(Some(3))]),
            plan("starter", &["starter"], &[projects(Some(10))]),
            plan("growth", &["growth"], &[projects(None), ("sso", Grant::Switch)]),
        ],
        vec![Addon {
            name: "extra".into(),
            title: "Extra projects".into(),
            item_type: ItemType::Addon,
            features: [("projects".into(), Grant::Limit(Some(10)))].into(),
            prices: vec![price("extra")],
        }],
        Some("free".into()),
        policy,
    )
    .unwrap()
}

pub(super) fn catalog() -> Catalog {
    catalog_with(Policy::default())
}

pub(super) fn account() -> Account {
    Account {
        organization: Organization {
            id: "org_1".into(),
            display_name: "Acme".into(),
            external_id: None,
            email: None,
            locale: None,
            currency: None,
            billing_provider: "chargebee".into(),
            had_trial: false,
            version: 1,
            identity_updated_at: None,
            deletion_began_at: None,
            deleted_at: None,
            created_at: at(0),
            updated_at: at(0),
        },
        customers: vec![Customer { provider: "chargebee".into(), id: "org_1".into() }],
        subscriptions: vec![],
    }
}

pub(super) fn item(price: &str, item_type: ItemType, quantity: i64) -> Item {
    Item { item_price_id: price.into(), item_type, quantity, unit_price: None, amount: None, currency: None }
}

/// An active `growth` subscription of 5 seats, in its first month.
pub(super) fn snapshot(version: i64) -> Snapshot {
    Snapshot {
        provider: "chargebee".into(),
        id: "sub_1".into(),
        customer_id: "org_1".into(),
        our_id: None,
        pending_id: None,
        organization_id: None,
        origin: Origin::Fetched,
        version: Some(version),
        provider_status: "active".into(),
        phase: Phase::Active,
        items: vec![item("growth", ItemType::Plan, 5)],
        period_start: Some(at(0)),
        period_end: Some(at(30)),
        trial_start: None,
        trial_end: None,
        cancel_at: None,
        cancelled_at: None,
        ended_at: None,
        dues: None,
        scheduled: None,
        pause_at: None,
        collection_paused: false,
        currency: None,
        observed_at: at(0),
    }
}

pub(super) fn row_id(n: u8) -> SubscriptionId {
    SubscriptionId::generate(at(0), [n; 10])
}
