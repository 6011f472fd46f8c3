//! Whether one subscription gives access now.

use serde::{Deserialize, Serialize};

use super::{Reason, View, ViewSubscription};
use crate::{catalog::Policy, status::Status, subscription::Subscription, time::Timestamp};

/// Whether a subscription gives access, why, and until when as far as is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Access {
    /// Open or closed.
    pub granted: bool,
    /// Why.
    pub reason: Reason,
    /// The instant at which time alone closes it; `None` when nothing is known to close it, or it is closed.
    pub until: Option<Timestamp>,
}

impl Access {
    const fn open(reason: Reason, until: Option<Timestamp>) -> Self {
        Self { granted: true, reason, until }
    }

    const fn closed(reason: Reason) -> Self {
        Self { granted: false, reason, until: None }
    }
}

/// Decides access of one row at business time `now`.
pub fn access(subscription: &Subscription, policy: &Policy, now: Timestamp) -> Access {
    of(&View::of_row(subscription), policy, now)
}

/// Decides access of what a gate keeps of a row.
///
/// A trial or period whose end has passed stays open until the provider has said what became of it: a webhook that
/// comes late never closes a gate. An end that was asked for does close it, to the instant.
pub(super) fn of(row: &ViewSubscription, policy: &Policy, now: Timestamp) -> Access {
    let access = by_status(row, policy, now);
    if access.granted && row.collection_paused && !policy.collection_paused_access {
        return Access::closed(Reason::CollectionPaused);
    }
    access
}

fn by_status(row: &ViewSubscription, policy: &Policy, now: Timestamp) -> Access {
    if let (Some(end), true) = (row.cancel_at, row.status.is_live())
        && end <= now
    {
        return Access::closed(Reason::Ended);
    }
    match row.status {
        Status::Active => Access::open(Reason::Active, None),
        Status::InTrial => Access::open(Reason::InTrial, row.cancel_at),
        Status::NonRenewing => Access::open(Reason::NonRenewing, row.cancel_at),
        Status::PastDue => match row.grace_until {
            Some(end) if end > now => {
                Access::open(Reason::PastDueGrace, Some(row.cancel_at.map_or(end, |at| at.min(end))))
            }
            Some(_) | None => Access::closed(Reason::PastDue),
        },
        Status::Paused if policy.paused_access => Access::open(Reason::PausedAccess, row.cancel_at),
        Status::Paused => Access::closed(Reason::Paused),
        Status::Unpaid => Access::closed(Reason::Unpaid),
        Status::Incomplete => Access::closed(Reason::Incomplete),
        Status::Future => Access::closed(Reason::NotStarted),
        Status::Cancelled => Access::closed(Reason::Cancelled),
        Status::Expired => Access::closed(Reason::Expired),
    }
}
