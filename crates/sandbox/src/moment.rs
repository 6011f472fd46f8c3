//! Instants and the calendar, without a clock: every instant comes in from outside.

use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};

/// An instant in Unix microseconds, of business or of machine time; the name of the variable says which.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Moment(i64);

impl Moment {
    pub(crate) fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    pub(crate) fn from_secs(secs: i64) -> Self {
        Self(secs.saturating_mul(1_000_000))
    }

    pub(crate) fn micros(self) -> i64 {
        self.0
    }

    pub(crate) fn secs(self) -> i64 {
        self.0.div_euclid(1_000_000)
    }

    pub(crate) fn millis(self) -> i64 {
        self.0.div_euclid(1_000)
    }

    pub(crate) fn plus_secs(self, secs: i64) -> Self {
        Self(self.0.saturating_add(secs.saturating_mul(1_000_000)))
    }

    /// Writes the instant as RFC 3339 in UTC with three fractional digits.
    pub(crate) fn rfc3339_millis(self) -> String {
        format!("{:.3}", timestamp(self))
    }

    /// Writes the instant as RFC 3339 in UTC with six fractional digits.
    pub(crate) fn rfc3339(self) -> String {
        format!("{:.6}", timestamp(self))
    }

    /// Writes the instant as RFC 3339 in UTC with nine fractional digits, the last three from `nanos` (0..1000).
    pub(crate) fn rfc3339_nanos(self, nanos: u16) -> String {
        let with_micros = format!("{:.6}", timestamp(self));
        format!("{}{:03}Z", with_micros.trim_end_matches('Z'), nanos.min(999))
    }
}

fn timestamp(moment: Moment) -> Timestamp {
    let bounded = moment.0.clamp(Timestamp::MIN.as_microsecond(), Timestamp::MAX.as_microsecond());
    Timestamp::from_microsecond(bounded).expect("the value was clamped to the range of timestamps")
}

/// The unit of a billing period, as far as the catalog has one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PeriodUnit {
    Month,
    Year,
}

impl PeriodUnit {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            PeriodUnit::Month => "month",
            PeriodUnit::Year => "year",
        }
    }
}

/// Adds `count` periods to the anchor, in UTC, where a month that is too short ends on its last day.
///
/// Counting from one anchor keeps the day of the month: 31 January, 28 February, 31 March.
pub(crate) fn add_periods(anchor_secs: i64, unit: PeriodUnit, count: i64) -> i64 {
    let count = count.clamp(-10_000, 10_000);
    let span = match unit {
        PeriodUnit::Month => Span::new().try_months(count),
        PeriodUnit::Year => Span::new().try_years(count.clamp(-5_000, 5_000)),
    };
    let anchor = timestamp(Moment::from_secs(anchor_secs)).to_zoned(TimeZone::UTC);
    span.and_then(|span| anchor.checked_add(span)).map_or(Timestamp::MAX.as_second(), |end| end.timestamp().as_second())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secs(text: &str) -> i64 {
        text.parse::<Timestamp>().unwrap().as_second()
    }

    #[test]
    fn a_short_month_does_not_move_the_anchor() {
        let anchor = secs("2026-01-31T10:00:00Z");
        assert_eq!(add_periods(anchor, PeriodUnit::Month, 1), secs("2026-02-28T10:00:00Z"));
        assert_eq!(add_periods(anchor, PeriodUnit::Month, 2), secs("2026-03-31T10:00:00Z"));
        assert_eq!(add_periods(secs("2024-02-29T00:00:00Z"), PeriodUnit::Year, 1), secs("2025-02-28T00:00:00Z"));
    }

    #[test]
    fn instants_are_written_with_three_six_or_nine_digits() {
        let moment = Moment::from_micros(1_767_225_600_000_001);
        assert_eq!(moment.rfc3339_millis(), "2026-01-01T00:00:00.000Z");
        assert_eq!(Moment::from_micros(1_767_225_600_123_999).rfc3339_millis(), "2026-01-01T00:00:00.123Z");
        assert_eq!(moment.rfc3339(), "2026-01-01T00:00:00.000001Z");
        assert_eq!(moment.rfc3339_nanos(7), "2026-01-01T00:00:00.000001007Z");
    }
}
