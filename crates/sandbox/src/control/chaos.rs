//! Faults: reading the setting, and replacing it.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::response::Response;
use serde_json::{Map, Value};

use super::{Failure, read as read_body};
use crate::chaos::{Chaos, Setting};
use crate::router::json_response;
use crate::server::Shared;

pub(super) async fn read(State(shared): State<Arc<Shared>>) -> Response {
    let setting = shared.with(|world, _| world.chaos.setting().render());
    json_response(200, setting.to_string())
}

/// Replaces the whole setting and answers the new one. Streams and limits start anew, also for the same seed.
pub(super) async fn replace(State(shared): State<Arc<Shared>>, body: Bytes) -> Result<Response, Failure> {
    let members: Map<String, Value> = read_body(&body)?;
    let setting = Setting::read(&members).map_err(Failure::invalid)?;
    shared.with(|world, _| world.set_chaos(Chaos::new(setting)));
    Ok(json_response(200, setting.render().to_string()))
}
