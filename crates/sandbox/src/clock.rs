//! Moving the business clock, one due instant after the other.

use std::time::Duration;

use crate::moment::Moment;
use crate::server::Shared;

/// The furthest that one call moves the clock: ten years.
pub(crate) const LONGEST_ADVANCE_SECONDS: i64 = 10 * 366 * 86_400;
/// How long a step waits for the answer to one delivery.
const PATIENCE: Duration = Duration::from_secs(2);

/// Moves the clock by `seconds`, in steps to each due instant.
///
/// At each step the sandbox acts, tells the new offset, sends what is due and waits for the answers. What faults hold
/// back is not waited for: it may arrive later in business time than it should. Calls queue up behind one another.
/// Machine time that passes meanwhile is added, so that the offset grows by exactly `seconds`.
pub(crate) async fn advance(shared: &Shared, seconds: i64) {
    let _turn = shared.clock_turn.lock().await;
    settle(shared).await;
    let start = shared.with(|world, _| world.offset);
    let target = start.saturating_add(seconds.saturating_mul(1_000_000));
    loop {
        let machine_now = shared.machine_now();
        let due = shared.with(|world, _| world.next_due());
        let offset = due.map_or(target, |due| whole_seconds_to(due, machine_now)).min(target);
        let current = shared.with(|world, _| world.offset);
        // An instant that passed meanwhile needs no step: the look into the world has already acted on it.
        let offset = offset.max(current);
        shared.set_offset(offset);
        settle(shared).await;
        if offset == target {
            return;
        }
    }
}

/// The smallest offset of whole seconds at which `due` has come.
///
/// Whole seconds, because that is what the control API tells; the instant is then less than a second ago.
fn whole_seconds_to(due: Moment, machine_now: Moment) -> i64 {
    let exact = due.micros().saturating_sub(machine_now.micros());
    let seconds = exact.div_euclid(1_000_000) + i64::from(exact.rem_euclid(1_000_000) > 0);
    seconds.saturating_mul(1_000_000)
}

/// Sends what is due and waits until everything is answered or was waited for long enough.
async fn settle(shared: &Shared) {
    loop {
        let changed = shared.settled.notified();
        tokio::pin!(changed);
        changed.as_mut().enable();
        if !shared.with(|world, now| world.outbox.is_busy(now, PATIENCE)) {
            return;
        }
        // The timeout notices that patience has run out, which nobody announces.
        let _ = tokio::time::timeout(Duration::from_millis(100), changed).await;
    }
}

/// Business time for an offset.
pub(crate) fn business(machine_now: Moment, offset: i64) -> Moment {
    Moment::from_micros(machine_now.micros().saturating_add(offset))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_are_whole_seconds_and_reach_the_instant() {
        let machine_now = Moment::from_micros(10_300_000);
        assert_eq!(whole_seconds_to(Moment::from_secs(100), machine_now), 90_000_000);
        assert_eq!(whole_seconds_to(Moment::from_secs(10), machine_now), 0);
        assert_eq!(whole_seconds_to(Moment::from_micros(10_300_000), machine_now), 0);
    }
}
