//! What the adapter must be told.

use std::time::Duration;

use reqwest::Url;
use secrecy::{ExposeSecret, SecretString};

/// Where the API is. Source: the OpenAPI document's `servers`.
const API_URL: &str = "https://api.stripe.com";

/// How old a delivery may be. Source: the official Node client's default.
const TOLERANCE: Duration = Duration::from_secs(300);

/// How long a call may take, in machine time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// Until the connection stands.
    pub connect: Duration,
    /// From the first byte sent to the last byte read.
    pub total: Duration,
}

impl Default for Timeouts {
    /// 3 s and 20 s.
    fn default() -> Self {
        Self { connect: Duration::from_secs(3), total: Duration::from_secs(20) }
    }
}

/// What becomes of a trial that ends while nobody left a way to pay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MissingMethod {
    /// The subscription is cancelled.
    Cancel,
    /// The subscription is paused until somebody leaves one.
    Pause,
    /// An invoice is made, and collecting it fails.
    CreateInvoice,
}

impl MissingMethod {
    /// Stripe's word for it, and the configuration's.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Cancel => "cancel",
            Self::Pause => "pause",
            Self::CreateInvoice => "create_invoice",
        }
    }
}

/// What hosted pages offer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// People may enter a promotion code at the checkout.
    pub allow_promotion_codes: bool,
    /// Stripe computes the tax: the account must have a registration, and people are asked for their address.
    pub automatic_tax: bool,
    /// A trial begins without a card, and ends like this when none was left. `None`: every trial asks for a card.
    pub cardless_trials: Option<MissingMethod>,
    /// The portal configuration to use (`bpc_…`); `None`: the account's default one.
    pub portal_configuration: Option<String>,
}

/// The settings of one Stripe account.
#[derive(Clone, Debug)]
pub struct Config {
    /// A secret or restricted key; `STRIPE_SECRET_KEY`.
    pub secret_key: SecretString,
    /// The signing secrets of our webhook endpoints, several while one is replaced; `STRIPE_WEBHOOK_SECRET`.
    pub webhook_secrets: Vec<SecretString>,
    /// How far a delivery's time may be from ours, both ways.
    pub tolerance: Duration,
    /// Another address than `https://api.stripe.com`, with or without `/v1`; `STRIPE_API_URL`. The key is sent there:
    /// outside of one's own machine it should be `https`.
    pub api_url: Option<String>,
    /// What hosted pages offer.
    pub options: Options,
    /// How long a call may take.
    pub timeouts: Timeouts,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            secret_key: SecretString::default(),
            webhook_secrets: Vec::new(),
            tolerance: TOLERANCE,
            api_url: None,
            options: Options::default(),
            timeouts: Timeouts::default(),
        }
    }
}

/// Why the adapter cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// There is no key.
    #[error("STRIPE_SECRET_KEY is missing: a secret or restricted key of the account is wanted (`sk_…`, `rk_…`)")]
    SecretKey,
    /// A key that anybody may see cannot do anything.
    #[error(
        "STRIPE_SECRET_KEY holds a publishable key (`pk_…`): a secret or restricted key is wanted (`sk_…`, `rk_…`)"
    )]
    PublishableKey,
    /// The key could not be part of a header.
    #[error("STRIPE_SECRET_KEY has a space or another character that no key has")]
    MalformedKey,
    /// Nothing would prove a delivery.
    #[error("STRIPE_WEBHOOK_SECRET is missing: the signing secret of the webhook endpoint is wanted (`whsec_…`)")]
    WebhookSecret,
    /// Anybody could sign with it.
    #[error("STRIPE_WEBHOOK_SECRET holds an empty secret: every one of the list must be a signing secret (`whsec_…`)")]
    BlankWebhookSecret,
    /// A delivery could be of any age, or none would be young enough.
    #[error("the tolerance of webhook signatures is zero: at least one second is wanted")]
    Tolerance,
    /// The other address is none.
    #[error("STRIPE_API_URL is not an http or https address")]
    ApiUrl,
    /// The HTTP client could not be made.
    #[error("the HTTP client for Stripe could not be made")]
    Client(#[source] reqwest::Error),
}

impl Config {
    /// Everything that is wrong with these settings, so that one message can name it all.
    pub fn problems(&self) -> Vec<ConfigError> {
        let mut problems = Vec::new();
        let key = self.secret_key.expose_secret();
        if key.trim().is_empty() {
            problems.push(ConfigError::SecretKey);
        } else if key.starts_with("pk_") {
            problems.push(ConfigError::PublishableKey);
        } else if !key.bytes().all(|byte| byte.is_ascii_graphic()) {
            problems.push(ConfigError::MalformedKey);
        }
        if self.webhook_secrets.is_empty() {
            problems.push(ConfigError::WebhookSecret);
        } else if self.webhook_secrets.iter().any(|secret| secret.expose_secret().trim().is_empty()) {
            problems.push(ConfigError::BlankWebhookSecret);
        }
        // At the official client, zero means that the age is not looked at; nobody shall switch it off by mistake.
        if self.tolerance.as_secs() == 0 {
            problems.push(ConfigError::Tolerance);
        }
        if self.base().is_none() {
            problems.push(ConfigError::ApiUrl);
        }
        problems
    }

    /// The address that paths are appended to, without a slash at its end; `None` when it is not one.
    pub(crate) fn base(&self) -> Option<Url> {
        let given = self.api_url.as_deref().filter(|url| !url.is_empty()).unwrap_or(API_URL);
        let given = given.trim_end_matches('/');
        let given = given.strip_suffix("/v1").unwrap_or(given);
        let url = Url::parse(given).ok()?;
        let usable = matches!(url.scheme(), "http" | "https")
            && url.has_host()
            && url.username().is_empty()
            && url.query().is_none()
            && url.fragment().is_none();
        usable.then_some(url)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn good() -> Config {
        Config {
            secret_key: "sk_test_key".into(),
            webhook_secrets: vec!["whsec_one".into(), "whsec_two".into()],
            ..Config::default()
        }
    }

    fn only_problem(config: &Config) -> String {
        let problems = config.problems();
        assert_eq!(problems.len(), 1, "{problems:?}");
        problems[0].to_string()
    }

    #[test]
    fn good_settings_have_no_problem() {
        assert!(good().problems().is_empty());
        assert_eq!(good().tolerance, Duration::from_secs(300));
    }

    #[test]
    fn a_secret_that_proves_nothing_is_refused() {
        for blank in ["", " ", "\t\n"] {
            let config = Config { webhook_secrets: vec!["whsec_one".into(), blank.into()], ..good() };
            assert!(only_problem(&config).contains("STRIPE_WEBHOOK_SECRET"));
        }
        assert!(only_problem(&Config { webhook_secrets: vec![], ..good() }).contains("STRIPE_WEBHOOK_SECRET"));
        assert!(only_problem(&Config { tolerance: Duration::from_millis(900), ..good() }).contains("tolerance"));
    }

    #[test]
    fn a_key_that_cannot_work_is_refused() {
        for (key, word) in [("", "missing"), (" ", "missing"), ("pk_test_1", "publishable"), ("sk_1\n", "character")] {
            let text = only_problem(&Config { secret_key: key.into(), ..good() });
            assert!(text.contains(word), "{text}");
        }
    }

    #[test]
    fn every_problem_is_named_at_once() {
        let config = Config { api_url: Some("ftp://x".into()), tolerance: Duration::ZERO, ..Config::default() };
        assert_eq!(config.problems().len(), 4);
    }

    #[test]
    fn the_address_is_stripes_unless_another_is_given() {
        let base = |config: Config| config.base().map(|url| url.as_str().trim_end_matches('/').to_owned());
        assert_eq!(base(good()).unwrap(), "https://api.stripe.com");
        for given in ["http://127.0.0.1:4010", "http://127.0.0.1:4010/", "http://127.0.0.1:4010/v1"] {
            assert_eq!(base(Config { api_url: Some(given.into()), ..good() }).unwrap(), "http://127.0.0.1:4010");
        }
        for given in ["nonsense", "http://user@host", "https://host?x=1", "ftp://host"] {
            assert_eq!(base(Config { api_url: Some(given.into()), ..good() }), None, "{given}");
        }
    }

    #[test]
    fn no_secret_is_shown() {
        let shown = format!("{:?}", good());
        assert!(!shown.contains("sk_test_key") && !shown.contains("whsec_one"), "{shown}");
    }
}
