//! Letting in whoever shows a key, and letting go.

use askama::Template;
use axum::{
    extract::{Request, State},
    response::{IntoResponse, Response},
};
use http::{HeaderMap, Method, StatusCode, Uri, header, request::Parts};

use super::{Frame, Place, operator};
use crate::{
    address,
    admin::may_operate,
    body,
    landing::see_other,
    pages::{frame::sign_in, page},
    problem::Problem,
    query,
    router::{App, Shared},
    session,
};

/// No key is longer, in characters.
const LONGEST: usize = 1_000;
const HOME: &str = "/console";

/// `/console/login`
#[derive(Template)]
#[template(path = "console/login.html")]
pub(crate) struct LoginPage {
    pub(crate) frame: Frame,
    /// Where to go from here.
    pub(crate) next: String,
    pub(crate) trouble: Option<String>,
    /// Where those who are named sign in, if anybody is.
    pub(crate) sign_in: Option<String>,
}

impl LoginPage {
    fn new(app: &App, next: &str, trouble: Option<String>) -> Self {
        let named = !app.config.operators.is_empty() && app.engine.sign_in_origin().is_some();
        let next = own_page(next);
        let frame = Frame { sandbox: app.config.sandbox.clone(), ..Frame::plain("Console", Place::Login, None) };
        Self { frame, next: next.to_owned(), trouble, sign_in: named.then(|| sign_in(next)) }
    }

    fn answer(&self, status: StatusCode) -> Response {
        match page(self) {
            Ok(page) => (status, page).into_response(),
            Err(problem) => problem.into_response(),
        }
    }
}

/// `GET /console/login?next=`
pub(crate) async fn show(State(app): State<Shared>, uri: Uri) -> Response {
    let next = query::value(&uri, "next").unwrap_or_default();
    LoginPage::new(&app, &next, None).answer(StatusCode::OK)
}

/// Somebody who is signed in and not named may still have a key.
pub(super) fn not_named(app: &App, parts: &Parts) -> Response {
    let sentence = "You are signed in, and are not one of the operators of this server. They are named by their \
                    verified e-mail in its configuration, under [console]. With a key you are let in, too.";
    LoginPage::new(app, operator::way_back(parts), Some(sentence.to_owned())).answer(StatusCode::FORBIDDEN)
}

/// Whoever is named proves that again now and then.
pub(super) fn too_old(app: &App, parts: &Parts) -> Response {
    let sentence = "You signed in more than twelve hours ago. Sign in again, so that it is known who you are now.";
    LoginPage::new(app, operator::way_back(parts), Some(sentence.to_owned())).answer(StatusCode::UNAUTHORIZED)
}

/// `POST /console/login` with `key` and `next`.
pub(crate) async fn open(State(app): State<Shared>, request: Request) -> Result<Response, Problem> {
    let (parts, content) = request.into_parts();
    operator::from_here(&app, &parts.method, &parts.headers)?;
    let (bytes, _place) = body::read(&app, content, app.config.limits.api_body_bytes()).await?;
    let fields = body::parse_form(&parts.headers, &bytes)?;
    let next = fields.text("next", LONGEST)?.unwrap_or_default();
    let pasted = fields.text("key", LONGEST)?.unwrap_or_default();
    let secret = pasted.trim();
    let refused = |status, sentence: &str| Ok(LoginPage::new(&app, &next, Some(sentence.to_owned())).answer(status));

    let prove = async { session::key(&app, secret).await?.ok_or_else(Problem::unauthenticated) };
    let key = match address::carefully(&app, &parts, prove).await {
        Ok(key) => key,
        Err(problem) if problem.asks_to_sign_in() => {
            let from = address::of(&app, &parts).map_or_else(String::new, |address| address.to_string());
            tracing::warn!(client.address = from, "somebody at {from} showed the console a key that is none");
            return refused(StatusCode::UNAUTHORIZED, "This is no key that works here.");
        }
        Err(problem) => return Err(problem),
    };
    if let Err(problem) = may_operate(&key) {
        tracing::warn!(by = key.id, "the API key {} was shown to the console and may not operate", key.id);
        return refused(problem.status(), &problem.sentence());
    }
    tracing::info!(by = key.id, "the console was opened with the key {}", key.id);
    let cookie = app.cookies.set_console(&app.engine.console_cookie(&key, secret));
    Ok(([(header::SET_COOKIE, cookie)], see_other(own_page(&next))).into_response())
}

/// `POST /console/logout`
pub(crate) async fn close(State(app): State<Shared>, method: Method, headers: HeaderMap) -> Result<Response, Problem> {
    operator::from_here(&app, &method, &headers)?;
    Ok(([(header::SET_COOKIE, app.cookies.clear_console())], see_other("/console/login")).into_response())
}

/// The page of the console that is named, or its first one.
pub(super) fn own_page(named: &str) -> &str {
    let rest = named.strip_prefix(HOME).filter(|rest| rest.is_empty() || rest.starts_with(['/', '?']));
    let is_login = rest.is_some_and(|rest| rest.starts_with("/log"));
    if rest.is_some() && !is_login && named.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\') {
        named
    } else {
        HOME
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn from_the_login_one_goes_to_pages_of_the_console_alone() {
        for page in ["/console", "/console?query=a%20b", "/console/deliveries?state=dead", "/console/organizations/x"] {
            assert_eq!(own_page(page), page);
        }
        for elsewhere in [
            "",
            "/",
            "/billing",
            "//evil.example",
            "https://evil.example/console",
            "/consolex",
            "/console/login?next=/console",
            "/console/logout",
            "/console\\evil",
            "/console/\r\nset-cookie: a=b",
            "/console/ä",
        ] {
            assert_eq!(own_page(elsewhere), HOME, "{elsewhere}");
        }
    }
}
