//! Deliveries as the providers send them, every one of its own id, ready to go out.
//!
//! Source of the shapes: Stripe's `customer.subscription.updated`; Chargebee's event `subscription_renewed` with
//! subscription, customer and invoice in its content; Scalekit's `user.organization_membership_updated`, here with as
//! many custom attributes as make it as long.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Value, json};
use sha2::Sha256;
use tollkeeper_core::time::Clock as _;

use crate::{load::Requests, machine::Machine};

pub(crate) const USERNAME: &str = "chargebee";
pub(crate) const PASSWORD: &str = "9f86d081884c7d659a2feaa0c55ad015";
pub(crate) const WEBHOOK_SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

pub(crate) const STRIPE_SECRET: &str = "whsec_4bf4e2a1c9d84f6b8a7e";

const DAY: i64 = 24 * 60 * 60;

/// What differs from one event to the next.
#[derive(Clone, Debug)]
pub(crate) struct News {
    /// Makes the event's id.
    pub(crate) event: u64,
    pub(crate) organization: String,
    pub(crate) customer: String,
    pub(crate) subscription: String,
    pub(crate) version: i64,
    pub(crate) seats: i64,
    pub(crate) price: &'static str,
    /// Whether something waits for the period's end, of which only the provider can tell more.
    pub(crate) scheduled: bool,
}

/// A text with holes in it.
pub(crate) struct Template(Vec<(String, Option<Hole>)>);

#[derive(Clone, Copy, Debug)]
enum Hole {
    Event,
    Organization,
    Customer,
    Subscription,
    Version,
    Seats,
    Price,
    Scheduled,
}

const HOLES: [(&str, Hole); 8] = [
    ("@event@", Hole::Event),
    ("@organization@", Hole::Organization),
    ("@customer@", Hole::Customer),
    ("@subscription@", Hole::Subscription),
    ("\"@version@\"", Hole::Version),
    ("\"@seats@\"", Hole::Seats),
    ("@price@", Hole::Price),
    ("\"@scheduled@\"", Hole::Scheduled),
];

impl Template {
    fn of(document: &Value) -> Self {
        let text = document.to_string();
        let mut rest = text.as_str();
        let mut pieces = Vec::new();
        while let Some((at, mark, hole)) =
            HOLES.iter().filter_map(|(mark, hole)| Some((rest.find(mark)?, mark, *hole))).min_by_key(|(at, ..)| *at)
        {
            pieces.push((rest[..at].to_owned(), Some(hole)));
            rest = &rest[at + mark.len()..];
        }
        pieces.push((rest.to_owned(), None));
        Self(pieces)
    }

    pub(crate) fn fill(&self, news: &News) -> Vec<u8> {
        let mut text = String::with_capacity(6 * 1024);
        for (before, hole) in &self.0 {
            text.push_str(before);
            match hole {
                None => {}
                Some(Hole::Event) => text.push_str(&event_id(news.event)),
                Some(Hole::Organization) => text.push_str(&news.organization),
                Some(Hole::Customer) => text.push_str(&news.customer),
                Some(Hole::Subscription) => text.push_str(&news.subscription),
                Some(Hole::Version) => text.push_str(&news.version.to_string()),
                Some(Hole::Seats) => text.push_str(&news.seats.to_string()),
                Some(Hole::Price) => text.push_str(news.price),
                Some(Hole::Scheduled) => text.push_str(if news.scheduled { "true" } else { "false" }),
            }
        }
        text.into_bytes()
    }
}

/// An id of which neighbours lie far apart, as the providers make them.
pub(crate) fn event_id(number: u64) -> String {
    format!("ev_{:016x}", (number + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15))
}

/// Who sends deliveries.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Sender {
    Chargebee,
    Stripe,
    Scalekit,
}

impl Sender {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Chargebee => tollkeeper_chargebee::NAME,
            Self::Stripe => tollkeeper_stripe::NAME,
            Self::Scalekit => "scalekit",
        }
    }

    /// Its deliveries, about 4.5 KB each.
    pub(crate) fn template(self) -> Template {
        match self {
            Self::Chargebee => chargebee(),
            Self::Stripe => stripe(),
            Self::Scalekit => scalekit(),
        }
    }

    /// Adds a delivery as it goes out; where it is signed, it is signed now.
    pub(crate) fn push(self, requests: &mut Requests, event: u64, body: &[u8]) {
        match self {
            Self::Chargebee => push_chargebee(requests, body),
            Self::Stripe => push_stripe(requests, body),
            Self::Scalekit => push_scalekit(requests, event, body),
        }
    }
}

fn push_chargebee(requests: &mut Requests, body: &[u8]) {
    let credentials = STANDARD.encode(format!("{USERNAME}:{PASSWORD}"));
    let head = format!(
        "POST /api/webhooks/chargebee HTTP/1.1\r\nhost: bench.test\r\nuser-agent: ChargebeeWebhooks\r\n\
         content-type: application/json;charset=UTF-8\r\nauthorization: Basic {credentials}\r\n"
    );
    requests.push(&head, body);
}

fn push_scalekit(requests: &mut Requests, event: u64, body: &[u8]) {
    let (id, at) = (event_id(event), Machine.machine_now().as_unix_seconds());
    let key = STANDARD.decode(WEBHOOK_SECRET.trim_start_matches("whsec_")).expect("the secret is base64");
    let mut mac = Hmac::<Sha256>::new_from_slice(&key).expect("HMAC takes keys of any length");
    mac.update(format!("{id}.{at}.").as_bytes());
    mac.update(body);
    let signature = STANDARD.encode(mac.finalize().into_bytes());
    let head = format!(
        "POST /api/webhooks/scalekit HTTP/1.1\r\nhost: bench.test\r\ncontent-type: application/json\r\n\
         webhook-id: {id}\r\nwebhook-timestamp: {at}\r\nwebhook-signature: v1,{signature}\r\n"
    );
    requests.push(&head, body);
}

fn push_stripe(requests: &mut Requests, body: &[u8]) {
    let at = Machine.machine_now().as_unix_seconds();
    let mut mac = Hmac::<Sha256>::new_from_slice(STRIPE_SECRET.as_bytes()).expect("HMAC takes keys of any length");
    mac.update(format!("{at}.").as_bytes());
    mac.update(body);
    let signature = hex::encode(mac.finalize().into_bytes());
    let head = format!(
        "POST /api/webhooks/stripe HTTP/1.1\r\nhost: bench.test\r\nuser-agent: Stripe/1.0\r\n\
         content-type: application/json; charset=utf-8\r\nstripe-signature: t={at},v1={signature}\r\n"
    );
    requests.push(&head, body);
}

fn stripe() -> Template {
    let now = Machine.now().as_unix_seconds();
    let subscription = subscription_of_stripe("@subscription@", "@customer@", json!("@seats@"), "@price@", true);
    Template::of(&json!({
        "id": "@event@", "object": "event", "api_version": "2026-10-28.endive", "created": now,
        "type": "customer.subscription.updated", "livemode": false, "pending_webhooks": 1,
        "request": { "id": null, "idempotency_key": null },
        "data": {
            "object": subscription,
            "previous_attributes": { "latest_invoice": "in_1QBxYzLkdIwHu7ixraBm864M" },
        },
    }))
}

/// A running subscription in Stripe's words; `padded` makes it as long as one whose product and metadata say much.
pub(crate) fn subscription_of_stripe(id: &str, customer: &str, seats: Value, price: &str, padded: bool) -> Value {
    let now = Machine.now().as_unix_seconds();
    let (begun, start, end) = (now - 400 * DAY, now - 5 * DAY, now + 25 * DAY);
    let mut metadata = json!({});
    for n in 0..if padded { 20 } else { 0 } {
        metadata[format!("note_{n:02}")] =
            json!(format!("a value of note {n:02} as products keep some here, cost centre 4711"));
    }
    let price = json!({
        "id": price, "object": "price", "active": true, "billing_scheme": "per_unit", "created": begun,
        "currency": "usd", "custom_unit_amount": null, "livemode": false, "lookup_key": "growth_monthly",
        "metadata": {}, "nickname": "Growth monthly", "product": "prod_growth",
        "recurring": { "interval": "month", "interval_count": 1, "meter": null, "usage_type": "licensed" },
        "tax_behavior": "unspecified", "tiers_mode": null, "transform_quantity": null, "type": "recurring",
        "unit_amount": 4900, "unit_amount_decimal": "4900",
    });
    json!({
        "id": id, "object": "subscription", "application": null, "application_fee_percent": null,
        "automatic_tax": { "disabled_reason": null, "enabled": false, "liability": null },
        "billing_cycle_anchor": begun, "billing_mode": { "type": "flexible", "flexible": { "proration_discounts": "included" } },
        "billing_thresholds": null, "cancel_at": null, "cancel_at_period_end": false, "canceled_at": null,
        "cancellation_details": { "comment": null, "feedback": null, "reason": null },
        "collection_method": "charge_automatically", "created": begun, "currency": "usd", "customer": customer,
        "days_until_due": null, "default_payment_method": "pm_1MqLiJLkdIwHu7ixUEgbFdYF", "default_source": null,
        "default_tax_rates": [], "description": null, "discounts": [], "ended_at": null,
        "invoice_settings": { "account_tax_ids": null, "issuer": { "type": "self" } },
        "items": { "object": "list", "has_more": false, "total_count": 1, "url": "/v1/subscription_items", "data": [{
            "id": "si_OTgvBkCRTnNFh1", "object": "subscription_item", "billing_thresholds": null, "created": begun,
            "current_period_start": start, "current_period_end": end, "discounts": [], "metadata": {}, "price": price,
            "quantity": seats, "subscription": id, "tax_rates": [],
        }] },
        "latest_invoice": "in_1QCyZzLkdIwHu7ixXYZ0864M", "livemode": false, "metadata": metadata,
        "next_pending_invoice_item_invoice": null, "on_behalf_of": null, "pause_collection": null,
        "payment_settings": { "payment_method_options": null, "payment_method_types": null, "save_default_payment_method": "off" },
        "pending_invoice_item_interval": null, "pending_setup_intent": null, "pending_update": null, "schedule": null,
        "start_date": begun, "status": "active", "test_clock": null, "transfer_data": null, "trial_end": null,
        "trial_settings": { "end_behavior": { "missing_payment_method": "create_invoice" } }, "trial_start": null,
    })
}

fn chargebee() -> Template {
    let now = Machine.now().as_unix_seconds();
    let (begun, start, end) = (now - 400 * DAY, now - 5 * DAY, now + 25 * DAY);
    let address = json!({
        "first_name": "Jane", "last_name": "Doe", "email": "billing@acme.test", "company": "Acme Inc",
        "phone": "+1 202 555 0143", "line1": "1600 Long Avenue", "line2": "Building 7, third floor", "city": "Springfield",
        "state_code": "IL", "state": "Illinois", "country": "US", "zip": "62701", "validation_status": "not_validated",
        "object": "billing_address",
    });
    let subscription = json!({
        "id": "@subscription@", "customer_id": "@customer@", "status": "active", "object": "subscription",
        "billing_period": 1, "billing_period_unit": "month", "auto_collection": "on", "channel": "web",
        "created_at": begun, "started_at": begun, "activated_at": begun, "updated_at": now,
        "current_term_start": start, "current_term_end": end, "next_billing_at": end,
        "has_scheduled_changes": "@scheduled@", "has_scheduled_advance_invoices": false,
        "create_pending_invoices": false, "decommissioned": false, "deleted": false,
        "resource_version": "@version@", "currency_code": "USD", "due_invoices_count": 0, "mrr": 24500,
        "exchange_rate": 1, "base_currency_code": "USD",
        "subscription_items": [{
            "item_price_id": "@price@", "item_type": "plan", "quantity": "@seats@", "unit_price": 4900,
            "amount": 24500, "free_quantity": 0, "object": "subscription_item",
        }],
        "meta_data": { "organizationId": "@organization@" },
    });
    let customer = json!({
        "id": "@customer@", "company": "Acme Inc", "email": "billing@acme.test", "auto_collection": "on",
        "net_term_days": 0, "allow_direct_debit": false, "created_at": begun, "created_from_ip": "203.0.113.7",
        "taxability": "taxable", "updated_at": now, "pii_cleared": "active", "channel": "web",
        "resource_version": now * 1000 + 7, "deleted": false, "object": "customer", "card_status": "valid",
        "primary_payment_source_id": "pm_16BdDXSlbu4uV1Ee6", "billing_address": address,
        "payment_method": {
            "object": "payment_method", "type": "card", "reference_id": "tok_16BdDXSlbu4uV1Ee6",
            "gateway": "chargebee", "gateway_account_id": "gw_16BdDXSlbu4uV1Ee6", "status": "valid",
        },
        "promotional_credits": 0, "refundable_credits": 0, "excess_payments": 0, "unbilled_charges": 0,
        "preferred_currency_code": "USD", "mrr": 24500, "locale": "en",
        "meta_data": { "organizationId": "@organization@", "customerType": "organization" },
    });
    let line_item = json!({
        "id": "li_@event@", "date_from": start, "date_to": end, "unit_amount": 4900, "quantity": "@seats@",
        "amount": 24500, "pricing_model": "per_unit", "is_taxed": false, "tax_amount": 0,
        "object": "line_item", "subscription_id": "@subscription@", "customer_id": "@customer@",
        "description": "Growth USD Monthly", "entity_type": "plan_item_price", "entity_id": "@price@",
        "tax_exempt_reason": "tax_not_configured", "discount_amount": 0, "item_level_discount_amount": 0,
        "metered": false,
    });
    let invoice = json!({
        "id": "INV-@event@", "customer_id": "@customer@", "subscription_id": "@subscription@", "recurring": true,
        "status": "paid", "price_type": "tax_exclusive", "date": start, "due_date": start, "net_term_days": 0,
        "exchange_rate": 1, "total": 24500, "amount_paid": 24500, "amount_adjusted": 0, "write_off_amount": 0,
        "credits_applied": 0, "amount_due": 0, "paid_at": start, "updated_at": start, "deleted": false,
        "resource_version": now * 1000 + 5, "object": "invoice", "first_invoice": false, "amount_to_collect": 0,
        "round_off_amount": 0, "has_advance_charges": false, "currency_code": "USD", "generated_at": start,
        "base_currency_code": "USD", "is_gifted": false, "term_finalized": true, "channel": "web", "tax": 0,
        "line_items": [line_item],
        "sub_total": 24500, "billing_address": address, "applied_credits": [], "dunning_attempts": [],
        "linked_payments": [{
            "txn_id": "txn_@event@", "applied_amount": 24500, "applied_at": start, "txn_status": "success",
            "txn_date": start, "txn_amount": 24500,
        }],
        "adjustment_credit_notes": [], "issued_credit_notes": [], "linked_orders": [],
    });
    Template::of(&json!({
        "id": "@event@", "occurred_at": now, "source": "scheduled_job", "object": "event", "api_version": "v2",
        "event_type": "subscription_renewed", "webhook_status": "scheduled",
        "webhooks": [{ "id": "whv2_16BdDXSlbu4uV1Ee6", "webhook_status": "scheduled", "object": "webhook" }],
        "content": { "subscription": subscription, "customer": customer, "invoice": invoice },
    }))
}

fn scalekit() -> Template {
    let now = Machine.now().to_string();
    let attributes: serde_json::Map<_, _> = (0..24)
        .map(|n| {
            (
                format!("attribute_{n:02}"),
                json!(format!("a value of attribute {n:02} as products keep some here, cost centre 4711")),
            )
        })
        .collect();
    Template::of(&json!({
        "spec_version": "1", "id": "@event@", "type": "user.organization_membership_updated", "object": "OrgMembership",
        "occurred_at": now, "environment_id": "env_1234567890", "organization_id": "@organization@",
        "data": {
            "organization": {
                "id": "@organization@", "create_time": now, "display_name": "Acme Corp", "external_id": "ext_1",
                "metadata": null, "region_code": "US", "update_time": now,
                "settings": { "features": [{ "enabled": true, "name": "sso" }, { "enabled": true, "name": "dir_sync" }] },
            },
            "user": {
                "create_time": now, "email": "john.doe@acme.test", "external_id": "ext_123456789",
                "id": "usr_123456789", "metadata": {}, "update_time": now,
                "user_profile": {
                    "custom_attributes": attributes, "email_verified": true, "family_name": "Doe", "given_name": "John",
                    "external_identities": [{
                        "connection_id": "conn_97896332307464201", "connection_provider": "GOOGLE",
                        "connection_type": "OAUTH", "connection_user_id": "105055379523565727691", "created_time": now,
                        "is_social": true, "last_login_time": now, "last_synced_time": now, "raw_attributes": "{}",
                        "updated_time": now,
                    }],
                    "gender": "", "locale": "", "metadata": {}, "name": "John Doe", "phone_number": "",
                    "phone_number_verified": false, "picture": "https://cdn.acme.test/a/abcdef", "preferred_username": "",
                },
            },
        },
        "display_name": "User Organization Membership Updated",
    }))
}
