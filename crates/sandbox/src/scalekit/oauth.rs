//! `POST /oauth/token`, and the bearers it gives out.
//!
//! Error bodies follow RFC 6749, section 5.2; the provider does not document its own.
//!
//! Source: Scalekit docs, "Authenticate with the API".

use std::collections::HashMap;

use serde_json::{Value, json};
use subtle::ConstantTimeEq as _;

use super::tokens::{self, Issuer};
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

    /// Answers a token request: a status and a body.
    pub(crate) fn grant(
        &mut self,
        account: &ScalekitAccount,
        issuer: Issuer<'_>,
        ids: &mut Ids,
        form: &[(String, String)],
        machine_now: Moment,
    ) -> (u16, Value) {
        let get = |name: &str| form.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value.as_str());
        let same = |given: &str, ours: &str| bool::from(given.as_bytes().ct_eq(ours.as_bytes()));
        let refuse = |status, error: &str, description: &str| {
            (status, json!({ "error": error, "error_description": description }))
        };
        match get("grant_type") {
            "" => return refuse(400, "invalid_request", "grant_type is missing"),
            "client_credentials" => {}
            other => {
                let description = format!("the grant type {other} is not supported");
                return refuse(400, "unsupported_grant_type", &description);
            }
        }
        let known = same(get("client_id"), &account.client_id) & same(get("client_secret"), &account.client_secret);
        if !known {
            return refuse(401, "invalid_client", "client authentication failed");
        }
        self.ends.retain(|_, end| *end > machine_now);
        let token = tokens::management(issuer, &ids.numeric("tkn_"), TTL_SECONDS, machine_now);
        self.ends.insert(token.clone(), machine_now.plus_secs(TTL_SECONDS));
        let body = json!({
            "access_token": token,
            "token_type": "Bearer",
            "expires_in": TTL_SECONDS,
            "scope": "openid",
        });
        (200, body)
    }
}
