//! Where the account sends its webhooks.

use serde_json::{Value, json};
use tollkeeper_core::ports::ErrorKind;
use tollkeeper_stripe::wanted_events;

use crate::{
    contracts::Contracts,
    fake::{Fake, list, page, refusal},
};

fn endpoint(id: &str, status: &str, events: &[&str]) -> Value {
    json!({ "id": id, "object": "webhook_endpoint", "url": "https://app.test/stripe/webhook", "status": status,
        "enabled_events": events, "api_version": "2024-04-10" })
}

#[tokio::test]
async fn every_page_of_them_is_read() {
    let (first, second) = (endpoint("we_1", "enabled", &["*"]), endpoint("we_2", "disabled", &["invoice.paid"]));
    let fake = Fake::playing([page(&[first]), list(&[second])]).await;
    let found = fake.stripe.webhook_endpoints().await.unwrap();
    let told: Vec<_> = found.iter().map(|row| (row.id.as_str(), row.enabled, row.lacks().len())).collect();
    let wanted = wanted_events().count();
    assert_eq!(told, [("we_1", true, 0), ("we_2", false, wanted - 1)]);
    assert_eq!(
        (found[0].url.as_str(), found[0].api_version.as_deref()),
        ("https://app.test/stripe/webhook", Some("2024-04-10"))
    );
    assert_eq!(fake.requests()[1].value("starting_after").as_deref(), Some("we_1"));
}

#[tokio::test]
async fn what_is_missing_is_named() {
    let all: Vec<&str> = wanted_events().collect();
    let fake = Fake::playing([list(&[endpoint("we_1", "enabled", &all[1..])])]).await;
    let found = fake.stripe.webhook_endpoints().await.unwrap();
    assert_eq!(found[0].lacks(), [all[0]]);
}

#[tokio::test]
async fn a_key_that_may_not_look_is_told() {
    let fake = Fake::playing([refusal(403, "invalid_request_error", "")]).await;
    assert_eq!(fake.stripe.webhook_endpoints().await.unwrap_err().kind, ErrorKind::Rejected);
}

#[tokio::test]
async fn the_documented_resource_is_read_and_every_wanted_event_exists() {
    let Some(contracts) = Contracts::open("webhook endpoints") else { return };
    let documented = contracts.json("fixtures.json")["resources"]["webhook_endpoint"].clone();
    let fake = Fake::playing([list(&[documented])]).await;
    let found = fake.stripe.webhook_endpoints().await.unwrap();
    assert!(
        found[0].enabled && found[0].events == ["charge.failed", "charge.succeeded"] && found[0].api_version.is_none()
    );
    let description = contracts.json("openapi.json");
    let parameters = &description["paths"]["/v1/webhook_endpoints"]["post"]["requestBody"]["content"];
    let known =
        &parameters["application/x-www-form-urlencoded"]["schema"]["properties"]["enabled_events"]["items"]["enum"];
    let known = known.as_array().expect("the description lists the events");
    let unknown: Vec<&str> = wanted_events().filter(|event| !known.contains(&json!(event))).collect();
    assert_eq!(unknown, Vec::<&str>::new());
}
