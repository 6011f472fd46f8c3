//! What was decided about an organization, in order.

use sqlx::types::Json;
use tollkeeper_core::{
    ids::{OrganizationId, SubscriptionId},
    time::Timestamp,
};

use crate::{
    C, Cause, CauseKind, Decision, Error, Tx,
    value::{At, instant},
};

/// One decision.
#[derive(Clone, Debug, PartialEq)]
pub struct HistoryRow {
    /// The organization.
    pub organization_id: OrganizationId,
    /// Its version because of this decision.
    pub seq: i64,
    /// When, in business time.
    pub at: Timestamp,
    /// What made us decide.
    pub cause: Cause,
    /// The row that changed, if one did.
    pub subscription_id: Option<SubscriptionId>,
    /// That row before, as JSON; `None` when it was new.
    pub before: Option<serde_json::Value>,
    /// That row after, as JSON; its `version` is what the decision carried, not what the row has.
    pub after: Option<serde_json::Value>,
    /// A sentence for the console.
    pub why: String,
}

row! {
    struct Row {
        organization_id: String,
        seq: i64,
        at: Option<At<Timestamp>>,
        cause: String,
        cause_id: String,
        subscription_id: Option<String>,
        before: Option<Json<serde_json::Value>>,
        after: Option<Json<serde_json::Value>>,
        why: String,
    }
}

impl Row {
    fn read(self) -> Result<HistoryRow, Error> {
        let id = format!("{}/{}", self.organization_id, self.seq);
        let corrupt = |column, problem: String| Error::Corrupt { table: "history", column, id: id.clone(), problem };
        let Some(kind) = CauseKind::ALL.into_iter().find(|kind| kind.as_str() == self.cause) else {
            return Err(corrupt("cause", format!("is `{}`", self.cause)));
        };
        let at = instant(self.at).ok_or_else(|| corrupt("at", "is empty".to_owned()))?;
        Ok(HistoryRow {
            organization_id: self.organization_id.into(),
            seq: self.seq,
            at,
            cause: Cause { kind, id: self.cause_id },
            subscription_id: self.subscription_id.map(Into::into),
            before: self.before.map(|document| document.0),
            after: self.after.map(|document| document.0),
            why: self.why,
        })
    }
}

pub(crate) async fn insert(tx: &mut Tx, decisions: &[&Decision<'_>], now: Timestamp) -> Result<(), Error> {
    sql!(
        tx.c(),
        exec rows decisions,
        "INSERT INTO history (organization_id, seq, at, cause, cause_id, subscription_id, before, after, why)",
        "",
        |decision| (
            decision.before.organization.id.as_str(),
            decision.seq(),
            At(now),
            decision.cause.kind.as_str(),
            &decision.cause.id,
            decision.transition.next.as_ref().map(|row| row.id.as_str()),
            decision.transition.before.as_ref().map(Json),
            decision.transition.next.as_ref().map(Json),
            &decision.transition.why
        )
    )?;
    Ok(())
}

/// Reads at most `limit` decisions about an organization, oldest first, those after `after_seq`.
///
/// # Errors
/// [`Error::Corrupt`], or the database's own.
pub async fn list(
    c: C<'_>,
    organization: &OrganizationId,
    after_seq: i64,
    limit: i64,
) -> Result<Vec<HistoryRow>, Error> {
    let rows: Vec<Row> = sql!(
        c,
        all Row,
        "
        SELECT organization_id, seq, at, cause, cause_id, subscription_id, before, after, why
        FROM history
        WHERE organization_id = $1
          AND seq > $2
        ORDER BY seq
        LIMIT $3 + 0",
        organization.as_str(),
        after_seq,
        limit
    )?;
    rows.into_iter().map(Row::read).collect()
}

/// Reads at most `limit` decisions about an organization, the newest first, those before `before_seq`.
///
/// # Errors
/// [`Error::Corrupt`], or the database's own.
pub async fn newest(
    c: C<'_>,
    organization: &OrganizationId,
    before_seq: i64,
    limit: i64,
) -> Result<Vec<HistoryRow>, Error> {
    let rows: Vec<Row> = sql!(
        c,
        all Row,
        "
        SELECT organization_id, seq, at, cause, cause_id, subscription_id, before, after, why
        FROM history
        WHERE organization_id = $1
          AND seq < $2
        ORDER BY seq DESC
        LIMIT $3 + 0",
        organization.as_str(),
        before_seq,
        limit
    )?;
    rows.into_iter().map(Row::read).collect()
}
