//! The two reads of Scalekit's management API that we need.
//!
//! Source: Scalekit OpenAPI document, `GET /api/v1/organizations/{id}` and `GET /api/v1/users/{id}`; the token by
//! `POST /oauth/token` with `client_credentials` and the credentials in the form, as its official libraries do.

use std::{fmt, sync::Arc, time::Duration};

use reqwest::{Client, Response, StatusCode, Url, header::HeaderMap};
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, de::DeserializeOwned};
use tokio::sync::Mutex;
use tollkeeper_core::{
    ids::{OrganizationId, UserId},
    ports::{ErrorKind, OrganizationRecord, ProviderError, UserRecord},
    time::{Clock, MachineTime},
};

use super::{Config, SOURCE, events::filled};
use crate::{
    ConfigError,
    http_client::{self, BodyError},
};

/// Time for one call.
const CALL_TIMEOUT: Duration = Duration::from_secs(10);

/// The longest answer that is read, in bytes.
const MAX_ANSWER: usize = 1024 * 1024;

/// A management token is not used in its last minute.
const TOKEN_MARGIN: Duration = Duration::from_secs(60);

/// How long to wait after 429 where the provider does not say; it documents no `Retry-After`.
const DEFAULT_RETRY_AFTER: Duration = Duration::from_secs(1);

/// A longer `Retry-After` is taken for this.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(60 * 60);

/// The longest message of the provider that is kept, in characters.
const MAX_MESSAGE: usize = 300;

/// A client of the management API.
pub(super) struct Rest {
    http: Client,
    environment: Url,
    client_id: String,
    client_secret: SecretString,
    clock: Arc<dyn Clock>,
    /// Locked while it is fetched, so that it is fetched once.
    token: Mutex<Option<Token>>,
}

#[derive(Clone)]
struct Token {
    value: SecretString,
    good_until: MachineTime,
}

impl fmt::Debug for Rest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rest").field("environment", &self.environment.as_str()).finish_non_exhaustive()
    }
}

#[derive(Deserialize)]
struct OrganizationAnswer {
    organization: Organization,
}

#[derive(Deserialize)]
struct Organization {
    display_name: Option<String>,
    external_id: Option<String>,
    update_time: Option<String>,
}

#[derive(Deserialize)]
struct UserAnswer {
    user: User,
}

#[derive(Deserialize)]
struct User {
    email: Option<String>,
}

/// Its numbers are texts in some answers.
#[derive(Deserialize)]
#[serde(untagged)]
enum Seconds {
    Number(u64),
    Text(String),
}

#[derive(Deserialize)]
struct TokenAnswer {
    access_token: SecretString,
    expires_in: Option<Seconds>,
}

impl TokenAnswer {
    /// How long it may be kept; not at all where the answer does not say.
    fn keep_for(&self) -> Duration {
        let seconds = match &self.expires_in {
            Some(Seconds::Number(seconds)) => *seconds,
            Some(Seconds::Text(text)) => text.parse().unwrap_or(0),
            None => 0,
        };
        Duration::from_secs(seconds).saturating_sub(TOKEN_MARGIN)
    }
}

/// Both shapes of errors: the API's (`code`, `message`, `details`) and OAuth's (`error`, `error_description`).
#[derive(Default, Deserialize)]
struct ErrorAnswer {
    message: Option<String>,
    error: Option<String>,
    error_description: Option<String>,
    #[serde(default)]
    details: Vec<ErrorDetail>,
}

#[derive(Deserialize)]
struct ErrorDetail {
    error_code: Option<String>,
}

/// What an answer was.
enum Answer<T> {
    Found(T),
    NotThere,
    Unauthorized(ProviderError),
}

impl Rest {
    pub(super) fn new(config: &Config, clock: Arc<dyn Clock>) -> Result<Self, ConfigError> {
        if config.client_id.is_empty() {
            return Err(ConfigError::new("client_id", "is empty; wanted is one like skc_…"));
        }
        if config.client_secret.expose_secret().is_empty() {
            return Err(ConfigError::new("client_secret", "is empty"));
        }
        let environment = http_client::address("environment_url", config.environment())?;
        Ok(Self {
            http: http_client::client(&environment, CALL_TIMEOUT)?,
            environment,
            client_id: config.client_id.clone(),
            client_secret: config.client_secret.clone(),
            clock,
            token: Mutex::default(),
        })
    }

    pub(super) async fn organization(&self, id: &OrganizationId) -> Result<Option<OrganizationRecord>, ProviderError> {
        let answer: Option<OrganizationAnswer> = self.read("get organization", "organizations", id.as_str()).await?;
        Ok(answer.map(|OrganizationAnswer { organization }| OrganizationRecord {
            id: id.clone(),
            display_name: filled(organization.display_name),
            external_id: filled(organization.external_id),
            updated_at: organization.update_time.and_then(|text| text.parse().ok()),
        }))
    }

    pub(super) async fn user(&self, id: &UserId) -> Result<Option<UserRecord>, ProviderError> {
        let answer: Option<UserAnswer> = self.read("get user", "users", id.as_str()).await?;
        Ok(answer.map(|UserAnswer { user }| UserRecord { id: id.clone(), email: filled(user.email) }))
    }

    /// Reads one object; a token that is refused is replaced once.
    async fn read<T: DeserializeOwned>(
        &self,
        operation: &'static str,
        collection: &str,
        id: &str,
    ) -> Result<Option<T>, ProviderError> {
        // An address has no place for these, so there cannot be such an object.
        if matches!(id, "" | "." | "..") {
            return Ok(None);
        }
        let url = self.address(&["api", "v1", collection, id]);
        let token = self.token(None).await?;
        let answer = match self.get(operation, url.clone(), &token).await? {
            Answer::Unauthorized(_) => self.get(operation, url, &self.token(Some(&token)).await?).await?,
            answer => answer,
        };
        match answer {
            Answer::Found(found) => Ok(Some(found)),
            Answer::NotThere => Ok(None),
            Answer::Unauthorized(error) => Err(error),
        }
    }

    async fn get<T: DeserializeOwned>(
        &self,
        operation: &'static str,
        url: Url,
        token: &SecretString,
    ) -> Result<Answer<T>, ProviderError> {
        let request = self.http.get(url).bearer_auth(token.expose_secret());
        let response = request.send().await.map_err(|error| unreachable(operation, error))?;
        match response.status() {
            StatusCode::NOT_FOUND => Ok(Answer::NotThere),
            StatusCode::UNAUTHORIZED => Ok(Answer::Unauthorized(self.refused(operation, response).await)),
            status if status.is_success() => read_json(operation, response).await.map(Answer::Found),
            _ => Err(self.refused(operation, response).await),
        }
    }

    /// The management token: the one we have unless it is old or `refused`, else a new one.
    async fn token(&self, refused: Option<&SecretString>) -> Result<SecretString, ProviderError> {
        const OPERATION: &str = "get management token";
        let mut token = self.token.lock().await;
        let now = self.clock.machine_now();
        if let Some(token) = token.as_ref() {
            let was_refused = refused.is_some_and(|refused| refused.expose_secret() == token.value.expose_secret());
            if now < token.good_until && !was_refused {
                return Ok(token.value.clone());
            }
        }
        *token = None;
        let form = [
            ("grant_type", "client_credentials"),
            ("client_id", self.client_id.as_str()),
            ("client_secret", self.client_secret.expose_secret()),
        ];
        let request = self.http.post(self.address(&["oauth", "token"])).form(&form);
        let response = request.send().await.map_err(|error| unreachable(OPERATION, error))?;
        if !response.status().is_success() {
            return Err(self.refused(OPERATION, response).await);
        }
        let answer: TokenAnswer = read_json(OPERATION, response).await?;
        let fresh = Token { good_until: now.plus(answer.keep_for()), value: answer.access_token };
        Ok(token.insert(fresh).value.clone())
    }

    /// An address below the environment's; each part is one segment, whatever is in it.
    fn address(&self, parts: &[&str]) -> Url {
        let mut url = self.environment.clone();
        url.path_segments_mut().expect("http and https addresses have a path").pop_if_empty().extend(parts);
        url
    }

    /// The error of an answer that is none.
    async fn refused(&self, operation: &'static str, response: Response) -> ProviderError {
        let status = response.status();
        let kind = match status {
            StatusCode::TOO_MANY_REQUESTS => ErrorKind::Throttled(retry_after(response.headers())),
            StatusCode::CONFLICT => ErrorKind::Conflict,
            StatusCode::REQUEST_TIMEOUT => ErrorKind::Transient,
            status if status.is_server_error() => ErrorKind::Transient,
            _ => ErrorKind::Rejected,
        };
        let request_id =
            response.headers().get("x-request-id").and_then(|value| value.to_str().ok()).map(str::to_owned);
        let body = http_client::body(response, MAX_ANSWER).await.unwrap_or_default();
        let answer: ErrorAnswer = serde_json::from_slice(&body).unwrap_or_default();
        let code = answer.details.into_iter().find_map(|detail| detail.error_code).or(answer.error);
        let said = answer.message.or(answer.error_description).filter(|said| !said.is_empty());
        ProviderError {
            code: code.map(|code| self.harmless(&code)),
            message: said
                .map_or_else(|| format!("answered with status {}", status.as_u16()), |said| self.harmless(&said)),
            request_id,
            ..error(kind, operation)
        }
    }

    /// The provider's words, short, and not if they repeat our secret.
    fn harmless(&self, said: &str) -> String {
        if said.contains(self.client_secret.expose_secret()) {
            return "the message repeats a secret and is left out".to_owned();
        }
        said.chars().filter(|c| !c.is_control()).take(MAX_MESSAGE).collect()
    }
}

async fn read_json<T: DeserializeOwned>(operation: &'static str, response: Response) -> Result<T, ProviderError> {
    let body = http_client::body(response, MAX_ANSWER).await.map_err(|cause| ProviderError {
        message: match &cause {
            BodyError::Broken(_) => "the answer broke off".to_owned(),
            BodyError::TooLong(limit) => format!("the answer is longer than {limit} bytes"),
        },
        cause: Some(Box::new(cause)),
        ..error(ErrorKind::Transient, operation)
    })?;
    // The cause is left out: it may quote the answer, which is about a person or a token.
    serde_json::from_slice(&body).map_err(|_| ProviderError {
        message: "the answer is not as documented".to_owned(),
        ..error(ErrorKind::Transient, operation)
    })
}

/// Reads change nothing, so that no answer means that nothing was done.
fn unreachable(operation: &'static str, cause: reqwest::Error) -> ProviderError {
    let message = if cause.is_timeout() { "no answer in time" } else { "no answer" }.to_owned();
    ProviderError { message, cause: Some(Box::new(cause.without_url())), ..error(ErrorKind::Transient, operation) }
}

fn error(kind: ErrorKind, operation: &'static str) -> ProviderError {
    ProviderError {
        kind,
        source_name: SOURCE.into(),
        operation,
        code: None,
        message: String::new(),
        request_id: None,
        cause: None,
    }
}

/// Whole seconds; a date is not read.
fn retry_after(headers: &HeaderMap) -> Duration {
    let seconds =
        headers.get("retry-after").and_then(|value| value.to_str().ok()).and_then(|text| text.trim().parse().ok());
    seconds.map_or(DEFAULT_RETRY_AFTER, Duration::from_secs).min(MAX_RETRY_AFTER)
}
