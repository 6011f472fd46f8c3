//! The running engine: its background tasks, and how they end.

use std::{panic::AssertUnwindSafe, time::Duration};

use futures_util::FutureExt as _;
use tokio::time;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{Error, Tollkeeper};

/// Machine time between two looks at what waits, when nobody says that something came.
const TICK: Duration = Duration::from_secs(1);

/// An engine with its workers.
#[must_use = "dropping it stops nothing: call `stop`"]
pub struct Running {
    engine: Tollkeeper,
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl Running {
    pub(crate) fn start(engine: Tollkeeper, workers: bool) -> Self {
        let running = Self { engine, stop: CancellationToken::new(), tasks: TaskTracker::new() };
        if workers {
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

    /// Lets the workers finish what they are at, and what is durable reach the disk.
    pub async fn stop(self) {
        self.stop.cancel();
        self.tasks.wait().await;
        self.engine.inner.inbox.stop().await;
    }
}

/// What is worked on in the background. Each kind has one task, which works on several things at once itself.
#[derive(Clone, Copy, Debug)]
enum Job {
    Inbox,
    Outbox,
    Due,
}

impl Job {
    async fn run(self, engine: Tollkeeper, stop: CancellationToken) {
        while !stop.is_cancelled() {
            let round = AssertUnwindSafe(self.round(&engine)).catch_unwind().await;
            let progress = match round {
                Ok(Ok(progress)) => progress,
                Err(_panic) => {
                    tracing::error!(job = ?self, "background work panicked: this is a defect; the work goes on");
                    0
                }
                Ok(Err(error)) => {
                    tracing::warn!(%error, job = ?self, "background work has to wait");
                    0
                }
            };
            if progress > 0 {
                continue;
            }
            let wake = match self {
                Self::Inbox => &engine.inner.wake_inbox,
                Self::Outbox => &engine.inner.wake_outbox,
                Self::Due => &engine.inner.wake_due,
            };
            tokio::select! {
                () = stop.cancelled() => {}
                () = wake.notified() => {}
                () = time::sleep(TICK) => {}
            }
        }
    }

    async fn round(self, engine: &Tollkeeper) -> Result<usize, Error> {
        match self {
            Self::Inbox => engine.work_inbox().await,
            Self::Outbox => engine.work_outbox().await,
            Self::Due => engine.work_due().await,
        }
    }
}
