//! The provider's keys: fetched when needed, kept when the provider fails, never fetched at an attacker's pace.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering},
    },
    time::Duration,
};

use arc_swap::ArcSwap;
use reqwest::{Client, StatusCode, Url};
use serde::Deserialize;
use tollkeeper_core::{ports::AuthError, time::MachineTime};

use super::{
    Config,
    jwk::{self, Key},
};
use crate::{
    ConfigError,
    http_client::{self, BodyError},
};

/// Time for one fetch.
const FETCH_TIMEOUT: Duration = Duration::from_secs(5);

/// The longest key set that is read, in bytes.
const MAX_DOCUMENT: usize = 256 * 1024;

/// Time between two fetches as long as there are no keys at all.
const RETRY_WITHOUT_KEYS: Duration = Duration::from_secs(1);

/// How many unknown key ids are remembered.
const MAX_UNKNOWN: usize = 1024;

/// The keys at one moment.
#[derive(Debug, Default)]
pub(super) struct KeySet {
    keys: Vec<Key>,
    /// Rises whenever the keys are others than before.
    pub(super) generation: u64,
    fetched_at: Option<MachineTime>,
}

impl KeySet {
    /// The keys with this id; a provider may use one id for keys of two algorithms.
    pub(super) fn with_id<'a>(&'a self, kid: &'a str) -> impl Iterator<Item = &'a Key> {
        self.keys.iter().filter(move |key| key.kid == kid)
    }

    fn has(&self, kid: &str) -> bool {
        self.with_id(kid).next().is_some()
    }
}

/// Why the key set is fetched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reason {
    /// There are none yet.
    Empty,
    /// They are old.
    Stale,
    /// A token names one that we do not have.
    Unknown,
}

#[derive(Debug, thiserror::Error)]
enum FetchError {
    #[error("no answer")]
    Unreachable(#[source] reqwest::Error),
    #[error("answered with status {0}")]
    Status(StatusCode),
    #[error("unreadable answer")]
    Body(#[from] BodyError),
    #[error("the discovery document is not one, or names another issuer")]
    Discovery,
    #[error("the key set is not one")]
    NotAKeySet,
    #[error("the key set has no key that can be used")]
    NoUsableKey,
    #[error("the only key is the sandbox's development key, which counts for loopback issuers only")]
    DevelopmentKey,
}

/// The provider's keys.
#[derive(Debug)]
pub(super) struct Keys {
    http: Client,
    issuer: String,
    issuer_is_loopback: bool,
    jwks_url: Option<String>,
    algorithms: Vec<super::Algorithm>,
    ttl: Duration,
    interval: Duration,
    unknown_ttl: Duration,
    set: ArcSwap<KeySet>,
    /// Held by the one fetch that runs.
    flight: Arc<tokio::sync::Mutex<()>>,
    /// Fetches that ended, well or not.
    completed: AtomicU64,
    last_failed: AtomicBool,
    /// Microseconds of machine time; the smallest number is "never".
    last_fetch: AtomicI64,
    last_unknown_fetch: AtomicI64,
    /// Key ids that the provider did not know, and until when they cause no fetch.
    unknown: Mutex<HashMap<String, MachineTime>>,
}

impl Keys {
    pub(super) fn new(config: &Config) -> Result<Self, ConfigError> {
        let issuer = http_client::address("issuer", &config.issuer)?;
        Ok(Self {
            http: http_client::client(&issuer, FETCH_TIMEOUT)?,
            issuer: config.issuer.clone(),
            issuer_is_loopback: http_client::is_loopback(&issuer),
            jwks_url: config.jwks_url.clone(),
            algorithms: config.algorithms.clone(),
            ttl: config.keys_ttl,
            interval: config.min_refetch_interval,
            unknown_ttl: config.unknown_kid_ttl,
            set: ArcSwap::default(),
            flight: Arc::default(),
            completed: AtomicU64::new(0),
            last_failed: AtomicBool::new(false),
            last_fetch: AtomicI64::new(i64::MIN),
            last_unknown_fetch: AtomicI64::new(i64::MIN),
            unknown: Mutex::default(),
        })
    }

    /// The keys as they are, without waiting. Old ones are fetched again behind the caller's back.
    pub(super) fn current(self: &Arc<Self>, now: MachineTime) -> Arc<KeySet> {
        let set = self.set.load_full();
        let stale = set.fetched_at.is_some_and(|at| now.since(at) >= self.ttl);
        if stale
            && self.is_due(Reason::Stale, now)
            && let Ok(guard) = Arc::clone(&self.flight).try_lock_owned()
        {
            let keys = Arc::clone(self);
            tokio::spawn(async move {
                keys.fetch_and_keep(Reason::Stale, now).await;
                drop(guard);
            });
        }
        set
    }

    /// The keys, among which there is one with this id; fetches them when there is none.
    ///
    /// # Errors
    /// [`AuthError::Invalid`] when the provider has no such key, [`AuthError::KeysUnavailable`] when nobody can tell.
    pub(super) async fn with_kid(self: &Arc<Self>, kid: &str, now: MachineTime) -> Result<Arc<KeySet>, AuthError> {
        let seen = self.completed.load(Ordering::Acquire);
        let set = self.current(now);
        if set.has(kid) {
            return Ok(set);
        }
        if self.is_known_as_unknown(kid, now) {
            return Err(AuthError::Invalid("the signing key is unknown"));
        }
        let reason = if set.fetched_at.is_none() { Reason::Empty } else { Reason::Unknown };
        let asked = self.refetch(reason, seen, now).await;
        let set = self.set.load_full();
        if set.has(kid) {
            return Ok(set);
        }
        if set.fetched_at.is_none() || self.last_failed.load(Ordering::Acquire) {
            return Err(AuthError::KeysUnavailable);
        }
        if asked {
            self.remember_unknown(kid, now);
        }
        Err(AuthError::Invalid("the signing key is unknown"))
    }

    /// Fetches once for everybody who waits. `seen` is the number of fetches that had ended when the caller looked:
    /// one that ended since serves as well. Runs as a task of its own, so that a caller who leaves does not stop it.
    /// Says whether a fetch ended since the caller looked.
    async fn refetch(self: &Arc<Self>, reason: Reason, seen: u64, now: MachineTime) -> bool {
        let guard = Arc::clone(&self.flight).lock_owned().await;
        if self.completed.load(Ordering::Acquire) != seen {
            return true;
        }
        if !self.is_due(reason, now) {
            return false;
        }
        let keys = Arc::clone(self);
        let task = tokio::spawn(async move {
            keys.fetch_and_keep(reason, now).await;
            drop(guard);
        });
        if let Err(error) = task.await {
            tracing::error!(%error, issuer = %self.issuer, "the fetch of the signing keys did not end");
        }
        self.completed.load(Ordering::Acquire) != seen
    }

    fn is_due(&self, reason: Reason, now: MachineTime) -> bool {
        let (last, pause) = match reason {
            Reason::Empty => (&self.last_fetch, RETRY_WITHOUT_KEYS.min(self.interval)),
            Reason::Stale => (&self.last_fetch, self.interval.min(self.ttl)),
            // The fetches of start and age do not count here: a key that is new right after one of them is let in.
            Reason::Unknown => (&self.last_unknown_fetch, self.interval),
        };
        let last = last.load(Ordering::Acquire);
        last == i64::MIN || now.since(MachineTime::from_micros(last)) >= pause
    }

    async fn fetch_and_keep(&self, reason: Reason, now: MachineTime) {
        self.last_fetch.store(now.as_micros(), Ordering::Release);
        if reason == Reason::Unknown {
            self.last_unknown_fetch.store(now.as_micros(), Ordering::Release);
        }
        let fetched = self.fetch().await;
        self.last_failed.store(fetched.is_err(), Ordering::Release);
        match fetched {
            Ok(keys) => self.keep(keys, now),
            Err(error) => {
                let cause = std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
                let kept = self.set.load().keys.len();
                tracing::warn!(
                    issuer = %self.issuer, cause, kept,
                    "the signing keys of {} could not be fetched: {error}; {kept} earlier keys stay in use", self.issuer,
                );
            }
        }
        self.completed.fetch_add(1, Ordering::AcqRel);
    }

    fn keep(&self, keys: Vec<Key>, now: MachineTime) {
        let before = self.set.load();
        let changed = before.keys != keys;
        let generation = before.generation.wrapping_add(u64::from(changed));
        if changed {
            tracing::info!(issuer = %self.issuer, count = keys.len(), "the signing keys of {} are new", self.issuer);
            self.unknown.lock().unwrap_or_else(PoisonError::into_inner).clear();
        }
        self.set.store(Arc::new(KeySet { keys, generation, fetched_at: Some(now) }));
    }

    async fn fetch(&self) -> Result<Vec<Key>, FetchError> {
        let url = match &self.jwks_url {
            Some(url) => url.clone(),
            None => self.discover().await?,
        };
        let parsed = jwk::parse(&self.get(&url).await?, &self.algorithms, self.issuer_is_loopback)
            .ok_or(FetchError::NotAKeySet)?;
        if parsed.refused_development_key {
            tracing::error!(
                issuer = %self.issuer,
                "{} publishes the sandbox's development key, with which anybody can sign; \
                 it is refused because the issuer is not loopback", self.issuer,
            );
        }
        match (parsed.keys.is_empty(), parsed.refused_development_key) {
            (false, _) => Ok(parsed.keys),
            (true, true) => Err(FetchError::DevelopmentKey),
            (true, false) => Err(FetchError::NoUsableKey),
        }
    }

    /// Finds the key set. Source: OpenID Connect Discovery 1.0, section 4; the issuer named must be the one asked for.
    async fn discover(&self) -> Result<String, FetchError> {
        #[derive(Deserialize)]
        struct Document {
            issuer: String,
            jwks_uri: String,
        }
        let url = format!("{}/.well-known/openid-configuration", self.issuer.trim_end_matches('/'));
        let document: Document = serde_json::from_slice(&self.get(&url).await?).map_err(|_| FetchError::Discovery)?;
        let uri = Url::parse(&document.jwks_uri).map_err(|_| FetchError::Discovery)?;
        let as_safe = uri.scheme() == "https" || !self.issuer.starts_with("https:");
        (document.issuer == self.issuer && as_safe).then_some(document.jwks_uri).ok_or(FetchError::Discovery)
    }

    async fn get(&self, url: &str) -> Result<Vec<u8>, FetchError> {
        let response = self.http.get(url).header("accept", "application/json").send().await;
        let response = response.map_err(FetchError::Unreachable)?;
        if response.status() != StatusCode::OK {
            return Err(FetchError::Status(response.status()));
        }
        Ok(http_client::body(response, MAX_DOCUMENT).await?)
    }

    fn is_known_as_unknown(&self, kid: &str, now: MachineTime) -> bool {
        let unknown = self.unknown.lock().unwrap_or_else(PoisonError::into_inner);
        unknown.get(kid).is_some_and(|until| now < *until)
    }

    fn remember_unknown(&self, kid: &str, now: MachineTime) {
        let mut unknown = self.unknown.lock().unwrap_or_else(PoisonError::into_inner);
        if unknown.len() >= MAX_UNKNOWN {
            unknown.retain(|_, until| now < *until);
        }
        if unknown.len() < MAX_UNKNOWN {
            unknown.insert(kid.to_owned(), now.plus(self.unknown_ttl));
        }
    }
}
