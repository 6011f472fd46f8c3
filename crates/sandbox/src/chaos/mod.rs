//! Faults that can be switched on: what becomes of deliveries, and of requests to the billing APIs.
//!
//! A fate is drawn once, from a stream that starts at the seed and belongs to one provider and one side of it: the same
//! seed and the same calls meet the same faults, whatever another provider does. Every decision takes the same number
//! of draws whatever the rates are, so that changing one rate does not shuffle the others.
//!
//! Rates and limits are about the wire, so everything here is machine time.

mod limit;
mod setting;

use std::collections::BTreeMap;
use std::time::Duration;

use crate::deliveries::outbox::Provider;
use crate::ids::Ids;
use crate::moment::Moment;
use limit::Window;
pub(crate) use setting::Setting;

/// A held-back delivery waits for at most so many others of its provider.
const MOST_OVERTAKING: u64 = 4;
/// The shortest and the longest time that a delivery is held back, in milliseconds.
const HELD_MS: (u64, u64) = (50, 300);

/// What Stripe lets in within a second while a limit is switched on.
///
/// Source: Stripe docs, "Rate limits": 25 requests a second for a sandbox.
const STRIPE_PER_SECOND: usize = 25;

/// What is switched on, and how far its decisions have come.
#[derive(Debug, Default)]
pub(crate) struct Chaos {
    setting: Setting,
    sides: BTreeMap<Provider, Side>,
}

#[derive(Debug)]
struct Side {
    deliveries: Ids,
    requests: Ids,
    window: Window,
    /// The window of one second, where the provider has one.
    second: Window,
}

/// What will become of a delivery.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Fate {
    /// It never arrives.
    pub(crate) dropped: bool,
    /// Its first acknowledgement is lost, so that it is sent again after this.
    pub(crate) repeat: Option<Hold>,
    /// Others overtake it.
    pub(crate) overtaken: Option<Hold>,
}

/// How long something is held back: until a few others were answered, and not longer than `at_most`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Hold {
    pub(crate) others: u64,
    pub(crate) at_most: Duration,
}

/// What happens to a request instead of an honest answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Too many requests; the next place is free in so many seconds.
    RateLimited { retry_after: i64 },
    /// Nothing is done. `passing` tells a server that is busy from one that failed.
    Error { passing: bool },
    /// The work is done, and the answer is an error.
    ErrorAfterCommit,
}

impl Fault {
    /// Its name in the log of requests.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Fault::RateLimited { .. } => "rate_limited",
            Fault::Error { .. } => "error",
            Fault::ErrorAfterCommit => "error_after_commit",
        }
    }
}

impl Chaos {
    /// Starts anew: every stream at the seed, every rate limit with nothing counted.
    pub(crate) fn new(setting: Setting) -> Self {
        Self { setting, sides: BTreeMap::new() }
    }

    pub(crate) fn setting(&self) -> &Setting {
        &self.setting
    }

    fn side(&mut self, provider: Provider) -> &mut Side {
        let seed = self.setting.seed;
        self.sides.entry(provider).or_insert_with(|| {
            let stream = |salt: u64| Ids::new(seed.wrapping_mul(0x2545_f491_4f6c_dd1d).wrapping_add(salt));
            let salt = provider.salt();
            Side {
                deliveries: stream(2 * salt),
                requests: stream(2 * salt + 1),
                window: Window::default(),
                second: Window::default(),
            }
        })
    }

    /// The fate of a new delivery.
    pub(crate) fn fate(&mut self, provider: Provider) -> Fate {
        let Setting { drop_rate, duplicate_rate, reorder_rate, .. } = self.setting;
        let draws = &mut self.side(provider).deliveries;
        let dropped = draws.happens(drop_rate);
        let mut held = |rate| {
            let (shortest, longest) = HELD_MS;
            let (happens, others, ms) =
                (draws.happens(rate), 1 + draws.below(MOST_OVERTAKING), shortest + draws.below(longest - shortest));
            happens.then_some(Hold { others, at_most: Duration::from_millis(ms) })
        };
        let (repeat, overtaken) = (held(duplicate_rate), held(reorder_rate));
        Fate { dropped, repeat, overtaken }
    }

    /// The fate of a request that was let in.
    pub(crate) fn fault(&mut self, provider: Provider, machine_now: Moment) -> Option<Fault> {
        let Setting { api_error_rate, api_error_after_commit_rate, api_rate_limit_per_minute, .. } = self.setting;
        let Side { requests, window, second, .. } = self.side(provider);
        let (error, passing, after_commit) =
            (requests.happens(api_error_rate), requests.happens(0.5), requests.happens(api_error_after_commit_rate));
        if api_rate_limit_per_minute > 0 {
            let in_second = match provider {
                Provider::Stripe => second.take(STRIPE_PER_SECOND, 1, machine_now),
                Provider::Chargebee | Provider::Scalekit => Ok(()),
            };
            let taken = in_second.and_then(|()| window.take(api_rate_limit_per_minute, 60, machine_now));
            if let Err(retry_after) = taken {
                return Some(Fault::RateLimited { retry_after });
            }
        }
        if error {
            return Some(Fault::Error { passing });
        }
        after_commit.then_some(Fault::ErrorAfterCommit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn setting(text: &str) -> Setting {
        Setting::read(&serde_json::from_str(text).unwrap()).unwrap()
    }

    fn fates(text: &str) -> Vec<Fate> {
        let mut chaos = Chaos::new(setting(text));
        (0..200).map(|_| chaos.fate(Provider::Chargebee)).collect()
    }

    #[test]
    fn the_same_seed_gives_the_same_fates() {
        let mixed = r#"{"seed":7,"dropRate":0.2,"duplicateRate":0.3,"reorderRate":0.4}"#;
        assert_eq!(fates(mixed), fates(mixed));
        assert_ne!(fates(mixed), fates(&mixed.replace('7', "8")));
    }

    #[test]
    fn one_rate_leaves_the_other_fates_alone() {
        let duplicated = |text: &str| fates(text).iter().map(|fate| fate.repeat).collect::<Vec<_>>();
        let alone = duplicated(r#"{"seed":7,"duplicateRate":0.3}"#);
        assert!(alone.iter().any(Option::is_some));
        assert_eq!(alone, duplicated(r#"{"seed":7,"dropRate":0.5,"duplicateRate":0.3,"reorderRate":1}"#));
    }

    #[test]
    fn one_provider_does_not_move_another_ones_fates() {
        let mixed = setting(r#"{"seed":7,"dropRate":0.5}"#);
        let (mut one, mut two) = (Chaos::new(mixed), Chaos::new(mixed));
        for _ in 0..50 {
            two.fate(Provider::Scalekit);
            assert_eq!(one.fate(Provider::Chargebee), two.fate(Provider::Chargebee));
        }
    }
}
