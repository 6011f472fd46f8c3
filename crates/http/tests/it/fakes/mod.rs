//! Providers that are played: they do what they are told, and remember what they were asked.

mod billing;
mod identity;
mod sign_in;

use std::sync::atomic::{AtomicI64, Ordering};

use tollkeeper_core::{
    ids::EventId,
    ports::{DecodeError, Hint, Subject, Verified},
    time::{Clock, MachineTime, Timestamp},
};

pub(crate) use billing::PlayedBilling;
pub(crate) use identity::PlayedIdentity;
pub(crate) use sign_in::PlayedSignIn;

/// A clock that stands still until it is moved.
pub(crate) struct Still(AtomicI64);

impl Still {
    pub(crate) fn new() -> Self {
        Self(AtomicI64::new(1_750_000_000))
    }

    pub(crate) fn advance(&self, seconds: i64) {
        self.0.fetch_add(seconds, Ordering::Relaxed);
    }
}

impl Clock for Still {
    fn now(&self) -> Timestamp {
        Timestamp::from_unix_seconds(self.0.load(Ordering::Relaxed))
    }
    fn machine_now(&self) -> MachineTime {
        MachineTime::from_unix_seconds(self.0.load(Ordering::Relaxed))
    }
}

fn envelope(verified: &Verified) -> Result<Hint, DecodeError> {
    let value: serde_json::Value =
        serde_json::from_slice(verified.body()).map_err(|error| DecodeError(error.to_string()))?;
    let id = value["id"].as_str().ok_or_else(|| DecodeError("no id".into()))?;
    Ok(Hint {
        event_id: EventId::from(id),
        event_type: "played".into(),
        occurred_at: None,
        subject: Subject::Other,
        content: None,
    })
}
