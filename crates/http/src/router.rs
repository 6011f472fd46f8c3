//! Every route, and what they share.

use std::{sync::Arc, time::Duration};

use axum::{
    Router, middleware,
    routing::{get, post, put},
};
use metrics_exporter_prometheus::PrometheusHandle;
use secrecy::SecretString;
use tollkeeper::Tollkeeper;

use crate::{
    admin, cors, gate, health, landing,
    observe::{self, RequestIds},
    pages, plans, session, subscription, webhook,
};

/// The most bytes that the body of a delivery may have, unless [`Config::body_limit_bytes`] says otherwise: 1 MiB.
pub const WEBHOOK_BODY_BYTES: usize = 1024 * 1024;

/// The most bytes that the body of an API request may have: 64 KiB.
pub const API_BODY_BYTES: usize = 64 * 1024;

/// What the HTTP face can be told; every part has a default.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where `/metrics` reads from; `None` leaves the route out.
    pub metrics: Option<PrometheusHandle>,
    /// What `/version` says.
    pub version: &'static str,
    /// The most bytes of a delivery. API requests may have [`API_BODY_BYTES`], or this where it is less.
    pub body_limit_bytes: usize,
    /// How long a request may take before it is answered with 503.
    pub request_timeout: Duration,
    /// Who holds it may call `/admin/api`; `None` closes it to everybody.
    pub operator_key: Option<SecretString>,
    /// The cookie that may carry an access token instead of the `Authorization` header.
    pub session_cookie: String,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            metrics: None,
            version: env!("CARGO_PKG_VERSION"),
            body_limit_bytes: WEBHOOK_BODY_BYTES,
            request_timeout: Duration::from_secs(30),
            operator_key: None,
            session_cookie: "scalekit_session".to_owned(),
        }
    }
}

/// What every handler may look at.
pub(crate) struct App {
    pub(crate) engine: Tollkeeper,
    pub(crate) config: Config,
    /// Our own origin and the allowed ones: who may write with a cookie.
    pub(crate) writers: Vec<String>,
    /// The allowed origins: who may read answers from another site.
    pub(crate) readers: Vec<String>,
    pub(crate) request_ids: RequestIds,
}

impl App {
    pub(crate) fn api_body_bytes(&self) -> usize {
        self.config.body_limit_bytes.min(API_BODY_BYTES)
    }
}

/// What handlers take as their state.
pub(crate) type Shared = Arc<App>;

/// Makes the router of the whole HTTP face. It has no fallback of its own, so that it can be merged into another.
pub fn router(engine: Tollkeeper, config: Config) -> Router {
    let settings = engine.settings();
    let readers = cors::origins(settings.allowed_origins.iter().map(String::as_str));
    let writers = cors::origins(std::iter::once(settings.app_url.as_str()).chain(readers.iter().map(String::as_str)));
    let app = Arc::new(App { engine, config, writers, readers, request_ids: RequestIds::default() });
    Router::new()
        .route("/", get(pages::home))
        .route("/billing", get(pages::billing))
        .route("/static/page.css", get(pages::style))
        .route("/api/session", get(session::show))
        .route("/api/plans", get(plans::list))
        .route("/api/subscription/create", post(subscription::create))
        .route("/api/subscription/cancel", post(subscription::cancel))
        .route("/api/subscription/restore", post(subscription::restore))
        .route("/api/subscription/portal", post(subscription::portal))
        .route("/api/subscription/list", get(subscription::list))
        .route("/api/subscription/success", get(landing::success))
        .route("/api/entitlements", get(gate::entitlements))
        .route("/api/entitlements/{feature}", get(gate::entitlement))
        .route("/gate/{feature}", get(gate::gate))
        .route("/api/webhooks/{source}", post(webhook::receive))
        .route("/chargebee/webhook", post(webhook::receive_chargebee))
        .route("/admin/api/organizations/{id}", put(admin::put_organization).delete(admin::delete_organization))
        .route("/admin/api/organizations/{id}/members/{user}", put(admin::put_member).delete(admin::delete_member))
        .route("/healthz", get(health::alive))
        .route("/readyz", get(health::ready))
        .route("/metrics", get(health::metrics))
        .route("/version", get(health::version))
        .layer(middleware::from_fn_with_state(app.clone(), observe::edge))
        .with_state(app)
}
