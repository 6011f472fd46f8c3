//! The tokens of a signed-in person, and those of the management API.
//!
//! Times in tokens are machine time: whoever verifies them asks the machine, not the business clock.
//!
//! Source: Scalekit docs, "Access token claims", "ID token claims".

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::digest::{SHA256, digest};
use serde_json::{Map, Value, json};

use super::keys::{Keys, SignWith};
use super::render::given_name;
use crate::moment::Moment;

/// The lifetime of an access token in seconds. Source: Scalekit docs, "Manage sessions": five minutes unless configured.
pub(crate) const TTL_SECONDS: i64 = 300;
/// What an application usually asks for, and is granted.
pub(crate) const FULL_SCOPE: &str = "openid profile email offline_access";

/// Who a token is about.
#[derive(Debug, Clone)]
pub(crate) struct Subject {
    pub(crate) user_id: String,
    pub(crate) email: String,
    /// The organization and its external id; `None` for products without organizations.
    pub(crate) organization: Option<(String, Option<String>)>,
    pub(crate) roles: Vec<String>,
    /// What was granted, with spaces in between.
    pub(crate) scope: String,
    pub(crate) session_id: String,
    pub(crate) token_id: String,
}

/// How the tokens are to be.
#[derive(Debug, Clone)]
pub(crate) struct Wish {
    pub(crate) ttl_seconds: i64,
    /// Overrides of access token claims; null removes one.
    pub(crate) claims: Map<String, Value>,
    pub(crate) sign_with: SignWith,
    /// The nonce of the request that the ID token answers.
    pub(crate) nonce: Option<String>,
    /// The code that the tokens were bought with, whose hash the ID token carries.
    pub(crate) code: Option<String>,
}

/// Who signs and for whom.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Issuer<'a> {
    pub(crate) url: &'a str,
    pub(crate) client_id: &'a str,
    pub(crate) keys: &'a Keys,
}

#[derive(Debug)]
pub(crate) struct Pair {
    pub(crate) access_token: String,
    pub(crate) id_token: String,
}

/// Signs an access token and an ID token.
pub(crate) fn issue(issuer: Issuer<'_>, subject: &Subject, wish: Wish, machine_now: Moment) -> Pair {
    let now = machine_now.secs();
    let expires = now.saturating_add(wish.ttl_seconds);
    // A token that is already over was issued before it ended.
    let issued = if wish.ttl_seconds > 0 { now } else { expires.saturating_sub(300) };
    let is_admin = subject.roles.iter().any(|role| role == "admin" || role == "owner");
    let permissions: &[&str] = if is_admin { &["billing:manage", "billing:read"] } else { &["billing:read"] };
    let mut access = json!({
        "iss": issuer.url,
        "aud": [issuer.client_id],
        "sub": subject.user_id,
        "sid": subject.session_id,
        "client_id": issuer.client_id,
        "jti": subject.token_id,
        "iat": issued,
        "nbf": issued,
        "exp": expires,
        "roles": subject.roles,
        "permissions": permissions,
        "scope": subject.scope,
    });
    let mut id = json!({
        "iss": issuer.url,
        "aud": [issuer.client_id],
        "azp": issuer.client_id,
        "sub": subject.user_id,
        "sid": subject.session_id,
        "client_id": issuer.client_id,
        "amr": ["pwd"],
        "iat": issued,
        "exp": if wish.ttl_seconds > 0 { now.saturating_add(wish.ttl_seconds.max(1_800)) } else { expires },
        "email": subject.email,
        "email_verified": true,
        "name": given_name(&subject.email),
        "given_name": given_name(&subject.email),
    });
    if let Some((organization_id, external_id)) = &subject.organization {
        for claims in [&mut access, &mut id] {
            claims["oid"] = organization_id.as_str().into();
            if let Some(external_id) = external_id {
                claims["xoid"] = external_id.as_str().into();
            }
        }
    }
    if let Some(claims) = access.as_object_mut() {
        for (name, value) in wish.claims {
            if value.is_null() {
                claims.remove(&name);
            } else {
                claims.insert(name, value);
            }
        }
    }
    let access_token = issuer.keys.sign(&access, wish.sign_with);
    id["at_hash"] = half_hash(&access_token).into();
    if let Some(code) = &wish.code {
        id["c_hash"] = half_hash(code).into();
    }
    if let Some(nonce) = wish.nonce {
        id["nonce"] = nonce.into();
    }
    Pair { id_token: issuer.keys.sign(&id, wish.sign_with), access_token }
}

/// The left half of the SHA-256, in base64url. Source: OpenID Connect Core 1.0, section 3.3.2.11.
fn half_hash(text: &str) -> String {
    URL_SAFE_NO_PAD.encode(&digest(&SHA256, text.as_bytes()).as_ref()[..16])
}

/// Signs a token for the management API.
pub(super) fn management(issuer: Issuer<'_>, token_id: &str, ttl_seconds: i64, machine_now: Moment) -> String {
    let now = machine_now.secs();
    let claims = json!({
        "iss": issuer.url,
        "sub": issuer.client_id,
        "client_id": issuer.client_id,
        "jti": token_id,
        "iat": now,
        "nbf": now,
        "exp": now.saturating_add(ttl_seconds),
        "scope": "openid",
    });
    issuer.keys.sign(&claims, SignWith::Dev)
}
