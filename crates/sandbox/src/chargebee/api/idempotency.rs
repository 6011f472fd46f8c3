//! Idempotency keys: the same POST twice is done once.
//!
//! The window is 30 minutes of machine time, because it is about retries of requests, not about the calendar.
//! The same key with other parameters is refused with `invalid_request`; what the provider answers there is not
//! documented.
//!
//! Source: Chargebee API docs, "Idempotency".

use std::collections::{HashMap, VecDeque};

use super::Answer;
use crate::chargebee::refusal::Refusal;
use crate::moment::Moment;

const WINDOW_SECONDS: i64 = 30 * 60;
/// The longest key, in characters.
const KEY_CHARS: usize = 100;

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
            let message = format!("The idempotency key has more than {KEY_CHARS} characters.");
            return Some(Answer::refused(&Refusal::invalid_request(message)));
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
            let message = "The idempotency key was used with other parameters.";
            return Some(Answer::refused(&Refusal::invalid_request(message)));
        }
        Some(Answer { replayed: true, ..stored.answer.clone() })
    }

    /// Remembers what was answered. `request` tells two requests apart: its path and its body.
    pub(crate) fn remember(&mut self, key: String, request: String, answer: Answer, machine_now: Moment) {
        self.oldest.push_back((machine_now, key.clone()));
        self.answers.insert(key, Stored { request, answer });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_forgotten_after_its_window() {
        let mut memory = Idempotency::default();
        let start = Moment::from_secs(1_000);
        let done = Answer::text("{}".into());
        assert_eq!(memory.replay("k", "a", start), None);
        memory.remember("k".into(), "a".into(), done.clone(), start);
        assert!(memory.replay("k", "a", start.plus_secs(1_799)).unwrap().replayed);
        assert_eq!(memory.replay("k", "b", start).unwrap().status, 400);
        assert_eq!(memory.replay("k", "a", start.plus_secs(1_800)), None);
    }
}
