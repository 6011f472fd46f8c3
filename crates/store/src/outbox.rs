//! What we owe the product: each effect once for every sink, in order.

use std::collections::HashSet;

use sqlx::types::Json;
use tollkeeper_core::{
    effect::{Effect, EffectKind},
    ids::OrganizationId,
    time::{MachineTime, Timestamp},
};

use crate::{
    C, Decision, Error, Tx,
    value::{At, at, instant},
};

/// Where an effect stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OutboxState {
    /// To be delivered.
    Pending,
    /// Delivered.
    Delivered,
    /// Given up; it no longer holds up what comes after it.
    Dead,
}

impl OutboxState {
    /// The spelling of the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Delivered => "delivered",
            Self::Dead => "dead",
        }
    }
}

/// One effect for one sink. Organization, seq and kind are its stable name towards the product.
#[derive(Clone, Debug, PartialEq)]
pub struct OutboxRow {
    /// The organization.
    pub organization_id: OrganizationId,
    /// The organization's version that caused it.
    pub seq: i64,
    /// What happened.
    pub kind: EffectKind,
    /// Who is to learn of it.
    pub sink: String,
    /// Its place among the effects of the same seq: the index in [`EffectKind::ALL`].
    pub position: i64,
    /// When it happened, in business time.
    pub at: Timestamp,
    /// The effect itself.
    pub payload: Effect,
    /// Where it stands.
    pub state: OutboxState,
    /// Failed tries so far.
    pub attempts: i64,
    /// When it is tried again; `None` is at once.
    pub next_attempt_at: Option<MachineTime>,
    /// Why the last try failed.
    pub last_error: Option<String>,
}

row! {
    struct Row {
        organization_id: String,
        seq: i64,
        kind: String,
        sink: String,
        position: i64,
        at: Option<At<Timestamp>>,
        payload: Json<Effect>,
        state: String,
        attempts: i64,
        next_attempt_at: Option<At<MachineTime>>,
        last_error: Option<String>,
    }
}

impl Row {
    fn read(self) -> Result<OutboxRow, Error> {
        let id = format!("{}/{}/{}/{}", self.organization_id, self.seq, self.kind, self.sink);
        let corrupt = |column, problem: String| Error::Corrupt { table: "outbox", column, id: id.clone(), problem };
        let kind = EffectKind::parse(&self.kind).ok_or_else(|| corrupt("kind", "names no effect".to_owned()))?;
        let state = match self.state.as_str() {
            "pending" => OutboxState::Pending,
            "delivered" => OutboxState::Delivered,
            "dead" => OutboxState::Dead,
            other => return Err(corrupt("state", format!("is `{other}`"))),
        };
        Ok(OutboxRow {
            at: instant(self.at).ok_or_else(|| corrupt("at", "is empty".to_owned()))?,
            organization_id: self.organization_id.into(),
            seq: self.seq,
            kind,
            sink: self.sink,
            position: self.position,
            payload: self.payload.0,
            state,
            attempts: self.attempts,
            next_attempt_at: instant(self.next_attempt_at),
            last_error: self.last_error,
        })
    }
}

/// Writes what decisions owe, once for every sink.
pub(crate) async fn insert(
    tx: &mut Tx,
    decisions: &[&Decision<'_>],
    sinks: &[&str],
    now: Timestamp,
) -> Result<(), Error> {
    let position = |kind: EffectKind| EffectKind::ALL.iter().position(|known| *known == kind);
    let effects =
        decisions.iter().flat_map(|decision| decision.transition.effects.iter().map(move |it| (decision, it)));
    let owed: Vec<_> = effects
        .flat_map(|(decision, effect)| {
            let position = position(effect.kind).and_then(|place| i64::try_from(place).ok()).unwrap_or(i64::MAX);
            sinks.iter().map(move |sink| (decision, effect, *sink, position))
        })
        .collect();
    sql!(
        tx.c(),
        exec rows owed,
        "INSERT INTO outbox (organization_id, seq, kind, sink, position, at, payload)",
        "",
        |owed| (
            owed.0.before.organization.id.as_str(),
            owed.0.seq(),
            owed.1.kind.as_str(),
            owed.2,
            owed.3,
            At(now),
            Json(owed.1)
        )
    )?;
    Ok(())
}

/// The organizations that are owed something on this sink, the oldest of it due by `now`: at most `limit`, by id, those after
/// `after`. What was given up does not count, so it holds up nothing.
///
/// # Errors
/// Only the database's own.
pub async fn owing(
    c: C<'_>,
    sink: &str,
    after: &str,
    now: MachineTime,
    limit: i64,
) -> Result<Vec<OrganizationId>, Error> {
    // In the index's own order, and the oldest by itself: asked otherwise, Postgres reads all that was ever told while it
    // has no statistics.
    row! { struct Owing { organization_id: String } }
    let rows: Vec<Owing> = sql!(
        c,
        all Owing,
        "
        SELECT organization_id
        FROM outbox AS head
        WHERE sink = $1
          AND state = 'pending'
          AND organization_id > $2
          AND (next_attempt_at IS NULL OR next_attempt_at <= $3)
          AND (seq, position) = (
            SELECT earlier.seq, earlier.position
            FROM outbox AS earlier
            WHERE earlier.sink = $1
              AND earlier.state = 'pending'
              AND earlier.organization_id = head.organization_id
            ORDER BY earlier.seq, earlier.position
            LIMIT 1
          )
        ORDER BY organization_id, seq, position
        LIMIT $4 + 0",
        sink,
        after,
        At(now),
        limit
    )?;
    Ok(rows.into_iter().map(|row| row.organization_id.into()).collect())
}

/// What organizations are owed on this sink: by organization and oldest first, of each up to the first that is not due by
/// `now`, and at most `limit` in all.
///
/// Whoever holds the organizations' turns asks again before telling: what [`owing`] said may have been told meanwhile.
///
/// # Errors
/// [`Error::Corrupt`], or the database's own.
pub async fn due(
    c: C<'_>,
    sink: &str,
    organizations: &[&str],
    now: MachineTime,
    limit: i64,
) -> Result<Vec<OutboxRow>, Error> {
    let rows: Vec<Row> = sql!(
        c,
        all Row among organizations,
        "
        SELECT organization_id, seq, kind, sink, position, at, payload, state, attempts, next_attempt_at, last_error
        FROM outbox
        WHERE organization_id",
        "AND sink = $2
          AND state = 'pending'
        ORDER BY organization_id, seq, position
        LIMIT $3 + 0",
        sink,
        limit
    )?;
    let mut rows = rows.into_iter().map(Row::read).collect::<Result<Vec<_>, _>>()?;
    let mut waits = None;
    rows.retain(|row| {
        if row.next_attempt_at.is_some_and(|at| at > now) {
            waits = Some(row.organization_id.clone());
        }
        waits.as_ref() != Some(&row.organization_id)
    });
    Ok(rows)
}

/// Notes that sinks have those of `rows` that are pending; answers for each whether it was, in their order.
///
/// # Errors
/// Only the database's own.
pub async fn delivered(tx: &mut Tx, rows: &[&OutboxRow]) -> Result<Vec<bool>, Error> {
    row! { struct Told { organization_id: String, seq: i64, kind: String, sink: String } }
    let told: Vec<Told> = sql!(
        tx.c(),
        all Told rows rows,
        "
        WITH told (organization_id, seq, kind, sink) AS (",
        ")
        UPDATE outbox
        SET state = 'delivered', next_attempt_at = NULL
        FROM told
        WHERE outbox.organization_id = told.organization_id
          AND outbox.seq = told.seq
          AND outbox.kind = told.kind
          AND outbox.sink = told.sink
          AND outbox.state = 'pending'
        RETURNING outbox.organization_id, outbox.seq, outbox.kind, outbox.sink",
        |row| (row.organization_id.as_str(), row.seq, row.kind.as_str(), row.sink.as_str())
    )?;
    let told: HashSet<_> =
        told.iter().map(|row| (row.organization_id.as_str(), row.seq, row.kind.as_str(), row.sink.as_str())).collect();
    let was = |row: &&OutboxRow| {
        told.contains(&(row.organization_id.as_str(), row.seq, row.kind.as_str(), row.sink.as_str()))
    };
    Ok(rows.iter().map(was).collect())
}

/// Notes a failed try, and when to try again; `false` when it was not pending any more.
///
/// # Errors
/// Only the database's own.
pub async fn retry(
    tx: &mut Tx,
    organization: &OrganizationId,
    seq: i64,
    kind: EffectKind,
    sink: &str,
    next_attempt_at: MachineTime,
    error: &str,
) -> Result<bool, Error> {
    fail(tx, organization, seq, kind, sink, OutboxState::Pending, Some(next_attempt_at), error).await
}

/// Gives it up; `false` when it was not pending any more.
///
/// # Errors
/// Only the database's own.
pub async fn dead(
    tx: &mut Tx,
    organization: &OrganizationId,
    seq: i64,
    kind: EffectKind,
    sink: &str,
    error: &str,
) -> Result<bool, Error> {
    fail(tx, organization, seq, kind, sink, OutboxState::Dead, None, error).await
}

#[expect(clippy::too_many_arguments, reason = "the key of a row has four parts")]
async fn fail(
    tx: &mut Tx,
    organization: &OrganizationId,
    seq: i64,
    kind: EffectKind,
    sink: &str,
    state: OutboxState,
    next_attempt_at: Option<MachineTime>,
    error: &str,
) -> Result<bool, Error> {
    let rows = sql!(
        tx.c(),
        exec,
        "
        UPDATE outbox
        SET state = $5, next_attempt_at = $6, last_error = $7, attempts = attempts + 1
        WHERE organization_id = $1
          AND seq = $2
          AND kind = $3
          AND sink = $4
          AND state = 'pending'",
        organization.as_str(),
        seq,
        kind.as_str(),
        sink,
        state.as_str(),
        at(next_attempt_at),
        error
    )?;
    Ok(rows == 1)
}

/// Everything an organization was ever owed, in order of delivery, then by sink.
///
/// # Errors
/// [`Error::Corrupt`], or the database's own.
pub async fn list(c: C<'_>, organization: &OrganizationId) -> Result<Vec<OutboxRow>, Error> {
    let rows: Vec<Row> = sql!(
        c,
        all Row,
        "
        SELECT organization_id, seq, kind, sink, position, at, payload, state, attempts, next_attempt_at, last_error
        FROM outbox
        WHERE organization_id = $1
        ORDER BY seq, position, sink",
        organization.as_str()
    )?;
    rows.into_iter().map(Row::read).collect()
}

/// What decisions of an organization owed, from the one numbered `first` to the one numbered `last`, in order of delivery,
/// then by sink.
///
/// # Errors
/// [`Error::Corrupt`], or the database's own.
pub async fn between(c: C<'_>, organization: &OrganizationId, first: i64, last: i64) -> Result<Vec<OutboxRow>, Error> {
    let rows: Vec<Row> = sql!(
        c,
        all Row,
        "
        SELECT organization_id, seq, kind, sink, position, at, payload, state, attempts, next_attempt_at, last_error
        FROM outbox
        WHERE organization_id = $1
          AND seq >= $2
          AND seq <= $3
        ORDER BY seq, position, sink",
        organization.as_str(),
        first,
        last
    )?;
    rows.into_iter().map(Row::read).collect()
}

/// How many effects wait for delivery.
///
/// # Errors
/// Only the database's own.
pub async fn pending_count(c: C<'_>) -> Result<i64, Error> {
    row! { struct Count { pending: i64 } }
    let row: Count = sql!(
        c,
        one Count,
        "
        SELECT COUNT(*) AS pending
        FROM outbox
        WHERE state = 'pending'"
    )?;
    Ok(row.pending)
}

/// Counts what waits, and of that what was tried.
const WAITS: &str = "
    SELECT COUNT(*) AS waiting, COUNT(next_attempt_at) AS failing
    FROM outbox
    WHERE state = 'pending'";
/// Counts what was given up.
const GIVEN_UP: &str = "
    SELECT COUNT(at) AS dead
    FROM outbox
    WHERE state = 'dead'";
/// What was given up, the newest first.
const DEAD: &str = "
    SELECT organization_id, seq, kind, sink, position, at, payload, state, attempts, next_attempt_at, last_error
    FROM outbox
    WHERE state = 'dead'
    ORDER BY at DESC
    LIMIT $1 + 0";
/// What was tried and is tried again.
const FAILING: &str = "
    SELECT organization_id, seq, kind, sink, position, at, payload, state, attempts, next_attempt_at, last_error
    FROM outbox
    WHERE state = 'pending'
      AND next_attempt_at IS NOT NULL
    ORDER BY sink, organization_id, seq, position
    LIMIT $1 + 0";

/// What a person should look at among the effects.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Troubled {
    /// Given up.
    pub dead: i64,
    /// To be told.
    pub waiting: i64,
    /// Of these, how many were tried and wait for the next try.
    pub failing: i64,
}

/// Counts what is not delivered. Looks at indexes of that, and at nothing else.
///
/// # Errors
/// Only the database's own.
pub async fn troubled(mut c: C<'_>) -> Result<Troubled, Error> {
    row! { struct Waiting { waiting: i64, failing: i64 } }
    row! { struct Dead { dead: i64 } }
    let waiting: Waiting = sql!(c.again(), one Waiting, WAITS)?;
    let dead: Dead = sql!(c, one Dead, GIVEN_UP)?;
    Ok(Troubled { dead: dead.dead, waiting: waiting.waiting, failing: waiting.failing })
}

/// What was given up, the newest first, then what is tried again: at most `limit` of each.
///
/// # Errors
/// [`Error::Corrupt`], or the database's own.
pub async fn not_told(mut c: C<'_>, limit: i64) -> Result<Vec<OutboxRow>, Error> {
    let mut rows: Vec<Row> = sql!(c.again(), all Row, DEAD, limit)?;
    let failing: Vec<Row> = sql!(c, all Row, FAILING, limit)?;
    rows.extend(failing);
    rows.into_iter().map(Row::read).collect()
}

#[cfg(test)]
mod tests {
    use tollkeeper_testkit::both_engines;

    use super::*;
    use crate::dialect;

    both_engines! {
        async fn what_is_not_delivered_is_read_from_an_index(db: TestDb) {
            for (statement, asks, index) in [
                (WAITS, "", "outbox_pending"),
                (GIVEN_UP, "", "outbox_dead"),
                (DEAD, "9", "outbox_dead"),
                (FAILING, "9", "outbox_pending"),
            ] {
                let plan = dialect::plan(db.url(), statement, asks).await;
                assert!(plan.contains(index), "{index}: {plan}");
            }
        }
    }
}
