//! `subscription_schedule`.

use serde::Deserialize;

use super::{Identified, Metadata, Named, Price, Reference};

/// What a subscription will sell, phase by phase. Source: API reference, "Subscription Schedules".
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Schedule {
    pub(crate) id: String,
    /// `not_started`, `active`, `completed`, `released`, `canceled`.
    pub(crate) status: Option<String>,
    /// The phase that runs, by its dates.
    pub(crate) current_phase: Option<Span>,
    #[serde(default)]
    pub(crate) phases: Vec<Phase>,
}

impl Identified for Schedule {
    fn id(&self) -> &str {
        &self.id
    }
}

/// From when to when.
#[derive(Clone, Copy, Debug, Deserialize)]
pub(crate) struct Span {
    pub(crate) start_date: i64,
    pub(crate) end_date: i64,
}

/// A phase, as far as we read it, and as far as it must be repeated when the schedule is changed.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Phase {
    pub(crate) start_date: i64,
    pub(crate) trial_end: Option<i64>,
    pub(crate) currency: Option<String>,
    #[serde(default)]
    pub(crate) items: Vec<PhaseItem>,
    pub(crate) discounts: Option<Vec<PhaseDiscount>>,
    pub(crate) default_tax_rates: Option<Vec<Reference<Named>>>,
}

/// One line of a phase.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct PhaseItem {
    pub(crate) price: Option<Reference<Price>>,
    pub(crate) quantity: Option<i64>,
    #[serde(default)]
    pub(crate) metadata: Metadata,
    pub(crate) discounts: Option<Vec<PhaseDiscount>>,
    pub(crate) tax_rates: Option<Vec<Reference<Named>>>,
}

/// A discount, by one of three ids.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct PhaseDiscount {
    pub(crate) discount: Option<Reference<Named>>,
    pub(crate) promotion_code: Option<Reference<Named>>,
    pub(crate) coupon: Option<Reference<Named>>,
}
