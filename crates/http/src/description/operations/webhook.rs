//! The door for deliveries.

use crate::description::{
    operation::{Content, Operation, Tag, Who},
    schema::{Schema, named, open_object, words},
};

/// `POST /api/webhooks/{source}`
pub(crate) fn receive() -> Operation {
    door("receiveWebhook", "Take a delivery").path("source", words(["scalekit", "chargebee", "stripe"]))
}

/// `POST /chargebee/webhook`
pub(crate) fn receive_chargebee() -> Operation {
    door("receiveChargebeeWebhook", "Take a delivery of Chargebee")
}

/// `POST /stripe/webhook`
pub(crate) fn receive_stripe() -> Operation {
    door("receiveStripeWebhook", "Take a delivery of Stripe")
}

fn door(id: &'static str, summary: &'static str) -> Operation {
    Operation::new(Tag::Webhooks, Who::Provider, id, summary)
        .text("For the providers: Chargebee proves itself by Basic Auth, Stripe by `stripe-signature`, Scalekit by Standard Webhooks. Stored before it is answered; a delivery that came before is answered and does nothing more.")
        .needs(delivery())
        .answers_with(200, "Stored.", Content::Json(named("Received")))
        .refuses(&["unverified", "invalid_delivery", "unknown_source", "database_unavailable"])
}

fn delivery() -> Schema {
    open_object().says("As the provider documents it.")
}
