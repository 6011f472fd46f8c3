//! The task that sends what is due, a few at a time.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::outbox::{Provider, State};
use crate::server::{Claim, Shared};

/// How many deliveries are under way at once.
const CONCURRENCY: usize = 8;
/// How long an endpoint may take to answer.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(5);
/// The longest time between two looks at what is due.
const TICK: Duration = Duration::from_secs(1);

/// Runs until `stop`: on every wake and every second it does what is due and sends what is owed.
pub(crate) async fn run(shared: Arc<Shared>, tracker: TaskTracker, stop: CancellationToken) {
    let permits = Arc::new(Semaphore::new(CONCURRENCY));
    loop {
        // Whatever is due is done on the way into the lock.
        shared.with(|_, _| ());
        loop {
            let permit = tokio::select! {
                () = stop.cancelled() => return,
                permit = permits.clone().acquire_owned() => permit.expect("the semaphore is never closed"),
            };
            let Some(claim) = shared.claim_delivery(Instant::now()) else { break };
            let shared = Arc::clone(&shared);
            let stop = stop.clone();
            tracker.spawn(async move {
                let status = tokio::select! {
                    () = stop.cancelled() => None,
                    status = send(&shared, &claim) => status,
                };
                shared.record_delivery(&claim.delivery.id, status);
                drop(permit);
            });
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = shared.wake.notified() => {}
            () = tokio::time::sleep(TICK) => {}
        }
    }
}

/// Sends one attempt and returns the status of the answer, or `None` where there was none.
async fn send(shared: &Shared, claim: &Claim) -> Option<u16> {
    let (delivery, url, body) = (&claim.delivery, claim.url.as_ref()?, claim.body.as_ref()?);
    let request = shared.client.post(url).header("content-type", "application/json");
    let request = match delivery.provider {
        Provider::Chargebee => {
            let account = &shared.config.chargebee;
            request
                .header("user-agent", "ChargeBee")
                .basic_auth(&account.webhook_username, Some(&account.webhook_password))
        }
        Provider::Scalekit => {
            let timestamp = shared.machine_now().secs();
            let signature = shared.signing_key.sign(&delivery.message_id, timestamp, body);
            request
                .header("user-agent", "Scalekit-Webhooks/1.0")
                .header("webhook-id", &delivery.message_id)
                .header("webhook-timestamp", timestamp.to_string())
                .header("webhook-signature", signature)
        }
    };
    match request.body(body.to_string()).send().await {
        Ok(response) => Some(response.status().as_u16()),
        Err(reason) => {
            tracing::debug!(provider = delivery.provider.as_str(), %reason, "a webhook was not answered");
            None
        }
    }
}

/// The `webhook_status` of an event after an attempt.
pub(crate) fn webhook_status(state: State) -> &'static str {
    match state {
        State::Pending => "re_scheduled",
        State::Delivered => "succeeded",
        State::Failed => "failed",
    }
}
