//! Signing in and out: whom to be, and where.
//!
//! Nobody has a password here. Whoever sees the page may be anybody, also somebody new.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::response::{IntoResponse as _, Redirect, Response};
use http::{StatusCode, Uri};
use serde_json::Value;

use super::layout::{Width, escape, message, page};
use super::parts;
use crate::chargebee::api::Form;
use crate::deliveries::outbox::Provider;
use crate::requests::{Entry, masked_pairs};
use crate::scalekit::authorize::{self, Asked};
use crate::scalekit::directory::{Directory, Refused};
use crate::scalekit::signin::{self, Place, SignedOut};
use crate::server::Shared;

/// How many people and how many organizations the page offers, newest first.
const OFFERED: usize = 20;

/// Whom the pages stand in for.
const OF: &str = "Scalekit";

/// What the form says for an organization that is to be made.
const NEW: &str = "new";

fn refused(reason: &authorize::Refused) -> Response {
    match reason {
        authorize::Refused::Here(text) => {
            let text = format!(
                "{}<p>The product sent a request that cannot be answered, and nobody can be sent back to it.</p>",
                parts::problem("Why", text)
            );
            message(StatusCode::BAD_REQUEST, OF, "Sign-in is not possible", &text)
        }
        authorize::Refused::Back(url) => Redirect::to(url).into_response(),
    }
}

/// What the product asked by way of a browser, for the log.
fn entry(uri: &Uri, query: &Form, response: &Response) -> Entry {
    Entry {
        provider: Provider::Scalekit,
        method: "GET".into(),
        path: uri.path().to_owned(),
        query: masked_pairs(query.pairs()),
        body: Value::Null,
        idempotency_key: None,
        status: response.status().as_u16(),
        fault: None,
    }
}

/// `GET /oauth/authorize`.
pub(super) async fn show(State(shared): State<Arc<Shared>>, uri: Uri) -> Response {
    let query = Form::parse(uri.query().unwrap_or_default().as_bytes());
    shared.with(|world, now| {
        let origins = world.product_origins();
        let client_id = &shared.config.scalekit.client_id;
        let response = match signin::read(&world.directory, query.pairs(), client_id, &origins) {
            Ok(asked) => render(&world.directory, &asked, None),
            Err(reason) => refused(&reason),
        };
        world.requests.push(entry(&uri, &query, &response), now);
        response
    })
}

/// The form of the page, which goes to the address of the page itself.
pub(super) async fn submit(State(shared): State<Arc<Shared>>, uri: Uri, body: Bytes) -> Response {
    let query = Form::parse(uri.query().unwrap_or_default().as_bytes());
    let form = Form::parse(&body);
    let machine_now = shared.machine_now();
    shared.with(|world, now| {
        let origins = world.product_origins();
        let client_id = &shared.config.scalekit.client_id;
        let asked = match signin::read(&world.directory, query.pairs(), client_id, &origins) {
            Ok(asked) => asked,
            Err(reason) => return refused(&reason),
        };
        if form.get("action") == Some("cancel") {
            return Redirect::to(&asked.cancelled_url()).into_response();
        }
        let done = chosen(&world.directory, &asked, &form).and_then(|(email, place)| {
            signin::sign_in(&mut world.directory, &mut world.sessions, &asked, &email, place, (now, machine_now))
        });
        match done {
            Ok(url) => Redirect::to(&url).into_response(),
            Err(reason) => render(&world.directory, &asked, Some((&reason.to_string(), &form))),
        }
    })
}

/// Whom the form names, and where.
fn chosen(directory: &Directory, asked: &Asked, form: &Form) -> Result<(String, Place), Refused> {
    if let Some((user_id, organization_id)) = form.get("as").and_then(|pair| pair.split_once(' ')) {
        let user = directory.user(user_id).ok_or_else(|| Refused::NotFound("there is no such person".into()))?;
        return Ok((user.email.clone(), place(asked, organization_id, "")));
    }
    let email = form.get("email").unwrap_or_default().to_owned();
    Ok((email, place(asked, form.get("organization").unwrap_or(NEW), form.get("name").unwrap_or_default())))
}

/// A request that names an organization leaves no choice.
fn place(asked: &Asked, organization: &str, name: &str) -> Place {
    match (&asked.organization_id, organization) {
        (Some(id), _) => Place::Organization(id.clone()),
        (None, "") => Place::Nowhere,
        (None, NEW) => Place::NewOrganization(name.to_owned()),
        (None, id) => Place::Organization(id.to_owned()),
    }
}

fn render(directory: &Directory, asked: &Asked, problem: Option<(&str, &Form)>) -> Response {
    let (known, somebody_else) =
        (people(directory, asked), somebody_else(directory, asked, problem.map(|(_, form)| form)));
    let forms = if asked.creates { [somebody_else, known] } else { [known, somebody_else] };
    let note = problem.map(|(text, _)| parts::problem("Not signed in", text)).unwrap_or_default();
    let content = format!(
        "{note}{forms}<form method=\"post\"><button name=\"action\" value=\"cancel\">Cancel and go back</button></form>",
        forms = forms.concat(),
    );
    let status = if problem.is_some() { StatusCode::BAD_REQUEST } else { StatusCode::OK };
    page(status, OF, if asked.creates { "Sign up" } else { "Sign in" }, Width::Narrow, &content)
}

/// The people that are there, with one button for each of their organizations.
fn people(directory: &Directory, asked: &Asked) -> String {
    let hinted = asked.login_hint.as_deref().and_then(|hint| directory.user_by_email(hint));
    let others = directory.users().iter().rev().filter(|user| hinted.is_none_or(|hinted| hinted.id != user.id));
    let mut buttons = String::new();
    let rows = hinted
        .into_iter()
        .chain(others)
        .flat_map(|user| directory.memberships(user).map(move |(organization, roles)| (user, organization, roles)));
    let wanted = |id: &str| asked.organization_id.as_deref().is_none_or(|wanted| wanted == id);
    for (user, organization, roles) in rows.filter(|(_, organization, _)| wanted(&organization.id)).take(OFFERED) {
        let initial: String = user.email.chars().take(1).flat_map(char::to_uppercase).collect();
        buttons.push_str(&format!(
            "<li><button name=\"as\" value=\"{user_id} {organization_id}\">\
             <span class=\"disc\" aria-hidden=\"true\">{initial}</span><span class=\"two\">\
             <strong>{email}</strong> <span class=\"hint\">{name} · {roles}</span></span></button></li>",
            user_id = escape(&user.id),
            organization_id = escape(&organization.id),
            initial = escape(&initial),
            email = escape(&user.email),
            name = escape(&organization.display_name),
            roles = escape(&roles.join(", ")),
        ));
    }
    if buttons.is_empty() {
        return String::new();
    }
    format!("<form method=\"post\" class=\"panel\"><h2>Continue as</h2><ul class=\"choices\">{buttons}</ul></form>")
}

/// The fields for anybody, filled with what was sent before.
fn somebody_else(directory: &Directory, asked: &Asked, sent: Option<&Form>) -> String {
    let sent = |name: &str| sent.and_then(|form| form.get(name));
    let email = sent("email").or(asked.login_hint.as_deref()).unwrap_or_default();
    let organization = match asked.organization_id.as_deref().and_then(|id| directory.organization(id)) {
        Some(row) => format!("<p>Organization: <strong>{}</strong></p>", escape(&row.display_name)),
        None => {
            let chosen = sent("organization").unwrap_or(NEW);
            let option = |value: &str, text: &str| {
                let selected = if value == chosen { " selected" } else { "" };
                format!("<option value=\"{}\"{selected}>{}</option>", escape(value), escape(text))
            };
            let live = directory.organizations().iter().rev().filter(|row| row.deleted_at.is_none()).take(OFFERED);
            let live: String = live.map(|row| option(&row.id, &row.display_name)).collect();
            format!(
                "<div class=\"field\"><label for=\"organization\">Organization</label>\
                 <select id=\"organization\" name=\"organization\">{new}{live}{none}</select></div>\
                 <div class=\"field\"><label for=\"name\">Name of a new organization \
                 <span class=\"hint\">only if it is new</span></label>\
                 <input type=\"text\" id=\"name\" name=\"name\" value=\"{name}\" maxlength=\"200\" autocomplete=\"off\"></div>",
                new = option(NEW, "A new organization"),
                none = option("", "No organization"),
                name = escape(sent("name").unwrap_or_default()),
            )
        }
    };
    format!(
        "<form method=\"post\" class=\"panel\"><h2>{title}</h2>\
         <div class=\"field\"><label for=\"email\">E-mail</label>\
         <input type=\"text\" id=\"email\" name=\"email\" value=\"{email}\" inputmode=\"email\" autocomplete=\"off\" required>\
         </div>{organization}\
         <p class=\"hint\">Nobody has a password here. An unknown address becomes a person, and the first member of an \
         organization is its administrator.</p>\
         <button class=\"main block\">Sign in</button></form>",
        title = if asked.creates { "Somebody new" } else { "Somebody else" },
        email = escape(email),
    )
}

/// `GET /oidc/logout`.
pub(super) async fn leave(State(shared): State<Arc<Shared>>, uri: Uri) -> Response {
    let query = Form::parse(uri.query().unwrap_or_default().as_bytes());
    let machine_now = shared.machine_now();
    shared.with(|world, now| {
        let origins = world.product_origins();
        let is_registered = |target: &str| authorize::is_registered(target, &origins);
        let (directory, sessions) = (&mut world.directory, &mut world.sessions);
        let response = match signin::sign_out(
            directory,
            sessions,
            shared.issuer(),
            query.pairs(),
            is_registered,
            (now, machine_now),
        ) {
            SignedOut::To(url) => Redirect::to(&url).into_response(),
            SignedOut::Here => message(
                StatusCode::OK,
                OF,
                "You are signed out",
                "<p>This session has ended. You can close the page.</p>",
            ),
            SignedOut::Refused(text) => {
                message(StatusCode::BAD_REQUEST, OF, "Signing out went wrong", &parts::problem("Why", text))
            }
        };
        world.requests.push(entry(&uri, &query, &response), now);
        response
    })
}
