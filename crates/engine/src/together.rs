//! What is done together: what many workers ask of the database or write to it at about the same time shares its
//! statements and its commit.
//!
//! Whoever wants something puts it in a line and waits for the turn. Whoever has the turn does what stands in line, its own
//! included, and tells the others what became of theirs. Alone, nobody waits; the busier it is, the more share.

use std::{collections::VecDeque, fmt::Debug, sync::Mutex};

use futures_util::future::BoxFuture;
use tokio::sync::oneshot::{self, error::TryRecvError};
use tollkeeper_store::Error;

use crate::Tollkeeper;

/// What one turn has room for.
const AT_ONCE: usize = 64;

/// Something that shares its statements with others of its kind.
pub(crate) trait Shared: Sized + Send + Sync {
    /// What became of it.
    type Outcome: Send + Debug;

    /// Does all of them at once, what is written in one transaction; answers for each, in their order.
    fn work<'a>(engine: &'a Tollkeeper, all: &'a [&'a Self]) -> BoxFuture<'a, Result<Vec<Self::Outcome>, Error>>;
}

/// What stands in line, and the turn.
#[derive(Debug)]
pub(crate) struct Together<T: Shared> {
    line: Mutex<VecDeque<Waiting<T>>>,
    turn: tokio::sync::Mutex<()>,
}

#[derive(Debug)]
struct Waiting<T: Shared> {
    item: T,
    tell: oneshot::Sender<Result<T::Outcome, Error>>,
}

impl<T: Shared> Default for Together<T> {
    fn default() -> Self {
        Self { line: Mutex::default(), turn: tokio::sync::Mutex::default() }
    }
}

impl<T: Shared> Together<T> {
    /// Does an item with what else stands in line; answers what became of it. `None`: whoever had it in hand was dropped,
    /// and it may or may not be done.
    ///
    /// When it fails, each is done by itself, so that one that cannot be done spoils nothing for the others.
    pub(crate) async fn put(&self, engine: &Tollkeeper, item: T) -> Option<Result<T::Outcome, Error>> {
        let (tell, mut told) = oneshot::channel();
        self.line.lock().expect("nobody panics while holding it").push_back(Waiting { item, tell });
        loop {
            let _turn = self.turn.lock().await;
            match told.try_recv() {
                Ok(outcome) => return Some(outcome),
                Err(TryRecvError::Closed) => return None,
                Err(TryRecvError::Empty) => {}
            }
            let taken = self.take();
            let outcomes = work_all(engine, &taken.iter().map(|waiting| &waiting.item).collect::<Vec<_>>()).await;
            for (waiting, outcome) in taken.into_iter().zip(outcomes) {
                // Whoever does not listen any more finds out by reading.
                let _ = waiting.tell.send(outcome);
            }
        }
    }

    fn take(&self) -> Vec<Waiting<T>> {
        let mut line = self.line.lock().expect("nobody panics while holding it");
        let count = line.len().min(AT_ONCE);
        line.drain(..count).collect()
    }
}

async fn work_all<T: Shared>(engine: &Tollkeeper, items: &[&T]) -> Vec<Result<T::Outcome, Error>> {
    match T::work(engine, items).await {
        Ok(outcomes) => outcomes.into_iter().map(Ok).collect(),
        // Without a database it is the same for all.
        Err(error) if items.len() == 1 || error.is_unavailable() => items.iter().map(|_| Err(error.clone())).collect(),
        Err(error) => {
            tracing::debug!(%error, items = items.len(), "it could not be done together");
            let mut outcomes = Vec::with_capacity(items.len());
            for item in items {
                let alone = T::work(engine, &[*item]).await;
                outcomes.push(alone.map(|mut alone| alone.pop().expect("one outcome for one item")));
            }
            outcomes
        }
    }
}
