//! What is sold: plans, prices, add-ons and features; and the policy that goes with them.

use std::{
    collections::{BTreeMap, HashMap},
    time::Duration,
};

use serde::{Deserialize, Serialize};

use crate::{
    ids::{AddonName, FeatureName, PlanName, PriceId, Provider},
    money::Currency,
    snapshot::ItemType,
    time::days,
};

/// The group of a plan that names none.
pub const DEFAULT_GROUP: &str = "default";

/// No feature is called so: the address of all entitlements at once, `/api/entitlements/snapshot`, will be this.
pub const SNAPSHOT: &str = "snapshot";

/// What a plan grants of one feature.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Grant {
    /// Yes.
    Switch,
    /// Up to so many; `None` is unlimited.
    Limit(Option<u64>),
    /// Counted as it is used, up to so many in a period; `None` is unlimited.
    Metered(Option<u64>),
}

/// How often a price is charged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Interval {
    /// Every month.
    Month,
    /// Every year.
    Year,
    /// Once.
    Once,
}

impl Interval {
    /// Every interval.
    pub const ALL: [Self; 3] = [Self::Month, Self::Year, Self::Once];

    /// The word of API and configuration.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Month => "month",
            Self::Year => "year",
            Self::Once => "once",
        }
    }

    /// The interval of this word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|interval| interval.as_str() == word)
    }
}

/// One price at one provider, in one currency.
///
/// A provider may sell one id in several currencies: the id is then listed once for each of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Price {
    /// The id at the provider.
    pub id: PriceId,
    /// The provider.
    pub provider: Provider,
    /// How often it is charged.
    pub interval: Interval,
    /// In which currency.
    pub currency: Currency,
    /// Minor units for one (per seat, or in all where seats do not count), for display and to tell up from down.
    pub amount: i64,
    /// Whether the amount is charged for every seat.
    pub per_seat: bool,
}

/// One plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Plan {
    /// Its name.
    pub name: PlanName,
    /// As people read it.
    pub title: String,
    /// An organization has at most one live subscription per group.
    pub group: String,
    /// Raised when what it grants changes. Recorded with each subscription; every subscriber has the newest so far.
    pub version: i64,
    /// What it grants.
    pub features: BTreeMap<FeatureName, Grant>,
    /// The most seats that may be bought; `None` is unlimited.
    pub seats: Option<u64>,
    /// Length of the trial in days; 0 is none.
    pub trial_days: u32,
    /// Credits granted per period, as the plan says; nothing counts them yet.
    pub credits: Option<u64>,
    /// Its prices; a plan without any is free.
    pub prices: Vec<Price>,
    /// Overrides the policy's grace.
    pub past_due_grace: Option<Grace>,
}

impl Plan {
    /// The price of one interval and currency at a provider.
    pub fn price(&self, provider: &Provider, interval: Interval, currency: Currency) -> Option<&Price> {
        let mut prices = self.prices.iter().filter(|price| price.provider == *provider);
        prices.find(|price| price.interval == interval && price.currency == currency)
    }

    /// A free plan that grants nothing yet, without a trial or a limit of seats. To be filled in:
    /// `Plan { seats: Some(5), ..Plan::new("starter") }`.
    pub fn new(name: &str) -> Self {
        Self {
            name: name.into(),
            title: name.to_owned(),
            group: DEFAULT_GROUP.to_owned(),
            version: 1,
            features: BTreeMap::new(),
            seats: None,
            trial_days: 0,
            credits: None,
            prices: Vec::new(),
            past_due_grace: None,
        }
    }
}

/// One add-on, or a thing sold once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Addon {
    /// Its name.
    pub name: AddonName,
    /// As people read it.
    pub title: String,
    /// Recurring, or once.
    pub item_type: ItemType,
    /// What one of it adds to limits, or switches on.
    pub features: BTreeMap<FeatureName, Grant>,
    /// Its prices.
    pub prices: Vec<Price>,
}

/// How long the gate stays open after a payment failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Grace {
    /// To the end of the period that was current when the dues began.
    PeriodEnd,
    /// For so long after the dues began.
    For(Duration),
    /// Not at all.
    None,
}

/// What applies to every plan that does not say otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Grace after a failed payment.
    pub past_due_grace: Grace,
    /// Whether a paused subscription keeps its gate open.
    pub paused_access: bool,
    /// Whether gates stay open while somebody at the provider has paused the collection of a subscription that goes on.
    pub collection_paused_access: bool,
    /// How long before its end a trial's end is announced.
    pub trial_reminder: Duration,
    /// The attempt from which a failed payment counts as the last one, whatever the provider still plans.
    pub final_attempt: u32,
    /// What becomes of the later of two subscriptions that were both paid.
    pub duplicates: Duplicates,
}

/// What becomes of the later of two live subscriptions of one group.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Duplicates {
    /// Both stay; the product is told.
    #[default]
    Keep,
    /// The later one is cancelled at once and credited.
    CancelLater,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            past_due_grace: Grace::PeriodEnd,
            paused_access: false,
            collection_paused_access: true,
            trial_reminder: days(3),
            final_attempt: 3,
            duplicates: Duplicates::Keep,
        }
    }
}

/// What a price id sells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sold<'a> {
    /// A plan.
    Plan(&'a Plan, &'a Price),
    /// An add-on or a one-time thing.
    Addon(&'a Addon, &'a Price),
}

impl<'a> Sold<'a> {
    /// The price, whatever it sells.
    pub const fn price(&self) -> &'a Price {
        match self {
            Self::Plan(_, price) | Self::Addon(_, price) => price,
        }
    }
}

/// The whole catalog, checked.
#[derive(Clone, Debug, Default)]
pub struct Catalog {
    plans: Vec<Plan>,
    addons: Vec<Addon>,
    default_plan: Option<PlanName>,
    policy: Policy,
    /// One place for each currency, in the order of the configuration; never empty.
    by_price: HashMap<(Provider, PriceId), Vec<Place>>,
    kinds: HashMap<FeatureName, &'static str>,
}

#[derive(Clone, Copy, Debug)]
enum Place {
    Plan(usize, usize),
    Addon(usize, usize),
}

impl Place {
    /// What is sold here.
    fn sold<'a>(self, plans: &'a [Plan], addons: &'a [Addon]) -> Sold<'a> {
        match self {
            Self::Plan(plan, price) => Sold::Plan(&plans[plan], &plans[plan].prices[price]),
            Self::Addon(addon, price) => Sold::Addon(&addons[addon], &addons[addon].prices[price]),
        }
    }

    /// Whether both are prices of one plan, or of one add-on.
    const fn is_beside(self, other: Self) -> bool {
        match (self, other) {
            (Self::Plan(one, _), Self::Plan(two, _)) | (Self::Addon(one, _), Self::Addon(two, _)) => one == two,
            (Self::Plan(..), Self::Addon(..)) | (Self::Addon(..), Self::Plan(..)) => false,
        }
    }
}

/// One thing that is wrong with a catalog.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{path}: {problem}")]
pub struct CatalogProblem {
    /// Where, as a path into the configuration (`plans.growth.prices[0].id`).
    pub path: String,
    /// What is wrong and what is wanted.
    pub problem: String,
}

impl Catalog {
    /// Checks a catalog as a whole.
    ///
    /// # Errors
    /// Everything that is wrong with it, all at once.
    pub fn new(
        plans: Vec<Plan>,
        addons: Vec<Addon>,
        default_plan: Option<PlanName>,
        policy: Policy,
    ) -> Result<Self, Vec<CatalogProblem>> {
        let mut problems = Vec::new();
        let mut problem = |path: String, problem: String| problems.push(CatalogProblem { path, problem });
        let mut by_price: HashMap<_, Vec<Place>> = HashMap::new();
        let mut kinds: BTreeMap<&FeatureName, (&'static str, String)> = BTreeMap::new();

        let sections = plans
            .iter()
            .map(|plan| (format!("plans.{}", plan.name), &plan.features))
            .chain(addons.iter().map(|addon| (format!("addons.{}", addon.name), &addon.features)));
        for (path, features) in sections {
            for (feature, grant) in features {
                let path = format!("{path}.features.{feature}");
                if is_reserved(feature) {
                    problem(path.clone(), "is a reserved name: no feature of a catalog has it".into());
                }
                let kind = grant.kind();
                match kinds.get(feature) {
                    Some((other, place)) if *other != kind => {
                        problem(path, format!("is a {kind} here and a {other} in {place}: one feature has one kind"));
                    }
                    Some(_) => {}
                    None => {
                        kinds.insert(feature, (kind, path));
                    }
                }
            }
        }

        let mut index = |path: String, price: &Price, place: Place| {
            if price.id.as_str().is_empty() || price.id.as_str().len() > 100 {
                problem(format!("{path}.id"), "must have 1 to 100 characters".into());
            }
            if price.amount < 0 {
                problem(format!("{path}.amount"), format!("is {}: an amount is never negative", price.amount));
            }
            let entries = by_price.entry((price.provider.clone(), price.id.clone())).or_default();
            let fits = |other: &Place| {
                let known = other.sold(&plans, &addons).price();
                let same = known.interval == price.interval && known.per_seat == price.per_seat;
                place.is_beside(*other) && same && known.currency != price.currency
            };
            if !entries.iter().all(fits) {
                let cure = "list it again in the same plan or add-on only, with another currency";
                problem(format!("{path}.id"), format!("`{}` is used twice: a price sells one thing; {cure}", price.id));
            }
            entries.push(place);
        };
        for (i, plan) in plans.iter().enumerate() {
            for (j, price) in plan.prices.iter().enumerate() {
                index(format!("plans.{}.prices[{j}]", plan.name), price, Place::Plan(i, j));
            }
        }
        for (i, addon) in addons.iter().enumerate() {
            for (j, price) in addon.prices.iter().enumerate() {
                index(format!("addons.{}.prices[{j}]", addon.name), price, Place::Addon(i, j));
            }
        }
        for (i, plan) in plans.iter().enumerate() {
            if plans[..i].iter().any(|other| other.name == plan.name) {
                problem(format!("plans.{}", plan.name), "is defined twice".into());
            }
        }
        if let Some(name) = &default_plan {
            match plans.iter().find(|plan| &plan.name == name) {
                None => problem("default_plan".into(), format!("`{name}` is not one of the plans")),
                Some(plan) if !plan.prices.is_empty() => {
                    problem("default_plan".into(), format!("`{name}` has prices: what everybody has must be free"));
                }
                Some(_) => {}
            }
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        let kinds = kinds.into_iter().map(|(feature, (kind, _))| (feature.clone(), kind)).collect();
        Ok(Self { plans, addons, default_plan, policy, by_price, kinds })
    }

    /// Every plan, in the order of the configuration.
    pub fn plans(&self) -> &[Plan] {
        &self.plans
    }

    /// Every add-on, in the order of the configuration.
    pub fn addons(&self) -> &[Addon] {
        &self.addons
    }

    /// What applies where a plan says nothing.
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// The plan with this name.
    pub fn plan(&self, name: &PlanName) -> Option<&Plan> {
        self.plans.iter().find(|plan| &plan.name == name)
    }

    /// The plan of an organization without a live subscription.
    pub fn default_plan(&self) -> Option<&Plan> {
        self.default_plan.as_ref().and_then(|name| self.plan(name))
    }

    /// What a price at a provider sells, with the first of its entries: for those whom its currency does not concern.
    pub fn sold(&self, provider: &Provider, price: &PriceId) -> Option<Sold<'_>> {
        self.entries(provider, price).next()
    }

    /// What a price at a provider sells, with its entry in a currency; with the first one where it is not sold in that.
    pub fn sold_in(&self, provider: &Provider, price: &PriceId, currency: Currency) -> Option<Sold<'_>> {
        let wanted = self.entries(provider, price).find(|sold| sold.price().currency == currency);
        wanted.or_else(|| self.sold(provider, price))
    }

    fn entries(&self, provider: &Provider, price: &PriceId) -> impl Iterator<Item = Sold<'_>> {
        let places = self.by_price.get(&(provider.clone(), price.clone()));
        places.into_iter().flatten().map(|place| place.sold(&self.plans, &self.addons))
    }

    /// The plan that a price at a provider sells.
    pub fn plan_of(&self, provider: &Provider, price: &PriceId) -> Option<&Plan> {
        match self.sold(provider, price) {
            Some(Sold::Plan(plan, _)) => Some(plan),
            Some(Sold::Addon(..)) | None => None,
        }
    }

    /// Every feature that a plan or an add-on knows, by name.
    pub fn features(&self) -> Vec<&FeatureName> {
        let mut names: Vec<_> = self.kinds.keys().collect();
        names.sort();
        names
    }

    /// The kind of a feature (`switch`, `limit`, `metered`), or `None` when no plan and no add-on knows it.
    pub fn feature_kind(&self, feature: &str) -> Option<&'static str> {
        self.kinds.get(feature).copied()
    }

    /// The grace that applies to a plan.
    pub fn grace(&self, plan: Option<&PlanName>) -> Grace {
        plan.and_then(|name| self.plan(name)).and_then(|plan| plan.past_due_grace).unwrap_or(self.policy.past_due_grace)
    }
}

impl Grant {
    /// The kind as a word.
    pub const fn kind(self) -> &'static str {
        match self {
            Self::Switch => "switch",
            Self::Limit(_) => "limit",
            Self::Metered(_) => "metered",
        }
    }
}

/// Whether a feature name means something without a catalog, or is kept for an address of its own.
pub fn is_reserved(feature: &FeatureName) -> bool {
    let name = feature.as_str();
    name == SNAPSHOT || name == "subscription" || name.starts_with("plan:") || name.starts_with("price:")
}

#[cfg(test)]
mod tests;
