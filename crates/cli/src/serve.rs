//! `tollkeeper serve`: HTTP and workers in one process.

use std::{net::SocketAddr, time::Duration};

use crate::{
    clock::{self, Clocks},
    compose,
    config::{Config, Flags, Vars},
};

/// How often the figures are tidied up.
const UPKEEP: Duration = Duration::from_secs(5);

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
    let config = Config::read(&vars, &Flags { listen: args.listen, insecure_webhooks: args.insecure_webhooks })?;
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
    let router = tollkeeper_http::router(running.engine().clone(), http);
    tracing::info!(%address, workers = !args.no_workers, "listening on http://{address}");
    compose::answer(listener, router, compose::asked_to_end()).await?;
    tracing::info!("stopping: finishing what is under way");
    running.stop().await;
    db.close().await;
    Ok(())
}

/// What the HTTP side needs. Installs the process's recorder of figures, so it is called once, within the runtime.
pub(crate) fn http_config(config: &Config) -> tollkeeper_http::Config {
    let metrics = metrics_exporter_prometheus::PrometheusBuilder::new().install_recorder().ok();
    if let Some(handle) = metrics.clone() {
        // Samples would pile up while nobody reads the figures.
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(UPKEEP).await;
                handle.run_upkeep();
            }
        });
    }
    tollkeeper_http::Config {
        metrics,
        version: env!("CARGO_PKG_VERSION"),
        operator_key: config.operator_key.clone(),
        ..tollkeeper_http::Config::default()
    }
}
