//! What faults hold back: until others were answered, or for a while of machine time, whichever comes first.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

use tokio::time::Instant;

use super::outbox::Provider;

/// Held-back deliveries, by position in the outbox.
#[derive(Debug, Default)]
pub(super) struct Held {
    entries: HashMap<usize, Entry>,
    by_time: BTreeSet<(Instant, usize)>,
    /// By the number of answers of a provider at which a delivery is free.
    by_answers: BTreeSet<(Provider, u64, usize)>,
    answers: BTreeMap<Provider, u64>,
    /// Free to be sent, in the order of their release.
    released: VecDeque<usize>,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    until: Instant,
    /// The provider, and the number of its answers to wait for.
    answers: Option<(Provider, u64)>,
}

impl Held {
    /// Holds a delivery back until `until`, or until `others` more of its provider were answered.
    pub(super) fn hold(&mut self, position: usize, provider: Provider, until: Instant, others: Option<u64>) {
        let answers = others.map(|others| (provider, self.answers.get(&provider).copied().unwrap_or(0) + others));
        self.by_time.insert((until, position));
        if let Some((provider, count)) = answers {
            self.by_answers.insert((provider, count, position));
        }
        self.entries.insert(position, Entry { until, answers });
    }

    /// Counts an answer, and releases who waited for it.
    pub(super) fn answered(&mut self, provider: Provider) {
        let count = self.answers.entry(provider).or_default();
        *count += 1;
        let reached = (provider, *count, usize::MAX);
        while let Some(&(_, _, position)) = self.by_answers.range((provider, 0, 0)..=reached).next() {
            self.remove(position);
            self.released.push_back(position);
        }
    }

    /// Releases everything, oldest first.
    pub(super) fn release_all(&mut self) {
        let mut positions: Vec<usize> = self.entries.keys().copied().collect();
        positions.sort_unstable();
        for position in positions {
            self.remove(position);
            self.released.push_back(position);
        }
    }

    /// Takes one that is free by now.
    pub(super) fn take(&mut self, now: Instant) -> Option<usize> {
        if let Some(position) = self.released.pop_front() {
            return Some(position);
        }
        let &(until, position) = self.by_time.first()?;
        (until <= now).then(|| self.remove(position)).map(|()| position)
    }

    /// Forgets a delivery, wherever it waits.
    pub(super) fn forget(&mut self, position: usize) {
        self.remove(position);
        self.released.retain(|released| *released != position);
    }

    pub(super) fn has_released(&self) -> bool {
        !self.released.is_empty()
    }

    /// When the next one is free by time.
    pub(super) fn next_release(&self) -> Option<Instant> {
        self.by_time.first().map(|(until, _)| *until)
    }

    fn remove(&mut self, position: usize) {
        let Some(entry) = self.entries.remove(&position) else { return };
        self.by_time.remove(&(entry.until, position));
        if let Some((provider, count)) = entry.answers {
            self.by_answers.remove(&(provider, count, position));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn answers_or_time_release_whichever_comes_first() {
        let mut held = Held::default();
        let start = Instant::now();
        let after = |ms| start + Duration::from_millis(ms);
        held.hold(0, Provider::Chargebee, after(300), Some(2));
        held.hold(1, Provider::Chargebee, after(200), Some(9));
        held.hold(2, Provider::Scalekit, after(100), Some(1));
        held.answered(Provider::Chargebee);
        assert_eq!(held.take(start), None);
        held.answered(Provider::Chargebee);
        assert_eq!(held.take(start), Some(0));
        assert_eq!(held.next_release(), Some(after(100)));
        assert_eq!((held.take(after(99)), held.take(after(100))), (None, Some(2)));
        held.hold(3, Provider::Scalekit, after(900), None);
        held.release_all();
        assert_eq!((held.take(start), held.take(start), held.take(after(1_000))), (Some(1), Some(3), None));
        held.answered(Provider::Scalekit);
        assert!(!held.has_released());
    }
}
