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
enum Footing {
    Open,
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
        return by_row(view, catalog, now, |row| row.bought.plan.as_ref() == Some(&name), Some(&name));
    }
    if let Some(id) = feature.strip_prefix("price:") {
        let has = |row: &ViewSubscription| {
            row.bought.price_id.as_ref().is_some_and(|price| price.as_str() == id)
                || row.bought.addons.iter().any(|(price, _)| price.as_str() == id)
        };
        return by_row(view, catalog, now, has, None);
    }
    if feature == "subscription" {
        return by_row(view, catalog, now, |_| true, None);
    }
    // What is granted is known; only where nothing is, it must be told apart from what nobody has heard of.
    let known = |decision: Decision| match catalog.feature_kind(feature) {
        Some(_) => decision,
        None => closed(Reason::UnknownFeature, None),
    };
    match footing(view, catalog, now) {
        Footing::Open => {
            let mut grant = None;
            // Who grants it decides, else who has a plan at all, else whoever is open.
            let mut decides: Option<(u8, &ViewSubscription, Access)> = None;
            for (row, access) in open(view, catalog, now) {
                let granted = granted(row, catalog, feature);
                let weight = if granted.is_some() { 2 } else { u8::from(row.bought.plan.is_some()) };
                if decides.is_none_or(|(most, ..)| weight > most) {
                    decides = Some((weight, row, access));
                }
                grant = grant.into_iter().chain(granted).reduce(add);
            }
            let plan = decides.and_then(|(_, row, _)| row.bought.plan.as_ref());
            match (grant, decides) {
                (Some(grant), Some((_, _, access))) => answer(grant, access.reason, plan, access.until),
                _ if open(view, catalog, now).any(|(row, _)| row.bought.plan.is_none()) => {
                    known(closed(Reason::PlanUnknown, None))
                }
                _ => known(closed(Reason::PlanLacksFeature, plan)),
            }
        }
        Footing::Default => {
            let plan = catalog.default_plan();
            match plan.and_then(|plan| lookup(&plan.features, feature)) {
                Some(grant) => answer(grant, Reason::DefaultPlan, plan.map(|plan| &plan.name), None),
                None => known(closed(Reason::NoSubscription, plan.map(|plan| &plan.name))),
            }
        }
        Footing::Closed(reason) => known(closed(reason, None)),
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
        Footing::Open => {
            for (row, _) in open(view, catalog, now) {
                for (features, quantity) in sources(row, catalog) {
                    features.iter().for_each(|(feature, grant)| take(feature, times(*grant, quantity)));
                }
                all.plans.extend(row.bought.plan.clone());
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

/// The rows that give access now.
fn open<'a>(
    view: &'a View,
    catalog: &Catalog,
    now: Timestamp,
) -> impl Iterator<Item = (&'a ViewSubscription, Access)> + Clone {
    let accesses = view.subscriptions.iter().map(move |row| (row, access::of(row, catalog.policy(), now)));
    accesses.filter(|(_, access)| access.granted)
}

fn footing(view: &View, catalog: &Catalog, now: Timestamp) -> Footing {
    let mut blocked = None;
    for row in view.subscriptions.iter() {
        let access = access::of(row, catalog.policy(), now);
        if access.granted {
            return Footing::Open;
        }
        if row.status.is_live() && access.reason != Reason::Ended {
            // A debt or a pause does not turn into the free plan.
            blocked = Some(access.reason);
        }
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
        Footing::Open => {
            let mut rows = open(view, catalog, now);
            match rows.clone().find(|(row, _)| wanted(row)) {
                Some((row, access)) => Decision {
                    allowed: true,
                    reason: access.reason,
                    plan: row.bought.plan.clone(),
                    grant: None,
                    until: access.until,
                },
                None if rows.clone().all(|(row, _)| row.bought.plan.is_none()) => closed(Reason::PlanUnknown, None),
                None => closed(Reason::PlanLacksFeature, rows.next().and_then(|(row, _)| row.bought.plan.as_ref())),
            }
        }
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
    let plan = row.bought.plan.as_ref().and_then(|name| catalog.plan(name)).map(|plan| (&plan.features, 1));
    let addons =
        row.bought.addons.iter().filter_map(|(price, quantity)| match catalog.sold(&row.bought.provider, price) {
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
