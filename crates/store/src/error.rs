//! What can go wrong, by what a caller does about it.

use std::sync::Arc;

use crate::dialect::{self, Trouble};

/// Why a store function failed.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Others were in the way, again and again (locks, deadlocks, serialization). Try later.
    #[error("the database is busy")]
    Busy(#[source] Arc<sqlx::Error>),
    /// The database cannot be reached, or is going away. Try later.
    #[error("the database is not available")]
    Unavailable(#[source] Arc<sqlx::Error>),
    /// Too much waits for the database, it did not answer in time, or we stop. Try later.
    #[error("the database has too much to do")]
    Overloaded,
    /// A named constraint refused the write.
    #[error("{0}")]
    Constraint(Constraint),
    /// The address of the database cannot be used.
    #[error("the database address cannot be used: {0}")]
    Address(String),
    /// The schema could not be brought to this version.
    #[error("the database schema could not be migrated")]
    Schema(#[source] Arc<sqlx::migrate::MigrateError>),
    /// A row holds what we never write.
    #[error("{table}.{column} of `{id}` cannot be read: {problem}")]
    Corrupt {
        /// The table.
        table: &'static str,
        /// The column.
        column: &'static str,
        /// The row.
        id: String,
        /// What is wrong with it.
        problem: String,
    },
    /// Everything else: a fault of ours.
    #[error("a database statement failed")]
    Sqlx(#[source] Arc<sqlx::Error>),
}

/// A constraint with a meaning.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Constraint {
    /// The organization has an open checkout in this plan group already.
    OpenCheckout,
    /// An id at a provider belongs to another organization, or to another row of this one.
    ExternalId,
    /// Any other, by its name where the engine tells it.
    Other(String),
}

impl std::fmt::Display for Constraint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::OpenCheckout => f.write_str("the organization has an open checkout in this plan group already"),
            Self::ExternalId => f.write_str("the provider's id belongs to another row already"),
            Self::Other(name) => write!(f, "the constraint `{name}` refused the write"),
        }
    }
}

impl Error {
    /// Whether the database is away or overwhelmed, so that the same call may succeed later (HTTP 503).
    pub const fn is_unavailable(&self) -> bool {
        match self {
            Self::Busy(_) | Self::Unavailable(_) | Self::Overloaded => true,
            Self::Constraint(_) | Self::Address(_) | Self::Schema(_) | Self::Corrupt { .. } | Self::Sqlx(_) => false,
        }
    }

    /// Whether running the transaction again at once may help. Not when a whole acquire timeout was already spent.
    pub(crate) fn is_worth_another_run(&self) -> bool {
        match self {
            Self::Busy(_) => true,
            Self::Unavailable(error) => !matches!(**error, sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed),
            Self::Overloaded
            | Self::Constraint(_)
            | Self::Address(_)
            | Self::Schema(_)
            | Self::Corrupt { .. }
            | Self::Sqlx(_) => false,
        }
    }
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        match dialect::trouble(&error) {
            Trouble::Busy => Self::Busy(Arc::new(error)),
            Trouble::Away => Self::Unavailable(Arc::new(error)),
            Trouble::Constraint(constraint) => Self::Constraint(constraint),
            Trouble::Other => Self::Sqlx(Arc::new(error)),
        }
    }
}

impl From<sqlx::migrate::MigrateError> for Error {
    fn from(error: sqlx::migrate::MigrateError) -> Self {
        match error {
            sqlx::migrate::MigrateError::Execute(error) => Self::from(error),
            sqlx::migrate::MigrateError::ExecuteMigration(ref cause, _)
                if matches!(dialect::trouble(cause), Trouble::Busy | Trouble::Away) =>
            {
                Self::Unavailable(Arc::new(sqlx::Error::Migrate(Box::new(error))))
            }
            other => Self::Schema(Arc::new(other)),
        }
    }
}

/// An error that may have come from the store: [`crate::Db::write`] looks into it to know whether to run again.
///
/// ```
/// # enum AppError { Store(tollkeeper_store::Error), NoSuchPlan }
/// # impl From<tollkeeper_store::Error> for AppError { fn from(e: tollkeeper_store::Error) -> Self { Self::Store(e) } }
/// impl tollkeeper_store::StoreError for AppError {
///     fn store_error(&self) -> Option<&tollkeeper_store::Error> {
///         match self {
///             Self::Store(error) => Some(error),
///             Self::NoSuchPlan => None,
///         }
///     }
/// }
/// ```
pub trait StoreError: From<Error> {
    /// The store's error inside, if it is one.
    fn store_error(&self) -> Option<&Error>;
}

impl StoreError for Error {
    fn store_error(&self) -> Option<&Error> {
        Some(self)
    }
}
