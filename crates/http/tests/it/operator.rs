//! What operators see and start: deliveries, drift, reconciliations, keys.

use std::time::{Duration, Instant};

use axum::body::Body;
use http::StatusCode;
use serde_json::{Value, json};
use tollkeeper_http::Config;
use tollkeeper_store::inbox;

use crate::world::{World, operated, plain};

async fn world() -> World {
    World::with(|_| {}, operated()).await
}

async fn deliver(world: &World, id: &str) {
    let request = plain("POST", "/api/webhooks/chargebee").header("authorization", "Basic good");
    let body = json!({ "id": id, "name": "Acme" }).to_string();
    world.send(request.body(Body::from(body)).unwrap()).await.ok();
}

/// Gives a delivery up, as the last failed try does.
async fn give_up(world: &World, id: &str) {
    let id = id.to_owned();
    let write = world.engine.database().write(|tx| {
        let ids = [id.as_str().into()];
        Box::pin(async move { inbox::dead(tx, &"chargebee".into(), &ids, "the provider is away").await })
    });
    assert_eq!(write.await.unwrap(), 1);
}

#[tokio::test]
async fn deliveries_are_listed_and_shown() {
    let world = world().await;
    deliver(&world, "ev_1").await;
    deliver(&world, "ev_2").await;
    give_up(&world, "ev_2").await;
    let list = async |query: &str| {
        let answer = world.operate("GET", &format!("/admin/api/inbox{query}"), "").await.ok();
        let all = answer["deliveries"].as_array().unwrap();
        all.iter().map(|row| row["eventId"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let mut all = list("").await;
    all.sort();
    assert_eq!(all, ["ev_1", "ev_2"]);
    assert_eq!(list("?state=dead").await, ["ev_2"]);
    assert_eq!(list("?state=pending&source=chargebee").await, ["ev_1"]);
    assert_eq!(list("?source=scalekit").await, [""; 0]);
    assert_eq!(list("?limit=1").await.len(), 1);
    assert_eq!(list("?before=2025-06-15T15:06:40Z").await, [""; 0]);
    assert_eq!(list("?before=2025-06-15T15:06:41Z").await.len(), 2);

    let one = world.operate("GET", "/admin/api/inbox/chargebee/ev_2", "").await.ok();
    assert_eq!(one["payload"], json!({ "id": "ev_2", "name": "Acme" }));
    assert_eq!(one["state"], "dead");
    assert_eq!(one["lastError"], "the provider is away");
    assert_eq!(one["receivedAt"], "2025-06-15T15:06:40Z");
    assert_eq!((&one["seen"], &one["attempts"]), (&json!(1), &json!(1)));
    world.operate("GET", "/admin/api/inbox/chargebee/ev_3", "").await.problem(404, "unknown_delivery");
}

#[tokio::test]
async fn what_was_given_up_is_worked_on_again() {
    let world = world().await;
    let states = async || {
        let counts = world.engine.delivery_counts().await.unwrap();
        counts.into_iter().map(|(_, state, count)| (state.as_str(), count)).collect::<Vec<_>>()
    };
    let replay = async |body: &str| world.operate("POST", "/admin/api/replay", body).await.ok()["replayed"].clone();
    for id in ["ev_1", "ev_2", "ev_3"] {
        deliver(&world, id).await;
    }
    give_up(&world, "ev_1").await;
    give_up(&world, "ev_2").await;
    assert_eq!(replay(r#"{"source":"chargebee","eventId":"ev_1"}"#).await, 1);
    assert_eq!(replay(r#"{"source":"chargebee","eventId":"ev_3"}"#).await, 1, "it is hurried");
    assert_eq!(states().await, [("dead", 1), ("pending", 2)]);
    assert_eq!(replay(r#"{"source":"scalekit"}"#).await, 0);
    assert_eq!(replay(r#"{"until":"2025-06-15T15:06:40Z"}"#).await, 0);
    assert_eq!(replay(r#"{"from":1750000000,"dead":true}"#).await, 1);
    assert_eq!(states().await, [("pending", 3)]);

    let settle = world.engine.database().write(|tx| {
        Box::pin(async move { inbox::settle(tx, &"chargebee".into(), &["ev_3".into()], "it is so").await })
    });
    settle.await.unwrap();
    assert_eq!(replay("").await, 0, "what is settled stays so");
    assert_eq!(replay(r#"{"closed":true}"#).await, 1);
}

#[tokio::test]
async fn each_bad_question_of_an_operator_is_told_what_is_wrong() {
    let world = world().await;
    let long = format!("/admin/api/inbox?subject={}", "x".repeat(256));
    for (method, path, body, code, field) in [
        ("GET", "/admin/api/inbox?state=lost", "", "invalid_value", "state"),
        ("GET", "/admin/api/inbox?limit=0", "", "invalid_value", "limit"),
        ("GET", "/admin/api/inbox?limit=501", "", "invalid_value", "limit"),
        ("GET", "/admin/api/inbox?limit=many", "", "invalid_value", "limit"),
        ("GET", "/admin/api/inbox?before=yesterday", "", "invalid_value", "before"),
        ("GET", "/admin/api/inbox?source=%00", "", "invalid_text", "source"),
        ("GET", &long, "", "invalid_text", "subject"),
        ("GET", "/admin/api/inbox/chargebee/%00", "", "invalid_text", "id"),
        ("GET", "/admin/api/inbox/%FF/ev_1", "", "invalid_text", "id"),
        ("GET", "/admin/api/drift?limit=-1", "", "invalid_value", "limit"),
        ("GET", "/admin/api/drift?organizationId=", "", "invalid_text", "organizationId"),
        ("GET", "/admin/api/organizations/org_1/history?after=x", "", "invalid_value", "after"),
        ("GET", "/admin/api/organizations/%00/history", "", "invalid_text", "id"),
        ("POST", "/admin/api/replay", r#"{"source":7}"#, "invalid_type", "source"),
        ("POST", "/admin/api/replay", r#"{"eventId":"ev_1"}"#, "source_required", "source"),
        ("POST", "/admin/api/replay", r#"{"from":"x"}"#, "invalid_value", "from"),
        ("POST", "/admin/api/replay", r#"{"until":[]}"#, "invalid_type", "until"),
        ("POST", "/admin/api/replay", r#"{"dead":false}"#, "invalid_value", "dead"),
        ("POST", "/admin/api/replay", r#"{"closed":"yes"}"#, "invalid_type", "closed"),
        ("POST", "/admin/api/reconcile", r#"{"full":1}"#, "invalid_type", "full"),
        ("POST", "/admin/api/reconcile", r#"{"organizationId":1}"#, "invalid_type", "organizationId"),
        ("POST", "/admin/api/keys", "{}", "bad_name", "name"),
        ("POST", "/admin/api/keys", r#"{"name":"x"}"#, "bad_scopes", "scopes"),
        ("POST", "/admin/api/keys", r#"{"name":"x","scopes":["root"]}"#, "bad_scopes", "scopes"),
        ("POST", "/admin/api/keys", r#"{"name":"x","scopes":{}}"#, "invalid_type", "scopes"),
        (
            "POST",
            "/admin/api/keys",
            r#"{"name":"x","scopes":["read"],"organizationId":""}"#,
            "invalid_value",
            "organizationId",
        ),
    ] {
        let document = world.operate(method, path, body).await.problem(400, code);
        assert_eq!(document["field"], field, "{method} {path} {body}: {document}");
    }
    let unknown = r#"{"source":"chargebee","eventId":"ev_9"}"#;
    world.operate("POST", "/admin/api/replay", unknown).await.problem(404, "unknown_delivery");
    world.operate("DELETE", "/admin/api/keys/key_9", "").await.problem(404, "unknown_key");
    world.operate("GET", "/admin/api/organizations/org_9", "").await.problem(404, "unknown_organization");
}

#[tokio::test]
async fn a_key_is_shown_once_and_listed_without_its_secret() {
    let world = world().await;
    let body = r#"{"name":"backend","scopes":["read","billing"],"organizationId":"org_1"}"#;
    let made = world.operate("POST", "/admin/api/keys", body).await.ok();
    let secret = made["secret"].as_str().unwrap();
    assert!(secret.starts_with("tk_") && secret.len() > 40, "{secret}");
    assert_eq!(made["key"]["scopes"], json!(["read", "billing"]));
    assert_eq!(made["key"]["organizationId"], "org_1");
    let listed = world.operate("GET", "/admin/api/keys", "").await.ok();
    assert_eq!(listed["keys"][0]["name"], "backend");
    assert_eq!(listed["keys"][0]["revokedAt"], Value::Null);
    assert!(!listed.to_string().contains(secret));
    let path = format!("/admin/api/keys/{}", made["key"]["id"].as_str().unwrap());
    assert_eq!(world.operate("DELETE", &path, "").await.status, StatusCode::NO_CONTENT);
    world.operate("DELETE", &path, "").await.problem(404, "unknown_key");
    let listed = world.operate("GET", "/admin/api/keys", "").await.ok();
    assert_ne!(listed["keys"][0]["revokedAt"], Value::Null);
}

#[tokio::test]
async fn an_organization_is_shown_with_what_happened_to_it() {
    let world = world().await;
    let row = world.subscribe(r#"{"plan":"growth"}"#).await;
    let shown = world.operate("GET", "/admin/api/organizations/org_1", "").await.ok();
    assert_eq!(shown["organization"]["id"], "org_1");
    assert_eq!(shown["customers"], json!([{ "provider": "chargebee", "id": "org_1-0" }]));
    assert_eq!(shown["subscriptions"][0]["id"], *row);
    assert_eq!(shown["subscriptions"][0]["status"], "active");
    let history = async |query: &str| {
        let answer = world.operate("GET", &format!("/admin/api/organizations/org_1/history{query}"), "").await.ok();
        answer["history"].as_array().unwrap().clone()
    };
    let all = history("").await;
    let last = all.last().unwrap();
    assert_eq!(last["after"]["status"], "active");
    assert_eq!(last["subscriptionId"], *row);
    assert!(!last["why"].as_str().unwrap().is_empty());
    assert_eq!(history(&format!("?after={}", last["seq"])).await, Vec::<Value>::new());
    assert_eq!(history("?limit=1").await, all[..1]);
}

#[tokio::test]
async fn a_reconciliation_repairs_and_reports() {
    let world = world().await;
    let row = world.subscribe(r#"{"plan":"growth"}"#).await;
    world.billing.edit(&row, |snapshot| snapshot.cancel_at = snapshot.period_end);
    let report = world.operate("POST", "/admin/api/reconcile", r#"{"full":true}"#).await.ok();
    assert_eq!((&report["repaired"], &report["strangers"], &report["more"]), (&json!(1), &json!(0), &json!(0)));
    assert!(report["checked"].as_u64().unwrap() >= 2, "{report}");
    let about = report["drift"].as_array().unwrap();
    assert!(about.iter().any(|one| one["field"] == "status" && one["found"] == "non_renewing"), "{report}");
    let drift = world.operate("GET", "/admin/api/drift?organizationId=org_1", "").await.ok();
    assert_eq!(drift["drift"].as_array().unwrap().len(), about.len());
    assert_eq!(drift["drift"][0]["subscriptionId"], *row);
    let other = world.operate("GET", "/admin/api/drift?organizationId=org_2", "").await.ok();
    assert_eq!(other["drift"], json!([]));

    // It is right now: of one organization, and of what changed lately.
    let again = world.operate("POST", "/admin/api/reconcile", r#"{"organizationId":"org_1"}"#).await.ok();
    assert_eq!((&again["repaired"], &again["drift"]), (&json!(0), &json!([])));
    assert_eq!(world.operate("POST", "/admin/api/reconcile", "").await.ok()["repaired"], 0);
    let unknown = world.operate("POST", "/admin/api/reconcile", r#"{"organizationId":"org_9"}"#).await;
    unknown.problem(404, "unknown_organization");
}

#[tokio::test]
async fn a_reconciliation_that_takes_long_is_a_job() {
    let mut config: Config = operated();
    config.limits.report_time = Duration::from_millis(1);
    let world = World::with(|_| {}, config).await;
    world.subscribe(r#"{"plan":"growth"}"#).await;
    world.billing.pace.forget_permits(usize::MAX);

    let begun = world.operate("POST", "/admin/api/reconcile", r#"{"full":true}"#).await;
    assert_eq!(begun.status, StatusCode::ACCEPTED, "{begun:?}");
    let path = begun.header("location").unwrap();
    assert_eq!(path, format!("/admin/api/reconcile/{}", begun.json()["job"].as_str().unwrap()));
    let still = world.operate("GET", path, "").await;
    assert_eq!((still.status, &still.json()["job"]), (StatusCode::ACCEPTED, &begun.json()["job"]));
    // One is enough.
    let second = world.operate("POST", "/admin/api/reconcile", r#"{"full":true}"#).await;
    if second.status == StatusCode::ACCEPTED {
        let path = second.header("location").unwrap().to_owned();
        until(async || world.operate("GET", &path, "").await.status == StatusCode::CONFLICT).await;
    } else {
        second.problem(409, "reconcile_running");
    }
    world.billing.pace.add_permits(1000);
    until(async || world.operate("GET", path, "").await.status == StatusCode::OK).await;
    assert_eq!(world.operate("GET", path, "").await.ok()["repaired"], 0);
    world.operate("GET", "/admin/api/reconcile/unknown", "").await.problem(404, "unknown_job");
}

#[tokio::test]
async fn a_reconciliation_outlives_the_time_of_other_requests() {
    let mut config: Config = operated();
    config.limits.request_time = Duration::from_millis(200);
    config.limits.report_time = Duration::from_millis(500);
    let world = World::with(|_| {}, config).await;
    world.billing.pace.forget_permits(usize::MAX);
    let begun = world.operate("POST", "/admin/api/reconcile", r#"{"full":true}"#).await;
    assert_eq!(begun.status, StatusCode::ACCEPTED, "{begun:?}");
}

#[tokio::test]
async fn a_reconciliation_that_fails_says_so_without_inner_words() {
    let world = world().await;
    world.subscribe(r#"{"plan":"growth"}"#).await;
    world.billing.fail(Some(tollkeeper::ports::ErrorKind::Rejected));
    let report = world.operate("POST", "/admin/api/reconcile", r#"{"full":true}"#).await.ok();
    assert_eq!(report["notCompared"], json!(["chargebee"]), "{report}");
    assert!(!report.to_string().contains("inner words"), "{report}");
}

/// Waits for a condition, and fails when it does not come.
async fn until(mut condition: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !condition().await {
        assert!(Instant::now() < deadline, "it never came");
        tokio::task::yield_now().await;
    }
}
