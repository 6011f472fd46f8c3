//! What can be wrong with a configuration.

/// A setting that cannot be used. Names the setting and says what is wanted; never shows a secret's value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{setting}: {problem}")]
pub struct ConfigError {
    /// The field of the configuration struct (`webhook_secrets[1]`).
    pub setting: String,
    /// What was found and what is wanted.
    pub problem: String,
}

impl ConfigError {
    pub(crate) fn new(setting: impl Into<String>, problem: impl Into<String>) -> Self {
        Self { setting: setting.into(), problem: problem.into() }
    }
}
