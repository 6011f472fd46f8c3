//! Deliveries: what arrived, what became of it, and working on it again.

use axum::{
    Json,
    extract::{Path, Request, State, rejection::PathRejection},
};
use http::{StatusCode, Uri};
use serde_json::{Value, json};
use tollkeeper::{
    DeliveryFilter, DeliveryState, Replay, StoredDelivery,
    ids::{EventId, Source},
};

use super::{OperatorKey, both_named};
use crate::{
    body::{self, NAME},
    problem::Problem,
    query,
    router::Shared,
};

/// `GET /admin/api/inbox?state=&source=&subject=&limit=&before=`, the newest first, without what they say.
pub(super) async fn list(State(app): State<Shared>, _operator: OperatorKey, uri: Uri) -> Result<Json<Value>, Problem> {
    let state = query::value(&uri, "state").map(|word| state(&word)).transpose()?;
    let filter = DeliveryFilter {
        state,
        source: query::name(&uri, "source")?.map(Source::from),
        subject: query::name(&uri, "subject")?,
        before: query::instant(&uri, "before")?,
    };
    let rows = app.engine.deliveries(&filter, query::limit(&uri)?).await?;
    Ok(Json(json!({ "deliveries": rows.iter().map(shown).collect::<Vec<_>>() })))
}

/// `GET /admin/api/inbox/{source}/{eventId}`, with what it says.
pub(super) async fn show(
    State(app): State<Shared>,
    _operator: OperatorKey,
    ids: Result<Path<(String, String)>, PathRejection>,
) -> Result<Json<Value>, Problem> {
    let (source, event) = both_named(ids)?;
    let found = app.engine.delivery(&source.into(), &event.into()).await?;
    let row = found.ok_or_else(unknown)?;
    let payload = serde_json::from_slice(&row.body);
    let mut document = shown(&row);
    document["payload"] = payload.unwrap_or_else(|_| json!(String::from_utf8_lossy(&row.body)));
    Ok(Json(document))
}

/// `POST /admin/api/replay` with `{source, eventId}` for one delivery, or `{source?, from?, until?, closed?}` for all that
/// were given up, and, where `closed` says so, for those that are settled too.
pub(super) async fn replay(
    State(app): State<Shared>,
    operator: OperatorKey,
    request: Request,
) -> Result<Json<Value>, Problem> {
    let fields = body::fields(&app, request).await?;
    let source = fields.text("source", NAME)?.map(Source::from);
    let event = fields.text("eventId", NAME)?.map(EventId::from);
    let which = Replay {
        source: source.clone(),
        from: fields.machine_instant("from")?,
        until: fields.machine_instant("until")?,
        closed: fields.boolean("closed")?.unwrap_or(false),
    };
    if fields.boolean("dead")? == Some(false) {
        return Err(Problem::field("dead", "invalid_value", "what was given up is always worked on again"));
    }
    let replayed = match (source, event) {
        (Some(source), Some(event)) => {
            if !app.engine.replay(&source, &event).await? {
                return Err(unknown());
            }
            1
        }
        (None, Some(_)) => {
            return Err(Problem::field("source", "source_required", "eventId needs the source that it is of"));
        }
        (_, None) => app.engine.replay_all(&which).await?,
    };
    tracing::info!(replayed, by = operator.0.id, "{replayed} deliveries are worked on again");
    Ok(Json(json!({ "replayed": replayed })))
}

pub(crate) fn state(word: &str) -> Result<DeliveryState, Problem> {
    DeliveryState::ALL.into_iter().find(|state| state.as_str() == word).ok_or_else(|| {
        let known: Vec<_> = DeliveryState::ALL.iter().map(|state| state.as_str()).collect();
        Problem::field("state", "invalid_value", format!("state must be one of {}", known.join(", ")))
    })
}

fn shown(row: &StoredDelivery) -> Value {
    json!({
        "source": row.source,
        "eventId": row.event_id,
        "eventType": row.event_type,
        "subject": row.subject,
        "occurredAt": row.occurred_at,
        "receivedAt": row.received_at,
        "seen": row.seen,
        "state": row.state.as_str(),
        "why": row.why,
        "attempts": row.attempts,
        "nextAttemptAt": row.next_attempt_at,
        "lastError": row.last_error,
    })
}

pub(crate) fn unknown() -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "unknown_delivery", "No such delivery has arrived")
}
