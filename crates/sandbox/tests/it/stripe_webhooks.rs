//! Stripe's webhooks: the signature, the endpoint's version, retries, and the list of events.

use hmac::{Hmac, KeyInit as _, Mac as _};
use reqwest::Method;
use serde_json::json;
use sha2::Sha256;

use crate::stripe_support::*;
use crate::support::*;

/// Checks a signature by hand: the whole secret is the key, `t.body` the message.
pub(crate) fn is_signed(received: &Received, secret: &str) -> bool {
    let header = received.headers["stripe-signature"].to_str().unwrap();
    let part = |name: &str| header.split(',').find_map(|part| part.strip_prefix(name)).unwrap().to_owned();
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(part("t=").as_bytes());
    mac.update(b".");
    mac.update(&received.body);
    hex::encode(mac.finalize().into_bytes()) == part("v1=") && part("t=") == START.to_string()
}

#[tokio::test]
async fn an_event_is_signed_with_the_whole_secret() {
    let world = World::start().await;
    let customer = world.stripe_customer().await;
    let event = world.stripe_event("customer.created").await;
    let received = &world.stripe_deliveries("/stripe")[0];
    assert!(is_signed(received, ENDPOINT_SECRET) && !is_signed(received, "whsec_other"));
    assert_eq!(event["object"], "event");
    assert_eq!((&event["api_version"], &event["livemode"]), (&json!(CURRENT), &json!(false)));
    assert_eq!(event["data"]["object"]["id"], customer.as_str());
    assert!(event["request"]["id"].as_str().unwrap().starts_with("req_"));
    let read = world.look(&format!("/v1/events/{}", text(&event["id"])), &[]).await;
    assert_eq!(read["data"], event["data"]);
}

#[tokio::test]
async fn each_endpoint_has_its_secret_its_version_and_its_events() {
    let world = World::start().await;
    let configured = world.look("/v1/webhook_endpoints", &[]).await;
    let base = text(&configured["data"][0]["url"]).replace("/stripe", "");
    let (older, other) = (format!("{base}/older"), format!("{base}/other"));
    let pairs = [("url", older.as_str()), ("enabled_events[]", "*"), ("api_version", OLDER)];
    let older = world.post("/v1/webhook_endpoints", &pairs).await;
    let pairs = [("url", other.as_str()), ("enabled_events[0]", "invoice.paid")];
    let other = world.post("/v1/webhook_endpoints", &pairs).await;
    let shown = world.look(&format!("/v1/webhook_endpoints/{}", text(&older["id"])), &[]).await;
    assert!(shown.get("secret").is_none() && shown["api_version"] == OLDER);

    let (_, id) = world.stripe_subscribed("price_scale_monthly", "2", PAYS).await;
    world.stripe_event("invoice.paid").await;
    let arrived = eventually("the other endpoint's", || world.stripe_deliveries("/other").into_iter().next()).await;
    assert!(is_signed(&arrived, other["secret"].as_str().unwrap()));
    let current = arrived.json();
    assert_eq!(current["data"]["object"]["parent"]["subscription_details"]["subscription"], id.as_str());
    let event = eventually("the older endpoint's", || {
        let all = world.stripe_deliveries("/older");
        all.into_iter().find(|one| one.json()["type"] == "invoice.paid")
    })
    .await;
    assert!(is_signed(&event, older["secret"].as_str().unwrap()));
    let event = event.json();
    assert_eq!((&event["api_version"], &event["id"]), (&json!(OLDER), &current["id"]));
    let invoice = &event["data"]["object"];
    assert_eq!((&invoice["subscription"], &invoice["paid"]), (&json!(id), &json!(true)));
    assert!(invoice.get("parent").is_none());
    assert!(world.stripe_deliveries("/other").iter().all(|one| one.json()["type"] == "invoice.paid"));
}

#[tokio::test]
async fn retries_follow_the_written_schedule() {
    let world = World::start().await;
    world.receiver.answer_with(500);
    world.stripe_customer().await;
    eventually("the first attempt", || (world.stripe_events().len() == 1).then_some(())).await;
    for (seconds, attempts) in [(299, 1), (1, 2), (1_799, 2), (1, 3), (7_200, 4)] {
        world.advance(seconds).await;
        assert_eq!(world.stripe_events().len(), attempts, "after {seconds} seconds more");
    }
    let unheard = world.look("/v1/events", &[("delivery_success", "false")]).await;
    assert_eq!(unheard["data"][0]["pending_webhooks"], 1);
    world.receiver.answer_with(200);
    world.advance(18_000).await;
    let deliveries = world.get("/sandbox/deliveries?provider=stripe").await;
    assert_eq!(
        (&deliveries["deliveries"][0]["state"], &deliveries["deliveries"][0]["attempts"]),
        (&json!("delivered"), &json!(5))
    );
    let unheard = world.look("/v1/events", &[("delivery_success", "false")]).await;
    assert_eq!(unheard["data"], json!([]));
}

#[tokio::test]
async fn events_are_listed_by_type() {
    let world = World::start().await;
    world.stripe_subscribed("price_scale_monthly", "2", PAYS).await;
    let invoices = world.look("/v1/events", &[("type", "invoice.*"), ("limit", "100")]).await;
    let invoices = invoices["data"].as_array().unwrap();
    assert!(invoices.iter().all(|event| event["type"].as_str().unwrap().starts_with("invoice.")));
    let pairs = [("types[]", "customer.subscription.created"), ("types[]", "checkout.session.completed")];
    let two = world.look("/v1/events", &pairs).await;
    assert_eq!(two["data"].as_array().unwrap().len(), 2);
    let (status, _) = world.refused(Method::GET, "/v1/events", &[("type", "a"), ("types[]", "b")]).await;
    assert_eq!(status, 400);
}

#[tokio::test]
async fn every_event_type_is_a_documented_one() {
    let Some(known) = crate::contracts::contract("stripe/event-types.json") else { return };
    let known = known.to_string();
    let world = World::start().await;
    let (customer, id) = world.stripe_subscribed("price_growth_monthly", "2", PAYS).await;
    world.advance(40 * 86_400).await;
    world.stripe(Method::DELETE, &format!("/v1/subscriptions/{id}"), &[]).await;
    world.stripe(Method::DELETE, &format!("/v1/customers/{customer}"), &[]).await;
    for event in world.stripe_events() {
        let event_type = event["type"].as_str().unwrap();
        assert!(known.contains(&format!("\"{event_type}\"")), "{event_type}");
    }
}
