//! What a reconciliation found.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicU64, Ordering},
};

use serde::Serialize;
use serde_json::Value;
use tollkeeper_core::{
    ids::{OrganizationId, Provider, SubscriptionId},
    subscription::Subscription,
};
use tollkeeper_store::drift::Drift;

/// Differences that a report shows; all of them are in the ledger.
const SHOWN: usize = 1_000;

/// What was compared, and what differed.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// Things compared: organizations, members, customers, subscriptions.
    pub checked: u64,
    /// Things that are right now and were not.
    pub repaired: u64,
    /// Subscriptions and customers at a provider that belong to nobody here.
    pub strangers: u64,
    /// Things that could not be compared; the log says why.
    pub failed: u64,
    /// Providers that could not be compared to the end, the identity provider as `identity`; the log says why.
    pub not_compared: Vec<String>,
    /// What differed; the first thousand.
    pub drift: Vec<Difference>,
    /// How many differences are not shown.
    pub more: u64,
}

/// One difference.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Difference {
    /// Whose.
    pub organization_id: Option<OrganizationId>,
    /// At which provider.
    pub provider: Provider,
    /// The row, if it is about one.
    pub subscription_id: Option<SubscriptionId>,
    /// Where it comes from: `missed`, `edited`, `ours`, `amount`.
    pub class: &'static str,
    /// What differs.
    pub field: String,
    /// What our row said.
    pub expected: Value,
    /// What the provider says.
    pub found: Value,
    /// Whether our row says the same now.
    pub repaired: bool,
    /// A sentence.
    pub why: String,
}

/// What a run has found so far; several pieces of it write at once.
#[derive(Debug)]
pub(super) struct Findings {
    report: Mutex<Report>,
    checked: Arc<AtomicU64>,
}

impl Findings {
    pub(super) fn watched_by(checked: Arc<AtomicU64>) -> Self {
        Self { report: Mutex::default(), checked }
    }

    pub(super) fn checked(&self, count: usize) {
        self.checked.fetch_add(count as u64, Ordering::Relaxed);
        self.with(|report| report.checked += count as u64);
    }

    pub(super) fn repaired(&self) {
        self.with(|report| report.repaired += 1);
    }

    pub(super) fn stranger(&self) {
        self.with(|report| report.strangers += 1);
    }

    pub(super) fn failed(&self) {
        self.with(|report| report.failed += 1);
    }

    pub(super) fn not_compared(&self, provider: &str) {
        self.with(|report| {
            if report.not_compared.iter().all(|known| known != provider) {
                report.not_compared.push(provider.to_owned());
            }
        });
    }

    pub(super) fn add(&self, found: &[Drift]) {
        self.with(|report| {
            for one in found {
                if report.drift.len() >= SHOWN {
                    report.more += 1;
                    continue;
                }
                report.drift.push(Difference {
                    organization_id: one.organization_id.clone(),
                    provider: one.provider.clone(),
                    subscription_id: one.subscription_id.clone(),
                    class: one.class.as_str(),
                    field: one.field.clone(),
                    expected: one.expected.clone(),
                    found: one.found.clone(),
                    repaired: one.repaired,
                    why: one.why.clone(),
                });
            }
        });
    }

    pub(super) fn report(self) -> Report {
        self.report.into_inner().expect("nobody panics while holding it")
    }

    fn with(&self, change: impl FnOnce(&mut Report)) {
        change(&mut self.report.lock().expect("nobody panics while holding it"));
    }
}

/// What differs between two states of a row in what a provider tells: field, before, after.
pub(super) fn differences(before: Option<&Subscription>, next: &Subscription) -> Vec<(&'static str, Value, Value)> {
    const FIELDS: [&str; 16] = [
        "status",
        "plan",
        "priceId",
        "seats",
        "items",
        "periodStart",
        "periodEnd",
        "trialStart",
        "trialEnd",
        "cancelAt",
        "cancelledAt",
        "endedAt",
        "scheduled",
        "pauseAt",
        "dues",
        "providerCustomerId",
    ];
    let value = |row: &Subscription| serde_json::to_value(row).expect("a row is plain data");
    let (before, next) = (before.map_or(Value::Null, value), value(next));
    let pairs = FIELDS.into_iter().map(|field| (field, before[field].clone(), next[field].clone()));
    pairs.filter(|(_, old, new)| old != new).collect()
}
