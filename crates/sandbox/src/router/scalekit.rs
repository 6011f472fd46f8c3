//! Requests to the Scalekit environment, in HTTP. No fault touches them.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::response::Response;
use http::{HeaderMap, HeaderValue, Method, Uri, header};
use serde_json::{Value, json};

use super::{header_text, json_response, segments};
use crate::chargebee::api::Form;
use crate::deliveries::outbox::Provider;
use crate::requests::{Entry, masked_json, masked_pairs};
use crate::scalekit::{oauth, rest};
use crate::server::Shared;

pub(super) async fn answer(
    State(shared): State<Arc<Shared>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let query = Form::parse(uri.query().unwrap_or_default().as_bytes());
    let form = Form::parse(&body);
    let is_token_request = uri.path() == "/oauth/token";
    let machine_now = shared.machine_now();
    let (status, answer) = shared.with(|world, now| {
        let (status, answer): (u16, Value) = match uri.path() {
            "/keys" => (200, shared.keys.jwks()),
            "/.well-known/openid-configuration" => (200, discovery(&shared.url)),
            "/oauth/token" if method == Method::POST => oauth::TokenEndpoint {
                account: &shared.config.scalekit,
                issuer: shared.issuer(),
                bearers: &mut world.bearers,
                directory: &mut world.directory,
                sessions: &mut world.sessions,
                machine_now,
            }
            .answer(form.pairs()),
            "/oauth/token" => (405, json!({ "error": "invalid_request", "error_description": "use POST" })),
            _ if !world.bearers.accept(header_text(&headers, "authorization"), machine_now) => {
                let missing = !headers.contains_key(header::AUTHORIZATION);
                rest::error(401, if missing { "Token empty" } else { "Token invalid or expired" })
            }
            path => {
                let request = rest::Request {
                    method: method.as_str(),
                    path: segments(path, "/api/v1"),
                    query: query.pairs(),
                    body: &body,
                };
                rest::answer(&mut world.directory, &request, now)
            }
        };
        let entry = Entry {
            provider: Provider::Scalekit,
            method: method.to_string(),
            path: uri.path().to_owned(),
            query: masked_pairs(query.pairs()),
            body: if is_token_request { masked_pairs(form.pairs()) } else { masked_json(&body) },
            idempotency_key: None,
            status,
            fault: None,
        };
        world.requests.push(entry, now);
        (status, answer)
    });
    let mut response = json_response(status, answer.to_string());
    if is_token_request {
        // Source: RFC 6749, section 5.1.
        response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    response
}

/// Only what the sandbox serves. Source: OpenID Connect Discovery 1.0, section 3.
fn discovery(url: &str) -> Value {
    json!({
        "issuer": url,
        "authorization_endpoint": format!("{url}/oauth/authorize"),
        "token_endpoint": format!("{url}/oauth/token"),
        "jwks_uri": format!("{url}/keys"),
        "end_session_endpoint": format!("{url}/oidc/logout"),
        "response_types_supported": ["code"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "grant_types_supported": ["authorization_code", "refresh_token", "client_credentials"],
        "scopes_supported": ["openid", "profile", "email", "offline_access"],
        "code_challenge_methods_supported": ["S256"],
        "token_endpoint_auth_methods_supported": ["client_secret_post"],
    })
}
