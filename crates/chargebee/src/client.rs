//! One HTTP call to Chargebee: how it is sent, how its answer is read, what its failure means.

use std::{
    borrow::Cow,
    fmt,
    sync::{Arc, OnceLock},
    time::Instant,
};

use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::Url;
use secrecy::{ExposeSecret, SecretString};
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};
use tollkeeper_core::ports::{ErrorKind, Pace, ProviderError};

use crate::{
    config::{Config, ConfigError},
    error::Attempt,
    form::Form,
};

/// The most that is read of one answer, after decompression. A page of 100 subscriptions is far below.
const MAX_ANSWER_BYTES: usize = 8 * 1024 * 1024;

/// The longest idempotency key that Chargebee takes.
const MAX_KEY_CHARS: usize = 100;

const IDEMPOTENCY_KEY: &str = "chargebee-idempotency-key";
const FORM: &str = "application/x-www-form-urlencoded; charset=utf-8";

/// What stays as it is in a path segment.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// An operation of the API, by the documentation's path.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Endpoint<'a> {
    operation: &'static str,
    /// `/subscriptions/{id}/cancel_for_items`
    template: &'static str,
    id: Option<&'a str>,
}

impl<'a> Endpoint<'a> {
    pub(crate) const fn new(operation: &'static str, template: &'static str) -> Self {
        Self { operation, template, id: None }
    }

    /// An operation on one resource; `template` has one `{id}`.
    pub(crate) const fn on(operation: &'static str, template: &'static str, id: &'a str) -> Self {
        Self { operation, template, id: Some(id) }
    }

    /// The path, or `None` for an id that cannot be part of one: empty, or dots that would climb.
    fn path(&self) -> Option<Cow<'static, str>> {
        match self.id {
            None => Some(Cow::Borrowed(self.template)),
            Some("" | "." | "..") => None,
            Some(id) => {
                let segment = utf8_percent_encode(id, SEGMENT).to_string();
                Some(Cow::Owned(self.template.replacen("{id}", &segment, 1)))
            }
        }
    }
}

/// What a request does.
#[derive(Clone, Copy, Debug)]
enum Verb<'a> {
    /// `GET`; the form is the query.
    Read,
    /// `POST` that changes nothing: an estimate, or a link. Without a key: Chargebee knows none for estimates, and a link
    /// shall be a fresh one.
    Ask,
    /// `POST`, with an idempotency key where one is given.
    Write(Option<&'a str>),
}

/// Sends requests to one site.
pub(crate) struct Client {
    http: reqwest::Client,
    base: String,
    api_key: SecretString,
    /// Whom every request asks first, once it is set.
    pace: OnceLock<Arc<dyn Pace>>,
}

impl Client {
    pub(crate) fn new(config: &Config) -> Result<Self, ConfigError> {
        let base = config.base().ok_or(ConfigError::ApiUrl)?;
        let mut builder = reqwest::Client::builder()
            .connect_timeout(config.timeouts.connect)
            .timeout(config.timeouts.total)
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("tollkeeper/", env!("CARGO_PKG_VERSION")));
        if is_loopback(&base) {
            builder = builder.no_proxy();
        }
        Ok(Self {
            http: builder.build().map_err(ConfigError::Client)?,
            base: base.as_str().trim_end_matches('/').to_owned(),
            api_key: config.api_key.clone(),
            pace: OnceLock::new(),
        })
    }

    /// From now on every request asks `pace` first. The first one stays.
    pub(crate) fn set_pace(&self, pace: Arc<dyn Pace>) {
        if self.pace.set(pace).is_err() {
            tracing::warn!("Chargebee has a pace already, and keeps it");
        }
    }

    /// Reads. `query` may be empty.
    pub(crate) async fn get<T: DeserializeOwned>(
        &self,
        endpoint: Endpoint<'_>,
        query: &Form,
    ) -> Result<T, ProviderError> {
        self.send(Verb::Read, endpoint, query).await
    }

    /// Asks with POST for what changes nothing: what something would cost, or a link.
    pub(crate) async fn ask<T: DeserializeOwned>(
        &self,
        endpoint: Endpoint<'_>,
        form: &Form,
    ) -> Result<T, ProviderError> {
        self.send(Verb::Ask, endpoint, form).await
    }

    /// Writes. With `key`, Chargebee answers a repeat within 30 minutes with the stored answer ("Idempotency").
    pub(crate) async fn post<T: DeserializeOwned>(
        &self,
        endpoint: Endpoint<'_>,
        form: &Form,
        key: Option<&str>,
    ) -> Result<T, ProviderError> {
        self.send(Verb::Write(key), endpoint, form).await
    }

    async fn send<T: DeserializeOwned>(
        &self,
        verb: Verb<'_>,
        endpoint: Endpoint<'_>,
        form: &Form,
    ) -> Result<T, ProviderError> {
        let attempt = Attempt { operation: endpoint.operation, writes: matches!(verb, Verb::Write(_)) };
        let Some(path) = endpoint.path() else {
            return Err(attempt.error(ErrorKind::Rejected, "the id is empty or made of dots"));
        };
        let mut url = format!("{}{path}", self.base);
        let method = match verb {
            Verb::Read => Method::GET,
            Verb::Ask | Verb::Write(_) => Method::POST,
        };
        if method == Method::GET && !form.is_empty() {
            url = format!("{url}?{}", form.as_str());
        }
        let mut request = self.http.request(method.clone(), url);
        if method == Method::POST {
            request = request.header(header::CONTENT_TYPE, FORM).body(form.as_str().to_owned());
        }
        // An empty key would be the same for every call.
        if let Verb::Write(Some(key)) = verb
            && !key.is_empty()
        {
            request = request.header(IDEMPOTENCY_KEY, key_header(key));
        }
        let request =
            request.header(header::ACCEPT, "application/json").basic_auth(self.api_key.expose_secret(), Some(""));

        if let Some(pace) = self.pace.get() {
            pace.permit().await.map_err(|after| {
                attempt.error(ErrorKind::Throttled(after), "nothing was sent: the budget of requests is used up")
            })?;
        }
        let started = Instant::now();
        let outcome = exchange(attempt, request).await;
        let duration_ms = started.elapsed().as_millis();
        let status = outcome.as_ref().map_or(0, |answer| answer.status.as_u16());
        tracing::debug!(%method, path = endpoint.template, status, duration_ms, "Chargebee was called");
        let result = outcome?.read(attempt);
        // One record that somebody else is writing is no reason to ask nothing at all.
        if let Err(ProviderError { kind: ErrorKind::Throttled(after), code, .. }) = &result
            && code.as_deref() != Some("lock_timeout")
            && let Some(pace) = self.pace.get()
        {
            pace.throttled(*after);
        }
        result
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("base", &self.base).finish_non_exhaustive()
    }
}

/// An answer, read to its end or to the limit.
struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    /// What could be read; on a failure, whatever came.
    body: Vec<u8>,
}

async fn exchange(attempt: Attempt, request: reqwest::RequestBuilder) -> Result<Answer, ProviderError> {
    let mut response = request.send().await.map_err(|error| attempt.transport(error))?;
    let status = response.status();
    let headers = response.headers().clone();
    let mut body = Vec::new();
    loop {
        match response.chunk().await {
            Ok(None) => break,
            Ok(Some(chunk)) if body.len() + chunk.len() <= MAX_ANSWER_BYTES => body.extend_from_slice(&chunk),
            Ok(Some(_)) if status.is_success() => {
                return Err(attempt.error(attempt.unclear(), "the answer was larger than 8 MB"));
            }
            Err(error) if status.is_success() => return Err(attempt.transport(error)),
            // The status alone says what failed.
            Ok(Some(_)) | Err(_) => break,
        }
    }
    Ok(Answer { status, headers, body })
}

impl Answer {
    fn read<T: DeserializeOwned>(self, attempt: Attempt) -> Result<T, ProviderError> {
        let request_id = self.request_id();
        if !self.status.is_success() {
            let retry_after = self.headers.get(header::RETRY_AFTER).and_then(|value| value.to_str().ok());
            return Err(attempt.refused(self.status, retry_after, request_id, &self.body));
        }
        // A 204 has no body; it reads as an object without members.
        let body = if self.body.is_empty() { b"{}" } else { self.body.as_slice() };
        serde_json::from_slice(body).map_err(|error| ProviderError {
            request_id,
            cause: Some(Box::new(error)),
            ..attempt.error(attempt.unclear(), "the answer could not be read")
        })
    }

    /// The provider's id of the request, under whichever name it comes.
    fn request_id(&self) -> Option<String> {
        ["chargebee-request-id", "x-request-id", "x-amzn-requestid"]
            .iter()
            .find_map(|name| self.headers.get(*name))
            .and_then(|value| value.to_str().ok())
            .map(|id| id.chars().take(200).collect())
    }
}

/// The key as it is sent: itself, or its SHA-256 when Chargebee or HTTP would not take it.
fn key_header(key: &str) -> HeaderValue {
    let usable = key.len() <= MAX_KEY_CHARS && key.bytes().all(|byte| byte.is_ascii_graphic());
    let text = if usable { Cow::Borrowed(key) } else { Cow::Owned(hex::encode(Sha256::digest(key))) };
    HeaderValue::from_str(&text).expect("visible ASCII is a header value")
}

fn is_loopback(url: &Url) -> bool {
    let Some(host) = url.host_str() else { return false };
    let host = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_cannot_leave_its_place_in_the_path() {
        let path = |id| Endpoint::on("read", "/subscriptions/{id}/cancel", id).path();
        assert_eq!(path("sub_1").unwrap(), "/subscriptions/sub_1/cancel");
        assert_eq!(path("a/../b?c#d{id}").unwrap(), "/subscriptions/a%2F..%2Fb%3Fc%23d%7Bid%7D/cancel");
        for id in ["", ".", ".."] {
            assert_eq!(path(id), None, "{id}");
        }
    }

    #[test]
    fn a_key_that_does_not_fit_is_sent_as_its_digest() {
        assert_eq!(key_header("k-1"), "k-1");
        assert_eq!(key_header(&"k".repeat(100)), "k".repeat(100).as_str());
        for key in [&"k".repeat(101), "zwei Wörter", "line\nbreak"] {
            let sent = key_header(key);
            assert_eq!(sent.len(), 64, "{key}");
            assert_eq!(sent, key_header(key), "the same key must stay the same");
        }
    }

    #[test]
    fn loopback_is_recognised() {
        for (url, expected) in [
            ("http://127.0.0.1:1/", true),
            ("http://[::1]:1/", true),
            ("http://localhost/", true),
            ("https://acme.chargebee.com/", false),
        ] {
            assert_eq!(is_loopback(&Url::parse(url).unwrap()), expected, "{url}");
        }
    }
}
