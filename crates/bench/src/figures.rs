//! Whole-number arithmetic on what was measured.

use std::time::Duration;

/// How many a second.
pub(crate) fn rate(count: usize, took: Duration) -> u64 {
    let nanos = took.as_nanos().max(1);
    u64::try_from(count as u128 * 1_000_000_000 / nanos).unwrap_or(u64::MAX)
}

/// `part` of `whole` in thousandths.
pub(crate) fn thousandths(part: u64, whole: u64) -> u64 {
    part.saturating_mul(1000) / whole.max(1)
}

pub(crate) fn micros(took: Duration) -> u64 {
    u64::try_from(took.as_micros()).unwrap_or(u64::MAX)
}

/// The value below which so many of a hundred lie; zero of nothing.
pub(crate) fn percentile<T: Copy + Ord + Default>(values: &mut [T], percent: usize) -> T {
    values.sort_unstable();
    let last = values.len().saturating_sub(1);
    values.get((values.len() * percent / 100).min(last)).copied().unwrap_or_default()
}

/// The middle one.
pub(crate) fn median(values: &[u64]) -> u64 {
    percentile(&mut values.to_vec(), 50)
}

/// The smallest and the largest, to show how much rounds differ.
pub(crate) fn spread(values: &[u64]) -> String {
    let (low, high) = (values.iter().min().copied().unwrap_or(0), values.iter().max().copied().unwrap_or(0));
    format!("{low} to {high}")
}
