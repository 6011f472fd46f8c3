//! The worker of the outbox: effects reach the hooks in order per organization, at least once.

use tollkeeper_core::ids::OrganizationId;
use tollkeeper_store::outbox;

use crate::{
    Error, Tollkeeper, backoff,
    decide::SINKS,
    hooks::{self, Notice},
    leases::Taken,
};

const HEADS: i64 = 64;
/// How many effects of one organization are told before others have their turn.
const RUN: i64 = 20;

impl Tollkeeper {
    /// The organizations that are owed something which is due; their leases are taken.
    pub(crate) async fn owed_organizations(&self) -> Result<Vec<Taken<OrganizationId>>, Error> {
        let heads = outbox::head(self.inner.db.read().await?.c(), SINKS[0], self.machine_now(), HEADS).await?;
        self.take_all(&self.inner.told, heads.into_iter().map(|row| row.organization_id).collect(), turn).await
    }

    /// Tells an organization's effects in order until one fails or none is due; `false` when there was nothing to tell, or
    /// somebody else tells it.
    pub(crate) async fn tell_organization(&self, owed: &Taken<OrganizationId>) -> Result<bool, Error> {
        let work = async {
            // Asked under the lease: what was the oldest a moment ago may have been told by another process since.
            let now = self.machine_now();
            let rows = outbox::due(self.inner.db.read().await?.c(), SINKS[0], &owed.what, now, RUN).await?;
            for row in &rows {
                if self.inner.stopping.is_cancelled() || !self.deliver(row).await? {
                    break;
                }
            }
            Ok(!rows.is_empty())
        };
        Ok(self.with_taken_lease(&self.inner.told, turn(&owed.what), owed.at, Box::pin(work)).await?.unwrap_or(false))
    }

    /// Tells one effect. Says whether the hook took it.
    async fn deliver(&self, row: &outbox::OutboxRow) -> Result<bool, Error> {
        let notice = Notice {
            id: format!("{}:{}:{}", row.organization_id, row.seq, row.kind.as_str()),
            organization_id: row.organization_id.clone(),
            seq: row.seq,
            kind: row.kind,
            data: row.payload.data.clone(),
        };
        let told = hooks::tell(self.inner.hooks.as_ref(), &notice).await;
        let next = self.machine_now().plus(self.retry_pause(row.attempts));
        let failure = told.as_ref().err().map(ToString::to_string);
        let failure = failure.as_deref();
        self.inner
            .db
            .write(|tx| {
                Box::pin(async move {
                    let (organization, seq, kind, sink) = (&row.organization_id, row.seq, row.kind, &row.sink);
                    match failure {
                        None => outbox::delivered(tx, organization, seq, kind, sink).await,
                        Some(why) if row.attempts + 1 >= backoff::TRIES => {
                            outbox::dead(tx, organization, seq, kind, sink, why).await
                        }
                        Some(why) => outbox::retry(tx, organization, seq, kind, sink, next, why).await,
                    }
                })
            })
            .await?;
        if let Err(error) = &told {
            tracing::warn!(%error, notice.id, row.attempts, "a hook did not take a notice");
        }
        Ok(told.is_ok())
    }
}

/// The key of the lease under which an organization is told.
fn turn(organization: &OrganizationId) -> String {
    format!("outbox/{}/{organization}", SINKS[0])
}
