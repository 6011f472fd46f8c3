//! The HTTP client that all calls of this crate share in shape: short timeouts, no redirects, bounded answers.

use std::time::Duration;

use reqwest::{Client, Response, Url, redirect::Policy};

use crate::ConfigError;

/// Time to reach the provider.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// Why an answer could not be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BodyError {
    #[error("the answer broke off")]
    Broken(#[source] reqwest::Error),
    #[error("the answer is longer than {0} bytes")]
    TooLong(usize),
}

/// Builds a client for `provider` whose calls take `total` at most. What is on this machine is not reached through a
/// proxy. Redirects are not followed: the addresses are configured, and a bearer token must not travel.
///
/// # Panics
/// When no TLS provider was installed for the process; the binary does that first thing.
pub(crate) fn client(provider: &Url, total: Duration) -> Result<Client, ConfigError> {
    let builder = if is_loopback(provider) { Client::builder().no_proxy() } else { Client::builder() };
    builder
        .user_agent(concat!("tollkeeper/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(CONNECT_TIMEOUT)
        .timeout(total)
        .redirect(Policy::none())
        .build()
        .map_err(|error| ConfigError::new("http client", format!("cannot be built: {error}")))
}

/// Reads an answer of at most `limit` bytes.
pub(crate) async fn body(mut response: Response, limit: usize) -> Result<Vec<u8>, BodyError> {
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| BodyError::Broken(error.without_url()))? {
        if bytes.len().saturating_add(chunk.len()) > limit {
            return Err(BodyError::TooLong(limit));
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}

/// Reads a setting that is an absolute http or https address.
pub(crate) fn address(setting: &str, value: &str) -> Result<Url, ConfigError> {
    match Url::parse(value) {
        Ok(url) if matches!(url.scheme(), "http" | "https") && url.has_host() => Ok(url),
        Ok(_) | Err(_) => Err(ConfigError::new(
            setting,
            format!("`{value}` is not an address; wanted is one like https://example.com"),
        )),
    }
}

/// Whether an address is this machine by name: `localhost`, `127.0.0.0/8` or `::1`.
pub(crate) fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<std::net::IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_is_loopback() {
        for (text, expected) in [
            ("http://localhost:4010", true),
            ("http://127.0.0.1:4010", true),
            ("http://[::1]:4010", true),
            ("https://127.0.0.1.example.com", false),
            ("https://localhost.example.com", false),
            ("https://acme.scalekit.dev", false),
            ("http://10.0.0.1", false),
            ("http://0.0.0.0", false),
        ] {
            assert_eq!(is_loopback(&address("issuer", text).unwrap()), expected, "{text}");
        }
    }

    #[test]
    fn an_address_has_a_scheme_and_a_host() {
        for text in ["", "acme.scalekit.dev", "ftp://acme.scalekit.dev", "https://"] {
            assert!(address("issuer", text).is_err(), "{text}");
        }
    }
}
