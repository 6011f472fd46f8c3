//! What operators do at the command line, beside a running server or without one: each reads, asks
//! the engine, and prints what it says.

pub(crate) mod describe;
pub(crate) mod events;
pub(crate) mod keys;
pub(crate) mod plans;
pub(crate) mod reconcile;
pub(crate) mod replay;
mod tail;

use std::io::{ErrorKind, Write as _};

use anyhow::{Context as _, bail};
use clap::builder::{PossibleValuesParser, TypedValueParser};
use tollkeeper::{
    Db, Tollkeeper,
    ids::{EventId, OrganizationId, Source},
};
use tollkeeper_core::time::MachineTime;

use crate::{
    clock::{self, Clocks},
    compose,
    config::{Config, Flags, Vars},
};

/// Does something with an engine that neither listens nor works by itself, on the database of the configuration as it
/// is: a schema that is older is refused. Asked to end, it stops where it is, and that is a failure.
pub(crate) async fn with_engine<T>(work: impl AsyncFnOnce(&Tollkeeper) -> anyhow::Result<T>) -> anyhow::Result<T> {
    with_engine_to_the_end(async |engine| unless_asked_to_end(work(engine)).await).await
}

async fn unless_asked_to_end<T>(work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    tokio::select! {
        outcome = work => outcome,
        () = compose::asked_to_end() => Err(anyhow::anyhow!("asked to end: what was done until then stays done")),
    }
}

/// As [`with_engine`], for work that looks itself whether it is asked to end.
async fn with_engine_to_the_end<T>(work: impl AsyncFnOnce(&Tollkeeper) -> anyhow::Result<T>) -> anyhow::Result<T> {
    let config = Config::read(&Vars::of_process(), &Flags::of_a_command())?;
    let db = compose::database(&config.database_url, false).await?;
    with(config, db, work).await
}

/// As [`with_engine`], for what is about the providers alone: no database has to be there yet.
async fn with_providers<T>(work: impl AsyncFnOnce(&Tollkeeper) -> anyhow::Result<T>) -> anyhow::Result<T> {
    let config = Config::read(&Vars::of_process(), &Flags::of_a_command())?;
    let db = compose::database("sqlite::memory:", true).await?;
    with(config, db, async |engine| unless_asked_to_end(work(engine)).await).await
}

async fn with<T>(
    config: Config,
    db: Db,
    work: impl AsyncFnOnce(&Tollkeeper) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    let clocks = Clocks::default();
    let clock_url = config.clock_url.clone();
    let running = compose::engine(config, db.clone(), &clocks, false)?;
    if let Some(url) = clock_url {
        let client = compose::client()?;
        // What is decided in a sandbox's world is decided by its time from the beginning.
        if let Err(error) = clock::read(&url, &clocks, &client).await {
            tracing::warn!(%error, "the sandbox's clock cannot be read: business time is the machine's");
        }
        tokio::spawn(clock::follow(url, clocks, running.engine().clone(), client));
    }
    let outcome = work(running.engine()).await;
    running.stop().await;
    db.close().await;
    outcome
}

/// Writes to standard output. That nobody reads any further is no failure.
pub(crate) fn say(text: &str) -> anyhow::Result<()> {
    heard(text).map(drop)
}

/// Writes to standard output; answers whether anybody still reads.
fn heard(text: &str) -> anyhow::Result<bool> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.write_all(b"\n")).and_then(|()| out.flush()) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err(error).context("writing the answer"),
    }
}

/// Lines whose columns stand below each other; what they hold is cut to one line each.
pub(crate) fn table(rows: &[Vec<String>]) -> String {
    let mut widths: Vec<usize> = Vec::new();
    for row in rows {
        widths.resize(widths.len().max(row.len()), 0);
        widths.iter_mut().zip(row).for_each(|(width, cell)| *width = (*width).max(cell.chars().count()));
    }
    let line = |row: &Vec<String>| {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{:<width$}", visible(cell)));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// A text from outside as a terminal may be shown it.
pub(crate) fn visible(text: &str) -> String {
    text.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect()
}

/// A sender of deliveries.
fn source() -> impl TypedValueParser<Value = Source> {
    PossibleValuesParser::new([tollkeeper_chargebee::NAME, tollkeeper_stripe::NAME, "scalekit"]).map(Source::from)
}

/// An instant of the machine's clock.
fn instant(text: &str) -> Result<MachineTime, String> {
    text.parse().map_err(|_| "a time such as 2026-01-31T12:00:00Z is wanted".to_owned())
}

/// An id as somebody else made it.
fn id(text: &str) -> anyhow::Result<&str> {
    if text.is_empty() || text.len() > 255 || text.chars().any(char::is_control) {
        bail!("an id has 1 to 255 visible characters");
    }
    Ok(text)
}

fn organization(text: &str) -> anyhow::Result<OrganizationId> {
    id(text).map(OrganizationId::from)
}

fn event(text: &str) -> anyhow::Result<EventId> {
    id(text).map(EventId::from)
}

#[cfg(test)]
mod tests {
    use super::table;

    #[test]
    fn a_table_stands_in_columns_and_shows_no_control_characters() {
        let rows = [vec!["a".into(), "b\nc".into(), "d".into()], vec!["äöü".into(), "e".into()]];
        assert_eq!(table(&rows), "a    b c  d\näöü  e");
    }
}
