//! What is sold in these stories.

use tollkeeper::Catalog;
use tollkeeper_core::{
    catalog::{Addon, Grant, Interval, Plan, Policy, Price},
    snapshot::ItemType,
};

/// `free` for everybody; `starter` and `growth` (with a trial) in one group; `care` (with a trial) in another; two add-ons
/// and two things that are sold once. Each currency has ids of its own there.
///
/// In a third group, `bronze` and `silver`, one id is sold in dollars and in euros, and so are the add-on `boost` and
/// the `visit` that is sold once. In dollars silver costs more, in euros bronze does.
pub(crate) fn catalog(policy: Policy) -> Catalog {
    let mut growth = plan("growth", 5_000, 14, &[("projects", Grant::Limit(None)), ("sso", Grant::Switch)]);
    let euro = price("growth-eur-monthly", Interval::Month, 5_000);
    growth.prices.push(Price { currency: "EUR".parse().unwrap(), ..euro });
    let plans = vec![
        Plan { prices: Vec::new(), ..plan("free", 0, 0, &[("projects", Grant::Limit(Some(3)))]) },
        plan("starter", 2_000, 0, &[("projects", Grant::Limit(Some(10)))]),
        growth,
        Plan { group: "support".into(), ..plan("care", 3_000, 7, &[("phone", Grant::Switch)]) },
        also_in_euros(plan("bronze", 2_000, 0, &[]), 4_000),
        also_in_euros(plan("silver", 3_000, 0, &[]), 3_000),
    ];
    let addons = vec![
        addon("extra-projects", ItemType::Addon, vec![price("extra-projects-monthly", Interval::Month, 500)]),
        addon(
            "priority",
            ItemType::Addon,
            vec![price("priority-monthly", Interval::Month, 700), price("priority-yearly", Interval::Year, 7_000)],
        ),
        addon("setup", ItemType::Charge, vec![price("setup-once", Interval::Once, 9_900), euro_once("setup-once-eur")]),
        addon("training", ItemType::Charge, vec![price("training-once", Interval::Once, 700)]),
        addon("boost", ItemType::Addon, in_both(price("boost-monthly", Interval::Month, 500), 450)),
        addon("visit", ItemType::Charge, in_both(price("visit-once", Interval::Once, 900), 800)),
    ];
    Catalog::new(plans, addons, Some("free".into()), policy).unwrap()
}

fn price(id: &str, interval: Interval, amount: i64) -> Price {
    Price {
        id: id.into(),
        provider: "chargebee".into(),
        interval,
        currency: "USD".parse().unwrap(),
        amount,
        per_seat: true,
    }
}

/// A price in dollars, and in euros under the same id.
fn in_both(dollars: Price, euros: i64) -> Vec<Price> {
    let also = Price { currency: "EUR".parse().unwrap(), amount: euros, ..dollars.clone() };
    vec![dollars, also]
}

fn also_in_euros(plan: Plan, monthly: i64) -> Plan {
    let euros = |price: &Price| if price.interval == Interval::Year { monthly * 10 } else { monthly };
    let prices = plan.prices.iter().flat_map(|price| in_both(price.clone(), euros(price))).collect();
    Plan { group: "studio".into(), prices, ..plan }
}

fn euro_once(id: &str) -> Price {
    Price { currency: "EUR".parse().unwrap(), ..price(id, Interval::Once, 9_900) }
}

fn plan(name: &str, monthly: i64, trial_days: u32, features: &[(&str, Grant)]) -> Plan {
    Plan {
        name: name.into(),
        title: name.to_uppercase(),
        group: "default".into(),
        version: 1,
        features: features.iter().map(|(name, grant)| ((*name).into(), *grant)).collect(),
        seats: Some(25),
        trial_days,
        credits: None,
        prices: vec![
            price(&format!("{name}-monthly"), Interval::Month, monthly),
            price(&format!("{name}-yearly"), Interval::Year, monthly * 10),
        ],
        past_due_grace: None,
    }
}

fn addon(name: &str, item_type: ItemType, prices: Vec<Price>) -> Addon {
    Addon {
        name: name.into(),
        title: name.to_uppercase(),
        item_type,
        features: [("projects".into(), Grant::Limit(Some(10)))].into(),
        prices,
    }
}
