//! What is sold, and the way into a checkout.

use std::collections::HashSet;

use askama::Template;
use axum::{extract::State, response::Response};
use http::Uri;
use tollkeeper::{Action, Overview, Settings};
use tollkeeper_core::{
    catalog::{Catalog, DEFAULT_GROUP, Interval, Plan, Price},
    ids::Provider,
    money::Currency,
    status::Status,
    subscription::Subscription,
};

use super::{
    billing::can::Can,
    frame::{Frame, Guest, Here, sign_in, with_query},
    page, words,
};
use crate::{problem::Problem, query, router::Shared};

/// `/pricing`
#[derive(Template)]
#[template(path = "pricing.html")]
pub(crate) struct PricingPage {
    pub(crate) frame: Frame,
    /// Why somebody was sent here.
    pub(crate) reason: Option<String>,
    pub(crate) intervals: Vec<Choice>,
    pub(crate) currencies: Vec<Choice>,
    pub(crate) groups: Vec<Group>,
    /// Whether the person may look only.
    pub(crate) looks_only: bool,
}

/// One of several ways to look at the plans.
pub(crate) struct Choice {
    pub(crate) label: String,
    pub(crate) href: String,
    pub(crate) on: bool,
}

/// Plans of which one has one at most.
pub(crate) struct Group {
    pub(crate) title: String,
    pub(crate) plans: Vec<Card>,
}

/// One plan.
pub(crate) struct Card {
    pub(crate) name: String,
    pub(crate) title: String,
    pub(crate) price: Option<Cost>,
    pub(crate) free: bool,
    pub(crate) lines: Vec<String>,
    /// Words above the title.
    pub(crate) badge: Option<&'static str>,
    /// Whether it stands out.
    pub(crate) marked: bool,
    pub(crate) way: Way,
}

pub(crate) struct Cost {
    pub(crate) amount: String,
    pub(crate) per: String,
    pub(crate) saving: Option<String>,
}

/// What one can do about a plan.
pub(crate) enum Way {
    /// Buy it.
    Checkout(Checkout),
    /// Say who one is, and come back to it.
    SignIn { href: String, label: String, trial: Option<String> },
    /// Change to it.
    Change { href: String, label: String },
    /// Nothing, and why.
    Said(&'static str),
}

pub(crate) struct Checkout {
    pub(crate) interval: &'static str,
    pub(crate) currency: String,
    pub(crate) seats: u64,
    /// Whether the person says how many seats.
    pub(crate) asks: bool,
    pub(crate) most: Option<u64>,
    pub(crate) label: String,
    pub(crate) trial: Option<String>,
}

/// How somebody looks at the plans.
#[derive(Clone, Default)]
pub(crate) struct Look {
    interval: Option<Interval>,
    currency: Option<Currency>,
    reason: Option<String>,
    feature: Option<String>,
}

impl Look {
    /// Reads what it understands of a query.
    pub(crate) fn read(uri: &Uri) -> Self {
        Self {
            interval: query::value(uri, "interval").and_then(|word| Interval::parse(&word)),
            currency: query::value(uri, "currency").and_then(|code| code.parse().ok()),
            reason: query::value(uri, "reason").map(Into::into),
            feature: query::value(uri, "feature").filter(|name| (1..=100).contains(&name.len())).map(Into::into),
        }
    }

    /// The same look, with another interval or currency.
    fn href(&self, interval: Interval, currency: Currency) -> String {
        let said = |text: &Option<String>| text.clone().unwrap_or_default();
        let pairs = [
            ("interval", interval.as_str()),
            ("currency", currency.as_str()),
            ("reason", &said(&self.reason)),
            ("feature", &said(&self.feature)),
        ];
        with_query("/pricing", &pairs)
    }
}

/// `GET /pricing`
pub(crate) async fn show(State(app): State<Shared>, Guest(visitor): Guest, uri: Uri) -> Result<Response, Problem> {
    let mut person = None;
    let mut own = None;
    if let Some(visitor) = &visitor {
        person = Some(visitor.person(&app).await?);
        // Whoever may not see subscriptions sees what everybody sees.
        if let Ok(actor) = visitor.authorize(&app, Action::List).await {
            own = Some((app.engine.overview(&actor).await?, visitor.may_change(&app)));
        }
    }
    let frame = Frame::new(&app, "Plans", Here::Pricing, person);
    let own = own.as_ref().map(|(overview, may_change)| (overview, *may_change));
    page(&PricingPage::of(frame, app.engine.settings(), &app.engine.catalog(), own, &Look::read(&uri)))
}

impl PricingPage {
    /// `own` is the organization of who looks, and whether that person may change its billing.
    pub(crate) fn of(
        frame: Frame,
        settings: &Settings,
        catalog: &Catalog,
        own: Option<(&Overview, bool)>,
        look: &Look,
    ) -> Self {
        let organization = own.map(|(overview, _)| &overview.account.organization);
        let provider = organization.map_or(&settings.billing_provider, |it| &it.billing_provider);
        let pinned = organization.and_then(|it| it.currency);
        let prices = || catalog.plans().iter().flat_map(|plan| &plan.prices).filter(|it| it.provider == *provider);
        let mut sold_in: Vec<_> = prices().map(|price| price.currency).collect();
        sold_in.sort_unstable();
        sold_in.dedup();
        let wanted = pinned.or(look.currency.filter(|wanted| sold_in.contains(wanted)));
        let usual = Some(settings.default_currency).filter(|usual| sold_in.contains(usual));
        let currency = wanted.or(usual).or(sold_in.first().copied()).unwrap_or(settings.default_currency);
        let intervals: Vec<_> =
            [Interval::Month, Interval::Year].into_iter().filter(|it| prices().any(|p| p.interval == *it)).collect();
        let usual = intervals.first().copied().unwrap_or(Interval::Month);
        let interval = look.interval.filter(|wanted| intervals.contains(wanted)).unwrap_or(usual);

        let back = look.href(interval, currency);
        let seller = Seller { catalog, provider, own, interval, currency, back: &back };
        let mut names: Vec<_> = catalog.plans().iter().map(|plan| plan.group.as_str()).collect();
        let mut seen = HashSet::new();
        names.retain(|name| seen.insert(*name));
        let groups = names.into_iter().map(|name| {
            let plans = catalog.plans().iter().filter(|plan| plan.group == name);
            let plans = plans.map(|plan| seller.card(plan, look.feature.as_deref())).collect();
            Group { title: if name == DEFAULT_GROUP { "Plans".to_owned() } else { words::feature(name) }, plans }
        });
        let several = |choices: Vec<Choice>| if choices.len() > 1 { choices } else { Vec::new() };
        let by_interval = intervals.iter().map(|it| Choice {
            label: if *it == Interval::Year { "Yearly" } else { "Monthly" }.to_owned(),
            href: look.href(*it, currency),
            on: *it == interval,
        });
        let by_currency = sold_in.iter().filter(|_| pinned.is_none()).map(|it| Choice {
            label: it.to_string(),
            href: look.href(interval, *it),
            on: *it == currency,
        });
        Self {
            frame,
            reason: reason(look),
            intervals: several(by_interval.collect()),
            currencies: several(by_currency.collect()),
            groups: groups.collect(),
            looks_only: own.is_some_and(|(_, may_change)| !may_change),
        }
    }
}

/// Why a product sent somebody here, in words; nothing where it did not say, or said what we do not know.
fn reason(look: &Look) -> Option<String> {
    let feature = look.feature.as_deref().map(words::feature);
    match (look.reason.as_deref()?, feature) {
        ("subscription_required", Some(feature)) => {
            Some(format!("{feature} needs a plan that includes it. Those that do are marked."))
        }
        ("subscription_required", None) => Some("This needs a subscription. Choose a plan to go on.".to_owned()),
        _ => None,
    }
}

/// What is the same for every plan on the page.
#[derive(Clone, Copy)]
struct Seller<'a> {
    catalog: &'a Catalog,
    provider: &'a Provider,
    own: Option<(&'a Overview, bool)>,
    interval: Interval,
    currency: Currency,
    /// The address of this look.
    back: &'a str,
}

impl<'a> Seller<'a> {
    fn price(self, plan: &'a Plan, interval: Interval) -> Option<&'a Price> {
        plan.price(self.provider, interval, self.currency)
    }

    fn card(self, plan: &'a Plan, feature: Option<&str>) -> Card {
        let price = self.price(plan, self.interval);
        let includes = feature.is_some_and(|feature| plan.features.keys().any(|name| name.as_str() == feature));
        let live = self.live(plan);
        let is_current = match live {
            Some(row) => row.plan.as_ref() == Some(&plan.name),
            None => self.own.is_some() && self.is_default(plan) && self.nothing_is_live(),
        };
        Card {
            name: plan.name.to_string(),
            title: plan.title.clone(),
            price: price.map(|price| self.cost(plan, price)),
            free: plan.prices.is_empty(),
            lines: words::grants(plan),
            badge: match (is_current, includes) {
                (true, _) => Some("Your plan"),
                (false, true) => Some("Includes it"),
                (false, false) => None,
            },
            marked: includes || is_current,
            way: self.way(plan, price, live, is_current),
        }
    }

    fn cost(self, plan: &Plan, price: &Price) -> Cost {
        let monthly = self.price(plan, Interval::Month).filter(|_| price.interval == Interval::Year);
        let saving = monthly.and_then(|monthly| {
            let twelve = monthly.amount.checked_mul(12).filter(|twelve| *twelve > price.amount)?;
            let percent = twelve.saturating_sub(price.amount).saturating_mul(100) / twelve;
            (percent > 0).then(|| format!("Save {percent} %"))
        });
        Cost { amount: words::money(price.amount, price.currency, &price.provider), per: words::each(price), saving }
    }

    fn way(self, plan: &'a Plan, price: Option<&'a Price>, live: Option<&Subscription>, is_current: bool) -> Way {
        let may_change = self.own.is_none_or(|(_, may_change)| may_change);
        match (price, live) {
            (_, Some(row)) if is_current && self.interval_of(row).is_none_or(|it| it == self.interval) => {
                Way::Said("This is what you have.")
            }
            (None, _) if plan.prices.is_empty() && is_current => Way::Said("This is what you have."),
            (None, _) if plan.prices.is_empty() => Way::Said("What everybody has without a subscription."),
            (None, _) => Way::Said("Not sold this way."),
            (Some(_), _) if !may_change => Way::Said("Ask somebody with a billing role."),
            // The page of a change would only lead back.
            (Some(_), Some(row)) if !Can::of(row).change => Way::Said(match row.status {
                Status::Incomplete => "Finish the payment of yours first.",
                Status::Unpaid => "Pay what is due first.",
                _ => "Resume what you have first.",
            }),
            (Some(_), Some(row)) => {
                let pairs = [
                    ("subscription", row.id.as_str()),
                    ("plan", plan.name.as_str()),
                    ("interval", self.interval.as_str()),
                ];
                let label = match (is_current, self.interval) {
                    (true, Interval::Year) => "Pay yearly".to_owned(),
                    (true, _) => "Pay monthly".to_owned(),
                    (false, _) => format!("Change to {}", plan.title),
                };
                Way::Change { href: with_query("/billing/change", &pairs), label }
            }
            (Some(price), None) => {
                let checkout = self.checkout(plan, price);
                match self.own {
                    Some(_) => Way::Checkout(checkout),
                    // What a form sends would be lost behind the sign-in.
                    None => Way::SignIn {
                        href: sign_in(&format!("{}#plan-{}", self.back, plan.name)),
                        label: checkout.label,
                        trial: checkout.trial,
                    },
                }
            }
        }
    }

    fn checkout(self, plan: &Plan, price: &Price) -> Checkout {
        let had_trial = self.own.is_some_and(|(overview, _)| overview.account.organization.had_trial);
        let trial = (plan.trial_days > 0 && !had_trial).then(|| format!("{} days free", plan.trial_days));
        let holders = self.own.map_or(1, |(overview, _)| overview.holders as u64).max(1);
        let most = plan.seats;
        Checkout {
            interval: price.interval.as_str(),
            currency: price.currency.to_string(),
            // Where the price does not grow with them, nobody wants fewer than there are.
            seats: if price.per_seat { most.map_or(holders, |most| holders.min(most)) } else { most.unwrap_or(1) },
            asks: price.per_seat,
            most,
            label: match trial {
                Some(_) => format!("Try {}", plan.title),
                None => format!("Choose {}", plan.title),
            },
            trial,
        }
    }

    fn live(self, plan: &'a Plan) -> Option<&'a Subscription> {
        self.own?.0.account.live(&plan.group).next()
    }

    fn nothing_is_live(self) -> bool {
        self.own.is_none_or(|(overview, _)| overview.account.subscriptions.iter().all(|row| !row.status.is_live()))
    }

    fn is_default(self, plan: &Plan) -> bool {
        self.catalog.default_plan().is_some_and(|default| default.name == plan.name)
    }

    fn interval_of(self, row: &Subscription) -> Option<Interval> {
        let sold = self.catalog.sold(&row.provider, row.price_id.as_ref()?)?;
        Some(sold.price().interval)
    }
}
