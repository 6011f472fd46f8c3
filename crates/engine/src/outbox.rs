//! The worker of the outbox: effects reach the hooks in order per organization, at least once.

use std::time::Duration;

use futures_util::{StreamExt as _, stream};
use tollkeeper_store::{lease, outbox};

use crate::{
    Error, Tollkeeper, backoff,
    decide::SINKS,
    hooks::{self, Notice},
};

const HEADS: i64 = 64;
const LEASE: Duration = Duration::from_secs(60);

impl Tollkeeper {
    /// Delivers the oldest undelivered effect of each organization. Returns how many were tried.
    ///
    /// # Errors
    /// [`Error::Store`]: the database is away.
    pub(crate) async fn work_outbox(&self) -> Result<usize, Error> {
        let heads = outbox::head(self.inner.db.read().await?.c(), SINKS[0], self.machine_now(), HEADS).await?;
        let tried = stream::iter(heads)
            .map(|row| async move {
                let outcome = self.deliver(&row).await;
                outcome.unwrap_or_else(|error| {
                    tracing::error!(%error, organization.id = %row.organization_id, row.seq, "an effect could not be handled");
                    false
                })
            })
            .buffer_unordered(self.inner.settings.workers)
            .filter(|tried| std::future::ready(*tried))
            .count()
            .await;
        Ok(tried)
    }

    /// Delivers one effect, unless somebody else does: then `false`.
    async fn deliver(&self, row: &outbox::OutboxRow) -> Result<bool, Error> {
        let key = format!("outbox/{}/{}", row.sink, row.organization_id);
        let owner = self.inner.owner.as_str();
        if !self.take_lease(&key, owner, LEASE).await? {
            return Ok(false);
        }
        let notice = Notice {
            id: format!("{}:{}:{}", row.organization_id, row.seq, row.kind.as_str()),
            organization_id: row.organization_id.clone(),
            seq: row.seq,
            kind: row.kind,
            data: row.payload.data.clone(),
        };
        let told = hooks::tell(self.inner.hooks.as_ref(), &notice).await;
        let mut dice = [0_u8; 8];
        (self.inner.random)(&mut dice);
        let next = self.machine_now().plus(backoff::pause(row.attempts, u64::from_le_bytes(dice)));
        let (failure, key) = (told.as_ref().err().map(ToString::to_string), key.as_str());
        let failure = failure.as_deref();
        self.inner
            .db
            .write(|tx| {
                Box::pin(async move {
                    match failure {
                        None => outbox::delivered(tx, &row.organization_id, row.seq, row.kind, &row.sink).await?,
                        Some(why) if row.attempts + 1 >= backoff::TRIES => {
                            outbox::dead(tx, &row.organization_id, row.seq, row.kind, &row.sink, why).await?
                        }
                        Some(why) => {
                            outbox::retry(tx, &row.organization_id, row.seq, row.kind, &row.sink, next, why).await?
                        }
                    };
                    lease::release(tx, key, owner).await
                })
            })
            .await?;
        if let Err(error) = told {
            tracing::warn!(%error, notice.id, row.attempts, "a hook did not take a notice");
        }
        Ok(true)
    }
}
