//! What the engine can be told.

use std::time::Duration;

use tollkeeper_core::{
    ids::{PriceId, Provider},
    money::Currency,
};

/// Settings of the engine; every one has a default but the provider.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The provider that new organizations are pinned to.
    pub billing_provider: Provider,
    /// Who may change billing: roles of the access token. Empty opens it to every member.
    pub billing_roles: Vec<String>,
    /// Whether every user is an organization of one.
    pub users_are_organizations: bool,
    /// The currency of a first checkout that names none.
    pub default_currency: Currency,
    /// Our own address, without a trailing slash; what providers send people back to.
    pub app_url: String,
    /// Other origins that people may be sent back to (`https://app.example.com`).
    pub allowed_origins: Vec<String>,
    /// The price that a checkout sells when a request names none.
    pub default_price: Option<PriceId>,
    /// How long a checkout's loser waits for the winner's link.
    pub checkout_wait: Duration,
    /// How many deliveries are worked on at once.
    pub workers: usize,
    /// How long a gate may answer from memory before it asks whether the organization has changed.
    pub gate_fresh: Duration,
    /// How long a gate may answer from memory while the database is away.
    pub gate_max_stale: Duration,
}

impl Settings {
    /// The defaults, for one provider and one address.
    pub fn new(billing_provider: Provider, app_url: impl Into<String>) -> Self {
        Self {
            billing_provider,
            billing_roles: vec!["admin".into(), "owner".into()],
            users_are_organizations: false,
            default_currency: "USD".parse().expect("USD is a currency"),
            app_url: app_url.into(),
            allowed_origins: Vec::new(),
            default_price: None,
            checkout_wait: Duration::from_secs(10),
            workers: 16,
            gate_fresh: Duration::from_secs(1),
            gate_max_stale: Duration::from_secs(120),
        }
    }
}
