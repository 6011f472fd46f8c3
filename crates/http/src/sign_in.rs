//! Signing in and out for our own pages: away to the identity provider, and back.

use std::{borrow::Cow, time::Duration};

use axum::{
    extract::{FromRequestParts as _, State},
    response::{IntoResponse, Response},
};
use http::{HeaderMap, StatusCode, Uri, header, request::Parts};
use tokio::time::Instant;
use tollkeeper::{SignInFlow, SignInWish};

use crate::{
    address, cors,
    landing::see_other,
    layer::wants_a_page,
    limits::Rate,
    pages::leave,
    problem::Problem,
    query,
    router::{App, Shared},
    session::Caller,
};

/// How often a browser may come back from one sign-in: each time asks the provider.
pub(crate) const TRIES: Rate = Rate { per_minute: 1, burst: 3 };
/// The longest code and state that are looked at, in bytes.
const LONGEST: usize = 4 * 1024;
/// What an identity provider may be asked to show.
const PROMPTS: [&str; 3] = ["login", "create", "select_account"];

/// `GET /auth/login`
///
/// `next` is where the browser comes back to; `organizationId` and `prompt` are passed on.
pub(crate) async fn login(State(app): State<Shared>, uri: Uri) -> Result<Response, Problem> {
    let next = query::value(&uri, "next").filter(|next| !next.is_empty());
    let organization = query::name(&uri, "organizationId")?;
    let prompt = query::value(&uri, "prompt");
    if prompt.as_ref().is_some_and(|prompt| !PROMPTS.contains(&prompt.as_ref())) {
        let sentence = format!("prompt must be one of {}", PROMPTS.join(", "));
        return Err(Problem::field("prompt", "invalid_value", sentence));
    }
    let wish = SignInWish { next: next.as_deref(), organization: organization.as_deref(), prompt: prompt.as_deref() };
    let begun = app.engine.begin_sign_in(&wish)?;
    let cookie = app.cookies.set_flow(&begun.flow, begun.lasts.as_secs());
    Ok(([(header::SET_COOKIE, cookie)], see_other(&begun.url)).into_response())
}

/// `GET /auth/callback`
///
/// Nothing in the address is believed before its `state` is the one that this very browser left with.
pub(crate) async fn callback(State(app): State<Shared>, mut parts: Parts) -> Response {
    let flow = match under_way(&app, &parts) {
        Ok(Some(flow)) => flow,
        Ok(None) => return astray(&app, &mut parts).await.unwrap_or_else(IntoResponse::into_response),
        Err(problem) => return problem.into_response(),
    };
    match arrive(&app, &parts, &flow).await {
        Ok(response) => response,
        // The same address may work in a moment.
        Err(problem) if problem.is_temporary() => problem.into_response(),
        Err(problem) => ([(header::SET_COOKIE, app.cookies.clear_flow())], problem).into_response(),
    }
}

/// The sign-in that a browser comes back from; `None` where it has no such one under way. Whoever comes too often is told
/// so before anything is asked.
fn under_way(app: &App, parts: &Parts) -> Result<Option<SignInFlow>, Problem> {
    let state = given(&parts.uri, "state").unwrap_or_default();
    let sealed = app.cookies.flow(&parts.headers).unwrap_or_default();
    let Some(flow) = app.engine.sign_in_flow(sealed, &state) else { return Ok(None) };
    let taken = app.sign_in_tries.take(state.into_owned(), Instant::now(), Duration::ZERO);
    taken.map_err(|wait| Problem::too_often("This sign-in was tried too often: begin a new one", wait))?;
    Ok(Some(flow))
}

/// A browser comes back from nowhere. Where another of its tabs has signed in, or this one before, that is all it wanted.
///
/// Only who comes like this is counted by address: many people may share one, and nobody may shut it for the others.
async fn astray(app: &Shared, parts: &mut Parts) -> Result<Response, Problem> {
    if app.cookies.credential(&parts.headers).is_some()
        && let Ok(Caller::Person(_)) = Caller::from_request_parts(parts, app).await
    {
        return Ok(see_other(&format!("{}/billing", app.engine.settings().app_url)));
    }
    if let Some(address) = address::of(app, parts) {
        let taken = app.sign_ins.take(address, Instant::now(), Duration::ZERO);
        taken.map_err(|wait| Problem::too_often("Too many sign-ins from this address did not work", wait))?;
    }
    Err(lost())
}

async fn arrive(app: &App, parts: &Parts, flow: &SignInFlow) -> Result<Response, Problem> {
    if let Some(error) = query::value(&parts.uri, "error") {
        return Err(declined(&error));
    }
    let code = given(&parts.uri, "code").ok_or_else(lost)?;
    let old = app.cookies.credential(&parts.headers);
    let signed_in = app.engine.finish_sign_in(flow, &code, old).await?;
    let mut response = see_other(&signed_in.url);
    let headers = response.headers_mut();
    headers.append(header::SET_COOKIE, app.cookies.set_session(&signed_in.cookie));
    headers.append(header::SET_COOKIE, app.cookies.clear_flow());
    Ok(response)
}

/// `POST /auth/logout`
pub(crate) async fn logout(State(app): State<Shared>, headers: HeaderMap) -> Result<Response, Problem> {
    if !cors::comes_from(&headers, &app.writers) {
        return Err(Problem::csrf());
    }
    let url = app.engine.sign_out(app.cookies.credential(&headers)).await?;
    // A browser holds a form to our own site also behind redirects.
    let mut response = match wants_a_page(&headers) {
        true => leave::to(url, "where you sign in")?,
        false => see_other(&url),
    };
    for cookie in app.cookies.clear_all() {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    Ok(response)
}

/// A value that is there, and not absurd.
fn given<'a>(uri: &'a Uri, name: &str) -> Option<Cow<'a, str>> {
    query::value(uri, name).filter(|value| (1..=LONGEST).contains(&value.len()))
}

fn lost() -> Problem {
    let sentence = "This sign-in is not under way in this browser: it was finished, took longer than ten minutes, \
                    or began somewhere else";
    Problem::new(StatusCode::BAD_REQUEST, "sign_in_lost", sentence)
}

/// What the provider sent instead of a code. Its words are for nobody to read: anybody can write an address.
fn declined(error: &str) -> Problem {
    if error == "access_denied" {
        return Problem::new(StatusCode::FORBIDDEN, "sign_in_declined", "You did not sign in. Nothing has changed");
    }
    let word: String = error.chars().filter(|c| c.is_ascii_lowercase() || *c == '_').take(40).collect();
    Problem::new(StatusCode::BAD_GATEWAY, "sign_in_failed", "The identity provider could not sign you in")
        .caused(format!("the identity provider says {word}"))
}
