//! Which row a snapshot meets.

use super::{account, at, catalog, row_id, snapshot};
use crate::{
    account::Account,
    ids::SubscriptionId,
    reduce::{Match, find_row},
    snapshot::{ItemType, Snapshot},
    subscription::{Checkout, CheckoutItem, CheckoutParams, Subscription},
};

fn open(n: u8, price: &str) -> Subscription {
    let mut row = Subscription::future(row_id(n), "org_1".into(), "chargebee".into(), "default");
    row.price_id = Some(price.into());
    row.checkout = Some(Checkout {
        key: n.to_string(),
        tries: 1,
        params: CheckoutParams {
            items: vec![CheckoutItem { price_id: price.into(), quantity: 1, item_type: ItemType::Plan }],
            currency: "USD".parse().unwrap(),
            trial_end: None,
            success_url: String::new(),
            cancel_url: String::new(),
            user_id: None,
            metadata: serde_json::Value::Null,
        },
        reference: None,
        url: None,
        expires_at: at(1),
    });
    row
}

fn with(rows: &[Subscription]) -> Account {
    Account { subscriptions: rows.to_vec(), ..account() }
}

fn met(account: &Account, seen: &Snapshot) -> (SubscriptionId, bool) {
    match find_row(account, seen, &catalog(), at(0)) {
        Match::Row(row, _) => (row.id.clone(), false),
        Match::New(row, _) => (row.id, true),
    }
}

#[test]
fn the_providers_id_comes_first() {
    let mut known = open(1, "growth");
    known.provider_subscription_id = Some("sub_1".into());
    let mut seen = snapshot(1);
    seen.our_id = Some(row_id(2));
    assert_eq!(met(&with(&[open(2, "growth"), known]), &seen), (row_id(1), false));
}

#[test]
fn our_id_on_the_subscription_comes_second_even_for_an_expired_checkout_of_another_price() {
    let mut seen = snapshot(1);
    seen.our_id = Some(row_id(2));
    assert_eq!(met(&with(&[open(1, "growth"), open(2, "starter")]), &seen), (row_id(2), false));
}

#[test]
fn a_row_of_another_subscription_is_never_given_away() {
    let mut taken = open(1, "growth");
    taken.provider_subscription_id = Some("sub_other".into());
    let mut seen = snapshot(1);
    seen.our_id = Some(row_id(1));
    let adopted = SubscriptionId::adopted(&"chargebee".into(), &"sub_1".into());
    assert_eq!(met(&with(&[taken]), &seen), (adopted, true));
}

#[test]
fn our_id_without_a_row_is_taken_back_under_that_id() {
    let mut seen = snapshot(1);
    seen.our_id = Some(row_id(7));
    assert_eq!(met(&with(&[]), &seen), (row_id(7), true));
}

#[test]
fn the_pending_id_serves_only_a_subscription_without_our_id() {
    let mut seen = snapshot(1);
    seen.pending_id = Some(row_id(2));
    assert_eq!(met(&with(&[open(1, "growth"), open(2, "starter")]), &seen), (row_id(2), false));
    seen.our_id = Some(row_id(1));
    assert_eq!(met(&with(&[open(1, "growth"), open(2, "starter")]), &seen), (row_id(1), false));
}

#[test]
fn the_one_open_checkout_of_the_same_price_is_met_and_two_are_not_guessed_between() {
    let seen = snapshot(1);
    assert_eq!(met(&with(&[open(1, "growth"), open(2, "starter")]), &seen), (row_id(1), false));
    assert!(met(&with(&[open(1, "growth"), open(2, "growth")]), &seen).1);
    let mut late = open(1, "growth");
    late.checkout.as_mut().unwrap().expires_at = at(0);
    assert!(met(&with(&[late]), &seen).1, "an expired checkout is not met without our id");
}
