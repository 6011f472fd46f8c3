//! The catalog, from `[plans]` and `[addons]`, or from the cookbooks' variables.

use std::collections::BTreeMap;

use tollkeeper_core::{
    catalog::{Addon, Catalog, DEFAULT_GROUP, Duplicates, Grace, Grant, Interval, Plan, Policy, Price},
    ids::{FeatureName, PlanName},
    money::Currency,
    snapshot::ItemType,
};
use toml::Value;

use super::{
    billing::PRO_PRICES,
    problems::Problems,
    section::{Section, parse_span},
    vars::Vars,
};

/// Where one id is sold in several currencies.
const SELLS_IN_SEVERAL: &str = tollkeeper_stripe::NAME;

/// The codes that a display price is read for. Source: ISO 4217; what is not here is what `default_currency` is for.
const CODES: [&str; 36] = [
    "AED", "AUD", "BGN", "BRL", "CAD", "CHF", "CLP", "CNY", "COP", "CZK", "DKK", "EUR", "GBP", "HKD", "HUF", "IDR",
    "ILS", "INR", "JPY", "KRW", "MXN", "MYR", "NOK", "NZD", "PEN", "PHP", "PLN", "RON", "SAR", "SEK", "SGD", "THB",
    "TRY", "TWD", "USD", "ZAR",
];

/// What holds where nothing else is said.
#[derive(Clone, Copy)]
pub(super) struct Usual<'a> {
    pub(super) provider: &'a str,
    pub(super) currency: Option<Currency>,
}

/// Reads the catalog; `policy` is `[policy]`. Whatever is wrong goes to `problems`.
pub(super) fn read(
    root: &Section<'_>,
    policy: &Section<'_>,
    vars: &Vars,
    usual: Usual<'_>,
    problems: &Problems,
) -> Catalog {
    let policy = read_policy(root, policy);
    let mut plans: Vec<_> =
        root.named("plans").into_iter().map(|(name, section)| plan(name, section, problems)).collect();
    let addons: Vec<_> =
        root.named("addons").into_iter().map(|(name, section)| addon(name, section, problems)).collect();
    let mut default_plan = root.text("default_plan").map(PlanName::from);
    if plans.is_empty() {
        plans = from_vars(vars, usual, problems);
        default_plan = default_plan.or_else(|| plans.first().map(|plan| plan.name.clone()));
    }
    one_currency_each(&plans, &addons, problems);
    Catalog::new(plans, addons, default_plan, policy).unwrap_or_else(|found| {
        found.into_iter().for_each(|problem| problems.add(problem.path, problem.problem));
        Catalog::default()
    })
}

fn read_policy(root: &Section<'_>, section: &Section<'_>) -> Policy {
    let dunning = root.section("dunning");
    let defaults = Policy::default();
    let final_after = dunning.whole("final_after", 1, 100).and_then(|attempt| u32::try_from(attempt).ok());
    let duplicates = [("keep", Duplicates::Keep), ("cancel_later", Duplicates::CancelLater)];
    dunning.done();
    Policy {
        past_due_grace: grace(section).unwrap_or(defaults.past_due_grace),
        paused_access: section.flag("paused_access").unwrap_or(defaults.paused_access),
        collection_paused_access: section.flag("collection_paused_access").unwrap_or(defaults.collection_paused_access),
        trial_reminder: section.span("trial_reminder").unwrap_or(defaults.trial_reminder),
        final_attempt: final_after.unwrap_or(defaults.final_attempt),
        duplicates: section.word("duplicates", &duplicates).unwrap_or(defaults.duplicates),
    }
}

fn grace(section: &Section<'_>) -> Option<Grace> {
    section.read("past_due_grace", "period_end, none or a time such as 3d", |text| match text {
        "period_end" => Some(Grace::PeriodEnd),
        "none" => Some(Grace::None),
        span => parse_span(span).map(Grace::For),
    })
}

fn plan(name: String, section: Section<'_>, problems: &Problems) -> Plan {
    let count = |key| section.whole(key, 1, i64::from(i32::MAX)).map(i64::unsigned_abs);
    let plan = Plan {
        title: section.text("title").unwrap_or_else(|| capitalized(&name)),
        name: name.into(),
        group: section.text("group").unwrap_or_else(|| DEFAULT_GROUP.to_owned()),
        version: section.whole("version", 1, i64::MAX).unwrap_or(1),
        features: features(&section, problems),
        seats: count("seats"),
        trial_days: section.whole("trial_days", 0, 730).and_then(|days| u32::try_from(days).ok()).unwrap_or(0),
        credits: count("credits"),
        prices: prices(&section, Sells::Plan, problems),
        past_due_grace: grace(&section),
    };
    section.done();
    plan
}

fn addon(name: String, section: Section<'_>, problems: &Problems) -> Addon {
    let prices = prices(&section, Sells::Addon, problems);
    let once = prices.iter().any(|price| price.interval == Interval::Once);
    let addon = Addon {
        title: section.text("title").unwrap_or_else(|| capitalized(&name)),
        name: name.into(),
        item_type: if once { ItemType::Charge } else { ItemType::Addon },
        features: features(&section, problems),
        prices,
    };
    section.done();
    addon
}

fn features(section: &Section<'_>, problems: &Problems) -> BTreeMap<FeatureName, Grant> {
    let path = section.path_of("features");
    let grants = section.entries("features").into_iter().filter_map(|(name, value)| {
        let grant = grant(value).or_else(|| {
            let wanted = "true, a number, \"unlimited\", or { metered = a number or \"unlimited\" } is wanted";
            problems.add(format!("{path}.{name}"), wanted);
            None
        })?;
        Some((FeatureName::from(name), grant))
    });
    grants.collect()
}

fn grant(value: &Value) -> Option<Grant> {
    let limit = |value: &Value| match value {
        Value::Integer(number) => u64::try_from(*number).ok().map(Some),
        Value::String(word) if word == "unlimited" => Some(None),
        _ => None,
    };
    match value {
        Value::Boolean(true) => Some(Grant::Switch),
        Value::Table(table) if table.len() == 1 => table.get("metered").and_then(limit).map(Grant::Metered),
        other => limit(other).map(Grant::Limit),
    }
}

/// What prices are of: seats are bought with a plan, while an add-on is always charged by its quantity.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sells {
    Plan,
    Addon,
}

fn prices(section: &Section<'_>, sells: Sells, problems: &Problems) -> Vec<Price> {
    let mut prices = Vec::new();
    for price in section.listed("prices") {
        let word = price.need_text("interval");
        let interval = Interval::parse(&word).unwrap_or_else(|| {
            problems.add(price.path_of("interval"), format!("is `{word}`: month, year or once is wanted"));
            Interval::Month
        });
        let currency = price.need_text("currency").parse().unwrap_or_else(|error| {
            problems.add(price.path_of("currency"), error);
            dollars()
        });
        prices.push(Price {
            id: price.need_text("id").into(),
            provider: price.need_text("provider").into(),
            interval,
            currency,
            amount: price.whole("amount", 0, i64::MAX).unwrap_or(0),
            per_seat: sells == Sells::Plan && price.flag("per_seat").unwrap_or(false),
        });
        price.done();
    }
    prices
}

/// Refuses one id in several currencies where the provider gives each currency a price of its own.
fn one_currency_each(plans: &[Plan], addons: &[Addon], problems: &Problems) {
    let sections = plans.iter().map(|it| (format!("plans.{}", it.name), &it.prices));
    for (section, prices) in sections.chain(addons.iter().map(|it| (format!("addons.{}", it.name), &it.prices))) {
        for (n, price) in prices.iter().enumerate().filter(|(_, price)| price.provider.as_str() != SELLS_IN_SEVERAL) {
            if prices[..n].iter().any(|other| other.provider == price.provider && other.id == price.id) {
                let cure = format!("at {} a price has one currency: name the price of the other one", price.provider);
                problems.add(format!("{section}.prices[{n}].id"), format!("`{}` is used twice; {cure}", price.id));
            }
        }
    }
}

/// Without a catalog file there are two plans: free, and pro, whose price the cookbooks' variables name.
fn from_vars(vars: &Vars, usual: Usual<'_>, problems: &Problems) -> Vec<Plan> {
    let provider = usual.provider;
    let mut ids: Vec<(&str, String)> = Vec::new();
    let names = PRO_PRICES.into_iter().chain([(tollkeeper_chargebee::NAME, "CHARGEBEE_PLAN_ITEM_PRICE_ID")]);
    for id in names.filter_map(|(provider, name)| Some((provider, vars.get(&[name], problems)?))) {
        // Two variables may name one price.
        if !ids.contains(&id) {
            ids.push(id);
        }
    }
    if !ids.iter().any(|(of, _)| *of == provider) {
        let (_, name) = PRO_PRICES.into_iter().find(|(of, _)| *of == provider).expect("every provider has a variable");
        let what = "name the price of your paid plan here, or describe your plans in a tollkeeper.toml that TOLLKEEPER_CONFIG names";
        problems.add(name, format!("is not set: {what}"));
    }
    let interval = match vars.get(&["PRO_PRICE_INTERVAL"], problems).as_deref() {
        None | Some("month" | "monthly") => Interval::Month,
        Some("year" | "yearly" | "annual") => Interval::Year,
        Some(other) => {
            problems.add("PRO_PRICE_INTERVAL", format!("is `{other}`: month or year is wanted"));
            Interval::Month
        }
    };
    let display = vars.get(&["PRO_PRICE_DISPLAY"], problems).unwrap_or_default();
    let amount = minor_units(&display);
    let currency = currency_of(&display).or(usual.currency).unwrap_or_else(dollars);
    let price = |(provider, id): (&str, String)| Price {
        id: id.into(),
        provider: provider.into(),
        interval,
        currency,
        amount,
        per_seat: false,
    };
    let plan = |name: &str, prices| Plan {
        name: name.into(),
        title: capitalized(name),
        group: DEFAULT_GROUP.to_owned(),
        version: 1,
        features: BTreeMap::new(),
        seats: None,
        trial_days: 0,
        credits: None,
        prices,
        past_due_grace: None,
    };
    vec![plan("free", vec![]), plan("pro", ids.into_iter().map(price).collect())]
}

/// What a display price such as `$29` or `€29.50` says, in minor units; 0 when it says nothing readable.
fn minor_units(display: &str) -> i64 {
    let digits: String = display.chars().filter(|c| c.is_ascii_digit() || *c == '.').collect();
    let (whole, cents) = digits.split_once('.').unwrap_or((&digits, ""));
    let cents: String = cents.chars().chain("00".chars()).take(2).collect();
    format!("{whole}{cents}").parse().unwrap_or(0)
}

/// The currency that a display price names, by a sign that only one has or by its code: a dollar sign has many, and not
/// every word of three letters is a currency (`VAT`, `PRO`).
fn currency_of(display: &str) -> Option<Currency> {
    let signs = [('€', "EUR"), ('£', "GBP")];
    let sign = signs.iter().find(|(sign, _)| display.contains(*sign)).map(|(_, code)| *code);
    let code = || display.split(|c: char| !c.is_ascii_alphabetic()).find(|word| CODES.contains(word));
    sign.or_else(code).map(|code| code.parse().expect("it has three letters"))
}

fn dollars() -> Currency {
    "USD".parse().expect("USD is a currency")
}

fn capitalized(name: &str) -> String {
    let mut letters = name.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

#[cfg(test)]
mod tests {
    use super::{currency_of, minor_units};

    #[test]
    fn a_display_price_reads_as_minor_units() {
        for (text, amount) in [("$29", 2_900), ("€29.50", 2_950), ("29.5 USD", 2_950), ("free", 0), ("", 0)] {
            assert_eq!(minor_units(text), amount, "{text}");
        }
    }

    #[test]
    fn a_display_price_names_its_currency() {
        for (text, currency) in [
            ("$29", None),
            ("€29.50", Some("EUR")),
            ("29 €", Some("EUR")),
            ("£9 / month", Some("GBP")),
            ("CHF 29", Some("CHF")),
            ("$29 CAD", Some("CAD")),
            ("29.5 USD", Some("USD")),
            ("€29 + VAT", Some("EUR")),
            ("29 USD + VAT", Some("USD")),
            ("$29 + VAT", None),
            ("PRO 29", None),
            ("A$29", None),
            ("free", None),
            ("29", None),
        ] {
            assert_eq!(currency_of(text).as_ref().map(|currency| currency.as_str()), currency, "{text}");
        }
    }
}
