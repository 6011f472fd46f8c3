//! Requests to the Stripe account, in HTTP: credentials, versions, idempotency keys, the log, and faults.
//!
//! Source: Stripe API reference, "Authentication", "Versioning", "Errors"; what the official Node client 23.1 sends.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri};
use subtle::ConstantTimeEq as _;

use super::{header_text, json_response, segments};
use crate::chaos::Fault;
use crate::deliveries::outbox::Provider;
use crate::moment::Moment;
use crate::requests::{Entry, masked_json, masked_pairs};
use crate::server::Shared;
use crate::stripe::account::refusal::Refusal;
use crate::stripe::api::{self, Answer, Form, problem};
use crate::stripe::version::Version;
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
    let is_json = header_text(&headers, "content-type").is_some_and(|kind| kind.starts_with("application/json"));
    let asked = Asked {
        query: Form::parse(uri.query().unwrap_or_default().as_bytes()),
        form: if is_json { Form::default() } else { Form::parse(&body) },
        idempotency_key: header_text(&headers, "idempotency-key").filter(|key| !key.is_empty()).map(str::to_owned),
        method,
        uri,
        headers,
        body,
    };
    let admitted = asked.admitted(&shared.config.stripe.secret_key);
    // The fate of a request is drawn when it arrives, and met when its latency is over.
    let (latency, fault) = match admitted {
        Err(_) => Default::default(),
        Ok(_) => shared.with(|world, _| {
            let latency = world.chaos.setting().api_latency;
            (latency, world.chaos.fault(Provider::Stripe, shared.machine_now()))
        }),
    };
    if !latency.is_zero() {
        tokio::time::sleep(latency).await;
    }
    let (answer, request_id) = shared.with(|world, now| {
        let request_id = world.stripe_requests.alphanumeric("req_", 14);
        let (answer, fault) = match &admitted {
            Err(refusal) => (Answer::refused(refusal), None),
            Ok(version) => asked.done(world, *version, &request_id, fault, now, shared.machine_now()),
        };
        let name = fault.map(Fault::as_str).or((!latency.is_zero()).then_some("latency"));
        world.requests.push(asked.entry(answer.status, name), now);
        (answer, request_id)
    });
    asked.response(answer, &request_id, admitted.unwrap_or(Version::CURRENT))
}

impl Asked {
    /// The version that is asked for; or what is refused before anything else, faults included.
    fn admitted(&self, secret_key: &str) -> Result<Version, Refusal> {
        match given_key(&self.headers) {
            None => return Err(problem::no_key()),
            Some(key) if !bool::from(key.as_bytes().ct_eq(secret_key.as_bytes())) => {
                return Err(problem::wrong_key(&key));
            }
            Some(_) => {}
        }
        match header_text(&self.headers, "stripe-version") {
            None => Ok(Version::CURRENT),
            Some(text) => Version::parse(text.trim()).ok_or_else(|| problem::unknown_version(text)),
        }
    }

    /// Does what is asked, once for an idempotency key. Returns the fault that was really met.
    fn done(
        &self,
        world: &mut World,
        version: Version,
        request_id: &str,
        fault: Option<Fault>,
        now: Moment,
        machine_now: Moment,
    ) -> (Answer, Option<Fault>) {
        match fault {
            Some(Fault::RateLimited { .. }) => return (Answer::refused(&problem::rate_limited()), fault),
            Some(Fault::Error { .. }) => return (Answer::refused(&problem::failed()), fault),
            Some(Fault::ErrorAfterCommit) | None => {}
        }
        let writes = self.method != Method::GET;
        // A v2 request is done anew under its key, and a v1 DELETE has none.
        let is_replayable = self.method == Method::POST && self.uri.path().starts_with("/v1/");
        let key = self.idempotency_key.as_ref().filter(|_| is_replayable);
        let identity = format!("{} {}", self.uri.path(), identity_of(&self.form, &self.query));
        if let Some(answer) = key.and_then(|key| world.stripe_keys.replay(key, &identity, machine_now)) {
            return (answer, None);
        }
        let request = api::Request {
            method: self.method.as_str(),
            path: segments(self.uri.path(), ""),
            members: self.query.tree(&self.form),
            body: &self.body,
            version,
            request_id,
            idempotency_key: self.idempotency_key.as_deref(),
        };
        let mut answer = api::answer(&mut world.stripe, &mut world.stripe_endpoints, &request, now);
        // Only what was written can be lost on its way back.
        let fault = fault.filter(|_| writes && answer.status < 300);
        if fault.is_some() {
            answer = Answer::refused(&problem::failed());
        }
        if let Some(key) = key {
            world.stripe_keys.remember(key.clone(), identity, &answer, machine_now);
        }
        (answer, fault)
    }

    fn entry(&self, status: u16, fault: Option<&'static str>) -> Entry {
        let pairs = self.form.pairs();
        Entry {
            provider: Provider::Stripe,
            method: self.method.to_string(),
            path: self.uri.path().to_owned(),
            query: masked_pairs(self.query.pairs()),
            body: if pairs.is_empty() { masked_json(&self.body) } else { masked_pairs(pairs) },
            idempotency_key: self.idempotency_key.clone(),
            status,
            fault,
        }
    }

    /// The answer with what it says about its request.
    fn response(&self, answer: Answer, request_id: &str, version: Version) -> Response {
        let mut response = json_response(answer.status, answer.body);
        let headers = response.headers_mut();
        let mut put = |name: &'static str, value: &str| {
            if let Ok(value) = HeaderValue::from_str(value) {
                headers.insert(HeaderName::from_static(name), value);
            }
        };
        put("request-id", request_id);
        put("stripe-version", version.as_str());
        if let Some(key) = &self.idempotency_key {
            put("idempotency-key", key);
        }
        if let Some(account) = header_text(&self.headers, "stripe-account") {
            put("stripe-account", account);
        }
        if answer.replayed {
            put("idempotent-replayed", "true");
        }
        response
    }
}

/// What tells two requests under one key apart: every pair, in any order.
fn identity_of(form: &Form, query: &Form) -> String {
    let mut pairs: Vec<_> = form.pairs().iter().chain(query.pairs()).collect();
    pairs.sort();
    format!("{pairs:?}")
}

/// The secret key of a request: a bearer token, or the user of HTTP Basic.
fn given_key(headers: &HeaderMap) -> Option<String> {
    let (scheme, value) = header_text(headers, "authorization")?.split_once(' ')?;
    if scheme.eq_ignore_ascii_case("bearer") {
        return Some(value.trim().to_owned());
    }
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = String::from_utf8(STANDARD.decode(value.trim()).ok()?).ok()?;
    Some(decoded.split_once(':').map_or(decoded.as_str(), |(user, _)| user).to_owned())
}
