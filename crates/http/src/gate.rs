//! Gates for proxies, and the same question for programs.

use axum::{
    Json,
    body::Body,
    extract::{Path, State, rejection::PathRejection},
    response::{IntoResponse, Response},
};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri, header};
use percent_encoding::{CONTROLS, utf8_percent_encode};
use serde_json::{Map, Value, json};
use tollkeeper::{Action, FeatureView, feature_view, grant_view, ids::OrganizationId};
use tollkeeper_core::{
    catalog::SNAPSHOT,
    gate::{Decision, Entitlements, Reason},
};

use crate::{
    problem::Problem,
    query,
    router::{App, Shared},
    session::Caller,
};

const ORGANIZATION: HeaderName = HeaderName::from_static("x-tollkeeper-organization");
const PLAN: HeaderName = HeaderName::from_static("x-tollkeeper-plan");
const CODE: HeaderName = HeaderName::from_static("x-tollkeeper-code");

/// How many headers an open gate answers with, all in all.
const HEADERS: usize = 12;

/// The code of a gate that is closed because nobody paid for this.
const PAYMENT_REQUIRED: &str = "payment_required";

type Feature = Result<Path<String>, PathRejection>;

/// `GET|HEAD /gate/{feature}`
pub(crate) async fn gate(
    State(app): State<Shared>,
    caller: Result<Caller, Problem>,
    feature: Feature,
    uri: Uri,
) -> Response {
    let mut response = match caller {
        Ok(caller) => decide(&app, &caller, feature, &uri).await.unwrap_or_else(IntoResponse::into_response),
        Err(problem) => problem.into_response(),
    };
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::VARY, HeaderValue::from_static("authorization, cookie"));
    response
}

async fn decide(app: &App, caller: &Caller, feature: Feature, uri: &Uri) -> Result<Response, Problem> {
    let organization = &*caller.organization(app, uri)?;
    // What is not even text is the name of nothing.
    let Ok(Path(feature)) = feature else { return Err(unknown()) };
    let decision = app.engine.gate(organization, &feature).await?;
    match opened(app, &decision) {
        Ok(()) => Ok(open(organization, &decision, &feature_view(&feature, &decision))),
        Err(problem) if problem.status() == StatusCode::PAYMENT_REQUIRED => {
            // nginx knows 401 and 403 only.
            let only_403 = query::value(uri, "deny").is_some_and(|word| word == "403");
            let problem = if only_403 { problem.answered_with(StatusCode::FORBIDDEN) } else { problem };
            Ok(([(CODE, HeaderValue::from_static(PAYMENT_REQUIRED))], problem).into_response())
        }
        Err(problem) => Err(problem),
    }
}

/// Whether a decision lets anybody in.
///
/// # Errors
/// 403, when nobody ever heard of the feature; 402 with the reason, when this organization does not have it.
pub(crate) fn opened(app: &App, decision: &Decision) -> Result<(), Problem> {
    if decision.reason == Reason::UnknownFeature {
        return Err(unknown());
    }
    if !decision.allowed {
        let sentence = app.config.payment_required.clone();
        let problem = Problem::new(StatusCode::PAYMENT_REQUIRED, PAYMENT_REQUIRED, sentence);
        return Err(problem.with_reason(decision.reason.as_str()));
    }
    Ok(())
}

/// What an open gate says. Nothing is answered more often: its headers have their room at once.
fn open(organization: &OrganizationId, decision: &Decision, view: &FeatureView<'_>) -> Response {
    let mut headers = HeaderMap::with_capacity(HEADERS);
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(ORGANIZATION, visible(organization.as_str()));
    if let Some(plan) = &decision.plan {
        headers.insert(PLAN, visible(plan.as_str()));
    }
    let body = serde_json::to_vec(view).expect("names, numbers and words have a JSON form");
    let mut response = Response::new(Body::from(body));
    *response.headers_mut() = headers;
    response
}

/// `GET /api/entitlements`
pub(crate) async fn entitlements(State(app): State<Shared>, caller: Caller, uri: Uri) -> Result<Json<Value>, Problem> {
    let organization = reader(&app, &caller, &uri).await?;
    Ok(Json(entitlements_of(app.engine.entitlements(&organization).await?)))
}

/// Everything that an organization may use, as the API shows it.
pub(crate) fn entitlements_of(all: Entitlements) -> Value {
    let features: Map<_, _> =
        all.features.into_iter().map(|(name, grant)| (name.into_string(), grant_view(grant))).collect();
    json!({ "plans": all.plans, "features": features })
}

/// `GET /api/entitlements/{feature}`: a question and not a gate, so that no is as good an answer as yes.
pub(crate) async fn entitlement(
    State(app): State<Shared>,
    caller: Caller,
    feature: Feature,
    uri: Uri,
) -> Result<Json<Value>, Problem> {
    let organization = reader(&app, &caller, &uri).await?;
    let Path(feature) =
        feature.map_err(|_| Problem::field("feature", "invalid_text", "The name of the feature is not text"))?;
    if feature == SNAPSHOT {
        return Err(Problem::new(StatusCode::NOT_FOUND, "not_found", "There is nothing here"));
    }
    let decision = app.engine.gate(&organization, &feature).await?;
    Ok(Json(json!(feature_view(&feature, &decision))))
}

async fn reader(app: &App, caller: &Caller, uri: &Uri) -> Result<OrganizationId, Problem> {
    let reference = query::value(uri, "referenceId");
    let actor = caller.authorize(app, reference.as_deref(), Action::List).await?;
    Ok(actor.organization_id().clone())
}

fn unknown() -> Problem {
    Problem::new(StatusCode::FORBIDDEN, "unknown_feature", "Nobody has heard of this feature")
        .with_reason(Reason::UnknownFeature.as_str())
}

/// A name as a header: what headers cannot carry is percent-encoded.
fn visible(name: &str) -> HeaderValue {
    HeaderValue::from_str(name).unwrap_or_else(|_| {
        let encoded = utf8_percent_encode(name, CONTROLS).to_string();
        HeaderValue::from_str(&encoded).expect("what is left after encoding is visible")
    })
}
