//! The door for deliveries: the raw bytes to the engine, its word back. Nothing else happens before the answer.

use axum::{
    extract::{Path, Request, State, rejection::PathRejection},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use http::{HeaderValue, StatusCode, header};
use tollkeeper::{Error, Received, ids::Source};

use crate::{
    body,
    problem::Problem,
    router::{App, Shared},
};

/// `POST /api/webhooks/{source}`
pub(crate) async fn receive(
    State(app): State<Shared>,
    source: Result<Path<String>, PathRejection>,
    request: Request,
) -> Result<Response, Problem> {
    let Ok(Path(source)) = source else { return Err(unknown_source()) };
    take(&app, Source::from(source), request).await
}

/// `POST /stripe/webhook`, as a cookbook has it.
pub(crate) async fn receive_stripe(State(app): State<Shared>, request: Request) -> Result<Response, Problem> {
    take(&app, Source::from("stripe"), request).await
}

/// `POST /chargebee/webhook`, as a cookbook has it.
pub(crate) async fn receive_chargebee(State(app): State<Shared>, request: Request) -> Result<Response, Problem> {
    take(&app, Source::from("chargebee"), request).await
}

async fn take(app: &App, source: Source, request: Request) -> Result<Response, Problem> {
    let (parts, body) = request.into_parts();
    // Its place is kept until it is stored: what waits for the database takes memory too.
    let (bytes, _place) = body::read(app, body, app.config.limits.body_bytes).await?;
    let document = match app.engine.receive(&source, &parts.headers, bytes).await {
        Ok(Received::New) => r#"{"received":true}"#,
        Ok(Received::Duplicate) => r#"{"received":true,"duplicate":true}"#,
        Err(Error::NotConfigured(_)) => return Err(unknown_source()),
        Err(error) => {
            if matches!(error, Error::Unverified(_)) {
                // Nothing is kept of what nobody vouches for, but that it came.
                metrics::counter!("tollkeeper_deliveries_unverified_total", "source" => source.to_string())
                    .increment(1);
            }
            return Err(error.into());
        }
    };
    let kind = [(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))];
    Ok((kind, Bytes::from_static(document.as_bytes())).into_response())
}

fn unknown_source() -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "unknown_source", "Deliveries of this source are not configured here")
}
