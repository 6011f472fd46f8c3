//! `plans push`: the provider sells what the catalog says.
//!
//! It may end anywhere and be pushed again: what was done is found to be there.

use std::io::{self, BufRead as _, IsTerminal as _, Write as _};

use anyhow::{Context as _, bail};
use serde_json::{Value, json};
use tollkeeper::{ComparedPrice, ComparedPrices, PriceState, Tollkeeper, ids::PriceId};
use tollkeeper_core::snapshot::ItemType;

use super::{Where, catalog_toml};
use crate::command::{say, table, visible, with_providers};

/// Where to, and whether at all.
#[derive(Debug, clap::Args)]
pub(crate) struct Push {
    #[command(flatten)]
    provider: Where,
    /// Only show what would be done
    #[arg(long)]
    dry_run: bool,
    /// Do it without asking
    #[arg(long, conflicts_with = "dry_run")]
    yes: bool,
    /// As JSON
    #[arg(long)]
    json: bool,
}

/// A price that was made or changed, and its id there.
type Done<'a> = (&'a ComparedPrice, PriceId);

pub(super) async fn run(which: Push) -> anyhow::Result<()> {
    with_providers(async |engine| {
        let compared = engine.compare_prices(&which.provider.of(engine)).await?;
        let todo: Vec<_> = compared.ours.iter().filter(|price| needs_work(price)).collect();
        if !which.json {
            shown(&compared, &todo)?;
        }
        let may = !todo.is_empty() && !which.dry_run && (which.yes || agreed(&compared, todo.len())?);
        let mut done = Vec::new();
        if may {
            for price in &todo {
                done.push((*price, one(engine, &compared, price).await?));
            }
        }
        if which.json {
            say(&format!("{:#}", told(&compared, &todo, &done)))?;
        } else {
            concluded(&compared, &done)?;
        }
        let stuck = compared.ours.iter().filter(|price| matches!(price.state, PriceState::Stuck(_))).count();
        if stuck > 0 {
            bail!(
                "{stuck} of the catalog's prices differ in what nobody can change at {}: change the catalog, or give what is sold anew an id of its own",
                compared.provider
            );
        }
        Ok(())
    })
    .await
}

async fn one(engine: &Tollkeeper, compared: &ComparedPrices, price: &ComparedPrice) -> anyhow::Result<PriceId> {
    let pushed = engine.push_price(&compared.provider, price).await;
    pushed.with_context(|| {
        format!(
            "pushing `{}`; what was done before stays done, and pushing again goes on",
            visible(price.offer.id.as_str())
        )
    })
}

fn needs_work(price: &ComparedPrice) -> bool {
    match price.state {
        PriceState::Missing | PriceState::Changeable(_) => true,
        PriceState::Same | PriceState::Stuck(_) | PriceState::Renamed(..) => false,
    }
}

fn word(state: &PriceState) -> &'static str {
    match state {
        PriceState::Same => "same",
        PriceState::Missing => "create",
        PriceState::Changeable(_) => "change",
        PriceState::Stuck(_) => "differs",
        PriceState::Renamed(..) => "renamed",
    }
}

fn shown(compared: &ComparedPrices, todo: &[&ComparedPrice]) -> anyhow::Result<()> {
    let interesting = compared.ours.iter().filter(|price| price.state != PriceState::Same);
    let rows: Vec<_> = interesting.map(row).collect();
    if !rows.is_empty() {
        say(&table(&rows))?;
    }
    if todo.is_empty() {
        say(&format!("Nothing to do at {}.", compared.provider))?;
    }
    Ok(())
}

fn row(price: &ComparedPrice) -> Vec<String> {
    let offer = &price.offer;
    let amounts = offer.amounts.iter().map(|(currency, amount)| format!("{amount} {currency}"));
    let each = if offer.each && offer.item_type == ItemType::Plan { " per seat" } else { "" };
    let what = match &price.state {
        PriceState::Changeable(why) | PriceState::Stuck(why) => why.join(", "),
        PriceState::Renamed(id, why) if why.is_empty() => format!("is {id} there: name that id in the catalog"),
        PriceState::Renamed(id, why) => format!("is {id} there, and {}: name that id in the catalog", why.join(", ")),
        PriceState::Missing | PriceState::Same => {
            format!("{}{each}, {}", amounts.collect::<Vec<_>>().join(", "), offer.interval.as_str())
        }
    };
    vec![word(&price.state).to_owned(), price.sold_as.clone(), offer.id.to_string(), what]
}

/// Asks whoever sits there.
fn agreed(compared: &ComparedPrices, count: usize) -> anyhow::Result<bool> {
    if !io::stdin().is_terminal() {
        bail!("nothing was changed: nobody is here to be asked; `--yes` does it, `--dry-run` only shows it");
    }
    eprint!("Do this at {} ({count})? [y/N] ", compared.provider);
    io::stderr().flush()?;
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}

fn concluded(compared: &ComparedPrices, done: &[Done<'_>]) -> anyhow::Result<()> {
    if done.is_empty() {
        return Ok(());
    }
    say(&format!("Done at {}: {}.", compared.provider, done.len()))?;
    let renamed: Vec<_> = done.iter().filter(|(price, id)| price.offer.id != *id).collect();
    if renamed.is_empty() {
        return Ok(());
    }
    say(&format!(
        "\n{} chose ids of its own. In the catalog, these take the places of the lines before:\n",
        compared.provider
    ))?;
    for (price, id) in renamed {
        say(&format!("# {}, instead of {}", visible(&price.sold_as), visible(price.offer.id.as_str())))?;
        let is_plan = price.offer.item_type == ItemType::Plan;
        for line in catalog_toml::of_offer(&compared.provider, id, &price.offer, is_plan) {
            say(&line)?;
        }
    }
    Ok(())
}

fn told(compared: &ComparedPrices, todo: &[&ComparedPrice], done: &[Done<'_>]) -> Value {
    let price = |price: &ComparedPrice| {
        let why = match &price.state {
            PriceState::Changeable(why) | PriceState::Stuck(why) | PriceState::Renamed(_, why) => json!(why),
            PriceState::Same | PriceState::Missing => json!([]),
        };
        let done = done.iter().find(|(done, _)| std::ptr::eq(*done, price)).map(|(_, id)| id);
        let there = match &price.state {
            PriceState::Renamed(id, _) => Some(id),
            _ => done,
        };
        json!({
            "id": price.offer.id,
            "plan": price.sold_as,
            "state": word(&price.state),
            "why": why,
            "done": done.is_some(),
            "idThere": there,
        })
    };
    json!({
        "provider": compared.provider,
        "todo": todo.len(),
        "prices": compared.ours.iter().map(price).collect::<Vec<_>>(),
    })
}
