//! Many organizations at once.

use reqwest::Method;
use serde_json::json;
use tollkeeper_sandbox::Seed;

use crate::support::*;

fn seed(organizations: usize, price: &str, seats: i64) -> Seed {
    Seed { organizations, price_id: price.into(), seats }
}

#[tokio::test]
async fn seeded_organizations_pay_and_nobody_is_told() {
    let world = World::start().await;
    world.sandbox.seed(seed(1_200, "growth-plan-monthly", 5)).await.unwrap();
    let truth = world.get("/sandbox/truth").await;
    for kind in ["organizations", "customers", "subscriptions"] {
        assert_eq!(truth[kind].as_array().unwrap().len(), 1_200, "{kind}");
    }
    assert_eq!(truth["organizations"][1_199]["id"], "org_seed_001200");
    assert_eq!(truth["customers"][0]["organizationId"], "org_seed_000001");
    let row = &truth["subscriptions"][0];
    assert_eq!((&row["id"], &row["status"]), (&json!("sub_seed_000001"), &json!("active")));
    assert_eq!((&row["seats"], &row["organizationId"]), (&json!(5), &json!("org_seed_000001")));
    let customer = world.read("/customers/org_seed_000001", &[]).await["customer"].clone();
    assert_eq!(customer["meta_data"], json!({ "organizationId": "org_seed_000001", "customerType": "organization" }));
    let subscription = world.subscription("sub_seed_000001").await;
    assert_eq!(
        (&subscription["customer_id"], &subscription["due_invoices_count"]),
        (&json!("org_seed_000001"), &json!(0))
    );
    let invoices = world.read("/invoices", &[("subscription_id[is]", "sub_seed_000001")]).await;
    assert_eq!(invoices["list"][0]["invoice"]["status"], "paid");
    assert_eq!(world.read("/events", &[]).await["list"], json!([]));

    // What others cause meanwhile and afterwards is told.
    world.acme().await;
    world.sandbox.seed(seed(1, "starter-plan-monthly", 1)).await.unwrap();
    world.receiver.event("customer_created").await;
    assert_eq!(world.subscription("sub_seed_001201").await["subscription_items"][0]["quantity"], 1);
    world.advance(0).await;
    assert_eq!(world.receiver.all().len(), 1);
}

#[tokio::test]
async fn a_seeded_subscription_renews() {
    let world = World::start().await;
    world.sandbox.seed(seed(3, "scale-plan-monthly", 2)).await.unwrap();
    world.advance(31 * 86_400).await;
    let renewed = world.receiver.events().iter().filter(|event| event["event_type"] == "subscription_renewed").count();
    assert_eq!(renewed, 3);
    assert_eq!(world.subscription("sub_seed_000002").await["due_invoices_count"], 0);
}

#[tokio::test]
async fn what_cannot_be_seeded_is_said() {
    let world = World::start().await;
    let refused = world.sandbox.seed(seed(1, "no-such-price", 1)).await.unwrap_err();
    assert!(refused.to_string().contains("no-such-price"), "{refused}");
    let refused = world.sandbox.seed(seed(1, "growth-plan-monthly", 0)).await.unwrap_err();
    assert!(refused.to_string().contains("seats"), "{refused}");
    world.done("/sandbox/organizations", json!({ "displayName": "Mine", "id": "org_seed_000002" })).await;
    let refused = world.sandbox.seed(seed(3, "growth-plan-monthly", 1)).await.unwrap_err();
    assert_eq!(refused.organization, "org_seed_000002");
    assert_eq!(world.get("/sandbox/truth").await["subscriptions"].as_array().unwrap().len(), 1);
    assert_eq!(world.control(Method::POST, "/sandbox/reset", json!({})).await.0, 200);
    world.sandbox.seed(seed(3, "growth-plan-monthly", 1)).await.unwrap();
}
