//! When time alone matters next.

use std::time::Duration;

use crate::{
    catalog::{Duplicates, Policy},
    status::Status,
    subscription::Subscription,
    time::Timestamp,
};

/// How long until an instant that has passed without news from the provider is looked at again, in business time.
pub const RECHECK: Duration = Duration::from_secs(15 * 60);

/// What is due at once is due in a moment, so that looking at it comes to an end.
const SOON: Duration = Duration::from_secs(1);

/// The next business instant at which the row must be looked at; `None` when only the provider can change it.
///
/// Always later than `now`, so that looking at what is due comes to an end.
pub(super) fn next(row: &Subscription, policy: &Policy, now: Timestamp) -> Option<Timestamp> {
    let scheduled = row.scheduled.as_ref().map(|change| change.at);
    let retry = row.dues.as_ref().and_then(|dues| dues.next_attempt_at);
    // What the provider should have told us once it has passed. The end of the grace is ours to know.
    let told = match row.status {
        Status::InTrial => [row.trial_end, row.cancel_at, scheduled, None],
        Status::Active => [row.period_end, scheduled, row.pause_at, None],
        Status::NonRenewing => [row.cancel_at, scheduled, row.pause_at, None],
        Status::PastDue => [row.period_end, row.cancel_at, retry, None],
        Status::Unpaid | Status::Paused => [row.cancel_at, None, None, None],
        Status::Future | Status::Incomplete | Status::Cancelled | Status::Expired => [None; 4],
    };
    let ours = match row.status {
        Status::Future => row.checkout.as_ref().map(|checkout| checkout.expires_at),
        Status::PastDue => row.grace_until,
        Status::InTrial => reminder(row, policy, now).map(|at| at.max(now.plus(SOON))),
        _ => None,
    };
    let owed = row.owed_change.as_ref().map(|owed| owed.look_at.max(now.plus(SOON)));
    let unwanted = policy.duplicates == Duplicates::CancelLater && row.duplicate_of.is_some();
    let unwanted = unwanted.then(|| now.plus(SOON));
    let passed = told.iter().flatten().any(|at| *at <= now);
    let soonest = told.into_iter().chain([ours, owed, unwanted]).flatten().filter(|at| *at > now).min();
    let recheck = passed.then(|| now.plus(RECHECK));
    [soonest, recheck].into_iter().flatten().min()
}

/// When the end of a trial is to be announced; `None` once it was. In a short trial: half way through.
fn reminder(row: &Subscription, policy: &Policy, now: Timestamp) -> Option<Timestamp> {
    let ahead_of = |end: &Timestamp| row.status == Status::InTrial && row.trial_end_told != Some(*end) && now < *end;
    let end = row.trial_end.filter(ahead_of)?;
    let ahead = row.trial_start.map_or(policy.trial_reminder, |start| policy.trial_reminder.min(end.since(start) / 2));
    Some(end.minus(ahead))
}

/// Notes that the end of the trial is near, when it is.
pub(super) fn remind(row: &mut Subscription, policy: &Policy, now: Timestamp) {
    if reminder(row, policy, now).is_some_and(|at| at <= now) {
        row.trial_end_told = row.trial_end;
    }
}
