//! Leases: they save work among processes and never carry correctness.

use std::time::Duration;

use tokio::time::{Instant, interval_at};
use tollkeeper_store::lease;

use crate::{Error, Tollkeeper};

/// How long the work of a process that died waits for another.
const SPAN: Duration = Duration::from_secs(6);
/// How often a lease is renewed while the work goes on.
const RENEWAL: Duration = Duration::from_secs(2);

impl Tollkeeper {
    /// Does `work` while holding a lease; `None` when somebody else holds it.
    ///
    /// The lease is short and renewed, so that the work of a process that was killed is taken over within seconds. That it
    /// could not be renewed or given back is not the work's failure.
    pub(crate) async fn with_lease<T>(
        &self,
        key: &str,
        owner: &str,
        work: impl Future<Output = Result<T, Error>>,
    ) -> Result<Option<T>, Error> {
        if !self.take_lease(key, owner).await? {
            return Ok(None);
        }
        let renewal = async {
            let mut tick = interval_at(Instant::now() + RENEWAL, RENEWAL);
            loop {
                tick.tick().await;
                if let Err(error) = self.take_lease(key, owner).await {
                    tracing::warn!(%error, key, "a lease could not be renewed");
                }
            }
        };
        // Both go on at once: the renewal may wait for a connection that the work has.
        let outcome = tokio::select! {
            outcome = work => outcome,
            () = renewal => unreachable!("it renews for ever"),
        };
        if let Err(error) = self.inner.db.write(|tx| Box::pin(lease::release(tx, key, owner))).await {
            tracing::warn!(%error, key, "a lease could not be given back: it runs out by itself");
        }
        outcome.map(Some)
    }

    async fn take_lease(&self, key: &str, owner: &str) -> Result<bool, Error> {
        let now = self.machine_now();
        Ok(self.inner.db.write(|tx| Box::pin(lease::acquire(tx, key, owner, now, now.plus(SPAN)))).await?)
    }
}
