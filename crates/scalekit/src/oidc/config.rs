//! What has to be known about a provider to believe its tokens.

use std::time::Duration;

use crate::{ConfigError, http_client};

/// The most leeway that makes sense between two clocks.
const MAX_LEEWAY: Duration = Duration::from_secs(60);

/// A signature algorithm that may be allowed. There is no symmetric one: a public key must never serve as a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// RSASSA-PKCS1-v1_5 with SHA-256, keys of 2048 to 8192 bits.
    Rs256,
    /// ECDSA on P-256 with SHA-256.
    Es256,
}

impl Algorithm {
    /// The name that headers and key sets use. Source: RFC 7518, section 3.1.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Rs256 => "RS256",
            Self::Es256 => "ES256",
        }
    }
}

/// How the token of a person's session is told from every other token that the provider signs.
///
/// The default asks for nothing beyond the audience.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SessionShape {
    /// Claims that must be non-empty strings (`sid`).
    pub required_claims: Vec<String>,
    /// Claims that must be absent (`at_hash`, which only ID tokens have).
    pub forbidden_claims: Vec<String>,
    /// What `sub` starts with.
    pub subject_prefix: Option<String>,
}

/// A provider, and what its tokens must say.
///
/// A claim path is a claim's name, or names joined by dots for claims within claims (`o.id`). A name that itself has
/// dots is found first, as written.
#[derive(Clone, Debug)]
pub struct Config {
    /// What `iss` must be, character for character.
    pub issuer: String,
    /// `aud` must hold one of these.
    pub audience: Vec<String>,
    /// Where the key set is; without it, `jwks_uri` of `{issuer}/.well-known/openid-configuration`.
    pub jwks_url: Option<String>,
    /// The algorithms that keys may have.
    pub algorithms: Vec<Algorithm>,
    /// How far the provider's clock may be from ours, for `exp` and `nbf`. At most 60 s.
    pub leeway: Duration,
    /// Paths to the organization's id; the first that is there wins. `sub` makes every person their own organization.
    pub organization_claim: Vec<String>,
    /// Paths to the roles; the first that is there wins.
    pub roles_claim: Vec<String>,
    /// Paths to the permissions; the first that is there wins.
    pub permissions_claim: Vec<String>,
    /// How a person's session is told from a machine client's token.
    pub session_shape: SessionShape,
    /// Age at which the key set is fetched again, in the background of the next token.
    pub keys_ttl: Duration,
    /// Least time between two fetches that unknown keys cause, and between two fetches while the provider fails.
    pub min_refetch_interval: Duration,
    /// How long a key id that the provider did not know causes no further fetch.
    pub unknown_kid_ttl: Duration,
    /// Longer tokens are refused unread, in bytes.
    pub max_token_bytes: usize,
    /// How many proven tokens are remembered.
    pub max_remembered: usize,
}

impl Config {
    /// A provider with the defaults: RS256 and ES256, no leeway, organization in `org_id`, keys for ten minutes, a
    /// refetch at most every 30 s, tokens up to 16 KiB, ten thousand of them remembered.
    pub fn new(issuer: impl Into<String>, audience: impl Into<String>) -> Self {
        Self {
            issuer: issuer.into(),
            audience: vec![audience.into()],
            jwks_url: None,
            algorithms: vec![Algorithm::Rs256, Algorithm::Es256],
            leeway: Duration::ZERO,
            organization_claim: vec!["org_id".to_owned()],
            roles_claim: vec!["roles".to_owned()],
            permissions_claim: vec!["permissions".to_owned()],
            session_shape: SessionShape::default(),
            keys_ttl: Duration::from_secs(10 * 60),
            min_refetch_interval: Duration::from_secs(30),
            unknown_kid_ttl: Duration::from_secs(30),
            max_token_bytes: 16 * 1024,
            max_remembered: 10_000,
        }
    }

    /// Checks what types do not.
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        http_client::address("issuer", &self.issuer)?;
        if let Some(url) = &self.jwks_url {
            http_client::address("jwks_url", url)?;
        }
        if self.audience.is_empty() || self.audience.iter().any(String::is_empty) {
            return Err(ConfigError::new("audience", "is empty; wanted is what the provider writes into `aud`"));
        }
        if self.algorithms.is_empty() {
            return Err(ConfigError::new("algorithms", "is empty; wanted is RS256 or ES256"));
        }
        if self.organization_claim.is_empty() || self.organization_claim.iter().any(String::is_empty) {
            return Err(ConfigError::new(
                "organization_claim",
                "is empty; wanted is a claim path like `oid` or `o.id`",
            ));
        }
        if self.leeway > MAX_LEEWAY {
            let found = self.leeway.as_secs();
            return Err(ConfigError::new("leeway", format!("{found} s is too much; wanted is 0 to 60 s")));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bad_setting_is_named() {
        let good = Config::new("https://id.example.com", "app");
        assert_eq!(good.check(), Ok(()));
        for (bad, setting) in [
            (Config { issuer: "id.example.com".to_owned(), ..good.clone() }, "issuer"),
            (Config { jwks_url: Some("/keys".to_owned()), ..good.clone() }, "jwks_url"),
            (Config { audience: vec![], ..good.clone() }, "audience"),
            (Config { audience: vec![String::new()], ..good.clone() }, "audience"),
            (Config { algorithms: vec![], ..good.clone() }, "algorithms"),
            (Config { organization_claim: vec![], ..good.clone() }, "organization_claim"),
            (Config { leeway: Duration::from_secs(61), ..good.clone() }, "leeway"),
        ] {
            assert_eq!(bad.check().unwrap_err().setting, setting);
        }
    }
}
