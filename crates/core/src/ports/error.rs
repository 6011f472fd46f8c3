//! Failures of calls to a provider, by what a caller would do differently.

use std::{fmt, time::Duration};

use crate::ids::Source;

/// What a failure means for the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// It is not there.
    NotFound,
    /// It is in a state that forbids this, or exists already: read it again.
    Conflict,
    /// The payment was refused.
    Declined,
    /// Too many requests: try again after this long.
    Throttled(Duration),
    /// Nothing was done; try again later.
    Transient,
    /// It may or may not have been done: look before repeating.
    OutcomeUnknown,
    /// The request itself is wrong; repeating it cannot help.
    Rejected,
}

impl ErrorKind {
    /// Whether the same request may succeed later without anybody changing anything.
    pub const fn is_retryable(self) -> bool {
        matches!(self, Self::Throttled(_) | Self::Transient | Self::OutcomeUnknown)
    }
}

/// A failed call to a provider.
#[derive(Debug)]
pub struct ProviderError {
    /// What it means.
    pub kind: ErrorKind,
    /// Who failed.
    pub source_name: Source,
    /// What was being done (`create customer`).
    pub operation: &'static str,
    /// The provider's own code (`duplicate_entry`, `no_applicable_gateway`), where it gave one.
    pub code: Option<String>,
    /// The provider's words for developers, or ours where it gave none. Never shown to customers, never with a secret.
    pub message: String,
    /// The provider's id of the request.
    pub request_id: Option<String>,
    /// What caused it.
    pub cause: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl fmt::Display for ProviderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} failed", self.source_name, self.operation)?;
        if let Some(code) = &self.code {
            write!(f, " with {code}")?;
        }
        write!(f, ": {}", self.message)
    }
}

impl std::error::Error for ProviderError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.cause.as_deref().map(|cause| cause as _)
    }
}
