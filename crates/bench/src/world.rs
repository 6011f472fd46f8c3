//! What is measured, put together as the program does it: a database, an engine, its HTTP face on a loopback socket.

use std::{
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    sync::{Arc, OnceLock},
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};
use axum::Router;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use tokio::{net::TcpListener, sync::oneshot, task::JoinHandle};
use tollkeeper::{Db, DeliveryState, Running, Settings, Tollkeeper, ids::Source};
use tollkeeper_chargebee::Chargebee;
use tollkeeper_core::time::Clock as _;
use tollkeeper_scalekit::scalekit::{self, Scalekit};
use tollkeeper_store::{Options, inbox};
use tollkeeper_stripe::Stripe;
use tollkeeper_testkit::database::{Engine, POSTGRES, TestDb};

use crate::{events, machine::Machine, rows};

/// What every measurement is told.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) engines: Vec<Engine>,
    /// Small sizes, to see that it runs.
    pub(crate) quick: bool,
    pub(crate) folder: PathBuf,
    pub(crate) connections: usize,
}

impl Plan {
    /// The full size, or the small one.
    pub(crate) fn size(&self, full: usize, small: usize) -> usize {
        if self.quick { small } else { full }
    }
}

/// A fresh database with the program's own options; gone when dropped.
pub(crate) struct Database {
    pub(crate) db: Db,
    pub(crate) url: String,
    pub(crate) name: &'static str,
    _keep: Keep,
}

enum Keep {
    Nothing,
    Folder { _folder: tempfile::TempDir },
    Postgres { _db: TestDb },
}

impl Database {
    /// One that no disk has anything to do with.
    pub(crate) async fn in_memory() -> anyhow::Result<Self> {
        let url = "sqlite:file:bench?mode=memory".to_owned();
        let db = Db::connect(&url, &Options::default()).await?;
        db.migrate().await?;
        Ok(Self { db, url, name: "sqlite", _keep: Keep::Nothing })
    }

    pub(crate) async fn new(engine: Engine, folder: &Path) -> anyhow::Result<Self> {
        match engine {
            Engine::Sqlite => {
                let folder =
                    tempfile::tempdir_in(folder).with_context(|| format!("making a folder in {}", folder.display()))?;
                let url = format!("sqlite://{}", folder.path().join("bench.db").display());
                let db = Db::connect(&url, &Options::default()).await?;
                db.migrate().await?;
                Ok(Self { db, url, name: "sqlite", _keep: Keep::Folder { _folder: folder } })
            }
            Engine::Postgres => {
                ensure!(
                    std::env::var_os(POSTGRES).is_some(),
                    "{POSTGRES} is not set: set it to the address of a server that may create databases, or choose --engine sqlite"
                );
                let test = TestDb::with(Engine::Postgres, &Options::default()).await;
                let (db, url) = (test.db().clone(), test.url().to_owned());
                Ok(Self { db, url, name: "postgres", _keep: Keep::Postgres { _db: test } })
            }
        }
    }
}

/// Where the providers are; nobody is there unless a sandbox is.
#[derive(Clone, Debug)]
pub(crate) struct Providers {
    pub(crate) url: String,
    pub(crate) requests_per_minute: u32,
}

impl Default for Providers {
    fn default() -> Self {
        Self { url: "http://127.0.0.1:1".into(), requests_per_minute: 1_000_000 }
    }
}

/// Where the pages say that they are.
pub(crate) const APP_URL: &str = "http://127.0.0.1";
pub(crate) const CLIENT_ID: &str = "skc_bench";
pub(crate) const CLIENT_SECRET: &str = "sandbox_bench";
pub(crate) const API_KEY: &str = "test_bench";

pub(crate) fn identity(providers: &Providers) -> anyhow::Result<Scalekit> {
    let config = scalekit::Config {
        webhook_secrets: vec![events::WEBHOOK_SECRET.to_owned().into()],
        ..scalekit::Config::new(providers.url.clone(), CLIENT_ID, CLIENT_SECRET.to_owned().into())
    };
    Ok(Scalekit::new(config, Arc::new(Machine))?)
}

pub(crate) fn billing(providers: &Providers) -> anyhow::Result<Chargebee> {
    let config = tollkeeper_chargebee::Config {
        site: "bench-test".into(),
        api_key: API_KEY.into(),
        webhook_username: Some(events::USERNAME.into()),
        webhook_password: Some(events::PASSWORD.into()),
        api_url: Some(providers.url.clone()),
        ..tollkeeper_chargebee::Config::default()
    };
    Ok(Chargebee::new(config)?.with_clock(Arc::new(Machine)))
}

pub(crate) fn stripe(providers: &Providers) -> anyhow::Result<Stripe> {
    let config = tollkeeper_stripe::Config {
        secret_key: API_KEY.into(),
        webhook_secrets: vec![events::STRIPE_SECRET.into()],
        api_url: Some(providers.url.clone()),
        ..tollkeeper_stripe::Config::default()
    };
    Ok(Stripe::new(config)?.with_clock(Arc::new(Machine)))
}

/// How an engine is made that is to be measured.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wish {
    pub(crate) workers: bool,
    /// A gate never asks whether its view is the newest: what is measured is memory.
    pub(crate) gates_from_memory: bool,
    pub(crate) providers: Providers,
}

pub(crate) fn engine(db: &Db, wish: &Wish) -> anyhow::Result<Running> {
    let mut settings = Settings::new("chargebee".into(), APP_URL);
    if wish.gates_from_memory {
        settings.gate_fresh = Duration::from_secs(24 * 60 * 60);
    }
    for provider in [tollkeeper_chargebee::NAME, tollkeeper_stripe::NAME] {
        settings.requests_per_minute.insert(provider.into(), wish.providers.requests_per_minute);
    }
    settings.reconcile_interval = None;
    let running = Tollkeeper::builder(settings)
        .database(db.clone())
        .clock(Arc::new(Machine))
        .catalog(rows::catalog()?)
        .identity(Arc::new(identity(&wish.providers)?))
        .billing(Arc::new(billing(&wish.providers)?))
        .billing(Arc::new(stripe(&wish.providers)?))
        .workers(wish.workers)
        .start()?;
    Ok(running)
}

/// The recorder of figures, which is the process's and costs every request a little.
fn recorder() -> Option<PrometheusHandle> {
    static RECORDER: OnceLock<Option<PrometheusHandle>> = OnceLock::new();
    RECORDER
        .get_or_init(|| {
            let handle = PrometheusBuilder::new().install_recorder().ok()?;
            let upkeep = handle.clone();
            // Samples would pile up.
            tokio::spawn(async move {
                loop {
                    tokio::time::sleep(Duration::from_secs(5)).await;
                    upkeep.run_upkeep();
                }
            });
            Some(handle)
        })
        .clone()
}

/// A router that answers on a loopback socket.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Server {
    /// The product's own routes.
    pub(crate) async fn of(running: &Running) -> anyhow::Result<Self> {
        let config = tollkeeper_http::Config { metrics: recorder(), ..tollkeeper_http::Config::default() };
        Self::start(tollkeeper_http::router(running.engine().clone(), config)).await
    }

    pub(crate) async fn start(router: Router) -> anyhow::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let (stop, stopped) = oneshot::channel::<()>();
        // The way in of the program itself, for whatever is compared.
        let serve = async move {
            let stopped = async move {
                let _ = stopped.await;
            };
            tollkeeper_http::serve(listener, router, &tollkeeper_http::Limits::default(), stopped).await;
        };
        Ok(Self { address, stop, task: tokio::spawn(serve) })
    }

    pub(crate) async fn stop(self) -> anyhow::Result<()> {
        let _ = self.stop.send(());
        Ok(self.task.await?)
    }
}

/// Waits until every delivery is worked on; answers how long that took. Fails when some were given up or ignored.
pub(crate) async fn drain(db: &Db, patience: Duration) -> anyhow::Result<Duration> {
    let begun = Instant::now();
    let sources = [tollkeeper_chargebee::NAME, tollkeeper_stripe::NAME].map(Source::from);
    // Far ahead, so that what waits for its next try counts too.
    let ever = Machine.machine_now().plus(Duration::from_secs(365 * 24 * 60 * 60));
    loop {
        let asked = Instant::now();
        if inbox::pending_subjects(db.read().await?.c(), &("".into(), String::new()), ever, None, 1).await?.is_empty() {
            let took = begun.elapsed();
            let counts = inbox::counts(db.read().await?.c()).await?;
            let lost = counts.iter().any(|(from, state, _)| sources.contains(from) && *state != DeliveryState::Done);
            ensure!(!lost, "some deliveries were not applied: {counts:?}");
            return Ok(took);
        }
        ensure!(begun.elapsed() < patience, "the backlog was not worked off within {patience:?}");
        // Asking must not take part in what is measured: a twentieth of the time at most.
        tokio::time::sleep((asked.elapsed() * 20).max(Duration::from_millis(5))).await;
    }
}
