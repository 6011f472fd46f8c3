//! What the adapter must be told.

use std::time::Duration;

use reqwest::Url;
use secrecy::{ExposeSecret, SecretString};

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

/// The settings of one Chargebee site.
#[derive(Clone, Debug, Default)]
pub struct Config {
    /// The site's name (`acme-test` of `acme-test.chargebee.com`); `CHARGEBEE_SITE`.
    pub site: String,
    /// A full-access key; `CHARGEBEE_API_KEY`.
    pub api_key: SecretString,
    /// The user that deliveries present; `CHARGEBEE_WEBHOOK_USERNAME`.
    pub webhook_username: Option<String>,
    /// The password that deliveries present; `CHARGEBEE_WEBHOOK_PASSWORD`.
    pub webhook_password: Option<SecretString>,
    /// Believes every delivery, whatever it presents. For development only: Chargebee signs nothing.
    pub insecure_webhooks: bool,
    /// The gateway account that checkouts are pinned to; `CHARGEBEE_GATEWAY_ACCOUNT_ID`.
    pub gateway_account_id: Option<String>,
    /// Another address than `https://{site}.chargebee.com`, with or without `/api/v2`; `CHARGEBEE_API_URL`. The key is
    /// sent there: outside of one's own machine it should be `https`.
    pub api_url: Option<String>,
    /// How long a call may take.
    pub timeouts: Timeouts,
}

/// Why the adapter cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The site's name is missing or could not be part of a host name.
    #[error("CHARGEBEE_SITE is `{0}`: the name of a site is wanted, such as `acme-test` of acme-test.chargebee.com")]
    Site(String),
    /// There is no key.
    #[error("CHARGEBEE_API_KEY is missing: a full-access key of the site is wanted")]
    ApiKey,
    /// Nothing would prove a delivery.
    #[error(
        "CHARGEBEE_WEBHOOK_USERNAME and CHARGEBEE_WEBHOOK_PASSWORD are both needed, as set on the webhook at Chargebee: \
         without them anybody could send deliveries (`insecure_webhooks` accepts that, for development)"
    )]
    WebhookCredentials,
    /// The other address is none.
    #[error("CHARGEBEE_API_URL is not an http or https address")]
    ApiUrl,
    /// The HTTP client could not be made.
    #[error("the HTTP client for Chargebee could not be made")]
    Client(#[source] reqwest::Error),
}

impl Config {
    /// Everything that is wrong with these settings, so that one message can name it all.
    pub fn problems(&self) -> Vec<ConfigError> {
        let mut problems = Vec::new();
        let named = !self.site.is_empty() && self.site.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        if !named {
            problems.push(ConfigError::Site(self.site.chars().take(60).collect()));
        }
        if self.api_key.expose_secret().is_empty() {
            problems.push(ConfigError::ApiKey);
        }
        if !self.insecure_webhooks && self.webhook_credentials().is_none() {
            problems.push(ConfigError::WebhookCredentials);
        }
        if self.base().is_none() {
            problems.push(ConfigError::ApiUrl);
        }
        problems
    }

    /// User and password of deliveries, when both are there and not empty.
    pub(crate) fn webhook_credentials(&self) -> Option<(&str, &SecretString)> {
        let username = self.webhook_username.as_deref().filter(|name| !name.is_empty())?;
        let password = self.webhook_password.as_ref().filter(|password| !password.expose_secret().is_empty())?;
        Some((username, password))
    }

    /// The address that paths are appended to, without a slash at its end; `None` when it is not one.
    ///
    /// Source: the OpenAPI document's `servers`, `https://{site}.chargebee.com/api/v2`.
    pub(crate) fn base(&self) -> Option<Url> {
        let given = match self.api_url.as_deref().filter(|url| !url.is_empty()) {
            Some(url) => url.to_owned(),
            None => format!("https://{}.chargebee.com", self.site),
        };
        let given = given.trim_end_matches('/');
        let given = given.strip_suffix("/api/v2").unwrap_or(given);
        let url = Url::parse(&format!("{given}/api/v2")).ok()?;
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
            site: "acme-test".into(),
            api_key: "test_key".into(),
            webhook_username: Some("hook".into()),
            webhook_password: Some("secret".into()),
            ..Config::default()
        }
    }

    #[test]
    fn without_credentials_it_refuses_and_names_both_variables() {
        for half in [
            Config { webhook_username: None, ..good() },
            Config { webhook_password: Some("".into()), ..good() },
            Config { webhook_username: None, webhook_password: None, ..good() },
        ] {
            let problems = half.problems();
            assert_eq!(problems.len(), 1);
            let text = problems[0].to_string();
            assert!(
                text.contains("CHARGEBEE_WEBHOOK_USERNAME") && text.contains("CHARGEBEE_WEBHOOK_PASSWORD"),
                "{text}"
            );
            assert!(Config { insecure_webhooks: true, ..half }.problems().is_empty());
        }
    }

    #[test]
    fn every_problem_is_named_at_once() {
        let config = Config { api_url: Some("ftp://x".into()), site: "evil.example/".into(), ..Config::default() };
        assert_eq!(config.problems().len(), 4);
    }

    #[test]
    fn the_address_follows_the_site_unless_another_is_given() {
        let base = |config: Config| config.base().map(|url| url.to_string());
        assert_eq!(base(good()).unwrap(), "https://acme-test.chargebee.com/api/v2");
        for given in ["http://127.0.0.1:4010", "http://127.0.0.1:4010/", "http://127.0.0.1:4010/api/v2"] {
            assert_eq!(base(Config { api_url: Some(given.into()), ..good() }).unwrap(), "http://127.0.0.1:4010/api/v2");
        }
        assert_eq!(base(Config { api_url: Some("nonsense".into()), ..good() }), None);
    }

    #[test]
    fn no_secret_is_shown() {
        let shown = format!("{:?}", good());
        assert!(!shown.contains("test_key") && !shown.contains("\"secret\""), "{shown}");
    }
}
