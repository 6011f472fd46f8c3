//! Every event that can be sent on demand, against the documents of its provider.

use reqwest::Method;
use serde_json::{Value, json};

use crate::contracts::{contract, strangers_in_event};
use crate::schema::strangers;
use crate::stripe_contracts;
use crate::stripe_support::{PAYS, document, text};
use crate::support::{GOOD_CARD, World, eventually};

/// Sends those of the events that the sandbox knows, about nobody and about `org_acme`: the ids of what was sent.
async fn sent(world: &World, events: impl Iterator<Item = &String>) -> Vec<String> {
    let mut ids = Vec::new();
    for event in events {
        for body in [json!({ "event": event }), json!({ "event": event, "organizationId": "org_acme" })] {
            let (status, answer) = world.control(Method::POST, "/sandbox/trigger", body).await;
            assert!(matches!(status, 200 | 400 | 404), "{event}: {status} {answer}");
            if status == 200 {
                ids.push(text(&answer["eventId"]));
            }
        }
    }
    ids
}

fn is_clean(mut found: Vec<String>) {
    found.sort();
    found.dedup();
    assert!(found.is_empty(), "{found:#?}");
}

#[tokio::test]
async fn chargebees_keep_to_its_contract() {
    let (Some(document), Some(catalogue)) =
        (contract("chargebee/openapi.trimmed.json"), contract("chargebee/event-catalog.json"))
    else {
        return;
    };
    let world = World::start().await;
    world.subscribed("ls_1", "scale-plan-monthly", GOOD_CARD).await;
    let ids = sent(&world, catalogue["events"].as_object().unwrap().keys()).await;
    assert!(ids.len() >= 100, "{}", ids.len());
    let mut found = Vec::new();
    for id in ids {
        let event = eventually(&id, || world.receiver.events().into_iter().find(|event| event["id"] == id)).await;
        strangers_in_event(&document, &catalogue, &event, &mut found);
    }
    is_clean(found);
}

#[tokio::test]
async fn stripes_keep_to_its_contract() {
    let (Some(document), Some(known)) = (document(), contract("stripe/event-types.json")) else { return };
    let world = World::start().await;
    world.stripe_subscribed("price_scale_monthly", "3", PAYS).await;
    let mut types = Vec::new();
    names(&known, &mut types);
    let ids = sent(&world, types.iter()).await;
    assert!(ids.len() >= 80, "{}", ids.len());
    let mut found = Vec::new();
    for id in ids {
        let event = eventually(&id, || world.stripe_events().into_iter().find(|event| event["id"] == id)).await;
        stripe_contracts::strangers_in_event(&document["components"]["schemas"], &event, &mut found);
    }
    is_clean(found);
}

/// Every text and every name in a document that looks like the name of an event.
fn names(value: &Value, into: &mut Vec<String>) {
    match value {
        Value::String(name) if name.contains('.') && !name.contains([' ', '/']) => into.push(name.clone()),
        Value::Array(values) => values.iter().for_each(|value| names(value, into)),
        Value::Object(members) => {
            for (name, value) in members {
                names(&Value::from(name.as_str()), into);
                names(value, into);
            }
        }
        _ => {}
    }
    into.sort();
    into.dedup();
}

#[tokio::test]
async fn scalekits_keep_to_its_contract() {
    let Some(document) = contract("scalekit/openapi-subset.json") else { return };
    let world = World::start().await;
    world.done("/sandbox/organizations", json!({ "displayName": "Acme", "id": "org_acme", "externalId": "x" })).await;
    world.done("/sandbox/organizations/org_acme/users", json!({ "email": "ada@acme.test" })).await;
    let schemas = &document["components"]["schemas"];
    let mut found = Vec::new();
    for (event_type, webhook) in document["webhooks"].as_object().unwrap() {
        let ids = sent(&world, [event_type.clone()].iter()).await;
        assert!(!ids.is_empty(), "{event_type}");
        let schema = &webhook["post"]["requestBody"]["content"]["application/json"]["schema"];
        for id in ids {
            let is_it = |body: &Value| body["id"] == id;
            let bodies = || world.receiver.all().into_iter().filter(|one| one.path == "/scalekit");
            let notice = eventually(&id, || bodies().map(|one| one.json()).find(is_it)).await;
            strangers(schemas, schema, &notice, event_type, &mut found);
        }
    }
    // Null in the example of `user.signup`, where the schema knows a text only.
    found.retain(|found| !found.ends_with(".external_id is null"));
    is_clean(found);
}
