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
    cookies::{self, Cookies},
    cors,
    description::{self, operations as is},
    docs,
    events::{self, Streams},
    figures::InboxFigures,
    gate, health, invoices,
    jobs::Jobs,
    landing,
    limits::{Limits, Room},
    observe::{self, HotMeters, RequestIds},
    organization, pages, payment, plans,
    routes::Routes,
    seats, session, sign_in, subscription, webhook,
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
    /// set with the prefix `__Host-`, and read with and without. What [`is_cookie_name`](crate::is_cookie_name) refuses is
    /// not taken, and the default is used.
    pub session_cookie: String,
    /// Where the sandbox is that stands in for the providers; pages then say that this is a demo.
    pub sandbox: Option<String>,
    /// E-mails of those who may use the console when they are signed in with one of these, verified.
    pub operators: Vec<String>,
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
            session_cookie: cookies::DEFAULT_NAME.to_owned(),
            sandbox: None,
            operators: Vec::new(),
            payment_required: Cow::Borrowed("The plan of this organization does not include this"),
        }
    }
}

/// What every handler may look at.
pub(crate) struct App {
    pub(crate) engine: Tollkeeper,
    pub(crate) config: Config,
    /// Our own origin, where the address of our pages has one: who may use the console.
    pub(crate) own: Vec<String>,
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
    /// Ways back from a sign-in that nobody has under way, by address.
    pub(crate) sign_ins: Buckets<IpAddr>,
    /// Ways back from one sign-in, by its state.
    pub(crate) sign_in_tries: Buckets<String>,
    pub(crate) cookies: Cookies,
    /// Streams of events that are open.
    pub(crate) streams: Streams,
    pub(crate) jobs: Jobs,
    pub(crate) documents: docs::Documents,
    pub(crate) inbox_figures: InboxFigures,
}

/// What handlers take as their state.
pub(crate) type Shared = Arc<App>;

/// Makes the router of the whole HTTP face. It has no fallback of its own, so that it can be merged into another.
pub fn router(engine: Tollkeeper, config: Config) -> Router {
    router_of(&app(engine, config))
}

pub(crate) fn app(engine: Tollkeeper, config: Config) -> Shared {
    let settings = engine.settings();
    let readers = cors::origins(settings.allowed_origins.iter().map(String::as_str));
    let own = cors::origins(std::iter::once(settings.app_url.as_str()));
    let writers = own.iter().chain(&readers).cloned().collect();
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
        streams: Streams::new(limits.streams, limits.streams_each),
        jobs: Jobs::default(),
        documents: docs::Documents::default(),
        inbox_figures: InboxFigures::default(),
        engine,
        config,
        own,
        writers,
        readers,
    })
}

/// Every route of ours, behind the edge.
pub(crate) fn router_of(app: &Shared) -> Router {
    routes().into_router().layer(middleware::from_fn_with_state(app.clone(), observe::edge)).with_state(app.clone())
}

/// Every route, with what it is.
#[rustfmt::skip]
pub(crate) fn routes() -> Routes {
    Routes::default()
        .and(pages::routes())
        .page("/auth/login", "Sign in", get(sign_in::login))
        .page("/docs", "The reference of the API", get(docs::docs))
        .file("/openapi.json", get(docs::openapi))
        .file("/llms.txt", get(docs::llms))
        .file("/auth/callback", get(sign_in::callback))
        .file("/auth/logout", post(sign_in::logout))
        .get("/api/session", session::show, is::session::show)
        .get("/api/plans", plans::list, is::session::plans)
        .post("/api/subscription/create", subscription::create, is::subscription::create)
        .get("/api/subscription/success", landing::success, is::subscription::success)
        .get("/api/subscription/list", subscription::list, is::subscription::list)
        .post("/api/subscription/preview", subscription::preview, is::subscription::preview)
        .post("/api/subscription/update", subscription::update, is::subscription::update)
        .post("/api/subscription/cancel", subscription::cancel, is::subscription::cancel)
        .post("/api/subscription/restore", subscription::restore, is::subscription::restore)
        .post("/api/subscription/pause", subscription::pause, is::subscription::pause)
        .post("/api/subscription/resume", subscription::resume, is::subscription::resume)
        .post("/api/subscription/portal", subscription::portal, is::subscription::portal)
        .patch("/api/organization", organization::update, is::organization::update)
        .post("/api/checkout", payment::checkout, is::payment::checkout)
        .get("/gate/{feature}", gate::gate, is::gate::gate)
        .get("/api/entitlements", gate::entitlements, is::gate::entitlements)
        .get("/api/entitlements/{feature}", gate::entitlement, is::gate::entitlement)
        .get("/api/events", events::stream, is::events::stream)
        .get("/api/seats", seats::show, is::seats::show)
        .get("/api/invoices", invoices::list, is::invoices::list)
        .get("/api/invoices/{id}/pdf", invoices::pdf, is::invoices::pdf)
        .post("/api/webhooks/{source}", webhook::receive, is::webhook::receive)
        .post("/chargebee/webhook", webhook::receive_chargebee, is::webhook::receive_chargebee)
        .post("/stripe/webhook", webhook::receive_stripe, is::webhook::receive_stripe)
        .and(admin::routes())
        .get("/healthz", health::alive, is::health::alive)
        .get("/readyz", health::ready, is::health::ready)
        .get("/metrics", health::metrics, is::health::metrics)
        .get("/version", health::version, is::health::version)
}

/// The description of the API, as an OpenAPI document (3.1) for people and programs: it is the same for every server of
/// this version.
pub fn openapi() -> String {
    description::document(&routes().into_list()).pretty()
}

/// Every code of a refusal with what it means and what helps, as Markdown.
pub fn errors() -> String {
    description::errors()
}
