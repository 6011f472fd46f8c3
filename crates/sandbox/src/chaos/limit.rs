//! A limit of requests in a sliding window.

use std::collections::VecDeque;

use crate::moment::Moment;

/// When the places of the window were taken, oldest first.
#[derive(Debug, Default)]
pub(crate) struct Window {
    taken: VecDeque<Moment>,
}

impl Window {
    /// Takes one of `limit` places per `span` seconds, or tells in how many seconds one is free.
    ///
    /// Only who gets a place is counted, so that asking too often does not close the window for good.
    pub(crate) fn take(&mut self, limit: usize, span: i64, now: Moment) -> Result<(), i64> {
        while self.taken.front().is_some_and(|at| at.plus_secs(span) <= now) {
            self.taken.pop_front();
        }
        let Some(blocking) = self.taken.len().checked_sub(limit).and_then(|index| self.taken.get(index)) else {
            self.taken.push_back(now);
            return Ok(());
        };
        let micros = blocking.plus_secs(span).micros().saturating_sub(now.micros());
        Err(micros.saturating_add(999_999).div_euclid(1_000_000).max(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_free_again_when_the_oldest_has_left() {
        let mut window = Window::default();
        let start = Moment::from_secs(1_000);
        assert_eq!(window.take(2, 60, start), Ok(()));
        assert_eq!(window.take(2, 60, start.plus_secs(10)), Ok(()));
        assert_eq!(window.take(2, 60, start.plus_secs(20)), Err(40));
        assert_eq!(window.take(2, 60, Moment::from_micros(1_059_999_999)), Err(1));
        assert_eq!(window.take(2, 60, start.plus_secs(60)), Ok(()));
        assert_eq!(window.take(2, 60, start.plus_secs(60)), Err(10));
        assert_eq!(window.take(1, 60, start.plus_secs(61)), Err(59), "a lower limit waits for more of them");
    }
}
