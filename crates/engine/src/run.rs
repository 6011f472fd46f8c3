//! The running engine: its background tasks, and how they end.

use std::{
    collections::{HashSet, VecDeque},
    fmt::Debug,
    hash::Hash,
    panic::AssertUnwindSafe,
    time::Duration,
};

use futures_util::FutureExt as _;
use tokio::{sync::Notify, task::JoinSet, time};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{Error, Extent, Tollkeeper, due::DueRow};

/// Machine time between two looks at what waits, when nobody says that something came.
const TICK: Duration = Duration::from_secs(1);
/// Machine time between two looks while something is being worked on: what comes meanwhile is found by one look.
const BETWEEN_LOOKS: Duration = Duration::from_millis(5);
/// Machine time between two times that what is over is forgotten.
const BETWEEN_FORGETTING: Duration = Duration::from_secs(10 * 60);

/// An engine with its workers.
#[must_use = "dropping it stops nothing: call `stop`"]
pub struct Running {
    engine: Tollkeeper,
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl Running {
    pub(crate) fn start(engine: Tollkeeper, workers: bool) -> Self {
        let (stop, tasks) = (engine.inner.stopping.clone(), engine.inner.tasks.clone());
        let running = Self { engine, stop, tasks };
        running.tasks.spawn(running.engine.clone().keep_in_touch(running.stop.clone()));
        if workers {
            if let Some(interval) = running.engine.inner.settings.reconcile_interval {
                running.tasks.spawn(compare_now_and_then(running.engine.clone(), running.stop.clone(), interval));
            }
            running.tasks.spawn(read_lists_now_and_then(running.engine.clone(), running.stop.clone()));
            running.tasks.spawn(forget_now_and_then(running.engine.clone(), running.stop.clone()));
            for job in [Job::Inbox, Job::Outbox, Job::Due] {
                running.tasks.spawn(job.run(running.engine.clone(), running.stop.clone()));
            }
        }
        running.tasks.close();
        running
    }

    /// The engine.
    pub fn engine(&self) -> &Tollkeeper {
        &self.engine
    }

    /// Asks the workers to take up nothing more; whatever asks the engine meanwhile is still answered.
    pub fn wind_down(&self) -> impl FnOnce() + Send + 'static {
        let stop = self.stop.clone();
        move || stop.cancel()
    }

    /// Lets the workers finish what they are at, and what is durable reach the disk.
    pub async fn stop(self) {
        self.stop.cancel();
        self.tasks.wait().await;
        self.engine.give_back().await;
        self.engine.inner.inbox.stop().await;
    }
}

/// Compares what changed with the providers, again and again: what no delivery told is found here.
async fn compare_now_and_then(engine: Tollkeeper, stop: CancellationToken, interval: Duration) {
    let mut tick = time::interval_at(time::Instant::now() + interval, interval);
    tick.set_missed_tick_behavior(time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = tick.tick() => {}
        }
        match engine.reconcile(&Extent::Recent).await {
            Ok(report) => tracing::debug!(checked = report.checked, repaired = report.repaired, "compared"),
            // Another process does it.
            Err(Error::Conflict { .. }) => {}
            Err(error) => tracing::warn!(%error, "a reconciliation ended early: it is tried again"),
        }
    }
}

/// Reads providers' lists when more waits than is asked for one by one.
async fn read_lists_now_and_then(engine: Tollkeeper, stop: CancellationToken) {
    let mut tick = time::interval(TICK);
    tick.set_missed_tick_behavior(time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = tick.tick() => {}
        }
        if let Err(error) = engine.sweep().await {
            tracing::warn!(%error, "what waits could not be read from a list");
        }
    }
}

/// Forgets sessions that are over.
async fn forget_now_and_then(engine: Tollkeeper, stop: CancellationToken) {
    let mut tick = time::interval(BETWEEN_FORGETTING);
    tick.set_missed_tick_behavior(time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = tick.tick() => {}
        }
        if let Err(error) = engine.forget_sessions().await {
            tracing::warn!(%error, "sessions that are over could not be forgotten: it is tried again");
        }
    }
}

/// What is worked on in the background, several things at once each: one that takes long holds up no other.
#[derive(Clone, Copy, Debug)]
enum Job {
    Inbox,
    Outbox,
    Due,
}

impl Job {
    async fn run(self, engine: Tollkeeper, stop: CancellationToken) {
        let (of, inner) = (&engine, &engine.inner);
        match self {
            Self::Inbox => {
                let work = |engine: Tollkeeper, waiting, taken_at| async move {
                    engine.work_subject(&waiting, taken_at).await
                };
                self.keep_up(of, &stop, &inner.wake_inbox, |not, _| of.waiting_subjects(not), work).await;
            }
            Self::Outbox => {
                let work = |engine: Tollkeeper, id, owed| async move { engine.tell_organization(&id, owed).await };
                self.keep_up(of, &stop, &inner.wake_outbox, |not, room| of.owed_organizations(not, room), work).await;
            }
            Self::Due => {
                let work = |engine: Tollkeeper, (organization, row): DueRow, ()| async move {
                    engine.look_at(&organization, &row).await
                };
                self.keep_up(of, &stop, &inner.wake_due, |not, _| of.due_rows(not), work).await;
            }
        }
    }

    /// Finds what waits, other than what is known to be in hand and as much as there is room for, and works on it until
    /// stopped; then finishes what it is at.
    ///
    /// `work` says whether it got anywhere. What did not (somebody else holds it, or it failed) is left alone until the
    /// next tick, so that nothing is tried in a circle. Each piece of work is a task of its own: one that waits for a
    /// connection must not keep the ones that have it from giving it back.
    async fn keep_up<K, With, Finding, Working>(
        self,
        engine: &Tollkeeper,
        stop: &CancellationToken,
        wake: &Notify,
        find: impl Fn(HashSet<K>, usize) -> Finding,
        work: impl Fn(Tollkeeper, K, With) -> Working,
    ) where
        K: Clone + Eq + Hash + Debug + Send + 'static,
        Finding: Future<Output = Result<Vec<(K, With)>, Error>>,
        Working: Future<Output = Result<bool, Error>> + Send + 'static,
    {
        let width = engine.inner.settings.workers.max(1);
        let mut tick = time::interval(TICK);
        let mut queue: VecDeque<(K, With)> = VecDeque::new();
        let mut left_alone: HashSet<K> = HashSet::new();
        let mut busy: HashSet<K> = HashSet::new();
        let mut working = JoinSet::new();
        let mut ask = true;
        let mut next_look = time::Instant::now();
        while !(stop.is_cancelled() && working.is_empty()) {
            let may_look = ask && queue.is_empty() && working.len() < width && !stop.is_cancelled();
            if may_look && (working.is_empty() || next_look <= time::Instant::now()) {
                ask = false;
                next_look = time::Instant::now() + BETWEEN_LOOKS;
                let not = busy.union(&left_alone).cloned().collect();
                queue = find(not, width - working.len()).await.map(VecDeque::from).unwrap_or_else(|error| {
                    tracing::warn!(%error, job = ?self, "background work has to wait");
                    VecDeque::new()
                });
            }
            while working.len() < width
                && !stop.is_cancelled()
                && let Some((key, with)) = queue.pop_front()
            {
                busy.insert(key.clone());
                let one = AssertUnwindSafe(work(engine.clone(), key.clone(), with)).catch_unwind();
                working.spawn(async move { (key, one.await) });
            }
            tokio::select! {
                Some(joined) = working.join_next() => {
                    let Ok((key, outcome)) = joined else { continue };
                    busy.remove(&key);
                    // There may be more of the same, or others that found no room before.
                    ask = true;
                    match outcome {
                        Ok(Ok(true)) => {}
                        Ok(Ok(false)) => {
                            left_alone.insert(key);
                        }
                        Ok(Err(error)) => {
                            tracing::warn!(%error, job = ?self, ?key, "background work failed: it is tried again");
                            left_alone.insert(key);
                        }
                        Err(_panic) => {
                            tracing::error!(job = ?self, ?key, "background work panicked: this is a defect; the work goes on");
                            left_alone.insert(key);
                        }
                    }
                }
                () = wake.notified(), if !stop.is_cancelled() => ask = true,
                () = time::sleep_until(next_look), if may_look && ask => {}
                _ = tick.tick(), if !stop.is_cancelled() => {
                    left_alone.clear();
                    ask = true;
                }
                () = stop.cancelled(), if !stop.is_cancelled() => queue.clear(),
                // Stopped, and nothing is under way.
                else => {}
            }
        }
    }
}
