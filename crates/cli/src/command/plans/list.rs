//! `plans list`: the catalog as it is configured.

use serde_json::json;
use tollkeeper::catalog::{Catalog, Price};

use crate::{
    command::{say, table},
    config::{Config, Flags, Vars},
};

/// How to show it.
#[derive(Debug, clap::Args)]
pub(crate) struct List {
    /// As JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(which: &List) -> anyhow::Result<()> {
    let catalog = Config::read(&Vars::of_process(), &Flags::of_a_command())?.catalog;
    if which.json {
        let default = catalog.default_plan().map(|plan| &plan.name);
        let all = json!({ "defaultPlan": default, "plans": catalog.plans(), "addons": catalog.addons() });
        return say(&format!("{all:#}"));
    }
    say(&table(&rows(&catalog)))
}

fn rows(catalog: &Catalog) -> Vec<Vec<String>> {
    let mut rows = Vec::new();
    let mut add = |name: String, prices: &[Price], free: &str| {
        if prices.is_empty() {
            rows.push(vec![name.clone(), free.to_owned()]);
        }
        let row = |price: &Price| {
            let amount = format!("{} {}", price.amount, price.currency);
            let each = if price.per_seat { "per seat" } else { "" };
            let interval = price.interval.as_str().to_owned();
            vec![name.clone(), price.provider.to_string(), price.id.to_string(), interval, amount, each.to_owned()]
        };
        rows.extend(prices.iter().map(row));
    };
    let default = catalog.default_plan();
    for plan in catalog.plans() {
        let is_default = default.is_some_and(|default| default.name == plan.name);
        add(plan.name.to_string(), &plan.prices, if is_default { "free, for everybody" } else { "has no price" });
    }
    for addon in catalog.addons() {
        add(format!("+ {}", addon.name), &addon.prices, "has no price");
    }
    rows
}
