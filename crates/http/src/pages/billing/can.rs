//! What may be done about a subscription, as every page asks that shows a way to it or stands at its end.
//!
//! The engine decides again when something is done: this only keeps people off ways that would end in a refusal.

use tollkeeper::Overview;
use tollkeeper_core::{status::Status, subscription::Subscription};

/// What may be done about a subscription.
#[derive(Clone, Copy, Default)]
pub(crate) struct Can {
    pub(crate) change: bool,
    pub(crate) cancel: bool,
    pub(crate) pause: bool,
    pub(crate) undo_change: bool,
    pub(crate) remedy: bool,
}

impl Can {
    /// By somebody who may change billing.
    pub(crate) fn of(row: &Subscription) -> Self {
        let runs = row.status.runs();
        Self {
            change: runs && !matches!(row.status, Status::Paused | Status::Unpaid),
            cancel: runs && row.cancel_at.is_none(),
            pause: row.status == Status::Active
                && row.pause_at.is_none()
                && row.scheduled.is_none()
                && row.cancel_at.is_none(),
            undo_change: runs && row.scheduled.is_some(),
            remedy: true,
        }
    }
}

/// The subscription that is named, or the only one that runs.
pub(super) fn named<'a>(overview: &'a Overview, id: Option<&str>) -> Option<&'a Subscription> {
    let mut rows = overview.account.running(id);
    rows.next().filter(|_| rows.next().is_none())
}
