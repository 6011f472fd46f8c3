//! Idempotency keys: the same POST twice is done once.
//!
//! The window is 24 hours of machine time, because it is about retries of requests, not about the calendar. An answer
//! to a request that was never begun (its parameters were refused) is not kept.
//!
//! Source: Stripe API reference, "Idempotent requests".

use std::collections::{HashMap, VecDeque};

use super::{Answer, problem};
use crate::moment::Moment;

const WINDOW_SECONDS: i64 = 24 * 3_600;
/// The longest key, in characters.
const KEY_CHARS: usize = 255;

#[derive(Debug, Default)]
pub(crate) struct Idempotency {
    answers: HashMap<String, Stored>,
    oldest: VecDeque<(Moment, String)>,
}

#[derive(Debug)]
struct Stored {
    request: String,
    answer: Answer,
}

impl Idempotency {
    /// The stored answer for a key, or `None` where the request is to be done.
    pub(crate) fn replay(&mut self, key: &str, request: &str, machine_now: Moment) -> Option<Answer> {
        if key.chars().count() > KEY_CHARS {
            return Some(Answer::refused(&problem::long_key(KEY_CHARS)));
        }
        while let Some((at, key)) = self.oldest.front() {
            if at.plus_secs(WINDOW_SECONDS) > machine_now {
                break;
            }
            self.answers.remove(key);
            self.oldest.pop_front();
        }
        let stored = self.answers.get(key)?;
        if stored.request != request {
            return Some(Answer::refused(&problem::other_parameters(key)));
        }
        Some(Answer { replayed: true, ..stored.answer.clone() })
    }

    /// Remembers what was answered. `request` tells two requests apart: its path and its parameters.
    pub(crate) fn remember(&mut self, key: String, request: String, answer: &Answer, machine_now: Moment) {
        let was_begun = answer.status < 400 || answer.status == 402 || answer.status >= 500;
        if was_begun {
            self.oldest.push_back((machine_now, key.clone()));
            self.answers.insert(key, Stored { request, answer: answer.clone() });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_begun_is_kept_for_a_day() {
        let mut memory = Idempotency::default();
        let start = Moment::from_secs(1_000);
        for status in [200, 402, 500] {
            let key = format!("k{status}");
            memory.remember(key.clone(), "a".into(), &Answer { status, ..Answer::text("{}".into()) }, start);
            assert!(memory.replay(&key, "a", start.plus_secs(86_399)).unwrap().replayed);
            assert_eq!(memory.replay(&key, "b", start).unwrap().status, 400);
        }
        memory.remember("refused".into(), "a".into(), &Answer { status: 400, ..Answer::text("{}".into()) }, start);
        assert_eq!(memory.replay("refused", "b", start), None);
        assert_eq!(memory.replay("k200", "a", start.plus_secs(86_400)), None);
        assert_eq!(memory.replay(&"k".repeat(256), "a", start).unwrap().status, 400);
    }
}
