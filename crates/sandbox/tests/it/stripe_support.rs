//! The Stripe account in tests: calls as the official clients make them, every answer held against the contract.

use std::sync::OnceLock;

use reqwest::{Method, RequestBuilder, Response};
use serde_json::{Value, json};

use crate::contracts::contract;
use crate::schema::broken;
use crate::support::{Received, World, answer, eventually};

pub(crate) const SECRET_KEY: &str = "sk_test_it";
pub(crate) const ENDPOINT_SECRET: &str = "whsec_it";
pub(crate) const PAYS: &str = "4242 4242 4242 4242";
pub(crate) const DECLINED: &str = "4000000000000002";
pub(crate) const CHALLENGED: &str = "4000002760003184";
pub(crate) const OLDER: &str = "2024-04-10";
pub(crate) const CURRENT: &str = "2026-10-28.endive";

pub(crate) type Pairs<'a> = &'a [(&'a str, &'a str)];

/// The contract, read once; `None` where it is not at hand.
pub(crate) fn document() -> Option<&'static Value> {
    static DOCUMENT: OnceLock<Option<Value>> = OnceLock::new();
    DOCUMENT.get_or_init(|| contract("stripe/openapi.json")).as_ref()
}

/// What the contract does not allow in an answer.
pub(crate) fn broken_by_stripe(method: &Method, path: &str, body: &Value) -> Vec<String> {
    document().map_or_else(Vec::new, |document| broken(document, method, path, 200, body))
}

impl World {
    /// A call of a v1 path, not sent yet: parameters in the form of a POST, else in the query.
    pub(crate) fn stripe_request(&self, method: Method, path: &str, pairs: Pairs<'_>) -> RequestBuilder {
        let request = self.client.request(method.clone(), self.url(path)).bearer_auth(SECRET_KEY);
        if method == Method::POST { request.form(pairs) } else { request.query(pairs) }
    }

    /// A call of the current version: its status and its answer. A success must keep to the contract.
    pub(crate) async fn stripe(&self, method: Method, path: &str, pairs: Pairs<'_>) -> (u16, Value) {
        let request = self.stripe_request(method.clone(), path, pairs);
        let (status, body) = answer(request.send().await.unwrap()).await;
        if status == 200 {
            let found = broken_by_stripe(&method, path, &body);
            assert!(found.is_empty(), "{found:#?}\n{body:#}");
        } else {
            assert!(body["error"]["type"].is_string() && body["error"]["message"].is_string(), "{path}: {body}");
        }
        (status, body)
    }

    /// A POST that must succeed.
    pub(crate) async fn post(&self, path: &str, pairs: Pairs<'_>) -> Value {
        let (status, answer) = self.stripe(Method::POST, path, pairs).await;
        assert_eq!(status, 200, "{path}: {answer}");
        answer
    }

    /// A GET that must succeed.
    pub(crate) async fn look(&self, path: &str, pairs: Pairs<'_>) -> Value {
        let (status, answer) = self.stripe(Method::GET, path, pairs).await;
        assert_eq!(status, 200, "{path}: {answer}");
        answer
    }

    /// A call that must be refused: its status and its error.
    pub(crate) async fn refused(&self, method: Method, path: &str, pairs: Pairs<'_>) -> (u16, Value) {
        let (status, answer) = self.stripe(method, path, pairs).await;
        assert!(status >= 400, "{path}: {answer}");
        (status, answer["error"].clone())
    }

    /// A call of the version 2024-04-10 that must succeed.
    pub(crate) async fn older(&self, method: Method, path: &str, pairs: Pairs<'_>) -> Value {
        let request = self.stripe_request(method, path, pairs).header("stripe-version", OLDER);
        let (status, body) = answer(request.send().await.unwrap()).await;
        assert_eq!(status, 200, "{path}: {body}");
        body
    }

    pub(crate) async fn stripe_keyed(&self, path: &str, pairs: Pairs<'_>, key: &str) -> Response {
        self.stripe_request(Method::POST, path, pairs).header("idempotency-key", key).send().await.unwrap()
    }

    /// A customer of the organization `org_acme`.
    pub(crate) async fn stripe_customer(&self) -> String {
        let pairs = [("email", "ada@acme.test"), ("name", "Acme"), ("metadata[organizationId]", "org_acme")];
        text(&self.post("/v1/customers", &pairs).await["id"])
    }

    /// A customer whose default card is one of the test tokens.
    pub(crate) async fn stripe_payer(&self, token: &str) -> String {
        let customer = self.stripe_customer().await;
        let method = self.post(&format!("/v1/payment_methods/{token}/attach"), &[("customer", &customer)]).await;
        let default = [("invoice_settings[default_payment_method]", method["id"].as_str().unwrap())];
        self.post(&format!("/v1/customers/{customer}"), &default).await;
        customer
    }

    /// A checkout session that sells `seats` of a price.
    pub(crate) async fn session(&self, customer: &str, price: &str, seats: &str, more: Pairs<'_>) -> Value {
        let mut pairs = vec![
            ("mode", "subscription"),
            ("customer", customer),
            ("line_items[0][price]", price),
            ("line_items[0][quantity]", seats),
            ("success_url", "http://app.invalid/done?session={CHECKOUT_SESSION_ID}"),
            ("cancel_url", "http://app.invalid/cancelled"),
            ("client_reference_id", "org_acme"),
            ("metadata[organizationId]", "org_acme"),
            ("subscription_data[metadata][organizationId]", "org_acme"),
        ];
        pairs.extend_from_slice(more);
        self.post("/v1/checkout/sessions", &pairs).await
    }

    /// A customer with a subscription from a finished checkout: their ids.
    pub(crate) async fn stripe_subscribed(&self, price: &str, seats: &str, card: &str) -> (String, String) {
        let customer = self.stripe_customer().await;
        let session = self.session(&customer, price, seats, &[]).await;
        self.done("/sandbox/hosted/complete", json!({ "url": session["url"], "card": card })).await;
        let session = self.look(&format!("/v1/checkout/sessions/{}", text(&session["id"])), &[]).await;
        (customer, text(&session["subscription"]))
    }

    pub(crate) async fn stripe_subscription(&self, id: &str) -> Value {
        self.look(&format!("/v1/subscriptions/{id}"), &[]).await
    }

    /// The types of all of Stripe's events so far, in the order of their creation.
    pub(crate) fn stripe_events(&self) -> Vec<Value> {
        self.stripe_deliveries("/stripe").iter().map(Received::json).collect()
    }

    pub(crate) fn stripe_deliveries(&self, path: &str) -> Vec<Received> {
        self.receiver.all().into_iter().filter(|one| one.path == path).collect()
    }

    /// The first event of a type, once it arrives.
    pub(crate) async fn stripe_event(&self, event_type: &str) -> Value {
        eventually(event_type, || self.stripe_events().into_iter().find(|event| event["type"] == event_type)).await
    }
}

pub(crate) fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("{value} is no text")).to_owned()
}
