//! Gates around the routes of a product that embeds the engine.
//!
//! A program is refused with a problem document, a person in a browser is led on: to where they sign in, or to where they
//! buy. Whatever goes wrong on the way to a decision, the route stays closed.

use std::{
    borrow::Cow,
    mem,
    sync::Arc,
    task::{Context, Poll},
};

use axum::{
    extract::{FromRequestParts, MatchedPath, OriginalUri, Request},
    response::{IntoResponse, Response},
};
use futures_util::future::BoxFuture;
use http::{HeaderMap, HeaderValue, StatusCode, header, request::Parts};
use tokio::time::timeout;
use tollkeeper::{Decision, LimitView, Scope, feature_view, ids::OrganizationId, ports::Session};
use tower::{Layer, Service};
use url::form_urlencoded::Serializer;

use crate::{
    cookies::Renewal,
    gate,
    observe::REQUEST_ID,
    problem::{self, Problem},
    router::Shared,
    session::Caller,
};

/// How a product proves an organization by itself.
type OrganizationFrom = Arc<dyn Fn(&Parts) -> Option<OrganizationId> + Send + Sync>;

/// Makes gates for routes. [`Face::gates`](crate::Face::gates) has one.
#[derive(Clone)]
pub struct Gates {
    app: Shared,
    organization_from: Option<OrganizationFrom>,
    pricing_page: Cow<'static, str>,
    login_page: Cow<'static, str>,
}

impl Gates {
    pub(crate) fn new(app: Shared) -> Self {
        Self {
            app,
            organization_from: None,
            pricing_page: Cow::Borrowed("/pricing"),
            login_page: Cow::Borrowed("/auth/login"),
        }
    }

    /// Lets the product say whose request it is, for products with sessions of their own: `None` is nobody, and closes.
    ///
    /// What it answers is believed, so it has to come from what the product itself has proven (an extension that its own
    /// layer has put there), and never from what the request claims. Without this, a gate knows the access tokens, the
    /// sessions and the API keys that the API knows.
    #[must_use]
    pub fn organization_from(
        mut self,
        prove: impl Fn(&Parts) -> Option<OrganizationId> + Send + Sync + 'static,
    ) -> Self {
        self.organization_from = Some(Arc::new(prove));
        self
    }

    /// Where a browser is led whose organization has not paid for this; `/pricing` unless given.
    #[must_use]
    pub fn pricing_page(mut self, address: impl Into<Cow<'static, str>>) -> Self {
        self.pricing_page = address.into();
        self
    }

    /// Where a browser is led that has not signed in; `/auth/login` unless given.
    #[must_use]
    pub fn login_page(mut self, address: impl Into<Cow<'static, str>>) -> Self {
        self.login_page = address.into();
        self
    }

    /// Opens to organizations that have this feature: one of the catalog, or one of the reserved ones.
    pub fn require(&self, feature: impl Into<Arc<str>>) -> Gate {
        Gate { gates: self.clone(), feature: feature.into() }
    }

    /// Opens to organizations that are on this plan.
    pub fn require_plan(&self, plan: &str) -> Gate {
        self.require(format!("plan:{plan}"))
    }

    /// Opens to organizations with any live subscription.
    pub fn require_subscription(&self) -> Gate {
        self.require("subscription")
    }
}

/// The gate of one feature, as a layer: `.route_layer(gates.require("sso"))`.
///
/// Closed, it answers programs with a problem document (401, 402, 403 or 503) and leads browsers on with 303. Open, it
/// hands an [`Entitled`] to the handler. An API key opens it for requests that only read; for others it needs the scope
/// `admin`.
#[derive(Clone)]
pub struct Gate {
    gates: Gates,
    feature: Arc<str>,
}

impl<S> Layer<S> for Gate {
    type Service = Gated<S>;

    fn layer(&self, inner: S) -> Gated<S> {
        Gated { gate: self.clone(), inner }
    }
}

/// A service behind a [`Gate`].
#[derive(Clone)]
pub struct Gated<S> {
    gate: Gate,
    inner: S,
}

impl<S> Service<Request> for Gated<S>
where
    S: Service<Request, Response = Response> + Clone + Send + 'static,
    S::Future: Send + 'static,
{
    type Response = Response;
    type Error = S::Error;
    type Future = BoxFuture<'static, Result<Response, S::Error>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        let gate = self.gate.clone();
        // The one that was found ready is the one to call.
        let next = self.inner.clone();
        let mut inner = mem::replace(&mut self.inner, next);
        Box::pin(async move {
            let (mut parts, body) = request.into_parts();
            // The edge is not around these routes: what becomes of the cookie is told to the browser here.
            let renewal = Renewal::default();
            parts.extensions.insert(renewal.clone());
            let mut response = match gate.ask(&mut parts).await {
                Ok(entitled) => {
                    parts.extensions.insert(entitled);
                    let mut response = inner.call(Request::from_parts(parts, body)).await?;
                    let headers = response.headers_mut();
                    // It was answered to one organization: nobody may keep it for another, unless the handler says so.
                    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
                    headers.append(header::VARY, HeaderValue::from_static("authorization, cookie"));
                    response
                }
                Err(problem) => gate.refuse(&parts, problem),
            };
            renewal.apply(response.headers_mut());
            Ok(response)
        })
    }
}

impl Gate {
    async fn ask(&self, parts: &mut Parts) -> Result<Entitled, Problem> {
        let limit = self.gates.app.config.limits.request_time;
        timeout(limit, self.decide(parts))
            .await
            .unwrap_or_else(|_| Err(Problem::later("timeout", "This took too long")))
    }

    async fn decide(&self, parts: &mut Parts) -> Result<Entitled, Problem> {
        let app = &self.gates.app;
        let (organization_id, person) = match &self.gates.organization_from {
            Some(prove) => (prove(parts).ok_or_else(Problem::unauthenticated)?, None),
            None => {
                let caller = Caller::from_request_parts(parts, app).await?;
                if let Caller::Key(key) = &caller
                    && !parts.method.is_safe()
                {
                    // No smaller scope speaks of what the product's own routes change.
                    key.needs(Scope::Admin)?;
                }
                let organization = caller.organization(app, &parts.uri)?.into_owned();
                (organization, caller.into_person())
            }
        };
        let decision = app.engine.gate(&organization_id, &self.feature).await?;
        gate::opened(app, &decision)?;
        Ok(Entitled { organization_id, person, feature: self.feature.clone(), decision })
    }

    /// The answer to somebody who is not let in.
    fn refuse(&self, parts: &Parts, problem: Problem) -> Response {
        let response = match self.way_on(parts, &problem) {
            Some(address) => (StatusCode::SEE_OTHER, [(header::LOCATION, address)]).into_response(),
            None => problem.into_response(),
        };
        let id = self.gates.app.request_ids.of(&parts.headers);
        let route = parts.extensions.get::<MatchedPath>().map_or("gated", MatchedPath::as_str);
        let shown = problem::Shown { method: &parts.method, page_of: None };
        let mut response = problem::finish(response, &shown, id.to_str().unwrap_or_default(), route);
        let headers = response.headers_mut();
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(header::VARY, HeaderValue::from_static("accept, authorization, cookie"));
        headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        headers.insert(REQUEST_ID, id);
        response
    }

    /// Where a person in a browser can go from here; `None` for programs, and where nowhere would help.
    fn way_on(&self, parts: &Parts, problem: &Problem) -> Option<HeaderValue> {
        if !parts.method.is_safe() || !wants_a_page(&parts.headers) {
            return None;
        }
        let address = match problem.status() {
            StatusCode::UNAUTHORIZED => {
                // What a router above us has cut off belongs to the address.
                let here = parts.extensions.get::<OriginalUri>().map_or(&parts.uri, |OriginalUri(uri)| uri);
                let here = here.path_and_query().map_or("/", |path| path.as_str());
                with_query(&self.gates.login_page, &[("next", here)])
            }
            StatusCode::PAYMENT_REQUIRED => {
                let query = [("reason", "subscription_required"), ("feature", &*self.feature)];
                with_query(&self.gates.pricing_page, &query)
            }
            _ => return None,
        };
        // An address of the product that no header can carry leads nowhere: then it is a problem document.
        HeaderValue::try_from(address).ok()
    }
}

/// Whether whoever asks is about to look at the answer: browsers name pages when they go to one, programs and scripts say
/// that they take anything.
pub(crate) fn wants_a_page(headers: &HeaderMap) -> bool {
    let accepted = headers.get_all(header::ACCEPT).iter().filter_map(|line| line.to_str().ok());
    accepted.flat_map(|line| line.split(',')).any(|range| {
        let media_type = range.split(';').next().unwrap_or_default();
        media_type.trim().eq_ignore_ascii_case("text/html")
    })
}

fn with_query(address: &str, pairs: &[(&str, &str)]) -> String {
    let query = Serializer::new(String::new()).extend_pairs(pairs).finish();
    let joint = if address.contains('?') { '&' } else { '?' };
    format!("{address}{joint}{query}")
}

/// Somebody who came through a [`Gate`], and what it decided. Handlers take it as an argument.
///
/// Behind several gates it is that of the innermost one.
#[derive(Clone, Debug)]
pub struct Entitled {
    /// The organization that was let in.
    pub organization_id: OrganizationId,
    /// The person who asks; `None` where a program does, and where the product itself proved the organization.
    pub person: Option<Arc<Session>>,
    /// What was asked for.
    pub feature: Arc<str>,
    /// The answer, which is always yes here.
    pub decision: Decision,
}

impl Entitled {
    /// The plan that opened the gate.
    pub fn plan(&self) -> Option<&str> {
        self.decision.plan.as_ref().map(|plan| plan.as_str())
    }

    /// How much of the feature may be used: a number or `"unlimited"`; `None` where it is a switch.
    pub fn limit(&self) -> Option<LimitView> {
        feature_view(&self.feature, &self.decision).limit
    }
}

impl<S: Sync> FromRequestParts<S> for Entitled {
    type Rejection = NotGated;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, NotGated> {
        parts.extensions.get::<Self>().cloned().ok_or(NotGated(()))
    }
}

/// A handler takes an [`Entitled`], and its route has no [`Gate`]: nobody decided anything, so nobody is let in.
#[derive(Debug)]
pub struct NotGated(());

impl IntoResponse for NotGated {
    fn into_response(self) -> Response {
        tracing::error!(
            "a handler asks who was let in, and its route has no gate: add `.route_layer(gates.require(…))`"
        );
        StatusCode::INTERNAL_SERVER_ERROR.into_response()
    }
}
