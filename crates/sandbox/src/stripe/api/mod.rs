//! The HTTP API of the account, as pure functions: a request and the account in, an answer out.
//!
//! An endpoint reads its parameters, refuses what it does not know, and only then acts. It answers in the current
//! version; the version that was asked for and the expansions come after, in one place.

mod answer;
mod catalog;
mod checkout;
mod customers;
mod endpoints;
mod events;
mod expand;
mod form;
mod idempotency;
mod invoice_items;
mod invoices;
mod list;
mod meters;
mod params;
mod payment_methods;
mod payments;
mod portal;
mod preview;
pub(crate) mod problem;
mod schedules;
mod search;
mod subscription_items;
mod subscription_params;
mod subscriptions;
mod test_clocks;
mod thin_events;

use serde_json::Value;

pub(crate) use answer::Answer;
pub(crate) use endpoints::{Endpoint, Endpoints};
pub(crate) use form::{Form, Node};
pub(crate) use idempotency::Idempotency;

use super::account::model::RequestRef;
use super::account::refusal::Refusal;
use super::account::{Account, Act, Cause, Object};
use super::render;
use super::version::{Version, as_of};
use crate::moment::Moment;
use expand::Expansion;
use params::Params;

/// A request to `/v1` or `/v2`, its credentials already checked.
#[derive(Debug)]
pub(crate) struct Request<'a> {
    pub(crate) method: &'a str,
    /// The whole path, decoded, in segments.
    pub(crate) path: Vec<String>,
    /// The parameters of query and form together.
    pub(crate) members: Vec<(String, Node)>,
    /// The body as it came, for v2, where it is JSON.
    pub(crate) body: &'a [u8],
    pub(crate) version: Version,
    /// What events say about the request.
    pub(crate) request_id: &'a str,
    pub(crate) idempotency_key: Option<&'a str>,
}

/// An endpoint at work.
struct Call<'a> {
    account: &'a mut Account,
    endpoints: &'a mut Endpoints,
    params: Params,
    version: Version,
    act: Act,
}

/// What an endpoint answers, in the current version and with hints.
type Reply = Result<Value, Refusal>;

impl Call<'_> {
    fn is_older(&self) -> bool {
        self.version == Version::April2024
    }

    /// Refuses parameters that nobody read.
    fn read_all(&mut self) -> Result<(), Refusal> {
        std::mem::take(&mut self.params).done()
    }

    fn show(&self, object: Object) -> Value {
        render::object(self.account, object)
    }
}

/// Answers a request. Everything that is not served is a 404 in Stripe's own shape.
pub(crate) fn answer(account: &mut Account, endpoints: &mut Endpoints, request: &Request<'_>, now: Moment) -> Answer {
    account.request = Some(RequestRef {
        id: request.request_id.to_owned(),
        idempotency_key: request.idempotency_key.map(str::to_owned),
    });
    let answered = handled(account, endpoints, request, now);
    account.request = None;
    match answered {
        Ok(value) => Answer::ok(&value),
        Err(refusal) => {
            Answer { status: refusal.status, ..Answer::ok(&error_body(account, &refusal, request.version)) }
        }
    }
}

fn handled(account: &mut Account, endpoints: &mut Endpoints, request: &Request<'_>, now: Moment) -> Reply {
    let mut params = Params::new(request.members.clone());
    let expand = params.texts("expand")?.unwrap_or_default();
    let act = Act::new(now, Cause::Api);
    let mut call = Call { account, endpoints, params, version: request.version, act };
    let path: Vec<&str> = request.path.iter().map(String::as_str).collect();
    let value = match path.as_slice() {
        ["v1", rest @ ..] => route(&mut call, request.method, rest)?,
        ["v2", "billing", "meter_events"] if request.method == "POST" => meters::record_v2(&mut call, request.body)?,
        ["v2", "core", "events"] if request.method == "GET" => thin_events::list(&mut call)?,
        ["v2", "core", "events", id] if request.method == "GET" => thin_events::retrieve(&mut call, id)?,
        _ => return Err(problem::no_such_route(request.method, &format!("/{}", path.join("/")))),
    };
    let mut value = as_of(value, request.version);
    Expansion { account: call.account, version: request.version }.all(&mut value, &expand)?;
    Ok(value)
}

/// The body of an error, with the objects that the rules name by id.
fn error_body(account: &Account, refusal: &Refusal, version: Version) -> Value {
    let mut body = refusal.body();
    if let Some(position) = refusal.payment_intent.as_deref().and_then(|id| account.payment_intents.position(id)) {
        body["error"]["payment_intent"] = as_of(render::object(account, Object::PaymentIntent(position)), version);
    }
    if let Some(position) = refusal.setup_intent.as_deref().and_then(|id| account.setup_intents.position(id)) {
        body["error"]["setup_intent"] = as_of(render::object(account, Object::SetupIntent(position)), version);
    }
    body
}

/// The resource of a path. Each takes the rest of the path and the method.
fn route(call: &mut Call<'_>, method: &str, path: &[&str]) -> Reply {
    let answered = match path {
        ["customers", rest @ ..] => customers::route(call, method, rest),
        ["products", rest @ ..] => catalog::products(call, method, rest),
        ["prices", rest @ ..] => catalog::prices(call, method, rest),
        ["checkout", "sessions", rest @ ..] => checkout::route(call, method, rest),
        ["subscriptions", rest @ ..] => subscriptions::route(call, method, rest),
        ["subscription_items", rest @ ..] => subscription_items::route(call, method, rest),
        ["subscription_schedules", rest @ ..] => schedules::route(call, method, rest),
        ["invoices", rest @ ..] => invoices::route(call, method, rest),
        ["invoiceitems", rest @ ..] => invoice_items::route(call, method, rest),
        ["invoice_payments", rest @ ..] => invoices::payments(call, method, rest),
        ["payment_intents", rest @ ..] => payments::intents(call, method, rest),
        ["setup_intents", rest @ ..] => payments::setup_intents(call, method, rest),
        ["charges", id] if method == "GET" => Some(payments::charge(call, id)),
        ["payment_methods", rest @ ..] => payment_methods::route(call, method, rest),
        ["billing_portal", "sessions"] if method == "POST" => Some(portal::create(call)),
        ["billing_portal", "configurations", rest @ ..] => portal::configurations(call, method, rest),
        ["events", rest @ ..] => events::route(call, method, rest),
        ["webhook_endpoints", rest @ ..] => endpoints::route(call, method, rest),
        ["test_helpers", "test_clocks", rest @ ..] => test_clocks::route(call, method, rest),
        ["billing", "meters", rest @ ..] => meters::route(call, method, rest),
        ["billing", "meter_events"] if method == "POST" => Some(meters::record(call)),
        ["billing", "meter_event_adjustments"] if method == "POST" => Some(meters::adjust(call)),
        _ => None,
    };
    answered.unwrap_or_else(|| Err(problem::no_such_route(method, &format!("/v1/{}", path.join("/")))))
}
