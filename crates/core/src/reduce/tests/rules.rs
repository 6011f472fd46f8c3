//! What a change owes, and what time alone does.

use super::{account, at, catalog, catalog_with, item, row_id, snapshot};
use crate::{
    catalog::{Duplicates, Policy},
    effect::{EffectKind as E, Transition},
    gate::{self, Reason, View},
    ports::OrganizationRecord,
    reduce::{
        RECHECK, ReduceError, begin_checkout, begin_deletion, identify, may_apply_directly, postpone, reduce, tick,
        tombstone,
    },
    snapshot::{Dues, ItemType, Origin, Phase, Snapshot},
    status::Status,
    subscription::{Checkout, CheckoutItem, CheckoutParams, Subscription},
    time::Timestamp,
};

fn kinds(transition: &Transition) -> Vec<E> {
    transition.effects.iter().map(|effect| effect.kind).collect()
}

fn checkout(n: u8, price: &str, expires_at: Timestamp) -> Subscription {
    let mut row = Subscription::future(row_id(n), "org_1".into(), "chargebee".into(), "default");
    row.plan = Some(price.into());
    row.price_id = Some(price.into());
    row.seats = Some(5);
    row.checkout = Some(Checkout {
        key: format!("key_{n}"),
        tries: 1,
        params: CheckoutParams {
            items: vec![CheckoutItem { price_id: price.into(), quantity: 5, item_type: ItemType::Plan }],
            currency: "USD".parse().unwrap(),
            trial_end: Some(at(14)),
            success_url: "/billing".into(),
            cancel_url: "/billing".into(),
            user_id: None,
            metadata: serde_json::Value::Null,
        },
        reference: None,
        url: None,
        expires_at,
    });
    row
}

fn trial(version: i64) -> Snapshot {
    let mut seen = snapshot(version);
    seen.phase = Phase::Trialing;
    seen.provider_status = "in_trial".into();
    (seen.trial_start, seen.trial_end) = (Some(at(0)), Some(at(14)));
    (seen.period_start, seen.period_end) = (None, None);
    seen.our_id = Some(row_id(1));
    seen.id = row_id(1).as_str().into();
    seen
}

#[test]
fn the_main_job_owes_each_effect_once() {
    let catalog = catalog();
    let begun = begin_checkout(&account(), checkout(1, "growth", at(1)), &catalog, at(0));
    assert_eq!(kinds(&begun), [E::SubscriptionCreated]);
    assert!(!gate::decide(&View::of(&begun.after), &catalog, "sso", at(0)).allowed);

    let paid = reduce(&begun.after, Some(&trial(1)), &catalog, at(0)).unwrap();
    assert_eq!(kinds(&paid), [E::SubscriptionCompleted, E::TrialStarted, E::EntitlementsChanged]);
    assert_eq!(paid.after.subscriptions.len(), 1, "the future row became the subscription");
    assert!(paid.after.organization.had_trial);
    assert_eq!(gate::decide(&View::of(&paid.after), &catalog, "sso", at(0)).reason, Reason::InTrial);

    let again = reduce(&paid.after, Some(&trial(1)), &catalog, at(0)).unwrap();
    assert!(!again.changed, "{}", again.why);

    let mut seen = trial(2);
    seen.phase = Phase::Active;
    (seen.period_start, seen.period_end) = (Some(at(14)), Some(at(44)));
    let active = reduce(&paid.after, Some(&seen), &catalog, at(14)).unwrap();
    assert_eq!(kinds(&active), [E::SubscriptionUpdated, E::TrialEnded]);

    seen.version = Some(3);
    (seen.cancel_at, seen.cancelled_at) = (Some(at(44)), Some(at(15)));
    let leaving = reduce(&active.after, Some(&seen), &catalog, at(15)).unwrap();
    assert_eq!(kinds(&leaving), [E::SubscriptionCancelled]);
    assert_eq!(leaving.next.as_ref().unwrap().status, Status::NonRenewing);

    seen.version = Some(4);
    (seen.cancel_at, seen.cancelled_at) = (None, None);
    let restored = reduce(&leaving.after, Some(&seen), &catalog, at(16)).unwrap();
    assert_eq!(kinds(&restored), [E::SubscriptionUpdated]);

    seen.version = Some(5);
    (seen.phase, seen.ended_at) = (Phase::Ended, Some(at(17)));
    let over = reduce(&restored.after, Some(&seen), &catalog, at(17)).unwrap();
    assert_eq!(kinds(&over), [E::SubscriptionCancelled, E::SubscriptionDeleted, E::EntitlementsChanged]);
    assert_eq!(over.next.as_ref().unwrap().ended_at, Some(at(17)));
    assert_eq!(gate::decide(&View::of(&over.after), &catalog, "projects", at(17)).reason, Reason::DefaultPlan);
}

#[test]
fn a_failed_payment_and_its_recovery_are_each_told_once_per_attempt() {
    let catalog = catalog();
    let active = reduce(&account(), Some(&snapshot(1)), &catalog, at(0)).unwrap().after;
    let mut seen = snapshot(2);
    seen.dues = Some(Dues { since: at(1), attempts: 1, next_attempt_at: Some(at(4)), invoice: None, exhausted: false });
    let failed = reduce(&active, Some(&seen), &catalog, at(1)).unwrap();
    assert_eq!(kinds(&failed), [E::SubscriptionUpdated, E::PaymentFailed]);
    assert!(!reduce(&failed.after, Some(&seen), &catalog, at(1)).unwrap().changed);
    // The invoice moves on without a new version of the subscription.
    seen.dues.as_mut().unwrap().attempts = 2;
    assert_eq!(kinds(&reduce(&failed.after, Some(&seen), &catalog, at(4)).unwrap()), [E::PaymentFailed]);
    let recovered = reduce(&failed.after, Some(&snapshot(3)), &catalog, at(5)).unwrap();
    assert_eq!(kinds(&recovered), [E::SubscriptionUpdated, E::PaymentRecovered]);
}

#[test]
fn the_end_of_the_grace_is_told_once_by_time_alone() {
    let catalog = catalog();
    let mut seen = snapshot(1);
    seen.dues = Some(Dues { since: at(0), attempts: 1, next_attempt_at: None, invoice: None, exhausted: false });
    let owing = reduce(&account(), Some(&seen), &catalog, at(0)).unwrap();
    assert_eq!(owing.next.as_ref().unwrap().due_at, Some(at(30)));
    let over = reduce(&owing.after, None, &catalog, at(30)).unwrap();
    assert_eq!(kinds(&over), [E::EntitlementsChanged]);
    assert_eq!(
        over.next.as_ref().unwrap().due_at,
        Some(at(30).plus(RECHECK)),
        "the provider is asked what became of it"
    );
    let again = reduce(&over.after, None, &catalog, at(31)).unwrap();
    assert_eq!(kinds(&again), []);
}

#[test]
fn an_abandoned_checkout_expires_and_comes_back_to_life_when_it_was_paid_after_all() {
    let catalog = catalog();
    let begun = begin_checkout(&account(), checkout(1, "growth", at(1)), &catalog, at(0)).after;
    let expired = reduce(&begun, None, &catalog, at(1)).unwrap();
    assert_eq!(expired.next.as_ref().unwrap().status, Status::Expired);
    assert!(!reduce(&expired.after, None, &catalog, at(9)).unwrap().changed);
    let paid = reduce(&expired.after, Some(&trial(1)), &catalog, at(2)).unwrap();
    assert_eq!(paid.next.as_ref().unwrap().status, Status::InTrial);
    assert_eq!(kinds(&paid), [E::SubscriptionCompleted, E::TrialStarted, E::EntitlementsChanged]);
}

#[test]
fn time_decides_about_the_row_that_was_asked_about_and_no_other() {
    let catalog = catalog();
    let mut other = checkout(2, "growth", at(1));
    other.plan_group = "support".into();
    let first = begin_checkout(&account(), checkout(1, "growth", at(1)), &catalog, at(0)).after;
    let both = begin_checkout(&first, other, &catalog, at(0)).after;
    let after = tick(&both, &row_id(2), &catalog, at(1)).after;
    assert_eq!(after.subscription(&row_id(1)).unwrap().status, Status::Future);
    assert_eq!(after.subscription(&row_id(2)).unwrap().status, Status::Expired);
    assert!(!tick(&after, &row_id(2), &catalog, at(1)).changed);
}

#[test]
fn a_late_delivery_does_not_reopen_a_cancelled_subscription() {
    let catalog = catalog();
    let mut ended = snapshot(9);
    ended.phase = Phase::Ended;
    let over = reduce(&account(), Some(&ended), &catalog, at(1)).unwrap().after;
    let mut late = snapshot(8);
    late.origin = Origin::Delivered;
    let outcome = reduce(&over, Some(&late), &catalog, at(2)).unwrap();
    assert!(!outcome.changed);
    assert!(outcome.why.contains("older"), "{}", outcome.why);
}

#[test]
fn a_snapshot_of_another_organization_is_refused() {
    let mut foreign = snapshot(1);
    foreign.customer_id = "org_2".into();
    assert_eq!(
        reduce(&account(), Some(&foreign), &catalog(), at(0)),
        Err(ReduceError::ForeignCustomer("org_2".into()))
    );
    let mut named = snapshot(1);
    named.organization_id = Some("org_2".into());
    assert_eq!(
        reduce(&account(), Some(&named), &catalog(), at(0)),
        Err(ReduceError::ForeignOrganization("org_2".into()))
    );
}

#[test]
fn a_subscription_that_another_customer_pays_now_is_over_here() {
    let catalog = catalog();
    let ours = reduce(&account(), Some(&snapshot(1)), &catalog, at(0)).unwrap().after;
    let mut moved = snapshot(2);
    moved.customer_id = "org_2".into();
    let left = reduce(&ours, Some(&moved), &catalog, at(1)).unwrap();
    assert_eq!(left.next.as_ref().unwrap().status, Status::Cancelled);
    assert!(left.why.contains("org_2"), "{}", left.why);
    assert_eq!(reduce(&left.after, Some(&moved), &catalog, at(2)), Err(ReduceError::ForeignCustomer("org_2".into())));
}

#[test]
fn a_row_that_nobody_could_be_asked_about_is_postponed_not_expired() {
    let catalog = catalog();
    let begun = begin_checkout(&account(), checkout(1, "growth", at(1)), &catalog, at(0)).after;
    let later = postpone(&begun, &row_id(1), at(1));
    assert_eq!(
        later.next.as_ref().map(|row| (row.status, row.due_at)),
        Some((Status::Future, Some(at(1).plus(RECHECK))))
    );
    assert!(!postpone(&later.after, &row_id(1), at(1)).changed);
}

#[test]
fn an_unknown_price_keeps_the_status_and_closes_gates_with_plan_unknown() {
    let catalog = catalog();
    let mut seen = snapshot(1);
    seen.items = vec![item("made-at-the-dashboard", ItemType::Plan, 1)];
    let after = reduce(&account(), Some(&seen), &catalog, at(0)).unwrap().after;
    let row = &after.subscriptions[0];
    assert_eq!((row.status, row.plan.as_ref()), (Status::Active, None));
    let view = View::of(&after);
    assert_eq!(gate::decide(&view, &catalog, "sso", at(0)).reason, Reason::PlanUnknown);
    assert_eq!(gate::decide(&view, &catalog, "plan:growth", at(0)).reason, Reason::PlanUnknown);
    assert!(gate::decide(&view, &catalog, "subscription", at(0)).allowed);
    assert!(gate::decide(&view, &catalog, "price:made-at-the-dashboard", at(0)).allowed);
}

#[test]
fn addons_add_up_and_unlimited_wins() {
    let catalog = catalog();
    let limit = |plan: &str, extras: i64| {
        let mut seen = snapshot(1);
        seen.items = vec![item(plan, ItemType::Plan, 1), item("extra", ItemType::Addon, extras)];
        let after = reduce(&account(), Some(&seen), &catalog, at(0)).unwrap().after;
        gate::decide(&View::of(&after), &catalog, "projects", at(0)).grant
    };
    assert_eq!(limit("starter", 2), Some(crate::catalog::Grant::Limit(Some(30))));
    assert_eq!(limit("growth", 2), Some(crate::catalog::Grant::Limit(None)));
}

#[test]
fn a_scheduled_end_closes_the_gate_to_the_instant_without_any_webhook() {
    let catalog = catalog();
    let mut seen = snapshot(1);
    seen.cancel_at = Some(at(30));
    let after = reduce(&account(), Some(&seen), &catalog, at(0)).unwrap().after;
    let view = View::of(&after);
    let moment_before = Timestamp::from_micros(at(30).as_micros() - 1);
    assert!(gate::decide(&view, &catalog, "sso", moment_before).allowed);
    assert!(!gate::decide(&view, &catalog, "sso", at(30)).allowed);
}

#[test]
fn a_renewal_that_is_not_told_in_time_does_not_close_the_gate() {
    let catalog = catalog();
    let after = reduce(&account(), Some(&snapshot(1)), &catalog, at(0)).unwrap().after;
    assert!(gate::decide(&View::of(&after), &catalog, "sso", at(31)).allowed);
}

#[test]
fn content_is_applied_directly_only_when_it_is_newer_and_nothing_is_scheduled() {
    let catalog = catalog();
    let row = reduce(&account(), Some(&snapshot(5)), &catalog, at(0)).unwrap().next.unwrap();
    assert!(may_apply_directly(Some(&row), &snapshot(6)));
    assert!(!may_apply_directly(Some(&row), &snapshot(5)));
    assert!(!may_apply_directly(None, &snapshot(6)));
    let mut unversioned = snapshot(6);
    unversioned.version = None;
    assert!(!may_apply_directly(Some(&row), &unversioned));
}

#[test]
fn a_tombstone_beats_an_older_update_that_arrives_later() {
    let catalog = catalog();
    let live = reduce(&account(), Some(&snapshot(1)), &catalog, at(0)).unwrap().after;
    assert!(tombstone(&live, &catalog, at(5)).is_err(), "what is paid for is ended first");
    let leaving = begin_deletion(&account(), &catalog, at(5));
    assert_eq!(kinds(&leaving), [E::EntitlementsChanged], "the default plan is lost at once");
    assert_eq!(
        gate::decide(&View::of(&leaving.after), &catalog, "projects", at(5)).reason,
        Reason::OrganizationDeleted
    );
    assert!(!begin_deletion(&leaving.after, &catalog, at(6)).changed);
    let dead = tombstone(&leaving.after, &catalog, at(5)).unwrap();
    assert_eq!(kinds(&dead), []);
    let record = OrganizationRecord {
        id: "org_1".into(),
        display_name: Some("New name".into()),
        external_id: None,
        updated_at: Some(at(4)),
    };
    assert!(!identify(&dead.after, &record).changed);
    assert_eq!(gate::decide(&View::of(&dead.after), &catalog, "projects", at(6)).reason, Reason::OrganizationDeleted);

    let renamed = identify(&account(), &record).after;
    assert_eq!(renamed.organization.display_name, "New name");
    let older = OrganizationRecord { display_name: Some("Old".into()), updated_at: Some(at(3)), ..record };
    assert_eq!(identify(&renamed, &older).after.organization.display_name, "New name");
}

#[test]
fn the_end_of_a_trial_is_announced_once_and_again_when_it_moves() {
    let catalog = catalog();
    let begun = reduce(&account(), Some(&trial(1)), &catalog, at(0)).unwrap();
    let row = &begun.after.subscriptions[0];
    assert_eq!(row.due_at, Some(at(11)), "three days ahead");
    assert!(!tick(&begun.after, &row.id, &catalog, at(10)).changed);

    let near = tick(&begun.after, &row.id, &catalog, at(11));
    assert_eq!(kinds(&near), [E::TrialEnding]);
    assert_eq!(near.after.subscriptions[0].due_at, Some(at(14)));
    assert_eq!(kinds(&reduce(&near.after, Some(&trial(1)), &catalog, at(12)).unwrap()), []);

    let mut longer = trial(2);
    longer.trial_end = Some(at(20));
    let moved = reduce(&near.after, Some(&longer), &catalog, at(12)).unwrap();
    assert_eq!(kinds(&moved), [E::SubscriptionUpdated]);
    assert_eq!(moved.after.subscriptions[0].due_at, Some(at(17)));
    assert_eq!(kinds(&tick(&moved.after, &row.id, &catalog, at(18))), [E::TrialEnding]);
}

#[test]
fn the_end_of_a_short_trial_is_announced_half_way() {
    let mut short = trial(1);
    short.trial_end = Some(at(4));
    let begun = reduce(&account(), Some(&short), &catalog(), at(0)).unwrap();
    assert_eq!(begun.after.subscriptions[0].due_at, Some(at(2)));
}

#[test]
fn what_is_paid_a_second_time_is_told_once_and_may_be_unwanted() {
    let wanted = catalog();
    let unwanted = catalog_with(Policy { duplicates: Duplicates::CancelLater, ..Policy::default() });
    let first = reduce(&account(), Some(&snapshot(1)), &wanted, at(1)).unwrap().after;
    let mut second = snapshot(1);
    second.id = "sub_2".into();
    let twice = reduce(&first, Some(&second), &wanted, at(2)).unwrap();
    assert!(kinds(&twice).contains(&E::SubscriptionDuplicated));
    let [one, other] = &twice.after.subscriptions[..] else { panic!("two rows") };
    assert_eq!((&one.duplicate_of, &other.duplicate_of), (&None, &Some(one.id.clone())));
    assert_eq!(other.due_at, Some(at(30)), "it stays");

    second.version = Some(2);
    second.period_end = Some(at(31));
    let again = reduce(&twice.after, Some(&second), &unwanted, at(3)).unwrap();
    assert!(!kinds(&again).contains(&E::SubscriptionDuplicated), "told before");
    assert!(again.after.subscriptions[1].due_at.unwrap() < at(4), "somebody must end it");

    let mut over = snapshot(2);
    (over.phase, over.ended_at) = (Phase::Ended, Some(at(4)));
    let left = reduce(&again.after, Some(&over), &unwanted, at(4)).unwrap().after;
    second.version = Some(3);
    let alone = reduce(&left, Some(&second), &unwanted, at(5)).unwrap().after;
    assert_eq!(alone.subscriptions[1].duplicate_of, None, "the first one is over: this one is wanted");
}

#[test]
fn the_last_attempt_is_said_once_per_invoice() {
    let catalog = catalog();
    let mut account = reduce(&account(), Some(&snapshot(1)), &catalog, at(1)).unwrap().after;
    let mut fails = |version, attempts, next_attempt_at, invoice: &str| {
        let mut seen = snapshot(version);
        let invoice = Some(invoice.to_owned());
        seen.dues = Some(Dues { since: at(2), attempts, next_attempt_at, invoice, exhausted: false });
        let failed = reduce(&account, Some(&seen), &catalog, at(2)).unwrap();
        account = failed.after;
        let told = failed.effects.iter().find(|effect| effect.kind == E::PaymentFailed).expect("it was told");
        told.data["final"].as_bool().expect("it says whether it is the last")
    };
    assert!(!fails(2, 1, Some(at(5)), "one"));
    assert!(!fails(3, 2, Some(at(8)), "one"));
    assert!(fails(4, 3, Some(at(11)), "one"), "the third counts as the last");
    assert!(!fails(5, 4, None, "one"), "said before");
    assert!(fails(6, 5, None, "another"), "nothing more is planned");
}
