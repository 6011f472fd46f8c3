//! The status and access table, row by row, for both providers' ways of saying it.

use super::{account, at, catalog, catalog_with, snapshot};
use crate::{
    catalog::{Grace, Policy},
    gate::{Reason, access},
    reduce::reduce,
    snapshot::{Dues, Phase, Snapshot},
    status::Status,
    time::days,
};

fn dues(exhausted: bool) -> Dues {
    Dues { since: at(0), attempts: 1, next_attempt_at: Some(at(3)), invoice: Some("inv_1".into()), exhausted }
}

struct Row {
    what: &'static str,
    change: fn(&mut Snapshot),
    status: Status,
    open: bool,
    reason: Reason,
}

const fn row(what: &'static str, change: fn(&mut Snapshot), status: Status, open: bool, reason: Reason) -> Row {
    Row { what, change, status, open, reason }
}

#[test]
fn every_word_of_both_providers_has_its_status_and_its_access() {
    let table = [
        row("Chargebee future", |s| s.phase = Phase::Future, Status::Future, false, Reason::NotStarted),
        row("Stripe incomplete", |s| s.phase = Phase::Incomplete, Status::Incomplete, false, Reason::Incomplete),
        row(
            "Chargebee in_trial, Stripe trialing",
            |s| s.phase = Phase::Trialing,
            Status::InTrial,
            true,
            Reason::InTrial,
        ),
        row(
            "in trial with a scheduled end, either",
            |s| (s.phase, s.cancel_at) = (Phase::Trialing, Some(at(14))),
            Status::InTrial,
            true,
            Reason::InTrial,
        ),
        row("active, either", |_| {}, Status::Active, true, Reason::Active),
        row(
            "Chargebee non_renewing, Stripe active with cancel_at(_period_end)",
            |s| s.cancel_at = Some(at(30)),
            Status::NonRenewing,
            true,
            Reason::NonRenewing,
        ),
        row(
            "Chargebee active with due_since",
            |s| s.dues = Some(dues(false)),
            Status::PastDue,
            true,
            Reason::PastDueGrace,
        ),
        row(
            "Chargebee non_renewing with due_since",
            |s| (s.dues, s.cancel_at) = (Some(dues(false)), Some(at(30))),
            Status::PastDue,
            true,
            Reason::PastDueGrace,
        ),
        row(
            "Stripe past_due",
            |s| (s.phase, s.dues) = (Phase::PastDue, Some(dues(false))),
            Status::PastDue,
            true,
            Reason::PastDueGrace,
        ),
        row("Stripe past_due, invoice unknown", |s| s.phase = Phase::PastDue, Status::PastDue, false, Reason::PastDue),
        row("Chargebee invoice not_paid", |s| s.dues = Some(dues(true)), Status::Unpaid, false, Reason::Unpaid),
        row("Stripe unpaid", |s| s.phase = Phase::Unpaid, Status::Unpaid, false, Reason::Unpaid),
        row("paused, either", |s| s.phase = Phase::Paused, Status::Paused, false, Reason::Paused),
        row(
            "paused beats dues",
            |s| (s.phase, s.dues) = (Phase::Paused, Some(dues(true))),
            Status::Paused,
            false,
            Reason::Paused,
        ),
        row(
            "Chargebee cancelled, Stripe canceled",
            |s| s.phase = Phase::Ended,
            Status::Cancelled,
            false,
            Reason::Cancelled,
        ),
        row(
            "ended beats everything",
            |s| (s.phase, s.dues, s.cancel_at) = (Phase::Ended, Some(dues(true)), Some(at(9))),
            Status::Cancelled,
            false,
            Reason::Cancelled,
        ),
        row("Stripe incomplete_expired", |s| s.phase = Phase::NeverStarted, Status::Expired, false, Reason::Expired),
    ];
    let catalog = catalog();
    for Row { what, change, status, open, reason } in table {
        let mut seen = snapshot(1);
        change(&mut seen);
        let next = reduce(&account(), Some(&seen), &catalog, at(1)).unwrap().next.expect(what);
        let access = access(&next, catalog.policy(), at(1));
        assert_eq!((next.status, access.granted, access.reason), (status, open, reason), "{what}");
    }
}

#[test]
fn grace_ends_with_the_period_in_which_the_dues_began() {
    let catalog = catalog();
    let mut seen = snapshot(1);
    seen.dues = Some(dues(false));
    let first = reduce(&account(), Some(&seen), &catalog, at(1)).unwrap();
    assert_eq!(first.next.as_ref().unwrap().grace_until, Some(at(30)));

    let mut renewed = snapshot(2);
    (renewed.period_start, renewed.period_end) = (Some(at(30)), Some(at(60)));
    renewed.dues = seen.dues.clone();
    let second = reduce(&first.after, Some(&renewed), &catalog, at(31)).unwrap().next.unwrap();
    assert_eq!(second.grace_until, Some(at(30)), "a renewal does not extend it");
    assert!(!access(&second, catalog.policy(), at(31)).granted);

    let late = reduce(&account(), Some(&renewed), &catalog, at(31)).unwrap().next.unwrap();
    assert_eq!(late.grace_until, Some(at(30)), "nor does having missed the first period");
}

#[test]
fn grace_follows_the_policy() {
    let mut seen = snapshot(1);
    seen.dues = Some(dues(false));
    for (grace, until) in [(Grace::None, None), (Grace::For(days(3)), Some(at(3))), (Grace::PeriodEnd, Some(at(30)))] {
        let catalog = catalog_with(Policy { past_due_grace: grace, ..Policy::default() });
        let next = reduce(&account(), Some(&seen), &catalog, at(1)).unwrap().next.unwrap();
        assert_eq!(next.grace_until, until, "{grace:?}");
        assert_eq!(access(&next, catalog.policy(), at(1)).granted, until.is_some(), "{grace:?}");
    }
}

#[test]
fn a_collection_that_somebody_paused_closes_the_gate_only_by_policy() {
    let mut seen = snapshot(1);
    seen.collection_paused = true;
    for (collection_paused_access, reason) in [(true, Reason::Active), (false, Reason::CollectionPaused)] {
        let catalog = catalog_with(Policy { collection_paused_access, ..Policy::default() });
        let transition = reduce(&account(), Some(&seen), &catalog, at(1)).unwrap();
        let next = transition.next.unwrap();
        assert_eq!((next.status, next.collection_paused), (Status::Active, true));
        assert_eq!(access(&next, catalog.policy(), at(1)).reason, reason);
    }
    seen.phase = Phase::Ended;
    let over = reduce(&account(), Some(&seen), &catalog_with(Policy::default()), at(1)).unwrap().next.unwrap();
    assert!(!over.collection_paused, "what is over collects nothing");
}

#[test]
fn a_pause_opens_the_gate_only_by_policy() {
    let mut seen = snapshot(1);
    seen.phase = Phase::Paused;
    let catalog = catalog_with(Policy { paused_access: true, ..Policy::default() });
    let next = reduce(&account(), Some(&seen), &catalog, at(1)).unwrap().next.unwrap();
    assert_eq!(access(&next, catalog.policy(), at(1)).reason, Reason::PausedAccess);
}
