//! The setting as the control API reads and writes it.

use std::time::Duration;

use serde_json::{Map, Value, json};

/// The longest delay of deliveries and the longest latency of answers, in milliseconds.
const LONGEST_DELAY_MS: u64 = 600_000;
const LONGEST_LATENCY_MS: u64 = 60_000;
const HIGHEST_LIMIT: u64 = 1_000_000;

/// What is switched on; all zero means nothing. Rates are between 0 and 1.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Setting {
    pub(crate) seed: u64,
    pub(crate) drop_rate: f64,
    pub(crate) duplicate_rate: f64,
    pub(crate) reorder_rate: f64,
    /// How long deliveries are late.
    pub(crate) delay: Duration,
    pub(crate) api_error_rate: f64,
    pub(crate) api_error_after_commit_rate: f64,
    pub(crate) api_latency: Duration,
    /// 0 is no limit.
    pub(crate) api_rate_limit_per_minute: usize,
}

impl Setting {
    /// Reads `{seed, dropRate, …}`; what is missing is 0.
    ///
    /// # Errors
    /// A sentence that names the member that is unknown, of a wrong type or out of range.
    pub(crate) fn read(members: &Map<String, Value>) -> Result<Self, String> {
        let mut setting = Self::default();
        for (name, value) in members {
            if value.is_null() {
                continue;
            }
            match name.as_str() {
                "seed" => setting.seed = whole(name, value, u64::MAX)?,
                "dropRate" => setting.drop_rate = rate(name, value)?,
                "duplicateRate" => setting.duplicate_rate = rate(name, value)?,
                "reorderRate" => setting.reorder_rate = rate(name, value)?,
                "delayMs" => setting.delay = Duration::from_millis(whole(name, value, LONGEST_DELAY_MS)?),
                "apiErrorRate" => setting.api_error_rate = rate(name, value)?,
                "apiErrorAfterCommitRate" => setting.api_error_after_commit_rate = rate(name, value)?,
                "apiLatencyMs" => {
                    setting.api_latency = Duration::from_millis(whole(name, value, LONGEST_LATENCY_MS)?);
                }
                "apiRateLimitPerMinute" => {
                    let limit = whole(name, value, HIGHEST_LIMIT)?;
                    setting.api_rate_limit_per_minute = usize::try_from(limit).unwrap_or(usize::MAX);
                }
                // A misspelled name would otherwise switch off what somebody thinks is on.
                _ => return Err(format!("{name} is not a setting")),
            }
        }
        Ok(setting)
    }

    pub(crate) fn render(&self) -> Value {
        json!({
            "seed": self.seed,
            "dropRate": shown(self.drop_rate),
            "duplicateRate": shown(self.duplicate_rate),
            "reorderRate": shown(self.reorder_rate),
            "delayMs": millis(self.delay),
            "apiErrorRate": shown(self.api_error_rate),
            "apiErrorAfterCommitRate": shown(self.api_error_after_commit_rate),
            "apiLatencyMs": millis(self.api_latency),
            "apiRateLimitPerMinute": self.api_rate_limit_per_minute,
        })
    }

    /// Whether every rate is 0, so that nothing is to be held back any longer.
    pub(crate) fn holds_nothing_back(&self) -> bool {
        let rates = [
            self.drop_rate,
            self.duplicate_rate,
            self.reorder_rate,
            self.api_error_rate,
            self.api_error_after_commit_rate,
        ];
        rates.iter().all(|rate| *rate == 0.0)
    }

    pub(crate) fn is_off(&self) -> bool {
        *self == Self { seed: self.seed, ..Self::default() }
    }
}

fn rate(name: &str, value: &Value) -> Result<f64, String> {
    let rate = value.as_f64().filter(|rate| (0.0..=1.0).contains(rate));
    rate.ok_or_else(|| format!("{name} must be a number between 0 and 1"))
}

fn whole(name: &str, value: &Value, most: u64) -> Result<u64, String> {
    let number = value.as_u64().filter(|number| *number <= most);
    number.ok_or_else(|| format!("{name} must be a whole number between 0 and {most}"))
}

/// A rate as people write it: `0` and `1` rather than `0.0` and `1.0`.
fn shown(rate: f64) -> Value {
    if rate == 0.0 {
        0.into()
    } else if rate == 1.0 {
        1.into()
    } else {
        rate.into()
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
