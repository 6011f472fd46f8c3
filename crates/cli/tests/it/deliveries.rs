//! What stands at the door for webhooks: the raw bytes decide.

use reqwest::{RequestBuilder, header::AUTHORIZATION};
use serde_json::{Value, json};
use tollkeeper_store::inbox;

use crate::support::{Answer, Server, World, inbox_rows, worked_off};

const NEWS: &str = r#"{"spec_version":"1","id":"evt_7001","type":"organization.created","object":"Organization",
  "occurred_at":"2026-01-01T00:00:00.000000000Z","environment_id":"env_sandbox","organization_id":"org_7001",
  "display_name":"Organization Created","data":{"id":"org_7001","display_name":"Zürich & Söhne"}}"#;

#[expect(clippy::disallowed_methods, reason = "signatures carry the machine's time, as the provider's would")]
fn now() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    i64::try_from(since.as_secs()).unwrap()
}

/// A delivery of the identity provider: signed over `signed`, carrying `body`.
fn notice(world: &World, server: &Server, signed: &str, body: Vec<u8>) -> RequestBuilder {
    let timestamp = now();
    let key = standardwebhooks::Webhook::new(&world.env["SCALEKIT_WEBHOOK_SECRET"]).unwrap();
    let signature = key.sign("msg_1", timestamp, signed.as_bytes()).unwrap();
    world
        .client
        .post(format!("{}/api/webhooks/scalekit", server.url))
        .header("content-type", "application/json")
        .header("webhook-id", "msg_1")
        .header("webhook-timestamp", timestamp)
        .header("webhook-signature", signature)
        .body(body)
}

tollkeeper_testkit::both_engines! {
    async fn one_changed_byte_is_refused_and_leaves_nothing(db: TestDb) {
        let world = World::start().await;
        let server = world.serve(db.url(), &[]).await;
        for at in [0, NEWS.len() / 2, NEWS.len() - 1] {
            let mut changed = NEWS.as_bytes().to_vec();
            changed[at] ^= 1;
            let refused = Answer::of(notice(&world, &server, NEWS, changed)).await;
            assert_eq!(refused.status, 401, "byte {at}: {}", refused.body);
        }
        // A body that says the same in other bytes is another body.
        let respelled = serde_json::from_str::<Value>(NEWS).unwrap().to_string();
        assert_eq!(Answer::of(notice(&world, &server, NEWS, respelled.into_bytes())).await.status, 401);
        let unsigned = world.client.post(format!("{}/api/webhooks/scalekit", server.url)).body(NEWS);
        assert_eq!(Answer::of(unsigned).await.status, 401);
        assert_eq!(inbox_rows(db.db()).await, []);
    }

    async fn a_delivery_that_comes_twice_is_stored_once_and_counted(db: TestDb) {
        let world = World::start().await;
        let server = world.serve(db.url(), &[]).await;
        let first = Answer::of(notice(&world, &server, NEWS, NEWS.into())).await;
        assert_eq!((first.status, first.body), (200, json!({ "received": true })));
        let second = Answer::of(notice(&world, &server, NEWS, NEWS.into())).await;
        assert_eq!((second.status, second.body), (200, json!({ "received": true, "duplicate": true })));
        let mut rows = inbox_rows(db.db()).await;
        rows.retain(|row| row.source.as_str() == "scalekit");
        let [row] = rows.as_slice() else { panic!("{rows:?}") };
        assert_eq!((row.event_id.as_str(), row.seen), ("evt_7001", 2));
        let stored = inbox::get(db.db().read().await.unwrap().c(), &row.source, &row.event_id).await.unwrap().unwrap();
        assert_eq!(stored.body, NEWS.as_bytes(), "the bytes are kept as they came");
        worked_off(db.db()).await;
        assert_eq!(world.truth("customers", "org_7001").await.len(), 1);
    }
}

#[tokio::test]
async fn billing_deliveries_need_the_right_credentials() {
    let world = World::start().await;
    let server = world.serve(&format!("sqlite://{}", world.folder.path().join("t.db").display()), &[]).await;
    let event = r#"{"id":"ev_1","event_type":"customer_created","occurred_at":1767225600,"content":{}}"#;
    let (user, password) = (&world.env["CHARGEBEE_WEBHOOK_USERNAME"], &world.env["CHARGEBEE_WEBHOOK_PASSWORD"]);
    for path in ["/api/webhooks/chargebee", "/chargebee/webhook"] {
        let delivery = || world.client.post(format!("{}{path}", server.url)).body(event);
        let refused = [
            delivery(),
            delivery().basic_auth(user, Some("wrong")),
            delivery().basic_auth("wrong", Some(password)),
            delivery().basic_auth(user, None::<&str>),
            delivery().bearer_auth(password),
            delivery().header(AUTHORIZATION, "Basic !"),
        ];
        for (place, request) in refused.into_iter().enumerate() {
            assert_eq!(Answer::of(request).await.status, 401, "{path}, {place}");
        }
    }
    let taken = world.client.post(format!("{}/api/webhooks/chargebee", server.url)).body(event);
    let taken = Answer::of(taken.basic_auth(user, Some(password))).await;
    assert_eq!((taken.status, taken.body), (200, json!({ "received": true })), "it was stored by nobody before");
    let broken = world.client.post(format!("{}/api/webhooks/chargebee", server.url)).body("{");
    assert_eq!(Answer::of(broken.basic_auth(user, Some(password))).await.status, 400);
}
