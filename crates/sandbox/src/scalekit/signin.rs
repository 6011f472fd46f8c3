//! Signing a person in, and out again.

use std::collections::HashSet;

use serde_json::Value;

use super::authorize::{self, Asked};
use super::directory::{Directory, OrganizationInput, Refused, address};
use super::render;
use super::sessions::{Session, Sessions};
use super::tokens::Issuer;
use crate::moment::Moment;

/// Where a person is signed in to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    /// No organization at all.
    Nowhere,
    /// One that exists.
    Organization(String),
    /// One that is made now, under this name.
    NewOrganization(String),
}

/// Reads a request for a code. An organization that it names must be there.
///
/// `origins` are those that the product is known by.
pub(crate) fn read(
    directory: &Directory,
    pairs: &[(String, String)],
    client_id: &str,
    origins: &HashSet<String>,
) -> Result<Asked, authorize::Refused> {
    let asked = Asked::read(pairs, client_id, origins)?;
    match &asked.organization_id {
        Some(id) if directory.organization(id).is_none() => {
            let description = format!("there is no organization {id}");
            Err(authorize::Refused::Back(asked.failure_url("invalid_request", &description)))
        }
        _ => Ok(asked),
    }
}

/// Signs a person in and returns where the browser goes.
///
/// An unknown address becomes a person, and whoever is no member yet becomes one, the first of them `admin`.
pub(crate) fn sign_in(
    directory: &mut Directory,
    sessions: &mut Sessions,
    asked: &Asked,
    email: &str,
    place: Place,
    (now, machine_now): (Moment, Moment),
) -> Result<String, Refused> {
    // Whatever is wrong is said before anything is made.
    let email = address(email)?;
    let (organization_id, is_new) = match place {
        Place::Nowhere => (None, false),
        Place::Organization(id) if directory.organization(&id).is_some() => (Some(id), false),
        Place::Organization(id) => return Err(Refused::NotFound(format!("there is no organization {id}"))),
        Place::NewOrganization(name) => {
            let input = OrganizationInput { display_name: Some(name.trim().to_owned()), ..Default::default() };
            (Some(directory.create_organization(None, input, now)?), true)
        }
    };
    let user_id = directory.ensure_user(email, now)?;
    if let Some(id) = &organization_id {
        directory.ensure_member(id, &user_id, None, now)?;
        if is_new {
            directory.tell_of_signup(id, &user_id, now);
        }
    }
    let session = sessions.begin(&user_id, organization_id.as_deref(), &asked.scope, &mut directory.ids, machine_now);
    let code = sessions.issue_code(session, asked, &mut directory.ids, machine_now);
    tell(directory, sessions.row(session), "user.login", (now, machine_now));
    Ok(asked.success_url(&code))
}

/// How a sign-out went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum SignedOut {
    /// The browser goes there.
    To(String),
    /// There was nowhere to go to.
    Here,
    /// Something is wrong with the request; a person reads the sentence.
    Refused(&'static str),
}

/// `GET /oidc/logout`: ends the session of an ID token, which may have expired.
///
/// Source: Scalekit docs, "Log out"; OpenID Connect RP-Initiated Logout 1.0, section 2.
pub(crate) fn sign_out(
    directory: &mut Directory,
    sessions: &mut Sessions,
    issuer: Issuer<'_>,
    pairs: &[(String, String)],
    is_registered: impl Fn(&str) -> bool,
    (now, machine_now): (Moment, Moment),
) -> SignedOut {
    let get = |name: &str| {
        let value = pairs.iter().rev().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
        value.filter(|value| !value.is_empty())
    };
    // Without one, a browser's own cookie would say whose session it is. Nobody has one here, so that none ends.
    if let Some(hint) = get("id_token_hint") {
        let Some(claims) = issuer.keys.verify(hint).filter(|claims| is_ours(claims, issuer)) else {
            return SignedOut::Refused("id_token_hint is no ID token of this environment");
        };
        if let Some(session) = claims["sid"].as_str().and_then(|id| sessions.open(id, machine_now)) {
            sessions.end(session, machine_now);
            tell(directory, sessions.row(session), "user.logout", (now, machine_now));
        }
    }
    match get("post_logout_redirect_uri") {
        None => SignedOut::Here,
        Some(target) if is_registered(target) => {
            SignedOut::To(authorize::with_pairs(target, &[("state", get("state"))]))
        }
        Some(_) => {
            SignedOut::Refused("post_logout_redirect_uri is not registered, so you are signed out and still here")
        }
    }
}

fn is_ours(claims: &Value, issuer: Issuer<'_>) -> bool {
    let audience = claims["aud"].as_array().is_some_and(|all| all.iter().any(|one| one == issuer.client_id));
    // An access token has no authorized party.
    claims["iss"] == issuer.url && claims["azp"] == issuer.client_id && audience
}

/// Tells of the beginning or the end of a session. Without an organization there is nobody to tell it of.
fn tell(directory: &mut Directory, session: &Session, event_type: &'static str, (now, machine_now): (Moment, Moment)) {
    let Some(organization_id) = session.organization_id.clone() else { return };
    let Some(user) = directory.user(&session.user_id) else { return };
    // What a webhook tells carries business time.
    let business = |moment: Moment| {
        Moment::from_micros(moment.micros().saturating_add(now.micros().saturating_sub(machine_now.micros())))
    };
    let times = render::SessionTimes {
        began: business(session.began).rfc3339(),
        last_active: business(session.last_active).rfc3339(),
        idle_end: business(session.idle_end()).rfc3339(),
        absolute_end: business(session.absolute_end()).rfc3339(),
        ended: session.ended.map(|ended| business(ended).rfc3339()),
    };
    let data = render::session_data(user, &organization_id, &session.id, &times);
    directory.tell(event_type, "User", Some(organization_id), data, now);
}
