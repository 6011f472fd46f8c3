//! Who asks: a bearer token, or the session cookie.

use axum::{
    Json,
    extract::{FromRequestParts, State},
};
use http::{HeaderMap, Method, StatusCode, header, request::Parts};
use serde_json::{Value, json};
use tollkeeper::{ids::OrganizationId, plans_view, ports::Session};

use crate::{
    cors,
    problem::Problem,
    query,
    router::{App, Shared},
};

/// No identity provider makes longer tokens, and longer ones would cost us time before they are refused.
const LONGEST_TOKEN: usize = 16 * 1024;

/// Somebody whose token was proven for this very request.
pub(crate) struct Caller(pub(crate) Session);

impl FromRequestParts<Shared> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Shared) -> Result<Self, Problem> {
        let token = token(app, &parts.method, &parts.headers)?;
        if token.is_empty() || token.len() > LONGEST_TOKEN {
            return Err(Problem::unauthenticated());
        }
        Ok(Self(app.engine.authenticate(token).await?))
    }
}

/// The token of a request. A browser sends cookies with what other sites make it send, so that a cookie alone may only
/// read; what it may write must come from a page of ours.
fn token<'a>(app: &App, method: &Method, headers: &'a HeaderMap) -> Result<&'a str, Problem> {
    if let Some(token) = bearer(headers) {
        return Ok(token);
    }
    let cookie = cookie(headers, &app.config.session_cookie).ok_or_else(Problem::unauthenticated)?;
    if !method.is_safe() && !cors::comes_from(headers, &app.writers) {
        return Err(Problem::new(
            StatusCode::FORBIDDEN,
            "csrf",
            "With a cookie, changes are only taken from pages of this site",
        ));
    }
    Ok(cookie)
}

pub(crate) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let lines = headers.get_all(header::COOKIE).iter().filter_map(|line| line.to_str().ok());
    let mut pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(key, _)| *key == name).map(|(_, value)| value.trim_matches('"'))
}

/// The organization that a question is about: the session's own, also where the query names it.
///
/// # Errors
/// 403, when the session has none or another one was named.
pub(crate) fn organization_of<'a>(
    app: &App,
    session: &'a Session,
    uri: &http::Uri,
) -> Result<&'a OrganizationId, Problem> {
    let reference = query::value(uri, "referenceId");
    Ok(app.engine.organization_of(session, reference.as_deref())?)
}

/// `GET /api/session`
pub(crate) async fn show(
    State(app): State<Shared>,
    Caller(session): Caller,
    uri: http::Uri,
) -> Result<Json<Value>, Problem> {
    let organization = organization_of(&app, &session, &uri)?;
    app.engine.welcome(organization).await?;
    let plans = plans_view(&app.engine.catalog(), &app.engine.settings().billing_provider);
    Ok(Json(json!({
        "userId": session.user_id,
        "email": app.engine.email_of(&session).await?,
        "organizationId": organization,
        "roles": session.roles,
        "permissions": session.permissions,
        "plans": plans["plans"],
    })))
}
