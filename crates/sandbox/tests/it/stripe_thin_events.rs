//! Thin events: usage that was taken in and could not be used.

use reqwest::Method;
use serde_json::{Value, json};

use crate::stripe_support::*;
use crate::stripe_webhooks::is_signed;
use crate::support::*;

const ERROR_REPORT: &str = "v1.billing.meter.error_report_triggered";
const METER: &str = "mtr_test_api_calls";
const DAY: i64 = 86_400;

impl World {
    /// Usage of `api_calls` as v1 takes it in: it must be accepted.
    async fn use_calls(&self, customer: &str, value: &str, identifier: &str) {
        let pairs = calls(customer, value, identifier);
        let told = self.post("/v1/billing/meter_events", &pairs).await;
        assert_eq!((&told["object"], &told["identifier"]), (&json!("billing.meter_event"), &json!(identifier)));
    }

    /// Usage of `api_calls` as v2 takes it in: its status and its answer.
    async fn use_calls_in_v2(&self, customer: &str) -> (u16, Value) {
        let body = json!({ "event_name": "api_calls", "payload": { "stripe_customer_id": customer, "value": "1" } });
        let request = self.client.post(self.url("/v2/billing/meter_events")).bearer_auth(SECRET_KEY).json(&body);
        answer(request.send().await.unwrap()).await
    }

    /// What a customer used of `api_calls`.
    async fn used(&self, customer: &str) -> Value {
        let (start, end) = ((START - 60).to_string(), (START + 3_600).to_string());
        let pairs = [("customer", customer), ("start_time", &start), ("end_time", &end)];
        let summaries = self.look(&format!("/v1/billing/meters/{METER}/event_summaries"), &pairs).await;
        summaries["data"][0]["aggregated_value"].clone()
    }

    /// The thin events so far, newest first.
    async fn reports(&self) -> Vec<Value> {
        self.look("/v2/core/events", &[]).await["data"].as_array().unwrap().clone()
    }

    /// The code of the newest report, and the event that it names.
    async fn last_error(&self) -> (Value, Value) {
        let report = self.reports().await.swap_remove(0);
        let found = &report["data"]["reason"]["error_types"][0];
        (found["code"].clone(), found["sample_errors"][0]["request"]["identifier"].clone())
    }

    /// A page of `/v2/core/events` by its address: its ids, and the page itself.
    async fn page_at(&self, address: &Value) -> (Vec<Value>, Value) {
        let address = address.as_str().unwrap_or_else(|| panic!("{address} is no page"));
        let request = self.client.get(self.url(address)).bearer_auth(SECRET_KEY);
        let (status, page) = answer(request.send().await.unwrap()).await;
        assert_eq!(status, 200, "{page}");
        (ids(&page), page)
    }
}

fn calls<'a>(customer: &'a str, value: &'a str, identifier: &'a str) -> [(&'a str, &'a str); 4] {
    [
        ("event_name", "api_calls"),
        ("payload[stripe_customer_id]", customer),
        ("payload[value]", value),
        ("identifier", identifier),
    ]
}

fn ids(page: &Value) -> Vec<Value> {
    page["data"].as_array().unwrap().iter().map(|event| event["id"].clone()).collect()
}

#[tokio::test]
async fn usage_of_an_unknown_customer_is_taken_in_and_reported() {
    let world = World::start().await;
    world.use_calls("cus_none", "7", "u1").await;
    let told = world.stripe_event(ERROR_REPORT).await;
    let received = world.stripe_deliveries("/stripe").pop().unwrap();
    assert!(is_signed(&received, ENDPOINT_SECRET) && !is_signed(&received, "whsec_other"));
    let id = text(&told["id"]);
    let related = json!({ "id": METER, "type": "billing.meter", "url": format!("/v1/billing/meters/{METER}") });
    let notification = json!({
        "id": id,
        "object": "v2.core.event",
        "context": null,
        "created": "2026-01-01T00:00:00.000Z",
        "livemode": false,
        "reason": null,
        "related_object": related,
        "type": ERROR_REPORT,
    });
    assert_eq!(told, notification, "it says what it is about, and not what happened");

    let mut read = world.look(&format!("/v2/core/events/{id}"), &[]).await;
    let data = json!({
        "developer_message_summary": "There is 1 invalid event",
        "reason": {
            "error_count": 1,
            "error_types": [{
                "code": "meter_event_customer_not_found",
                "error_count": 1,
                "sample_errors": [{
                    "error_message": "No customer was found matching stripe_customer_id cus_none.",
                    "request": { "identifier": "u1" },
                }],
            }],
        },
        "validation_end": "2026-01-01T00:00:00.000Z",
        "validation_start": "2025-12-31T23:59:50.000Z",
    });
    assert_eq!(read["data"].take(), data);
    let meter = world.look(read["related_object"]["url"].as_str().unwrap(), &[]).await;
    assert_eq!((&meter["id"], &meter["event_name"]), (&json!(METER), &json!("api_calls")));

    // The two kinds of events know nothing of each other.
    assert_eq!(world.look("/v1/events", &[]).await["data"], json!([]));
    assert_eq!(world.refused(Method::GET, &format!("/v1/events/{id}"), &[]).await.0, 404);
    world.stripe_customer().await;
    let classic = text(&world.stripe_event("customer.created").await["id"]);
    let (status, error) = world.refused(Method::GET, &format!("/v2/core/events/{classic}"), &[]).await;
    assert_eq!((status, &error["code"]), (404, &json!("not_found")));
}

#[tokio::test]
async fn usage_after_a_customer_was_deleted_does_not_count() {
    let world = World::start().await;
    let customer = world.stripe_customer().await;
    world.use_calls(&customer, "7", "before").await;
    assert!(world.reports().await.is_empty());
    world.stripe(Method::DELETE, &format!("/v1/customers/{customer}"), &[]).await;
    world.use_calls(&customer, "5", "after").await;
    assert_eq!(world.last_error().await, (json!("meter_event_customer_not_found"), json!("after")));
    assert_eq!(world.used(&customer).await, 7);
    // What was taken in is known by its identifier, whether or not it counts.
    let again = calls(&customer, "5", "after");
    let (status, error) = world.refused(Method::POST, "/v1/billing/meter_events", &again).await;
    assert_eq!((status, &error["code"]), (400, &json!("resource_already_exists")));
    assert_eq!(world.reports().await.len(), 1);
    let deliveries = world.get("/sandbox/deliveries?provider=stripe").await;
    let told = deliveries["deliveries"].as_array().unwrap().iter().find(|row| row["eventType"] == ERROR_REPORT);
    assert_eq!(told.unwrap()["organizationId"], "org_acme");
}

#[tokio::test]
async fn v1_finds_out_later_that_a_meter_was_archived_and_v2_at_once() {
    let world = World::start().await;
    let customer = world.stripe_customer().await;
    world.post(&format!("/v1/billing/meters/{METER}/deactivate"), &[]).await;
    world.use_calls(&customer, "3", "u1").await;
    assert_eq!(world.last_error().await, (json!("archived_meter"), json!("u1")));
    let (status, refused) = world.use_calls_in_v2(&customer).await;
    assert_eq!((status, &refused["error"]["code"]), (400, &json!("archived_meter")));
    assert_eq!(world.reports().await.len(), 1);

    // It never counts, also when the meter is used again.
    world.post(&format!("/v1/billing/meters/{METER}/reactivate"), &[]).await;
    world.use_calls(&customer, "2", "u2").await;
    assert_eq!(world.used(&customer).await, 2);
    assert_eq!(world.reports().await.len(), 1);
}

#[tokio::test]
async fn a_new_meter_takes_the_name_of_an_archived_one() {
    let world = World::start().await;
    let customer = world.stripe_customer().await;
    world.post(&format!("/v1/billing/meters/{METER}/deactivate"), &[]).await;
    let meter = [
        ("display_name", "Calls"),
        ("event_name", "api_calls"),
        ("default_aggregation[formula]", "sum"),
        ("value_settings[event_payload_key]", "calls"),
    ];
    world.post("/v1/billing/meters", &meter).await;
    let pairs = [("event_name", "api_calls"), ("payload[stripe_customer_id]", &customer), ("payload[calls]", "1")];
    world.post("/v1/billing/meter_events", &pairs).await;
    assert!(world.reports().await.is_empty());
}

#[tokio::test]
async fn v2_knows_of_customers_as_late_as_v1() {
    let world = World::start().await;
    let (status, told) = world.use_calls_in_v2("cus_none").await;
    assert_eq!(status, 200, "{told}");
    assert_eq!(world.last_error().await, (json!("meter_event_customer_not_found"), told["identifier"].clone()));
}

#[tokio::test]
async fn what_can_be_seen_at_once_is_refused_and_not_reported() {
    let world = World::start().await;
    let old = (START - 36 * DAY).to_string();
    for (pairs, param) in [
        (vec![("event_name", "none"), ("payload[stripe_customer_id]", "cus_none")], "event_name"),
        (vec![("event_name", "api_calls"), ("payload[value]", "1")], "payload[stripe_customer_id]"),
        (calls("cus_none", "many", "u1").to_vec(), "payload[value]"),
        ([&calls("cus_none", "1", "u1")[..], &[("timestamp", &old)]].concat(), "timestamp"),
    ] {
        let (status, error) = world.refused(Method::POST, "/v1/billing/meter_events", &pairs).await;
        assert_eq!((status, error["param"].as_str()), (400, Some(param)), "{error}");
    }
    assert!(world.reports().await.is_empty());
    assert_eq!(world.get("/sandbox/deliveries?provider=stripe").await["total"], 0);
}

#[tokio::test]
async fn an_endpoint_gets_thin_events_when_it_names_them() {
    let world = World::start().await;
    let configured = world.look("/v1/webhook_endpoints", &[]).await["data"][0].clone();
    assert_eq!(configured["enabled_events"], json!(["*", ERROR_REPORT]));
    let base = text(&configured["url"]).replace("/stripe", "");
    let (older, other) = (format!("{base}/older"), format!("{base}/other"));
    let pairs = [("url", older.as_str()), ("enabled_events[]", ERROR_REPORT), ("api_version", OLDER)];
    let named = world.post("/v1/webhook_endpoints", &pairs).await;
    world.post("/v1/webhook_endpoints", &[("url", other.as_str()), ("enabled_events[]", "*")]).await;

    world.use_calls("cus_none", "1", "u1").await;
    world.stripe_customer().await;
    let thin = eventually("the thin event", || world.stripe_deliveries("/older").into_iter().next()).await;
    assert!(is_signed(&thin, named["secret"].as_str().unwrap()));
    // No version of the API changes it.
    assert_eq!(thin.json(), world.stripe_event(ERROR_REPORT).await);
    world.stripe_event("customer.created").await;
    eventually("the classic event", || world.stripe_deliveries("/other").into_iter().next()).await;
    let deliveries = world.get("/sandbox/deliveries?provider=stripe").await;
    assert_eq!(deliveries["total"], 4, "two of each: {deliveries}");
    let types =
        |path| -> Vec<Value> { world.stripe_deliveries(path).iter().map(|one| one.json()["type"].clone()).collect() };
    assert_eq!((types("/older"), types("/other")), (vec![json!(ERROR_REPORT)], vec![json!("customer.created")]));
}

#[tokio::test]
async fn a_thin_event_is_tried_again_as_it_is() {
    let world = World::start().await;
    world.receiver.answer_with(500);
    world.use_calls("cus_none", "1", "u1").await;
    world.stripe_event(ERROR_REPORT).await;
    world.receiver.answer_with(200);
    world.advance(300).await;
    let events = world.stripe_events();
    assert!(events.len() == 2 && events[0] == events[1], "{events:?}");
    let deliveries = world.get("/sandbox/deliveries?provider=stripe").await;
    assert_eq!(deliveries["deliveries"][0]["state"], "delivered");
}

#[tokio::test]
async fn thin_events_are_read_page_by_page_for_thirty_days() {
    let world = World::start().await;
    for identifier in ["u1", "u2", "u3", "u4", "u5"] {
        world.use_calls("cus_none", "1", identifier).await;
    }
    let all = ids(&world.look("/v2/core/events", &[]).await);
    let of_meter = [("object_id", METER), ("types[]", ERROR_REPORT), ("limit", "2")];
    let first = world.look("/v2/core/events", &of_meter).await;
    assert_eq!((ids(&first), &first["previous_page_url"]), (all[..2].to_vec(), &Value::Null));
    // What comes meanwhile does not move the pages that follow.
    world.use_calls("cus_none", "1", "u6").await;
    let (second_ids, second) = world.page_at(&first["next_page_url"]).await;
    assert_eq!(second_ids, all[2..4]);
    let (last_ids, last) = world.page_at(&second["next_page_url"]).await;
    assert_eq!((last_ids, &last["next_page_url"]), (all[4..].to_vec(), &Value::Null));
    assert_eq!(world.page_at(&last["previous_page_url"]).await.0, all[2..4]);

    for none in [[("object_id", "mtr_none")], [("types[]", "v1.billing.meter.no_meter_found")]] {
        assert_eq!(world.look("/v2/core/events", &none).await["data"], json!([]));
    }
    for wrong in [[("page", "evt_none")], [("limit", "0")], [("colour", "red")]] {
        assert_eq!(world.refused(Method::GET, "/v2/core/events", &wrong).await.0, 400, "{wrong:?}");
    }
    let path = format!("/v2/core/events/{}", text(&all[0]));
    world.advance(30 * DAY - 1).await;
    world.look(&path, &[]).await;
    world.advance(1).await;
    assert_eq!(world.refused(Method::GET, &path, &[]).await.0, 404);
    assert!(world.reports().await.is_empty());
}
