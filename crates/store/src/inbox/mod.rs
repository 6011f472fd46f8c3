//! Every delivery that we acknowledged, raw, once. The inbox is the queue.

mod writer;

use bytes::Bytes;
use tollkeeper_core::{
    ids::{EventId, Source},
    time::{MachineTime, Timestamp},
};

use crate::{
    C, Error, Tx, dialect,
    value::{At, instant},
};

pub(crate) use writer::Batch;
pub use writer::{Delivery, Put, Writer};

/// Where a delivery stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum InboxState {
    /// To be worked on.
    Pending,
    /// What it was about is settled.
    Done,
    /// There was nothing to do, and there never will be.
    Ignored,
    /// Given up; a person may replay it.
    Dead,
}

impl InboxState {
    /// Every state.
    pub const ALL: [Self; 4] = [Self::Pending, Self::Done, Self::Ignored, Self::Dead];

    /// The spelling of the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Done => "done",
            Self::Ignored => "ignored",
            Self::Dead => "dead",
        }
    }

    fn read(text: &str, id: &str) -> Result<Self, Error> {
        Self::ALL.into_iter().find(|state| state.as_str() == text).ok_or_else(|| Error::Corrupt {
            table: "inbox",
            column: "state",
            id: id.to_owned(),
            problem: format!("is `{text}`"),
        })
    }
}

/// One delivery as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InboxRow {
    /// Who sent it.
    pub source: Source,
    /// Its own id there.
    pub event_id: EventId,
    /// The sender's name of the event.
    pub event_type: String,
    /// What it is about, as `Subject` writes it; `other:EVENT` for what we do not model, so that each is its own
    /// subject.
    pub subject: String,
    /// When it happened, by the sender's clock.
    pub occurred_at: Option<Timestamp>,
    /// When it first came.
    pub received_at: MachineTime,
    /// How often it came.
    pub seen: i64,
    /// The raw bytes.
    pub body: Bytes,
    /// Where it stands.
    pub state: InboxState,
    /// A sentence for people: its fate.
    pub why: Option<String>,
    /// Failed tries that count.
    pub attempts: i64,
    /// When it is worked on next; `None` is at once.
    pub next_attempt_at: Option<MachineTime>,
    /// Why the last try failed.
    pub last_error: Option<String>,
}

row! {
    struct Row {
        source: String,
        event_id: String,
        event_type: String,
        subject: String,
        occurred_at: Option<At<Timestamp>>,
        received_at: Option<At<MachineTime>>,
        seen: i64,
        body: Vec<u8>,
        state: String,
        why: Option<String>,
        attempts: i64,
        next_attempt_at: Option<At<MachineTime>>,
        last_error: Option<String>,
    }
}

impl Row {
    fn read(self) -> Result<InboxRow, Error> {
        let Some(received_at) = instant(self.received_at) else {
            let problem = "is empty".to_owned();
            return Err(Error::Corrupt { table: "inbox", column: "received_at", id: self.event_id, problem });
        };
        Ok(InboxRow {
            state: InboxState::read(&self.state, &self.event_id)?,
            source: self.source.into(),
            event_id: self.event_id.into(),
            event_type: self.event_type,
            subject: self.subject,
            occurred_at: instant(self.occurred_at),
            received_at,
            seen: self.seen,
            body: self.body.into(),
            why: self.why,
            attempts: self.attempts,
            next_attempt_at: instant(self.next_attempt_at),
            last_error: self.last_error,
        })
    }
}

/// The subjects with a delivery that is pending and due by `now`, at most `limit`, each once, the longest waiting
/// first.
///
/// # Errors
/// Only the database's own.
pub async fn pending_subjects(c: C<'_>, now: MachineTime, limit: i64) -> Result<Vec<(Source, String)>, Error> {
    row! { struct Waiting { source: String, subject: String } }
    let rows: Vec<Waiting> = sql!(
        c,
        all Waiting,
        "
        SELECT source, subject
        FROM inbox
        WHERE state = 'pending'
          AND (next_attempt_at IS NULL OR next_attempt_at <= $1)
        GROUP BY source, subject
        ORDER BY MIN(received_at), source, subject
        LIMIT $2",
        At(now),
        limit
    )?;
    Ok(rows.into_iter().map(|row| (row.source.into(), row.subject)).collect())
}

/// The deliveries about one subject that are pending and due by `now`, at most `limit`, oldest first.
///
/// # Errors
/// [`Error::Corrupt`], or the database's own.
pub async fn pending(
    c: C<'_>,
    source: &Source,
    subject: &str,
    now: MachineTime,
    limit: i64,
) -> Result<Vec<InboxRow>, Error> {
    let rows: Vec<Row> = sql!(
        c,
        all Row,
        "
        SELECT source, event_id, event_type, subject, occurred_at, received_at, seen, body, state, why, attempts, next_attempt_at, last_error
        FROM inbox
        WHERE source = $1
          AND subject = $2
          AND state = 'pending'
          AND (next_attempt_at IS NULL OR next_attempt_at <= $3)
        ORDER BY received_at, event_id
        LIMIT $4",
        source.as_str(),
        subject,
        At(now),
        limit
    )?;
    rows.into_iter().map(Row::read).collect()
}

/// What [`dialect::mark_deliveries`] writes; `None` leaves `why` and `error` as they are.
pub(crate) struct Mark<'a> {
    pub(crate) state: InboxState,
    pub(crate) why: Option<&'a str>,
    pub(crate) error: Option<&'a str>,
    pub(crate) next_attempt_at: Option<MachineTime>,
    /// Added to the tries that count.
    pub(crate) attempts: i64,
}

/// Closes those of a list of deliveries that are pending: what they were about is settled. Answers how many.
///
/// # Errors
/// Only the database's own.
pub async fn settle(tx: &mut Tx, source: &Source, ids: &[EventId], why: &str) -> Result<u64, Error> {
    let mark = Mark { state: InboxState::Done, why: Some(why), error: None, next_attempt_at: None, attempts: 0 };
    dialect::mark_deliveries(tx.c(), source, ids, &mark).await
}

/// Closes those of a list of deliveries that are pending: there is nothing to do. Answers how many.
///
/// # Errors
/// Only the database's own.
pub async fn ignore(tx: &mut Tx, source: &Source, ids: &[EventId], why: &str) -> Result<u64, Error> {
    let mark = Mark { state: InboxState::Ignored, why: Some(why), error: None, next_attempt_at: None, attempts: 0 };
    dialect::mark_deliveries(tx.c(), source, ids, &mark).await
}

/// Postpones those of a list of deliveries that are pending. `count`: whether this try counts as failed. Answers how
/// many.
///
/// # Errors
/// Only the database's own.
pub async fn retry(
    tx: &mut Tx,
    source: &Source,
    ids: &[EventId],
    error: &str,
    next_attempt_at: MachineTime,
    count: bool,
) -> Result<u64, Error> {
    let mark = Mark {
        state: InboxState::Pending,
        why: None,
        error: Some(error),
        next_attempt_at: Some(next_attempt_at),
        attempts: i64::from(count),
    };
    dialect::mark_deliveries(tx.c(), source, ids, &mark).await
}

/// Gives up those of a list of deliveries that are pending; the last try counts. Answers how many.
///
/// # Errors
/// Only the database's own.
pub async fn dead(tx: &mut Tx, source: &Source, ids: &[EventId], error: &str) -> Result<u64, Error> {
    let mark = Mark { state: InboxState::Dead, why: None, error: Some(error), next_attempt_at: None, attempts: 1 };
    dialect::mark_deliveries(tx.c(), source, ids, &mark).await
}

/// Makes a closed delivery pending again, with all its tries before it; `false` when it is pending or not there.
///
/// # Errors
/// Only the database's own.
pub async fn replay(tx: &mut Tx, source: &Source, id: &EventId) -> Result<bool, Error> {
    let rows = sql!(
        tx.c(),
        exec,
        "
        UPDATE inbox
        SET state = 'pending', attempts = 0, next_attempt_at = NULL
        WHERE source = $1
          AND event_id = $2
          AND state <> 'pending'",
        source.as_str(),
        id.as_str()
    )?;
    Ok(rows == 1)
}

/// Reads one.
///
/// # Errors
/// [`Error::Corrupt`], or the database's own.
pub async fn get(c: C<'_>, source: &Source, id: &EventId) -> Result<Option<InboxRow>, Error> {
    let row: Option<Row> = sql!(
        c,
        opt Row,
        "
        SELECT source, event_id, event_type, subject, occurred_at, received_at, seen, body, state, why, attempts, next_attempt_at, last_error
        FROM inbox
        WHERE source = $1
          AND event_id = $2",
        source.as_str(),
        id.as_str()
    )?;
    row.map(Row::read).transpose()
}

/// Which deliveries to list; what is `None` does not filter.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// In this state.
    pub state: Option<InboxState>,
    /// From this sender.
    pub source: Option<Source>,
    /// About this subject, as the inbox holds it.
    pub subject: Option<String>,
    /// Received before this instant: the `received_at` of the last row of the page before.
    pub before: Option<MachineTime>,
}

/// Reads at most `limit` deliveries, the newest first.
///
/// # Errors
/// [`Error::Corrupt`], or the database's own.
pub async fn list(c: C<'_>, filter: &Filter, limit: i64) -> Result<Vec<InboxRow>, Error> {
    let before = At(filter.before.unwrap_or(MachineTime::from_micros(i64::MAX)));
    let source = filter.source.as_ref().map_or("", Source::as_str);
    let subject = filter.subject.as_deref().unwrap_or_default();
    let state = filter.state.map_or("", InboxState::as_str);
    // One statement for each index, so that the few dead ones among millions are found without reading the others.
    macro_rules! select {
        ($condition:literal) => {
            sql!(
                c,
                all Row,
                concat!(
                    "
                    SELECT source, event_id, event_type, subject, occurred_at, received_at, seen, body, state, why, attempts, next_attempt_at, last_error
                    FROM inbox
                    WHERE ", $condition, "
                      AND received_at < $2
                      AND ($3 = '' OR source = $3)
                      AND ($4 = '' OR subject = $4)
                    ORDER BY received_at DESC, source, event_id
                    LIMIT $5"
                ),
                state,
                before,
                source,
                subject,
                limit
            )?
        };
    }
    let rows: Vec<Row> = match filter.state {
        None => select!("$1 = ''"),
        Some(InboxState::Pending) => select!("state = 'pending' AND $1 = 'pending'"),
        Some(InboxState::Done | InboxState::Ignored | InboxState::Dead) => select!("state <> 'pending' AND state = $1"),
    };
    rows.into_iter().map(Row::read).collect()
}

/// How many deliveries stand where; a state without any is not named.
///
/// # Errors
/// [`Error::Corrupt`], or the database's own.
pub async fn counts(c: C<'_>) -> Result<Vec<(InboxState, i64)>, Error> {
    row! { struct Count { state: String, deliveries: i64 } }
    // In two halves, each of which has an index that holds all of the answer.
    let rows: Vec<Count> = sql!(
        c,
        all Count,
        "
        SELECT state, COUNT(*) AS deliveries
        FROM inbox
        WHERE state = 'pending'
        GROUP BY state
        UNION ALL
        SELECT state, COUNT(*) AS deliveries
        FROM inbox
        WHERE state <> 'pending'
        GROUP BY state
        ORDER BY state"
    )?;
    rows.into_iter().map(|row| Ok((InboxState::read(&row.state, "a count")?, row.deliveries))).collect()
}
