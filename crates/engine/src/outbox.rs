//! The worker of the outbox: effects reach the hooks in order per organization, at least once.

use std::collections::{HashMap, HashSet};

use futures_util::{FutureExt as _, future::BoxFuture};
use tollkeeper_core::{ids::OrganizationId, time::MachineTime};
use tollkeeper_store::outbox::{self, OutboxRow};

use crate::{
    Error, Tollkeeper, backoff,
    decide::SINKS,
    hooks::{self, Notice},
    together::{Line, Shared},
};

/// How many organizations are looked for at once.
const ORGANIZATIONS: i64 = 64;
/// How many effects are read at once.
const AT_ONCE: i64 = 256;

/// What an organization is owed, oldest first, and when its lease was taken.
pub(crate) struct Owed {
    rows: Vec<OutboxRow>,
    taken_at: MachineTime,
}

impl Shared for OutboxRow {
    /// Whether it was noted now, and not by somebody else before.
    type Outcome = bool;

    fn line(engine: &Tollkeeper) -> &Line<Self> {
        &engine.inner.delivered
    }

    fn work<'a>(
        engine: &'a Tollkeeper,
        all: &'a [&'a Self],
    ) -> BoxFuture<'a, Result<Vec<bool>, tollkeeper_store::Error>> {
        engine.inner.db.write(|tx| Box::pin(outbox::delivered(tx, all))).boxed()
    }
}

impl Tollkeeper {
    /// Organizations that are owed something which is due, going round among all of them: as many as there is room for now,
    /// under their leases. What waited with a lease might lose it before its turn, and another process would have told.
    pub(crate) async fn owed_organizations(
        &self,
        not: HashSet<OrganizationId>,
        room: usize,
    ) -> Result<Vec<(OrganizationId, Owed)>, Error> {
        let (sink, now) = (SINKS[0], self.machine_now());
        let mut last = self.inner.last_owed.lock().await;
        let mut conn = self.inner.db.read().await?;
        let mut found = outbox::owing(conn.c(), sink, &last, now, ORGANIZATIONS).await?;
        if found.is_empty() && !last.is_empty() {
            found = outbox::owing(conn.c(), sink, "", now, ORGANIZATIONS).await?;
        }
        drop(conn);
        let newest = found.last().cloned();
        found.retain(|id| !not.contains(id));
        found.truncate(room);
        *last = found.last().or(newest.as_ref()).map_or_else(String::new, ToString::to_string);
        drop(last);
        let (ours, taken_at) = self.take_all(&self.inner.told, found, lease_of).await?;
        if ours.is_empty() {
            return Ok(Vec::new());
        }
        // Asked under the leases: what was owed a moment ago may have been told by another process since.
        let ids: Vec<&str> = ours.iter().map(OrganizationId::as_str).collect();
        let mut owed: HashMap<OrganizationId, Vec<OutboxRow>> = HashMap::new();
        for row in outbox::due(self.inner.db.read().await?.c(), sink, &ids, now, AT_ONCE).await? {
            owed.entry(row.organization_id.clone()).or_default().push(row);
        }
        let with_rows = |id: OrganizationId| {
            let rows = owed.remove(&id).unwrap_or_default();
            (id, Owed { rows, taken_at })
        };
        Ok(ours.into_iter().map(with_rows).collect())
    }

    /// Tells an organization's effects in order until one fails; `false` when that is for somebody else to do.
    pub(crate) async fn tell_organization(&self, id: &OrganizationId, owed: Owed) -> Result<bool, Error> {
        let Owed { rows, taken_at } = owed;
        if !self.is_fresh(taken_at) {
            // Another process may have had the turn, and told some of it: it is asked for again.
            return Ok(true);
        }
        let work = async {
            for row in rows {
                if self.inner.stopping.is_cancelled() || !self.deliver(row).await? {
                    break;
                }
            }
            Ok(())
        };
        Ok(self.with_taken_lease(&self.inner.told, lease_of(id), taken_at, Box::pin(work)).await?.is_some())
    }

    /// Tells one effect. Says whether the next one may be told: the hook took this one, and nobody else told it meanwhile.
    async fn deliver(&self, mut row: OutboxRow) -> Result<bool, Error> {
        let notice = Notice {
            id: format!("{}:{}:{}", row.organization_id, row.seq, row.kind.as_str()),
            organization_id: row.organization_id.clone(),
            seq: row.seq,
            kind: row.kind,
            data: std::mem::take(&mut row.payload.data),
        };
        let told = hooks::tell(self.inner.hooks.as_ref(), &notice).await;
        let Err(error) = told else {
            // What may or may not be noted is told again: at least once, and before what follows it.
            return self.together(row).await;
        };
        let next = self.machine_now().plus(self.retry_pause(row.attempts));
        tracing::warn!(%error, notice.id, row.attempts, "a hook did not take a notice");
        let (row, why) = (&row, error.to_string());
        let why = why.as_str();
        self.inner
            .db
            .write(|tx| {
                Box::pin(async move {
                    let (organization, seq, kind, sink) = (&row.organization_id, row.seq, row.kind, &row.sink);
                    match row.attempts + 1 >= backoff::TRIES {
                        true => outbox::dead(tx, organization, seq, kind, sink, why).await,
                        false => outbox::retry(tx, organization, seq, kind, sink, next, why).await,
                    }
                })
            })
            .await?;
        Ok(false)
    }
}

/// The key of the lease under which an organization is told.
fn lease_of(organization: &OrganizationId) -> String {
    format!("outbox/{}/{organization}", SINKS[0])
}
