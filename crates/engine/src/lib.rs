//! The engine that people embed: it keeps organizations, customers and subscriptions in agreement and answers gates.
//!
//! Knows: the rules (`tollkeeper-core`), the store, and the two ports. Every action is written here once; HTTP, command
//! line and jobs call it.
//!
//! Must never know: a concrete adapter, HTTP, files, the environment, the wall clock.
//!
//! # Quickstart
//!
//! An engine needs a database, a clock, an identity provider, a billing provider and a catalog. It works in the runtime it
//! is started in, and tells the product through [`Hooks`].
//!
//! ```no_run
//! use std::sync::Arc;
//! use tollkeeper::{
//!     Catalog, Clock, Db, DbOptions, HookError, Hooks, Notice, Settings, Tollkeeper,
//!     catalog::{Grant, Plan, Policy},
//!     ports::{Billing, Identity},
//! };
//!
//! /// What the product wants to hear.
//! struct Welcome;
//!
//! #[async_trait::async_trait]
//! impl Hooks for Welcome {
//!     async fn on_subscription_completed(&self, notice: &Notice) -> Result<(), HookError> {
//!         println!("the gate of {} opened for the first time", notice.organization_id);
//!         Ok(())
//!     }
//! }
//!
//! // The adapters are `tollkeeper-scalekit`, `tollkeeper-chargebee` and `tollkeeper-stripe`.
//! async fn example(
//!     clock: Arc<dyn Clock>,
//!     identity: Arc<dyn Identity>,
//!     billing: Arc<dyn Billing>,
//! ) -> Result<(), tollkeeper::Error> {
//!     let db = Db::connect("sqlite:billing.db", &DbOptions::default()).await?;
//!     db.migrate().await?;
//!     let free = Plan { features: [("projects".into(), Grant::Limit(Some(3)))].into(), ..Plan::new("free") };
//!     let catalog = Catalog::new(vec![free], vec![], Some("free".into()), Policy::default()).expect("a good catalog");
//!
//!     let running = Tollkeeper::builder(Settings::new("chargebee".into(), "https://app.example.com"))
//!         .database(db)
//!         .clock(clock)
//!         .identity(identity)
//!         .billing(billing)
//!         .catalog(catalog)
//!         .hooks(Arc::new(Welcome))
//!         .start()?;
//!
//!     let decision = running.engine().gate(&"org_1".into(), "projects").await?;
//!     println!("{}: {}", decision.allowed, decision.reason.as_str());
//!     running.stop().await;
//!     Ok(())
//! }
//! ```
//!
//! `tollkeeper-http` has the routes and a layer that gates routes of the product; `examples/axum-embedded.rs` is a whole
//! product.

mod asks;
mod authorize;
mod backoff;
mod budget;
mod builder;
mod change;
mod changes;
mod checkout;
mod choice;
mod console;
mod contact;
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
mod overview;
mod payment;
mod prices;
mod provision;
mod reconcile;
mod redirect;
mod resident;
mod run;
mod seal;
mod seats;
mod settings;
mod show;
mod sign_in;
mod sweep;
mod sync;
mod together;

pub use authorize::Actor;
pub use builder::{Builder, Tollkeeper};
pub use change::{CancelRequest, Cancelled, PauseRequest, Preview, Restore, UpdateRequest, Updated};
pub use changes::{Changes, Heard};
pub use checkout::Started;
pub use choice::CreateRequest;
pub use console::{Backlog, Story};
pub use contact::ContactRequest;
pub use error::Error;
pub use failpoint::{PLACES, arm};
pub use gates::GateStats;
pub use hooks::{Action, Event, HookError, Hooks, NoHooks, Notice};
pub use ingest::Received;
pub use invoices::Invoices;
pub use keys::{Key, PREFIX as KEY_PREFIX, Scope};
pub use overview::Overview;
pub use payment::PayRequest;
pub use prices::{ComparedPrice, ComparedPrices, PriceState};
pub use reconcile::{Difference, Extent, Report};
pub use redirect::safe_target;
pub use run::Running;
pub use seats::{SeatHolder, Seats, seat_limit};
pub use settings::Settings;
pub use show::{FeatureView, LimitView, SubscriptionView, feature_view, grant_view, plans_view};
pub use sign_in::{Authenticated, MARK as SESSION_MARK, SessionCookie, SignInBegun, SignInFlow, SignInWish, SignedIn};
pub use sync::Landing;

pub use tollkeeper_core::{
    catalog::{self, Catalog},
    gate::Decision,
    ids, organization, ports, subscription,
    time::{self, Clock},
};
pub use tollkeeper_store::{
    Db, Error as StoreFailure, Options as DbOptions, Schema,
    drift::Drift,
    history::HistoryRow as DecisionMade,
    inbox::{Filter as DeliveryFilter, InboxRow as StoredDelivery, InboxState as DeliveryState, Replay, Trouble},
    outbox::{OutboxRow as OwedEffect, OutboxState as OwedState, Troubled as TroubledEffects},
    search::NameMatch,
};
