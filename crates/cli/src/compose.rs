//! The one place that names concrete adapters and puts them together.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use anyhow::{Context as _, bail};
use tokio::net::TcpListener;
use tollkeeper::{Db, Running, Tollkeeper};
use tollkeeper_chargebee::Chargebee;
use tollkeeper_http::Limits;
use tollkeeper_scalekit::scalekit::Scalekit;
use tollkeeper_store::{Options, Schema};
use tollkeeper_stripe::Stripe;

use crate::{clock::Clocks, config::Config};

/// Connects to the database and sees to its schema.
pub(crate) async fn database(url: &str, migrate: bool) -> anyhow::Result<Db> {
    let db = Db::connect(url, &Options::default()).await.context("connecting to the database")?;
    if migrate {
        db.migrate().await.context("migrating the database")?;
    }
    match db.schema().await.context("reading the database's schema")? {
        Schema::Current => Ok(db),
        Schema::Ahead { .. } => bail!("the database was made by a newer version of tollkeeper: use that one"),
        Schema::Empty => bail!("the database is empty: run `tollkeeper migrate`, or start the server once"),
        Schema::Behind { .. } => {
            bail!("the database's schema is older than this program: run `tollkeeper migrate`")
        }
    }
}

/// Starts an engine on a database.
pub(crate) fn engine(config: Config, db: Db, clocks: &Clocks, workers: bool) -> anyhow::Result<Running> {
    let clock = Arc::new(clocks.clone());
    let scalekit = Scalekit::new(config.scalekit, clock.clone()).context("the identity provider")?;
    let mut builder = Tollkeeper::builder(config.settings)
        .database(db)
        .clock(clock.clone())
        .catalog(config.catalog)
        .identity(Arc::new(scalekit))
        .workers(workers);
    if let Some(chargebee) = config.chargebee {
        let chargebee = Chargebee::new(chargebee).context("the billing provider chargebee")?;
        builder = builder.billing(Arc::new(chargebee.with_clock(clock.clone())));
    }
    if let Some(stripe) = config.stripe {
        let stripe = Stripe::new(stripe).context("the billing provider stripe")?;
        builder = builder.billing(Arc::new(stripe.with_clock(clock)));
    }
    Ok(builder.start()?)
}

/// Listens, so that the address is known before anything else starts.
pub(crate) async fn listen(address: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).await.with_context(|| format!("listening on {address}"))
}

/// How long what is under way may take once the process is asked to end.
pub(crate) const GRACE: Duration = Duration::from_secs(35);

/// Answers requests until `stop` resolves, then finishes what is open; a connection that never finishes is cut.
pub(crate) async fn answer(
    listener: TcpListener,
    router: axum::Router,
    limits: Limits,
    stop: impl Future<Output = ()> + Send + 'static,
) {
    let (told, asked) = tokio::sync::oneshot::channel::<()>();
    let server = tollkeeper_http::serve(listener, router, &limits, async move {
        stop.await;
        let _ = told.send(());
    });
    let patience = async {
        // Without an answer the server has ended by itself.
        if asked.await.is_err() {
            std::future::pending::<()>().await;
        }
        tokio::time::sleep(GRACE).await;
    };
    tokio::select! {
        () = server => {}
        () = patience => tracing::warn!("some connections did not finish in time: they are cut"),
    }
}

/// Resolves when the process is asked to end.
pub(crate) async fn asked_to_end() {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate()).expect("the runtime can watch signals");
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = terminate.recv() => {}
    }
}

/// A client for the sandbox's control and clock.
pub(crate) fn client() -> anyhow::Result<reqwest::Client> {
    Ok(reqwest::Client::builder()
        .timeout(std::time::Duration::from_secs(600))
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .build()?)
}
