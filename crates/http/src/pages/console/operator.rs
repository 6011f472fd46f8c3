//! Who may look at the console.

use std::{sync::Arc, time::Duration};

use axum::{
    extract::FromRequestParts,
    response::{IntoResponse, Response},
};
use http::{HeaderMap, Method, StatusCode, header, request::Parts};
use tollkeeper::{Key, SESSION_MARK, ports::Session};

use super::login;
use crate::{
    address,
    admin::may_operate,
    cors,
    landing::see_other,
    pages::frame::with_query,
    problem::Problem,
    router::{App, Shared},
    session::{self, Caller},
};

/// How old a sign-in may be that lets somebody in who is named: a long day.
const PROOF: Duration = Duration::from_secs(12 * 60 * 60);

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
            Ok(Caller::Person(session)) if is_named(app, &session) => match is_recent(app, parts).await {
                Ok(true) => Ok(Self::Person(session)),
                Ok(false) => Err(login::too_old(app, parts)),
                Err(problem) => Err(problem.into_response()),
            },
            Ok(Caller::Person(_)) => Err(login::not_named(app, parts)),
            Ok(Caller::Key(_)) => {
                let sentence = "These pages are for people: with an API key, ask /admin/api";
                Err(Problem::new(StatusCode::FORBIDDEN, "person_required", sentence).into_response())
            }
            Err(problem) if problem.asks_to_sign_in() => {
                Err(see_other(&with_query("/console/login", &[("next", way_back(parts))])))
            }
            Err(problem) => Err(problem.into_response()),
        }
    }
}

/// Pages of other sites may neither read these nor send their forms, also those that may call the API.
///
/// # Errors
/// 403 with `csrf`.
pub(super) fn from_here(app: &App, method: &Method, headers: &HeaderMap) -> Result<(), Problem> {
    let reads_alone = method.is_safe() && !headers.contains_key(header::ORIGIN);
    if reads_alone || cors::comes_from(headers, &app.own) { Ok(()) } else { Err(Problem::csrf()) }
}

/// Whether the person is named. Only an e-mail that a token of the identity provider calls verified counts: what webhooks
/// tell of members, somebody else's directory may have written.
fn is_named(app: &App, session: &Session) -> bool {
    session.email.as_ref().is_some_and(|email| names(&app.config.operators, email))
}

/// Only ASCII has its case folded: folded, some other letters are those of somebody else.
fn names(operators: &[String], email: &str) -> bool {
    operators.iter().any(|named| named.trim().eq_ignore_ascii_case(email.trim()))
}

/// Whether a person's sign-in is young enough. What a token says of itself is as old as the token; what a session of ours
/// knows was proven when it began, and whoever was named then may not be any more.
async fn is_recent(app: &App, parts: &Parts) -> Result<bool, Problem> {
    match app.cookies.credential(&parts.headers).filter(|_| session::bearer(&parts.headers).is_none()) {
        Some(cookie) if cookie.starts_with(SESSION_MARK) => Ok(app.engine.signed_in_within(cookie, PROOF).await?),
        Some(_) | None => Ok(true),
    }
}

/// Where somebody comes back to. What a form sent cannot be sent again behind the login: that is the page that has the form.
pub(super) fn way_back(parts: &Parts) -> &str {
    let path = parts.uri.path();
    login::own_page(match parts.method.is_safe() {
        true => parts.uri.path_and_query().map_or(path, |it| it.as_str()),
        false => path.rsplit_once('/').map_or("/console", |(page, _)| page),
    })
}

#[cfg(test)]
mod tests {
    #[test]
    fn an_operator_is_named_in_any_case_and_by_these_letters_alone() {
        let operators = ["Kim@Example.com ".to_owned(), "bo@example.com".to_owned()];
        for (email, named) in [
            ("kim@example.com", true),
            ("BO@EXAMPLE.COM", true),
            // The sign of Kelvin has this k as its small letter.
            ("\u{212a}im@example.com", false),
            ("kim@example.co", false),
            ("", false),
        ] {
            assert_eq!(super::names(&operators, email), named, "{email}");
        }
    }
}
