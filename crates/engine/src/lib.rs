//! The engine that people embed: it keeps organizations, customers and subscriptions in agreement and answers gates.
//!
//! Knows: the rules (`tollkeeper-core`), the store, and the two ports. Every action is written here once; HTTP, command
//! line and jobs call it.
//!
//! Must never know: a concrete adapter, HTTP, files, the environment, the wall clock.
//!
//! ```no_run
//! # async fn example(
//! #     db: tollkeeper::Db,
//! #     clock: std::sync::Arc<dyn tollkeeper::Clock>,
//! #     identity: std::sync::Arc<dyn tollkeeper::ports::Identity>,
//! #     billing: std::sync::Arc<dyn tollkeeper::ports::Billing>,
//! #     catalog: tollkeeper::Catalog,
//! # ) -> Result<(), tollkeeper::Error> {
//! let running = tollkeeper::Tollkeeper::builder(tollkeeper::Settings::new("chargebee".into(), "https://app.example.com"))
//!     .database(db)
//!     .clock(clock)
//!     .identity(identity)
//!     .billing(billing)
//!     .catalog(catalog)
//!     .start()?;
//! let decision = running.engine().gate(&"org_1".into(), "sso").await?;
//! println!("{}", decision.reason.as_str());
//! running.stop().await;
//! # Ok(())
//! # }
//! ```

mod asks;
mod authorize;
mod backoff;
mod budget;
mod builder;
mod change;
mod checkout;
mod choice;
mod decide;
mod deletion;
mod drift;
mod due;
mod error;
mod failpoint;
mod gates;
mod hooks;
mod identity;
mod inbox;
mod ingest;
mod invoices;
mod keys;
mod leases;
mod notices;
mod operator;
mod outbox;
mod payment;
mod provision;
mod reconcile;
mod redirect;
mod resident;
mod run;
mod seal;
mod settings;
mod show;
mod sweep;
mod sync;
mod together;

pub use authorize::Actor;
pub use builder::{Builder, Tollkeeper};
pub use change::{CancelRequest, Cancelled, PauseRequest, Preview, Restore, UpdateRequest, Updated};
pub use checkout::Started;
pub use choice::CreateRequest;
pub use error::Error;
pub use failpoint::{PLACES, arm};
pub use gates::GateStats;
pub use hooks::{Action, Event, HookError, Hooks, NoHooks, Notice};
pub use ingest::Received;
pub use invoices::Invoices;
pub use keys::{Key, PREFIX as KEY_PREFIX, Scope};
pub use payment::PayRequest;
pub use reconcile::{Difference, Extent, Report};
pub use redirect::safe_target;
pub use run::Running;
pub use settings::Settings;
pub use show::{FeatureView, LimitView, SubscriptionView, feature_view, grant_view, plans_view};
pub use sync::Landing;

pub use tollkeeper_core::{catalog::Catalog, gate::Decision, ids, ports, time::Clock};
pub use tollkeeper_store::{
    Db, Error as StoreFailure, Schema,
    drift::Drift,
    inbox::{Filter as DeliveryFilter, InboxRow as StoredDelivery, InboxState as DeliveryState, Replay},
};
