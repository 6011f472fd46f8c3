//! Telling other processes of the same database what changed, so that they look now instead of at the next poll.
//!
//! Polling remains the truth: a notice that is lost loses nothing. They go out in batches of their own and never in the
//! transaction that writes, because Postgres lets transactions with a notice commit only one after another.

use std::{
    collections::BTreeSet,
    mem,
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::{sync::Notify, time::sleep};
use tokio_util::sync::CancellationToken;
use tollkeeper_core::ids::OrganizationId;
use tollkeeper_store::notice::{self, Channel, Heard, Listener};

use crate::Tollkeeper;

/// How long notices are collected.
const COLLECT: Duration = Duration::from_millis(5);
/// How long a database that is away is left alone.
const AWAY: Duration = Duration::from_secs(1);
/// What a notice may hold, with room for the name of its sender. Postgres takes less than 8,000 bytes.
const PAYLOAD: usize = 7_900;
/// Organizations that wait at most; of those beyond it others learn by polling.
const MOST: usize = 100_000;

/// What is to be told.
#[derive(Default)]
pub(crate) struct Notices {
    /// Whether somebody may hear; without, nothing is collected.
    heard: AtomicBool,
    waiting: Mutex<Waiting>,
    wake: Notify,
}

#[derive(Default)]
struct Waiting {
    changed: BTreeSet<OrganizationId>,
    arrived: bool,
}

impl Notices {
    /// An organization's version changed.
    pub(crate) fn changed(&self, id: &OrganizationId) {
        if !self.heard.load(Ordering::Relaxed) {
            return;
        }
        let mut waiting = self.waiting.lock().expect("nobody panics while holding it");
        if waiting.changed.len() < MOST {
            waiting.changed.insert(id.clone());
            self.wake.notify_one();
        }
    }

    /// Something arrived in the inbox.
    pub(crate) fn arrived(&self) {
        self.waiting.lock().expect("nobody panics while holding it").arrived = true;
        self.wake.notify_one();
    }
}

impl Tollkeeper {
    /// Tells and hears until stopped; ends at once where nobody else can share the database.
    pub(crate) async fn keep_in_touch(self, stop: CancellationToken) {
        let listener = loop {
            match Listener::start(&self.inner.db).await {
                Ok(listener) => break listener,
                Err(error) => {
                    tracing::warn!(%error, "changes of other processes are only polled for: the database is away");
                    tokio::select! {
                        () = stop.cancelled() => return,
                        () = sleep(AWAY) => {}
                    }
                }
            }
        };
        let Some(listener) = listener else { return };
        self.inner.notices.heard.store(true, Ordering::Relaxed);
        tokio::select! {
            () = stop.cancelled() => {}
            () = self.tell() => {}
            () = self.hear(listener) => {}
        }
    }

    async fn tell(&self) {
        loop {
            self.inner.notices.wake.notified().await;
            sleep(COLLECT).await;
            let waiting = mem::take(&mut *self.inner.notices.waiting.lock().expect("nobody panics while holding it"));
            let mut payloads: Vec<_> =
                batches(&self.inner.owner, &waiting.changed).into_iter().map(|text| (Channel::Gate, text)).collect();
            if waiting.arrived {
                payloads.push((Channel::Inbox, self.inner.owner.clone()));
            }
            let payloads = &payloads;
            let told = self.inner.db.write(|tx| {
                Box::pin(async move {
                    for (channel, payload) in payloads {
                        notice::tell(tx, *channel, payload).await?;
                    }
                    Ok::<_, tollkeeper_store::Error>(())
                })
            });
            if let Err(error) = told.await {
                tracing::debug!(%error, "other processes were not told: they poll");
            }
        }
    }

    async fn hear(&self, mut listener: Listener) {
        loop {
            match listener.hear().await {
                Ok(Heard::Notice(channel, payload)) => self.heard(channel, &payload),
                Ok(Heard::Gap) => {
                    self.inner.gates.all_stale();
                    self.inner.listeners.tell_all();
                    self.inner.wake_inbox.notify_one();
                }
                Err(error) => {
                    tracing::debug!(%error, "changes of other processes are only polled for");
                    sleep(AWAY).await;
                }
            }
        }
    }

    fn heard(&self, channel: Channel, payload: &str) {
        let mut lines = payload.lines();
        if lines.next() == Some(self.inner.owner.as_str()) {
            return;
        }
        match channel {
            Channel::Gate => lines.map(OrganizationId::from).for_each(|id| {
                self.inner.gates.stale(&id);
                self.inner.listeners.tell(&id);
            }),
            Channel::Inbox => self.inner.wake_inbox.notify_one(),
        }
    }
}

/// The sender's name and ids, line by line, as many as a notice holds.
fn batches(owner: &str, ids: &BTreeSet<OrganizationId>) -> Vec<String> {
    let mut batches: Vec<String> = Vec::new();
    // An id with a line break in it would be read as two.
    for id in ids.iter().filter(|id| !id.as_str().contains('\n') && id.as_str().len() < PAYLOAD / 2) {
        match batches.last_mut().filter(|batch| batch.len() + 1 + id.as_str().len() <= PAYLOAD) {
            Some(batch) => {
                batch.push('\n');
                batch.push_str(id.as_str());
            }
            None => batches.push(format!("{owner}\n{id}")),
        }
    }
    batches
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_notice_names_its_sender_and_stays_short() {
        let ids: BTreeSet<OrganizationId> = (0..1_000).map(|n| format!("org_{n:020}").into()).collect();
        let batches = batches("me", &ids);
        assert!(batches.iter().all(|batch| batch.len() <= PAYLOAD && batch.starts_with("me\n")));
        let told: BTreeSet<OrganizationId> =
            batches.iter().flat_map(|batch| batch.lines().skip(1)).map(OrganizationId::from).collect();
        assert_eq!(told, ids);
    }
}
