//! Decisions that are written together: what many workers decide at about the same time shares its statements and its
//! commit.
//!
//! Whoever has decided puts the decision in a line and waits for the pen. Whoever has the pen writes what stands in line,
//! its own included, and tells the others what became of theirs. Alone, nobody waits; the busier it is, the more share.

use std::{
    collections::{HashSet, VecDeque},
    sync::{Arc, Mutex},
};

use tokio::sync::oneshot;
use tollkeeper_core::{account::Account, effect::Transition};
use tollkeeper_store::{Cause, Decision};

use crate::{Error, Tollkeeper, decide::Deliveries};

/// Decisions of one transaction.
const AT_ONCE: usize = 64;

/// A decision with all that is needed to write it.
#[derive(Debug)]
pub(crate) struct Decided {
    pub(crate) before: Account,
    pub(crate) transition: Transition,
    pub(crate) cause: Cause,
    pub(crate) deliveries: Deliveries,
}

impl Decided {
    fn decision(&self) -> (Decision<'_>, Option<&Deliveries>) {
        let Self { before, transition, cause, deliveries } = self;
        (Decision { before, transition, cause }, Some(deliveries))
    }
}

/// The decisions that stand in line, and the pen.
#[derive(Debug, Default)]
pub(crate) struct Together {
    line: Mutex<VecDeque<Waiting>>,
    pen: tokio::sync::Mutex<()>,
}

#[derive(Debug)]
struct Waiting {
    decided: Arc<Decided>,
    tell: oneshot::Sender<Result<bool, tollkeeper_store::Error>>,
}

impl Together {
    /// The longest waiting, of each organization the first: what else is in line about it was decided too early.
    fn take(&self) -> Vec<Waiting> {
        let mut line = self.line.lock().expect("nobody panics while holding it");
        let mut organizations = HashSet::new();
        let mut taken = Vec::new();
        while taken.len() < AT_ONCE
            && let Some(next) = line.pop_front()
        {
            if organizations.insert(next.decided.before.organization.id.clone()) {
                taken.push(next);
            } else {
                // Whoever does not listen any more has nothing to do again.
                let _ = next.tell.send(Ok(false));
            }
        }
        taken
    }
}

impl Tollkeeper {
    /// As [`Tollkeeper::save`], together with what others decide meanwhile.
    pub(crate) async fn save_together(&self, decided: Arc<Decided>) -> Result<bool, Error> {
        let (tell, mut told) = oneshot::channel();
        self.inner.together.line.lock().expect("nobody panics while holding it").push_back(Waiting { decided, tell });
        loop {
            let _pen = self.inner.together.pen.lock().await;
            match told.try_recv() {
                Ok(outcome) => return Ok(outcome?),
                // Whoever had it in hand was dropped, and with it the transaction, as far as anybody knows.
                Err(oneshot::error::TryRecvError::Closed) => return Ok(false),
                Err(oneshot::error::TryRecvError::Empty) => {}
            }
            self.write_together(self.inner.together.take()).await;
        }
    }

    async fn write_together(&self, taken: Vec<Waiting>) {
        let all: Vec<_> = taken.iter().map(|waiting| waiting.decided.decision()).collect();
        let written = self.write_decisions(&all).await;
        let mut outcomes = Vec::with_capacity(all.len());
        match written {
            Ok(written) => outcomes.extend(written.into_iter().map(Ok)),
            // Without a database it is the same for all.
            Err(error) if all.len() == 1 || error.is_unavailable() => {
                outcomes.extend(all.iter().map(|_| Err(error.clone())))
            }
            Err(error) => {
                // One of them spoils it for all: each by itself, then only that one fails.
                tracing::debug!(%error, decisions = all.len(), "decisions could not be written together");
                for one in &all {
                    let written = self.write_decisions(std::slice::from_ref(one)).await;
                    outcomes.push(written.map(|written| written.first() == Some(&true)));
                }
            }
        }
        for (waiting, outcome) in taken.into_iter().zip(outcomes) {
            // Whoever does not listen any more finds out by reading.
            let _ = waiting.tell.send(outcome);
        }
    }
}
