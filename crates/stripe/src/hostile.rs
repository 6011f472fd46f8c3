//! What Stripe would never send, sent to everything that reads: errors are errors, and nothing panics.

use std::sync::LazyLock;

use bytes::Bytes;
use proptest::prelude::*;
use serde_json::{Value, json};
use tollkeeper_core::{
    ports::{ChangeWhen, Inbound, Verified},
    snapshot::ItemType,
    status::Status,
    subscription::CheckoutItem,
    time::Timestamp,
};
use tollkeeper_testkit::hostile::{any_json, nearly};

use crate::{Config, Stripe, change, checkout, customer, error, items, pausing, quote, schedule, snapshot, wire};

fn subscription() -> Value {
    json!({
        "id": "sub_1", "customer": { "id": "cus_1", "metadata": {} }, "status": "past_due", "currency": "usd", "created": 1,
        "trial_end": 5, "cancel_at": 900, "cancel_at_period_end": true, "canceled_at": 3, "ended_at": null,
        "collection_method": "charge_automatically", "billing_mode": { "type": "flexible" },
        "pause_collection": { "behavior": "void" },
        "metadata": { "subscriptionId": "tks_1", "pausedBy": "tollkeeper", "pausedFrom": "900" },
        "latest_invoice": invoice(),
        "schedule": { "id": "sub_sched_1", "status": "active", "current_phase": { "start_date": 1, "end_date": 900 },
            "phases": [
                { "start_date": 1, "trial_end": 5, "discounts": [{ "discount": "di_1" }],
                    "items": [{ "price": "growth", "quantity": 5, "tax_rates": [{ "id": "txr_1" }] }] },
                { "start_date": 900, "items": [{ "price": { "id": "scale", "unit_amount": 7 }, "quantity": 2 }] } ] },
        "items": { "data": [
            { "id": "si_1", "price": { "id": "growth", "currency": "usd", "unit_amount": 2, "recurring": {} }, "quantity": 5,
                "current_period_start": 1, "current_period_end": 900 },
            { "id": "si_2", "price": { "id": "calls", "recurring": { "usage_type": "metered" } } } ] },
    })
}

fn invoice() -> Value {
    let details = json!({ "subscription_item_details": { "proration": true } });
    json!({ "id": "in_1", "status": "open", "currency": "usd", "created": 1, "due_date": null, "attempt_count": 2,
        "attempted": true, "next_payment_attempt": 9, "amount_due": 3, "total": 3, "starting_balance": -1,
        "parent": { "subscription_details": { "subscription_proration_date": 4 } },
        "lines": { "data": [
            { "description": "x", "amount": 4, "period": { "start": 4, "end": 900 }, "parent": details,
                "discount_amounts": [{ "amount": 1 }], "taxes": [{ "amount": 1, "tax_behavior": "exclusive" }] },
            { "amount": 9, "period": { "start": 900, "end": 1800 } } ] } })
}

fn session() -> Value {
    json!({ "id": "cs_1", "url": "https://pay", "status": "complete", "created": 1, "expires_at": 2, "customer": "cus_1",
        "subscription": { "id": "sub_1" }, "client_reference_id": "tks_1", "metadata": { "subscriptionId": "tks_1" } })
}

fn event() -> Value {
    json!({ "id": "evt_1", "object": "event", "type": "invoice.paid", "created": 5, "api_version": "2026-10-28.endive",
        "data": { "object": { "id": "in_1", "object": "invoice", "customer": "cus_1",
            "parent": { "subscription_details": { "subscription": "sub_1" } } },
            "previous_attributes": { "customer": "cus_0" } },
        "related_object": { "id": "sub_1", "type": "subscription" } })
}

static STRIPE: LazyLock<Stripe> = LazyLock::new(|| {
    // Another test of this process may have installed it already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let webhook_secrets = vec!["whsec_test".into()];
    Stripe::new(Config { secret_key: "sk_test".into(), webhook_secrets, ..Config::default() }).unwrap()
});

/// Whether an instant survives being written down.
fn has_a_date(instant: Timestamp) -> bool {
    instant.to_string().parse::<Timestamp>().is_ok_and(|read| read == instant)
}

fn wanted() -> Vec<CheckoutItem> {
    let item = |price: &str, item_type| CheckoutItem { price_id: price.into(), quantity: 2, item_type };
    vec![item("scale", ItemType::Plan), item("calls", ItemType::Addon)]
}

fn around(date: Option<i64>) -> quote::Around {
    let at = wire::instant(date);
    quote::Around { period_end: at, ends: false, proration_date: at, now: Some(Timestamp::from_unix_seconds(4)) }
}

#[test]
fn the_undamaged_documents_are_read() {
    let subscription: wire::Subscription = serde_json::from_value(subscription()).unwrap();
    let made = snapshot::snapshot(&subscription, snapshot::dues(&subscription, &[]), None);
    assert!(made.dues.is_some() && made.scheduled.is_some() && made.pause_at.is_some() && made.cancel_at.is_some());
    let invoice: wire::Invoice = serde_json::from_value(invoice()).unwrap();
    assert!(quote::at_once(&invoice, Some(&invoice), around(Some(4))).is_some());
    let session: wire::Session = serde_json::from_value(session()).unwrap();
    assert!(checkout::page(&session, None).is_some());
}

proptest! {
    #[test]
    fn no_subscription_makes_it_panic(document in nearly(subscription), invoices in proptest::collection::vec(nearly(invoice), 0..3)) {
        let Ok(subscription) = serde_json::from_value::<wire::Subscription>(document) else { return Ok(()) };
        let invoices: Vec<wire::Invoice> = invoices.into_iter().filter_map(|it| serde_json::from_value(it).ok()).collect();
        let made = snapshot::snapshot(&subscription, snapshot::dues(&subscription, &invoices), None);
        let _ = (Status::of(&made), made.seats(), pausing::can_stop(&subscription, ChangeWhen::Now, None));
        let instants = [made.period_start, made.period_end, made.trial_end, made.cancel_at, made.pause_at, Some(made.observed_at)];
        let beside = [made.dues.map(|dues| dues.since), made.scheduled.map(|change| change.at)];
        prop_assert!(instants.into_iter().chain(beside).flatten().all(has_a_date));
    }

    #[test]
    fn no_subscription_makes_a_form_panic(document in nearly(subscription)) {
        let Ok(subscription) = serde_json::from_value::<wire::Subscription>(document) else { return Ok(()) };
        let attempt = error::Attempt::write("change subscription");
        let wanted = wanted();
        let form = change::update(attempt, &subscription, &wanted, None).unwrap();
        prop_assert!(form.as_str().bytes().all(|byte| byte.is_ascii_graphic()));
        let held = subscription.schedule.as_ref().and_then(wire::Reference::whole);
        let form = held.and_then(|held| schedule::phases(&subscription, held, &items::in_order(attempt, &wanted).unwrap()));
        prop_assert!(form.is_none_or(|form| form.as_str().contains("end_behavior=release")));
    }

    #[test]
    fn no_preview_makes_it_panic(document in nearly(invoice), date in proptest::option::of(any::<i64>())) {
        let Ok(invoice) = serde_json::from_value::<wire::Invoice>(document) else { return Ok(()) };
        let quotes = [quote::at_once(&invoice, Some(&invoice), around(date)), quote::at_period_end(&invoice, around(date))];
        for quote in quotes.into_iter().flatten() {
            let written = serde_json::to_string(&quote).unwrap();
            prop_assert_eq!(serde_json::from_str::<tollkeeper_core::ports::Quote>(&written).unwrap(), quote);
        }
    }

    #[test]
    fn no_page_or_customer_makes_it_panic(document in nearly(session), reference in any::<String>()) {
        let _ = checkout::PortalReference::read(&format!("portal:{reference}"));
        if let Ok(session) = serde_json::from_value::<wire::Session>(document.clone()) {
            let page = checkout::page(&session, Some(Timestamp::from_unix_seconds(5)));
            prop_assert!(page.is_none_or(|page| has_a_date(page.expires_at)));
        }
        if let Ok(row) = serde_json::from_value::<wire::Customer>(document) {
            prop_assert!(customer::record(row).display_name.is_none_or(|name| !name.is_empty()));
        }
    }

    #[test]
    fn no_delivery_makes_it_panic(document in nearly(event)) {
        let stripe = &*STRIPE;
        let verified = Verified::vouched(stripe.source(), Bytes::from(document.to_string()));
        let (envelope, decoded) = (stripe.envelope(&verified), stripe.decode(&verified));
        prop_assert_eq!(envelope.is_ok(), decoded.is_ok());
        if let Ok(hint) = decoded {
            prop_assert!(hint.occurred_at.is_none_or(has_a_date));
        }
    }

    #[test]
    fn no_failure_makes_it_panic(status in 300_u16..=599, retry_after in proptest::option::of(any::<String>()), body in any_json()) {
        let status = http::StatusCode::from_u16(status).unwrap();
        let body = body.to_string();
        let refusal = error::Refusal { status, retry_after: retry_after.as_deref(), body: body.as_bytes(), ..error::Refusal::default() };
        let error = error::Attempt::read("read").refused(refusal);
        prop_assert!(error.message.chars().count() <= 600 && !error.message.contains('@'));
    }
}
