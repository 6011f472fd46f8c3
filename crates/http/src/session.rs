//! Who asks: a person with an access token or a session of ours, or a program with an API key.

use std::{borrow::Cow, sync::Arc};

use axum::{
    Json,
    extract::{FromRequestParts, State},
};
use http::{HeaderMap, Method, StatusCode, header, request::Parts};
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};
use subtle::ConstantTimeEq as _;
use tollkeeper::{
    Action, Actor, Error, KEY_PREFIX, Key, SESSION_MARK, Scope,
    ids::OrganizationId,
    plans_view,
    ports::{AuthError, Session},
};

use crate::{
    address,
    cookies::Renewal,
    cors,
    problem::Problem,
    query,
    router::{App, Shared},
};

/// No identity provider makes longer tokens, and longer ones would cost us time before they are refused.
const LONGEST_TOKEN: usize = 16 * 1024;

/// Somebody who was proven for this very request.
pub(crate) enum Caller {
    /// A member of one organization, and of nothing else.
    Person(Arc<Session>),
    /// A program of the product, for whatever its scopes allow.
    Key(Arc<Key>),
}

impl FromRequestParts<Shared> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Shared) -> Result<Self, Problem> {
        let credential = credential(app, &parts.method, &parts.headers)?;
        let renewal = parts.extensions.get::<Renewal>();
        address::carefully(app, parts, prove(app, credential, renewal)).await
    }
}

/// What was presented.
enum Credential<'a> {
    Bearer(&'a str),
    Cookie(&'a str),
}

/// A browser sends cookies with what other sites make it send, so that a cookie alone may only read; what it may write
/// must come from a page of ours.
fn credential<'a>(app: &App, method: &Method, headers: &'a HeaderMap) -> Result<Credential<'a>, Problem> {
    if let Some(token) = bearer(headers) {
        return Ok(Credential::Bearer(token));
    }
    let cookie = app.cookies.credential(headers).ok_or_else(Problem::unauthenticated)?;
    if !method.is_safe() && !cors::comes_from(headers, &app.writers) {
        return Err(Problem::csrf());
    }
    Ok(Credential::Cookie(cookie))
}

async fn prove(app: &App, credential: Credential<'_>, renewal: Option<&Renewal>) -> Result<Caller, Problem> {
    let (Credential::Bearer(token) | Credential::Cookie(token)) = credential;
    if token.is_empty() || token.len() > LONGEST_TOKEN {
        return Err(Problem::unauthenticated());
    }
    if let Credential::Bearer(token) = credential
        && let Some(key) = key(app, token).await?
    {
        return Ok(Caller::Key(key));
    }
    if matches!(credential, Credential::Cookie(_)) && token.starts_with(SESSION_MARK) {
        return session(app, token, renewal).await.map(Caller::Person);
    }
    Ok(Caller::Person(app.engine.authenticate(token).await?))
}

/// Proves a session cookie. One that lives on is sent anew with the answer, one that is over is taken away.
async fn session(app: &App, cookie: &str, renewal: Option<&Renewal>) -> Result<Arc<Session>, Problem> {
    let tell = |cookie| {
        if let Some(renewal) = renewal {
            renewal.set(cookie);
        }
    };
    match app.engine.authenticate_cookie(cookie).await {
        Ok(proven) => {
            if let Some(cookie) = &proven.renewed {
                tell(app.cookies.set_session(cookie));
            }
            Ok(proven.session)
        }
        Err(Error::Unauthenticated(AuthError::Expired)) => {
            tell(app.cookies.clear_session());
            let sentence = "This session is over: sign in again";
            Err(Problem::new(StatusCode::UNAUTHORIZED, "session_expired", sentence))
        }
        Err(error) => Err(error.into()),
    }
}

/// The API key with this secret, the operator's own among them; `None` when it is no key's at all.
///
/// # Errors
/// 401, when it is the secret of a key that does not work, or of none.
pub(crate) async fn key(app: &App, secret: &str) -> Result<Option<Arc<Key>>, Problem> {
    if let Some(operator) = &app.config.operator_key
        && bool::from(operator.expose_secret().as_bytes().ct_eq(secret.as_bytes()))
        && !secret.is_empty()
    {
        return Ok(Some(app.operator.clone()));
    }
    if secret.starts_with(KEY_PREFIX) {
        return Ok(Some(app.engine.authenticate_key(secret).await?));
    }
    Ok(None)
}

pub(crate) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

impl Caller {
    /// The organization that a gate is about: a person's own, or the one that a key may name.
    ///
    /// # Errors
    /// 403, when the person has none or named another, or the key lacks the scope; 400, when a key named none.
    pub(crate) fn organization(&self, app: &App, uri: &http::Uri) -> Result<Cow<'_, OrganizationId>, Problem> {
        let reference = query::value(uri, "referenceId");
        match self {
            Self::Person(session) => Ok(Cow::Borrowed(app.engine.organization_of(session, reference.as_deref())?)),
            Self::Key(key) => {
                key.needs(Scope::Read)?;
                Ok(Cow::Owned(key.organization(nameable(reference.as_deref())?)?))
            }
        }
    }

    /// Whether it may do this at all, as far as that is known before anybody has read the body.
    ///
    /// # Errors
    /// 403.
    pub(crate) fn may_begin(&self, app: &App, reference: Option<&str>, action: Action) -> Result<(), Problem> {
        match self {
            Self::Person(session) => app.engine.organization_of(session, reference).map(drop)?,
            Self::Key(key) => key.needs(Scope::of(action))?,
        }
        Ok(())
    }

    /// Whether it may do this for the organization that `reference` names.
    ///
    /// # Errors
    /// 403; 400, when a key named none; 404, when a key named one that nobody knows.
    pub(crate) async fn authorize(&self, app: &App, reference: Option<&str>, action: Action) -> Result<Actor, Problem> {
        Ok(match self {
            Self::Person(session) => app.engine.authorize(session, reference, action).await?,
            Self::Key(key) => app.engine.authorize_key(key, nameable(reference)?, action).await?,
        })
    }

    /// The person, where it is one.
    pub(crate) fn into_person(self) -> Option<Arc<Session>> {
        match self {
            Self::Person(session) => Some(session),
            Self::Key(_) => None,
        }
    }

    /// The only organization it may name; `None` for a key that may name any.
    pub(crate) fn only(&self) -> Option<&OrganizationId> {
        match self {
            Self::Person(session) => session.organization_id.as_ref(),
            Self::Key(key) => key.organization_id.as_ref(),
        }
    }
}

/// What a key may look up: a person names its own organization or is refused, a key may name anything.
fn nameable(reference: Option<&str>) -> Result<Option<&str>, Problem> {
    reference.map(|reference| query::visible("referenceId", reference)).transpose()
}

/// `GET /api/session`
pub(crate) async fn show(State(app): State<Shared>, caller: Caller, uri: http::Uri) -> Result<Json<Value>, Problem> {
    let plans = plans_view(&app.engine.catalog(), &app.engine.settings().billing_provider);
    let session = match &caller {
        Caller::Person(session) => session,
        Caller::Key(key) => {
            let reference = query::value(&uri, "referenceId");
            // A key of all organizations is in none unless it names one.
            let organization = match (&key.organization_id, reference) {
                (None, None) => None,
                (_, reference) => Some(key.organization(nameable(reference.as_deref())?)?),
            };
            return Ok(Json(json!({
                "keyId": key.id,
                "name": key.name,
                "scopes": key.scopes,
                "organizationId": organization,
                "plans": plans["plans"],
            })));
        }
    };
    let organization = caller.organization(&app, &uri)?;
    app.engine.welcome(&organization).await?;
    Ok(Json(json!({
        "userId": session.user_id,
        "email": app.engine.email_of(session).await?,
        "organizationId": organization,
        "roles": session.roles,
        "permissions": session.permissions,
        "plans": plans["plans"],
    })))
}
