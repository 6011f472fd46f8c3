//! The clock, and starting over.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;
use serde_json::json;

use super::Failure;
use crate::clock::{self, LONGEST_ADVANCE_SECONDS};
use crate::router::json_response;
use crate::server::Shared;

pub(super) async fn read_clock(shared: &Shared) -> Response {
    let machine_now = shared.machine_now();
    let offset = shared.with(|world, _| world.offset);
    let body = json!({
        "now": clock::business(machine_now, offset).rfc3339(),
        "machineNow": machine_now.rfc3339(),
        "offsetSeconds": offset / 1_000_000,
    });
    json_response(200, body.to_string())
}

/// `now` is business time, both instants are RFC 3339.
pub(super) async fn read(State(shared): State<Arc<Shared>>) -> Response {
    read_clock(&shared).await
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct AdvanceBody {
    advance_seconds: i64,
}

pub(super) async fn advance(State(shared): State<Arc<Shared>>, body: Bytes) -> Result<Response, Failure> {
    let body: AdvanceBody = super::read(&body)?;
    if !(0..=LONGEST_ADVANCE_SECONDS).contains(&body.advance_seconds) {
        let message = format!("advanceSeconds must be between 0 and {LONGEST_ADVANCE_SECONDS}; time never goes back");
        return Err(Failure::invalid(message));
    }
    clock::advance(&shared, body.advance_seconds).await;
    Ok(read_clock(&shared).await)
}

/// Empties everything but the clock and the registered endpoints, and switches faults off.
pub(super) async fn reset(State(shared): State<Arc<Shared>>) -> Response {
    let _turn = shared.clock_turn.lock().await;
    shared.with(|world, now| world.reset(&shared.config, now));
    json_response(200, "{}".into())
}
