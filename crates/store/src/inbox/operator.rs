//! What a person does with the inbox: look, count, and have things worked on again.

use std::collections::BTreeMap;

use tollkeeper_core::{
    ids::{EventId, Source},
    time::MachineTime,
};

use super::{InboxRow, InboxState, Row};
use crate::{
    C, Error, Tx, dialect,
    value::{At, instant},
};

/// Makes a delivery as it was when it came: pending, at once, with all its tries before it and nothing told of what became
/// of it. One that waits for its next try waits no longer. `false` when there is none.
///
/// # Errors
/// Only the database's own.
pub async fn replay(tx: &mut Tx, source: &Source, id: &EventId) -> Result<bool, Error> {
    let rows = sql!(
        tx.c(),
        exec,
        "
        UPDATE inbox
        SET state = 'pending', attempts = 0, next_attempt_at = NULL, why = NULL, last_error = NULL
        WHERE source = $1
          AND event_id = $2",
        source.as_str(),
        id.as_str()
    )?;
    Ok(rows == 1)
}

/// Which deliveries to work on again; the default is everything that was given up.
#[derive(Clone, Debug, Default)]
pub struct Replay {
    /// From this sender; `None` is any.
    pub source: Option<Source>,
    /// Received at or after this instant.
    pub from: Option<MachineTime>,
    /// Received before this instant.
    pub until: Option<MachineTime>,
    /// Those too that were settled or ignored.
    pub closed: bool,
}

/// Makes closed deliveries as they were when they came, as [`replay`] does; answers how many. One statement: a wide
/// range holds up other writers of SQLite for as long as it takes.
///
/// # Errors
/// Only the database's own.
pub async fn replay_all(tx: &mut Tx, which: &Replay) -> Result<u64, Error> {
    let closed = if which.closed { [InboxState::Done, InboxState::Ignored] } else { [InboxState::Dead; 2] };
    sql!(
        tx.c(),
        exec,
        "
        UPDATE inbox
        SET state = 'pending', attempts = 0, next_attempt_at = NULL, why = NULL, last_error = NULL
        WHERE state <> 'pending'
          AND state IN ('dead', $1, $2)
          AND received_at >= $3
          AND received_at < $4
          AND ($5 = '' OR source = $5)",
        closed[0].as_str(),
        closed[1].as_str(),
        At(which.from.unwrap_or(MachineTime::from_micros(i64::MIN))),
        At(which.until.unwrap_or(MachineTime::from_micros(i64::MAX))),
        which.source.as_ref().map_or("", Source::as_str)
    )
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

/// A statement for each index, so that the few that are wanted among millions are found without reading the others: `$1` is
/// the state, `$3` the source, `$4` the subject. No engine has figures about the inbox that it could choose by, and each
/// likes an index that spares it sorting: inside of `COALESCE` a column takes part in no such choice.
macro_rules! newest_where {
    ($condition:literal, $received_at:literal) => {
        concat!(
            "
            SELECT source, event_id, event_type, subject, occurred_at, received_at, seen, substr(body, 1, 0) AS body, state, why, attempts, next_attempt_at, last_error
            FROM inbox
            WHERE ", $condition, "
              AND ", $received_at, " < $2
            ORDER BY ", $received_at, " DESC, source, event_id
            LIMIT $5 + 0"
        )
    };
}
/// By `inbox_received`.
const ALL: &str = newest_where!("$1 = '' AND $3 = '' AND $4 = ''", "received_at");
/// By `inbox_pending`, all of it: few wait, or somebody wants to know about them.
const WAITING: &str = newest_where!(
    "state = 'pending' AND $1 = state AND ($3 = '' OR source = $3) AND ($4 = '' OR subject = $4)",
    "COALESCE(received_at, $2)"
);
/// By `inbox_closed`.
const CLOSED: &str = newest_where!("state <> 'pending' AND state = $1 AND $3 = '' AND $4 = ''", "received_at");
/// By `inbox_from`.
const FROM: &str = newest_where!("state <> 'pending' AND state = $1 AND source = $3 AND $4 = ''", "received_at");
/// By `inbox_about`.
const ABOUT: &str = newest_where!(
    "state <> 'pending' AND COALESCE(state, '') = $1 AND ($3 = '' OR source = $3) AND subject = $4",
    "received_at"
);

/// Reads at most `limit` deliveries, the newest first, without their bodies.
///
/// # Errors
/// [`Error::Corrupt`], or the database's own.
pub async fn list(mut c: C<'_>, filter: &Filter, limit: i64) -> Result<Vec<InboxRow>, Error> {
    let before = At(filter.before.unwrap_or(MachineTime::from_micros(i64::MAX)));
    let source = filter.source.as_ref().map_or("", Source::as_str);
    let subject = filter.subject.as_deref().unwrap_or_default();
    let mut rows: Vec<Row> = Vec::new();
    if (filter.state, source, subject) == (None, "", "") {
        rows = sql!(c.again(), all Row, ALL, "", before, source, subject, limit)?;
    } else {
        for state in InboxState::ALL.into_iter().filter(|state| filter.state.is_none_or(|wanted| wanted == *state)) {
            let statement = match state {
                InboxState::Pending => WAITING,
                _ if !subject.is_empty() => ABOUT,
                _ if !source.is_empty() => FROM,
                InboxState::Done | InboxState::Ignored | InboxState::Dead => CLOSED,
            };
            let some: Vec<Row> = sql!(c.again(), all Row, statement, state.as_str(), before, source, subject, limit)?;
            rows.extend(some);
        }
    }
    newest(rows, limit)
}

/// Reads at most `limit` deliveries received at or after `from`, the oldest first, without their bodies.
///
/// # Errors
/// [`Error::Corrupt`], or the database's own.
pub async fn arrived(c: C<'_>, from: MachineTime, limit: i64) -> Result<Vec<InboxRow>, Error> {
    let rows: Vec<Row> = sql!(
        c,
        all Row,
        "
        SELECT source, event_id, event_type, subject, occurred_at, received_at, seen, substr(body, 1, 0) AS body, state, why, attempts, next_attempt_at, last_error
        FROM inbox
        WHERE received_at >= $1
        ORDER BY received_at, source, event_id
        LIMIT $2 + 0",
        At(from),
        limit
    )?;
    rows.into_iter().map(Row::read).collect()
}

/// The newest `limit` of several lists.
fn newest(rows: Vec<Row>, limit: i64) -> Result<Vec<InboxRow>, Error> {
    let mut rows: Vec<InboxRow> = rows.into_iter().map(Row::read).collect::<Result<_, _>>()?;
    rows.sort_by(|a, b| {
        b.received_at.cmp(&a.received_at).then_with(|| (&a.source, &a.event_id).cmp(&(&b.source, &b.event_id)))
    });
    rows.truncate(usize::try_from(limit).unwrap_or_default());
    Ok(rows)
}

/// The newest `limit` deliveries about any of some subjects, without their bodies. Every subject costs a look into the
/// indexes; SQLite takes 200 at most.
///
/// # Errors
/// [`Error::Corrupt`], or the database's own.
pub async fn about(c: C<'_>, subjects: &[(&Source, &str)], limit: i64) -> Result<Vec<InboxRow>, Error> {
    newest(dialect::about(c, subjects, limit).await?, limit)
}

/// Who sent deliveries with these ids; one may be several senders'.
///
/// # Errors
/// Only the database's own.
pub async fn senders(c: C<'_>, ids: &[&str]) -> Result<Vec<(EventId, Source)>, Error> {
    row! { struct Sent { event_id: String, source: String } }
    let rows: Vec<Sent> = sql!(
        c,
        all Sent among ids,
        "
        SELECT event_id, source
        FROM inbox
        WHERE event_id",
        "ORDER BY event_id, source"
    )?;
    Ok(rows.into_iter().map(|row| (row.event_id.into(), row.source.into())).collect())
}

/// What a person should look at: what is not settled of one sender's deliveries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// Who sent them.
    pub source: Source,
    /// Given up.
    pub dead: i64,
    /// To be worked on.
    pub waiting: i64,
    /// Of these, how many were tried or put off, and wait for their time.
    pub failing: i64,
    /// When the first of those that wait came.
    pub oldest: Option<MachineTime>,
}

/// Counts what waits.
const WAITS: &str = "
    SELECT source, COUNT(*) AS waiting, COUNT(next_attempt_at) AS failing, MIN(received_at) AS oldest
    FROM inbox
    WHERE state = 'pending'
    GROUP BY source";
/// Counts what was given up. In the order of its index: by another one, all that was ever settled would be read.
const GIVEN_UP: &str = "
    SELECT source, COUNT(*) AS dead
    FROM (
        SELECT source
        FROM inbox
        WHERE state <> 'pending'
          AND state = 'dead'
        ORDER BY received_at DESC
        LIMIT 100000
    ) AS given_up
    GROUP BY source";

/// Counts what is not settled, by sender; one without any is not named. Of what was given up, the newest 100,000 count.
/// Looks at indexes of that, and at nothing else.
///
/// # Errors
/// Only the database's own.
pub async fn troubles(mut c: C<'_>) -> Result<Vec<Trouble>, Error> {
    row! { struct Waiting { source: String, waiting: i64, failing: i64, oldest: Option<At<MachineTime>> } }
    row! { struct Dead { source: String, dead: i64 } }
    let waiting: Vec<Waiting> = sql!(c.again(), all Waiting, WAITS)?;
    let dead: Vec<Dead> = sql!(c.again(), all Dead, GIVEN_UP)?;
    let mut all: BTreeMap<String, Trouble> = BTreeMap::new();
    for row in waiting {
        let (waiting, failing, oldest) = (row.waiting, row.failing, instant(row.oldest));
        all.insert(row.source.clone(), Trouble { source: row.source.into(), dead: 0, waiting, failing, oldest });
    }
    for row in dead {
        let none = Trouble { source: row.source.as_str().into(), dead: 0, waiting: 0, failing: 0, oldest: None };
        all.entry(row.source).or_insert(none).dead = row.dead;
    }
    Ok(all.into_values().collect())
}

/// How many deliveries stand where; a source and state without any is not named.
///
/// # Errors
/// [`Error::Corrupt`], or the database's own.
pub async fn counts(c: C<'_>) -> Result<Vec<(Source, InboxState, i64)>, Error> {
    row! { struct Count { source: String, state: String, deliveries: i64 } }
    // In two halves, each of which has an index that holds all of the answer, in this order.
    let rows: Vec<Count> = sql!(
        c,
        all Count,
        "
        SELECT source, state, COUNT(*) AS deliveries
        FROM inbox
        WHERE state = 'pending'
        GROUP BY state, source
        UNION ALL
        SELECT source, state, COUNT(*) AS deliveries
        FROM inbox
        WHERE state <> 'pending'
        GROUP BY state, source
        ORDER BY source, state"
    )?;
    let read = |row: Count| Ok((row.source.into(), InboxState::read(&row.state, "a count")?, row.deliveries));
    rows.into_iter().map(read).collect()
}

#[cfg(test)]
mod tests {
    use tollkeeper_testkit::both_engines;

    use super::*;

    both_engines! {
        async fn every_list_is_read_from_an_index(db: TestDb) {
            let some = "'', now(), '', '', 9";
            for (statement, asks, index) in [
                (ALL, some, "inbox_received"),
                (WAITING, some, "inbox_pending"),
                (CLOSED, some, "inbox_closed"),
                (FROM, some, "inbox_from"),
                (ABOUT, some, "inbox_about"),
                (WAITS, "", "inbox_pending"),
                (GIVEN_UP, "", "inbox_closed"),
            ] {
                let plan = dialect::plan(db.url(), statement, asks).await;
                assert!(plan.contains(index), "{index}: {plan}");
            }
        }
    }
}
