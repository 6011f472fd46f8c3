//! `POST /oauth/token`, and the bearers it gives out.
//!
//! Error bodies follow RFC 6749, section 5.2; the provider does not document its own.
//!
//! Source: Scalekit docs, "Authenticate with the API", "Complete login", "Manage sessions".

use std::collections::HashMap;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::digest::{SHA256, digest};
use serde_json::{Map, Value, json};
use subtle::ConstantTimeEq as _;

use super::directory::Directory;
use super::keys::SignWith;
use super::sessions::{Session, Sessions};
use super::tokens::{self, Issuer, Subject, Wish};
use crate::config::ScalekitAccount;
use crate::ids::Ids;
use crate::moment::Moment;

/// How long a management token lives, in seconds of machine time.
const TTL_SECONDS: i64 = 86_399;

/// The management tokens that were given out, with their ends in machine time.
#[derive(Debug, Default)]
pub(crate) struct Bearers {
    ends: HashMap<String, Moment>,
}

impl Bearers {
    /// Whether the value of an `Authorization` header holds a token that is still good.
    pub(crate) fn accept(&self, authorization: Option<&str>, machine_now: Moment) -> bool {
        authorization
            .and_then(|value| value.split_once(' '))
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
            .and_then(|(_, token)| self.ends.get(token.trim()))
            .is_some_and(|end| *end > machine_now)
    }

    fn issue(&mut self, issuer: Issuer<'_>, ids: &mut Ids, machine_now: Moment) -> Value {
        self.ends.retain(|_, end| *end > machine_now);
        let token = tokens::management(issuer, &ids.numeric("tkn_"), TTL_SECONDS, machine_now);
        self.ends.insert(token.clone(), machine_now.plus_secs(TTL_SECONDS));
        json!({
            "access_token": token,
            "token_type": "Bearer",
            "expires_in": TTL_SECONDS,
            "scope": "openid",
        })
    }
}

/// What a token request is answered from.
#[derive(Debug)]
pub(crate) struct TokenEndpoint<'a> {
    pub(crate) account: &'a ScalekitAccount,
    pub(crate) issuer: Issuer<'a>,
    pub(crate) bearers: &'a mut Bearers,
    pub(crate) directory: &'a mut Directory,
    pub(crate) sessions: &'a mut Sessions,
    pub(crate) machine_now: Moment,
}

/// A status and a body.
type Answer = (u16, Value);

fn refuse(status: u16, error: &str, description: &str) -> Answer {
    (status, json!({ "error": error, "error_description": description }))
}

fn not_granted(description: &str) -> Answer {
    refuse(400, "invalid_grant", description)
}

fn same(given: &str, ours: &str) -> bool {
    given.as_bytes().ct_eq(ours.as_bytes()).into()
}

impl TokenEndpoint<'_> {
    /// Answers a token request.
    pub(crate) fn answer(&mut self, form: &[(String, String)]) -> Answer {
        let get = |name: &str| form.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value.as_str());
        let grant = get("grant_type");
        match grant {
            "" => return refuse(400, "invalid_request", "grant_type is missing"),
            "client_credentials" | "authorization_code" | "refresh_token" => {}
            other => {
                let description = format!("the grant type {other} is not supported");
                return refuse(400, "unsupported_grant_type", &description);
            }
        }
        let known =
            same(get("client_id"), &self.account.client_id) & same(get("client_secret"), &self.account.client_secret);
        if !known {
            return refuse(401, "invalid_client", "client authentication failed");
        }
        match grant {
            "client_credentials" => (200, self.bearers.issue(self.issuer, &mut self.directory.ids, self.machine_now)),
            "authorization_code" if get("code").is_empty() => refuse(400, "invalid_request", "code is missing"),
            "authorization_code" => self.exchange(get("code"), get("redirect_uri"), get("code_verifier")),
            _ if get("refresh_token").is_empty() => refuse(400, "invalid_request", "refresh_token is missing"),
            _ => self.refresh(get("refresh_token")),
        }
    }

    fn exchange(&mut self, code: &str, redirect_uri: &str, verifier: &str) -> Answer {
        let verifies = |challenge: Option<&str>| match challenge {
            Some(challenge) => is_verifier(verifier) && same(&challenge_of(verifier), challenge),
            // A verifier without a challenge means that somebody took the challenge out of the request.
            None => verifier.is_empty(),
        };
        match self.sessions.redeem_code(code, redirect_uri, verifies, self.machine_now) {
            Ok((session, nonce)) => self.tokens(session, nonce, Some(code.to_owned())),
            Err(reason) => not_granted(reason),
        }
    }

    fn refresh(&mut self, token: &str) -> Answer {
        match self.sessions.redeem_refresh_token(token, self.machine_now) {
            Ok(session) => self.tokens(session, None, None),
            Err(reason) => not_granted(reason),
        }
    }

    fn tokens(&mut self, position: usize, nonce: Option<String>, code: Option<String>) -> Answer {
        let session = self.sessions.row(position).clone();
        let Some(subject) = self.subject(&session) else {
            self.sessions.end(position, self.machine_now);
            return not_granted("the person is no longer a member of the organization");
        };
        let wish = Wish { ttl_seconds: tokens::TTL_SECONDS, claims: Map::new(), sign_with: SignWith::Dev, nonce, code };
        let pair = tokens::issue(self.issuer, &subject, wish, self.machine_now);
        let mut body = json!({
            "access_token": pair.access_token,
            "token_type": "Bearer",
            // A second less than the token lives, as the provider answers.
            "expires_in": tokens::TTL_SECONDS - 1,
            "scope": session.scope,
        });
        if session.has_scope("openid") {
            body["id_token"] = pair.id_token.into();
        }
        if session.has_scope("offline_access") {
            body["refresh_token"] = self.sessions.issue_refresh_token(position, &mut self.directory.ids).into();
        }
        (200, body)
    }

    /// Whom a session is about, as the directory has them now.
    fn subject(&mut self, session: &Session) -> Option<Subject> {
        let email = self.directory.user(&session.user_id)?.email.clone();
        let (organization, roles) = match &session.organization_id {
            None => (None, Vec::new()),
            Some(id) => {
                let row = self.directory.organization(id)?;
                let roles = self.directory.roles(id, &session.user_id)?;
                (Some((row.id.clone(), row.external_id.clone())), roles.to_vec())
            }
        };
        Some(Subject {
            user_id: session.user_id.clone(),
            email,
            organization,
            roles,
            scope: session.scope.clone(),
            session_id: session.id.clone(),
            token_id: self.directory.ids.numeric("tkn_"),
        })
    }
}

/// Source: RFC 7636, section 4.1.
fn is_verifier(text: &str) -> bool {
    (43..=128).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte))
}

fn challenge_of(verifier: &str) -> String {
    URL_SAFE_NO_PAD.encode(digest(&SHA256, verifier.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_challenge_is_that_of_the_standard() {
        // Source: RFC 7636, appendix B.
        let verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
        assert!(is_verifier(verifier) && !is_verifier("short") && !is_verifier(&"ä".repeat(30)));
        assert_eq!(challenge_of(verifier), "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
    }
}
