//! A product in Rust with Tollkeeper inside: one route behind a gate, and one hook.
//!
//! It reads the same variables as `tollkeeper serve`, so that a sandbox can stand in for the providers:
//! `tollkeeper sandbox --env-file sandbox.env`, then `env $(cat sandbox.env) cargo run --example axum-embedded`.

use std::{env::var, error::Error, sync::Arc, time::SystemTime};

use axum::{Router, routing::get};
use tollkeeper::{
    Catalog, Clock, Db, DbOptions, HookError, Hooks, Notice, Settings, Tollkeeper,
    catalog::{Grant, Interval, Plan, Price},
    time::{MachineTime, Timestamp},
};
use tollkeeper_chargebee::Chargebee;
use tollkeeper_http::{Config, Entitled, Face, Limits};
use tollkeeper_scalekit::scalekit::{self, Scalekit};

/// Hears that somebody's gate opened for the first time: here a product would send its welcome.
struct Welcome;

#[async_trait::async_trait]
impl Hooks for Welcome {
    async fn on_subscription_completed(&self, notice: &Notice) -> Result<(), HookError> {
        println!("welcome, {}", notice.organization_id);
        Ok(())
    }
}

/// Only who has `sso` comes here.
async fn reports(entitled: Entitled) -> String {
    format!("the reports of {}, on {}", entitled.organization_id, entitled.plan().unwrap_or("no plan"))
}

/// What is sold: one plan, at one price.
fn catalog() -> Result<Catalog, Box<dyn Error>> {
    let price = Price {
        id: "growth-plan-monthly".into(),
        provider: tollkeeper_chargebee::NAME.into(),
        interval: Interval::Month,
        currency: "USD".parse()?,
        amount: 4900,
        per_seat: false,
    };
    let growth = Plan { features: [("sso".into(), Grant::Switch)].into(), prices: vec![price], ..Plan::new("growth") };
    Catalog::new(vec![growth], vec![], None, Default::default()).map_err(|problems| format!("{problems:?}").into())
}

/// The machine's clock, for both times.
struct WallClock;

impl Clock for WallClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.machine_now().as_micros())
    }
    #[expect(clippy::disallowed_methods, reason = "the engine asks its host what time it is, and this is the host")]
    fn machine_now(&self) -> MachineTime {
        SystemTime::now().into()
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let clock = Arc::new(WallClock);
    let db = Db::connect(&var("DATABASE_URL")?, &DbOptions::default()).await?;
    db.migrate().await?;
    let identity = scalekit::Config {
        webhook_secrets: vec![var("SCALEKIT_WEBHOOK_SECRET")?.into()],
        ..scalekit::Config::new(
            var("SCALEKIT_ENV_URL")?,
            var("SCALEKIT_CLIENT_ID")?,
            var("SCALEKIT_CLIENT_SECRET")?.into(),
        )
    };
    let billing = tollkeeper_chargebee::Config {
        site: var("CHARGEBEE_SITE")?,
        api_key: var("CHARGEBEE_API_KEY")?.into(),
        api_url: var("CHARGEBEE_API_URL").ok(),
        webhook_username: var("CHARGEBEE_WEBHOOK_USERNAME").ok(),
        webhook_password: var("CHARGEBEE_WEBHOOK_PASSWORD").ok().map(Into::into),
        ..Default::default()
    };
    let running = Tollkeeper::builder(Settings::new(tollkeeper_chargebee::NAME.into(), var("APP_URL")?))
        .database(db)
        .clock(clock.clone())
        .identity(Arc::new(Scalekit::new(identity, clock.clone())?))
        .billing(Arc::new(Chargebee::new(billing)?.with_clock(clock)))
        .catalog(catalog()?)
        .hooks(Arc::new(Welcome))
        .start()?;

    let face = Face::new(running.engine().clone(), Config::default());
    let gated = Router::new().route("/reports", get(reports)).route_layer(face.gates().require("sso"));
    let listener = tokio::net::TcpListener::bind(var("LISTEN").unwrap_or("127.0.0.1:3000".into())).await?;
    println!("listening on http://{}", listener.local_addr()?);
    let stop = async { tokio::signal::ctrl_c().await.expect("the runtime hears signals") };
    tollkeeper_http::serve(listener, gated.merge(face.router()), &Limits::default(), stop).await;
    running.stop().await;
    Ok(())
}
