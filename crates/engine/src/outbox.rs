//! The worker of the outbox: effects reach the hooks in order per organization, at least once.

use futures_util::{StreamExt as _, stream};
use tollkeeper_core::ids::OrganizationId;
use tollkeeper_store::outbox;

use crate::{
    Error, Tollkeeper, backoff,
    decide::SINKS,
    hooks::{self, Notice},
};

const HEADS: i64 = 64;
/// How many effects of one organization are told before others have their turn.
const RUN: usize = 20;

impl Tollkeeper {
    /// Delivers the oldest undelivered effect of each organization. Returns how many were tried.
    ///
    /// # Errors
    /// [`Error::Store`]: the database is away.
    pub(crate) async fn work_outbox(&self) -> Result<usize, Error> {
        let heads = outbox::head(self.inner.db.read().await?.c(), SINKS[0], self.machine_now(), HEADS).await?;
        let tried = stream::iter(heads)
            .map(|head| async move {
                let outcome = self.tell_organization(&head.organization_id).await;
                outcome.unwrap_or_else(|error| {
                    tracing::error!(%error, organization.id = %head.organization_id, "effects could not be handled");
                    false
                })
            })
            .buffer_unordered(self.inner.settings.workers)
            .filter(|tried| std::future::ready(*tried))
            .count()
            .await;
        Ok(tried)
    }

    /// Tells an organization's effects in order until one fails or none is due; `false` when there was nothing to tell, or
    /// somebody else tells it.
    async fn tell_organization(&self, organization: &OrganizationId) -> Result<bool, Error> {
        let key = format!("outbox/{}/{organization}", SINKS[0]);
        let work = async {
            let mut tried = false;
            for _ in 0..RUN {
                // Asked under the lease: what was the oldest a moment ago may have been told by another process since.
                let now = self.machine_now();
                let next = outbox::next(self.inner.db.read().await?.c(), SINKS[0], organization, now).await?;
                let Some(row) = next else { break };
                tried = true;
                if !self.deliver(&row).await? {
                    break;
                }
            }
            Ok(tried)
        };
        Ok(self.with_lease(&key, &self.inner.owner, work).await?.unwrap_or(false))
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
        let next = self.machine_now().plus(self.pause(row.attempts));
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
