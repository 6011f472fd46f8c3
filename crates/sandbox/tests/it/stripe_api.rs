//! Stripe's API in general: credentials, versions, forms, errors, lists, expansion, idempotency keys.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::stripe_support::*;
use crate::support::*;

#[tokio::test]
async fn a_request_needs_the_secret_key() {
    let world = World::start().await;
    let url = world.url("/v1/customers");
    let without = answer(world.client.get(&url).send().await.unwrap()).await;
    assert_eq!((without.0, &without.1["error"]["type"]), (401, &json!("invalid_request_error")));
    let wrong = world.client.get(&url).bearer_auth("sk_test_somebody_elses_key");
    let (status, body) = answer(wrong.send().await.unwrap()).await;
    assert_eq!(status, 401);
    assert_eq!(body["error"]["message"], "Invalid API Key provided: sk_test_**************_key");
    let basic = world.client.get(&url).basic_auth(SECRET_KEY, Some("")).send().await.unwrap();
    assert_eq!(basic.status(), 200);
    assert!(basic.headers()["request-id"].to_str().unwrap().starts_with("req_"));
    assert_eq!(basic.headers()["stripe-version"], CURRENT);
}

#[tokio::test]
async fn other_versions_and_paths_are_refused() {
    let world = World::start().await;
    let request = world.stripe_request(Method::GET, "/v1/customers", &[]).header("stripe-version", "2019-01-01");
    let (status, body) = answer(request.send().await.unwrap()).await;
    assert_eq!(status, 400, "{body}");
    let (status, error) = world.refused(Method::GET, "/v1/nothing/here", &[]).await;
    assert_eq!(status, 404);
    assert!(error["message"].as_str().unwrap().starts_with("Unrecognized request URL (GET: /v1/nothing/here)"));
    let (status, error) = world.refused(Method::GET, "/v1/customers/cus_none", &[]).await;
    assert_eq!((status, &error["code"], &error["param"]), (404, &json!("resource_missing"), &json!("id")));
    assert!(error["doc_url"].as_str().unwrap().ends_with("resource-missing"));
}

#[tokio::test]
async fn parameters_are_named_when_they_are_refused() {
    let world = World::start().await;
    let customer = world.stripe_customer().await;
    for (path, pairs, code, param) in [
        ("/v1/customers", vec![("colour", "red")], "parameter_unknown", "colour"),
        ("/v1/checkout/sessions", vec![("mode", "")], "parameter_invalid_empty", "mode"),
        ("/v1/checkout/sessions", vec![], "parameter_missing", "mode"),
        ("/v1/payment_intents", vec![("amount", "x"), ("currency", "usd")], "parameter_invalid_integer", "amount"),
        (
            "/v1/payment_intents",
            vec![("amount", "100"), ("currency", "usd"), ("payment_method_types[]", "card")],
            "payment_method_types_no_longer_supported",
            "payment_method_types",
        ),
        ("/v1/subscriptions", vec![("customer", "cus_none")], "resource_missing", "customer"),
        (
            "/v1/subscriptions",
            vec![("customer", customer.as_str()), ("items[0][price]", "price_none")],
            "resource_missing",
            "items[0][price]",
        ),
        (
            "/v1/subscriptions",
            vec![("customer", customer.as_str()), ("items[0][price]", "price_scale_monthly"), ("items[0][x]", "1")],
            "parameter_unknown",
            "items[0][x]",
        ),
    ] {
        let (status, error) = world.refused(Method::POST, path, &pairs).await;
        assert_eq!(
            (status, error["code"].as_str(), error["param"].as_str()),
            (400, Some(code), Some(param)),
            "{error}"
        );
    }
}

#[tokio::test]
async fn brackets_may_be_encoded_and_empty_values_unset() {
    let world = World::start().await;
    let customer = world.stripe_customer().await;
    let path = format!("/v1/customers/{customer}");
    for body in ["metadata[plan]=a&description=x", "metadata%5Bplan%5D=b&description="] {
        let request = world.client.post(world.url(&path)).bearer_auth(SECRET_KEY);
        let request = request.header("content-type", "application/x-www-form-urlencoded").body(body);
        assert_eq!(request.send().await.unwrap().status(), 200);
    }
    let customer = world.look(&path, &[]).await;
    assert_eq!((&customer["metadata"]["plan"], &customer["description"]), (&json!("b"), &Value::Null));
    assert_eq!(customer["metadata"]["organizationId"], "org_acme", "what is not named stays");
    let customer = world.post(&path, &[("metadata[plan]", "")]).await;
    assert_eq!(customer["metadata"], json!({ "organizationId": "org_acme" }));
    assert_eq!(world.post(&path, &[("metadata", "")]).await["metadata"], json!({}));
}

#[tokio::test]
async fn lists_are_read_by_cursor() {
    let world = World::start().await;
    let mut ids = Vec::new();
    for _ in 0..5 {
        ids.push(world.stripe_customer().await);
    }
    ids.reverse();
    let names =
        |list: &Value| -> Vec<String> { list["data"].as_array().unwrap().iter().map(|row| text(&row["id"])).collect() };
    let first = world.look("/v1/customers", &[("limit", "2")]).await;
    assert_eq!((names(&first), &first["has_more"]), (ids[..2].to_vec(), &json!(true)));
    assert_eq!((&first["object"], &first["url"]), (&json!("list"), &json!("/v1/customers")));
    let next = world.look("/v1/customers", &[("limit", "3"), ("starting_after", &ids[1])]).await;
    assert_eq!((names(&next), &next["has_more"]), (ids[2..].to_vec(), &json!(false)));
    let before = world.look("/v1/customers", &[("limit", "2"), ("ending_before", &ids[4])]).await;
    assert_eq!((names(&before), &before["has_more"]), (ids[2..4].to_vec(), &json!(true)));
    let (status, error) =
        world.refused(Method::GET, "/v1/customers", &[("starting_after", &ids[0]), ("ending_before", &ids[1])]).await;
    assert_eq!((status, &error["code"]), (400, &json!("parameters_exclusive")));
    for limit in ["0", "101"] {
        assert_eq!(world.refused(Method::GET, "/v1/customers", &[("limit", limit)]).await.0, 400);
    }
    let later = (START + 1).to_string();
    let none = world.look("/v1/customers", &[("created[gte]", &later)]).await;
    assert_eq!(names(&none), Vec::<String>::new());
}

#[tokio::test]
async fn what_is_expanded_is_there_and_the_rest_is_an_id() {
    let world = World::start().await;
    let (customer, id) = world.stripe_subscribed("price_scale_monthly", "3", PAYS).await;
    let path = format!("/v1/subscriptions/{id}");
    let plain = world.stripe_subscription(&id).await;
    assert_eq!(plain["customer"], customer.as_str());
    let expand = [
        ("expand[]", "customer"),
        ("expand[]", "latest_invoice.payments.data.payment.payment_intent"),
        ("expand[]", "latest_invoice.confirmation_secret"),
        ("expand[]", "items.data.price.product"),
        ("expand[]", "schedule"),
    ];
    let full = world.look(&path, &expand).await;
    assert_eq!(full["customer"]["id"], customer.as_str());
    let invoice = &full["latest_invoice"];
    assert_eq!(invoice["payments"]["data"][0]["payment"]["payment_intent"]["status"], "succeeded");
    assert!(invoice["confirmation_secret"]["client_secret"].as_str().unwrap().contains("_secret_"));
    assert_eq!(full["items"]["data"][0]["price"]["product"]["name"], "Scale");
    let list = world.look("/v1/subscriptions", &[("expand[]", "data.customer"), ("customer", &customer)]).await;
    assert_eq!(list["data"][0]["customer"]["id"], customer.as_str());
    for path_of in ["status", "nothing", "latest_invoice.nothing", "data.customer"] {
        let (status, error) = world.refused(Method::GET, &path, &[("expand[]", path_of)]).await;
        assert_eq!((status, &error["param"]), (400, &json!("expand")), "{path_of}");
    }
}

#[tokio::test]
async fn a_search_finds_by_member_and_metadata() {
    let world = World::start().await;
    let (_, id) = world.stripe_subscribed("price_scale_monthly", "1", PAYS).await;
    let query = "status:'active' AND metadata['organizationId']:'org_acme'";
    let found = world.look("/v1/subscriptions/search", &[("query", query)]).await;
    assert_eq!((&found["object"], &found["data"][0]["id"]), (&json!("search_result"), &json!(id)));
    assert_eq!((&found["has_more"], &found["next_page"]), (&json!(false), &Value::Null));
    let none = world.look("/v1/subscriptions/search", &[("query", "status:'canceled'")]).await;
    assert_eq!(none["data"], json!([]));
    assert_eq!(world.refused(Method::GET, "/v1/subscriptions/search", &[("query", "status")]).await.0, 400);
}

#[tokio::test]
async fn the_same_key_does_the_same_thing_once() {
    let world = World::start().await;
    let pairs = [("email", "ada@acme.test")];
    let first = world.stripe_keyed("/v1/customers", &pairs, "k1").await;
    assert_eq!(first.headers()["idempotency-key"], "k1");
    assert!(!first.headers().contains_key("idempotent-replayed"));
    let first = answer(first).await;
    let again = world.stripe_keyed("/v1/customers", &pairs, "k1").await;
    assert_eq!(again.headers()["idempotent-replayed"], "true");
    assert_eq!(answer(again).await, first);
    let (status, body) = answer(world.stripe_keyed("/v1/customers", &[("email", "b@acme.test")], "k1").await).await;
    assert_eq!((status, &body["error"]["type"]), (400, &json!("idempotency_error")));
    // What was refused was never begun.
    assert_eq!(world.stripe_keyed("/v1/customers", &[("colour", "red")], "k2").await.status(), 400);
    assert_eq!(world.stripe_keyed("/v1/customers", &pairs, "k2").await.status(), 200);
    assert_eq!(world.stripe_keyed("/v1/customers", &pairs, &"k".repeat(256)).await.status(), 400);
    let customers = world.look("/v1/customers", &[]).await;
    assert_eq!(customers["data"].as_array().unwrap().len(), 2);
    let event = world.stripe_event("customer.created").await;
    assert_eq!(event["request"]["idempotency_key"], "k1");
}

#[tokio::test]
async fn an_error_after_the_work_is_stored_under_its_key() {
    let world = World::start().await;
    world.chaos(json!({ "apiErrorAfterCommitRate": 1 })).await;
    let pairs = [("email", "ada@acme.test")];
    let lost = world.stripe_keyed("/v1/customers", &pairs, "k1").await;
    assert_eq!(lost.status(), StatusCode::INTERNAL_SERVER_ERROR);
    world.chaos(json!({})).await;
    let again = world.stripe_keyed("/v1/customers", &pairs, "k1").await;
    assert_eq!((again.status().as_u16(), &again.headers()["idempotent-replayed"]), (500, &"true".parse().unwrap()));
    assert_eq!(world.look("/v1/customers", &[]).await["data"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_switched_on_limit_lets_25_requests_in_each_second() {
    let world = World::start().await;
    world.chaos(json!({ "apiRateLimitPerMinute": 1_000 })).await;
    for _ in 0..25 {
        assert_eq!(world.stripe(Method::GET, "/v1/customers", &[]).await.0, 200);
    }
    let (status, error) = world.refused(Method::GET, "/v1/customers", &[]).await;
    assert_eq!((status, &error["code"]), (429, &json!("rate_limit")));
    world.machine.fetch_add(1_000_000, std::sync::atomic::Ordering::SeqCst);
    assert_eq!(world.stripe(Method::GET, "/v1/customers", &[]).await.0, 200);
    let log = world.get("/sandbox/requests?provider=stripe").await;
    let limited = log["requests"].as_array().unwrap().iter().filter(|one| one["fault"] == "rate_limited").count();
    assert_eq!((limited, &log["total"]), (1, &json!(27)));
}
