//! Everything that is wrong with a configuration, told at once.

use std::{cell::RefCell, fmt};

/// Collects problems while the configuration is read, so that one message can name them all.
#[derive(Debug, Default)]
pub(crate) struct Problems(RefCell<Vec<String>>);

impl Problems {
    /// Notes that `setting` is wrong. `what` says what was found and what is wanted, never a secret.
    pub(crate) fn add(&self, setting: impl fmt::Display, what: impl fmt::Display) {
        self.0.borrow_mut().push(format!("{setting}: {what}"));
    }

    /// The value, if nothing was wrong.
    pub(crate) fn finish<T>(self, value: impl FnOnce() -> T) -> Result<T, BadConfig> {
        let mut problems: Vec<String> = Vec::new();
        for problem in self.0.into_inner() {
            if !problems.contains(&problem) {
                problems.push(problem);
            }
        }
        if problems.is_empty() { Ok(value()) } else { Err(BadConfig(problems)) }
    }
}

/// A configuration that stops the start.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct BadConfig(pub(crate) Vec<String>);

impl fmt::Display for BadConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.0.len();
        write!(f, "the configuration has {count} problem{}:", if count == 1 { "" } else { "s" })?;
        self.0.iter().try_for_each(|problem| write!(f, "\n  - {problem}"))
    }
}

impl std::error::Error for BadConfig {}
