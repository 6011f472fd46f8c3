//! When time alone matters next.

use std::time::Duration;

use crate::{status::Status, subscription::Subscription, time::Timestamp};

/// How long until an instant that has passed without news from the provider is looked at again, in business time.
pub const RECHECK: Duration = Duration::from_secs(15 * 60);

/// The next business instant at which the row must be looked at; `None` when only the provider can change it.
///
/// Always later than `now`, so that looking at what is due comes to an end.
pub(super) fn next(row: &Subscription, now: Timestamp) -> Option<Timestamp> {
    let scheduled = row.scheduled.as_ref().map(|change| change.at);
    let retry = row.dues.as_ref().and_then(|dues| dues.next_attempt_at);
    // What the provider should have told us once it has passed. The end of the grace is ours to know.
    let told = match row.status {
        Status::InTrial => [row.trial_end, row.cancel_at, scheduled, None],
        Status::Active => [row.period_end, scheduled, None, None],
        Status::NonRenewing => [row.cancel_at, scheduled, None, None],
        Status::PastDue => [row.period_end, row.cancel_at, retry, None],
        Status::Unpaid | Status::Paused => [row.cancel_at, None, None, None],
        Status::Future | Status::Incomplete | Status::Cancelled | Status::Expired => [None; 4],
    };
    let ours = match row.status {
        Status::Future => row.checkout.as_ref().map(|checkout| checkout.expires_at),
        Status::PastDue => row.grace_until,
        _ => None,
    };
    let passed = told.iter().flatten().any(|at| *at <= now);
    let soonest = told.into_iter().chain([ours]).flatten().filter(|at| *at > now).min();
    let recheck = passed.then(|| now.plus(RECHECK));
    [soonest, recheck].into_iter().flatten().min()
}
