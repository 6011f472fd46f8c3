//! How long to wait before the next try.

use std::time::Duration;

/// Tries of a delivery before it is dead.
pub(crate) const TRIES: i64 = 12;

const FIRST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(5 * 60);

/// The wait after `attempts` failures: a second, doubled each time, at most five minutes, with full jitter.
///
/// `random` is any number, the dice.
pub(crate) fn pause(attempts: i64, random: u64) -> Duration {
    let doubled = FIRST.saturating_mul(1 << attempts.clamp(0, 16));
    let most = u64::try_from(doubled.min(LONGEST).as_millis()).unwrap_or(u64::MAX);
    Duration::from_millis(random % most + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_doubles_up_to_five_minutes_and_is_never_nothing() {
        assert_eq!(pause(0, 999), Duration::from_secs(1));
        assert_eq!(pause(3, 7_999), Duration::from_secs(8));
        assert_eq!(pause(40, 299_999), LONGEST);
        assert_eq!(pause(1, 0), Duration::from_millis(1));
    }
}
