//! Deliveries of both versions, and thin ones.

use std::sync::LazyLock;

use bytes::Bytes;
use proptest::prelude::*;
use serde_json::{Value, json};
use tollkeeper_core::{
    ports::{Content, DecodeError, Hint, Inbound, Subject, Verified},
    time::Timestamp,
};
use tollkeeper_stripe::Stripe;

use crate::{contracts::Contracts, fake::offline};

static OFFLINE: LazyLock<Stripe> = LazyLock::new(offline);

fn vouched(body: impl Into<Bytes>) -> Verified {
    Verified::vouched("stripe".into(), body.into())
}

fn decode(body: impl Into<Bytes>) -> Result<Hint, DecodeError> {
    OFFLINE.decode(&vouched(body))
}

fn event(event_type: &str, object: Value) -> Value {
    json!({ "id": "evt_1", "object": "event", "type": event_type, "created": 1_790_812_800, "livemode": false,
        "data": { "object": object } })
}

fn subject(event_type: &str, object: Value) -> Subject {
    decode(event(event_type, object).to_string()).unwrap().subject
}

fn subscription(id: &str) -> Subject {
    Subject::Subscription(id.into())
}

fn customer(id: &str) -> Subject {
    Subject::Customer(id.into())
}

#[test]
fn an_invoice_names_its_subscription_in_either_version() {
    for object in [
        // 2024-04-10
        json!({ "id": "in_1", "object": "invoice", "customer": "cus_1", "subscription": "sub_1", "paid": true,
            "subscription_details": { "metadata": {} }, "lines": { "data": [{ "price": { "id": "p" }, "proration": true }] } }),
        // 2026-10-28.endive
        json!({ "id": "in_1", "object": "invoice", "customer": "cus_1", "status": "paid", "parent": {
            "type": "subscription_details", "subscription_details": { "subscription": "sub_1", "metadata": {} } } }),
        // either, with the subscription whole
        json!({ "id": "in_1", "object": "invoice", "customer": "cus_1", "subscription": { "id": "sub_1" } }),
        json!({ "id": "in_1", "object": "invoice", "customer": { "id": "cus_1" }, "parent": {
            "subscription_details": { "subscription": { "id": "sub_1", "object": "subscription" } } } }),
        // an upcoming one has no id in older versions
        json!({ "object": "invoice", "customer": "cus_1", "subscription": "sub_1" }),
    ] {
        for event_type in ["invoice.paid", "invoice.payment_failed", "invoice.upcoming"] {
            assert_eq!(subject(event_type, object.clone()), subscription("sub_1"), "{object}");
        }
    }
    for object in [
        json!({ "id": "in_1", "object": "invoice", "customer": "cus_1", "subscription": null }),
        json!({ "id": "in_1", "object": "invoice", "customer": "cus_1", "parent": null }),
        json!({ "id": "in_1", "object": "invoice", "customer": "cus_1", "parent": {
            "type": "quote_details", "quote_details": { "quote": "qt_1" }, "subscription_details": null } }),
    ] {
        assert_eq!(subject("invoice.created", object.clone()), customer("cus_1"), "{object}");
    }
}

#[test]
fn a_subscription_of_either_version_is_the_subject_and_never_the_content() {
    for object in [
        // 2024-04-10
        json!({ "id": "sub_1", "object": "subscription", "customer": "cus_1", "status": "active",
            "current_period_start": 1, "current_period_end": 2, "discount": { "coupon": { "id": "c" } } }),
        // 2026-10-28.endive
        json!({ "id": "sub_1", "object": "subscription", "customer": "cus_1", "status": "brand_new",
            "billing_mode": { "type": "flexible" }, "items": { "data": [{ "current_period_end": 2 }] } }),
    ] {
        for event_type in [
            "customer.subscription.created",
            "customer.subscription.updated",
            "customer.subscription.deleted",
            "customer.subscription.paused",
            "customer.subscription.resumed",
            "customer.subscription.trial_will_end",
            "customer.subscription.pending_update_applied",
            "customer.subscription.brand_new",
        ] {
            let hint = decode(event(event_type, object.clone()).to_string()).unwrap();
            assert_eq!((hint.subject, hint.content), (subscription("sub_1"), None), "{event_type}");
            assert_eq!(hint.event_type, event_type);
            assert_eq!(hint.occurred_at, Some(Timestamp::from_unix_seconds(1_790_812_800)));
        }
    }
}

#[test]
fn everything_else_is_about_what_it_names() {
    for (event_type, object, expected) in [
        (
            "subscription_schedule.updated",
            json!({ "id": "s", "subscription": "sub_1", "customer": "c" }),
            subscription("sub_1"),
        ),
        (
            "subscription_schedule.released",
            json!({ "id": "s", "subscription": null, "released_subscription": "sub_1" }),
            subscription("sub_1"),
        ),
        ("subscription_schedule.canceled", json!({ "id": "s", "subscription": null, "customer": "c" }), customer("c")),
        (
            "checkout.session.completed",
            json!({ "id": "cs_1", "subscription": "sub_1", "customer": "c" }),
            subscription("sub_1"),
        ),
        ("checkout.session.expired", json!({ "id": "cs_1", "subscription": null, "customer": "c" }), customer("c")),
        ("checkout.session.expired", json!({ "id": "cs_1", "subscription": null, "customer": null }), Subject::Other),
        (
            "customer.discount.created",
            json!({ "object": "discount", "customer": "c", "subscription": "sub_1" }),
            subscription("sub_1"),
        ),
        ("customer.tax_id.created", json!({ "id": "txi_1", "object": "tax_id", "customer": "c" }), customer("c")),
        ("payment_method.attached", json!({ "id": "pm_1", "customer": "c" }), customer("c")),
        ("payment_method.detached", json!({ "id": "pm_1", "customer": null }), Subject::Other),
        ("charge.refunded", json!({ "id": "ch_1", "customer": "c" }), Subject::Other),
        ("invoice_payment.paid", json!({ "id": "inpay_1", "invoice": "in_1" }), Subject::Other),
        ("invoiceitem.created", json!({ "id": "ii_1", "customer": "c" }), Subject::Other),
        ("product.updated", json!({ "id": "prod_1" }), Subject::Other),
        ("customer.subscription.updated", json!({ "id": "", "customer": "c" }), customer("c")),
        ("customer.subscription.updated", json!({ "id": "x".repeat(201) }), Subject::Other),
        ("customer.subscription.updated", json!(null), Subject::Other),
        ("invoice.paid", json!(5), Subject::Other),
        ("invoice.paid", json!({ "customer": 5, "subscription": ["odd"], "parent": "odd" }), Subject::Other),
    ] {
        assert_eq!(subject(event_type, object.clone()), expected, "{event_type} {object}");
    }
    let mut detached = event("payment_method.detached", json!({ "id": "pm_1", "customer": null }));
    detached["data"]["previous_attributes"] = json!({ "customer": "cus_1" });
    assert_eq!(decode(detached.to_string()).unwrap().subject, customer("cus_1"));
}

#[test]
fn an_event_about_the_customer_itself_says_so() {
    for event_type in ["customer.created", "customer.updated", "customer.deleted"] {
        let hint = decode(event(event_type, json!({ "id": "cus_1", "object": "customer" })).to_string()).unwrap();
        assert_eq!((hint.subject, hint.content), (customer("cus_1"), Some(Content::Customer("cus_1".into()))));
        let envelope = OFFLINE.envelope(&vouched(event(event_type, json!({ "id": "cus_1" })).to_string())).unwrap();
        assert_eq!(envelope.content, None, "an envelope carries no content");
    }
    let card =
        decode(event("customer.source.expiring", json!({ "id": "card_1", "customer": "cus_1" })).to_string()).unwrap();
    assert_eq!((card.subject, card.content), (customer("cus_1"), None));
}

#[test]
fn a_thin_event_names_what_to_read() {
    let thin = |event_type: &str, kind: &str, id: &str| {
        json!({ "id": "evt_65", "object": "v2.core.event", "type": event_type, "livemode": false,
            "created": "2026-10-28T09:25:02.025Z", "related_object": { "id": id, "type": kind, "url": "/v1/x" },
            "reason": null, "changes": {}, "snapshot_event": "evt_1" })
    };
    let hint = decode(thin("v1.customer.subscription.past_due", "subscription", "sub_1").to_string()).unwrap();
    assert_eq!((hint.event_id.as_str(), hint.subject, hint.content), ("evt_65", subscription("sub_1"), None));
    assert_eq!(hint.occurred_at, Some("2026-10-28T09:25:02.025Z".parse().unwrap()));
    let hint = decode(thin("v1.customer.updated", "customer", "cus_1").to_string()).unwrap();
    assert_eq!((hint.subject, hint.content), (customer("cus_1"), Some(Content::Customer("cus_1".into()))));
    for (event_type, kind) in [("v1.invoice.paid", "invoice"), ("v1.billing.meter.no_meter_found", "billing.meter")] {
        assert_eq!(decode(thin(event_type, kind, "x").to_string()).unwrap().subject, Subject::Other);
    }
    let mut bare = thin("v1.billing.meter.error_report_triggered", "x", "x");
    bare["related_object"] = Value::Null;
    bare["data"] = json!({ "reason": { "error_types": [] } });
    assert_eq!(decode(bare.to_string()).unwrap().subject, Subject::Other);
}

#[test]
fn every_event_that_stripe_knows_is_read() {
    let Some(contracts) = Contracts::open("events") else { return };
    let file = contracts.json("event-types.json");
    let names: Vec<&str> = file["events"].as_object().unwrap().keys().map(String::as_str).collect();
    assert!(names.len() >= 200, "{}", names.len());
    for name in names {
        let object = json!({ "id": "obj_1", "customer": "cus_1", "subscription": "sub_1" });
        let hint = decode(event(name, object).to_string()).unwrap();
        assert_eq!(hint.event_type, name);
        assert_eq!(
            hint.content.is_some(),
            ["customer.created", "customer.updated", "customer.deleted"].contains(&name)
        );
    }
}

#[test]
fn a_delivery_without_id_or_type_is_refused() {
    for body in [
        r#"{"type":"x"}"#.to_owned(),
        r#"{"id":"evt_1"}"#.to_owned(),
        r#"{"id":"","type":"x"}"#.to_owned(),
        r#"{"id":5,"type":"x"}"#.to_owned(),
        format!(r#"{{"id":"{}","type":"x"}}"#, "e".repeat(201)),
        format!(r#"{{"id":"evt_1","type":"{}"}}"#, "e".repeat(201)),
        "[]".to_owned(),
        "not json".to_owned(),
        String::new(),
        "[".repeat(10_000),
    ] {
        assert!(decode(body.clone()).is_err(), "{}", &body[..body.len().min(60)]);
    }
    for created in [json!("yesterday"), json!(null), json!(-1), json!(1e300), json!({}), json!("9999-12-31T23:00:00Z")]
    {
        let body = json!({ "id": "evt_1", "type": "x", "created": created }).to_string();
        assert_eq!(decode(body).unwrap().occurred_at, None, "{created}");
    }
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let verified = vouched(bytes);
        prop_assert_eq!(OFFLINE.envelope(&verified).is_ok(), OFFLINE.decode(&verified).is_ok());
    }

    #[test]
    fn no_damage_to_a_real_delivery_makes_it_panic(place in any::<prop::sample::Index>(), byte in any::<u8>(), cut in any::<bool>()) {
        let object = json!({ "id": "in_1", "object": "invoice", "customer": "cus_1",
            "parent": { "subscription_details": { "subscription": "sub_1" } } });
        let mut body = event("invoice.paid", object).to_string().into_bytes();
        let place = place.index(body.len());
        if cut { body.truncate(place) } else { body[place] = byte }
        let verified = vouched(body);
        prop_assert_eq!(OFFLINE.envelope(&verified).is_ok(), OFFLINE.decode(&verified).is_ok());
    }
}
