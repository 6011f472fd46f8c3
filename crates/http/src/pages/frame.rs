//! What every page has around it, and who looks at it.

use std::{convert::Infallible, sync::Arc};

use axum::{
    extract::FromRequestParts,
    response::{IntoResponse, Response},
};
use http::{HeaderName, HeaderValue, StatusCode, Uri, request::Parts};
use tollkeeper::{Action, Actor, ports::Session};
use url::form_urlencoded;

use super::{asset, leave};
use crate::{
    landing::see_other,
    layer::wants_a_page,
    problem::Problem,
    router::{App, Shared},
    session::Caller,
};

/// Around every page.
pub(crate) struct Frame {
    pub(crate) title: String,
    /// Which of the ways in the head leads here.
    pub(crate) here: Here,
    pub(crate) person: Option<Person>,
    /// Where the sandbox is that stands in for the providers.
    pub(crate) sandbox: Option<String>,
    pub(crate) style: String,
    pub(crate) mark: String,
    pub(crate) htmx: String,
    pub(crate) live: String,
}

/// Around a page that stands alone: nothing in it leads anywhere but on.
pub(crate) struct Bare {
    pub(crate) title: &'static str,
    pub(crate) style: String,
    pub(crate) mark: String,
}

impl Bare {
    pub(crate) fn new(title: &'static str) -> Self {
        Self { title, style: asset::address("page.css"), mark: asset::address("mark.svg") }
    }
}

/// A place in the head.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Here {
    Pricing,
    Billing,
    Elsewhere,
}

/// Who is signed in, as the head shows it.
#[derive(Clone, Debug)]
pub(crate) struct Person {
    pub(crate) name: String,
    /// The organization of the session: forms say which one they show, for the session may be another's when they are
    /// sent.
    pub(crate) organization: String,
}

impl Person {
    /// Who was asked for just now, and may.
    pub(crate) fn of(actor: &Actor) -> Self {
        Self { name: actor.name().to_owned(), organization: actor.organization_id().to_string() }
    }
}

impl Frame {
    pub(crate) fn new(app: &App, title: impl Into<String>, here: Here, person: Option<Person>) -> Self {
        Self { sandbox: app.config.sandbox.clone(), ..Self::plain(title, here, person) }
    }

    /// Without anything that the configuration says.
    pub(crate) fn plain(title: impl Into<String>, here: Here, person: Option<Person>) -> Self {
        Self {
            title: title.into(),
            here,
            person,
            sandbox: None,
            style: asset::address("page.css"),
            mark: asset::address("mark.svg"),
            htmx: asset::address("htmx.js"),
            live: asset::address("live.js"),
        }
    }

    pub(crate) fn is(&self, here: Here) -> bool {
        self.here == here
    }
}

/// A person who is signed in. Whoever is not is led to where one signs in, and back.
pub(crate) struct Visitor {
    session: Arc<Session>,
    pub(crate) caller: Caller,
}

impl FromRequestParts<Shared> for Visitor {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, app: &Shared) -> Result<Self, Response> {
        match Caller::from_request_parts(parts, app).await {
            Ok(Caller::Person(session)) => Ok(Self { caller: Caller::Person(session.clone()), session }),
            Ok(Caller::Key(_)) => {
                let sentence = "These pages are for people: with an API key, ask the API";
                Err(Problem::new(StatusCode::FORBIDDEN, "person_required", sentence).into_response())
            }
            Err(problem) if problem.asks_to_sign_in() => Err(to_sign_in(parts)),
            Err(problem) => Err(problem.into_response()),
        }
    }
}

impl Visitor {
    /// As the head shows it.
    pub(crate) async fn person(&self, app: &App) -> Result<Person, Problem> {
        let email = app.engine.email_of(&self.session).await?;
        Ok(Person {
            name: email.unwrap_or_else(|| self.session.user_id.to_string()),
            organization: self.session.organization_id.as_ref().map(ToString::to_string).unwrap_or_default(),
        })
    }

    pub(crate) fn may_change(&self, app: &App) -> bool {
        app.engine.may_change_billing(&self.session)
    }

    /// May this person do that?
    pub(crate) async fn authorize(&self, app: &App, action: Action) -> Result<Actor, Problem> {
        self.caller.authorize(app, None, action).await
    }
}

/// Somebody who may be signed in.
pub(crate) struct Guest(pub(crate) Option<Visitor>);

impl FromRequestParts<Shared> for Guest {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, app: &Shared) -> Result<Self, Infallible> {
        Ok(Self(Visitor::from_request_parts(parts, app).await.ok()))
    }
}

/// What a form sends cannot be sent again behind the sign-in: the person comes back to the page that has the form.
fn to_sign_in(parts: &Parts) -> Response {
    let back = match parts.method.is_safe() {
        true => parts.uri.path_and_query().map_or("/billing", |it| it.as_str()),
        false if parts.uri.path() == "/billing/checkout" => "/pricing",
        false => "/billing",
    };
    let address = sign_in(back);
    // Behind a script's request the browser would follow to another site and be refused there.
    if parts.headers.contains_key("hx-request") {
        let name = HeaderName::from_static("hx-redirect");
        return (StatusCode::NO_CONTENT, [(name, location(&address))]).into_response();
    }
    // A browser holds a form to our own site also behind redirects, and one signs in elsewhere.
    match parts.method.is_safe() {
        true => see_other(&address),
        false => leave::to(address, "where you sign in").unwrap_or_else(IntoResponse::into_response),
    }
}

/// Where one signs in, and comes back from.
pub(crate) fn sign_in(back: &str) -> String {
    with_query("/auth/login", &[("next", back)])
}

fn location(address: &str) -> HeaderValue {
    HeaderValue::from_str(address).unwrap_or(HeaderValue::from_static("/billing"))
}

/// The path of a page with a query made of pairs.
pub(crate) fn with_query(path: &str, pairs: &[(&str, &str)]) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.extend_pairs(pairs.iter().filter(|(_, value)| !value.is_empty()));
    match query.finish() {
        query if query.is_empty() => path.to_owned(),
        query => format!("{path}?{query}"),
    }
}

/// Whether a browser shows the answer to a person: a page is wanted where something is wrong, and not a document.
pub(crate) fn is_for_a_person(uri: &Uri, headers: &http::HeaderMap) -> bool {
    let path = uri.path();
    // What programs ask has documents for every failure; people come by where a provider sends them back, and to the
    // document of an invoice.
    let programs = ["/api/", "/admin/", "/gate/", "/chargebee/", "/stripe/", "/.well-known/"];
    let machines = ["/healthz", "/readyz", "/metrics", "/version", "/openapi.json"];
    let people = path == "/api/subscription/success" || (path.starts_with("/api/invoices/") && path.ends_with("/pdf"));
    let for_programs = programs.iter().any(|begin| path.starts_with(begin)) || machines.contains(&path);
    (people || !for_programs) && wants_a_page(headers)
}
