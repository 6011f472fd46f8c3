use std::sync::LazyLock;

use bytes::Bytes;
use proptest::prelude::*;
use serde_json::{Value, json};
use tollkeeper_chargebee::Chargebee;
use tollkeeper_core::{
    ports::{Content, DecodeError, Hint, Inbound, Subject, Verified},
    snapshot::{Origin, Snapshot},
    status::Status,
    time::Timestamp,
};

use crate::{contracts::Contracts, fake::offline};

fn vouched(body: impl Into<Bytes>) -> Verified {
    Verified::vouched("chargebee".into(), body.into())
}

fn decode(body: impl Into<Bytes>) -> Result<Hint, DecodeError> {
    offline().decode(&vouched(body))
}

fn delivered(contracts: &Contracts, event: &str) -> Snapshot {
    match decode(contracts.event(event)).unwrap().content {
        Some(Content::Subscription(snapshot)) => *snapshot,
        other => panic!("{event}: {other:?}"),
    }
}

#[test]
fn every_recorded_delivery_is_about_the_right_subject() {
    let Some(contracts) = Contracts::open("deliveries") else { return };
    let chargebee = offline();
    let names = contracts.events();
    assert!(names.len() >= 40, "{}", names.len());
    for name in names {
        let body = contracts.event(&name);
        let event: Value = serde_json::from_slice(&body).unwrap();
        let verified = vouched(body);
        let envelope = chargebee.envelope(&verified).unwrap();
        let expected = match name.as_str() {
            "customer_created"
            | "customer_changed"
            | "customer_deleted"
            | "payment_source_added"
            | "payment_source_deleted"
            | "payment_source_expiring"
            | "invoice_generated.one_time" => Subject::Customer("cus_acme".into()),
            "subscription_created.active" => Subject::Subscription("sub_acme_2".into()),
            "subscription_created.future" | "subscription_started" => Subject::Subscription("sub_acme_future".into()),
            _ => Subject::Subscription("sub_acme_1".into()),
        };
        assert_eq!(envelope.subject, expected, "{name}");
        assert_eq!(envelope.event_id.as_str(), event["id"], "{name}");
        assert_eq!(envelope.event_type, event["event_type"].as_str().unwrap(), "{name}");
        assert_eq!(envelope.occurred_at.unwrap().as_unix_seconds(), event["occurred_at"], "{name}");
        assert_eq!(envelope.content, None, "{name}: an envelope carries no content");

        let decoded = chargebee.decode(&verified).unwrap();
        assert_eq!(Hint { content: None, ..decoded.clone() }, envelope, "{name}");
        let subscription = &event["content"]["subscription"];
        let is_whole = subscription.is_object()
            && subscription["due_since"].is_null()
            && subscription["due_invoices_count"] == 0
            && subscription["has_scheduled_changes"] == false;
        match decoded.content {
            Some(Content::Subscription(snapshot)) => {
                assert!(is_whole, "{name}");
                assert_eq!(snapshot.origin, Origin::Delivered, "{name}");
                assert_eq!(Some(snapshot.observed_at), decoded.occurred_at, "{name}");
                assert_eq!(snapshot.version, subscription["resource_version"].as_i64(), "{name}");
                assert_eq!(snapshot.organization_id, Some("org_acme".into()), "{name}");
                assert_eq!(snapshot.customer_id, "cus_acme".into(), "{name}");
            }
            Some(Content::Customer(id)) => {
                assert!(name.starts_with("customer_"), "{name}");
                assert_eq!(id.as_str(), "cus_acme", "{name}");
            }
            None => assert!(!is_whole && !name.starts_with("customer_"), "{name}"),
            other => panic!("{name}: {other:?}"),
        }
    }
}

#[test]
fn the_tenants_story_reads_as_our_statuses() {
    let Some(contracts) = Contracts::open("statuses") else { return };
    for (event, status) in [
        ("subscription_created.future", Status::Future),
        ("subscription_created.in_trial", Status::InTrial),
        ("subscription_activated", Status::Active),
        ("subscription_cancellation_scheduled", Status::NonRenewing),
        ("subscription_scheduled_cancellation_removed", Status::Active),
        ("subscription_paused", Status::Paused),
        ("subscription_resumed", Status::Active),
        ("subscription_cancelled.by_customer", Status::Cancelled),
        ("subscription_deleted", Status::Cancelled),
    ] {
        let snapshot = delivered(&contracts, event);
        assert_eq!(Status::of(&snapshot), status, "{event}");
    }
}

#[test]
fn a_scheduled_cancellation_says_when_and_since_when() {
    let Some(contracts) = Contracts::open("cancellation") else { return };
    let at = |seconds| Some(Timestamp::from_unix_seconds(seconds));
    let asked = delivered(&contracts, "subscription_cancellation_scheduled");
    assert_eq!((asked.cancel_at, asked.cancelled_at, asked.ended_at), (at(1_771_113_600), at(1_769_385_600), None));
    let over = delivered(&contracts, "subscription_cancelled.by_customer");
    assert_eq!((over.cancel_at, over.cancelled_at, over.ended_at), (None, at(1_769_385_600), at(1_771_113_600)));
}

#[test]
fn seats_items_and_period_are_read() {
    let Some(contracts) = Contracts::open("seats") else { return };
    let snapshot = delivered(&contracts, "subscription_activated");
    assert_eq!(snapshot.seats(), Some(5));
    let plan = snapshot.plan_item().unwrap();
    assert_eq!(
        (plan.item_price_id.as_str(), plan.unit_price, plan.amount),
        ("growth-USD-Monthly", Some(2000), Some(10_000))
    );
    assert_eq!(snapshot.currency, Some("USD".parse().unwrap()));
    assert_eq!(snapshot.period_end, Some(Timestamp::from_unix_seconds(1_771_113_600)));
    assert_eq!(snapshot.trial_end, Some(Timestamp::from_unix_seconds(1_768_435_200)));
}

fn event(event_type: &str, content: Value) -> String {
    json!({ "id": "ev_1", "event_type": event_type, "occurred_at": 5, "content": content }).to_string()
}

#[test]
fn the_subject_is_found_wherever_the_event_names_it() {
    let subscription = |id: &str| Subject::Subscription(id.into());
    let customer = |id: &str| Subject::Customer(id.into());
    let lines = |ids: &[&str]| ids.iter().map(|id| json!({ "subscription_id": id })).collect::<Vec<_>>();
    for (content, expected) in [
        (json!({ "invoice": { "id": "i", "subscription_id": "s" } }), subscription("s")),
        (json!({ "invoice": { "id": "i", "customer_id": "c", "line_items": lines(&["s", "s"]) } }), subscription("s")),
        (json!({ "invoice": { "id": "i", "customer_id": "c", "line_items": lines(&["s", "t"]) } }), customer("c")),
        (json!({ "transaction": { "subscription_id": "s", "customer_id": "c" } }), subscription("s")),
        (json!({ "credit_note": { "customer_id": "c" } }), customer("c")),
        (json!({ "unbilled_charges": lines(&["s"]) }), subscription("s")),
        (json!({ "unbilled_charge": lines(&["s"]) }), subscription("s")),
        (json!({ "impacted_subscription": { "count": 2, "subscription_ids": ["s"] } }), Subject::Other),
        (json!({ "payment_source": { "customer_id": "c" } }), customer("c")),
        (json!({ "subscription": { "id": "a\"b", "customer_id": "c" } }), subscription("a\"b")),
        (json!({ "subscription": { "id": "", "customer_id": "c" } }), customer("c")),
        (json!({ "subscription": { "id": "x".repeat(201) } }), Subject::Other),
        (json!({ "item": { "id": "growth" } }), Subject::Other),
        (json!({ "invoice": 5, "subscription": ["odd"] }), Subject::Other),
        (json!({ "subscription": null, "customer": { "id": "c" } }), customer("c")),
        (json!(null), Subject::Other),
        (json!("text"), Subject::Other),
    ] {
        let body = event("some_event", content);
        let hint = decode(body.clone()).unwrap();
        assert_eq!(hint.subject, expected, "{body}");
    }
}

#[test]
fn a_deleted_customer_is_the_subject_even_with_its_subscriptions() {
    let content = json!({ "customer": { "id": "c" }, "subscription": { "id": "s" }, "subscriptions": [{ "id": "s" }] });
    let hint = decode(event("customer_deleted", content)).unwrap();
    assert_eq!(hint.subject, Subject::Customer("c".into()));
    assert_eq!(hint.content, Some(Content::Customer("c".into())));
}

#[test]
fn a_delivery_without_id_or_type_is_refused() {
    for body in [
        r#"{"event_type":"x"}"#.to_owned(),
        r#"{"id":"ev_1"}"#.to_owned(),
        r#"{"id":"","event_type":"x"}"#.to_owned(),
        r#"{"id":5,"event_type":"x"}"#.to_owned(),
        format!(r#"{{"id":"{}","event_type":"x"}}"#, "e".repeat(201)),
        format!(r#"{{"id":"ev_1","event_type":"{}"}}"#, "e".repeat(201)),
        "[]".to_owned(),
        "not json".to_owned(),
        String::new(),
        "[".repeat(10_000),
    ] {
        assert!(decode(body.clone()).is_err(), "{}", &body[..body.len().min(60)]);
    }
    let odd_time = r#"{"id":"ev_1","event_type":"x","occurred_at":"yesterday"}"#;
    assert_eq!(decode(odd_time).unwrap().occurred_at, None);
}

#[test]
fn incomplete_content_is_left_to_a_fetch() {
    let whole = json!({ "id": "s", "customer_id": "c", "status": "active", "resource_version": 7 });
    let content = |members: Value| {
        let mut subscription = whole.clone();
        for (name, value) in members.as_object().unwrap() {
            subscription[name] = value.clone();
        }
        decode(event("subscription_changed", json!({ "subscription": subscription }))).unwrap().content
    };
    assert!(content(json!({})).is_some());
    for members in [
        json!({ "due_since": 1 }),
        json!({ "due_invoices_count": 1 }),
        json!({ "has_scheduled_changes": true }),
        json!({ "resource_version": null }),
        json!({ "status": null }),
        json!({ "subscription_items": "odd" }),
    ] {
        assert_eq!(content(members.clone()), None, "{members}");
    }
}

static OFFLINE: LazyLock<Chargebee> = LazyLock::new(offline);

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let chargebee = &*OFFLINE;
        let verified = vouched(bytes);
        prop_assert_eq!(chargebee.envelope(&verified).is_ok(), chargebee.decode(&verified).is_ok());
    }

    #[test]
    fn no_damage_to_a_real_delivery_makes_it_panic(place in any::<prop::sample::Index>(), byte in any::<u8>(), cut in any::<bool>()) {
        let content = json!({
            "subscription": { "id": "s", "customer_id": "c", "status": "active", "resource_version": 7, "meta_data": {},
                "subscription_items": [{ "item_price_id": "p", "item_type": "plan", "quantity": 5 }] },
            "customer": { "id": "c", "meta_data": { "organizationId": "o" } },
            "invoice": { "line_items": [{ "subscription_id": "s" }] },
        });
        let mut body = event("subscription_changed", content).into_bytes();
        let place = place.index(body.len());
        if cut { body.truncate(place) } else { body[place] = byte }
        let chargebee = &*OFFLINE;
        let verified = vouched(body);
        prop_assert_eq!(chargebee.envelope(&verified).is_ok(), chargebee.decode(&verified).is_ok());
    }
}
