//! The billing API: credentials, errors, lists, idempotency.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::*;

#[tokio::test]
async fn only_the_api_key_opens_the_api() {
    let world = World::start().await;
    for credentials in [None, Some(("wrong", "")), Some((API_KEY, "password"))] {
        let mut request = world.client.get(world.url("/api/v2/customers"));
        if let Some((user, password)) = credentials {
            request = request.basic_auth(user, Some(password));
        }
        let (status, body) = answer(request.send().await.unwrap()).await;
        assert_eq!((status, body["api_error_code"].as_str()), (401, Some("api_authentication_failed")));
    }
    let wrong_method = world.billing(Method::PUT, "/customers", &[]).await;
    assert_eq!(wrong_method.0, 405);
}

#[tokio::test]
async fn what_is_not_served_is_a_404_in_the_providers_shape() {
    let world = World::start().await;
    for path in ["/quotes", "/subscriptions/ls_1/nothing", "/estimates/create_invoice_for_items"] {
        let (status, body) = world.billing(Method::POST, path, &[]).await;
        assert_eq!((status, body["api_error_code"].as_str()), (404, Some("resource_not_found")), "{path}");
        assert_eq!(body["http_status_code"], 404);
    }
    for path in
        ["/customers/no", "/subscriptions/no", "/hosted_pages/no", "/invoices/no", "/item_prices/no", "/events/no"]
    {
        assert_eq!(world.billing(Method::GET, path, &[]).await.0, 404, "{path}");
    }
}

#[tokio::test]
async fn a_customer_id_is_taken_once_and_for_all() {
    let world = World::start().await;
    let form = [
        ("id", "org_acme"),
        ("company", "Acme"),
        ("email", "billing@acme.test"),
        ("billing_address[city]", "Berlin"),
        ("meta_data", r#"{"organizationId":"org_acme","customerType":"organization"}"#),
    ];
    let customer = world.bill("/customers", &form).await["customer"].clone();
    assert_eq!(customer["object"], "customer");
    assert_eq!(customer["meta_data"]["customerType"], "organization");
    assert_eq!(customer["billing_address"]["city"], "Berlin");
    assert_eq!(customer["card_status"], "no_card");
    let (status, body) = world.billing(Method::POST, "/customers", &[("id", "org_acme")]).await;
    assert_eq!(
        (status, body["api_error_code"].as_str(), body["param"].as_str()),
        (400, Some("duplicate_entry"), Some("id"))
    );

    let form = [("company", "Acme 2"), ("email", ""), ("meta_data", r#"{"userId":"usr_1"}"#)];
    let changed = world.bill("/customers/org_acme", &form).await["customer"].clone();
    assert_eq!(changed["company"], "Acme 2");
    assert_eq!(changed.get("email"), None);
    assert_eq!(changed["meta_data"], json!({ "userId": "usr_1" }), "metadata is replaced");
    assert!(changed["resource_version"].as_i64() > customer["resource_version"].as_i64());

    world.bill("/customers/org_acme/delete", &[]).await;
    let deleted = world.receiver.event("customer_deleted").await;
    assert_eq!(deleted["content"]["customer"]["deleted"], true);
    assert!(deleted["content"]["subscriptions"].as_array().unwrap().is_empty());
    assert_eq!(world.billing(Method::POST, "/customers", &[("id", "org_acme")]).await.0, 400);
    assert_eq!(world.billing(Method::POST, "/customers/org_acme", &[]).await.0, 404);
    let empty = world.read("/customers", &[]).await;
    assert_eq!(empty, json!({ "list": [] }));
    let all = world.read("/customers", &[("include_deleted", "true")]).await;
    assert_eq!(all["list"][0]["customer"]["id"], "org_acme");
}

#[tokio::test]
async fn deleting_a_customer_takes_its_subscriptions_along() {
    let world = World::start().await;
    world.subscribed("ls_1", "starter-plan-monthly", GOOD_CARD).await;
    world.bill("/customers/org_acme/delete", &[]).await;
    let deleted = world.receiver.event("customer_deleted").await;
    assert_eq!(deleted["content"]["subscriptions"][0]["id"], "ls_1");
    assert_eq!(deleted["content"]["subscriptions"][0]["status"], "cancelled");
    assert_eq!(world.read("/subscriptions", &[]).await["list"], json!([]));
    world.advance(40 * 86_400).await;
    assert!(!world.receiver.events().iter().any(|event| event["event_type"] == "subscription_renewed"));
}

#[tokio::test]
async fn malformed_values_name_their_parameter() {
    let world = World::start().await;
    let long = "x".repeat(251);
    let cases = [("id", "x".repeat(51)), ("company", long), ("meta_data", "{".into()), ("meta_data", "[1]".into())];
    for (name, value) in cases {
        let (status, body) = world.billing(Method::POST, "/customers", &[(name, &value)]).await;
        assert_eq!((status, body["api_error_code"].as_str()), (400, Some("param_wrong_value")), "{name}");
        assert_eq!(body["param"], name);
    }
    let queries = [("limit", "0"), ("limit", "101"), ("offset", "x"), ("sort_by[asc]", "id"), ("meta_data[is]", "x")];
    for (name, value) in queries {
        let (status, body) = world.billing(Method::GET, "/customers", &[(name, value)]).await;
        assert_eq!((status, body["param"].as_str()), (400, Some(name)));
    }
}

async fn ids(world: &World, path: &str, query: &[(&str, &str)], kind: &str) -> Vec<String> {
    let body = world.read(path, query).await;
    body["list"].as_array().unwrap().iter().map(|entry| entry[kind]["id"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn pages_follow_one_another_while_rows_come_and_change() {
    let world = World::start().await;
    for number in 0..25 {
        world.bill("/customers", &[("id", &format!("c{number:02}"))]).await;
    }
    let mut seen = Vec::new();
    let mut offset: Option<String> = None;
    loop {
        let mut query = vec![("limit", "10")];
        if let Some(offset) = &offset {
            query.push(("offset", offset));
        }
        let body = world.read("/customers", &query).await;
        for entry in body["list"].as_array().unwrap() {
            seen.push(entry["customer"]["id"].as_str().unwrap().to_owned());
        }
        if seen.len() == 10 {
            world.bill("/customers", &[("id", "late")]).await;
        }
        match body.get("next_offset") {
            Some(next) => offset = next.as_str().map(str::to_owned),
            None => break,
        }
    }
    assert_eq!(seen.len(), 26);
    assert_eq!((seen[0].as_str(), seen[24].as_str(), seen[25].as_str()), ("c00", "c24", "late"));
    let query = [("sort_by[desc]", "created_at"), ("limit", "2")];
    assert_eq!(ids(&world, "/customers", &query, "customer").await, ["late", "c24"]);
}

#[tokio::test]
async fn lists_are_filtered() {
    let world = World::start().await;
    world.subscribed("ls_1", "growth-plan-monthly", GOOD_CARD).await;
    let form = [("id", "ls_2"), ("subscription_items[item_price_id][0]", "starter-plan-monthly")];
    world.bill("/customers", &[("id", "other"), ("email", "x@other.test")]).await;
    world.advance(100).await;
    world.bill("/customers/org_acme/subscription_for_items", &form).await;
    let list = async |query: &[(&str, &str)]| ids(&world, "/subscriptions", query, "subscription").await;
    assert_eq!(list(&[("customer_id[is]", "org_acme")]).await, ["ls_1", "ls_2"]);
    assert_eq!(list(&[("status[in]", r#"["in_trial","paused"]"#)]).await, ["ls_1"]);
    assert_eq!(list(&[("status[is]", "active")]).await, ["ls_2"]);
    assert_eq!(list(&[("status[not_in]", r#"["active"]"#)]).await, ["ls_1"]);
    assert_eq!(list(&[("id[in]", r#"["ls_2","no"]"#)]).await, ["ls_2"]);
    assert_eq!(list(&[("updated_at[after]", &START.to_string())]).await, ["ls_2"]);
    assert_eq!(list(&[("updated_at[before]", &(START + 1).to_string())]).await, ["ls_1"]);
    assert_eq!(list(&[("created_at[between]", &format!("[{START},{START}]"))]).await, ["ls_1"]);
    assert_eq!(list(&[("sort_by[desc]", "updated_at")]).await, ["ls_2", "ls_1"]);
    assert_eq!(list(&[("id[starts_with]", "ls")]).await.len(), 2);
    assert_eq!(ids(&world, "/customers/org_acme/subscriptions", &[], "subscription").await, ["ls_1", "ls_2"]);
    assert_eq!(ids(&world, "/customers", &[("email[is]", "x@other.test")], "customer").await, ["other"]);
    assert_eq!(ids(&world, "/customers", &[("email[is_present]", "false")], "customer").await, ["org_acme"]);
    assert_eq!(ids(&world, "/hosted_pages", &[("state[is]", "succeeded")], "hosted_page").await.len(), 1);
    assert_eq!(ids(&world, "/items", &[("type[is]", "addon")], "item").await, ["extra-projects"]);
    let prices =
        ids(&world, "/item_prices", &[("item_id[is]", "growth"), ("currency_code[is]", "EUR")], "item_price").await;
    assert_eq!(prices, ["growth-plan-monthly-eur", "growth-plan-yearly-eur"]);
}

#[tokio::test]
async fn every_event_is_listed_whether_it_was_sent_or_not() {
    let world = World::without_webhooks(Receiver::default()).await;
    world.subscribed("ls_1", "starter-plan-monthly", GOOD_CARD).await;
    world.advance(60).await;
    world.bill("/subscriptions/ls_1/cancel", &[]).await;
    let kinds = |body: &Value| -> Vec<String> {
        let list = body["list"].as_array().unwrap();
        list.iter().map(|entry| entry["event"]["event_type"].as_str().unwrap().to_owned()).collect()
    };
    let all = world.read("/events", &[("limit", "100"), ("sort_by[asc]", "occurred_at")]).await;
    assert_eq!(
        kinds(&all),
        [
            "customer_created",
            "payment_source_added",
            "subscription_created",
            "invoice_generated",
            "payment_succeeded",
            "subscription_cancelled"
        ]
    );
    assert_eq!(all["list"][0]["event"]["webhook_status"], "not_configured");
    let late = world.read("/events", &[("occurred_at[after]", &START.to_string())]).await;
    assert_eq!(kinds(&late), ["subscription_cancelled"]);
    let some = world.read("/events", &[("event_type[in]", r#"["customer_created","invoice_generated"]"#)]).await;
    assert_eq!(kinds(&some), ["customer_created", "invoice_generated"]);
    let id = late["list"][0]["event"]["id"].as_str().unwrap();
    assert_eq!(world.read(&format!("/events/{id}"), &[]).await["event"], late["list"][0]["event"]);
    assert_eq!(world.get("/sandbox/deliveries").await, json!({ "total": 0, "deliveries": [] }));
}

#[tokio::test]
async fn a_key_does_its_work_once() {
    let world = World::start().await;
    let form = [("company", "Acme")];
    let first = world.billing_raw(Method::POST, "/customers", &form, Some("k-1")).await;
    assert_eq!(first.headers().get("chargebee-idempotency-replayed"), None);
    let first = answer(first).await;
    let second = world.billing_raw(Method::POST, "/customers", &form, Some("k-1")).await;
    assert_eq!(second.headers()["chargebee-idempotency-replayed"], "true");
    assert_eq!(answer(second).await, first);
    let other = world.billing_raw(Method::POST, "/customers", &[("company", "Other")], Some("k-1")).await;
    let (status, body) = answer(other).await;
    assert_eq!((status, body["api_error_code"].as_str()), (400, Some("invalid_request")));
    assert_eq!(world.get("/sandbox/truth").await["customers"].as_array().unwrap().len(), 1);

    // The window is machine time: half an hour later the key is new.
    world.machine.fetch_add(30 * 60 * 1_000_000, std::sync::atomic::Ordering::SeqCst);
    let later = world.billing_raw(Method::POST, "/customers", &form, Some("k-1")).await;
    assert_ne!(answer(later).await, first);
}

#[tokio::test]
async fn an_item_price_can_be_changed() {
    let world = World::start().await;
    let price = world.bill("/item_prices/scale-plan-monthly", &[("price", "2000"), ("name", "Scale 2")]).await;
    assert_eq!(price["item_price"]["price"], 2_000);
    world.bill("/item_prices/growth-plan-monthly", &[("status", "archived")]).await;
    world.acme().await;
    let form = [("subscription_items[item_price_id][0]", "growth-plan-monthly"), ("customer[id]", "org_acme")];
    assert_eq!(world.billing(Method::POST, "/hosted_pages/checkout_new_for_items", &form).await.0, 400);
    let item = world.read("/items/growth", &[]).await;
    assert_eq!(item["item"]["type"], "plan");
}

#[tokio::test]
async fn of_many_at_once_only_one_gets_the_id() {
    let world = World::start().await;
    let form = [("id", "org_acme")];
    let (one, two, three, four) = tokio::join!(
        world.billing(Method::POST, "/customers", &form),
        world.billing(Method::POST, "/customers", &form),
        world.billing(Method::POST, "/customers", &form),
        world.billing(Method::POST, "/customers", &form),
    );
    let statuses = [one.0, two.0, three.0, four.0];
    assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 1, "{statuses:?}");
    assert_eq!(statuses.iter().filter(|status| **status == 400).count(), 3, "{statuses:?}");
}

#[tokio::test]
async fn a_version_grows_with_every_change() {
    let world = World::start().await;
    world.subscribed("ls_1", "scale-plan-monthly", GOOD_CARD).await;
    let mut last = 0;
    for action in ["cancel", "remove_scheduled_cancellation", "cancel", "remove_scheduled_cancellation"] {
        let row = world.bill(&format!("/subscriptions/ls_1/{action}"), &[("end_of_term", "true")]).await;
        let version = row["subscription"]["resource_version"].as_i64().unwrap();
        assert!(version > last, "{action}");
        assert!(version >= START * 1_000);
        last = version;
    }
    // Content and record agree about their version.
    let event = world.receiver.nth_event("subscription_scheduled_cancellation_removed", 1).await;
    assert_eq!(event["content"]["subscription"]["resource_version"], last);
}
