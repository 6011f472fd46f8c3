//! Requests to the Chargebee site, in HTTP: credentials, idempotency keys, the log, and faults.
//!
//! An error before the work is not remembered under its idempotency key, one after it is: a replay of the key then
//! gives the stored error, as the provider's own answers are stored whatever they say.
//!
//! Source: Chargebee API docs, "Error handling", "Idempotency", "API limits".

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, Method, Uri, header};
use subtle::ConstantTimeEq as _;

use super::{header_text, json_response, segments};
use crate::chaos::Fault;
use crate::chargebee::api::{self, Answer, Form};
use crate::chargebee::refusal::Refusal;
use crate::deliveries::outbox::Provider;
use crate::moment::Moment;
use crate::requests::{Entry, masked_json, masked_pairs};
use crate::server::Shared;
use crate::world::World;

/// A request, decoded as far as that is possible before anybody knows what it is about.
struct Asked {
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
    query: Form,
    form: Form,
    idempotency_key: Option<String>,
}

pub(super) async fn answer(
    State(shared): State<Arc<Shared>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let asked = Asked {
        query: Form::parse(uri.query().unwrap_or_default().as_bytes()),
        form: Form::parse(&body),
        idempotency_key: header_text(&headers, "chargebee-idempotency-key").map(str::to_owned),
        method,
        uri,
        headers,
        body,
    };
    let refused = asked.refused(&shared.config.chargebee.api_key);
    // The fate of a request is drawn when it arrives, and met when its latency is over.
    let (latency, fault) = match refused {
        Some(_) => Default::default(),
        None => shared.with(|world, _| {
            let latency = world.chaos.setting().api_latency;
            (latency, world.chaos.fault(Provider::Chargebee, shared.machine_now()))
        }),
    };
    if !latency.is_zero() {
        tokio::time::sleep(latency).await;
    }
    let (answer, fault) = shared.with(|world, now| {
        let (answer, fault) = match refused {
            Some(refusal) => (Answer::refused(&refusal), None),
            None => asked.done(world, fault, now, shared.machine_now()),
        };
        let name = fault.map(Fault::as_str).or((!latency.is_zero()).then_some("latency"));
        world.requests.push(asked.entry(answer.status, name), now);
        (answer, fault)
    });
    let mut response = json_response(answer.status, answer.body);
    if answer.replayed {
        response.headers_mut().insert("chargebee-idempotency-replayed", header::HeaderValue::from_static("true"));
    }
    if let Some(Fault::RateLimited { retry_after }) = fault {
        response.headers_mut().insert(header::RETRY_AFTER, retry_after.into());
    }
    response
}

impl Asked {
    /// What is refused before anything else, faults included.
    fn refused(&self, api_key: &str) -> Option<Refusal> {
        if !is_authentic(&self.headers, api_key) {
            return Some(Refusal::authentication());
        }
        (self.method != Method::GET && self.method != Method::POST).then(|| {
            let mut refusal = Refusal::invalid_request("Only GET and POST are allowed.");
            refusal.status = 405;
            refusal
        })
    }

    /// Does what is asked, once for an idempotency key. Returns the fault that was really met.
    fn done(
        &self,
        world: &mut World,
        fault: Option<Fault>,
        now: Moment,
        machine_now: Moment,
    ) -> (Answer, Option<Fault>) {
        match fault {
            Some(Fault::RateLimited { .. }) => return (Answer::refused(&rate_limited()), fault),
            Some(Fault::Error { passing }) => return (Answer::refused(&failed(passing)), fault),
            Some(Fault::ErrorAfterCommit) | None => {}
        }
        let path = segments(self.uri.path(), "/api/v2");
        let is_post = self.method == Method::POST;
        let writes = is_post && api::is_replayable(&path);
        let key = self.idempotency_key.as_ref().filter(|key| writes && !key.is_empty());
        let identity = format!("{} {}", self.uri.path(), identity_of(&self.form));
        if let Some(answer) = key.and_then(|key| world.idempotency.replay(key, &identity, machine_now)) {
            return (answer, None);
        }
        let request = api::Request { is_post, path, query: &self.query, form: &self.form };
        let mut answer = api::answer(&mut world.site, &request, now);
        // Only what was written can be lost on its way back.
        let fault = fault.filter(|_| writes && answer.status < 300);
        if fault.is_some() {
            answer = Answer::refused(&failed(false));
        }
        if let Some(key) = key {
            world.idempotency.remember(key.clone(), identity, answer.clone(), machine_now);
        }
        (answer, fault)
    }

    fn entry(&self, status: u16, fault: Option<&'static str>) -> Entry {
        let is_form =
            !header_text(&self.headers, "content-type").is_some_and(|kind| kind.starts_with("application/json"));
        let has_pairs = is_form && !self.body.is_empty();
        Entry {
            provider: Provider::Chargebee,
            method: self.method.to_string(),
            path: self.uri.path().to_owned(),
            query: masked_pairs(self.query.pairs()),
            body: if has_pairs { masked_pairs(self.form.pairs()) } else { masked_json(&self.body) },
            idempotency_key: self.idempotency_key.clone(),
            status,
            fault,
        }
    }
}

fn operation_failed(status: u16, code: &'static str, message: &str) -> Refusal {
    Refusal { status, code, kind: Some("operation_failed"), message: message.into(), param: None, cause: None }
}

fn rate_limited() -> Refusal {
    operation_failed(429, "api_request_limit_exceeded", "Your API request limit has been reached.")
}

/// The text of both messages is ours.
fn failed(passing: bool) -> Refusal {
    if passing {
        operation_failed(503, "internal_temporary_error", "The request could not be served. Please try again.")
    } else {
        operation_failed(500, "internal_error", "Sorry, something went wrong while serving the request.")
    }
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
