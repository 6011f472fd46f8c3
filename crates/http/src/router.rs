//! Every route, and what they share.

use std::{borrow::Cow, net::IpAddr, sync::Arc};

use axum::{
    Router, middleware,
    routing::{get, post},
};
use metrics_exporter_prometheus::PrometheusHandle;
use secrecy::SecretString;
use tollkeeper::{Key, Tollkeeper};

use crate::{
    admin,
    buckets::Buckets,
    cookies::Cookies,
    cors,
    figures::InboxFigures,
    gate, health, invoices,
    jobs::Jobs,
    landing,
    limits::{Limits, Room},
    observe::{self, HotMeters, RequestIds},
    pages, payment, plans, session, sign_in, subscription, webhook,
};

/// What the HTTP face can be told; every part has a default.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where `/metrics` reads from; `None` leaves the route out.
    pub metrics: Option<PrometheusHandle>,
    /// What `/version` says.
    pub version: &'static str,
    /// Sizes, times and rates.
    pub limits: Limits,
    /// An API key with every scope that is in no database; `None` is none.
    pub operator_key: Option<SecretString>,
    /// The cookie of a session. It may also carry an access token instead of the `Authorization` header. Over https it is
    /// set with the prefix `__Host-`, and read with and without.
    pub session_cookie: String,
    /// The sentence of a gate that is closed because nobody paid for this.
    pub payment_required: Cow<'static, str>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            metrics: None,
            version: env!("CARGO_PKG_VERSION"),
            limits: Limits::default(),
            operator_key: None,
            session_cookie: "scalekit_session".to_owned(),
            payment_required: Cow::Borrowed("The plan of this organization does not include this"),
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
    pub(crate) hot: HotMeters,
    /// What the operator key proves.
    pub(crate) operator: Arc<Key>,
    /// Requests that are being answered.
    pub(crate) requests: Room,
    /// Bytes of bodies in memory.
    pub(crate) bodies: Room,
    /// Requests that may call a provider, by organization.
    pub(crate) provider_calls: Buckets<String>,
    /// Looks at a checkout that nobody proves anything for, by its row.
    pub(crate) landings: Buckets<String>,
    /// Bearers that proved nothing, by address.
    pub(crate) failed_bearers: Buckets<IpAddr>,
    /// Ways back from a sign-in that did not work, by address.
    pub(crate) sign_ins: Buckets<IpAddr>,
    /// Ways back from one sign-in, by its state.
    pub(crate) sign_in_tries: Buckets<String>,
    pub(crate) cookies: Cookies,
    pub(crate) jobs: Jobs,
    pub(crate) inbox_figures: InboxFigures,
}

/// What handlers take as their state.
pub(crate) type Shared = Arc<App>;

/// Makes the router of the whole HTTP face. It has no fallback of its own, so that it can be merged into another.
pub fn router(engine: Tollkeeper, config: Config) -> Router {
    routes(&app(engine, config))
}

pub(crate) fn app(engine: Tollkeeper, config: Config) -> Shared {
    let settings = engine.settings();
    let readers = cors::origins(settings.allowed_origins.iter().map(String::as_str));
    let writers = cors::origins(std::iter::once(settings.app_url.as_str()).chain(readers.iter().map(String::as_str)));
    let limits = &config.limits;
    Arc::new(App {
        request_ids: RequestIds::default(),
        hot: HotMeters::default(),
        operator: Arc::new(Key::operator()),
        requests: Room::new(limits.requests),
        bodies: Room::new(limits.bodies_bytes),
        provider_calls: Buckets::new(limits.provider_calls),
        landings: Buckets::new(limits.provider_calls),
        failed_bearers: Buckets::new(limits.failed_bearers),
        sign_ins: Buckets::new(limits.sign_ins),
        sign_in_tries: Buckets::new(sign_in::TRIES),
        cookies: Cookies::new(&settings.app_url, &config.session_cookie),
        jobs: Jobs::default(),
        inbox_figures: InboxFigures::default(),
        engine,
        config,
        writers,
        readers,
    })
}

pub(crate) fn routes(app: &Shared) -> Router {
    Router::new()
        .route("/", get(pages::home))
        .route("/billing", get(pages::billing))
        .route("/static/page.css", get(pages::style))
        .route("/auth/login", get(sign_in::login))
        .route("/auth/callback", get(sign_in::callback))
        .route("/auth/logout", post(sign_in::logout))
        .route("/api/session", get(session::show))
        .route("/api/plans", get(plans::list))
        .route("/api/subscription/create", post(subscription::create))
        .route("/api/subscription/preview", post(subscription::preview))
        .route("/api/subscription/update", post(subscription::update))
        .route("/api/subscription/cancel", post(subscription::cancel))
        .route("/api/subscription/restore", post(subscription::restore))
        .route("/api/subscription/pause", post(subscription::pause))
        .route("/api/subscription/resume", post(subscription::resume))
        .route("/api/subscription/portal", post(subscription::portal))
        .route("/api/subscription/list", get(subscription::list))
        .route("/api/subscription/success", get(landing::success))
        .route("/api/checkout", post(payment::checkout))
        .route("/api/invoices", get(invoices::list))
        .route("/api/invoices/{id}/pdf", get(invoices::pdf))
        .route("/api/entitlements", get(gate::entitlements))
        .route("/api/entitlements/{feature}", get(gate::entitlement))
        .route("/gate/{feature}", get(gate::gate))
        .route("/api/webhooks/{source}", post(webhook::receive))
        .route("/chargebee/webhook", post(webhook::receive_chargebee))
        .route("/stripe/webhook", post(webhook::receive_stripe))
        .route("/healthz", get(health::alive))
        .route("/readyz", get(health::ready))
        .route("/metrics", get(health::metrics))
        .route("/version", get(health::version))
        .merge(admin::routes())
        .layer(middleware::from_fn_with_state(app.clone(), observe::edge))
        .with_state(app.clone())
}
