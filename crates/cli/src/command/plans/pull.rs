//! `plans pull`: what a provider sells and the catalog does not know, as lines to be put into it.

use std::{collections::BTreeMap, fmt::Write as _};

use serde_json::{Value, json};
use tollkeeper::{ComparedPrices, PriceState, catalog::Interval, ports::PriceRecord};
use tollkeeper_core::snapshot::ItemType;

use super::{Where, catalog_toml};
use crate::command::{say, visible, with_providers};

/// From where.
#[derive(Debug, clap::Args)]
pub(crate) struct Pull {
    #[command(flatten)]
    provider: Where,
    /// As JSON
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(which: Pull) -> anyhow::Result<()> {
    let compared = with_providers(async |engine| Ok(engine.compare_prices(&which.provider.of(engine)).await?)).await?;
    say(&if which.json { format!("{:#}", told(&compared)) } else { written(&compared) })
}

fn told(compared: &ComparedPrices) -> Value {
    let unknown = |(record, sold_as): &(PriceRecord, Option<String>)| {
        json!({
            "id": record.id,
            "item": record.item,
            "plan": sold_as,
            "title": record.title,
            "itemType": record.item_type,
            "interval": record.interval,
            "amounts": record.amounts.iter().map(|(currency, amount)| (currency.to_string(), *amount)).collect::<BTreeMap<_, _>>(),
            "each": record.each,
        })
    };
    let differs: Vec<_> = compared
        .ours
        .iter()
        .filter_map(|price| match &price.state {
            PriceState::Same | PriceState::Missing => None,
            PriceState::Changeable(why) | PriceState::Stuck(why) => Some(json!({ "id": price.offer.id, "why": why })),
            PriceState::Renamed(id, why) => Some(json!({ "id": price.offer.id, "idThere": id, "why": why })),
        })
        .collect();
    json!({
        "provider": compared.provider,
        "unknown": compared.unknown.iter().map(unknown).collect::<Vec<_>>(),
        "differs": differs,
    })
}

/// Valid TOML, whatever was found; what cannot be said in it is a comment.
fn written(compared: &ComparedPrices) -> String {
    let provider = &compared.provider;
    let mut text = String::new();
    let mut sections: BTreeMap<(&str, String), Vec<&PriceRecord>> = BTreeMap::new();
    let mut known = Vec::new();
    for (record, sold_as) in &compared.unknown {
        let is_plan = record.interval != Some(Interval::Once)
            && record.item_type.is_none_or(|item_type| item_type == ItemType::Plan);
        let name = sold_as.clone().unwrap_or_else(|| catalog_toml::key(&record.title));
        known.extend(sold_as.clone());
        sections.entry((if is_plan { "plans" } else { "addons" }, name)).or_default().push(record);
    }
    for ((kind, name), records) in sections {
        if known.contains(&name) {
            let _ = writeln!(text, "# Is in the catalog already: add these prices to it.");
        }
        let _ = writeln!(text, "[{kind}.{}]", catalog_toml::key(&name));
        if !known.contains(&name) {
            let _ = writeln!(text, "title = {}", catalog_toml::text(&records[0].title));
        }
        let _ = writeln!(text, "prices = [");
        for record in records {
            match catalog_toml::of_record(provider, record, kind == "plans") {
                Some(lines) => lines.iter().for_each(|line| {
                    let _ = writeln!(text, "    {line}");
                }),
                None => {
                    let id = visible(record.id.as_str());
                    let _ = writeln!(text, "    # {id} has an interval or steps that the catalog has no words for.");
                }
            }
        }
        let _ = writeln!(text, "]\n");
    }
    for price in &compared.ours {
        let id = visible(price.offer.id.as_str());
        match &price.state {
            PriceState::Same | PriceState::Missing => {}
            PriceState::Changeable(why) | PriceState::Stuck(why) => {
                let _ = writeln!(text, "# {id} differs: it {}.", why.join(", it "));
            }
            PriceState::Renamed(there, why) => {
                let there = visible(there.as_str());
                let _ = writeln!(text, "# {id} was made as {there}: name that id in the catalog.");
                if !why.is_empty() {
                    let _ = writeln!(text, "# {id} differs: it {}.", why.join(", it "));
                }
            }
        }
    }
    if text.is_empty() {
        return format!("# The catalog knows everything that is sold at {provider}, and nothing differs.");
    }
    text.trim_end().to_owned()
}
