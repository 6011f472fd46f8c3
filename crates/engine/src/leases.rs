//! Leases: they save work among processes and never carry correctness.

use std::{sync::Mutex, time::Duration};

use futures_util::{FutureExt as _, future::BoxFuture};
use tokio::time::{Instant, interval_at};
use tollkeeper_core::time::MachineTime;
use tollkeeper_store::lease;

use crate::{Error, Tollkeeper};

/// How long the work of a process that died waits for another.
const SPAN: Duration = Duration::from_secs(6);
/// How often a lease is renewed while the work goes on, and how old one may be that work begins with.
const RENEWAL: Duration = Duration::from_secs(2);

/// Leases that were taken together and whose work is done: they are given back together too, with the next that are taken.
///
/// Meanwhile they are in nobody's way here, for what a process holds it may take again.
#[derive(Debug, Default)]
pub(crate) struct Over(Mutex<Vec<String>>);

impl Over {
    fn add(&self, key: String) {
        self.0.lock().expect("nobody panics while holding it").push(key);
    }

    fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().expect("nobody panics while holding it"))
    }
}

impl Tollkeeper {
    /// A holder for one piece of work, so that nobody else in this process takes its lease for their own.
    pub(crate) fn one_time_owner(&self) -> String {
        format!("{}/{}", self.inner.owner, self.new_subscription_id())
    }

    /// Does `work` while holding a lease; `None` when somebody else holds it.
    ///
    /// The work is boxed, here and below: what runs inside of a lease is large, and callers put it on their stack.
    pub(crate) fn with_lease<'a, T: Send + 'a>(
        &'a self,
        key: &'a str,
        owner: &'a str,
        work: impl Future<Output = Result<T, Error>> + Send + 'a,
    ) -> BoxFuture<'a, Result<Option<T>, Error>> {
        let work = work.boxed();
        Box::pin(async move {
            if !self.take_lease(key, owner).await? {
                return Ok(None);
            }
            let outcome = self.holding(key, owner, work).await;
            let keys = &[key][..];
            if let Err(error) = self.inner.db.write(|tx| Box::pin(lease::release(tx, keys, owner))).await {
                tracing::warn!(%error, key, "a lease could not be given back: it runs out by itself");
            }
            outcome.map(Some)
        })
    }

    /// Takes the leases of all that was found at once, so that no other process works on it too; answers what nobody else
    /// holds, and when they were taken. Gives those back that are over.
    pub(crate) async fn take_all<K>(
        &self,
        over: &Over,
        found: Vec<K>,
        key: impl Fn(&K) -> String,
    ) -> Result<(Vec<K>, MachineTime), Error> {
        let (over, at) = (over.take(), self.machine_now());
        if found.is_empty() && over.is_empty() {
            return Ok((found, at));
        }
        let keys: Vec<String> = found.iter().map(&key).collect();
        let (over, keys) = (borrowed(&over), borrowed(&keys));
        let (over, keys, owner) = (&over[..], &keys[..], self.inner.owner.as_str());
        let until = at.plus(SPAN);
        // Not in one transaction: the order of a DELETE is not ours to choose, and both together could wait for each other.
        if !over.is_empty() {
            self.inner.db.write(|tx| Box::pin(lease::release(tx, over, owner))).await?;
        }
        if keys.is_empty() {
            return Ok((Vec::new(), at));
        }
        let ours = self.inner.db.write(|tx| Box::pin(lease::acquire_many(tx, keys, owner, at, until))).await?;
        let ours = found.into_iter().zip(keys).filter(|(_, key)| ours.contains(**key)).map(|(what, _)| what);
        Ok((ours.collect(), at))
    }

    /// Does `work` under a lease that was taken at `taken_at`, or is taken again because that is a while ago.
    pub(crate) async fn with_taken_lease<T>(
        &self,
        over: &Over,
        key: String,
        taken_at: MachineTime,
        work: BoxFuture<'_, Result<T, Error>>,
    ) -> Result<Option<T>, Error> {
        if !self.is_fresh(taken_at) && !self.take_lease(&key, &self.inner.owner).await? {
            return Ok(None);
        }
        let outcome = self.holding(&key, &self.inner.owner, work).await;
        over.add(key);
        outcome.map(Some)
    }

    /// Whether a lease that was taken then surely is ours, and has time left for the work to begin.
    pub(crate) fn is_fresh(&self, taken_at: MachineTime) -> bool {
        self.machine_now().since(taken_at) < RENEWAL
    }

    /// Gives back all that the workers took, when they are done: also what they took and did not come to.
    pub(crate) async fn give_back(&self) {
        let owner = self.inner.owner.as_str();
        if let Err(error) = self.inner.db.write(|tx| Box::pin(lease::release_all(tx, owner))).await {
            tracing::warn!(%error, "leases could not be given back: they run out by themselves");
        }
    }

    /// Renews a lease while the work goes on.
    ///
    /// It is short and renewed, so that the work of a process that was killed is taken over within seconds. That it could
    /// not be renewed is not the work's failure.
    async fn holding<T>(&self, key: &str, owner: &str, work: BoxFuture<'_, Result<T, Error>>) -> Result<T, Error> {
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
        tokio::select! {
            outcome = work => outcome,
            () = renewal => unreachable!("it renews for ever"),
        }
    }

    async fn take_lease(&self, key: &str, owner: &str) -> Result<bool, Error> {
        let now = self.machine_now();
        let until = now.plus(SPAN);
        Ok(self.inner.db.write(|tx| Box::pin(lease::acquire(tx, key, owner, now, until))).await?)
    }
}

fn borrowed(keys: &[String]) -> Vec<&str> {
    keys.iter().map(String::as_str).collect()
}
