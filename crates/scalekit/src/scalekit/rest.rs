//! What we read of Scalekit's management API: one organization or user, and the lists of organizations and members.
//!
//! Source: Scalekit OpenAPI document, `GET /api/v1/organizations`, `…/organizations/{id}`, `…/organizations/{id}/users`
//! and `/api/v1/users/{id}`; the token by `POST /oauth/token` with `client_credentials` and the credentials in the form,
//! as its official libraries do.

use std::{fmt, sync::Arc, time::Duration};

use reqwest::{Client, Response, StatusCode, Url, header::HeaderMap};
use secrecy::{ExposeSecret as _, SecretString};
use serde::de::DeserializeOwned;
use tokio::sync::Mutex;
use tollkeeper_core::{
    ids::{OrganizationId, UserId},
    ports::{ErrorKind, OrganizationRecord, Page, ProviderError, SignInError, UserRecord},
    time::{Clock, MachineTime},
};

use super::{
    Config, SOURCE,
    events::filled,
    wire::{
        ErrorAnswer, GrantError, Organization, OrganizationAnswer, OrganizationList, TokenAnswer, User, UserAnswer,
        UserList,
    },
};
use crate::{
    ConfigError,
    http_client::{self, BodyError},
};

/// Time for one call.
const CALL_TIMEOUT: Duration = Duration::from_secs(10);

/// The longest answer that is read, in bytes: a hundred people come with all their memberships.
const MAX_ANSWER: usize = 8 * 1024 * 1024;

/// Rows of a page: the most that Scalekit gives.
const PAGE_ROWS: &str = "100";

const HAS_A_PATH: &str = "http and https addresses have a path";

/// A management token is not used in its last minute.
const TOKEN_MARGIN: Duration = Duration::from_secs(60);

/// How long to wait after 429 where the provider does not say; it documents no `Retry-After`.
const DEFAULT_RETRY_AFTER: Duration = Duration::from_secs(1);

/// A longer `Retry-After` is taken for this.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(60 * 60);

/// The longest message of the provider that is kept, in characters.
const MAX_MESSAGE: usize = 300;

/// The longest code of a grant's error that is kept, in bytes.
const MAX_CODE: usize = 40;

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
        let Some(url) = self.address("organizations", id.as_str()) else { return Ok(None) };
        let answer: Option<OrganizationAnswer> = self.read("get organization", url).await?;
        Ok(answer.map(|answer| answer.organization.record(id.clone())))
    }

    pub(super) async fn user(&self, id: &UserId) -> Result<Option<UserRecord>, ProviderError> {
        let Some(url) = self.address("users", id.as_str()) else { return Ok(None) };
        let answer: Option<UserAnswer> = self.read("get user", url).await?;
        Ok(answer.map(|UserAnswer { user }| UserRecord { id: id.clone(), email: filled(user.email) }))
    }

    pub(super) async fn organizations(&self, page: Option<&str>) -> Result<Page<OrganizationRecord>, ProviderError> {
        const OPERATION: &str = "list organizations";
        let url = self.below(&["api", "v1", "organizations"]);
        let answer: OrganizationList = self.list(OPERATION, url, page).await?;
        let rows = answer.organizations.unwrap_or_default().into_iter().map(Organization::row);
        Ok(Page { rows: whole(OPERATION, rows)?, next: next(OPERATION, answer.next_page_token, page)? })
    }

    pub(super) async fn members(
        &self,
        organization: &OrganizationId,
        page: Option<&str>,
    ) -> Result<Page<UserRecord>, ProviderError> {
        const OPERATION: &str = "list members";
        let Some(mut url) = self.address("organizations", organization.as_str()) else {
            return Err(nowhere(OPERATION));
        };
        url.path_segments_mut().expect(HAS_A_PATH).push("users");
        let answer: UserList = self.list(OPERATION, url, page).await?;
        let members = answer.users.unwrap_or_default().into_iter().filter(|user| user.is_member_of(organization));
        Ok(Page {
            rows: whole(OPERATION, members.map(User::row))?,
            next: next(OPERATION, answer.next_page_token, page)?,
        })
    }

    /// Reads one page of a list; a list that is not there is an error, and not an empty one.
    async fn list<T: DeserializeOwned>(
        &self,
        operation: &'static str,
        mut url: Url,
        page: Option<&str>,
    ) -> Result<T, ProviderError> {
        url.query_pairs_mut().append_pair("page_size", PAGE_ROWS);
        if let Some(page) = page.filter(|page| !page.is_empty()) {
            url.query_pairs_mut().append_pair("page_token", page);
        }
        self.read(operation, url).await?.ok_or_else(|| nowhere(operation))
    }

    /// Reads one object; a token that is refused is replaced once.
    async fn read<T: DeserializeOwned>(&self, operation: &'static str, url: Url) -> Result<Option<T>, ProviderError> {
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
        let request = self.http.post(self.below(&["oauth", "token"])).form(&form);
        let response = request.send().await.map_err(|error| unreachable(OPERATION, error))?;
        if !response.status().is_success() {
            return Err(self.refused(OPERATION, response).await);
        }
        let answer: TokenAnswer = read_json(OPERATION, response).await?;
        let fresh =
            Token { good_until: now.plus(answer.lifetime().saturating_sub(TOKEN_MARGIN)), value: answer.access_token };
        Ok(token.insert(fresh).value.clone())
    }

    /// Asks for tokens of a person. `grant` is the form, without who we are.
    pub(super) async fn grant(
        &self,
        operation: &'static str,
        grant: &[(&str, &str)],
    ) -> Result<TokenAnswer, SignInError> {
        let mut form = vec![("client_id", self.client_id.as_str())];
        form.push(("client_secret", self.client_secret.expose_secret()));
        form.extend(grant);
        let request = self.http.post(self.below(&["oauth", "token"])).form(&form);
        let response = request.send().await.map_err(|cause| {
            // Who was reached may have taken the grant, and another one is not to be had.
            let kind = if cause.is_connect() { ErrorKind::Transient } else { ErrorKind::OutcomeUnknown };
            ProviderError { kind, ..unreachable(operation, cause) }
        })?;
        if !response.status().is_success() {
            return Err(grant_refused(operation, response).await);
        }
        let unread = |failed| ProviderError { kind: ErrorKind::OutcomeUnknown, ..failed };
        Ok(read_json(operation, response).await.map_err(unread)?)
    }

    /// The address of one object of the API; `None` for an id that an address has no place for, so that there cannot be
    /// such an object.
    fn address(&self, collection: &str, id: &str) -> Option<Url> {
        if matches!(id, "" | "." | "..") {
            return None;
        }
        let mut url = self.below(&["api", "v1"]);
        url.path_segments_mut().expect(HAS_A_PATH).push(collection).push(id);
        Some(url)
    }

    /// An address below the environment's; each part is one segment, whatever is in it.
    pub(super) fn below(&self, parts: &[&str]) -> Url {
        let mut url = self.environment.clone();
        url.path_segments_mut().expect(HAS_A_PATH).pop_if_empty().extend(parts);
        url
    }

    /// The error of an answer that is none.
    async fn refused(&self, operation: &'static str, response: Response) -> ProviderError {
        let bare = bare(operation, &response);
        let body = http_client::body(response, MAX_ANSWER).await.unwrap_or_default();
        let answer: ErrorAnswer = serde_json::from_slice(&body).unwrap_or_default();
        let code = answer.details.into_iter().find_map(|detail| detail.error_code).or(answer.error);
        let said = answer.message.or(answer.error_description).filter(|said| !said.is_empty());
        ProviderError {
            code: code.map(|code| self.harmless(&code)),
            message: said.map_or(bare.message, |said| self.harmless(&said)),
            ..bare
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

/// The error of a grant that was not taken. Its code alone is kept: the words beside it may repeat a code or a token.
///
/// Source: RFC 6749, section 5.2.
async fn grant_refused(operation: &'static str, response: Response) -> SignInError {
    let bare = bare(operation, &response);
    let body = http_client::body(response, MAX_ANSWER).await.unwrap_or_default();
    let answer: GrantError = serde_json::from_slice(&body).unwrap_or_default();
    let code = answer.error.filter(|code| {
        (1..=MAX_CODE).contains(&code.len()) && code.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
    });
    if code.as_deref() == Some("invalid_grant") {
        return SignInError::Refused;
    }
    ProviderError { code, ..bare }.into()
}

/// The error of an answer whose body was not read.
fn bare(operation: &'static str, response: &Response) -> ProviderError {
    let status = response.status();
    let kind = match status {
        StatusCode::TOO_MANY_REQUESTS => ErrorKind::Throttled(retry_after(response.headers())),
        StatusCode::CONFLICT => ErrorKind::Conflict,
        StatusCode::REQUEST_TIMEOUT => ErrorKind::Transient,
        status if status.is_server_error() => ErrorKind::Transient,
        _ => ErrorKind::Rejected,
    };
    let request_id = response.headers().get("x-request-id").and_then(|value| value.to_str().ok());
    ProviderError {
        message: format!("answered with status {}", status.as_u16()),
        request_id: request_id.map(str::to_owned),
        ..error(kind, operation)
    }
}

/// The rows of a list; a row without an id makes the list unreadable, because somebody would be missing in it.
fn whole<T>(operation: &'static str, rows: impl Iterator<Item = Option<T>>) -> Result<Vec<T>, ProviderError> {
    rows.collect::<Option<_>>().ok_or_else(|| undocumented(operation))
}

/// The page after this one. One that is the same again would never come to an end.
fn next(operation: &'static str, token: Option<String>, page: Option<&str>) -> Result<Option<String>, ProviderError> {
    let token = token.filter(|token| !token.is_empty());
    if token.is_some() && token.as_deref() == page {
        let message = "the list names the same page as the next one".to_owned();
        return Err(ProviderError { message, ..error(ErrorKind::Rejected, operation) });
    }
    Ok(token)
}

fn nowhere(operation: &'static str) -> ProviderError {
    ProviderError { message: "it is not there".to_owned(), ..error(ErrorKind::NotFound, operation) }
}

fn undocumented(operation: &'static str) -> ProviderError {
    ProviderError { message: "the answer is not as documented".to_owned(), ..error(ErrorKind::Transient, operation) }
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
    serde_json::from_slice(&body).map_err(|_| undocumented(operation))
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
