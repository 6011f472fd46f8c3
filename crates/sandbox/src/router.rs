//! Which path belongs to whom. The providers' paths do not collide.

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{any, get};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, Method, StatusCode, Uri, header};
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};
use subtle::ConstantTimeEq as _;

use crate::chargebee::api::{self, Answer, Form};
use crate::chargebee::refusal::Refusal;
use crate::deliveries::outbox::Provider;
use crate::requests::{Entry, masked_json, masked_pairs};
use crate::scalekit::rest;
use crate::scalekit::tokens::Issuer;
use crate::server::Shared;
use crate::{control, pages};

type App = State<Arc<Shared>>;

pub(crate) fn router(shared: Arc<Shared>) -> Router {
    Router::new()
        .route("/api/v2/{*path}", any(chargebee))
        .route("/api/v1/{*path}", any(scalekit))
        .route("/oauth/token", any(scalekit))
        .route("/keys", get(scalekit))
        .route("/.well-known/openid-configuration", get(scalekit))
        .merge(control::router())
        .merge(pages::router())
        .fallback(async || control::Failure::not_found("nothing is served at this path").into_response())
        .with_state(shared)
}

pub(crate) fn json_response(status: u16, body: String) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (status, [(header::CONTENT_TYPE, "application/json; charset=utf-8")], body).into_response()
}

fn segments(path: &str, prefix: &str) -> Vec<String> {
    path.strip_prefix(prefix)
        .unwrap_or_default()
        .split('/')
        .filter(|segment| !segment.is_empty())
        .map(|segment| percent_decode_str(segment).decode_utf8_lossy().into_owned())
        .collect()
}

fn header_text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

async fn chargebee(State(shared): App, method: Method, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
    let query = Form::parse(uri.query().unwrap_or_default().as_bytes());
    let form = Form::parse(&body);
    let key = header_text(&headers, "chargebee-idempotency-key").map(str::to_owned);
    let path = segments(uri.path(), "/api/v2");
    let refused = if !is_authentic(&headers, &shared.config.chargebee.api_key) {
        Some(Answer::refused(&Refusal::authentication()))
    } else if method != Method::GET && method != Method::POST {
        let mut refusal = Refusal::invalid_request("Only GET and POST are allowed.");
        refusal.status = 405;
        Some(Answer::refused(&refusal))
    } else {
        None
    };
    let replayable = method == Method::POST && api::is_replayable(&path);
    let answer = shared.with(|world, now| {
        let machine_now = shared.machine_now();
        let identity = format!("{} {}", uri.path(), identity_of(&form));
        let known_key = key.clone().filter(|key| replayable && !key.is_empty());
        let replay = known_key.as_deref().and_then(|key| match refused {
            Some(_) => None,
            None => world.idempotency.replay(key, &identity, machine_now),
        });
        let answer = match (refused, replay) {
            (Some(answer), _) | (None, Some(answer)) => answer,
            (None, None) => {
                let request = api::Request { is_post: method == Method::POST, path, query: &query, form: &form };
                let answer = api::answer(&mut world.site, &request, now);
                if let Some(key) = known_key {
                    world.idempotency.remember(key, identity, answer.clone(), machine_now);
                }
                answer
            }
        };
        let is_form = !header_text(&headers, "content-type").is_some_and(|kind| kind.starts_with("application/json"));
        let entry = Entry {
            provider: Provider::Chargebee,
            method: method.to_string(),
            path: uri.path().to_owned(),
            query: masked_pairs(query.pairs()),
            body: if is_form && !body.is_empty() { masked_pairs(form.pairs()) } else { masked_json(&body) },
            idempotency_key: key.clone(),
            status: answer.status,
        };
        world.requests.push(entry, now);
        answer
    });
    let mut response = json_response(answer.status, answer.body);
    if answer.replayed {
        response.headers_mut().insert("chargebee-idempotency-replayed", header::HeaderValue::from_static("true"));
    }
    response
}

/// What tells two requests under one key apart: every pair, in any order.
fn identity_of(form: &Form) -> String {
    let mut pairs: Vec<_> = form.pairs().iter().collect();
    pairs.sort();
    format!("{pairs:?}")
}

/// HTTP Basic with the API key as user and an empty password.
fn is_authentic(headers: &HeaderMap, api_key: &str) -> bool {
    let Some((scheme, encoded)) = header_text(headers, "authorization").and_then(|value| value.split_once(' ')) else {
        return false;
    };
    let given = STANDARD.decode(encoded.trim()).unwrap_or_default();
    let expected = format!("{api_key}:");
    scheme.eq_ignore_ascii_case("basic") && bool::from(given.as_slice().ct_eq(expected.as_bytes()))
}

async fn scalekit(State(shared): App, method: Method, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
    let query = Form::parse(uri.query().unwrap_or_default().as_bytes());
    let form = Form::parse(&body);
    let is_token_request = uri.path() == "/oauth/token";
    let machine_now = shared.machine_now();
    let issuer = Issuer { url: &shared.url, client_id: &shared.config.scalekit.client_id, keys: &shared.keys };
    let (status, answer) = shared.with(|world, now| {
        let (status, answer): (u16, Value) = match uri.path() {
            "/keys" => (200, shared.keys.jwks()),
            "/.well-known/openid-configuration" => (200, discovery(&shared.url)),
            "/oauth/token" if method == Method::POST => world.bearers.grant(
                &shared.config.scalekit,
                issuer,
                &mut world.directory.ids,
                form.pairs(),
                machine_now,
            ),
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
        };
        world.requests.push(entry, now);
        (status, answer)
    });
    json_response(status, answer.to_string())
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
