//! The question "may this organization use this feature?" and its answer with a reason.
//!
//! [`View`] is what a gate keeps in memory of one organization. [`decide()`] is a pure function of it, the catalog and
//! business time; it closes on everything that is unknown.

mod access;
mod decide;
mod view;

pub use access::{Access, access};
pub use decide::{Decision, Entitlements, decide, entitlements};
pub use view::{Bought, Rows, View, ViewSubscription};

use serde::{Deserialize, Serialize};

/// Why a gate answered as it did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// Open: the subscription renews.
    Active,
    /// Open: in the trial.
    InTrial,
    /// Open until the scheduled end.
    NonRenewing,
    /// Open until the grace ends, although a payment failed.
    PastDueGrace,
    /// Open although paused, by policy.
    PausedAccess,
    /// Open: everybody without a live subscription has this plan.
    DefaultPlan,
    /// Closed: a payment failed and the grace is over.
    PastDue,
    /// Closed: the provider stopped asking for payment.
    Unpaid,
    /// Closed: paused.
    Paused,
    /// Closed: somebody paused the collection at the provider, by policy.
    CollectionPaused,
    /// Closed: cancelled.
    Cancelled,
    /// Closed: the scheduled end has passed.
    Ended,
    /// Closed: the checkout was abandoned.
    Expired,
    /// Closed: the checkout is not finished, or the start lies ahead.
    NotStarted,
    /// Closed: the first payment is not done.
    Incomplete,
    /// Closed: no subscription at all.
    NoSubscription,
    /// Closed: there is a subscription, but its price is not in the catalog.
    PlanUnknown,
    /// Closed: the plan does not have this feature.
    PlanLacksFeature,
    /// Closed: the plan has none of it, or all of it is used.
    LimitReached,
    /// Closed: nobody ever heard of this feature.
    UnknownFeature,
    /// Closed: the organization was deleted.
    OrganizationDeleted,
}

impl Reason {
    /// Every reason.
    pub const ALL: [Self; 21] = [
        Self::Active,
        Self::InTrial,
        Self::NonRenewing,
        Self::PastDueGrace,
        Self::PausedAccess,
        Self::DefaultPlan,
        Self::PastDue,
        Self::Unpaid,
        Self::Paused,
        Self::CollectionPaused,
        Self::Cancelled,
        Self::Ended,
        Self::Expired,
        Self::NotStarted,
        Self::Incomplete,
        Self::NoSubscription,
        Self::PlanUnknown,
        Self::PlanLacksFeature,
        Self::LimitReached,
        Self::UnknownFeature,
        Self::OrganizationDeleted,
    ];

    /// The spelling of API and logs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::InTrial => "in_trial",
            Self::NonRenewing => "non_renewing",
            Self::PastDueGrace => "past_due_grace",
            Self::PausedAccess => "paused_access",
            Self::DefaultPlan => "default_plan",
            Self::PastDue => "past_due",
            Self::Unpaid => "unpaid",
            Self::Paused => "paused",
            Self::CollectionPaused => "collection_paused",
            Self::Cancelled => "cancelled",
            Self::Ended => "ended",
            Self::Expired => "expired",
            Self::NotStarted => "not_started",
            Self::Incomplete => "incomplete",
            Self::NoSubscription => "no_subscription",
            Self::PlanUnknown => "plan_unknown",
            Self::PlanLacksFeature => "plan_lacks_feature",
            Self::LimitReached => "limit_reached",
            Self::UnknownFeature => "unknown_feature",
            Self::OrganizationDeleted => "organization_deleted",
        }
    }
}
