//! Every delivery that we acknowledged, raw, once. The inbox is the queue.

mod operator;
mod writer;

use bytes::Bytes;
use tollkeeper_core::{
    ids::{EventId, Source},
    time::{MachineTime, Timestamp},
};

use crate::{
    C, Error, Tx, dialect,
    value::{At, at, instant},
};

pub use operator::{Filter, Replay, Trouble, about, arrived, counts, get, list, replay, replay_all, senders, troubles};
pub use writer::{Delivery, Put, Writer};

/// Rows in one statement: SQLite takes 32 766 values.
const PER_STATEMENT: usize = 500;

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
    pub(crate) struct Row {
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

/// The subjects with a delivery that is pending and due by `now`, in the order of their names and each once: at most
/// `limit`, those after `after`, other than those of the source `except`. Whoever goes round finds everybody, and pays for
/// few even when many wait.
///
/// # Errors
/// Only the database's own.
pub async fn pending_subjects(
    c: C<'_>,
    after: &(Source, String),
    now: MachineTime,
    except: Option<&Source>,
    limit: i64,
) -> Result<Vec<(Source, String)>, Error> {
    row! { struct Waiting { source: String, subject: String } }
    let rows: Vec<Waiting> = sql!(
        c,
        all Waiting,
        "
        SELECT source, subject
        FROM inbox
        WHERE state = 'pending'
          AND (source, subject) > ($1, $2)
          AND (next_attempt_at IS NULL OR next_attempt_at <= $3)
          AND source <> $4
        GROUP BY source, subject
        ORDER BY source, subject
        LIMIT $5 + 0",
        after.0.as_str(),
        &after.1,
        At(now),
        except.map_or("", |source| source.as_str()),
        limit
    )?;
    Ok(rows.into_iter().map(|row| (row.source.into(), row.subject)).collect())
}

/// The ids of deliveries of a source that are pending, also those that wait to be tried again, each with its subject: at
/// most `limit`.
///
/// # Errors
/// Only the database's own.
pub async fn pending_ids(c: C<'_>, source: &Source, limit: i64) -> Result<Vec<(String, EventId)>, Error> {
    row! { struct Waiting { subject: String, event_id: String } }
    let rows: Vec<Waiting> = sql!(
        c,
        all Waiting,
        "
        SELECT subject, event_id
        FROM inbox
        WHERE state = 'pending'
          AND source = $1
        ORDER BY subject
        LIMIT $2 + 0",
        source.as_str(),
        limit
    )?;
    Ok(rows.into_iter().map(|row| (row.subject, row.event_id.into())).collect())
}

/// The deliveries about some subjects that are pending and due by `now`: of each subject at most `limit`, oldest first.
///
/// # Errors
/// [`Error::Corrupt`], or the database's own.
pub async fn pending(
    c: C<'_>,
    subjects: &[(&Source, &str)],
    now: MachineTime,
    limit: i64,
) -> Result<Vec<InboxRow>, Error> {
    let rows = dialect::pending(c, subjects, now, limit).await?;
    let mut rows: Vec<InboxRow> = rows.into_iter().map(Row::read).collect::<Result<_, _>>()?;
    // Nothing says in which order the parts come.
    rows.sort_by(|a, b| (a.received_at, &a.event_id).cmp(&(b.received_at, &b.event_id)));
    Ok(rows)
}

/// What becomes of deliveries; `None` leaves `why` and `error` as they are.
struct Mark<'a> {
    state: InboxState,
    why: Option<&'a str>,
    error: Option<&'a str>,
    next_attempt_at: Option<MachineTime>,
    /// Added to the tries that count.
    attempts: i64,
}

/// Gives the pending ones of a list of deliveries another state.
async fn mark(tx: &mut Tx, source: &Source, ids: &[EventId], mark: &Mark<'_>) -> Result<u64, Error> {
    let ids: Vec<&str> = ids.iter().map(EventId::as_str).collect();
    // `pending` is a parameter, so that no plan reads the index of all that is pending instead of the key.
    sql!(
        tx.c(),
        exec among &ids,
        "
        UPDATE inbox
        SET state = $3, why = COALESCE($4, why), last_error = COALESCE($5, last_error), next_attempt_at = $6, attempts = attempts + $7
        WHERE source = $2
          AND event_id",
        "AND state = $8",
        source.as_str(),
        mark.state.as_str(),
        mark.why,
        mark.error,
        at(mark.next_attempt_at),
        mark.attempts,
        InboxState::Pending.as_str()
    )
}

/// Closes those of a list of deliveries that are pending: what they were about is settled. Answers how many.
///
/// # Errors
/// Only the database's own.
pub async fn settle(tx: &mut Tx, source: &Source, ids: &[EventId], why: &str) -> Result<u64, Error> {
    settle_all(tx, &ids.iter().map(|id| (source, id, why)).collect::<Vec<_>>()).await
}

/// As [`settle`] for deliveries of several sources, each with its own reason.
///
/// # Errors
/// Only the database's own.
pub async fn settle_all(tx: &mut Tx, all: &[(&Source, &EventId, &str)]) -> Result<u64, Error> {
    let mut settled = 0;
    for some in all.chunks(PER_STATEMENT) {
        settled += sql!(
            tx.c(),
            exec rows some,
            "
            WITH answered (source, event_id, why, was) AS (",
            ")
            UPDATE inbox
            SET state = 'done', why = answered.why, next_attempt_at = NULL
            FROM answered
            WHERE inbox.event_id = answered.event_id
              AND inbox.source = answered.source
              AND inbox.state = answered.was",
            |one| (one.0.as_str(), one.1.as_str(), one.2, InboxState::Pending.as_str())
        )?;
    }
    Ok(settled)
}

/// Closes those of a list of deliveries that are pending: there is nothing to do. Answers how many.
///
/// # Errors
/// Only the database's own.
pub async fn ignore(tx: &mut Tx, source: &Source, ids: &[EventId], why: &str) -> Result<u64, Error> {
    let done = Mark { state: InboxState::Ignored, why: Some(why), error: None, next_attempt_at: None, attempts: 0 };
    mark(tx, source, ids, &done).await
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
    let done = Mark {
        state: InboxState::Pending,
        why: None,
        error: Some(error),
        next_attempt_at: Some(next_attempt_at),
        attempts: i64::from(count),
    };
    mark(tx, source, ids, &done).await
}

/// Gives up those of a list of deliveries that are pending; the last try counts. Answers how many.
///
/// # Errors
/// Only the database's own.
pub async fn dead(tx: &mut Tx, source: &Source, ids: &[EventId], error: &str) -> Result<u64, Error> {
    let done = Mark { state: InboxState::Dead, why: None, error: Some(error), next_attempt_at: None, attempts: 1 };
    mark(tx, source, ids, &done).await
}
