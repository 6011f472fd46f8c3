//! Hearing that something of an organization has changed.
//!
//! A notice only wakes: what counts is the version in the database, which is looked at again after a while in any case. So
//! a notice that is lost costs time and nothing else.

use std::{
    collections::HashMap,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{sync::watch, time::sleep};
use tollkeeper_core::{ids::OrganizationId, ports::Session};

use crate::{Tollkeeper, asks::VersionOf};

/// Who wants to hear of which organization.
#[derive(Default)]
pub(crate) struct Listeners {
    /// How many there are: without any, nothing is looked up.
    count: AtomicUsize,
    by_organization: Mutex<HashMap<OrganizationId, watch::Sender<()>>>,
}

impl Listeners {
    /// An organization may have changed.
    pub(crate) fn tell(&self, id: &OrganizationId) {
        if self.count.load(Ordering::Relaxed) > 0
            && let Some(listeners) = self.by_organization.lock().unwrap_or_else(PoisonError::into_inner).get(id)
        {
            listeners.send_replace(());
        }
    }

    /// News may have been missed: any organization may have changed.
    pub(crate) fn tell_all(&self) {
        let all = self.by_organization.lock().unwrap_or_else(PoisonError::into_inner);
        all.values().for_each(|listeners| {
            listeners.send_replace(());
        });
    }

    fn join(&self, id: &OrganizationId) -> watch::Receiver<()> {
        let mut all = self.by_organization.lock().unwrap_or_else(PoisonError::into_inner);
        self.count.fetch_add(1, Ordering::Relaxed);
        all.entry(id.clone()).or_default().subscribe()
    }

    fn leave(&self, id: &OrganizationId) {
        let mut all = self.by_organization.lock().unwrap_or_else(PoisonError::into_inner);
        self.count.fetch_sub(1, Ordering::Relaxed);
        // Whoever leaves still counts.
        if all.get(id).is_some_and(|listeners| listeners.receiver_count() <= 1) {
            all.remove(id);
        }
    }
}

/// What there is to know of an organization's changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard {
    /// It has this version now, which is another one than was heard of before.
    Changed(i64),
    /// Nothing, for as long as somebody was ready to wait.
    Quiet,
    /// The engine is stopping: nothing more will be heard.
    Over,
}

/// The changes of one organization, as they happen.
pub struct Changes {
    engine: Tollkeeper,
    id: OrganizationId,
    woken: watch::Receiver<()>,
    version: Option<i64>,
    /// Whether nothing was looked at yet.
    fresh: bool,
}

impl Tollkeeper {
    /// Listens to an organization. `known` is the version that the listener has seen already; without one, the first thing
    /// heard is the version that there is.
    pub fn changes(&self, id: &OrganizationId, known: Option<i64>) -> Changes {
        let woken = self.inner.listeners.join(id);
        Changes { engine: self.clone(), id: id.clone(), woken, version: known, fresh: true }
    }

    /// For how long a session is good, in machine time.
    pub fn time_left(&self, session: &Session) -> Duration {
        session.expires_at.since(self.machine_now())
    }
}

impl Changes {
    /// Waits for a change, for `patience` at most. What happens at once is heard as one.
    ///
    /// Giving up on it loses nothing.
    pub async fn next(&mut self, patience: Duration) -> Heard {
        let stopping = self.engine.inner.stopping.clone();
        if stopping.is_cancelled() {
            return Heard::Over;
        }
        if !self.fresh {
            tokio::select! {
                () = stopping.cancelled() => return Heard::Over,
                // Its other end is in the engine that we hold.
                _ = self.woken.changed() => {}
                () = sleep(patience) => {}
            }
        }
        self.woken.mark_unchanged();
        self.fresh = false;
        match self.engine.together(VersionOf(self.id.clone())).await {
            Ok(version) if version != self.version => {
                self.version = version;
                version.map_or(Heard::Quiet, Heard::Changed)
            }
            Ok(_) => Heard::Quiet,
            Err(error) => {
                tracing::debug!(%error, organization.id = %self.id, "whether it has changed is looked at later");
                Heard::Quiet
            }
        }
    }
}

impl Drop for Changes {
    fn drop(&mut self) {
        self.engine.inner.listeners.leave(&self.id);
    }
}
