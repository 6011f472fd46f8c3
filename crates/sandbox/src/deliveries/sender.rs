//! The task that sends what is due: several at once, started in the order in which they became due.
//!
//! Source: Chargebee docs, "Webhooks", calls endpoints one after the other; a slow answer would then hold up everybody,
//! so that only the order of the starts is kept.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::outbox::{Provider, State};
use super::signing::stripe_signature;
use crate::server::{Claim, Shared};

/// How many deliveries are under way at once.
const CONCURRENCY: usize = 16;
/// How long an endpoint may take to answer.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(5);
/// The longest time between two looks at what is due.
const TICK: Duration = Duration::from_secs(1);
/// How much of an answer is read, so that its connection can be used again.
const ANSWER_BYTES: usize = 64 * 1024;

/// Runs until `stop`: on every wake and every second it does what is due and sends what is owed.
pub(crate) async fn run(shared: Arc<Shared>, stop: CancellationToken) {
    let mut under_way = FuturesUnordered::new();
    loop {
        // Whatever is due is done on the way into the lock.
        shared.with(|_, _| ());
        while under_way.len() < CONCURRENCY {
            let Some(claim) = shared.claim_delivery(Instant::now()) else { break };
            under_way.push(attempt(&shared, claim));
        }
        // Setting something aside is news for whoever waits, too.
        shared.settled.notify_waiters();
        let tick = Instant::now() + TICK;
        let next_look = shared.next_release().map_or(tick, |release| release.min(tick));
        // With every place taken a wake could not be followed, and would come again at once.
        let has_room = under_way.len() < CONCURRENCY;
        tokio::select! {
            () = stop.cancelled() => return,
            Some(()) = under_way.next(), if !under_way.is_empty() => {}
            () = shared.wake.notified(), if has_room => {}
            () = tokio::time::sleep_until(next_look), if has_room => {}
        }
    }
}

async fn attempt(shared: &Shared, claim: Claim) {
    let status = send(shared, &claim).await;
    shared.record_delivery(&claim.delivery.id, status);
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
        Provider::Stripe => {
            let timestamp = shared.machine_now().secs();
            let signature = stripe_signature(claim.secret.as_deref()?, timestamp, body);
            request
                .header("user-agent", "Stripe/1.0 (+https://stripe.com/docs/webhooks)")
                .header("stripe-signature", signature)
        }
    };
    match request.body(body.to_string()).send().await {
        Ok(mut response) => {
            let mut read = 0;
            while let Ok(Some(chunk)) = response.chunk().await {
                read += chunk.len();
                if read > ANSWER_BYTES {
                    break;
                }
            }
            Some(response.status().as_u16())
        }
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
        State::Failed | State::Dropped => "failed",
    }
}
