//! `tollkeeper serve`: HTTP and workers in one process, and how it ends.
//!
//! Asked to end, it accepts nothing more, takes up no more work, answers what was asked and finishes what is under way,
//! within a grace. Asked again, it ends at once: what was acknowledged is durable, and the next process goes on with it.

use std::{future, net::SocketAddr, time::Duration};

use anyhow::bail;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder};
use tokio::{sync::oneshot, time};

use crate::{
    clock::{self, Clocks},
    compose,
    config::{Config, Flags, Vars},
};

/// How often the figures are tidied up.
const UPKEEP: Duration = Duration::from_secs(5);

/// Up to how many seconds requests are told apart: from a gate in memory to a provider that takes its time.
const DURATIONS: &[f64] =
    &[0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];

/// Flags of `serve`.
#[derive(Debug, clap::Args)]
pub(crate) struct Serve {
    /// The address to listen on; over `server.listen`, which is 127.0.0.1:3000 by default
    #[arg(long)]
    listen: Option<SocketAddr>,
    /// Only answer: take deliveries in, but leave the work on them to another process
    #[arg(long)]
    no_workers: bool,
    /// Refuse a database whose schema is older, instead of migrating it
    #[arg(long)]
    no_migrate: bool,
    /// Take Chargebee deliveries without credentials; on loopback only
    #[arg(long)]
    insecure_webhooks: bool,
}

/// Runs the server until the process is asked to end.
pub(crate) async fn run(args: Serve) -> anyhow::Result<()> {
    let vars = Vars::of_process();
    let flags = Flags { listen: args.listen, insecure_webhooks: args.insecure_webhooks, takes_nothing_in: false };
    let config = Config::read(&vars, &flags)?;
    for doubt in config.doubts() {
        tracing::warn!("{doubt}");
    }
    let clocks = Clocks::default();
    let db = compose::database(&config.database_url, !args.no_migrate).await?;
    let listener = compose::listen(config.listen).await?;
    let address = listener.local_addr()?;
    let http = http_config(&config);
    let clock_url = config.clock_url.clone();
    let running = compose::engine(config, db.clone(), &clocks, !args.no_workers)?;
    if let Some(url) = clock_url {
        let client = compose::client()?;
        tokio::spawn(clock::follow(url, clocks, running.engine().clone(), client));
    }
    let limits = http.limits.clone();
    let router = tollkeeper_http::router(running.engine().clone(), http);
    tracing::info!(%address, workers = !args.no_workers, "listening on http://{address}");
    let (told, ending) = oneshot::channel();
    let work = async {
        let wind_down = running.wind_down();
        let asked = async move {
            compose::asked_to_end().await;
            tracing::info!("stopping: finishing what is under way");
            wind_down();
            // Nobody listens once the work is over.
            let _ = told.send(());
        };
        tollkeeper_http::serve(listener, router, &limits, asked).await;
        running.stop().await;
        db.close().await;
    };
    tokio::select! {
        () = work => Ok(()),
        outcome = impatience(ending) => outcome,
    }
}

/// Resolves when what is under way has had its time, or the process is asked to end once more.
async fn impatience(ending: oneshot::Receiver<()>) -> anyhow::Result<()> {
    if ending.await.is_err() {
        // The work has come to its end.
        return future::pending().await;
    }
    tokio::select! {
        () = compose::asked_to_end() => bail!("asked to end a second time: what was under way is cut"),
        () = time::sleep(compose::GRACE) => {
            tracing::warn!("some of what was under way did not finish in time: it is cut");
            Ok(())
        }
    }
}

/// What the HTTP side needs. Installs the process's recorder of figures, so it is called once, within the runtime.
pub(crate) fn http_config(config: &Config) -> tollkeeper_http::Config {
    let recorder = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Full("tollkeeper_http_request_duration_seconds".to_owned()), DURATIONS)
        .expect("there are buckets");
    let metrics = recorder.install_recorder().ok();
    if let Some(handle) = metrics.clone() {
        // Samples would pile up while nobody reads the figures.
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(UPKEEP).await;
                handle.run_upkeep();
            }
        });
    }
    let defaults = tollkeeper_http::Config::default();
    tollkeeper_http::Config {
        metrics,
        version: env!("CARGO_PKG_VERSION"),
        operator_key: config.operator_key.clone(),
        limits: config.limits.clone(),
        operators: config.operators.clone(),
        session_cookie: config.session_cookie.clone().unwrap_or(defaults.session_cookie),
        payment_required: config.payment_required.clone().map_or(defaults.payment_required, Into::into),
        ..defaults
    }
}
