//! What the engine can be told.

use std::{collections::BTreeMap, time::Duration};

use secrecy::SecretString;

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
    /// The price that a checkout sells when a request names none, by the organization's provider.
    pub default_prices: BTreeMap<Provider, PriceId>,
    /// How long a checkout's loser waits for the winner's link.
    pub checkout_wait: Duration,
    /// How many of each kind are worked on at once: what deliveries are about, organizations that are told, due rows.
    pub workers: usize,
    /// How long a gate may answer from memory before it asks whether the organization has changed.
    pub gate_fresh: Duration,
    /// How long a gate may answer from memory while the database is away.
    pub gate_max_stale: Duration,
    /// How often what changed at the billing providers is compared with our rows, in machine time; `None` never.
    pub reconcile_interval: Option<Duration>,
    /// Requests a minute to a provider; what is not here has what its adapter calls usual.
    pub requests_per_minute: BTreeMap<Provider, u32>,
    /// What preview tokens, session cookies and other seals derive from: the first one seals, all of them open. Without
    /// any, seals do not outlive this process.
    pub secrets: Vec<SecretString>,
    /// Where the identity provider sends people back to who sign in for our own pages; `{app_url}/auth/callback` unless given.
    pub redirect_uri: Option<String>,
    /// Where it sends people to who have signed out; `{app_url}/` unless given.
    pub post_logout_redirect_uri: Option<String>,
    /// How much more or less than previewed a change may cost, in hundredths of a percent of a day's price; one minor unit
    /// in any case.
    pub preview_tolerance: u32,
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
            default_prices: BTreeMap::new(),
            checkout_wait: Duration::from_secs(10),
            workers: 32,
            gate_fresh: Duration::from_secs(1),
            gate_max_stale: Duration::from_secs(120),
            reconcile_interval: None,
            requests_per_minute: BTreeMap::new(),
            secrets: Vec::new(),
            redirect_uri: None,
            post_logout_redirect_uri: None,
            preview_tolerance: 100,
        }
    }
}
