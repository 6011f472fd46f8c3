//! What the API shows of rows, plans and decisions.

use serde::Serialize;
use serde_json::{Map, Value, json};
use tollkeeper_core::{
    catalog::{Catalog, Grant, Plan},
    gate::{Access, Decision, Reason, access},
    ids::{OrganizationId, PlanName, PriceId, Provider, SubscriptionId},
    snapshot::Item,
    status::Status,
    subscription::{ScheduledChange, Subscription},
    time::Timestamp,
};

use crate::{Error, Tollkeeper};

/// A subscription as the API shows it. Instants are RFC 3339.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the names are the API's own, described in its documentation")]
pub struct SubscriptionView {
    pub id: SubscriptionId,
    pub status: Status,
    pub provider: Provider,
    pub provider_status: Option<String>,
    pub plan: Option<PlanName>,
    /// The same as `plan`, as the cookbooks spell it.
    pub plan_id: Option<PlanName>,
    pub item_price_id: Option<PriceId>,
    pub items: Vec<Item>,
    pub seats: Option<i64>,
    pub trial_start: Option<Timestamp>,
    pub trial_end: Option<Timestamp>,
    pub period_start: Option<Timestamp>,
    pub period_end: Option<Timestamp>,
    pub cancel_at: Option<Timestamp>,
    pub cancel_at_period_end: bool,
    pub cancelled_at: Option<Timestamp>,
    pub ended_at: Option<Timestamp>,
    pub activated_at: Option<Timestamp>,
    pub scheduled_change: Option<ScheduledChange>,
    pub pause_at: Option<Timestamp>,
    /// Whether somebody at the provider has paused the collection of its invoices, while it goes on.
    pub collection_paused: bool,
    /// The subscription that was there first, where this one was paid a second time.
    pub duplicate_of: Option<SubscriptionId>,
    pub limits: Value,
    pub access: Access,
    pub metadata: Value,
}

impl Tollkeeper {
    /// The organization's subscriptions, from the database alone: what is live, or everything.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn subscriptions(&self, id: &OrganizationId, all: bool) -> Result<Vec<SubscriptionView>, Error> {
        let account = self.find_account(id).await?;
        let rows = account.into_iter().flat_map(|account| account.subscriptions);
        Ok(rows.filter(|row| all || row.status.is_live()).map(|row| self.show(&row)).collect())
    }

    pub(crate) fn show(&self, row: &Subscription) -> SubscriptionView {
        let catalog = self.catalog();
        let limits = row.plan.as_ref().and_then(|plan| catalog.plan(plan)).map_or(Value::Null, limits);
        let ends_with_period =
            row.cancel_at.is_some() && (row.cancel_at == row.period_end || row.cancel_at == row.trial_end);
        SubscriptionView {
            id: row.id.clone(),
            status: row.status,
            provider: row.provider.clone(),
            provider_status: row.provider_status.clone(),
            plan: row.plan.clone(),
            plan_id: row.plan.clone(),
            item_price_id: row.price_id.clone(),
            items: row.items.clone(),
            seats: row.seats,
            trial_start: row.trial_start,
            trial_end: row.trial_end,
            period_start: row.period_start,
            period_end: row.period_end,
            cancel_at: row.cancel_at,
            cancel_at_period_end: ends_with_period,
            cancelled_at: row.cancelled_at,
            ended_at: row.ended_at,
            activated_at: row.activated_at,
            scheduled_change: row.scheduled.clone(),
            pause_at: row.pause_at,
            collection_paused: row.collection_paused,
            duplicate_of: row.duplicate_of.clone(),
            limits,
            access: access(row, catalog.policy(), self.now()),
            metadata: row.metadata.clone(),
        }
    }
}

/// The public catalog as one provider sells it: plans, prices by interval and currency, features, add-ons.
pub fn plans_view(catalog: &Catalog, provider: &Provider) -> Value {
    let prices = |prices: &[tollkeeper_core::catalog::Price]| -> Vec<Value> {
        let ours = prices.iter().filter(|price| &price.provider == provider);
        ours.map(|price| {
            json!({
                "itemPriceId": price.id,
                "interval": price.interval.as_str(),
                "currency": price.currency,
                "amount": price.amount,
            })
        })
        .collect()
    };
    let plans: Vec<_> = catalog
        .plans()
        .iter()
        .map(|plan| {
            json!({
                "name": plan.title,
                "plan": plan.name,
                "planId": plan.name,
                "group": plan.group,
                "itemPriceId": plan.prices.iter().find(|price| &price.provider == provider).map(|price| &price.id),
                "prices": prices(&plan.prices),
                "limits": limits(plan),
                "freeTrial": (plan.trial_days > 0).then(|| json!({ "days": plan.trial_days })),
                "default": catalog.default_plan().is_some_and(|default| default.name == plan.name),
            })
        })
        .collect();
    let addons: Vec<_> = catalog
        .addons()
        .iter()
        .map(|addon| {
            let adds = features(addon.features.iter().map(|(name, grant)| (name.as_str(), *grant)));
            json!({ "name": addon.title, "addon": addon.name, "prices": prices(&addon.prices), "limits": adds })
        })
        .collect();
    json!({ "plans": plans, "addons": addons })
}

/// A decision about one feature as the API shows it.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FeatureView<'a> {
    /// Open or closed.
    pub allowed: bool,
    /// Why.
    pub reason: Reason,
    /// The feature, as it was asked for.
    pub feature: &'a str,
    /// The plan that decided.
    pub plan: Option<&'a PlanName>,
    /// A number, or `"unlimited"`; null where the feature has none.
    pub limit: Option<LimitView>,
    /// How much of it is used; null where the product itself counts.
    pub used: Option<u64>,
    /// How much of it is left; null where the product itself counts.
    pub remaining: Option<u64>,
    /// The instant at which time alone will close it.
    pub until: Option<Timestamp>,
}

/// A limit as the API shows it.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(untagged)]
pub enum LimitView {
    /// So many.
    Number(u64),
    /// `"unlimited"`.
    Word(&'static str),
}

/// Shows a decision. Gates do this at every question, so that nothing of it is copied.
pub fn feature_view<'a>(feature: &'a str, decision: &'a Decision) -> FeatureView<'a> {
    let limit = match decision.grant {
        Some(Grant::Limit(limit) | Grant::Metered(limit)) => {
            Some(limit.map_or(LimitView::Word("unlimited"), LimitView::Number))
        }
        Some(Grant::Switch) | None => None,
    };
    FeatureView {
        allowed: decision.allowed,
        reason: decision.reason,
        feature,
        plan: decision.plan.as_ref(),
        limit,
        used: None,
        remaining: None,
        until: decision.until,
    }
}

/// What is granted: `true`, a number, or `"unlimited"`.
pub fn grant_view(grant: Grant) -> Value {
    match grant {
        Grant::Switch => json!(true),
        Grant::Limit(Some(limit)) | Grant::Metered(Some(limit)) => json!(limit),
        Grant::Limit(None) | Grant::Metered(None) => json!("unlimited"),
    }
}

fn limits(plan: &Plan) -> Value {
    let mut all = features(plan.features.iter().map(|(name, grant)| (name.as_str(), *grant)));
    if let (Value::Object(fields), Some(seats)) = (&mut all, plan.seats) {
        fields.insert("seats".into(), json!(seats));
    }
    all
}

fn features<'a>(grants: impl Iterator<Item = (&'a str, Grant)>) -> Value {
    let fields: Map<_, _> = grants.map(|(name, grant)| (name.to_owned(), grant_view(grant))).collect();
    Value::Object(fields)
}
