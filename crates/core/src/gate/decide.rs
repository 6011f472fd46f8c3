//! The decision.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{
    Reason, View, ViewSubscription,
    access::{self, Access},
};
use crate::{
    catalog::{Catalog, Grant, Sold},
    ids::{FeatureName, PlanName},
    time::Timestamp,
};

/// The answer of a gate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Decision {
    /// Open or closed.
    pub allowed: bool,
    /// Why.
    pub reason: Reason,
    /// The plan that decided.
    pub plan: Option<PlanName>,
    /// What is granted, where the feature is one; an open limit may be unlimited.
    pub grant: Option<Grant>,
    /// The instant at which time alone will close it.
    pub until: Option<Timestamp>,
}

/// Everything an organization may use.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Entitlements {
    /// The plans that grant it, of live subscriptions or by default.
    pub plans: Vec<PlanName>,
    /// Feature by feature; what is not here is not granted.
    pub features: BTreeMap<FeatureName, Grant>,
}

/// Where the answer comes from: the open rows, or the default plan, or nothing.
enum Footing<'a> {
    Open(Vec<(&'a ViewSubscription, Access)>),
    Default,
    Closed(Reason),
}

/// Decides one gate at business time `now`. Total: every view and every name has an answer.
pub fn decide(view: &View, catalog: &Catalog, feature: &str, now: Timestamp) -> Decision {
    if view.deleted {
        return closed(Reason::OrganizationDeleted, None);
    }
    if let Some(name) = feature.strip_prefix("plan:") {
        let name = PlanName::from(name);
        if catalog.plan(&name).is_none() {
            return closed(Reason::UnknownFeature, None);
        }
        return by_row(view, catalog, now, |row| row.plan.as_ref() == Some(&name), Some(&name));
    }
    if let Some(id) = feature.strip_prefix("price:") {
        let has = |row: &ViewSubscription| {
            row.price_id.as_ref().is_some_and(|price| price.as_str() == id)
                || row.addons.iter().any(|(price, _)| price.as_str() == id)
        };
        return by_row(view, catalog, now, has, None);
    }
    if feature == "subscription" {
        return by_row(view, catalog, now, |_| true, None);
    }
    if catalog.feature_kind(feature).is_none() {
        return closed(Reason::UnknownFeature, None);
    }
    match footing(view, catalog, now) {
        Footing::Open(rows) => {
            let grant = rows.iter().filter_map(|(row, _)| granted(row, catalog, feature)).reduce(add);
            let (row, access) = rows
                .iter()
                .find(|(row, _)| granted(row, catalog, feature).is_some())
                .or_else(|| rows.iter().find(|(row, _)| row.plan.is_some()))
                .unwrap_or(&rows[0]);
            match grant {
                Some(grant) => answer(grant, access.reason, row.plan.as_ref(), access.until),
                None if rows.iter().any(|(row, _)| row.plan.is_none()) => closed(Reason::PlanUnknown, None),
                None => closed(Reason::PlanLacksFeature, row.plan.as_ref()),
            }
        }
        Footing::Default => {
            let plan = catalog.default_plan();
            match plan.and_then(|plan| lookup(&plan.features, feature)) {
                Some(grant) => answer(grant, Reason::DefaultPlan, plan.map(|plan| &plan.name), None),
                None => closed(Reason::NoSubscription, plan.map(|plan| &plan.name)),
            }
        }
        Footing::Closed(reason) => closed(reason, None),
    }
}

/// Everything the organization may use at business time `now`.
pub fn entitlements(view: &View, catalog: &Catalog, now: Timestamp) -> Entitlements {
    let mut all = Entitlements::default();
    if view.deleted {
        return all;
    }
    let mut take = |feature: &FeatureName, grant: Grant| {
        let sum = all.features.get(feature).map_or(grant, |held| add(*held, grant));
        all.features.insert(feature.clone(), sum);
    };
    match footing(view, catalog, now) {
        Footing::Open(rows) => {
            for (row, _) in rows {
                for (features, quantity) in sources(row, catalog) {
                    features.iter().for_each(|(feature, grant)| take(feature, times(*grant, quantity)));
                }
                all.plans.extend(row.plan.clone());
            }
        }
        Footing::Default => {
            if let Some(plan) = catalog.default_plan() {
                plan.features.iter().for_each(|(feature, grant)| take(feature, *grant));
                all.plans.push(plan.name.clone());
            }
        }
        Footing::Closed(_) => {}
    }
    all
}

fn footing<'a>(view: &'a View, catalog: &Catalog, now: Timestamp) -> Footing<'a> {
    let mut open = Vec::new();
    let mut blocked = None;
    for row in &view.subscriptions {
        let access = access::of(row, catalog.policy(), now);
        if access.granted {
            open.push((row, access));
        } else if row.status.is_live() && access.reason != Reason::Ended {
            // A debt or a pause does not turn into the free plan.
            blocked = Some(access.reason);
        }
    }
    if !open.is_empty() {
        return Footing::Open(open);
    }
    match blocked {
        Some(reason) => Footing::Closed(reason),
        None if catalog.default_plan().is_some() => Footing::Default,
        None => Footing::Closed(why_closed(view, catalog, now)),
    }
}

/// The reason of the row that explains most: one that is not over before one that is.
fn why_closed(view: &View, catalog: &Catalog, now: Timestamp) -> Reason {
    let row = view.subscriptions.iter().min_by_key(|row| row.status.is_over());
    row.map_or(Reason::NoSubscription, |row| access::of(row, catalog.policy(), now).reason)
}

fn by_row(
    view: &View,
    catalog: &Catalog,
    now: Timestamp,
    wanted: impl Fn(&ViewSubscription) -> bool,
    default: Option<&PlanName>,
) -> Decision {
    match footing(view, catalog, now) {
        Footing::Open(rows) => match rows.iter().find(|(row, _)| wanted(row)) {
            Some((row, access)) => Decision {
                allowed: true,
                reason: access.reason,
                plan: row.plan.clone(),
                grant: None,
                until: access.until,
            },
            None if rows.iter().all(|(row, _)| row.plan.is_none()) => closed(Reason::PlanUnknown, None),
            None => closed(Reason::PlanLacksFeature, rows[0].0.plan.as_ref()),
        },
        Footing::Default => match catalog.default_plan().map(|plan| &plan.name) {
            Some(plan) if Some(plan) == default => Decision {
                allowed: true,
                reason: Reason::DefaultPlan,
                plan: Some(plan.clone()),
                grant: None,
                until: None,
            },
            plan => closed(why_closed(view, catalog, now), plan),
        },
        Footing::Closed(reason) => closed(reason, None),
    }
}

/// What a row grants: its plan once, each add-on as often as it was bought.
fn sources<'a>(
    row: &'a ViewSubscription,
    catalog: &'a Catalog,
) -> impl Iterator<Item = (&'a BTreeMap<FeatureName, Grant>, i64)> {
    let plan = row.plan.as_ref().and_then(|name| catalog.plan(name)).map(|plan| (&plan.features, 1));
    let addons = row.addons.iter().filter_map(|(price, quantity)| match catalog.sold(&row.provider, price) {
        Some(Sold::Addon(addon, _)) => Some((&addon.features, *quantity)),
        Some(Sold::Plan(..)) | None => None,
    });
    plan.into_iter().chain(addons)
}

fn granted(row: &ViewSubscription, catalog: &Catalog, feature: &str) -> Option<Grant> {
    sources(row, catalog)
        .filter_map(|(features, quantity)| lookup(features, feature).map(|grant| times(grant, quantity)))
        .reduce(add)
}

fn lookup(features: &BTreeMap<FeatureName, Grant>, feature: &str) -> Option<Grant> {
    features.get(feature).copied()
}

/// The sum of two grants of one feature; unlimited wins, and sums saturate.
fn add(a: Grant, b: Grant) -> Grant {
    let sum = |a: Option<u64>, b: Option<u64>| a.zip(b).map(|(a, b)| a.saturating_add(b));
    match (a, b) {
        (Grant::Switch, other) | (other, Grant::Switch) => other,
        (Grant::Metered(a), Grant::Metered(b) | Grant::Limit(b)) | (Grant::Limit(a), Grant::Metered(b)) => {
            Grant::Metered(sum(a, b))
        }
        (Grant::Limit(a), Grant::Limit(b)) => Grant::Limit(sum(a, b)),
    }
}

fn times(grant: Grant, quantity: i64) -> Grant {
    let factor = u64::try_from(quantity).unwrap_or(0);
    match grant {
        Grant::Switch => Grant::Switch,
        Grant::Limit(limit) => Grant::Limit(limit.map(|limit| limit.saturating_mul(factor))),
        Grant::Metered(limit) => Grant::Metered(limit.map(|limit| limit.saturating_mul(factor))),
    }
}

fn answer(grant: Grant, reason: Reason, plan: Option<&PlanName>, until: Option<Timestamp>) -> Decision {
    let nothing = matches!(grant, Grant::Limit(Some(0)) | Grant::Metered(Some(0)));
    Decision {
        allowed: !nothing,
        reason: if nothing { Reason::LimitReached } else { reason },
        plan: plan.cloned(),
        grant: Some(grant),
        until,
    }
}

fn closed(reason: Reason, plan: Option<&PlanName>) -> Decision {
    Decision { allowed: false, reason, plan: plan.cloned(), grant: None, until: None }
}
