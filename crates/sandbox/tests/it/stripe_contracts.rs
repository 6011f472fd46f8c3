//! Everything that Stripe's account shows against Stripe's OpenAPI document, events included.
//!
//! Every successful answer of every other test is held against it, too: see `World::stripe`.

use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::{Value, json};

use crate::schema::strangers;
use crate::stripe_support::*;
use crate::support::*;

const DAY: i64 = 86_400;

/// A world in which most of what can happen has happened.
async fn busy_world() -> World {
    let world = World::start().await;
    let (customer, id) = world.stripe_subscribed("price_scale_monthly", "3", PAYS).await;
    let path = format!("/v1/subscriptions/{id}");
    let address = [("address[city]", "Berlin"), ("shipping[name]", "Ada"), ("shipping[address][city]", "Berlin")];
    world.post(&format!("/v1/customers/{customer}"), &address).await;
    world.advance(10 * DAY).await;
    let item = text(&world.stripe_subscription(&id).await["items"]["data"][0]["id"]);
    let update = [("items[0][id]", item.as_str()), ("items[0][quantity]", "5")];
    world.post(&path, &update).await;
    let add = [("subscription", id.as_str()), ("price", "price_extra_projects_monthly"), ("quantity", "2")];
    let extra = text(&world.post("/v1/subscription_items", &add).await["id"]);
    world.post(&format!("/v1/subscription_items/{extra}"), &[("quantity", "3")]).await;
    world.stripe(Method::DELETE, &format!("/v1/subscription_items/{extra}"), &[]).await;
    for pairs in [[("cancel_at_period_end", "true")], [("cancel_at_period_end", "false")]] {
        world.post(&path, &pairs).await;
    }
    world.post(&path, &[("pause_collection[behavior]", "void")]).await;
    world.post(&path, &[("pause_collection", "")]).await;
    world.post(&format!("{path}/pause"), &[]).await;
    world.post(&format!("{path}/resume"), &[]).await;
    world.done(&format!("/sandbox/subscriptions/{id}"), json!({ "failNextPayment": true })).await;
    world.advance(33 * DAY).await;
    world.done(&format!("/sandbox/subscriptions/{id}"), json!({ "payDues": true })).await;
    let schedule = world.post("/v1/subscription_schedules", &[("from_subscription", &id)]).await;
    world.post(&format!("/v1/subscription_schedules/{}/release", text(&schedule["id"])), &[]).await;

    let onboarding = [("customer", customer.as_str()), ("amount", "700"), ("currency", "usd")];
    world.post("/v1/invoiceitems", &onboarding).await;
    let pairs = [("customer", customer.as_str()), ("pending_invoice_items_behavior", "include")];
    let invoice = text(&world.post("/v1/invoices", &pairs).await["id"]);
    world.post(&format!("/v1/invoices/{invoice}/finalize"), &[]).await;
    world.post(&format!("/v1/invoices/{invoice}/mark_uncollectible"), &[]).await;
    world.post(&format!("/v1/invoices/{invoice}/void"), &[]).await;

    let payer = world.stripe_payer("pm_card_visa").await;
    let method = world.look(&format!("/v1/customers/{payer}/payment_methods"), &[]).await;
    let method = text(&method["data"][0]["id"]);
    let pairs = [("customer", payer.as_str()), ("payment_method", &method), ("confirm", "true")];
    world.post("/v1/setup_intents", &pairs).await;
    let more = [("amount", "1200"), ("currency", "usd")];
    world.post("/v1/payment_intents", &[&pairs[..], &more[..]].concat()).await;
    let trial = [
        ("customer", payer.as_str()),
        ("items[0][price]", "price_growth_monthly"),
        ("trial_period_days", "14"),
        ("trial_settings[end_behavior][missing_payment_method]", "pause"),
    ];
    world.post("/v1/subscriptions", &trial).await;
    let challenged = world.stripe_payer("pm_card_authenticationRequired").await;
    let pairs = [
        ("customer", challenged.as_str()),
        ("items[0][price]", "price_scale_monthly"),
        ("items[0][quantity]", "1"),
        ("payment_behavior", "default_incomplete"),
        ("expand[]", "latest_invoice.payments.data.payment.payment_intent"),
    ];
    world.post("/v1/subscriptions", &pairs).await;
    let session = world.session(&payer, "price_starter_monthly", "1", &[]).await;
    world.post(&format!("/v1/checkout/sessions/{}/expire", text(&session["id"])), &[]).await;
    let once = [
        ("mode", "payment"),
        ("customer", payer.as_str()),
        ("line_items[0][price]", "price_onboarding"),
        ("line_items[0][quantity]", "1"),
        ("success_url", "http://app.invalid/done"),
        ("invoice_creation[enabled]", "true"),
    ];
    let session = world.post("/v1/checkout/sessions", &once).await;
    world.done("/sandbox/hosted/complete", json!({ "url": session["url"], "card": PAYS })).await;
    let flow = [
        ("customer", customer.as_str()),
        ("flow_data[type]", "subscription_update_confirm"),
        ("flow_data[subscription_update_confirm][subscription]", id.as_str()),
        ("flow_data[subscription_update_confirm][items][0][id]", item.as_str()),
        ("flow_data[subscription_update_confirm][items][0][quantity]", "4"),
        ("flow_data[after_completion][type]", "redirect"),
        ("flow_data[after_completion][redirect][return_url]", "http://app.invalid/"),
    ];
    world.post("/v1/billing_portal/sessions", &flow).await;
    let features = [("features[invoice_history][enabled]", "true"), ("business_profile[headline]", "Hello")];
    world.post("/v1/billing_portal/configurations", &features).await;
    let product = text(&world.post("/v1/products", &[("name", "New")]).await["id"]);
    let price = [
        ("product", product.as_str()),
        ("currency", "usd"),
        ("billing_scheme", "tiered"),
        ("tiers_mode", "volume"),
        ("tiers[0][up_to]", "inf"),
        ("tiers[0][flat_amount]", "900"),
        ("recurring[interval]", "month"),
        ("currency_options[eur][unit_amount]", "800"),
        ("expand[0]", "tiers"),
        ("expand[1]", "currency_options"),
    ];
    world.post("/v1/prices", &price).await;
    let meter = [("display_name", "Rows"), ("event_name", "rows"), ("default_aggregation[formula]", "count")];
    let meter = text(&world.post("/v1/billing/meters", &meter).await["id"]);
    world.post(&format!("/v1/billing/meters/{meter}/deactivate"), &[]).await;
    let frozen = (START + 60 * DAY).to_string();
    world.post("/v1/test_helpers/test_clocks", &[("frozen_time", &frozen)]).await;
    world
        .stripe(Method::DELETE, &format!("/v1/subscriptions/{id}"), &[("invoice_now", "true"), ("prorate", "true")])
        .await;
    world.advance(20 * DAY).await;
    world
}

#[tokio::test]
async fn every_list_and_every_object_keeps_to_the_contract() {
    let world = busy_world().await;
    for path in [
        "/v1/billing/meters",
        "/v1/billing_portal/configurations",
        "/v1/checkout/sessions",
        "/v1/customers",
        "/v1/events",
        "/v1/invoice_payments",
        "/v1/invoiceitems",
        "/v1/invoices",
        "/v1/payment_intents",
        "/v1/prices",
        "/v1/products",
        "/v1/setup_intents",
        "/v1/subscription_schedules",
        "/v1/subscriptions",
        "/v1/test_helpers/test_clocks",
        "/v1/webhook_endpoints",
    ] {
        let status: &[(&str, &str)] = if path == "/v1/subscriptions" { &[("status", "all")] } else { &[] };
        let pairs = [&[("limit", "100")], status].concat();
        let list = world.look(path, &pairs).await;
        let rows = list["data"].as_array().unwrap();
        assert!(!rows.is_empty(), "{path}");
        for row in rows {
            let one = world.look(&format!("{path}/{}", text(&row["id"])), &[]).await;
            assert_eq!(one["id"], row["id"]);
        }
    }
    for invoice in world.look("/v1/invoices", &[("limit", "100")]).await["data"].as_array().unwrap() {
        world.look(&format!("/v1/invoices/{}/lines", text(&invoice["id"])), &[]).await;
    }
    for intent in world.look("/v1/payment_intents", &[("limit", "100")]).await["data"].as_array().unwrap() {
        if let Some(charge) = intent["latest_charge"].as_str() {
            world.look(&format!("/v1/charges/{charge}"), &[]).await;
        }
    }
}

/// What an event and its object have that the document does not know.
pub(crate) fn strangers_in_event(schemas: &Value, event: &Value, found: &mut Vec<String>) {
    let event_type = event["type"].as_str().unwrap();
    strangers(schemas, &schemas["event"], event, event_type, found);
    let object = &event["data"]["object"];
    let name = match object["object"].as_str().unwrap() {
        kind if object["deleted"] == true => format!("deleted_{kind}"),
        kind => kind.to_owned(),
    };
    assert!(schemas[&name].is_object(), "{event_type}: {name}");
    strangers(schemas, &schemas[&name], object, event_type, found);
}

#[tokio::test]
async fn every_event_has_the_documented_type_and_object() {
    let (Some(document), Some(known)) = (document(), crate::contracts::contract("stripe/event-types.json")) else {
        return;
    };
    let world = busy_world().await;
    let known = known.to_string();
    let schemas = &document["components"]["schemas"];
    let (mut found, mut types) = (Vec::new(), BTreeSet::new());
    for event in world.stripe_events() {
        let event_type = text(&event["type"]);
        assert!(known.contains(&format!("\"{event_type}\"")), "{event_type}");
        strangers_in_event(schemas, &event, &mut found);
        let previous = &event["data"]["previous_attributes"];
        assert!(
            previous.is_null() || event_type.ends_with(".updated") || event_type.ends_with("detached"),
            "{event_type}"
        );
        assert!(!previous.to_string().contains("\"_"), "{previous}");
        types.insert(event_type);
    }
    found.sort();
    found.dedup();
    assert!(found.is_empty(), "{found:#?}");
    assert!(types.len() >= 30, "{types:?}");
}

#[tokio::test]
async fn a_triggered_event_is_about_what_an_organization_has_or_about_nobody() {
    let world = World::start().await;
    let (_, id) = world.stripe_subscribed("price_scale_monthly", "3", PAYS).await;
    let body = json!({ "event": "customer.subscription.trial_will_end", "organizationId": "org_acme" });
    let sent = world.done("/sandbox/trigger", body).await;
    assert_eq!(sent["provider"], "stripe");
    let event = world.stripe_event("customer.subscription.trial_will_end").await;
    assert_eq!((&event["id"], &event["data"]["object"]["id"]), (&sent["eventId"], &json!(id)));
    let sent = world.done("/sandbox/trigger", json!({ "event": "invoice.overdue" })).await;
    let event = world.stripe_event("invoice.overdue").await;
    assert_eq!(event["id"], sent["eventId"]);
    let stranger = text(&event["data"]["object"]["id"]);
    assert_eq!(world.refused(Method::GET, &format!("/v1/invoices/{stranger}"), &[]).await.0, 404);
    let body = json!({ "event": "subscription_schedule.created", "organizationId": "org_none" });
    assert_eq!(world.control(Method::POST, "/sandbox/trigger", body).await.0, 404);
    world.done("/sandbox/reset", Value::Null).await;
    assert_eq!(world.look("/v1/customers", &[]).await["data"], json!([]));
}
