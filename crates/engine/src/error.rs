//! What can go wrong for a caller of the engine, by what the caller does about it.

use std::borrow::Cow;

use tollkeeper_core::{
    catalog::CatalogProblem,
    ids::{OrganizationId, Provider, ProviderSubscriptionId},
    ports::{AuthError, DecodeError, ErrorKind, ProviderError, VerifyError},
    reduce::ReduceError,
};
use tollkeeper_store::StoreError;

/// A failure of an action of the engine.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Who asks is not proven.
    #[error(transparent)]
    Unauthenticated(#[from] AuthError),
    /// The delivery's sender is not proven.
    #[error(transparent)]
    Unverified(#[from] VerifyError),
    /// Who asks may not do this.
    #[error("{message}")]
    Forbidden {
        /// For programs.
        code: &'static str,
        /// For people.
        message: String,
    },
    /// What was sent is wrong: the caller must change it.
    #[error("{message}")]
    Invalid {
        /// The field, as the caller spelled it; `None` when it is about the whole.
        field: Option<Cow<'static, str>>,
        /// For programs.
        code: &'static str,
        /// For people: what is wrong and what is wanted.
        message: String,
    },
    /// What was named is not there, or is somebody else's.
    #[error("{message}")]
    Unknown {
        /// For programs.
        code: &'static str,
        /// For people.
        message: String,
    },
    /// It cannot be done as things stand.
    #[error("{message}")]
    Conflict {
        /// For programs.
        code: &'static str,
        /// For people.
        message: String,
    },
    /// A change would cost something else than what was shown: here is what it costs now.
    #[error("the change would now cost another amount than previewed")]
    PreviewOutdated(Box<crate::Preview>),
    /// Not now: the same call may succeed later.
    #[error("{message}")]
    Unavailable {
        /// For programs.
        code: &'static str,
        /// For people.
        message: String,
    },
    /// A provider failed.
    #[error(transparent)]
    Provider(#[from] ProviderError),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] tollkeeper_store::Error),
    /// A snapshot belongs to somebody else.
    #[error(transparent)]
    Reduce(#[from] ReduceError),
    /// A delivery cannot be read.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// A hook of the product failed.
    #[error("a hook failed: {0}")]
    Hook(String),
    /// Other writers were faster, again and again.
    #[error("{0} is being written by too many at once")]
    Contended(String),
    /// The provider has no such subscription, and neither have we.
    #[error("{0} has no subscription {1}")]
    NotThere(Provider, ProviderSubscriptionId),
    /// No organization has this id.
    #[error("organization {0} is not known here")]
    UnknownOrganization(OrganizationId),
    /// A row or a delivery names a provider that is not configured.
    #[error("`{0}` is not configured here")]
    NotConfigured(String),
    /// The engine was put together wrongly.
    #[error("the engine cannot be started: {0}")]
    Setup(String),
}

impl Error {
    pub(crate) fn invalid(field: impl Into<Cow<'static, str>>, code: &'static str, message: impl Into<String>) -> Self {
        Self::Invalid { field: Some(field.into()), code, message: message.into() }
    }

    /// Of a request as a whole.
    pub(crate) fn invalid_request(code: &'static str, message: impl Into<String>) -> Self {
        Self::Invalid { field: None, code, message: message.into() }
    }

    pub(crate) fn unknown(code: &'static str, message: impl Into<String>) -> Self {
        Self::Unknown { code, message: message.into() }
    }

    pub(crate) fn unavailable(code: &'static str, message: impl Into<String>) -> Self {
        Self::Unavailable { code, message: message.into() }
    }

    pub(crate) fn conflict(code: &'static str, message: impl Into<String>) -> Self {
        Self::Conflict { code, message: message.into() }
    }

    pub(crate) fn forbidden(code: &'static str, message: impl Into<String>) -> Self {
        Self::Forbidden { code, message: message.into() }
    }

    /// Whether a provider failed in a way that may be over when the same is asked again.
    pub(crate) fn may_pass(&self) -> bool {
        matches!(self, Self::Provider(error) if error.kind.is_retryable())
    }

    /// How long to wait before the same question may be answered: the provider said so, or is away for a moment.
    pub(crate) fn try_again_after(&self) -> Option<std::time::Duration> {
        match self {
            Self::Provider(ProviderError { kind: ErrorKind::Transient | ErrorKind::OutcomeUnknown, .. }) => {
                Some(std::time::Duration::from_millis(500))
            }
            _ => self.throttled(),
        }
    }

    /// Whether the provider asked to wait, and how long.
    pub(crate) fn throttled(&self) -> Option<std::time::Duration> {
        match self {
            Self::Provider(ProviderError { kind: ErrorKind::Throttled(after), .. }) => Some(*after),
            _ => None,
        }
    }
}

impl From<Vec<CatalogProblem>> for Error {
    fn from(problems: Vec<CatalogProblem>) -> Self {
        Self::Setup(problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))
    }
}

impl StoreError for Error {
    fn store_error(&self) -> Option<&tollkeeper_store::Error> {
        match self {
            Self::Store(error) => Some(error),
            _ => None,
        }
    }
}
