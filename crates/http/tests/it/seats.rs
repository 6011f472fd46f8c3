//! Who holds seats, over HTTP.

use http::StatusCode;
use serde_json::json;
use tollkeeper::Scope;

use crate::world::{World, operated};

const SEATS: &str = "/api/seats";

#[tokio::test]
async fn seats_are_told_with_their_holders() {
    let world = World::with(|_| {}, operated()).await;
    let empty = json!({ "used": 0, "limit": null, "over": false, "holders": [] });
    assert_eq!(world.get(SEATS).await.ok(), empty);

    world.subscribe(r#"{"plan":"growth","seats":1}"#).await;
    for (user, email) in [("usr_1", "Jane@acme.test"), ("diruser_1", "jane@acme.test"), ("usr_2", "al@acme.test")] {
        let path = format!("/admin/api/organizations/org_1/members/{user}");
        let told = world.operate("PUT", &path, &json!({ "email": email }).to_string()).await;
        assert_eq!(told.status, StatusCode::NO_CONTENT);
    }
    let since = world.engine.now();
    assert_eq!(
        world.ask("member:org_1", "GET", SEATS, "").await.ok(),
        json!({ "used": 2, "limit": 1, "over": true, "holders": [
            { "userId": "usr_2", "email": "al@acme.test", "since": since },
            { "userId": "diruser_1", "email": "jane@acme.test", "since": since },
        ] })
    );
}

#[tokio::test]
async fn seats_are_the_organizations_own() {
    let world = World::with(|_| {}, operated()).await;
    world.ask("nonsense", "GET", SEATS, "").await.problem(401, "unauthenticated");
    world.get("/api/seats?referenceId=org_2").await.problem(403, "reference_mismatch");
    let key = world.key(&[Scope::Usage], None).await;
    world.ask(&key, "GET", "/api/seats?referenceId=org_1", "").await.problem(403, "scope_required");
    let key = world.key(&[Scope::Read], None).await;
    world.ask(&key, "GET", SEATS, "").await.problem(400, "reference_required");
    world.post(SEATS, "").await.problem(405, "method_not_allowed");
}
