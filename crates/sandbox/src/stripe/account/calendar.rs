//! Billing periods: instants counted from an anchor, in UTC.
//!
//! Source: Stripe docs, "Billing cycle": a month that is too short ends on its last day, and the anchor keeps its day.

use super::model::{Interval, IntervalUnit};
use crate::moment::{PeriodUnit, add_periods};

pub(crate) const HOUR: i64 = 3_600;
pub(crate) const DAY: i64 = 86_400;

/// The anchor and `count` intervals.
pub(crate) fn add(anchor: i64, interval: Interval, count: i64) -> i64 {
    let count = count.saturating_mul(interval.count);
    match interval.unit {
        IntervalUnit::Day => anchor.saturating_add(count.saturating_mul(DAY)),
        IntervalUnit::Week => anchor.saturating_add(count.saturating_mul(7 * DAY)),
        IntervalUnit::Month => add_periods(anchor, PeriodUnit::Month, count),
        IntervalUnit::Year => add_periods(anchor, PeriodUnit::Year, count),
    }
}

/// The first boundary after an instant; the anchor may lie before or after it.
pub(crate) fn next_boundary(anchor: i64, interval: Interval, after: i64) -> i64 {
    let mut count = estimate(anchor, interval, after);
    while add(anchor, interval, count) <= after {
        count += 1;
    }
    add(anchor, interval, count)
}

/// The last boundary at or before an instant.
pub(crate) fn last_boundary(anchor: i64, interval: Interval, until: i64) -> i64 {
    let mut count = estimate(anchor, interval, until);
    while add(anchor, interval, count + 1) <= until {
        count += 1;
    }
    add(anchor, interval, count)
}

/// A count of intervals that certainly is not after the instant.
fn estimate(anchor: i64, interval: Interval, instant: i64) -> i64 {
    let longest = match interval.unit {
        IntervalUnit::Day => DAY,
        IntervalUnit::Week => 7 * DAY,
        IntervalUnit::Month => 31 * DAY,
        IntervalUnit::Year => 366 * DAY,
    };
    let shortest = match interval.unit {
        IntervalUnit::Day | IntervalUnit::Week => longest,
        IntervalUnit::Month => 28 * DAY,
        IntervalUnit::Year => 365 * DAY,
    };
    let distance = instant.saturating_sub(anchor);
    let length = if distance >= 0 { longest } else { shortest };
    distance.div_euclid(length.saturating_mul(interval.count.max(1))) - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    const JANUARY_31: i64 = 1_769_817_600; // 2026-01-31T00:00:00Z
    const MONTH: Interval = Interval { unit: IntervalUnit::Month, count: 1 };

    #[test]
    fn boundaries_are_counted_from_the_anchor() {
        let february = next_boundary(JANUARY_31, MONTH, JANUARY_31);
        assert_eq!(february, JANUARY_31 + 28 * DAY);
        assert_eq!(next_boundary(JANUARY_31, MONTH, february), JANUARY_31 + 59 * DAY);
        assert_eq!(last_boundary(JANUARY_31, MONTH, february), february);
        assert_eq!(last_boundary(JANUARY_31, MONTH, february - 1), JANUARY_31);
        // An anchor in the future bounds the time before it, too.
        assert_eq!(next_boundary(JANUARY_31, MONTH, JANUARY_31 - DAY), JANUARY_31);
        let years = Interval { unit: IntervalUnit::Year, count: 2 };
        assert_eq!(next_boundary(JANUARY_31, years, JANUARY_31 + 800 * DAY), JANUARY_31 + 1_461 * DAY);
        assert_eq!(next_boundary(JANUARY_31, years, JANUARY_31 - 800 * DAY), JANUARY_31 - 731 * DAY);
    }
}
