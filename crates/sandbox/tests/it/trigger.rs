//! Events on demand.

use reqwest::Method;
use serde_json::{Value, json};

use crate::contracts::contract;
use crate::support::*;

/// What a product listens to at the billing provider, at the least.
const BILLING: [&str; 38] = [
    "subscription_created",
    "subscription_activated",
    "subscription_started",
    "subscription_changed",
    "subscription_renewed",
    "subscription_items_renewed",
    "subscription_cancelled",
    "subscription_cancellation_scheduled",
    "subscription_scheduled_cancellation_removed",
    "subscription_changes_scheduled",
    "subscription_scheduled_changes_removed",
    "subscription_paused",
    "subscription_pause_scheduled",
    "subscription_scheduled_pause_removed",
    "subscription_resumed",
    "subscription_resumption_scheduled",
    "subscription_scheduled_resumption_removed",
    "subscription_reactivated",
    "subscription_deleted",
    "subscription_trial_end_reminder",
    "subscription_trial_extended",
    "payment_failed",
    "payment_succeeded",
    "payment_refunded",
    "payment_source_added",
    "payment_source_expiring",
    "payment_source_expired",
    "dunning_updated",
    "invoice_generated",
    "invoice_updated",
    "pending_invoice_created",
    "add_usages_reminder",
    "credit_note_created",
    "credit_note_updated",
    "customer_created",
    "customer_changed",
    "customer_deleted",
    "subscription_entitlements_updated",
];

#[tokio::test]
async fn a_test_event_is_about_objects_that_nobody_knows() {
    let world = World::start().await;
    world.subscribed("ls_1", "scale-plan-monthly", GOOD_CARD).await;
    let truth = world.get("/sandbox/truth").await;
    for event in BILLING {
        let answer = world.done("/sandbox/trigger", json!({ "event": event })).await;
        assert_eq!((&answer["provider"], &answer["event"]), (&json!("chargebee"), &json!(event)));
        let id = &answer["eventId"];
        let received =
            eventually(event, || world.receiver.events().into_iter().find(|received| received["id"] == *id)).await;
        assert_eq!((&received["event_type"], &received["source"]), (&json!(event), &json!("admin_console")));
        let text = received["content"].to_string();
        assert!(text.len() > 20, "{event}: {text}");
        assert!(!text.contains("org_acme") && !text.contains("ls_1") && !text.contains("INV-1\""), "{event}: {text}");
    }
    assert_eq!(world.get("/sandbox/truth").await, truth, "nothing is changed by it");
}

#[tokio::test]
async fn an_event_carries_what_the_catalogue_says() {
    let Some(catalogue) = contract("chargebee/event-catalog.json") else { return };
    let world = World::start().await;
    for event in BILLING {
        let answer = world.done("/sandbox/trigger", json!({ "event": event })).await;
        let stored = world.read(&format!("/events/{}", answer["eventId"].as_str().unwrap()), &[]).await;
        let documented = catalogue["events"][event]["content"].as_object().unwrap();
        let content = stored["event"]["content"].as_object().unwrap();
        for name in content.keys() {
            let singular = name.strip_suffix('s').unwrap_or(name);
            assert!(documented.contains_key(name) || documented.contains_key(singular), "{event}: {name}");
        }
    }
}

#[tokio::test]
async fn with_an_organization_it_is_about_what_that_has() {
    let world = World::start().await;
    world.subscribed("ls_1", "scale-plan-monthly", GOOD_CARD).await;
    let send = async |event: &str| {
        let body = json!({ "event": event, "organizationId": "org_acme" });
        let answer = world.done("/sandbox/trigger", body).await;
        let path = format!("/events/{}", answer["eventId"].as_str().unwrap());
        world.read(&path, &[]).await["event"]["content"].clone()
    };
    let renewed = send("subscription_renewed").await;
    assert_eq!(renewed["subscription"], world.subscription("ls_1").await);
    assert_eq!(renewed["customer"]["id"], "org_acme");
    let failed = send("payment_failed").await;
    assert_eq!(
        (&failed["invoice"]["subscription_id"], &failed["subscription"]["id"]),
        (&json!("ls_1"), &json!("ls_1"))
    );
    assert_eq!(failed["transaction"]["linked_invoices"][0]["invoice_id"], failed["invoice"]["id"]);
    assert_eq!(send("payment_source_expiring").await["payment_source"]["customer_id"], "org_acme");
    assert_eq!(send("customer_deleted").await["subscriptions"][0]["id"], "ls_1");
    assert_eq!(world.get("/sandbox/truth").await["customers"][0]["deleted"], false);

    world.bill("/customers", &[("id", "org_new"), ("meta_data", r#"{"organizationId":"org_new"}"#)]).await;
    let refused = [
        (json!({ "event": "subscription_renewed", "organizationId": "org_new" }), 404),
        (json!({ "event": "invoice_generated", "organizationId": "org_new" }), 404),
        (json!({ "event": "customer_changed", "organizationId": "org_no" }), 404),
        (json!({ "event": "organization.updated", "organizationId": "org_no" }), 404),
        (json!({ "event": "subscription_exploded" }), 400),
        (json!({ "event": "customer.subscription.exploded" }), 400),
        (json!({ "event": 1 }), 400),
        (json!({}), 400),
    ];
    for (body, status) in refused {
        let (got, answer) = world.control(Method::POST, "/sandbox/trigger", body.clone()).await;
        assert_eq!(got, status, "{body}: {answer}");
        assert!(answer["error"].is_string());
    }
    let customer = json!({ "event": "customer_changed", "organizationId": "org_new" });
    assert_eq!(world.control(Method::POST, "/sandbox/trigger", customer).await.0, 200);
}

#[tokio::test]
async fn events_of_the_identity_provider_look_as_documented() {
    let Some(catalogue) = contract("scalekit/event-types.json") else { return };
    let world = World::start().await;
    let mut sent = 0;
    for entry in catalogue["documented_events"].as_array().unwrap() {
        let event = entry["type"].as_str().unwrap();
        let (status, answer) = world.control(Method::POST, "/sandbox/trigger", json!({ "event": event })).await;
        if event.starts_with("connected_account.") {
            assert_eq!(status, 400, "{event}");
            continue;
        }
        assert_eq!(status, 200, "{event}: {answer}");
        let notice = world.receiver.notice(event).await.json();
        assert_eq!((&notice["id"], &notice["object"]), (&answer["eventId"], &entry["object"]), "{event}");
        assert_eq!(notice.get("organization_id").is_some(), entry["organization_id_present"] == true, "{event}");
        let documented: Vec<_> = entry["data_keys"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
        for name in notice["data"].as_object().unwrap().keys() {
            assert!(documented.contains(&name.as_str()), "{event}: {name}");
        }
        sent += 1;
    }
    assert_eq!(sent, 32);
}

#[tokio::test]
async fn a_sample_of_an_organization_stays_the_same_person() {
    let world = World::start().await;
    world.done("/sandbox/organizations", json!({ "displayName": "Acme", "id": "org_acme" })).await;
    let person = json!({ "email": "ada@acme.test" });
    let member = world.done("/sandbox/organizations/org_acme/users", person).await;
    let send = async |event: &str| {
        world.done("/sandbox/trigger", json!({ "event": event, "organizationId": "org_acme" })).await;
        world.receiver.notice(event).await.json()
    };
    let created = send("organization.directory.user_created").await;
    let deleted = send("organization.directory.user_deleted").await;
    assert_eq!(created["organization_id"], "org_acme");
    assert_eq!(
        (&created["data"]["id"], &created["data"]["email"]),
        (&deleted["data"]["id"], &deleted["data"]["email"])
    );
    assert_eq!(send("user.signup").await["data"]["user"]["id"], member["userId"]);
    let gone = send("organization.deleted").await;
    assert_eq!((&gone["data"]["display_name"], gone["data"]["deleted_at"].is_string()), (&json!("Acme"), true));
    assert_eq!(world.get("/sandbox/truth").await["organizations"][0]["deleted"], false);
}
