//! A whole product in memory, asked over HTTP without a socket.

use std::sync::Arc;

use axum::{Router, body::Body};
use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode};
use serde_json::Value;
use tollkeeper::{Catalog, Db, Running, Scope, Settings, Tollkeeper};
use tollkeeper_core::{
    catalog::{Addon, Grant, Interval, Plan, Policy, Price},
    snapshot::ItemType,
};
use tollkeeper_http::{Config, Limits};
use tollkeeper_store::Options;
use tower::ServiceExt;

use crate::{
    described,
    fakes::{PlayedBilling, PlayedIdentity, PlayedSignIn, Still},
};

pub(crate) const APP: &str = "https://app.example.com";
pub(crate) const OTHER: &str = "https://shop.example.com";
pub(crate) const ADMIN: &str = "admin:org_1";

pub(crate) struct World {
    pub(crate) engine: Tollkeeper,
    pub(crate) billing: Arc<PlayedBilling>,
    pub(crate) identity: Arc<PlayedIdentity>,
    pub(crate) clock: Arc<Still>,
    pub(crate) app: Router,
    running: Running,
}

/// An answer, read to its end.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with(|_| {}, Config::default()).await
    }

    pub(crate) async fn with(adjust: impl FnOnce(&mut Settings), config: Config) -> Self {
        let identity = PlayedIdentity { signing: Some(PlayedSignIn::default()) };
        Self::behind(identity, adjust, config).await
    }

    pub(crate) async fn behind(identity: PlayedIdentity, adjust: impl FnOnce(&mut Settings), config: Config) -> Self {
        let (identity, clock) = (Arc::new(identity), Arc::new(Still::new()));
        let db = Db::connect("sqlite::memory:", &Options::default()).await.unwrap();
        db.migrate().await.unwrap();
        let billing = Arc::new(PlayedBilling::default());
        let mut settings = Settings::new("chargebee".into(), APP);
        adjust(&mut settings);
        let running = Tollkeeper::builder(settings)
            .database(db)
            .clock(clock.clone())
            .identity(identity.clone())
            .billing(billing.clone())
            .catalog(catalog())
            .workers(false)
            .start()
            .unwrap();
        let engine = running.engine().clone();
        let app = described::held_against_it(tollkeeper_http::router(engine.clone(), config));
        Self { app, engine, billing, identity, clock, running }
    }

    /// The engine is asked to stop.
    pub(crate) fn stop(&self) {
        self.running.wind_down()();
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.app.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
        Answer { status: parts.status, headers: parts.headers, body }
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(as_admin("GET", path).body(Body::empty()).unwrap()).await
    }

    pub(crate) async fn post(&self, path: &str, body: &str) -> Answer {
        self.send(as_admin("POST", path).body(Body::from(body.to_owned())).unwrap()).await
    }

    /// Asks with a bearer.
    pub(crate) async fn ask(&self, bearer: &str, method: &str, path: &str, body: &str) -> Answer {
        let request = plain(method, path).header("authorization", format!("Bearer {bearer}"));
        self.send(request.body(Body::from(body.to_owned())).unwrap()).await
    }

    /// Asks as the operator.
    pub(crate) async fn operate(&self, method: &str, path: &str, body: &str) -> Answer {
        self.ask(OPERATOR, method, path, body).await
    }

    /// Makes an API key; answers its secret.
    pub(crate) async fn key(&self, scopes: &[Scope], organization: Option<&str>) -> String {
        self.engine.create_key("a test", scopes, organization.map(Into::into)).await.unwrap().1
    }

    /// Buys a plan; answers the row's id.
    pub(crate) async fn subscribe(&self, body: &str) -> String {
        let answer = self.post("/api/subscription/create", body).await;
        let id = answer.ok()["subscriptionId"].as_str().unwrap().to_owned();
        self.billing.finish(&id, tollkeeper::ports::CheckoutState::Completed);
        let landed = self.get(&format!("/api/subscription/success?subscriptionId={id}")).await;
        assert_eq!(landed.status, StatusCode::SEE_OTHER);
        id
    }
}

/// The operator key of worlds that have one.
pub(crate) const OPERATOR: &str = "tko_of_the_tests";

/// With an operator key.
pub(crate) fn operated() -> Config {
    Config { operator_key: Some(OPERATOR.into()), ..Config::default() }
}

/// With other limits.
pub(crate) fn limited(adjust: impl FnOnce(&mut Limits)) -> Config {
    let mut config = Config::default();
    adjust(&mut config.limits);
    config
}

pub(crate) fn as_admin(method: &str, path: &str) -> http::request::Builder {
    plain(method, path).header("authorization", format!("Bearer {ADMIN}"))
}

pub(crate) fn plain(method: &str, path: &str) -> http::request::Builder {
    Request::builder().method(method).uri(path)
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The document of a success.
    pub(crate) fn ok(&self) -> Value {
        assert_eq!(self.status, StatusCode::OK, "{:?}", self.body);
        self.json()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    /// The document of a failure, after everything that each of them must have was looked at.
    #[track_caller]
    pub(crate) fn problem(&self, status: u16, code: &str) -> Value {
        assert_eq!(self.status.as_u16(), status, "{:?}", self.body);
        assert_eq!(self.header("content-type"), Some("application/problem+json"), "{self:?}");
        let document = self.json();
        assert_eq!(document["code"], code, "{document}");
        assert!(tollkeeper_http::errors().contains(&format!("| `{code}` |")), "{code} is not in the table");
        assert_eq!(document["status"], status);
        assert_eq!(document["type"], "about:blank");
        assert_eq!(document["title"], self.status.canonical_reason().unwrap());
        assert_eq!(document["error"], document["detail"]);
        assert!(!document["error"].as_str().unwrap().is_empty());
        assert_eq!(document["requestId"].as_str(), self.header("x-request-id"));
        if status == 503 {
            assert!(self.header("retry-after").unwrap().parse::<u64>().unwrap() >= 1);
        }
        document
    }
}

fn price(id: &str, interval: Interval, currency: &str) -> Price {
    let currency = currency.parse().unwrap();
    let amount = match id {
        "growth-plan-monthly" => 4900,
        "extra-projects-monthly" => 500,
        "starter-plan-yearly" => 19_000,
        _ => 1900,
    };
    Price { id: id.into(), provider: "chargebee".into(), interval, currency, amount, per_seat: false }
}

fn plan(name: &str, features: &[(&str, Grant)], seats: Option<u64>, prices: Vec<Price>) -> Plan {
    Plan {
        name: name.into(),
        title: name.to_uppercase(),
        group: "default".into(),
        version: 1,
        features: features.iter().map(|(name, grant)| ((*name).into(), *grant)).collect(),
        seats,
        trial_days: 0,
        credits: None,
        prices,
        past_due_grace: None,
    }
}

fn catalog() -> Catalog {
    let free = plan("free", &[("projects", Grant::Limit(Some(3)))], None, Vec::new());
    let starter = plan(
        "starter",
        &[("projects", Grant::Limit(Some(10)))],
        Some(5),
        vec![
            price("starter-plan-monthly", Interval::Month, "USD"),
            price("starter-plan-yearly", Interval::Year, "USD"),
        ],
    );
    let growth = plan(
        "growth",
        &[
            ("projects", Grant::Limit(None)),
            ("sso", Grant::Switch),
            ("api_calls", Grant::Metered(Some(100_000))),
            ("übersicht", Grant::Switch),
        ],
        Some(25),
        vec![price("growth-plan-monthly", Interval::Month, "USD")],
    );
    let extra = Addon {
        name: "extra-projects".into(),
        title: "More projects".into(),
        item_type: ItemType::Addon,
        features: [("projects".into(), Grant::Limit(Some(10)))].into(),
        prices: vec![price("extra-projects-monthly", Interval::Month, "USD")],
    };
    let onboarding = Addon {
        name: "onboarding".into(),
        title: "Onboarding".into(),
        item_type: ItemType::Charge,
        features: [].into(),
        prices: vec![price("onboarding", Interval::Once, "USD")],
    };
    Catalog::new(vec![free, starter, growth], vec![extra, onboarding], Some("free".into()), Policy::default()).unwrap()
}
