//! Two times, as two types.
//!
//! *Business time* ([`Timestamp`]) is what periods, trials, grace and gates compare; the sandbox can move it.
//! *Machine time* ([`MachineTime`]) is what signatures, tokens, leases and backoff compare; it never jumps.
//! The compiler keeps them apart.

use std::{
    fmt,
    str::FromStr,
    time::{Duration, SystemTime},
};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

/// Tells both times. The only source of "now" below the command line.
pub trait Clock: Send + Sync + 'static {
    /// Business time.
    fn now(&self) -> Timestamp;
    /// Machine time.
    fn machine_now(&self) -> MachineTime;
}

/// Declares an instant: microseconds since the Unix epoch, UTC.
macro_rules! instant {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(i64);

        impl $name {
            /// From microseconds since the Unix epoch.
            pub const fn from_micros(micros: i64) -> Self {
                Self(micros)
            }

            /// From whole seconds since the Unix epoch; saturates.
            pub const fn from_unix_seconds(seconds: i64) -> Self {
                Self(seconds.saturating_mul(1_000_000))
            }

            /// Microseconds since the Unix epoch.
            pub const fn as_micros(self) -> i64 {
                self.0
            }

            /// Whole seconds since the Unix epoch, rounded down.
            pub const fn as_unix_seconds(self) -> i64 {
                self.0.div_euclid(1_000_000)
            }

            /// Time from `earlier` to `self`; zero when `earlier` is later.
            pub fn since(self, earlier: Self) -> Duration {
                Duration::from_micros(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
            }

            /// The instant `span` later; saturates at the end of time.
            pub fn plus(self, span: Duration) -> Self {
                Self(self.0.saturating_add(i64::try_from(span.as_micros()).unwrap_or(i64::MAX)))
            }

            /// The instant `span` earlier; saturates at the beginning of time.
            pub fn minus(self, span: Duration) -> Self {
                Self(self.0.saturating_sub(i64::try_from(span.as_micros()).unwrap_or(i64::MAX)))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match jiff::Timestamp::from_microsecond(self.0) {
                    Ok(instant) => write!(f, "{instant}"),
                    Err(_) => write!(f, "{}us", self.0),
                }
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl From<SystemTime> for $name {
            /// What the system calls this instant; one before 1970 counts as its first.
            fn from(time: SystemTime) -> Self {
                Self::from_micros(0).plus(time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO))
            }
        }

        impl FromStr for $name {
            type Err = jiff::Error;

            /// Reads RFC 3339; what is finer than a microsecond is cut.
            fn from_str(text: &str) -> Result<Self, jiff::Error> {
                text.parse::<jiff::Timestamp>().map(|instant| Self(instant.as_microsecond()))
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                text.parse().map_err(D::Error::custom)
            }
        }
    };
}

instant! {
    /// An instant of business time. Serialized as RFC 3339.
    Timestamp
}
instant! {
    /// An instant of machine time. Serialized as RFC 3339.
    MachineTime
}

/// A day, the unit that trials and grace are given in.
pub const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// A number of days; saturates.
pub const fn days(count: u32) -> Duration {
    DAY.saturating_mul(count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_and_writes_rfc_3339_with_nanoseconds_cut() {
        let at: Timestamp = "2025-12-09T09:25:02.025330364Z".parse().unwrap();
        assert_eq!(at.to_string(), "2025-12-09T09:25:02.02533Z");
        assert_eq!(serde_json::to_string(&at).unwrap(), "\"2025-12-09T09:25:02.02533Z\"");
        assert_eq!(
            serde_json::from_str::<Timestamp>("\"1970-01-01T00:00:01Z\"").unwrap(),
            Timestamp::from_unix_seconds(1)
        );
    }

    #[test]
    fn an_instant_of_the_system_is_one_of_ours() {
        let later = SystemTime::UNIX_EPOCH + Duration::from_micros(1_765_272_302_025_330);
        assert_eq!(MachineTime::from(later).to_string(), "2025-12-09T09:25:02.02533Z");
        assert_eq!(Timestamp::from(SystemTime::UNIX_EPOCH - DAY), Timestamp::from_micros(0));
    }

    #[test]
    fn arithmetic_saturates_instead_of_wrapping() {
        let end = Timestamp::from_micros(i64::MAX);
        assert_eq!(end.plus(DAY), end);
        assert_eq!(Timestamp::from_micros(0).since(end), Duration::ZERO);
    }
}
