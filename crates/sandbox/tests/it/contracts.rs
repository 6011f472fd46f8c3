//! What we speak against what the providers document: names of members, contents of events, encoded requests.
//!
//! The documents are read from `TOLLKEEPER_CONTRACTS`, by default `../shared/contracts` beside the workspace.

use std::{path::PathBuf, sync::OnceLock};

use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    schema::{broken, strangers},
    support::*,
};

/// A document, or `None` where the contracts are not at hand; under `CI=true` that is a failure.
pub(crate) fn contract(name: &str) -> Option<Value> {
    let folder = std::env::var_os("TOLLKEEPER_CONTRACTS").map_or_else(
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/contracts")),
        PathBuf::from,
    );
    match std::fs::read_to_string(folder.join(name)) {
        Ok(text) => Some(serde_json::from_str(&text).unwrap()),
        Err(reason) => {
            assert!(std::env::var("CI").as_deref() != Ok("true"), "{name}: {reason}");
            eprintln!("skipped: {name} is not at hand ({reason})");
            None
        }
    }
}

/// What Chargebee's document does not allow in the answer to a request; `path` is below `/api/v2`.
///
/// Which members are required is a hint there: it comes from the types of a client. And each object says its name.
pub(crate) fn broken_by_chargebee(method: &Method, path: &str, status: u16, body: &Value) -> Vec<String> {
    static DOCUMENT: OnceLock<Option<Value>> = OnceLock::new();
    let Some(document) = DOCUMENT.get_or_init(|| contract("chargebee/openapi.trimmed.json")) else { return Vec::new() };
    let mut found = broken(document, method, path, status, body);
    tolerate(&mut found);
    found
}

/// What Scalekit's document does not allow in the answer to a request. It says nothing of the bodies of refusals.
pub(crate) fn broken_by_scalekit(method: &Method, path: &str, status: u16, body: &Value) -> Vec<String> {
    static DOCUMENT: OnceLock<Option<Value>> = OnceLock::new();
    let Some(document) = DOCUMENT.get_or_init(|| contract("scalekit/openapi-subset.json")) else { return Vec::new() };
    broken(document, method, path, status, body)
}

/// Every object of Chargebee's says its name, beside its documented members; and a page that nobody has finished has
/// no content, in the recorded answer either.
fn tolerate(found: &mut Vec<String>) {
    found.retain(|found| !found.ends_with(".object is unknown") && !found.ends_with("hosted_page.content is missing"));
}

/// `credit_notes` and `subscriptions` are written in the plural where the catalogue has the singular.
fn resource<'c>(content: &'c Value, name: &str) -> Option<&'c Value> {
    content.get(name).or_else(|| content.get(name.strip_suffix('s')?).filter(|entry| entry["array"] == true))
}

/// What an event has in its envelope and its content that Chargebee's document and catalogue do not know.
pub(crate) fn strangers_in_event(document: &Value, catalogue: &Value, event: &Value, found: &mut Vec<String>) {
    let schemas = &document["components"]["schemas"];
    let event_type = event["event_type"].as_str().unwrap();
    strangers(schemas, &schemas["WebhookEvent"], event, event_type, found);
    let known = &catalogue["events"][event_type]["content"];
    assert!(known.is_object(), "{event_type} is not in the catalogue");
    for (name, value) in event["content"].as_object().unwrap() {
        match resource(known, name) {
            Some(entry) => {
                let schema = &schemas[entry["resource"].as_str().unwrap()];
                for one in value.as_array().unwrap_or(&vec![value.clone()]) {
                    strangers(schemas, schema, one, &format!("{event_type}.{name}"), found);
                }
            }
            None => found.push(format!("{event_type}: {name}")),
        }
    }
    tolerate(found);
}

/// A world in which most events have happened.
async fn busy_world() -> World {
    let world = World::start().await;
    world.subscribed("ls_1", "growth-plan-monthly", GOOD_CARD).await;
    world.bill("/customers/org_acme", &[("email", "a@acme.test")]).await;
    world.bill("/customers/org_acme/update_billing_info", &[("billing_address[city]", "Berlin")]).await;
    world.advance(14 * 86_400).await;
    let scale = [
        ("subscription_items[item_price_id][0]", "scale-plan-monthly"),
        ("subscription_items[quantity][0]", "4"),
        ("subscription_items[item_price_id][1]", "extra-projects-monthly"),
    ];
    world.bill("/subscriptions/ls_1/update_for_items", &scale).await;
    let later = [("subscription_items[item_price_id][0]", "starter-plan-monthly"), ("change_option", "end_of_term")];
    world.bill("/subscriptions/ls_1/update_for_items", &later).await;
    world.bill("/subscriptions/ls_1/remove_scheduled_changes", &[]).await;
    world.done("/sandbox/subscriptions/ls_1", json!({ "failNextPayment": true })).await;
    world.advance(40 * 86_400).await;
    let path = "/sandbox/subscriptions/ls_1";
    for body in [
        json!({ "pause": true }),
        json!({ "resume": true }),
        json!({ "cancelAtPeriodEnd": true }),
        json!({ "cancelAtPeriodEnd": false }),
        json!({ "cancel": true }),
    ] {
        world.done(path, body).await;
    }
    world.bill("/subscriptions/ls_1/reactivate", &[]).await;
    world.bill("/subscriptions/ls_1/update_for_items", &[scale[0], ("subscription_items[quantity][0]", "9")]).await;
    world.advance(86_400).await;
    let waits = [("subscription_items[item_price_id][0]", "onboarding"), ("invoice_immediately", "false")];
    world.bill("/subscriptions/ls_1/update_for_items", &waits).await;
    world.bill("/subscriptions/ls_1/update_for_items", &[scale[0]]).await;
    world.done(path, json!({ "failNextPayment": true })).await;
    let renewal = world.subscription("ls_1").await["next_billing_at"].as_i64().unwrap();
    let now = secs(world.get("/sandbox/clock").await["now"].as_str().unwrap());
    world.advance(renewal - now).await;
    world.bill("/hosted_pages/collect_now", &[("customer[id]", "org_acme")]).await;
    world.done(path, json!({ "payDues": true })).await;
    world.page("ls_2", "starter-plan-monthly", &[]).await;
    let once = [("item_prices[item_price_id][0]", "onboarding"), ("customer[id]", "org_acme")];
    let page = world.bill("/hosted_pages/checkout_one_time_for_items", &once).await["hosted_page"].clone();
    world.done("/sandbox/hosted/complete", json!({ "url": page["url"], "card": GOOD_CARD })).await;
    world.bill("/portal_sessions", &[("customer[id]", "org_acme"), ("redirect_url", "http://app.invalid/")]).await;
    world
}

#[tokio::test]
async fn answers_have_only_documented_members() {
    let Some(document) = contract("chargebee/openapi.trimmed.json") else { return };
    let world = busy_world().await;
    let schemas = &document["components"]["schemas"];
    let mut found = Vec::new();
    let lists = [
        ("/customers", "customer", "Customer"),
        ("/subscriptions", "subscription", "Subscription"),
        ("/hosted_pages", "hosted_page", "HostedPage"),
        ("/invoices", "invoice", "Invoice"),
        ("/transactions", "transaction", "Transaction"),
        ("/credit_notes", "credit_note", "CreditNote"),
        ("/items", "item", "Item"),
        ("/item_prices", "item_price", "ItemPrice"),
        ("/events", "event", "Event"),
    ];
    for (path, name, schema) in lists {
        let body = world.read(path, &[("limit", "100")]).await;
        let list = body["list"].as_array().unwrap();
        assert!(!list.is_empty(), "{path}");
        for entry in list {
            assert_eq!(entry[name]["object"], name, "{path}");
            strangers(schemas, &schemas[schema], &entry[name], name, &mut found);
        }
    }
    let session = world.bill("/portal_sessions", &[("customer[id]", "org_acme")]).await;
    strangers(schemas, &schemas["PortalSession"], &session["portal_session"], "portal_session", &mut found);
    tolerate(&mut found);
    found.sort();
    found.dedup();
    assert!(found.is_empty(), "{found:#?}");
}

#[tokio::test]
async fn estimates_have_the_documented_members() {
    let Some(document) = contract("chargebee/openapi.trimmed.json") else { return };
    let world = busy_world().await;
    let schemas = &document["components"]["schemas"];
    let plan = ("subscription_items[item_price_id][0]", "scale-plan-yearly");
    let update = [("subscription[id]", "ls_1"), plan];
    let waits = [("subscription[id]", "ls_1"), plan, ("invoice_immediately", "false")];
    let cancel = [("credit_option_for_current_term_charges", "prorate")];
    let mut answers = vec![world.read("/subscriptions/ls_1/renewal_estimate", &[]).await];
    for (path, form) in [
        ("/estimates/update_subscription_for_items", &update[..]),
        ("/estimates/update_subscription_for_items", &waits[..]),
        ("/estimates/create_subscription_for_items", &update[1..]),
        ("/customers/org_acme/create_subscription_for_items_estimate", &update[1..]),
        ("/subscriptions/ls_1/cancel_subscription_for_items_estimate", &cancel[..]),
    ] {
        answers.push(world.bill(path, form).await);
    }
    let mut found = Vec::new();
    let mut members = std::collections::BTreeSet::new();
    for answer in &answers {
        let estimate = &answer["estimate"];
        strangers(schemas, &schemas["Estimate"], estimate, "estimate", &mut found);
        let filled = |value: &Value| value.as_array().is_none_or(|list| !list.is_empty());
        members.extend(estimate.as_object().unwrap().iter().filter(|(_, value)| filled(value)).map(|(name, _)| name));
        if let Some(recorded) = contract("chargebee/fixtures/responses/estimate.update_subscription.json") {
            let recorded = recorded["estimate"]["next_invoice_estimate"].as_object().unwrap().clone();
            let ours = estimate.get("next_invoice_estimate").into_iter();
            assert!(
                ours.flat_map(|ours| recorded.keys().filter(move |name| ours.get(name).is_none())).next().is_none()
            );
        }
    }
    tolerate(&mut found);
    found.sort();
    found.dedup();
    assert!(found.is_empty(), "{found:#?}");
    for member in ["invoice_estimate", "next_invoice_estimate", "credit_note_estimates", "unbilled_charge_estimates"] {
        assert!(members.iter().any(|name| *name == member), "{member} was never there");
    }
}

#[tokio::test]
async fn events_have_only_documented_contents() {
    let (Some(document), Some(catalogue)) =
        (contract("chargebee/openapi.trimmed.json"), contract("chargebee/event-catalog.json"))
    else {
        return;
    };
    let world = busy_world().await;
    let mut found = Vec::new();
    let mut types = std::collections::BTreeSet::new();
    for event in world.receiver.events() {
        strangers_in_event(&document, &catalogue, &event, &mut found);
        types.insert(event["event_type"].to_string());
    }
    found.sort();
    found.dedup();
    assert!(found.is_empty(), "{found:#?}");
    assert!(types.len() >= 24, "{types:?}");
}

#[tokio::test]
async fn events_have_the_members_of_the_recorded_ones() {
    let world = World::start().await;
    world.subscribed("ls_1", "scale-plan-monthly", GOOD_CARD).await;
    world.bill("/subscriptions/ls_1/delete", &[]).await;
    let form = [
        ("subscription_items[item_price_id][0]", "scale-plan-monthly"),
        ("subscription_items[quantity][0]", "2"),
        ("trial_end", "1768435200"),
    ];
    world.bill("/customers/org_acme/subscription_for_items", &form).await;
    world.advance(50 * 86_400).await;
    for name in ["subscription_created.in_trial", "subscription_activated", "payment_succeeded", "subscription_renewed"]
    {
        let Some(recorded) = contract(&format!("chargebee/fixtures/events/{name}.json")) else { return };
        let event_type = recorded["event_type"].as_str().unwrap();
        let recorded_status = &recorded["content"]["subscription"]["status"];
        let ours = world
            .receiver
            .events()
            .into_iter()
            .find(|event| {
                event["event_type"] == event_type
                    && event["content"]["subscription"]["status"] == *recorded_status
                    && (event_type == "subscription_created" || event["source"] == "scheduled_job")
            })
            .unwrap();
        for (resource, members) in recorded["content"].as_object().unwrap() {
            for member in members.as_object().unwrap().keys() {
                let ours = &ours["content"][resource];
                // The network address of whoever made a customer is not known here.
                assert!(
                    member == "created_from_ip" || member == "email" || ours.get(member).is_some(),
                    "{name}: {resource}.{member}"
                );
            }
        }
    }
}

#[tokio::test]
async fn recorded_requests_are_decoded_as_recorded() {
    let Some(samples) = contract("chargebee/sdk-wire-samples.json") else { return };
    let world = World::start().await;
    let mut sent = 0;
    for (name, sample) in samples.as_object().unwrap() {
        let method: Method = sample["method"].as_str().unwrap().parse().unwrap();
        let mut request = world
            .client
            .request(method, world.url(sample["target"].as_str().unwrap()))
            .body(sample["body"].as_str().unwrap().to_owned());
        for (header, value) in sample["headers"].as_object().unwrap() {
            request = request.header(header, value.as_str().unwrap());
        }
        let (status, _) = answer(request.send().await.unwrap()).await;
        assert_ne!(status, 401, "{name}: the recorded key is ours");
        let log = world.get("/sandbox/requests").await;
        let logged = log["requests"].as_array().unwrap().last().unwrap();
        let decoded = sample["body_decoded"].as_str().unwrap();
        if let Ok(recorded) = serde_json::from_str::<Value>(decoded) {
            assert_eq!(logged["body"], recorded, "{name}");
        } else {
            let pairs = logged["body"].as_object().cloned().unwrap_or_default();
            let mut length = pairs.len().saturating_sub(1);
            for (key, value) in &pairs {
                let pair = format!("{key}={}", value.as_str().unwrap());
                assert!(decoded.contains(&pair), "{name}: {pair}");
                length += pair.len();
            }
            assert_eq!(length, decoded.len(), "{name}: nothing more was recorded");
        }
        sent += 1;
    }
    assert!(sent >= 20);
}

#[tokio::test]
async fn notices_have_the_members_of_the_recorded_ones() {
    let world = World::start().await;
    let id = world.done("/sandbox/organizations", json!({ "displayName": "Acme" })).await["id"].clone();
    let path = format!("/sandbox/organizations/{}", id.as_str().unwrap());
    let user = world.done(&format!("{path}/users"), json!({ "email": "ada@acme.test" })).await;
    world.control(Method::PATCH, &path, json!({ "displayName": "Acme 2" })).await;
    world.control(Method::DELETE, &format!("{path}/users/{}", user["userId"].as_str().unwrap()), Value::Null).await;
    world.control(Method::DELETE, &path, Value::Null).await;
    for kind in [
        "organization.created",
        "organization.updated",
        "organization.deleted",
        "user.organization_membership_created",
        "user.organization_membership_deleted",
    ] {
        let Some(recorded) = contract(&format!("scalekit/payloads/{kind}.json")) else { return };
        let ours = world.receiver.notice(kind).await.json();
        let names = |value: &Value| -> Vec<String> { value.as_object().unwrap().keys().cloned().collect() };
        assert_eq!(names(&ours), names(&recorded), "{kind}");
        assert_eq!(ours["display_name"], recorded["display_name"]);
        assert_eq!(ours["object"], recorded["object"]);
        assert_eq!(names(&ours["data"]), names(&recorded["data"]), "{kind}");
        if let Some(user) = recorded["data"].get("user") {
            assert_eq!(names(&ours["data"]["user"]), names(user), "{kind}");
            assert_eq!(names(&ours["data"]["organization"]), names(&recorded["data"]["organization"]), "{kind}");
        }
    }
}
