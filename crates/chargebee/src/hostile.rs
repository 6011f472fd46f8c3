//! What Chargebee would never send, sent to everything that reads: errors are errors, and nothing panics.

use std::sync::LazyLock;

use bytes::Bytes;
use proptest::prelude::*;
use serde_json::{Value, json};
use tollkeeper_core::{
    ports::{Inbound, Verified},
    snapshot::Origin,
    status::Status,
    time::Timestamp,
};
use tollkeeper_testkit::hostile::{any_json, nearly};

use crate::{
    Chargebee, Config, checkout, customer, quote,
    snapshot::{self, Beside},
    wire,
};

fn subscription() -> Value {
    json!({
        "id": "sub_1", "customer_id": "org_acme", "status": "active", "currency_code": "USD", "deleted": false,
        "resource_version": 1000, "updated_at": 1, "current_term_start": 1, "current_term_end": 900, "trial_end": 5,
        "cancelled_at": 900, "cancel_schedule_created_at": 3, "pause_date": 900, "due_since": 4, "due_invoices_count": 1,
        "has_scheduled_changes": true, "changes_scheduled_at": 900, "meta_data": { "subscriptionId": "tks_1" },
        "subscription_items": [
            { "item_price_id": "growth", "item_type": "plan", "quantity": 5, "unit_price": 1, "amount": 5 },
            { "item_price_id": "odd", "item_type": "addon", "quantity_in_decimal": "2.50" } ],
    })
}

fn answer() -> Value {
    json!({ "subscription": subscription(), "customer": { "id": "org_acme", "company": "Acme", "meta_data": {} },
        "invoice": { "amount_paid": 1, "amount_due": 2 } })
}

fn invoice() -> Value {
    json!({ "id": "INV-1", "status": "payment_due", "date": 1, "due_date": 2, "next_retry_at": 3,
        "dunning_status": "in_progress", "line_items": [{ "subscription_id": "sub_1" }], "dunning_attempts": [{}, {}] })
}

fn estimate() -> Value {
    let lines = json!([{ "description": "Growth", "amount": 10, "discount_amount": 1, "date_from": 1, "date_to": 2 }]);
    let taxes = json!([{ "name": "VAT", "amount": 2 }]);
    json!({ "estimate": {
        "created_at": 5, "subscription_estimate": { "currency_code": "USD", "next_billing_at": 9 },
        "invoice_estimate": { "currency_code": "USD", "amount_due": 1, "line_items": lines, "taxes": taxes },
        "next_invoice_estimate": { "currency_code": "USD", "amount_due": 1 },
        "credit_note_estimates": [{ "type": "refundable", "total": 2, "amount_available": 1, "line_items": lines }] } })
}

fn page() -> Value {
    json!({ "hosted_page": {
        "id": "hp_1", "url": "https://pay", "state": "succeeded", "created_at": 1, "expires_at": 2,
        "pass_thru_content": "{\"subscriptionId\":\"tks_1\"}",
        "content": { "subscription": { "id": "sub_1" }, "customer": { "id": "org_acme" } } } })
}

fn event() -> Value {
    json!({ "id": "ev_1", "event_type": "subscription_changed", "occurred_at": 5, "content": {
        "subscription": subscription(), "customer": { "id": "org_acme", "meta_data": {} }, "invoice": invoice(),
        "unbilled_charges": [{ "subscription_id": "sub_1" }], "impacted_subscription": { "subscription_ids": ["s"] } } })
}

static CHARGEBEE: LazyLock<Chargebee> = LazyLock::new(|| {
    // Another test of this process may have installed it already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let config = Config { site: "acme".into(), api_key: "key".into(), insecure_webhooks: true, ..Config::default() };
    Chargebee::new(config).unwrap()
});

/// Whether an instant survives being written down.
fn has_a_date(instant: Timestamp) -> bool {
    instant.to_string().parse::<Timestamp>().is_ok_and(|read| read == instant)
}

#[test]
fn the_undamaged_documents_are_read() {
    let answer: wire::SubscriptionAnswer = serde_json::from_value(answer()).unwrap();
    assert!(answer.customer.is_some() && answer.invoice.unwrap().0 == Some(3));
    let invoice: wire::Invoice = serde_json::from_value(invoice()).unwrap();
    assert!(snapshot::dues(&answer.subscription, &[invoice]).is_some());
    let estimate: wire::EstimateAnswer = serde_json::from_value(estimate()).unwrap();
    assert!(quote::quote(&estimate.estimate, None).is_some());
    let page: wire::HostedPageAnswer = serde_json::from_value(page()).unwrap();
    assert!(checkout::page(&page.hosted_page, None).is_some());
}

proptest! {
    #[test]
    fn no_subscription_makes_it_panic(now in nearly(answer), then in nearly(answer), invoices in proptest::collection::vec(nearly(invoice), 0..3)) {
        let Ok(now) = serde_json::from_value::<wire::SubscriptionAnswer>(now) else { return Ok(()) };
        let invoices: Vec<wire::Invoice> = invoices.into_iter().filter_map(|it| serde_json::from_value(it).ok()).collect();
        let subscription = &now.subscription;
        let _ = invoices.iter().any(|invoice| invoice.bills(&subscription.id));
        let scheduled = serde_json::from_value::<wire::SubscriptionAnswer>(then)
            .ok()
            .and_then(|then| snapshot::scheduled(subscription, &then.subscription));
        let beside = Beside { dues: snapshot::dues(subscription, &invoices), scheduled };
        let made = snapshot::snapshot(subscription, now.customer.as_ref(), beside, Origin::Fetched, None);
        let _ = (Status::of(&made), made.seats());
        let instants = [made.period_start, made.period_end, made.trial_end, made.cancel_at, made.pause_at, Some(made.observed_at)];
        let beside = [made.dues.map(|dues| dues.since), made.scheduled.map(|change| change.at)];
        prop_assert!(instants.into_iter().chain(beside).flatten().all(has_a_date));
    }

    #[test]
    fn no_estimate_makes_it_panic(document in nearly(estimate)) {
        let Ok(answer) = serde_json::from_value::<wire::EstimateAnswer>(document) else { return Ok(()) };
        if let Some(quote) = quote::quote(&answer.estimate, None) {
            let written = serde_json::to_string(&quote).unwrap();
            prop_assert_eq!(serde_json::from_str::<tollkeeper_core::ports::Quote>(&written).unwrap(), quote);
        }
    }

    #[test]
    fn no_page_or_customer_makes_it_panic(document in nearly(page)) {
        if let Ok(answer) = serde_json::from_value::<wire::HostedPageAnswer>(document.clone()) {
            let page = checkout::page(&answer.hosted_page, Some(Timestamp::from_unix_seconds(5)));
            prop_assert!(page.is_none_or(|page| has_a_date(page.expires_at)));
        }
        let Some(members) = document["hosted_page"].as_object() else { return Ok(()) };
        let mut customer = Value::from(members.clone());
        customer["company"] = customer["state"].clone();
        customer["meta_data"] = customer["pass_thru_content"].clone();
        if let Ok(row) = serde_json::from_value::<wire::Customer>(customer) {
            prop_assert!(customer::record(row).display_name.is_none_or(|name| !name.is_empty()));
        }
    }

    #[test]
    fn no_delivery_makes_it_panic(document in nearly(event)) {
        let chargebee = &*CHARGEBEE;
        let verified = Verified::vouched(chargebee.source(), Bytes::from(document.to_string()));
        let (envelope, decoded) = (chargebee.envelope(&verified), chargebee.decode(&verified));
        prop_assert_eq!(envelope.is_ok(), decoded.is_ok());
        if let Ok(hint) = decoded {
            prop_assert!(hint.occurred_at.is_none_or(has_a_date));
        }
    }

    #[test]
    fn no_failure_makes_it_panic(status in 300_u16..=599, retry_after in proptest::option::of(any::<String>()), body in any_json()) {
        let attempt = crate::error::Attempt { operation: "read", writes: false };
        let status = http::StatusCode::from_u16(status).unwrap();
        let error = attempt.refused(status, retry_after.as_deref(), None, body.to_string().as_bytes());
        prop_assert!(error.message.chars().count() <= 600 && !error.message.contains('@'));
    }
}
