//! Subscription schedules.
//!
//! Source: Stripe API reference, "Subscription schedules".

use super::{Metadata, ProrationBehavior, words};

words! {
    ScheduleStatus {
        NotStarted = "not_started",
        Active = "active",
        Completed = "completed",
        Released = "released",
        Canceled = "canceled",
    }
}

words! {
    EndBehavior { Release = "release", Cancel = "cancel" }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PhaseItem {
    /// The id of its price.
    pub(crate) price: String,
    pub(crate) quantity: Option<i64>,
    pub(crate) metadata: Metadata,
}

/// One phase: from its start until the next one's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Phase {
    pub(crate) start_date: i64,
    pub(crate) end_date: i64,
    pub(crate) items: Vec<PhaseItem>,
    pub(crate) currency: String,
    pub(crate) proration_behavior: ProrationBehavior,
    pub(crate) trial_end: Option<i64>,
    /// Is merged into the subscription's when the phase begins.
    pub(crate) metadata: Metadata,
    /// `billing_cycle_anchor` is `phase_start`; else `automatic`.
    pub(crate) anchors_at_start: bool,
}

#[derive(Debug, Clone)]
pub(crate) struct Schedule {
    pub(crate) id: String,
    /// The id of its customer.
    pub(crate) customer: String,
    /// The id of its subscription, while it manages one.
    pub(crate) subscription: Option<String>,
    pub(crate) status: ScheduleStatus,
    pub(crate) phases: Vec<Phase>,
    /// Which phase runs, counted from 0.
    pub(crate) current: Option<usize>,
    pub(crate) end_behavior: EndBehavior,
    pub(crate) metadata: Metadata,
    pub(crate) created: i64,
    pub(crate) canceled_at: Option<i64>,
    pub(crate) completed_at: Option<i64>,
    pub(crate) released_at: Option<i64>,
    /// The id of the subscription it gave back.
    pub(crate) released_subscription: Option<String>,
}
