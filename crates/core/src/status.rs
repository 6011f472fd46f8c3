//! The status of a subscription in our words, and the precedence that decides it.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::snapshot::{Phase, Snapshot};

/// Our status. The spelling is the one the API shows and the database holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Nothing at the provider yet, or it starts later.
    Future,
    /// The first payment is not done.
    Incomplete,
    /// In its trial, also when an end is scheduled.
    InTrial,
    /// Renews.
    Active,
    /// Ends at a known instant.
    NonRenewing,
    /// Overdue, being retried.
    PastDue,
    /// Overdue, retries over.
    Unpaid,
    /// Stopped for a while.
    Paused,
    /// Over.
    Cancelled,
    /// The checkout was abandoned.
    Expired,
}

impl Status {
    /// Every status, for tables and property tests.
    pub const ALL: [Self; 10] = [
        Self::Future,
        Self::Incomplete,
        Self::InTrial,
        Self::Active,
        Self::NonRenewing,
        Self::PastDue,
        Self::Unpaid,
        Self::Paused,
        Self::Cancelled,
        Self::Expired,
    ];

    /// The spelling of API and database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Future => "future",
            Self::Incomplete => "incomplete",
            Self::InTrial => "in_trial",
            Self::Active => "active",
            Self::NonRenewing => "non_renewing",
            Self::PastDue => "past_due",
            Self::Unpaid => "unpaid",
            Self::Paused => "paused",
            Self::Cancelled => "cancelled",
            Self::Expired => "expired",
        }
    }

    /// Whether the provider may still bill for it: a second one in the same group must not be sold.
    pub const fn is_live(self) -> bool {
        match self {
            Self::Incomplete
            | Self::InTrial
            | Self::Active
            | Self::NonRenewing
            | Self::PastDue
            | Self::Unpaid
            | Self::Paused => true,
            Self::Future | Self::Cancelled | Self::Expired => false,
        }
    }

    /// Whether it runs: live, and its first payment is done.
    pub const fn runs(self) -> bool {
        self.is_live() && !matches!(self, Self::Incomplete)
    }

    /// Whether it is over. An expired checkout that turns out to be paid still comes back to life.
    pub const fn is_over(self) -> bool {
        matches!(self, Self::Cancelled | Self::Expired)
    }

    /// Decides the status of what a provider shows.
    ///
    /// Where several hold: ended > paused > unpaid > past due > non-renewing > in trial > active. A trial with a
    /// scheduled end stays `in_trial`: the end shows as `cancelAt`.
    pub fn of(snapshot: &Snapshot) -> Self {
        let dues = snapshot.dues.as_ref();
        match snapshot.phase {
            Phase::Ended => Self::Cancelled,
            Phase::NeverStarted => Self::Expired,
            Phase::Future => Self::Future,
            Phase::Incomplete => Self::Incomplete,
            Phase::Paused => Self::Paused,
            Phase::Trialing => Self::InTrial,
            Phase::Unpaid => Self::Unpaid,
            Phase::PastDue => Self::PastDue,
            Phase::Active if dues.is_some_and(|dues| dues.exhausted) => Self::Unpaid,
            Phase::Active if dues.is_some() => Self::PastDue,
            Phase::Active if snapshot.cancel_at.is_some() => Self::NonRenewing,
            Phase::Active => Self::Active,
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A text that names no status.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a subscription status")]
pub struct NotAStatus(String);

impl FromStr for Status {
    type Err = NotAStatus;

    fn from_str(text: &str) -> Result<Self, NotAStatus> {
        Self::ALL.into_iter().find(|status| status.as_str() == text).ok_or_else(|| NotAStatus(text.to_owned()))
    }
}
