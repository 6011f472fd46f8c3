//! What the sandbox is told at its start, and how starting can fail.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

/// Everything the sandbox needs; it reads neither files nor the environment nor the machine's clock.
#[derive(Clone)]
pub struct Config {
    /// Where to listen. Port 0 takes any free port; [`crate::Sandbox::url`] tells which.
    pub listen: SocketAddr,
    /// Machine time, in Unix microseconds. Signatures and tokens carry it.
    pub machine_now: Arc<dyn Fn() -> i64 + Send + Sync>,
    /// Called with the new offset in microseconds after each step of the clock.
    /// Business time is machine time plus this offset.
    pub on_offset: Arc<dyn Fn(i64) + Send + Sync>,
    /// The environment at the identity provider that is imitated.
    pub scalekit: ScalekitAccount,
    /// The site at the billing provider that is imitated.
    pub chargebee: ChargebeeAccount,
    /// The account at the other billing provider that is imitated.
    pub stripe: StripeAccount,
    /// The seed of generated ids: the same seed and the same calls give the same ids.
    pub seed: u64,
}

/// The credentials of the imitated Scalekit environment.
#[derive(Clone)]
pub struct ScalekitAccount {
    /// The application's client id, `skc_…`; also the audience of user tokens.
    pub client_id: String,
    /// The secret that buys a management token.
    pub client_secret: String,
    /// `whsec_` and the base64 of the signing key (24 to 64 bytes).
    pub webhook_secret: String,
    /// The `environment_id` of webhooks, `env_…`.
    pub environment_id: String,
}

/// The credentials of the imitated Chargebee test site.
#[derive(Clone)]
pub struct ChargebeeAccount {
    /// The site's name, for example `acme-test`. Shown on pages.
    pub site: String,
    /// The full-access API key: the user of HTTP Basic, with an empty password.
    pub api_key: String,
    /// The user that webhooks authenticate with.
    pub webhook_username: String,
    /// The password that webhooks authenticate with.
    pub webhook_password: String,
    /// The id of the one gateway account of the site.
    pub gateway_account_id: String,
    /// Whether a subscription is cancelled (`not_paid`) once dunning has given up its invoice; otherwise it stays.
    pub cancels_unpaid: bool,
}

/// The credentials of the imitated Stripe sandbox.
#[derive(Clone)]
pub struct StripeAccount {
    /// The secret key, `sk_test_…`.
    pub secret_key: String,
    /// The signing secret of the endpoint that [`Webhooks::stripe`] names: `whsec_` and any text.
    ///
    /// An endpoint that is made through the API has a secret of its own.
    pub webhook_secret: String,
    /// What becomes of a subscription once the retries of its payment are over.
    pub unpaid: Unpaid,
}

/// What a Stripe account does with a subscription that could not be collected in the end.
///
/// Source: Stripe docs, "Automate payment retries": a setting of the account.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Unpaid {
    /// It is canceled.
    #[default]
    Cancel,
    /// It stays, as `unpaid`.
    MarkUnpaid,
    /// It stays, as `past_due`.
    LeavePastDue,
}

impl Default for StripeAccount {
    /// Well-known credentials, for a sandbox that nobody else reaches.
    fn default() -> Self {
        Self { secret_key: "sk_test_sandbox".into(), webhook_secret: "whsec_sandbox".into(), unpaid: Unpaid::default() }
    }
}

/// Where webhooks go, as full URLs. `None` means that no endpoint is registered and nothing is sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Webhooks {
    /// The endpoint for the identity provider's events.
    pub scalekit: Option<String>,
    /// The endpoint for Chargebee's events.
    pub chargebee: Option<String>,
    /// An endpoint for all of Stripe's events, in the current version of its API, and for thin events.
    pub stripe: Option<String>,
}

/// Why the sandbox did not start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The address is taken or not ours; choose another one.
    #[error("could not listen on {address}")]
    Listen {
        /// The address that was asked for.
        address: SocketAddr,
        /// What the operating system said.
        #[source]
        source: std::io::Error,
    },
    /// The Scalekit webhook secret is not `whsec_` and standard base64.
    #[error("the scalekit webhook secret is not `whsec_` followed by standard base64")]
    WebhookSecret,
    /// The HTTP client for deliveries could not be made.
    #[error("could not make the http client for deliveries")]
    Client(#[source] reqwest::Error),
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("listen", &self.listen)
            .field("scalekit", &self.scalekit)
            .field("chargebee", &self.chargebee)
            .field("stripe", &self.stripe)
            .field("seed", &self.seed)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for ScalekitAccount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScalekitAccount")
            .field("client_id", &self.client_id)
            .field("environment_id", &self.environment_id)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for ChargebeeAccount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChargebeeAccount")
            .field("site", &self.site)
            .field("gateway_account_id", &self.gateway_account_id)
            .field("cancels_unpaid", &self.cancels_unpaid)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for StripeAccount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StripeAccount").finish_non_exhaustive()
    }
}
