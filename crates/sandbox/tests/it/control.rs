//! The control API: changing the providers' world, and looking at it.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::*;

#[tokio::test]
async fn organizations_and_members_come_and_go() {
    let world = World::start().await;
    let body = json!({ "displayName": "Acme", "externalId": "ext_1", "metadata": { "tier": "gold" } });
    let (status, created) = world.control(Method::POST, "/sandbox/organizations", body.clone()).await;
    assert_eq!(status, 201);
    let id = created["id"].as_str().unwrap().to_owned();
    let (status, refused) = world.control(Method::POST, "/sandbox/organizations", body).await;
    assert_eq!((status, refused["code"].as_str()), (409, Some("already_exists")));
    for bad in [
        json!({}),
        json!({ "displayName": "" }),
        json!({ "displayName": "x", "id": "a b" }),
        json!({ "displayName": 1 }),
    ] {
        assert_eq!(world.control(Method::POST, "/sandbox/organizations", bad).await.0, 400);
    }
    let path = format!("/sandbox/organizations/{id}");
    let (status, changed) =
        world.control(Method::PATCH, &path, json!({ "displayName": "Acme 2", "externalId": null })).await;
    assert_eq!(status, 200);
    assert_eq!(
        changed,
        json!({ "id": id, "displayName": "Acme 2", "externalId": null, "metadata": { "tier": "gold" } })
    );

    let users = format!("{path}/users");
    let (status, added) =
        world.control(Method::POST, &users, json!({ "email": "ada@acme.test", "roles": ["owner"] })).await;
    assert_eq!((status, &added["roles"]), (201, &json!(["owner"])));
    let (status, _) =
        world.control(Method::POST, &users, json!({ "email": "ada@acme.test", "roles": ["admin"] })).await;
    assert_eq!(status, 201);
    world.receiver.notice("user.organization_membership_updated").await;
    let member = format!("{users}/{}", added["userId"].as_str().unwrap());
    assert_eq!(world.control(Method::DELETE, &member, Value::Null).await.0, 200);
    assert_eq!(world.control(Method::DELETE, &member, Value::Null).await.0, 404);
    world.receiver.notice("user.organization_membership_deleted").await;

    assert_eq!(world.control(Method::DELETE, &path, Value::Null).await.0, 204);
    for (method, path) in [(Method::DELETE, &path), (Method::PATCH, &path), (Method::POST, &users)] {
        let (status, body) = world.control(method, path, json!({ "email": "x@y.test" })).await;
        assert_eq!((status, body["code"].as_str()), (404, Some("not_found")));
    }
    let truth = world.get("/sandbox/truth").await;
    assert_eq!(
        truth["organizations"],
        json!([{ "id": id, "displayName": "Acme 2", "externalId": null, "deleted": true,
            "members": [{ "userId": added["userId"], "email": "ada@acme.test", "active": false }] }])
    );
}

#[tokio::test]
async fn the_truth_is_in_the_providers_words() {
    let world = World::start().await;
    world.subscribed("ls_1", "growth-plan-monthly", GOOD_CARD).await;
    let truth = world.get("/sandbox/truth").await;
    let customer = json!({ "provider": "chargebee", "id": "org_acme", "organizationId": "org_acme", "company": "Acme", "deleted": false });
    assert_eq!(truth["customers"], json!([customer]));
    let mut expected = json!({
        "provider": "chargebee",
        "id": "ls_1",
        "customerId": "org_acme",
        "organizationId": "org_acme",
        "status": "in_trial",
        "items": [{ "priceId": "growth-plan-monthly", "quantity": 3 }],
        "seats": 3,
        "trialEnd": START + 14 * 86_400,
        "periodEnd": null,
        "cancelAt": null,
    });
    assert_eq!(truth["subscriptions"], json!([expected]));
    world.advance(14 * 86_400).await;
    let row = world.done("/sandbox/subscriptions/ls_1", json!({ "cancelAtPeriodEnd": true })).await;
    let end = secs("2026-02-15T00:00:00Z");
    expected["status"] = "non_renewing".into();
    expected["periodEnd"] = end.into();
    expected["cancelAt"] = end.into();
    assert_eq!(row, expected);
}

#[tokio::test]
async fn the_dashboard_changes_subscriptions() {
    let world = World::start().await;
    world.subscribed("ls_1", "scale-plan-monthly", GOOD_CARD).await;
    let path = "/sandbox/subscriptions/ls_1";
    let row = world.done(path, json!({ "seats": 7 })).await;
    assert_eq!(row["seats"], 7);
    let changed = world.receiver.event("subscription_changed").await;
    assert_eq!(changed["source"], "admin_console");
    let row = world.done(path, json!({ "priceId": "starter-plan-monthly" })).await;
    assert_eq!(row["items"], json!([{ "priceId": "starter-plan-monthly", "quantity": 7 }]));
    assert_eq!(world.done(path, json!({ "pause": true })).await["status"], "paused");
    world.receiver.event("subscription_paused").await;
    assert_eq!(world.control(Method::POST, path, json!({ "seats": 2 })).await.0, 409);
    assert_eq!(world.done(path, json!({ "resume": true })).await["status"], "active");
    assert_eq!(world.done(path, json!({ "cancelAtPeriodEnd": true })).await["status"], "non_renewing");
    assert_eq!(world.done(path, json!({ "cancelAtPeriodEnd": false })).await["status"], "active");
    assert_eq!(world.control(Method::POST, path, json!({ "cancelAtPeriodEnd": false })).await.0, 409);
    assert_eq!(world.done(path, json!({ "cancel": true })).await["status"], "cancelled");
    for (body, status) in
        [(json!({ "cancel": true }), 409), (json!({ "seats": 0 }), 400), (json!({ "priceId": "no" }), 400)]
    {
        let (got, answer) = world.control(Method::POST, path, body).await;
        assert_eq!(got, status, "{answer}");
    }
    assert_eq!(world.control(Method::POST, "/sandbox/subscriptions/no", json!({ "cancel": true })).await.0, 404);
}

#[tokio::test]
async fn requests_are_logged_decoded_and_without_secrets() {
    let world = World::start().await;
    world.billing_raw(Method::POST, "/customers", &[("id", "org_acme"), ("company", "Acme & Co")], Some("k-1")).await;
    world.billing(Method::GET, "/customers", &[("id[is]", "org_acme")]).await;
    let form = [("grant_type", "client_credentials"), ("client_id", "skc_test"), ("client_secret", CLIENT_SECRET)];
    world.client.post(world.url("/oauth/token")).form(&form).send().await.unwrap();
    let log = world.get("/sandbox/requests").await;
    assert_eq!(log["total"], 3, "the control API is not logged");
    let first = &log["requests"][0];
    assert_eq!(first["provider"], "chargebee");
    assert_eq!((first["method"].as_str(), first["path"].as_str()), (Some("POST"), Some("/api/v2/customers")));
    assert_eq!(first["body"], json!({ "id": "org_acme", "company": "Acme & Co" }));
    assert_eq!((first["idempotencyKey"].as_str(), first["status"].as_i64()), (Some("k-1"), Some(200)));
    assert_eq!(first["at"], "2026-01-01T00:00:00.000000Z");
    assert_eq!(first["fault"], Value::Null);
    assert_eq!(log["requests"][1]["query"], json!({ "id[is]": "org_acme" }));
    assert_eq!(log["requests"][2]["body"]["client_secret"], "***");
    assert!(!log.to_string().contains(CLIENT_SECRET));
    let some = |filter: &str| format!("/sandbox/requests?{filter}");
    for (filter, total) in [
        ("provider=scalekit", 1),
        ("method=get", 1),
        ("path=/api/v2/customers", 2),
        ("path=/api/v2/*", 2),
        ("path=/api/v2", 0),
        ("provider=chargebee&method=POST", 1),
        ("after=req_1", 2),
        ("after=req_1&provider=chargebee", 1),
        ("after=req_3", 0),
    ] {
        assert_eq!(world.get(&some(filter)).await["total"], total, "{filter}");
    }
}

#[tokio::test]
async fn a_reset_empties_everything_but_time() {
    let world = World::start().await;
    world.subscribed("ls_1", "starter-plan-monthly", GOOD_CARD).await;
    world.bill("/item_prices/scale-plan-monthly", &[("price", "1")]).await;
    world.advance(60).await;
    let before = world.receiver.events()[0]["id"].clone();
    world.done("/sandbox/reset", json!({})).await;
    let truth = world.get("/sandbox/truth").await;
    assert_eq!(truth, json!({ "organizations": [], "customers": [], "subscriptions": [] }));
    assert_eq!(world.get("/sandbox/requests").await["total"], 0);
    assert_eq!(world.get("/sandbox/deliveries").await["total"], 0);
    assert_eq!(world.get("/sandbox/clock").await["offsetSeconds"], 60);
    assert_eq!(world.read("/item_prices/scale-plan-monthly", &[]).await["item_price"]["price"], 1_500);
    world.acme().await;
    let after = world.receiver.nth_event("customer_created", 1).await["id"].clone();
    assert_ne!(before, after, "an id is never given out twice");
}

#[tokio::test]
async fn unknown_paths_and_pages_are_told_so() {
    let world = World::start().await;
    for path in ["/sandbox/nothing", "/nothing", "/v3/customers"] {
        let (status, body) = world.control(Method::GET, path, Value::Null).await;
        assert_eq!((status, body["code"].as_str()), (404, Some("not_found")), "{path}");
    }
    for (body, status) in [
        (json!({ "url": "x", "card": GOOD_CARD }), 400),
        (json!({ "url": "http://a/pages/v4/no/", "card": GOOD_CARD }), 404),
        (json!({ "url": "http://a/pages/v4/no/" }), 400),
    ] {
        assert_eq!(world.control(Method::POST, "/sandbox/hosted/complete", body).await.0, status);
    }
    let page = world.client.get(world.url("/pages/v4/no/")).send().await.unwrap();
    assert_eq!(page.status(), 404);
}

#[tokio::test]
async fn a_payment_that_was_made_to_fail_fails_once() {
    let world = World::start().await;
    world.subscribed("ls_1", "scale-plan-monthly", GOOD_CARD).await;
    let path = "/sandbox/subscriptions/ls_1";
    world.done(path, json!({ "failNextPayment": true })).await;
    let form =
        [("subscription_items[item_price_id][0]", "scale-plan-monthly"), ("subscription_items[quantity][0]", "9")];
    let (status, refused) = world.billing(Method::POST, "/subscriptions/ls_1/update_for_items", &form).await;
    assert_eq!((status, refused["type"].as_str()), (400, Some("payment")));
    assert_eq!(refused["api_error_code"], "payment_processing_failed");
    assert_eq!(world.subscription("ls_1").await["subscription_items"][0]["quantity"], 3);
    world.bill("/subscriptions/ls_1/update_for_items", &form).await;
    assert_eq!(world.subscription("ls_1").await["subscription_items"][0]["quantity"], 9);
}
