//! `tollkeeper events tail`: deliveries as they arrive.

use std::{
    collections::HashMap,
    io,
    os::fd::{AsFd as _, OwnedFd},
    time::Duration,
};

use tokio::{
    io::{Interest, unix::AsyncFd},
    time::sleep,
};
use tollkeeper::{
    DeliveryState, StoredDelivery, Tollkeeper,
    ids::{EventId, Source},
};
use tollkeeper_core::time::MachineTime;

use super::{events, heard, source, table, with_engine_to_the_end};
use crate::compose;

/// Which ones.
#[derive(Debug, clap::Args)]
pub(crate) struct Tail {
    /// Only those of one sender
    #[arg(long, value_parser = source())]
    source: Option<Source>,
    /// As JSON, one line for each
    #[arg(long)]
    json: bool,
}

/// How often is looked.
const POLL: Duration = Duration::from_millis(500);

/// How much later than the newest one a delivery may become visible: what several processes write at once is not seen in
/// the order of its time.
const LATE: Duration = Duration::from_secs(5);

/// How long after the newest arrival the fate of an older one is waited for.
const PATIENCE: Duration = Duration::from_secs(60);

/// How many are read at once.
const AT_ONCE: i64 = 500;

/// Shows what arrives, until it is asked to end or nobody reads any more.
pub(super) async fn run(which: Tail) -> anyhow::Result<()> {
    with_engine_to_the_end(async |engine| {
        tokio::select! {
            outcome = show(engine, &which) => outcome,
            () = nobody_reads() => Ok(()),
            // To end is what was wanted.
            () = compose::asked_to_end() => Ok(()),
        }
    })
    .await
}

/// What was seen so far of what may still change.
struct Seen {
    states: HashMap<(Source, EventId), (MachineTime, DeliveryState)>,
    newest: MachineTime,
}

impl Seen {
    /// From where on to look: a little before the newest one, or where the oldest one waits.
    fn horizon(&self) -> MachineTime {
        let pending = self.states.values().filter(|(_, state)| *state == DeliveryState::Pending).map(|(at, _)| *at);
        let waits = pending.min().unwrap_or(self.newest).min(self.newest.minus(LATE));
        waits.max(self.newest.minus(PATIENCE))
    }

    /// Whether this is news; remembers it.
    fn is_news(&mut self, row: &StoredDelivery) -> bool {
        self.newest = self.newest.max(row.received_at);
        let before = self.states.insert((row.source.clone(), row.event_id.clone()), (row.received_at, row.state));
        before.is_none_or(|(_, state)| state != row.state)
    }

    /// Everything since the horizon that is news, the oldest first.
    async fn news(&mut self, engine: &Tollkeeper) -> anyhow::Result<Vec<StoredDelivery>> {
        let mut from = self.horizon();
        self.states.retain(|_, (at, _)| *at >= from);
        let mut news = Vec::new();
        loop {
            let rows = engine.deliveries_since(from, AT_ONCE).await?;
            let last = rows.last().map(|row| row.received_at);
            let is_all = rows.len() < usize::try_from(AT_ONCE)?;
            news.extend(rows.into_iter().filter(|row| self.is_news(row)));
            match last {
                // So many in one microsecond would be read for ever.
                Some(last) if !is_all => from = last.max(from.plus(Duration::from_micros(1))),
                _ => return Ok(news),
            }
        }
    }
}

async fn show(engine: &Tollkeeper, which: &Tail) -> anyhow::Result<()> {
    let newest = engine.deliveries(&tollkeeper::DeliveryFilter::default(), 1).await?;
    let newest = newest.first().map_or(MachineTime::from_micros(0), |row| row.received_at);
    let mut seen = Seen { states: HashMap::new(), newest };
    // What was there before is known, and only its fate would be news.
    seen.news(engine).await?;
    eprintln!("Waiting for deliveries; Ctrl-C ends it.");
    loop {
        let mut news = seen.news(engine).await?;
        news.retain(|row| which.source.as_ref().is_none_or(|source| *source == row.source));
        for row in &news {
            let text = if which.json { events::told(row).to_string() } else { table(&[events::line(row)]) };
            if !heard(&text)? {
                return Ok(());
            }
        }
        sleep(POLL).await;
    }
}

/// Resolves when whoever read what we write is gone; never where that cannot be known, as with a file.
async fn nobody_reads() {
    match watched_output() {
        Ok(stdout) => {
            let _gone = stdout.ready(Interest::ERROR).await;
        }
        Err(_) => std::future::pending().await,
    }
}

#[expect(deprecated, reason = "an owned descriptor never becomes another; the new way is for code that may be unsafe")]
fn watched_output() -> io::Result<AsyncFd<OwnedFd>> {
    AsyncFd::with_interest(io::stdout().as_fd().try_clone_to_owned()?, Interest::ERROR)
}
