//! Where an account sends its webhooks: what an operator asks when news stay away.
//!
//! Source: API reference, "Webhook Endpoints".

use tollkeeper_core::ports::ProviderError;

use crate::{Stripe, form::Form, listing, wire};

/// The events that an endpoint of ours needs, besides [those of subscriptions and customers](listing): what becomes of
/// checkouts and of payments.
const BESIDE: [&str; 6] = [
    "checkout.session.completed",
    "checkout.session.async_payment_succeeded",
    "checkout.session.async_payment_failed",
    "checkout.session.expired",
    "customer.subscription.trial_will_end",
    "invoice.payment_action_required",
];

/// A place that Stripe sends events to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebhookEndpoint {
    /// Stripe's id (`we_…`).
    pub id: String,
    /// Where the events go.
    pub url: String,
    /// Whether they go there at all: Stripe itself disables an endpoint that fails for long.
    pub enabled: bool,
    /// The types that are sent; `*` stands for all that need no explicit choice.
    pub events: Vec<String>,
    /// The version that the events are rendered in; `None` is the account's own.
    pub api_version: Option<String>,
}

impl WebhookEndpoint {
    /// The events that we need and that are not sent there. Empty is as it should be.
    pub fn lacks(&self) -> Vec<&'static str> {
        let sent = |wanted: &&str| self.events.iter().any(|event| event == "*" || event == wanted);
        wanted().filter(|event| !sent(event)).collect()
    }
}

/// The events that an endpoint of ours needs.
pub fn wanted() -> impl Iterator<Item = &'static str> {
    listing::SUBSCRIPTION_EVENTS.into_iter().chain(listing::CUSTOMER_EVENTS).chain(BESIDE)
}

impl Stripe {
    /// All webhook endpoints of the account, newest first.
    ///
    /// Needs a key that may read them: a restricted one may not be able to.
    ///
    /// # Errors
    /// As every call of the port.
    pub async fn webhook_endpoints(&self) -> Result<Vec<WebhookEndpoint>, ProviderError> {
        let rows = self.list("list webhook endpoints", "/v1/webhook_endpoints", &Form::new()).await?;
        Ok(rows.into_iter().map(endpoint).collect())
    }
}

fn endpoint(row: wire::WebhookEndpoint) -> WebhookEndpoint {
    WebhookEndpoint {
        id: row.id,
        url: row.url,
        enabled: row.status.as_deref() == Some("enabled"),
        events: row.enabled_events,
        api_version: row.api_version,
    }
}
