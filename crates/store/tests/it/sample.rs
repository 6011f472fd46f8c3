//! Rows with something in every field.

use std::collections::BTreeMap;

use serde_json::json;
use tollkeeper_core::{
    account::Account,
    effect::{Effect, EffectKind, Transition},
    organization::{Customer, Organization},
    snapshot::{Dues, Item, ItemType},
    status::Status,
    subscription::{Checkout, CheckoutItem, CheckoutParams, OwedChange, ScheduledChange, Subscription},
    time::{MachineTime, Timestamp},
};
use tollkeeper_store::{Cause, CauseKind, Db, Error, account, organization, subscription};

pub(crate) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_unix_seconds(seconds)
}

pub(crate) fn machine(seconds: i64) -> MachineTime {
    MachineTime::from_unix_seconds(seconds)
}

pub(crate) fn organization(id: &str) -> Organization {
    Organization {
        id: id.into(),
        display_name: "Acmé ⟨Ltd⟩".into(),
        external_id: Some("ext-1".into()),
        email: Some("billing@acme.test".into()),
        locale: Some("de-AT".into()),
        currency: Some("EUR".parse().unwrap()),
        billing_provider: "chargebee".into(),
        had_trial: true,
        version: 7,
        identity_updated_at: Some(Timestamp::from_micros(1_700_000_000_123_456)),
        deletion_began_at: Some(at(1_700_000_000)),
        deleted_at: Some(at(1_700_000_001)),
        created_at: Timestamp::from_micros(-1),
        updated_at: at(1_700_000_002),
    }
}

fn line(price: &str, quantity: i64, item_type: ItemType) -> CheckoutItem {
    CheckoutItem { price_id: price.into(), quantity, item_type }
}

pub(crate) fn checkout(key: &str) -> Checkout {
    Checkout {
        key: key.into(),
        tries: 3,
        params: CheckoutParams {
            items: vec![line("growth-plan-monthly", 5, ItemType::Plan)],
            currency: "EUR".parse().unwrap(),
            trial_end: Some(at(1_800_000_000)),
            success_url: "/billing?done".into(),
            cancel_url: "/billing".into(),
            user_id: Some("usr_1".into()),
            metadata: json!({"team": ["a", 1, null]}),
        },
        reference: Some("hp_1".into()),
        url: Some("https://pay.test/hp_1".into()),
        expires_at: at(1_700_086_400),
    }
}

/// Every field set, each to another value.
pub(crate) fn subscription(organization: &str, id: &str) -> Subscription {
    Subscription {
        id: id.into(),
        organization_id: organization.into(),
        provider: "chargebee".into(),
        provider_customer_id: Some("cus_1".into()),
        provider_subscription_id: Some(format!("sub_of_{id}").as_str().into()),
        status: Status::PastDue,
        provider_status: Some("active".into()),
        plan: Some("growth".into()),
        plan_version: Some(2),
        plan_group: "main".into(),
        price_id: Some("growth-plan-monthly".into()),
        seats: Some(5),
        period_start: Some(at(1)),
        period_end: Some(at(2)),
        trial_start: Some(at(3)),
        trial_end: Some(at(4)),
        cancel_at: Some(at(5)),
        cancelled_at: Some(at(6)),
        ended_at: Some(at(7)),
        activated_at: Some(at(8)),
        scheduled: Some(ScheduledChange {
            plan: Some("scale".into()),
            seats: Some(9),
            items: vec![line("scale-plan-monthly", 9, ItemType::Plan), line("extra-projects", 3, ItemType::Addon)],
            at: at(10),
        }),
        owed_change: Some(OwedChange {
            now: vec![line("growth-plan-monthly", 6, ItemType::Plan)],
            then: vec![line("scale-plan-monthly", 9, ItemType::Plan)],
            look_at: at(18),
        }),
        pause_at: Some(at(19)),
        collection_paused: true,
        duplicate_of: Some("tks_first".into()),
        trial_end_told: Some(at(20)),
        dues: Some(Dues {
            since: at(11),
            attempts: 12,
            next_attempt_at: Some(at(13)),
            invoice: Some("inv_14".into()),
            exhausted: true,
        }),
        grace_until: Some(at(15)),
        metadata: json!({"z": 1, "a": {"deep": [true, "é"]}}),
        checkout: Some(checkout("key-1")),
        items: vec![
            Item {
                item_price_id: "growth-plan-monthly".into(),
                item_type: ItemType::Plan,
                quantity: 5,
                unit_price: Some(4900),
                amount: Some(24_500),
                currency: Some("USD".parse().unwrap()),
            },
            Item {
                item_price_id: "extra-projects".into(),
                item_type: ItemType::Addon,
                quantity: 2,
                unit_price: None,
                amount: None,
                currency: None,
            },
        ],
        provider_version: Some(1_700_000_000_123),
        observed_at: Some(Timestamp::from_micros(16_000_001)),
        due_at: Some(at(17)),
        version: 4,
    }
}

/// A checkout that a person may still finish.
pub(crate) fn open(organization: &str, id: &str, group: &str) -> Subscription {
    let mut row = Subscription::future(id.into(), organization.into(), "chargebee".into(), group);
    row.checkout = Some(checkout(id));
    row
}

pub(crate) fn customer(id: &str) -> Customer {
    Customer { provider: "chargebee".into(), id: id.into() }
}

pub(crate) fn cause() -> Cause {
    Cause { kind: CauseKind::Inbox, id: "chargebee/ev_1".into() }
}

pub(crate) fn effect(kind: EffectKind) -> Effect {
    Effect { kind, subscription_id: Some("tks_1".into()), data: json!({"previous": {"plan": null}}) }
}

/// A decision that gives `account` another row.
pub(crate) fn transition(account: &Account, next: Option<Subscription>, effects: &[EffectKind]) -> Transition {
    let before = next.as_ref().and_then(|next| account.subscription(&next.id)).cloned();
    Transition {
        after: next.as_ref().map_or_else(|| account.clone(), |next| account.with(next)),
        before,
        next,
        effects: effects.iter().map(|kind| effect(*kind)).collect(),
        changed: true,
        why: "because a test says so".into(),
    }
}

pub(crate) async fn add_organization(db: &Db, id: &str) -> Organization {
    let organization = organization(id);
    let row = &organization;
    assert!(db.write(|tx| Box::pin(async move { organization::insert(tx, row).await })).await.unwrap());
    organization
}

pub(crate) async fn add_subscription(db: &Db, row: &Subscription) -> Result<(), Error> {
    db.write(|tx| Box::pin(async move { subscription::insert(tx, row).await })).await
}

pub(crate) async fn read_subscription(db: &Db, row: &Subscription) -> Subscription {
    let mut connection = db.read().await.unwrap();
    let account = account::load_with(connection.c(), &row.organization_id, Some(row.id.as_str())).await.unwrap();
    account.unwrap().subscription(&row.id).unwrap().clone()
}

/// How often each value occurs.
pub(crate) fn tally<T: Ord>(values: impl IntoIterator<Item = T>) -> BTreeMap<T, usize> {
    let mut tally = BTreeMap::new();
    for value in values {
        *tally.entry(value).or_default() += 1;
    }
    tally
}
