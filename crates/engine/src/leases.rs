//! Leases: they save work among processes and never carry correctness.

use std::{
    hash::{Hash, Hasher},
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use futures_util::{FutureExt as _, future::BoxFuture};
use tokio::time::{Instant, interval_at};
use tollkeeper_core::time::MachineTime;
use tollkeeper_store::{Tx, lease};

use crate::{Error, Tollkeeper};

/// How long the work of a process that died waits for another.
const SPAN: Duration = Duration::from_secs(6);
/// How often a lease is renewed while the work goes on, and how old one may be that work begins with.
const RENEWAL: Duration = Duration::from_secs(2);

/// A lease that is held.
#[derive(Debug)]
pub(crate) struct Lease {
    key: String,
    owner: String,
    given_back: AtomicBool,
}

impl Lease {
    pub(crate) fn new(key: String, owner: &str) -> Self {
        Self { key, owner: owner.to_owned(), given_back: AtomicBool::new(false) }
    }

    /// Gives it back together with what the work wrote; it counts once that is committed ([`Lease::is_over`]).
    pub(crate) async fn release(&self, tx: &mut Tx) -> Result<(), tollkeeper_store::Error> {
        lease::release(tx, &self.key, &self.owner).await
    }

    /// It was given back, and is not renewed any more.
    pub(crate) fn is_over(&self) {
        self.given_back.store(true, Ordering::Relaxed);
    }
}

/// Something to work on, whose lease was taken. When that was does not make it something else.
#[derive(Clone, Debug)]
pub(crate) struct Taken<K> {
    pub(crate) what: K,
    pub(crate) at: MachineTime,
}

impl<K: PartialEq> PartialEq for Taken<K> {
    fn eq(&self, other: &Self) -> bool {
        self.what == other.what
    }
}

impl<K: Eq> Eq for Taken<K> {}

impl<K: Hash> Hash for Taken<K> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.what.hash(state);
    }
}

impl Tollkeeper {
    /// Does `work` while holding a lease; `None` when somebody else holds it.
    ///
    /// The work is boxed, here and below: what runs inside of a lease is large, and callers put it on their stack.
    pub(crate) fn with_lease<'a, T: Send + 'a>(
        &'a self,
        key: &str,
        owner: &str,
        work: impl Future<Output = Result<T, Error>> + Send + 'a,
    ) -> BoxFuture<'a, Result<Option<T>, Error>> {
        let lease = Lease::new(key.to_owned(), owner);
        let work = work.boxed();
        Box::pin(async move {
            if !self.take_lease(&lease).await? {
                return Ok(None);
            }
            self.holding(&lease, work).await.map(Some)
        })
    }

    /// Takes the leases of all that was found at once, so that no other process works on it too; answers what nobody else
    /// holds.
    pub(crate) async fn take_all<K>(&self, found: Vec<K>, key: impl Fn(&K) -> String) -> Result<Vec<Taken<K>>, Error> {
        if found.is_empty() {
            return Ok(Vec::new());
        }
        let keys: Vec<String> = found.iter().map(&key).collect();
        let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
        let (keys, owner, at) = (&keys[..], self.inner.owner.as_str(), self.machine_now());
        let until = at.plus(SPAN);
        let ours = self.inner.db.write(|tx| Box::pin(lease::acquire_many(tx, keys, owner, at, until))).await?;
        Ok(found.into_iter().filter(|what| ours.contains(&key(what))).map(|what| Taken { what, at }).collect())
    }

    /// Does `work` with a lease that was taken at `taken_at`, or is taken again because that is a while ago.
    pub(crate) async fn with_taken_lease<T>(
        &self,
        lease: &Lease,
        taken_at: MachineTime,
        work: BoxFuture<'_, Result<T, Error>>,
    ) -> Result<Option<T>, Error> {
        let fresh = self.machine_now().since(taken_at) < RENEWAL;
        if !fresh && !self.take_lease(lease).await? {
            return Ok(None);
        }
        self.holding(lease, work).await.map(Some)
    }

    /// Renews a lease while the work goes on, and gives it back unless the work did.
    ///
    /// It is short and renewed, so that the work of a process that was killed is taken over within seconds. That it could
    /// not be renewed or given back is not the work's failure.
    async fn holding<T>(&self, lease: &Lease, work: BoxFuture<'_, Result<T, Error>>) -> Result<T, Error> {
        let renewal = async {
            let mut tick = interval_at(Instant::now() + RENEWAL, RENEWAL);
            loop {
                tick.tick().await;
                if lease.given_back.load(Ordering::Relaxed) {
                    continue;
                }
                if let Err(error) = self.take_lease(lease).await {
                    tracing::warn!(%error, key = lease.key, "a lease could not be renewed");
                }
            }
        };
        // Both go on at once: the renewal may wait for a connection that the work has.
        let outcome = tokio::select! {
            outcome = work => outcome,
            () = renewal => unreachable!("it renews for ever"),
        };
        if !lease.given_back.load(Ordering::Relaxed)
            && let Err(error) = self.inner.db.write(|tx| Box::pin(lease.release(tx))).await
        {
            tracing::warn!(%error, key = lease.key, "a lease could not be given back: it runs out by itself");
        }
        outcome
    }

    async fn take_lease(&self, lease: &Lease) -> Result<bool, Error> {
        let now = self.machine_now();
        let until = now.plus(SPAN);
        let Lease { key, owner, .. } = lease;
        Ok(self.inner.db.write(|tx| Box::pin(lease::acquire(tx, key, owner, now, until))).await?)
    }
}
