//! `tollkeeper events`: which deliveries arrived, and what became of them.

use clap::builder::{PossibleValuesParser, TypedValueParser};
use serde_json::{Value, json};
use tollkeeper::{DeliveryFilter, DeliveryState, StoredDelivery, ids::Source};
use tollkeeper_core::time::MachineTime;

use super::{
    instant, say, source, table,
    tail::{self, Tail},
    with_engine,
};

/// What to do with deliveries.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Events {
    /// Show deliveries and their fates, the newest first; never a body
    List(List),
    /// Show deliveries as they arrive, and again when their fate is known within a minute, until you end it; never a body
    Tail(Tail),
}

/// Which ones.
#[derive(Debug, clap::Args)]
pub(crate) struct List {
    /// Only those that stand here
    #[arg(long, value_parser = state())]
    state: Option<DeliveryState>,
    /// Only those of one sender
    #[arg(long, value_parser = source())]
    source: Option<Source>,
    /// Only those about one subject, as the list shows it
    #[arg(long)]
    subject: Option<String>,
    /// Only those that arrived before this time; with the last one shown: the page after it
    #[arg(long, value_parser = instant)]
    before: Option<MachineTime>,
    /// How many at most
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(i64).range(1..=1000))]
    limit: i64,
    /// As JSON
    #[arg(long)]
    json: bool,
}

fn state() -> impl TypedValueParser<Value = DeliveryState> {
    let words = DeliveryState::ALL.map(DeliveryState::as_str);
    let state = |word: String| DeliveryState::ALL.into_iter().find(|state| state.as_str() == word);
    PossibleValuesParser::new(words).map(move |word| state(word).expect("only these words are let through"))
}

/// Does it.
pub(crate) async fn run(command: Events) -> anyhow::Result<()> {
    match command {
        Events::List(which) => list(which).await,
        Events::Tail(which) => tail::run(which).await,
    }
}

async fn list(List { state, source, subject, before, limit, json }: List) -> anyhow::Result<()> {
    let filter = DeliveryFilter { state, source, subject, before };
    let found = with_engine(async |engine| Ok(engine.deliveries(&filter, limit).await?)).await?;
    if json {
        return say(&format!("{:#}", json!({ "events": found.iter().map(told).collect::<Vec<_>>() })));
    }
    if found.is_empty() {
        return say("There are none.");
    }
    say(&table(&found.iter().map(line).collect::<Vec<_>>()))
}

pub(super) fn line(row: &StoredDelivery) -> Vec<String> {
    let why = match row.state {
        DeliveryState::Dead | DeliveryState::Pending => row.last_error.as_ref().or(row.why.as_ref()),
        DeliveryState::Done | DeliveryState::Ignored => row.why.as_ref(),
    };
    vec![
        row.received_at.to_string(),
        row.source.to_string(),
        row.event_id.to_string(),
        row.event_type.clone(),
        row.subject.clone(),
        row.state.as_str().to_owned(),
        why.cloned().unwrap_or_default(),
    ]
}

pub(super) fn told(row: &StoredDelivery) -> Value {
    json!({
        "source": row.source,
        "eventId": row.event_id,
        "eventType": row.event_type,
        "subject": row.subject,
        "occurredAt": row.occurred_at,
        "receivedAt": row.received_at,
        "seen": row.seen,
        "state": row.state.as_str(),
        "why": row.why,
        "attempts": row.attempts,
        "nextAttemptAt": row.next_attempt_at,
        "lastError": row.last_error,
    })
}
