//! Work that goes on when its caller goes away, and reconciliations that somebody asks for later.

use std::{
    collections::VecDeque,
    panic,
    sync::{Mutex, PoisonError},
};

use tokio::sync::watch;
use tollkeeper::{Error, Extent, Report, Tollkeeper};

use crate::problem::Problem;

/// Reconciliations that are remembered, of this process.
const MOST: usize = 32;

/// Does what was begun also when the caller goes away: between a provider's answer and our own row is a bad moment to
/// stop.
pub(crate) async fn to_the_end<T: Send + 'static>(
    work: impl Future<Output = Result<T, Error>> + Send + 'static,
) -> Result<T, Error> {
    match tokio::spawn(work).await {
        Ok(outcome) => outcome,
        Err(error) => match error.try_into_panic() {
            Ok(cause) => panic::resume_unwind(cause),
            Err(_) => Err(Error::Unavailable { code: "stopping", message: "This server is stopping".into() }),
        },
    }
}

/// What a reconciliation came to; `None` while it runs.
type Outcome = Option<Result<Report, Problem>>;

/// The reconciliations that were asked for lately, the newest last.
#[derive(Default)]
pub(crate) struct Jobs(Mutex<VecDeque<Job>>);

/// One of them.
#[derive(Clone)]
pub(crate) struct Job {
    id: String,
    extent: Extent,
    outcome: watch::Receiver<Outcome>,
}

impl Jobs {
    /// Begins one; it goes on whoever stops waiting for it. One of an organization that runs already is joined: of everything
    /// else the engine itself lets one run at a time.
    ///
    /// # Errors
    /// 503, when too many are running.
    pub(crate) fn begin(&self, id: String, engine: &Tollkeeper, extent: Extent) -> Result<Job, Problem> {
        let (job, done) = self.enter(id, &extent)?;
        if let Some(done) = done {
            let engine = engine.clone();
            tokio::spawn(async move {
                let outcome = engine.reconcile(&extent).await;
                if let Err(error) = &outcome {
                    tracing::warn!(%error, ?extent, "a reconciliation did not come to its end: {error}");
                }
                done.send_replace(Some(outcome.map_err(|error| Problem::from(error).logged())));
            });
        }
        Ok(job)
    }

    /// Writes one down, with where to say what it came to; nowhere, where the same one runs already.
    fn enter(&self, id: String, extent: &Extent) -> Result<(Job, Option<watch::Sender<Outcome>>), Problem> {
        let mut jobs = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let same = |job: &&Job| matches!(extent, Extent::Organization(_)) && job.is_of(extent) && job.is_running();
        if let Some(running) = jobs.iter().find(same) {
            return Ok((running.clone(), None));
        }
        if jobs.len() >= MOST {
            let over = jobs.iter().position(|job| !job.is_running());
            jobs.remove(over.ok_or_else(|| Problem::later("overloaded", "Too many reconciliations are running"))?);
        }
        let (done, outcome) = watch::channel(None);
        let job = Job { id, extent: extent.clone(), outcome };
        jobs.push_back(job.clone());
        Ok((job, Some(done)))
    }

    /// Finds one by its id.
    pub(crate) fn find(&self, id: &str) -> Option<Job> {
        let jobs = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        jobs.iter().find(|job| job.id == id).cloned()
    }
}

impl Job {
    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    /// Whether it compares this.
    pub(crate) fn is_of(&self, extent: &Extent) -> bool {
        self.extent == *extent
    }

    pub(crate) fn is_running(&self) -> bool {
        self.outcome.borrow().is_none() && self.outcome.has_changed().is_ok()
    }

    /// What came out of it, once it is over.
    pub(crate) async fn report(mut self) -> Result<Report, Problem> {
        match self.outcome.wait_for(Option::is_some).await {
            Ok(outcome) => outcome.clone().expect("that was waited for"),
            Err(_) => Err(Problem::internal("a reconciliation panicked")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_organization_is_compared_once_at_a_time() {
        let jobs = Jobs::default();
        let one = Extent::Organization("org_1".into());
        let (first, done) = jobs.enter("1".into(), &one).unwrap();
        let done = done.unwrap();
        let (second, again) = jobs.enter("2".into(), &one).unwrap();
        assert!(again.is_none() && second.id() == first.id());
        let (other, its_own) = jobs.enter("3".into(), &Extent::Organization("org_2".into())).unwrap();
        assert!(its_own.is_some() && other.id() == "3");
        // Of everything there is one at a time anyway: the engine says so.
        let (_, full) = jobs.enter("4".into(), &Extent::Full).unwrap();
        assert!(full.is_some() && jobs.enter("5".into(), &Extent::Full).unwrap().1.is_some());
        done.send_replace(Some(Ok(Report::default())));
        assert!(jobs.enter("6".into(), &one).unwrap().1.is_some(), "what is over is not joined");
    }
}
