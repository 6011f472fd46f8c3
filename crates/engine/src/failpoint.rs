//! Places where a test may kill the process, as a power cut would. Without the feature `failpoints` there are none.

use std::sync::OnceLock;

/// Every place, in the order in which a life passes them.
pub const PLACES: &[&str] = if cfg!(feature = "failpoints") {
    &[
        "provisioning.organization",
        "provisioning.customer",
        "provisioning.linked",
        "checkout.attempt",
        "checkout.page",
        "checkout.linked",
        "change.owed",
        "change.applied",
        "change.scheduled_again",
        "deletion.begun",
        "deletion.cancelled",
        "deletion.tombstone",
    ]
} else {
    &[]
};

static ARMED: OnceLock<String> = OnceLock::new();

/// Kills the process at the first passage of `place`; `false` when there is no such place, or one is armed already.
pub fn arm(place: &str) -> bool {
    PLACES.contains(&place) && ARMED.set(place.to_owned()).is_ok()
}

/// Dies here, if it was armed: nothing is cleaned up, nothing is flushed.
#[inline]
pub(crate) fn failpoint(place: &str) {
    if cfg!(feature = "failpoints") {
        debug_assert!(PLACES.contains(&place), "{place} is not listed");
        if ARMED.get().is_some_and(|armed| armed == place) {
            std::process::abort();
        }
    }
}
