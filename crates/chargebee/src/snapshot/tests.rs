use serde_json::{Value, json};
use tollkeeper_core::status::Status;

use super::*;

/// A subscription with these members over the usual ones.
fn subscription(members: Value) -> Subscription {
    let mut whole = json!({
        "id": "sub_1", "customer_id": "org_acme", "status": "active", "currency_code": "USD", "updated_at": 500,
        "current_term_start": 100, "current_term_end": 200, "resource_version": 500_007,
        "subscription_items": [{ "item_price_id": "growth", "item_type": "plan", "quantity": 5 }],
    });
    for (name, value) in members.as_object().unwrap() {
        whole[name] = value.clone();
    }
    serde_json::from_value(whole).unwrap()
}

fn customer(meta_data: Value) -> Customer {
    serde_json::from_value(json!({ "id": "org_acme", "meta_data": meta_data })).unwrap()
}

fn fetched(members: Value) -> Snapshot {
    snapshot(&subscription(members), None, Beside::default(), Origin::Fetched, None)
}

fn at(seconds: i64) -> Option<Timestamp> {
    Some(Timestamp::from_unix_seconds(seconds))
}

#[test]
fn every_status_has_its_phase_and_its_gate() {
    for (word, phase, status) in [
        ("future", Phase::Future, Status::Future),
        ("in_trial", Phase::Trialing, Status::InTrial),
        ("active", Phase::Active, Status::Active),
        ("non_renewing", Phase::Active, Status::NonRenewing),
        ("paused", Phase::Paused, Status::Paused),
        ("cancelled", Phase::Ended, Status::Cancelled),
        ("transferred", Phase::Ended, Status::Cancelled),
        ("brand_new", Phase::Incomplete, Status::Incomplete),
    ] {
        let snapshot = fetched(json!({ "status": word }));
        assert_eq!((snapshot.phase, Status::of(&snapshot)), (phase, status), "{word}");
        assert_eq!(snapshot.provider_status, word);
    }
    assert_eq!(fetched(json!({ "deleted": true })).phase, Phase::Ended);
}

#[test]
fn a_scheduled_end_is_told_from_an_end() {
    let dates = |members| {
        let snapshot = fetched(members);
        (snapshot.cancel_at, snapshot.cancelled_at, snapshot.ended_at)
    };
    let asked = json!({ "status": "non_renewing", "cancelled_at": 200, "cancel_schedule_created_at": 150 });
    assert_eq!(dates(asked), (at(200), at(150), None));
    let over = json!({ "status": "cancelled", "cancelled_at": 200, "cancel_schedule_created_at": 150 });
    assert_eq!(dates(over), (None, at(150), at(200)));
    assert_eq!(dates(json!({ "status": "cancelled", "cancelled_at": 170 })), (None, at(170), at(170)));
    let trial = json!({ "status": "in_trial", "cancelled_at": 300, "cancel_schedule_created_at": 150 });
    assert_eq!(dates(trial), (at(300), at(150), None));
    // Left over from an earlier life: nothing is scheduled.
    assert_eq!(dates(json!({ "status": "active", "cancelled_at": 90 })), (None, None, None));
    // The end of the term stands in where the instant is missing.
    assert_eq!(dates(json!({ "status": "non_renewing" })), (at(200), None, None));
    assert_eq!(dates(json!({ "status": "transferred", "cancelled_at": 90 })), (None, None, at(500)));
    assert_eq!(dates(json!({ "deleted": true })), (None, None, at(500)));
}

#[test]
fn seats_are_the_plan_row_wherever_it_stands() {
    let snapshot = fetched(json!({ "subscription_items": [
        { "item_price_id": "support", "item_type": "addon", "quantity": 9, "unit_price": 100, "amount": 900 },
        { "item_price_id": "growth", "item_type": "plan", "quantity": 5 },
        { "item_price_id": "setup", "item_type": "charge" },
        { "item_price_id": "odd", "item_type": "brand_new", "quantity_in_decimal": "2.50" },
    ]}));
    assert_eq!(snapshot.seats(), Some(5));
    let types: Vec<_> = snapshot.items.iter().map(|item| (item.item_type, item.quantity)).collect();
    let expected = [(ItemType::Addon, 9), (ItemType::Plan, 5), (ItemType::Charge, 1), (ItemType::Addon, 2)];
    assert_eq!(types, expected);
    assert_eq!(snapshot.items[0].amount, Some(900));
    assert_eq!(snapshot.items[0].currency, Some("USD".parse().unwrap()));
}

#[test]
fn a_site_with_the_old_catalog_has_items_too() {
    let snapshot = fetched(json!({
        "subscription_items": [], "plan_id": "basic", "plan_quantity": 3, "plan_unit_price": 500, "plan_amount": 1500,
        "addons": [{ "id": "sms", "quantity": 2 }],
    }));
    assert_eq!(snapshot.plan_item().unwrap().item_price_id, "basic".into());
    assert_eq!((snapshot.seats(), snapshot.items.len()), (Some(3), 2));
    assert_eq!(snapshot.items[1].item_type, ItemType::Addon);
}

#[test]
fn ids_are_ours_only_when_they_look_like_ours() {
    let ours = "tks_00000000000000000000000000000001";
    let other = "tks_00000000000000000000000000000002";
    let our_id = |members| fetched(members).our_id;
    assert_eq!(our_id(json!({})), None);
    assert_eq!(our_id(json!({ "id": ours })), Some(ours.into()));
    assert_eq!(our_id(json!({ "id": ours, "meta_data": { "subscriptionId": other } })), Some(other.into()));
    assert_eq!(our_id(json!({ "id": ours, "meta_data": { "subscriptionId": "ls_1" } })), Some(ours.into()));
    assert_eq!(our_id(json!({ "meta_data": format!("{{\"subscriptionId\":\"{ours}\"}}") })), Some(ours.into()));
}

#[test]
fn the_companion_customer_fills_what_the_subscription_does_not_say() {
    let companion = customer(json!({ "organizationId": "org_acme", "pendingSubscriptionId": "ls_1" }));
    let with = |members| snapshot(&subscription(members), Some(&companion), Beside::default(), Origin::Fetched, None);
    let plain = with(json!({}));
    assert_eq!(plain.organization_id, Some("org_acme".into()));
    assert_eq!(plain.pending_id, Some("ls_1".into()));
    assert_eq!(with(json!({ "meta_data": { "organizationId": "org_own" } })).organization_id, Some("org_own".into()));
    assert_eq!(fetched(json!({ "meta_data": 5 })).organization_id, None);
}

#[test]
fn a_snapshot_is_as_old_as_its_last_change_unless_somebody_knows_better() {
    assert_eq!(fetched(json!({})).observed_at, Timestamp::from_unix_seconds(500));
    let read = snapshot(&subscription(json!({})), None, Beside::default(), Origin::Fetched, at(900));
    assert_eq!(read.observed_at, Timestamp::from_unix_seconds(900));
    assert_eq!(read.version, Some(500_007));
}

fn invoice(members: Value) -> Invoice {
    serde_json::from_value(members).unwrap()
}

#[test]
fn dues_come_from_the_oldest_invoice_and_are_exhausted_by_any() {
    let retried = invoice(json!({
        "id": "INV-2", "status": "payment_due", "date": 300, "next_retry_at": 400,
        "dunning_attempts": [{ "attempt": 0 }],
    }));
    let given_up = invoice(json!({
        "id": "INV-1", "status": "not_paid", "due_date": 200, "next_retry_at": 250,
        "dunning_attempts": [{ "attempt": 0 }, { "attempt": 1 }, { "attempt": 2 }],
    }));
    let subscription = subscription(json!({ "due_since": 190, "due_invoices_count": 2 }));
    let both = dues(&subscription, &[retried, given_up]).unwrap();
    assert_eq!(
        both,
        Dues {
            since: Timestamp::from_unix_seconds(190),
            attempts: 3,
            next_attempt_at: at(400),
            invoice: Some("INV-1".into()),
            exhausted: true,
        }
    );
    let unknown = dues(&subscription, &[]).unwrap();
    assert_eq!((unknown.attempts, unknown.exhausted, unknown.invoice), (0, false, None));
}

#[test]
fn nobody_waits_for_a_retry_that_dunning_has_stopped() {
    let since = subscription(json!({ "due_since": 190 }));
    for (word, given_up) in [("in_progress", false), ("exhausted", true), ("stopped", true), ("brand_new", false)] {
        let members = json!({ "id": "INV-1", "status": "payment_due", "next_retry_at": 400, "dunning_status": word });
        let dues = dues(&since, &[invoice(members)]).unwrap();
        assert_eq!((dues.exhausted, dues.next_attempt_at), (given_up, at(400).filter(|_| !given_up)), "{word}");
    }
}

#[test]
fn no_dues_without_a_sign_of_them() {
    assert_eq!(dues(&subscription(json!({})), &[]), None);
    assert!(has_dues(&subscription(json!({ "due_invoices_count": 1 }))));
    assert!(!has_dues(&subscription(json!({ "due_invoices_count": 0 }))));
}

#[test]
fn a_scheduled_change_names_the_price_only_when_it_changes() {
    let now = subscription(json!({ "has_scheduled_changes": true, "changes_scheduled_at": 200 }));
    let row = |price, quantity| {
        subscription(json!({ "subscription_items": [
            { "item_price_id": price, "item_type": "plan", "quantity": quantity } ] }))
    };
    let change = |then: &Subscription| {
        let change = scheduled(&now, then).unwrap();
        assert_eq!((Some(change.at), &change.items), (at(200), &items(then)));
        (change.price_id, change.seats)
    };
    assert_eq!(change(&row("scale", 8)), (Some("scale".into()), Some(8)));
    assert_eq!(change(&row("growth", 3)), (None, Some(3)));
}

#[test]
fn everything_that_will_be_sold_is_told_and_not_only_the_plan() {
    let now = subscription(json!({ "has_scheduled_changes": true, "changes_scheduled_at": 200 }));
    let then = subscription(json!({ "subscription_items": [
        { "item_price_id": "support", "item_type": "addon", "quantity": 2, "unit_price": 100, "amount": 200 },
        { "item_price_id": "growth", "item_type": "plan", "quantity": 5 },
    ]}));
    let change = scheduled(&now, &then).unwrap();
    let lines: Vec<_> = change.items.iter().map(|item| (item.item_price_id.as_str(), item.quantity)).collect();
    assert_eq!(lines, [("support", 2), ("growth", 5)]);
    assert_eq!((change.price_id, change.seats, change.items[0].amount), (None, Some(5), Some(200)));
}

#[test]
fn a_pause_is_scheduled_only_until_it_begins() {
    let pause_at = |status| fetched(json!({ "status": status, "pause_date": 900 })).pause_at;
    assert_eq!(pause_at("active"), at(900));
    assert_eq!(pause_at("non_renewing"), at(900));
    for status in ["paused", "cancelled", "future"] {
        assert_eq!(pause_at(status), None, "{status}");
    }
    assert_eq!(fetched(json!({ "status": "active" })).pause_at, None);
}

#[test]
fn an_instant_without_a_date_is_none() {
    let snapshot = fetched(json!({ "current_term_end": i64::MAX, "trial_end": -1, "updated_at": 253_402_207_201_i64 }));
    assert_eq!((snapshot.period_end, snapshot.trial_end), (None, None));
    assert_eq!(snapshot.observed_at, Timestamp::from_micros(0));
}
