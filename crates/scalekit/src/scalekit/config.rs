//! What has to be known about a Scalekit environment.

use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretString};

use crate::{
    ConfigError,
    oidc::{self, SessionShape},
    standard_webhooks::Secret,
};

/// A Scalekit environment, and how our product is known there.
#[derive(Clone, Debug)]
pub struct Config {
    /// `https://{sub}.scalekit.dev`, `https://{sub}.scalekit.com` or a custom domain. A trailing slash is cut: it is
    /// also the issuer, which has none.
    pub environment_url: String,
    /// `skc_…`.
    pub client_id: String,
    /// The client's secret, for the management API.
    pub client_secret: SecretString,
    /// `whsec_…`, several during a rotation; without any, every delivery is refused.
    pub webhook_secrets: Vec<SecretString>,
    /// What `aud` must hold; the client id where it is not given.
    pub audience: Option<String>,
    /// Paths to the organization's id, `oid` by default; `sub` where every person is an organization of one.
    pub organization_claim: Vec<String>,
    /// How far Scalekit's clock may be from ours, for tokens. At most 60 s; none by default, as in its own libraries.
    pub leeway: Duration,
    /// Age at which the key set is fetched again.
    pub keys_ttl: Duration,
    /// Least time between two fetches of the key set that unknown keys cause.
    pub min_refetch_interval: Duration,
}

impl Config {
    /// An environment with the defaults, and without webhook secrets.
    pub fn new(environment_url: impl Into<String>, client_id: impl Into<String>, client_secret: SecretString) -> Self {
        let defaults = oidc::Config::new("", "");
        Self {
            environment_url: environment_url.into(),
            client_id: client_id.into(),
            client_secret,
            webhook_secrets: vec![],
            audience: None,
            organization_claim: vec!["oid".to_owned()],
            leeway: defaults.leeway,
            keys_ttl: defaults.keys_ttl,
            min_refetch_interval: defaults.min_refetch_interval,
        }
    }

    /// The environment's address as it is used everywhere: without a trailing slash.
    pub(super) fn environment(&self) -> &str {
        self.environment_url.trim().trim_end_matches('/')
    }

    /// How its tokens are proven.
    ///
    /// An organization's API client (`m2morg_…`) has tokens with an `oid` too, but no `sid`; an ID token travels in
    /// addresses at sign-out and has an `at_hash`. Neither opens billing as a person.
    ///
    /// Source: Scalekit documentation, "Session token claims", "ID token claims", "API authentication"; `/keys` is the
    /// constant of its three official libraries.
    pub(super) fn oidc(&self) -> oidc::Config {
        let issuer = self.environment();
        oidc::Config {
            jwks_url: Some(format!("{issuer}/keys")),
            algorithms: vec![oidc::Algorithm::Rs256],
            leeway: self.leeway,
            organization_claim: self.organization_claim.clone(),
            session_shape: SessionShape {
                required_claims: vec!["sid".to_owned()],
                forbidden_claims: vec!["at_hash".to_owned()],
                subject_prefix: Some("usr_".to_owned()),
            },
            keys_ttl: self.keys_ttl,
            min_refetch_interval: self.min_refetch_interval,
            ..oidc::Config::new(issuer, self.audience.as_ref().unwrap_or(&self.client_id))
        }
    }

    /// The webhook secrets, decoded.
    pub(super) fn parsed_webhook_secrets(&self) -> Result<Vec<Secret>, ConfigError> {
        let parse = |(index, secret): (usize, &SecretString)| {
            Secret::parse(secret.expose_secret())
                .map_err(|error| ConfigError::new(format!("webhook_secrets[{index}]"), error.to_string()))
        };
        self.webhook_secrets.iter().enumerate().map(parse).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config() -> Config {
        Config::new("https://acme.scalekit.dev/", "skc_1", "secret".to_owned().into())
    }

    #[test]
    fn the_environment_is_the_issuer_and_the_home_of_the_keys() {
        let oidc = config().oidc();
        assert_eq!(oidc.issuer, "https://acme.scalekit.dev");
        assert_eq!(oidc.jwks_url.as_deref(), Some("https://acme.scalekit.dev/keys"));
        assert_eq!(oidc.audience, ["skc_1"]);
        let config = Config { audience: Some("https://api.example.com".to_owned()), ..config() };
        assert_eq!(config.oidc().audience, ["https://api.example.com"]);
    }

    #[test]
    fn a_bad_webhook_secret_is_named_and_not_shown() {
        let secrets = ["whsec_MDEyMzQ1Njc4OWFiY2RlZg==", "test_c2VjcmV0"].map(|text| text.to_owned().into());
        let error = Config { webhook_secrets: secrets.into(), ..config() }.parsed_webhook_secrets().unwrap_err();
        assert_eq!(error.setting, "webhook_secrets[1]");
        assert!(!error.to_string().contains("c2VjcmV0"), "{error}");
    }

    #[test]
    fn secrets_do_not_show_in_debug() {
        let shown = format!("{:?}", Config { webhook_secrets: vec!["whsec_AAAA".to_owned().into()], ..config() });
        assert!(!shown.contains("\"secret\"") && !shown.contains("AAAA"), "{shown}");
    }
}
