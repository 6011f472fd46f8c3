//! The way in for deliveries: verify, read the envelope, store; nothing else before the answer.

use bytes::Bytes;
use http::HeaderMap;
use tollkeeper_core::{ids::Source, ports::Inbound};
use tollkeeper_store::inbox::{Delivery, Put};

use crate::{Error, Tollkeeper};

/// What became of a delivery at the door.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Received {
    /// Stored, durably. Its effect will happen.
    New,
    /// Stored before; that it came again is counted.
    Duplicate,
}

impl Tollkeeper {
    /// Takes a delivery in. When this returns `Ok`, it is durable.
    ///
    /// # Errors
    /// [`Error::Unverified`]: answer 401. [`Error::Decode`]: answer 400. [`Error::Store`] that is unavailable: answer 503,
    /// so that the provider tries again. [`Error::NotConfigured`]: this source is not.
    pub async fn receive(&self, source: &Source, headers: &HeaderMap, body: Bytes) -> Result<Received, Error> {
        let inbound = self.inbound(source).ok_or_else(|| Error::NotConfigured(source.to_string()))?;
        let now = self.machine_now();
        let verified = inbound.verify(headers, body, now)?;
        let hint = inbound.envelope(&verified)?;
        let delivery = Delivery {
            source: source.clone(),
            event_id: hint.event_id,
            event_type: hint.event_type,
            subject: hint.subject.to_string(),
            occurred_at: hint.occurred_at,
            received_at: now,
            body: verified.body().clone(),
        };
        let put = self.inner.inbox.put(delivery).await?;
        metrics::counter!("tollkeeper_deliveries_total", "source" => source.to_string(), "fate" => match put {
            Put::New => "new",
            Put::Duplicate => "duplicate",
        })
        .increment(1);
        match put {
            Put::New => {
                self.inner.wake_inbox.notify_one();
                self.inner.notices.arrived();
                Ok(Received::New)
            }
            Put::Duplicate => {
                // A commit whose answer was lost looks like this too: it may be the first after all.
                self.inner.wake_inbox.notify_one();
                Ok(Received::Duplicate)
            }
        }
    }

    pub(crate) fn inbound(&self, source: &Source) -> Option<&dyn Inbound> {
        if self.inner.identity.source() == *source {
            return Some(self.inner.identity.as_ref());
        }
        self.inner.billing.values().find(|billing| billing.source() == *source).map(|billing| billing.as_ref() as _)
    }
}
