//! What is done together: what many ask of the database or write to it at about the same time shares its
//! statements and its commit.
//!
//! Whoever wants something puts it in a line. A task of the line's own does all that stands in it, then what came
//! meanwhile, and ends when nothing is left. Alone, nobody waits; the busier it is, the more share.

use std::{collections::VecDeque, fmt::Debug, panic::AssertUnwindSafe, sync::Mutex, time::Duration};

use futures_util::{FutureExt as _, future::BoxFuture};
use tokio::{sync::oneshot, time::timeout};
use tollkeeper_store::Error;

use crate::Tollkeeper;

/// What is done at once.
const AT_ONCE: usize = 64;
/// Longer than a database that answers takes for it, with all that it waits and runs again: one that does not answer must
/// not hold up the whole line.
const PATIENCE: Duration = Duration::from_secs(60);

/// Something that shares its statements with others of its kind.
pub(crate) trait Shared: Sized + Send + Sync + 'static {
    /// What became of it.
    type Outcome: Send + Debug + 'static;

    /// Where it stands in line.
    fn line(engine: &Tollkeeper) -> &Line<Self>;

    /// Does all of them at once, what is written in one transaction; answers for each, in their order.
    fn work<'a>(engine: &'a Tollkeeper, all: &'a [&'a Self]) -> BoxFuture<'a, Result<Vec<Self::Outcome>, Error>>;
}

/// What stands in line.
#[derive(Debug)]
pub(crate) struct Line<T: Shared>(Mutex<Standing<T>>);

#[derive(Debug)]
struct Standing<T: Shared> {
    waiting: VecDeque<Asker<T>>,
    /// Whether the task is there that does it.
    at_work: bool,
}

#[derive(Debug)]
struct Asker<T: Shared> {
    item: T,
    tell: oneshot::Sender<Result<T::Outcome, Error>>,
}

impl<T: Shared> Default for Line<T> {
    fn default() -> Self {
        Self(Mutex::new(Standing { waiting: VecDeque::new(), at_work: false }))
    }
}

impl<T: Shared> Line<T> {
    /// Answers whether somebody has to begin to work.
    fn join(&self, asker: Asker<T>) -> bool {
        let mut standing = self.0.lock().expect("nobody panics while holding it");
        standing.waiting.push_back(asker);
        !std::mem::replace(&mut standing.at_work, true)
    }

    /// What is to be done next; nothing means that whoever works may go.
    fn next(&self) -> Vec<Asker<T>> {
        let mut standing = self.0.lock().expect("nobody panics while holding it");
        // Whoever does not listen any more wants nothing.
        standing.waiting.retain(|asker| !asker.tell.is_closed());
        let count = standing.waiting.len().min(AT_ONCE);
        standing.at_work = count > 0;
        standing.waiting.drain(..count).collect()
    }

    fn everybody(&self) -> Vec<Asker<T>> {
        self.0.lock().expect("nobody panics while holding it").waiting.drain(..).collect()
    }
}

impl Tollkeeper {
    /// Does an item with what else stands in line; answers what became of it.
    ///
    /// When it fails, each is done by itself, so that one that cannot be done spoils nothing for the others.
    ///
    /// # Errors
    /// [`Error::Overloaded`] when what became of it was never known, because it panicked, took too long or the process
    /// ends: it may or may not be done.
    pub(crate) async fn together<T: Shared>(&self, item: T) -> Result<T::Outcome, crate::Error> {
        let (tell, told) = oneshot::channel();
        if T::line(self).join(Asker { item, tell }) {
            // A task of its own: whoever asks may be dropped, or looked at late.
            tokio::spawn(work_off::<T>(self.clone()));
        }
        Ok(told.await.unwrap_or(Err(Error::Overloaded))?)
    }
}

async fn work_off<T: Shared>(engine: Tollkeeper) {
    let line = T::line(&engine);
    let mut batches = VecDeque::new();
    loop {
        let mut taken = batches.pop_front().unwrap_or_else(|| line.next());
        if taken.is_empty() {
            return;
        }
        match attempt(&engine, &taken.iter().map(|asker| &asker.item).collect::<Vec<_>>()).await {
            Some(Ok(outcomes)) => {
                for (asker, outcome) in taken.into_iter().zip(outcomes) {
                    asker.tell(Ok(outcome));
                }
            }
            // Without a database it is the same for all, also for those who stand behind them.
            Some(Err(error @ (Error::Unavailable(_) | Error::Overloaded))) => {
                taken.extend(batches.drain(..).flatten());
                taken.extend(line.everybody());
                for asker in taken {
                    asker.tell(Err(error.clone()));
                }
            }
            failure if taken.len() > 1 => {
                tracing::debug!(?failure, items = taken.len(), "it could not be done together");
                batches.extend(taken.into_iter().map(|one| vec![one]));
            }
            Some(Err(error)) => taken.remove(0).tell(Err(error)),
            None => {}
        }
    }
}

/// Does items; `None` when that panicked.
async fn attempt<T: Shared>(engine: &Tollkeeper, items: &[&T]) -> Option<Result<Vec<T::Outcome>, Error>> {
    let work = AssertUnwindSafe(timeout(PATIENCE, T::work(engine, items))).catch_unwind().await;
    let Ok(outcome) = work else {
        tracing::error!(items = items.len(), "what is done together panicked: this is a defect; the work goes on");
        return None;
    };
    Some(outcome.unwrap_or(Err(Error::Overloaded)))
}

impl<T: Shared> Asker<T> {
    fn tell(self, outcome: Result<T::Outcome, Error>) {
        let Self { item, tell } = self;
        // First, so that whoever shared it has it alone again.
        drop(item);
        // Whoever does not listen any more finds out by reading.
        let _ = tell.send(outcome);
    }
}
