//! An adapter and the server it talks to.

use std::{ops::Deref, sync::Arc, time::Duration};

use serde_json::Value;
use tollkeeper_core::time::{Clock, MachineTime, Timestamp};
use tollkeeper_stripe::{Config, Stripe, Timeouts};
use tollkeeper_testkit::fake_api::{self, FakeApi};
pub(crate) use tollkeeper_testkit::fake_api::{Play, Recorded, answer, decode};

/// A refusal in Stripe's own words.
pub(crate) fn refusal(status: u16, kind: &str, code: &str) -> Play {
    answer(status, &serde_json::json!({ "error": { "type": kind, "code": code, "message": "no" } }))
}

/// What is not there.
pub(crate) fn missing() -> Play {
    refusal(404, "invalid_request_error", "resource_missing")
}

/// A whole list.
pub(crate) fn list(rows: &[Value]) -> Play {
    answer(200, &serde_json::json!({ "object": "list", "data": rows, "has_more": false }))
}

/// A page of a list that goes on.
pub(crate) fn page(rows: &[Value]) -> Play {
    answer(200, &serde_json::json!({ "object": "list", "data": rows, "has_more": true }))
}

/// A subscription with these members over the usual ones.
pub(crate) fn subscription(members: Value) -> Value {
    let mut whole = serde_json::json!({
        "id": "sub_1", "object": "subscription", "customer": "cus_1", "status": "active", "currency": "usd",
        "created": 1, "collection_method": "charge_automatically", "billing_mode": { "type": "flexible" },
        "latest_invoice": { "id": "in_1", "status": "paid", "amount_due": 5 }, "schedule": null,
        "items": { "data": [{ "id": "si_1", "price": { "id": "growth", "currency": "usd" }, "quantity": 5,
            "current_period_start": 100, "current_period_end": 900 }], "has_more": false },
    });
    for (name, value) in members.as_object().unwrap() {
        whole[name] = value.clone();
    }
    whole
}

/// A schedule that holds `sub_1`, with this after the current phase.
pub(crate) fn schedule(next: &[Value]) -> Value {
    let current = serde_json::json!({ "start_date": 100, "end_date": 900, "currency": "usd",
        "discounts": [{ "discount": "di_1" }], "items": [{ "price": "growth", "quantity": 5 }] });
    let phases: Vec<_> = std::iter::once(current).chain(next.iter().cloned()).collect();
    serde_json::json!({ "id": "sub_sched_1", "object": "subscription_schedule", "status": "active",
        "current_phase": { "start_date": 100, "end_date": 900 }, "phases": phases })
}

/// A phase that begins when the current one ends.
pub(crate) fn next_phase(price: &str, quantity: i64) -> Value {
    serde_json::json!({ "start_date": 900, "end_date": 1000, "items": [{ "price": price, "quantity": quantity }] })
}

/// The server and an adapter that talks to it.
pub(crate) struct Fake {
    api: FakeApi,
    pub(crate) stripe: Stripe,
}

impl Deref for Fake {
    type Target = FakeApi;

    fn deref(&self) -> &FakeApi {
        &self.api
    }
}

impl Fake {
    /// Starts it with what it shall answer, in order.
    pub(crate) async fn playing(script: impl IntoIterator<Item = Play>) -> Self {
        Self::with(script, |config| config).await
    }

    /// The same, with other settings.
    pub(crate) async fn with(script: impl IntoIterator<Item = Play>, settings: impl FnOnce(Config) -> Config) -> Self {
        let (api, url) = FakeApi::playing(script).await;
        Self { api, stripe: adapter(settings(config(&url))) }
    }

    /// The same, at this business time.
    pub(crate) async fn playing_at(seconds: i64, script: impl IntoIterator<Item = Play>) -> Self {
        Self::playing(script).await.at(seconds)
    }

    /// Gives the adapter a clock that stands still.
    pub(crate) fn at(self, seconds: i64) -> Self {
        Self { stripe: self.stripe.with_clock(Arc::new(At(seconds))), ..self }
    }
}

/// An adapter whose server reads one whole request, writes these bytes and hangs up.
pub(crate) async fn hanging_up(written: &'static str) -> Stripe {
    adapter(config(&fake_api::hanging_up(written).await))
}

/// An adapter whose server is not there.
pub(crate) async fn nobody() -> Stripe {
    adapter(config(&fake_api::nobody().await))
}

/// A clock that stands still.
struct At(i64);

impl Clock for At {
    fn now(&self) -> Timestamp {
        Timestamp::from_unix_seconds(self.0)
    }

    fn machine_now(&self) -> MachineTime {
        MachineTime::from_unix_seconds(self.0)
    }
}

/// An adapter that is never asked to call anybody.
pub(crate) fn offline() -> Stripe {
    adapter(config("http://127.0.0.1:9"))
}

pub(crate) fn config(url: &str) -> Config {
    Config {
        secret_key: "sk_test_key".into(),
        webhook_secrets: vec!["whsec_test_secret".into(), "whsec_rotated_secret".into()],
        api_url: Some(url.into()),
        timeouts: Timeouts { connect: Duration::from_secs(3), total: Duration::from_secs(10) },
        ..Config::default()
    }
}

pub(crate) fn adapter(config: Config) -> Stripe {
    // Another test of this process may have installed it already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Stripe::new(config).unwrap()
}
