//! New tokens for a session, one refresh at a time: a refresh token is good once, and two that use the same one end the
//! session. See `docs/decisions/0018-a-refresh-outlives-its-request.md`.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use secrecy::{ExposeSecret as _, SecretString};
use tokio::{sync::watch, time::sleep};
use tollkeeper_core::{
    ports::{AuthError, ErrorKind, SignInError, Tokens},
    time::MachineTime,
};
use tollkeeper_store::session as rows;

use super::session::Kept;
use crate::{Error, Tollkeeper};

/// How long after a failure nobody asks the provider, doubled with each one more, and at most.
const FIRST_REST: Duration = Duration::from_secs(1);
const LONGEST_REST: Duration = Duration::from_secs(30);
/// How often one looks whether another process is done, and how often at most: longer than any call takes.
const LOOK: Duration = Duration::from_millis(50);
const LOOKS: u32 = 300;
/// How often new tokens are tried to be written, a second apart: nobody else has them.
const WRITES: u32 = 120;

/// What became of a refresh.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// There are other tokens now than those that were seen.
    Renewed,
    /// The session has ended.
    Over,
    /// Nothing has changed; it may work later.
    Later,
}

/// Refreshes of this process.
#[derive(Default)]
pub(crate) struct Refreshes {
    under_way: Mutex<HashMap<String, watch::Receiver<Option<Outcome>>>>,
    /// The provider failed, whoever it is about.
    rest: Mutex<Rest>,
    /// What failed for one session is nothing to the others.
    rest_of: Mutex<HashMap<String, Rest>>,
}

/// Something failed, so that it is left alone for a while.
#[derive(Default)]
struct Rest {
    failures: u32,
    until: Option<MachineTime>,
}

impl Rest {
    fn rests(&self, now: MachineTime) -> bool {
        self.until.is_some_and(|until| now < until)
    }

    fn failed(&mut self, now: MachineTime, asked_to_wait: Duration) {
        // What failed at the same time is one failure.
        if self.rests(now) {
            return;
        }
        let doubled = FIRST_REST.saturating_mul(1 << self.failures.min(16));
        self.failures = self.failures.saturating_add(1);
        // Nobody whose token has ended gets in meanwhile, so that even who asks for more gets this.
        self.until = Some(now.plus(doubled.max(asked_to_wait).min(LONGEST_REST)));
    }
}

impl Refreshes {
    fn rests(&self, id: &str, now: MachineTime) -> bool {
        locked(&self.rest).rests(now) || locked(&self.rest_of).get(id).is_some_and(|rest| rest.rests(now))
    }

    /// The provider does not answer anybody.
    fn failed(&self, now: MachineTime, asked_to_wait: Duration) {
        locked(&self.rest).failed(now, asked_to_wait);
    }

    /// It answers, and this session has no use of it.
    fn failed_for(&self, id: &str, now: MachineTime) {
        let mut rest_of = locked(&self.rest_of);
        // Who has not come back for so long begins anew.
        rest_of.retain(|_, rest| rest.until.is_some_and(|until| now < until.plus(LONGEST_REST)));
        rest_of.entry(id.to_owned()).or_default().failed(now, Duration::ZERO);
    }

    fn answered(&self) {
        *locked(&self.rest) = Rest::default();
    }

    fn worked(&self, id: &str) {
        locked(&self.rest_of).remove(id);
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Takes a refresh off the list when it is over, however it ends, and tells who waits: in this order, so that nobody who
/// comes later takes it for theirs.
struct UnderWay {
    engine: Tollkeeper,
    id: String,
    outcome: Outcome,
    told: watch::Sender<Option<Outcome>>,
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        locked(&self.engine.inner.refreshes.under_way).remove(&self.id);
        self.told.send_replace(Some(self.outcome));
    }
}

impl Tollkeeper {
    /// Gets new tokens in the place of those of `seen`, or waits for whoever does so already.
    ///
    /// The work is under way when this returns, and goes on when nobody waits for it any more: what the provider gave must
    /// be written down, or the session is lost.
    pub(super) fn renew_tokens(&self, seen: &rows::Session) -> impl Future<Output = Outcome> + Send + use<> {
        let mut outcome = self.renewal(&seen.id, seen.version);
        async move {
            let told = outcome.wait_for(Option::is_some).await;
            told.ok().and_then(|told| *told).unwrap_or(Outcome::Later)
        }
    }

    fn renewal(&self, id: &str, seen: i64) -> watch::Receiver<Option<Outcome>> {
        let mut under_way = locked(&self.inner.refreshes.under_way);
        if let Some(outcome) = under_way.get(id) {
            return outcome.clone();
        }
        let (told, outcome) = watch::channel(None);
        if self.inner.refreshes.rests(id, self.machine_now()) {
            told.send_replace(Some(Outcome::Later));
            return outcome;
        }
        under_way.insert(id.to_owned(), outcome.clone());
        // What panics is tried again later.
        let refresh = UnderWay { engine: self.clone(), id: id.to_owned(), outcome: Outcome::Later, told };
        self.inner.tasks.spawn(async move {
            let mut refresh = refresh;
            match refresh.engine.renew_in_turn(&refresh.id, seen).await {
                Ok(outcome) => refresh.outcome = outcome,
                Err(error) => tracing::warn!(%error, "tokens could not be renewed: it is tried again"),
            }
        });
        outcome
    }

    /// One process at a time.
    async fn renew_in_turn(&self, id: &str, seen: i64) -> Result<Outcome, Error> {
        let key = format!("session/{id}");
        for _ in 0..LOOKS {
            let done = self.with_lease(&key, &self.inner.owner, self.renew_now(id, seen)).await?;
            if let Some(outcome) = done {
                return Ok(outcome);
            }
            sleep(LOOK).await;
        }
        Ok(Outcome::Later)
    }

    async fn renew_now(&self, id: &str, seen: i64) -> Result<Outcome, Error> {
        let Some((row, kept)) = self.session(id).await? else { return Ok(Outcome::Over) };
        if row.version != seen {
            return Ok(Outcome::Renewed);
        }
        let port = self.sign_in_port()?;
        let Some(refresh_token) = kept.refresh.clone().map(SecretString::from) else {
            // There never was a way to renew it.
            return self.end_of_tokens(&row.id, row.version).await;
        };
        let tokens = match port.refresh(&refresh_token).await {
            Ok(tokens) => tokens,
            Err(SignInError::Refused) => return self.end_of_tokens(&row.id, row.version).await,
            Err(SignInError::Provider(error)) => {
                let (refreshes, now) = (&self.inner.refreshes, self.machine_now());
                match error.kind {
                    ErrorKind::Throttled(wait) => refreshes.failed(now, wait),
                    kind if kind.is_retryable() => refreshes.failed(now, Duration::ZERO),
                    // It may be about this one session.
                    _ => refreshes.failed_for(id, now),
                }
                tracing::warn!(%error, "the identity provider does not renew tokens: {error}");
                return Ok(Outcome::Later);
            }
        };
        let given = self.machine_now();
        self.inner.refreshes.answered();
        if !self.keep(&row, kept, tokens.clone(), given).await? {
            // Signed out meanwhile.
            return Ok(Outcome::Over);
        }
        self.prove_renewed(&row, &tokens, given).await
    }

    /// Writes new tokens down, before anything else is done with them: whatever they turn out to be, the old ones are
    /// worthless now. `false` when the session has ended.
    async fn keep(&self, row: &rows::Session, kept: Kept, tokens: Tokens, given: MachineTime) -> Result<bool, Error> {
        let sealed = self.inner.tokens.close(&kept.renewed(tokens, given), &row.id);
        let (id, version, sealed) = (row.id.as_str(), row.version, &sealed[..]);
        let mut write = 1;
        loop {
            match self.inner.db.write(|tx| Box::pin(rows::renew(tx, id, version, sealed))).await {
                // A write may run again whose end nobody heard.
                Ok(written) => return Ok(written || self.has_tokens(id, sealed).await?),
                Err(error) if write == WRITES => {
                    tracing::error!(%error, "renewed tokens could not be written: whoever they are for has to sign in again");
                    return Err(error.into());
                }
                Err(error) => tracing::warn!(%error, "renewed tokens could not be written: it is tried again"),
            }
            write += 1;
            tokio::select! {
                () = sleep(Duration::from_secs(1)) => {}
                // One more time, at once.
                () = self.inner.stopping.cancelled(), if write < WRITES => write = WRITES,
            }
        }
    }

    /// Looks whether the new tokens were of any use when they were given, and of the same person. If they are over by now,
    /// whoever uses them next renews them again.
    async fn prove_renewed(&self, row: &rows::Session, tokens: &Tokens, given: MachineTime) -> Result<Outcome, Error> {
        match self.inner.identity.authenticate(tokens.access_token.expose_secret(), given).await {
            Ok(session) if session.user_id == row.user_id => {
                self.inner.refreshes.worked(&row.id);
                Ok(Outcome::Renewed)
            }
            Ok(_) => {
                tracing::error!("renewed tokens are of another person: the session ends");
                self.end_of_tokens(&row.id, row.version + 1).await
            }
            // They are proven by whoever uses them next.
            Err(AuthError::KeysUnavailable) => Ok(Outcome::Renewed),
            Err(error @ (AuthError::Invalid(_) | AuthError::Expired)) => {
                self.inner.refreshes.failed_for(&row.id, self.machine_now());
                tracing::error!(%error, "a renewed token is not believed: {error}");
                Ok(Outcome::Later)
            }
        }
    }

    /// Ends a session whose tokens are of no use any more, unless they are others by now.
    async fn end_of_tokens(&self, id: &str, version: i64) -> Result<Outcome, Error> {
        let ended = self.inner.db.write(|tx| Box::pin(rows::end_version(tx, id, version))).await?;
        Ok(if ended || self.session(id).await?.is_none() { Outcome::Over } else { Outcome::Renewed })
    }
}
