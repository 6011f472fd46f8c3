//! Rates, one bucket for each of many: organizations, persons, addresses.
//!
//! A bucket is one instant: when it will be full again. Taking from it moves that instant; one that lies further ahead
//! than the burst allows must be waited for. A full bucket is the same as none, so that forgetting it costs nothing.

use std::{
    borrow::Borrow,
    collections::HashMap,
    hash::Hash,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::time::Instant;

use crate::limits::Rate;

/// Buckets that are remembered at most. When more than this are in use at once, all begin anew: what they protect has
/// limits of its own, and memory has not.
const MOST: usize = 20_000;

pub(crate) struct Buckets<K> {
    cost: Duration,
    depth: Duration,
    full_at: Mutex<HashMap<K, Instant>>,
    in_use: AtomicBool,
}

impl<K: Eq + Hash> Buckets<K> {
    pub(crate) fn new(rate: Rate) -> Self {
        let cost = Duration::from_secs(60).checked_div(rate.per_minute).unwrap_or_default();
        Self { cost, depth: cost * rate.burst.max(1), full_at: Mutex::default(), in_use: AtomicBool::new(false) }
    }

    /// Takes one, and says how long to wait for it, which is not longer than `patience`.
    ///
    /// # Errors
    /// How long one would have to wait; nothing was taken.
    pub(crate) fn take(&self, key: K, now: Instant, patience: Duration) -> Result<Duration, Duration> {
        let mut all = self.full_at.lock().unwrap_or_else(PoisonError::into_inner);
        let full_at = all.get(&key).map_or(now, |at| (*at).max(now)) + self.cost;
        let wait = (full_at - now).saturating_sub(self.depth);
        if wait > patience {
            return Err(wait);
        }
        if all.len() >= MOST {
            all.retain(|_, at| *at > now);
        }
        if all.len() >= MOST {
            all.clear();
        }
        all.insert(key, full_at);
        self.in_use.store(true, Ordering::Relaxed);
        Ok(wait)
    }

    /// Puts one back that was taken for nothing.
    pub(crate) fn give_back<Q: Eq + Hash + ?Sized>(&self, key: &Q)
    where
        K: Borrow<Q>,
    {
        let mut all = self.full_at.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(earlier) = all.get_mut(key)
            && let Some(at) = earlier.checked_sub(self.cost)
        {
            *earlier = at;
        }
    }

    /// Whether one more would have to wait. Cheap while nobody ever took anything.
    pub(crate) fn is_empty<Q: Eq + Hash + ?Sized>(&self, key: &Q, now: Instant) -> bool
    where
        K: Borrow<Q>,
    {
        if !self.in_use.load(Ordering::Relaxed) {
            return false;
        }
        let all = self.full_at.lock().unwrap_or_else(PoisonError::into_inner);
        all.get(key).is_some_and(|at| *at + self.cost > now + self.depth)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn buckets() -> Buckets<u32> {
        Buckets::new(Rate { per_minute: 60, burst: 3 })
    }

    #[test]
    fn a_burst_passes_and_then_one_a_second() {
        let (buckets, now) = (buckets(), Instant::now());
        for _ in 0..3 {
            assert!(!buckets.is_empty(&1, now));
            assert_eq!(buckets.take(1, now, Duration::ZERO), Ok(Duration::ZERO));
        }
        assert!(buckets.is_empty(&1, now));
        assert_eq!(buckets.take(1, now, Duration::ZERO), Err(Duration::from_secs(1)));
        assert_eq!(buckets.take(2, now, Duration::ZERO), Ok(Duration::ZERO), "others have their own");
        let later = now + Duration::from_secs(1);
        assert_eq!(buckets.take(1, later, Duration::ZERO), Ok(Duration::ZERO));
        assert_eq!(buckets.take(1, later, Duration::ZERO), Err(Duration::from_secs(1)));
    }

    #[test]
    fn who_can_wait_stands_in_line() {
        let (buckets, now) = (buckets(), Instant::now());
        let patience = Duration::from_secs(2);
        let waits: Vec<_> = (0..6).map(|_| buckets.take(1, now, patience).map(|wait| wait.as_secs())).collect();
        assert_eq!(waits, [Ok(0), Ok(0), Ok(0), Ok(1), Ok(2), Err(Duration::from_secs(3))]);
    }

    #[test]
    fn what_is_given_back_can_be_taken_again() {
        let (buckets, now) = (buckets(), Instant::now());
        for _ in 0..100 {
            buckets.take(1, now, Duration::ZERO).unwrap();
            buckets.give_back(&1);
        }
        for _ in 0..3 {
            buckets.take(1, now, Duration::ZERO).unwrap();
        }
        assert!(buckets.take(1, now, Duration::ZERO).is_err());
    }

    #[test]
    fn without_a_rate_nobody_waits() {
        let buckets = Buckets::new(Rate { per_minute: 0, burst: 0 });
        let now = Instant::now();
        assert!((0..1000).all(|_| buckets.take(1, now, Duration::ZERO) == Ok(Duration::ZERO)));
    }

    #[test]
    fn memory_is_bounded() {
        let (buckets, now) = (buckets(), Instant::now());
        let len = |buckets: &Buckets<u32>| buckets.full_at.lock().unwrap().len();
        let first = u32::try_from(MOST).unwrap();
        for key in 0..first {
            buckets.take(key, now, Duration::ZERO).unwrap();
        }
        assert_eq!(len(&buckets), MOST);
        // What is full again goes first; what is in use at once is forgotten when there is too much of it.
        let later = now + Duration::from_secs(2);
        buckets.take(first, later, Duration::ZERO).unwrap();
        assert_eq!(len(&buckets), 1);
        for key in 0..2 * first {
            buckets.take(key, later, Duration::ZERO).unwrap();
        }
        assert!(len(&buckets) <= MOST);
    }
}
