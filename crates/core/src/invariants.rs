//! What must hold of every account, by name: for property tests and `debug_assert!`.

use crate::{
    account::Account,
    catalog::Catalog,
    gate::{self, View},
    status::Status,
    time::Timestamp,
};

/// The names of what does not hold; empty when all is well.
pub fn violations(account: &Account, catalog: &Catalog, now: Timestamp) -> Vec<&'static str> {
    let mut found = Vec::new();
    let mut must = |holds: bool, name: &'static str| {
        if !holds {
            found.push(name);
        }
    };
    for row in &account.subscriptions {
        let over = row.status.is_over();
        must(row.organization_id == account.organization.id, "a row belongs to its account's organization");
        must(!row.status.is_live() || row.provider_subscription_id.is_some(), "a live row names its subscription");
        must(over == row.ended_at.is_some(), "a row has an end exactly when it is over");
        must(!over || row.cancel_at.is_none(), "what is over has no scheduled end");
        must(row.status != Status::NonRenewing || row.cancel_at.is_some(), "a non-renewing row knows its end");
        must(row.trial_start.is_none() || account.organization.had_trial, "a trial is remembered");
        must(row.seats.is_none_or(|seats| seats >= 0), "seats are never negative");
        must(row.grace_until.is_none() || row.dues.is_some(), "grace belongs to dues");
        let open = gate::access(row, catalog.policy(), now).granted;
        must(!open || row.activated_at.is_some(), "an open gate has an instant at which it opened");
        must(!open || row.status.is_live(), "only a live row opens a gate");
    }
    let view = View::of(account);
    let granted = gate::entitlements(&view, catalog, now);
    for feature in catalog.features() {
        let decision = gate::decide(&view, catalog, feature.as_str(), now);
        must(!decision.allowed || granted.features.contains_key(feature), "a gate opens only for what is granted");
    }
    found
}
