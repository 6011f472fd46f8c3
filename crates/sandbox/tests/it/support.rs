//! A sandbox with a receiver for its webhooks, and short words for talking to both.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::routing::post;
use http::{HeaderMap, StatusCode};
use reqwest::{Client, Method, Response};
use serde_json::{Value, json};

use crate::contracts::broken_by_chargebee;
use tollkeeper_sandbox::{ChargebeeAccount, Config, Sandbox, ScalekitAccount, StripeAccount, Webhooks};

/// 2026-01-01T00:00:00Z.
pub(crate) const START: i64 = 1_767_225_600;
pub(crate) const API_KEY: &str = "test_key";
pub(crate) const CLIENT_SECRET: &str = "test_client_secret";
/// The base64 of `0123456789abcdef0123456789abcdef`.
pub(crate) const WEBHOOK_SECRET: &str = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";
pub(crate) const GOOD_CARD: &str = "4111 1111 1111 1111";
pub(crate) const STORES_ONLY_CARD: &str = "4005 5192 0000 0004";
pub(crate) const REFUSED_CARD: &str = "4119 8627 6033 8320";

/// One webhook as it arrived.
#[derive(Debug, Clone)]
pub(crate) struct Received {
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    /// The offset that had been told when it arrived, in seconds.
    pub(crate) offset: i64,
}

impl Received {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

#[derive(Clone, Default)]
pub(crate) struct Receiver {
    received: Arc<Mutex<Vec<Received>>>,
    /// What to answer; 0 means 200.
    answer: Arc<Mutex<u16>>,
    offset: Arc<AtomicI64>,
}

impl Receiver {
    pub(crate) fn all(&self) -> Vec<Received> {
        self.received.lock().unwrap().clone()
    }

    pub(crate) fn answer_with(&self, status: u16) {
        *self.answer.lock().unwrap() = status;
    }

    /// The events of the billing provider, in the order of their arrival.
    pub(crate) fn events(&self) -> Vec<Value> {
        self.all().iter().filter(|one| one.path == "/chargebee").map(Received::json).collect()
    }

    /// The first event of a type, once it arrives.
    pub(crate) async fn event(&self, event_type: &str) -> Value {
        self.nth_event(event_type, 0).await
    }

    pub(crate) async fn nth_event(&self, event_type: &str, n: usize) -> Value {
        eventually(event_type, || self.events().into_iter().filter(|event| event["event_type"] == event_type).nth(n))
            .await
    }

    /// The first notice of the identity provider of a type, once it arrives.
    pub(crate) async fn notice(&self, kind: &str) -> Received {
        eventually(kind, || self.all().into_iter().find(|one| one.path == "/scalekit" && one.json()["type"] == kind))
            .await
    }

    pub(crate) async fn serve(&self) -> String {
        async fn receive(
            State(receiver): State<Receiver>,
            uri: http::Uri,
            headers: HeaderMap,
            body: Bytes,
        ) -> StatusCode {
            let offset = receiver.offset.load(Ordering::SeqCst) / 1_000_000;
            let received = Received { path: uri.path().to_owned(), headers, body, offset };
            receiver.received.lock().unwrap().push(received);
            match *receiver.answer.lock().unwrap() {
                0 => StatusCode::OK,
                status => StatusCode::from_u16(status).unwrap(),
            }
        }
        // `/older` and `/other` are for endpoints that a test registers itself.
        let app = ["/chargebee", "/scalekit", "/stripe", "/older", "/other"]
            .into_iter()
            .fold(Router::new(), |app, path| app.route(path, post(receive)))
            .with_state(self.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        url
    }
}

/// Asks again until there is an answer, ten seconds at most.
pub(crate) async fn eventually<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let deadline = tokio::time::Instant::now() + Duration::from_secs(10);
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(tokio::time::Instant::now() < deadline, "{what} did not come");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

pub(crate) struct World {
    pub(crate) sandbox: Sandbox,
    pub(crate) receiver: Receiver,
    pub(crate) client: Client,
    pub(crate) offsets: Arc<Mutex<Vec<i64>>>,
    /// Machine time in microseconds; stands still unless a test moves it.
    pub(crate) machine: Arc<AtomicI64>,
}

impl World {
    pub(crate) async fn start() -> Self {
        let receiver = Receiver::default();
        let url = receiver.serve().await;
        let world = Self::without_webhooks(receiver).await;
        world.sandbox.set_webhooks(Webhooks {
            scalekit: Some(format!("{url}/scalekit")),
            chargebee: Some(format!("{url}/chargebee")),
            stripe: Some(format!("{url}/stripe")),
        });
        world
    }

    pub(crate) async fn without_webhooks(receiver: Receiver) -> Self {
        Self::of_site(receiver, false).await
    }

    /// A world whose billing site may cancel what dunning has given up.
    pub(crate) async fn of_site(receiver: Receiver, cancels_unpaid: bool) -> Self {
        let offsets = Arc::new(Mutex::new(Vec::new()));
        let machine = Arc::new(AtomicI64::new(START * 1_000_000));
        let (told, shown, now) = (Arc::clone(&offsets), Arc::clone(&receiver.offset), Arc::clone(&machine));
        let config = Config {
            listen: "127.0.0.1:0".parse().unwrap(),
            machine_now: Arc::new(move || now.load(Ordering::SeqCst)),
            on_offset: Arc::new(move |offset| {
                told.lock().unwrap().push(offset);
                shown.store(offset, Ordering::SeqCst);
            }),
            scalekit: ScalekitAccount {
                client_id: "skc_test".into(),
                client_secret: CLIENT_SECRET.into(),
                webhook_secret: WEBHOOK_SECRET.into(),
                environment_id: "env_test".into(),
            },
            chargebee: ChargebeeAccount {
                site: "acme-test".into(),
                api_key: API_KEY.into(),
                webhook_username: "hook".into(),
                webhook_password: "secret".into(),
                gateway_account_id: "gw_test".into(),
                cancels_unpaid,
            },
            stripe: StripeAccount {
                secret_key: crate::stripe_support::SECRET_KEY.into(),
                webhook_secret: crate::stripe_support::ENDPOINT_SECRET.into(),
                ..StripeAccount::default()
            },
            seed: 7,
        };
        let sandbox = Sandbox::start(config).await.unwrap();
        let client = Client::builder().redirect(reqwest::redirect::Policy::none()).no_proxy().build().unwrap();
        Self { sandbox, receiver, client, offsets, machine }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.sandbox.url())
    }

    pub(crate) async fn get(&self, path: &str) -> Value {
        let response = self.client.get(self.url(path)).send().await.unwrap();
        assert_eq!(response.status(), 200, "{path}");
        response.json().await.unwrap()
    }

    /// A call of the control API: its status and its answer.
    pub(crate) async fn control(&self, method: Method, path: &str, body: Value) -> (u16, Value) {
        let response = self.client.request(method, self.url(path)).json(&body).send().await.unwrap();
        answer(response).await
    }

    /// A control call that must succeed.
    pub(crate) async fn done(&self, path: &str, body: Value) -> Value {
        let (status, answer) = self.control(Method::POST, path, body).await;
        assert!((200..300).contains(&status), "{path}: {status} {answer}");
        answer
    }

    /// Reads until it is as wanted, ten seconds at most.
    pub(crate) async fn get_until(&self, path: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let deadline = tokio::time::Instant::now() + Duration::from_secs(10);
        loop {
            let answer = self.get(path).await;
            if wanted(&answer) {
                return answer;
            }
            assert!(tokio::time::Instant::now() < deadline, "{path} stays {answer}");
        }
    }

    /// Replaces the faults.
    pub(crate) async fn chaos(&self, setting: Value) {
        let (status, answer) = self.control(Method::PUT, "/sandbox/chaos", setting).await;
        assert_eq!(status, 200, "{answer}");
    }

    pub(crate) async fn advance(&self, seconds: i64) {
        self.done("/sandbox/clock", json!({ "advanceSeconds": seconds })).await;
    }

    /// A billing API call: its status and its answer, which must keep to the contract.
    pub(crate) async fn billing(&self, method: Method, path: &str, form: &[(&str, &str)]) -> (u16, Value) {
        let (status, body) = answer(self.billing_raw(method.clone(), path, form, None).await).await;
        let found = broken_by_chargebee(&method, path, status, &body);
        assert!(found.is_empty(), "{found:#?}\n{body:#}");
        (status, body)
    }

    pub(crate) async fn billing_raw(
        &self,
        method: Method,
        path: &str,
        form: &[(&str, &str)],
        key: Option<&str>,
    ) -> Response {
        let mut request =
            self.client.request(method.clone(), self.url(&format!("/api/v2{path}"))).basic_auth(API_KEY, Some(""));
        if method == Method::POST {
            request = request.form(form);
        } else {
            request = request.query(form);
        }
        if let Some(key) = key {
            request = request.header("chargebee-idempotency-key", key);
        }
        request.send().await.unwrap()
    }

    /// A POST to the billing API that must succeed.
    pub(crate) async fn bill(&self, path: &str, form: &[(&str, &str)]) -> Value {
        let (status, answer) = self.billing(Method::POST, path, form).await;
        assert_eq!(status, 200, "{path}: {answer}");
        answer
    }

    /// A GET of the billing API that must succeed.
    pub(crate) async fn read(&self, path: &str, query: &[(&str, &str)]) -> Value {
        let (status, answer) = self.billing(Method::GET, path, query).await;
        assert_eq!(status, 200, "{path}: {answer}");
        answer
    }

    pub(crate) async fn subscription(&self, id: &str) -> Value {
        self.read(&format!("/subscriptions/{id}"), &[]).await["subscription"].clone()
    }

    /// A customer `org_acme` of the organization of that name.
    pub(crate) async fn acme(&self) {
        let form = [
            ("id", "org_acme"),
            ("company", "Acme"),
            ("preferred_currency_code", "USD"),
            ("meta_data", r#"{"organizationId":"org_acme"}"#),
        ];
        self.bill("/customers", &form).await;
    }

    /// A checkout page for `org_acme`, by its URL. `more` comes after the usual members.
    pub(crate) async fn page(&self, subscription: &str, price: &str, more: &[(&str, &str)]) -> Value {
        let mut form = vec![
            ("subscription_items[item_price_id][0]", price),
            ("subscription_items[quantity][0]", "3"),
            ("subscription[id]", subscription),
            ("customer[id]", "org_acme"),
            ("redirect_url", "http://app.invalid/success?subscriptionId=x"),
            ("pass_thru_content", "carried"),
        ];
        form.extend_from_slice(more);
        self.bill("/hosted_pages/checkout_new_for_items", &form).await["hosted_page"].clone()
    }

    /// `org_acme` with a subscription from a finished checkout.
    pub(crate) async fn subscribed(&self, subscription: &str, price: &str, card: &str) {
        self.acme().await;
        let page = self.page(subscription, price, &[]).await;
        self.done("/sandbox/hosted/complete", json!({ "url": page["url"], "card": card })).await;
    }
}

pub(crate) async fn answer(response: Response) -> (u16, Value) {
    let status = response.status().as_u16();
    let text = response.text().await.unwrap();
    (status, serde_json::from_str(&text).unwrap_or(Value::Null))
}

/// Unix seconds of an RFC 3339 instant.
pub(crate) fn secs(text: &str) -> i64 {
    text.parse::<jiff::Timestamp>().unwrap().as_second()
}
