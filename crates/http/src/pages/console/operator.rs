//! Who may look at the console.

use std::sync::Arc;

use axum::{
    extract::FromRequestParts,
    response::{IntoResponse, Response},
};
use http::{HeaderMap, Method, StatusCode, header, request::Parts};
use tollkeeper::{Key, Scope, ports::Session};

use super::login;
use crate::{
    address,
    landing::see_other,
    pages::frame::with_query,
    problem::Problem,
    router::{App, Shared},
    session::Caller,
};

/// Somebody who may operate: whoever showed a key that may, or is named by a verified e-mail.
pub(crate) enum Operator {
    Key(Arc<Key>),
    Person(Arc<Session>),
}

impl Operator {
    /// As the log names it: an id, and no e-mail.
    pub(super) fn name(&self) -> String {
        match self {
            Self::Key(key) => format!("key {}", key.id),
            Self::Person(session) => format!("user {}", session.user_id),
        }
    }

    /// As it is shown to itself.
    pub(super) fn shown(&self) -> String {
        match self {
            Self::Key(key) => key.name.clone(),
            Self::Person(session) => session.email.clone().unwrap_or_else(|| session.user_id.to_string()),
        }
    }

    /// Where the form goes that ends it.
    pub(super) fn way_out(&self) -> &'static str {
        match self {
            Self::Key(_) => "/console/logout",
            Self::Person(_) => "/auth/logout",
        }
    }
}

impl FromRequestParts<Shared> for Operator {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, app: &Shared) -> Result<Self, Response> {
        from_here(app, &parts.method, &parts.headers).map_err(IntoResponse::into_response)?;
        if let Some(cookie) = app.cookies.console(&parts.headers) {
            let operator_key = app.config.operator_key.as_ref();
            let prove = async { Ok(app.engine.console_key(cookie, operator_key).await?) };
            match address::carefully(app, parts, prove).await {
                Ok(key) => {
                    may_operate(&key).map_err(IntoResponse::into_response)?;
                    return Ok(Self::Key(key));
                }
                // It is over; the person may be signed in, too.
                Err(problem) if problem.asks_to_sign_in() => {}
                Err(problem) => return Err(problem.into_response()),
            }
        }
        match Caller::from_request_parts(parts, app).await {
            Ok(Caller::Person(session)) if is_named(app, &session) => Ok(Self::Person(session)),
            Ok(Caller::Person(_)) => Err(login::not_named(app, parts)),
            Ok(Caller::Key(_)) => {
                let sentence = "These pages are for people: with an API key, ask /admin/api";
                Err(Problem::new(StatusCode::FORBIDDEN, "person_required", sentence).into_response())
            }
            Err(problem) if problem.asks_to_sign_in() => Err(see_other(&to_login(parts))),
            Err(problem) => Err(problem.into_response()),
        }
    }
}

/// Pages of other sites may neither read these nor send their forms, also those that may call the API.
///
/// # Errors
/// 403 with `csrf`.
pub(super) fn from_here(app: &App, method: &Method, headers: &HeaderMap) -> Result<(), Problem> {
    let own = app.writers.first().map(String::as_bytes);
    match headers.get(header::ORIGIN) {
        Some(origin) if Some(origin.as_bytes()) == own => Ok(()),
        None if method.is_safe() => Ok(()),
        Some(_) | None => Err(Problem::csrf()),
    }
}

/// Whether a key opens the console: the same that opens `/admin/api`.
///
/// # Errors
/// 403.
pub(super) fn may_operate(key: &Key) -> Result<(), Problem> {
    key.needs(Scope::Admin)?;
    if key.organization_id.is_some() {
        let sentence = "This API key is for one organization, and this is about all of them";
        return Err(Problem::new(StatusCode::FORBIDDEN, "key_is_pinned", sentence));
    }
    Ok(())
}

/// Whether the person is named. Only an e-mail that a token of the identity provider calls verified counts: what webhooks
/// tell of members, somebody else's directory may have written.
fn is_named(app: &App, session: &Session) -> bool {
    let email = session.email.as_ref().map(|email| email.trim().to_lowercase());
    email.is_some_and(|email| app.config.operators.iter().any(|named| named.trim().to_lowercase() == email))
}

/// What a form sent cannot be sent again behind the login: the person comes back to the page that has the form.
fn to_login(parts: &Parts) -> String {
    let path = parts.uri.path();
    let back = match parts.method.is_safe() {
        true => parts.uri.path_and_query().map_or(path, |it| it.as_str()),
        false => path.rsplit_once('/').map_or("/console", |(page, _)| page),
    };
    with_query("/console/login", &[("next", login::own_page(back))])
}
