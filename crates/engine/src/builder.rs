//! Putting the engine together.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, Weak},
    time::Duration,
};

use arc_swap::ArcSwap;
use tokio::sync::Notify;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tollkeeper_core::{
    catalog::Catalog,
    ids::{OrganizationId, Provider, Source, SubscriptionId},
    ports::{Billing, Identity},
    time::{Clock, MachineTime, Timestamp},
};
use tollkeeper_store::{Db, inbox, outbox::OutboxRow};

use crate::{
    Error, Settings,
    asks::{AccountOf, OwnerOf, VersionOf},
    backoff,
    budget::Budget,
    changes::Listeners,
    decide::Decided,
    gates::Gates,
    hooks::{Hooks, NoHooks},
    inbox::Waiting,
    keys::KnownKeys,
    leases::Over,
    notices::Notices,
    run::Running,
    seal::{Seal, Vault},
    sign_in::Refreshes,
    sweep::Sweeps,
    together::Line,
};

/// The engine. Cheap to clone; every clone is the same one.
#[derive(Clone)]
pub struct Tollkeeper {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) settings: Settings,
    pub(crate) db: Db,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) random: Random,
    pub(crate) catalog: ArcSwap<Catalog>,
    pub(crate) identity: Arc<dyn Identity>,
    pub(crate) billing: BTreeMap<Provider, Arc<dyn Billing>>,
    pub(crate) hooks: Arc<dyn Hooks>,
    pub(crate) gates: Gates,
    pub(crate) inbox: inbox::Writer,
    pub(crate) previews: Seal,
    pub(crate) flows: Vault,
    pub(crate) cookies: Vault,
    pub(crate) tokens: Vault,
    pub(crate) consoles: Vault,
    pub(crate) refreshes: Refreshes,
    pub(crate) known_keys: KnownKeys,
    pub(crate) notices: Notices,
    pub(crate) listeners: Listeners,
    /// One at a time per organization within this process: saves provider calls, carries no correctness.
    pub(crate) turns: Mutex<HashMap<OrganizationId, Weak<tokio::sync::Mutex<()>>>>,
    /// Names this process in leases.
    pub(crate) owner: String,
    /// Set when the engine is asked to stop: what comes in batches ends at the next piece.
    pub(crate) stopping: CancellationToken,
    /// What the engine finishes before it has stopped.
    pub(crate) tasks: TaskTracker,
    /// Where the rounds of the outbox and of the inbox have come to.
    pub(crate) last_owed: tokio::sync::Mutex<String>,
    pub(crate) last_waiting: tokio::sync::Mutex<(Source, String)>,
    /// Leases of the inbox and of the outbox whose work is done.
    pub(crate) answered: Over,
    pub(crate) told: Over,
    /// What the lists of providers said of what waits.
    pub(crate) sweeps: Sweeps,
    pub(crate) pending: Line<Waiting>,
    pub(crate) owners: Line<OwnerOf>,
    pub(crate) accounts: Line<AccountOf>,
    pub(crate) versions: Line<VersionOf>,
    pub(crate) decided: Line<Arc<Decided>>,
    pub(crate) delivered: Line<OutboxRow>,
    pub(crate) wake_inbox: Notify,
    pub(crate) wake_outbox: Notify,
    pub(crate) wake_due: Notify,
}

/// Fills a buffer with randomness.
pub(crate) type Random = Arc<dyn Fn(&mut [u8]) + Send + Sync>;

/// Collects what an engine needs.
#[must_use]
pub struct Builder {
    settings: Settings,
    db: Option<Db>,
    clock: Option<Arc<dyn Clock>>,
    random: Random,
    catalog: Option<Catalog>,
    identity: Option<Arc<dyn Identity>>,
    billing: BTreeMap<Provider, Arc<dyn Billing>>,
    hooks: Arc<dyn Hooks>,
    workers: bool,
}

impl Builder {
    /// The database, migrated.
    pub fn database(mut self, db: Db) -> Self {
        self.db = Some(db);
        self
    }

    /// Both times.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = Some(clock);
        self
    }

    /// What is sold.
    pub fn catalog(mut self, catalog: Catalog) -> Self {
        self.catalog = Some(catalog);
        self
    }

    /// The identity provider.
    pub fn identity(mut self, identity: Arc<dyn Identity>) -> Self {
        self.identity = Some(identity);
        self
    }

    /// A billing provider; may be called for several.
    pub fn billing(mut self, billing: Arc<dyn Billing>) -> Self {
        self.billing.insert(billing.provider(), billing);
        self
    }

    /// What the product wants to hear.
    pub fn hooks(mut self, hooks: Arc<dyn Hooks>) -> Self {
        self.hooks = hooks;
        self
    }

    /// Randomness of ids; the operating system's unless given.
    pub fn random(mut self, random: impl Fn(&mut [u8]) + Send + Sync + 'static) -> Self {
        self.random = Arc::new(random);
        self
    }

    /// Whether this process also works (inbox, outbox, due rows), or only answers.
    pub fn workers(mut self, on: bool) -> Self {
        self.workers = on;
        self
    }

    /// Starts it within the current tokio runtime.
    ///
    /// # Errors
    /// [`Error::Setup`]: something is missing.
    pub fn start(self) -> Result<Running, Error> {
        let missing = |what: &str| Error::Setup(format!("no {what} was given"));
        let provider = &self.settings.billing_provider;
        if !self.billing.contains_key(provider) {
            return Err(missing(&format!("billing provider named `{provider}`")));
        }
        let db = self.db.ok_or_else(|| missing("database"))?;
        for billing in self.billing.values() {
            let known = self.settings.requests_per_minute.get(&billing.provider());
            billing.set_pace(Budget::per_minute(known.copied().unwrap_or_else(|| billing.usual_requests_per_minute())));
        }
        let mut owner = [0_u8; 8];
        (self.random)(&mut owner);
        let inner = Inner {
            inbox: inbox::Writer::start(db.clone()),
            known_keys: KnownKeys::default(),
            notices: Notices::default(),
            listeners: Listeners::default(),
            previews: Seal::new(&self.settings.secrets, "preview", &*self.random),
            flows: Vault::new(&self.settings.secrets, "sign-in", &self.random),
            cookies: Vault::new(&self.settings.secrets, "session cookie", &self.random),
            tokens: Vault::new(&self.settings.secrets, "session tokens", &self.random),
            consoles: Vault::new(&self.settings.secrets, "console cookie", &self.random),
            refreshes: Refreshes::default(),
            db,
            clock: self.clock.ok_or_else(|| missing("clock"))?,
            random: self.random,
            catalog: ArcSwap::from_pointee(self.catalog.ok_or_else(|| missing("catalog"))?),
            identity: self.identity.ok_or_else(|| missing("identity provider"))?,
            billing: self.billing,
            hooks: self.hooks,
            gates: Gates::default(),
            turns: Mutex::default(),
            owner: hex::encode(owner),
            stopping: CancellationToken::new(),
            tasks: TaskTracker::new(),
            last_owed: tokio::sync::Mutex::default(),
            last_waiting: tokio::sync::Mutex::new((Source::from(""), String::new())),
            answered: Over::default(),
            told: Over::default(),
            sweeps: Sweeps::default(),
            pending: Line::default(),
            owners: Line::default(),
            accounts: Line::default(),
            versions: Line::default(),
            decided: Line::default(),
            delivered: Line::default(),
            wake_inbox: Notify::new(),
            wake_outbox: Notify::new(),
            wake_due: Notify::new(),
            settings: self.settings,
        };
        Ok(Running::start(Tollkeeper { inner: Arc::new(inner) }, self.workers))
    }
}

impl Tollkeeper {
    /// Begins to put an engine together.
    pub fn builder(settings: Settings) -> Builder {
        Builder {
            settings,
            db: None,
            clock: None,
            random: Arc::new(|buffer| {
                getrandom::fill(buffer).expect("the operating system has randomness once it has booted");
            }),
            catalog: None,
            identity: None,
            billing: BTreeMap::new(),
            hooks: Arc::new(NoHooks),
            workers: true,
        }
    }

    /// What the engine was told.
    pub fn settings(&self) -> &Settings {
        &self.inner.settings
    }

    /// The catalog in force.
    pub fn catalog(&self) -> Arc<Catalog> {
        self.inner.catalog.load_full()
    }

    /// The database, to see whether it answers.
    pub fn database(&self) -> &Db {
        &self.inner.db
    }

    /// Says that business time has jumped: what became due is looked at now.
    pub fn clock_moved(&self) {
        self.inner.wake_due.notify_one();
    }

    /// Business time.
    pub fn now(&self) -> Timestamp {
        self.inner.clock.now()
    }

    pub(crate) fn machine_now(&self) -> MachineTime {
        self.inner.clock.machine_now()
    }

    pub(crate) fn billing(&self, provider: &Provider) -> Result<&Arc<dyn Billing>, Error> {
        self.inner.billing.get(provider).ok_or_else(|| Error::NotConfigured(provider.to_string()))
    }

    pub(crate) fn new_subscription_id(&self) -> SubscriptionId {
        let mut random = [0_u8; 10];
        (self.inner.random)(&mut random);
        SubscriptionId::generate(self.now(), random)
    }

    /// An idempotency key for one call about `what`. Every call has its own: a provider answers a repeated key with
    /// what it stored, also with a failure, and what is called by these keys may be repeated without harm.
    pub(crate) fn key(&self, what: &str) -> String {
        let mut random = [0_u8; 8];
        (self.inner.random)(&mut random);
        format!("{what}:{}", hex::encode(random))
    }

    /// How long to wait after so many failures.
    pub(crate) fn retry_pause(&self, attempts: i64) -> Duration {
        let mut dice = [0_u8; 8];
        (self.inner.random)(&mut dice);
        backoff::pause(attempts, u64::from_le_bytes(dice))
    }

    /// Waits for this organization's turn within this process.
    pub(crate) async fn turn(&self, organization: &OrganizationId) -> tokio::sync::OwnedMutexGuard<()> {
        let turn = {
            let mut turns = self.inner.turns.lock().expect("nobody panics while holding it");
            if turns.len() > 4096 {
                turns.retain(|_, turn| turn.strong_count() > 0);
            }
            match turns.get(organization).and_then(Weak::upgrade) {
                Some(turn) => turn,
                None => {
                    let turn = Arc::new(tokio::sync::Mutex::new(()));
                    turns.insert(organization.clone(), Arc::downgrade(&turn));
                    turn
                }
            }
        };
        turn.lock_owned().await
    }
}
