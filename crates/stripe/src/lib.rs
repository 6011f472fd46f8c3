//! The Stripe adapter: the ports of `tollkeeper-core`, spoken in Stripe's API v1.
//!
//! Knows: Stripe's form format, its JSON in the version that we ask for and in the older one that a webhook endpoint may
//! still have, its states and its failures, and what each of them means in our words.
//!
//! Must never know: our rows, our catalog, another provider, the wall clock. It decides nothing; it translates.
//!
//! The usual next thing is one more call: put the parameters into a [`form::Form`] (`change.rs` has those that change a
//! subscription), the answer into `wire/`, and the method into `billing.rs`; what takes several calls is in `acts.rs`. A
//! new failure gets its meaning in `error.rs`, a new status in `snapshot.rs`, a new kind of delivery in `delivery.rs`.

mod acts;
mod billing;
mod change;
mod checkout;
mod client;
mod config;
mod customer;
mod delivery;
mod endpoints;
mod error;
pub mod form;
#[cfg(test)]
mod hostile;
mod invoices;
mod items;
mod listing;
mod pausing;
mod prices;
mod quote;
mod reading;
mod schedule;
mod signature;
mod snapshot;
mod wire;

use std::{fmt, sync::Arc};

pub use config::{Config, ConfigError, MissingMethod, Options, Timeouts};
pub use endpoints::{WebhookEndpoint, wanted as wanted_events};
use tollkeeper_core::time::{Clock, Timestamp};

use crate::{client::Client, signature::Signatures};

/// The name of this provider in rows, configuration and the inbox.
pub const NAME: &str = "stripe";

/// The version of the API that every request asks for.
pub const API_VERSION: &str = "2026-10-28.endive";

/// Stripe, as the engine sees it: [`tollkeeper_core::ports::Inbound`] and [`tollkeeper_core::ports::Billing`].
pub struct Stripe {
    client: Client,
    signatures: Signatures,
    options: Options,
    clock: Option<Arc<dyn Clock>>,
}

impl Stripe {
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
            signatures: Signatures::of(&config),
            options: config.options,
            clock: None,
        })
    }

    /// Tells the adapter what business time it is.
    ///
    /// With it, a trial that is too short for a date is asked for in days, a preview is pinned to this instant, a pause
    /// at the period's end begins when it should, and what changed lately is read from the events. Without a clock, dates
    /// are passed on as they are, Stripe names the instant of a preview, the current period tells whether a pause has
    /// begun, and every list is a whole one.
    #[must_use]
    pub fn with_clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = Some(clock);
        self
    }

    fn now(&self) -> Option<Timestamp> {
        self.clock.as_ref().map(|clock| clock.now())
    }
}

impl fmt::Debug for Stripe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stripe").field("client", &self.client).finish_non_exhaustive()
    }
}
