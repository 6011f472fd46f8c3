//! The Chargebee adapter: the ports of `tollkeeper-core`, spoken in Chargebee's API v2 (Product Catalog 2.0).
//!
//! Knows: Chargebee's form format, its JSON, its states and its failures, and what each of them means in our words.
//!
//! Must never know: our rows, our catalog, another provider, the wall clock. It decides nothing; it translates.
//!
//! The usual next thing is one more call: put the parameters into a [`form::Form`] (`change.rs` has those that change a
//! subscription), the answer into `wire/`, and the method into `billing.rs`. A new failure gets its meaning in
//! `error.rs`, a new status in `snapshot.rs`.

mod billing;
mod change;
mod checkout;
mod client;
mod config;
mod credentials;
mod customer;
mod delivery;
mod error;
pub mod form;
#[cfg(test)]
mod hostile;
mod invoices;
mod prices;
mod quote;
mod reading;
mod snapshot;
mod wire;

use std::{fmt, sync::Arc};

pub use config::{Config, ConfigError, Timeouts};
use tollkeeper_core::time::{Clock, Timestamp};

use crate::{client::Client, credentials::Credentials};

/// The name of this provider in rows, configuration and the inbox.
pub const NAME: &str = "chargebee";

/// Chargebee, as the engine sees it: [`tollkeeper_core::ports::Inbound`] and [`tollkeeper_core::ports::Billing`].
pub struct Chargebee {
    client: Client,
    /// `None` when deliveries are accepted from anybody.
    credentials: Option<Credentials>,
    gateway_account_id: Option<String>,
    clock: Option<Arc<dyn Clock>>,
}

impl Chargebee {
    /// Makes the adapter. Talks to nobody yet.
    ///
    /// # Errors
    /// [`ConfigError`]: the first of [`Config::problems`], or the HTTP client could not be made.
    ///
    /// # Panics
    /// When the process has no default `rustls` crypto provider: the binary installs one before anything else.
    pub fn new(config: Config) -> Result<Self, ConfigError> {
        if let Some(problem) = config.problems().into_iter().next() {
            return Err(problem);
        }
        Ok(Self {
            client: Client::new(&config)?,
            credentials: Credentials::of(&config),
            gateway_account_id: config.gateway_account_id.filter(|id| !id.is_empty()),
            clock: None,
        })
    }

    /// Tells the adapter what business time it is.
    ///
    /// Only whether a hosted page is too old, and when a snapshot was read, depend on it. Without a clock, an old page
    /// stays open with its `expires_at` in the past, and a snapshot was read when the subscription last changed.
    #[must_use]
    pub fn with_clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = Some(clock);
        self
    }

    fn now(&self) -> Option<Timestamp> {
        self.clock.as_ref().map(|clock| clock.now())
    }
}

impl fmt::Debug for Chargebee {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Chargebee").field("client", &self.client).finish_non_exhaustive()
    }
}
