//! Every type of event that Chargebee has, as its catalog describes the content.

use std::sync::LazyLock;

use serde_json::{Map, Value, json};
use tollkeeper_chargebee::Chargebee;
use tollkeeper_core::ports::{Content, Hint, Inbound, Subject, Verified};

use crate::{contracts::Contracts, fake::offline};

/// The events that the product lives on, with what each is about when the content names both.
const KNOWN: [(&str, About); 51] = {
    use About::{Customer, Subscription};
    [
        ("subscription_created", Subscription),
        ("subscription_activated", Subscription),
        ("subscription_started", Subscription),
        ("subscription_changed", Subscription),
        ("subscription_renewed", Subscription),
        ("subscription_items_renewed", Subscription),
        ("subscription_cancelled", Subscription),
        ("subscription_cancellation_scheduled", Subscription),
        ("subscription_scheduled_cancellation_removed", Subscription),
        ("subscription_changes_scheduled", Subscription),
        ("subscription_scheduled_changes_removed", Subscription),
        ("subscription_paused", Subscription),
        ("subscription_pause_scheduled", Subscription),
        ("subscription_scheduled_pause_removed", Subscription),
        ("subscription_resumed", Subscription),
        ("subscription_resumption_scheduled", Subscription),
        ("subscription_scheduled_resumption_removed", Subscription),
        ("subscription_reactivated", Subscription),
        ("subscription_deleted", Subscription),
        ("subscription_trial_end_reminder", Subscription),
        ("subscription_trial_extended", Subscription),
        ("subscription_renewal_reminder", Subscription),
        ("subscription_cancellation_reminder", Subscription),
        ("subscription_ramp_created", Subscription),
        ("subscription_ramp_applied", Subscription),
        ("payment_failed", Subscription),
        ("payment_succeeded", Subscription),
        ("payment_refunded", Subscription),
        ("payment_initiated", Subscription),
        ("refund_initiated", Subscription),
        ("payment_due_reminder", Subscription),
        ("payment_source_added", Customer),
        ("payment_source_updated", Customer),
        ("payment_source_deleted", Customer),
        ("payment_source_expiring", Customer),
        ("payment_source_expired", Customer),
        ("dunning_updated", Subscription),
        ("invoice_generated", Subscription),
        ("invoice_updated", Subscription),
        ("invoice_deleted", Subscription),
        ("pending_invoice_created", Subscription),
        ("add_usages_reminder", Subscription),
        ("credit_note_created", Subscription),
        ("credit_note_updated", Subscription),
        ("transaction_created", Subscription),
        ("customer_created", Customer),
        ("customer_changed", Customer),
        ("customer_deleted", Customer),
        ("subscription_entitlements_created", Subscription),
        ("subscription_entitlements_updated", Subscription),
        ("unbilled_charges_created", Subscription),
    ]
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum About {
    Subscription,
    Customer,
}

static OFFLINE: LazyLock<Chargebee> = LazyLock::new(offline);

/// One resource of an event's content: its own id, and whom it belongs to.
fn resource(name: &str) -> Value {
    match name {
        "subscription" | "subscriptions" => json!({ "id": "sub_1", "customer_id": "cus_1", "status": "active" }),
        "customer" => json!({ "id": "cus_1" }),
        "invoice" | "credit_note" => {
            json!({ "id": name, "customer_id": "cus_1", "line_items": [{ "subscription_id": "sub_1" }] })
        }
        "payment_source" | "card" => json!({ "id": name, "customer_id": "cus_1" }),
        _ => json!({ "id": name, "customer_id": "cus_1", "subscription_id": "sub_1" }),
    }
}

fn decode(event_type: &str, content: &Value) -> Hint {
    let body = json!({ "id": "ev_1", "event_type": event_type, "occurred_at": 5, "content": content }).to_string();
    let verified = Verified::vouched("chargebee".into(), body.into());
    let chargebee = &*OFFLINE;
    let (envelope, decoded) = (chargebee.envelope(&verified).unwrap(), chargebee.decode(&verified).unwrap());
    assert_eq!(envelope.subject, decoded.subject, "{event_type}");
    decoded
}

/// The content of a type as the catalog lists it, lists under both names that are in use.
fn contents(entry: &Value) -> [Value; 2] {
    ["", "s"].map(|plural| {
        let members = entry["content"].as_object().unwrap().iter().map(|(name, member)| match &member["array"] {
            Value::Bool(true) => (format!("{name}{plural}"), json!([resource(name)])),
            _ => (name.clone(), resource(name)),
        });
        Value::from(members.collect::<Map<_, _>>())
    })
}

#[test]
fn what_the_product_lives_on_has_its_subject() {
    let Some(contracts) = Contracts::open("known events") else { return };
    let catalog = &contracts.json("event-catalog.json")["events"];
    for (event_type, about) in KNOWN {
        let entry = &catalog[event_type];
        assert!(entry.is_object(), "{event_type} is not in the catalog");
        let expected = match about {
            About::Subscription => Subject::Subscription("sub_1".into()),
            About::Customer => Subject::Customer("cus_1".into()),
        };
        for content in contents(entry) {
            let hint = decode(event_type, &content);
            assert_eq!((hint.event_type.as_str(), &hint.subject), (event_type, &expected), "{content}");
            let is_customer_news = event_type.starts_with("customer_");
            assert_eq!(hint.content == Some(Content::Customer("cus_1".into())), is_customer_news, "{event_type}");
        }
    }
}

#[test]
fn no_type_of_the_catalog_is_an_error_and_what_is_nobodys_is_other() {
    let Some(contracts) = Contracts::open("all events") else { return };
    let catalog = contracts.json("event-catalog.json");
    let catalog = catalog["events"].as_object().unwrap();
    assert!(catalog.len() > 200, "{}", catalog.len());
    for (event_type, entry) in catalog {
        for content in contents(entry) {
            decode(event_type, &content);
            let empty = content.as_object().unwrap().keys().map(|name| (name.clone(), json!({ "id": "x" })));
            decode(event_type, &Value::from(empty.collect::<Map<_, _>>()));
        }
        assert_eq!(decode(event_type, &json!({})).subject, Subject::Other, "{event_type}");
    }
    for event_type in ["item_price_updated", "coupon_created", "brand_new_event"] {
        let hint = decode(event_type, &json!({ "item": { "id": "growth" }, "brand_new": { "id": "x" } }));
        assert_eq!((hint.subject, hint.content), (Subject::Other, None), "{event_type}");
    }
}

#[test]
fn a_deleted_customer_is_not_mistaken_for_one_of_its_subscriptions() {
    let rows = json!([resource("subscription"), { "id": "sub_2", "customer_id": "cus_1", "status": "cancelled" }]);
    let hint = decode("customer_deleted", &json!({ "customer": resource("customer"), "subscriptions": rows }));
    assert_eq!(hint.subject, Subject::Customer("cus_1".into()));
    assert_eq!(hint.content, Some(Content::Customer("cus_1".into())));
}

#[test]
fn an_invoice_for_several_subscriptions_is_about_their_customer() {
    let lines = json!([{ "subscription_id": "sub_1" }, { "subscription_id": "sub_2" }]);
    for event_type in ["invoice_generated", "invoice_updated", "dunning_updated", "payment_due_reminder"] {
        let invoice = json!({ "id": "INV-1", "customer_id": "cus_1", "line_items": lines });
        let hint = decode(event_type, &json!({ "invoice": invoice }));
        assert_eq!(hint.subject, Subject::Customer("cus_1".into()), "{event_type}");
    }
}
