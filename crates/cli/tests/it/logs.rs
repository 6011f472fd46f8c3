//! What the log must not know: secrets, tokens, people.

use serde_json::{Value, json};

use crate::support::{World, tollkeeper};

#[tokio::test]
async fn the_log_names_no_secret_no_token_and_no_person() {
    let mut world = World::start().await;
    world.env.insert("TOLLKEEPER_LOG".to_owned(), "debug".to_owned());
    let database = format!("sqlite://{}", world.folder.path().join("t.db").display());
    let mut server = world.serve(&database, &[]).await;
    let organization = world.organization("Acme Inc").await;
    let admin = world.admin(&server, &organization).await;
    let foreign = world.token(json!({ "email": "eve@example.test", "signWith": "foreign" })).await;
    let started = admin.create(json!({ "plan": "growth", "metadata": { "note": "for our eyes" } })).await.ok();
    world.pay(&started["url"]).await;
    admin.gate_is("sso", 200).await;
    let shown = admin.post("/api/subscription/preview", json!({ "seats": 9 })).await.ok();
    let preview = shown["previewToken"].as_str().unwrap();
    admin.post("/api/subscription/update", json!({ "seats": 9, "previewToken": preview })).await.ok();
    let mut create = tollkeeper(&["keys", "create", "--name", "backend", "--scope", "read", "--json"]);
    let made = create.envs(&world.env).env("DATABASE_URL", &database).output().unwrap();
    let key: Value = serde_json::from_slice(&made.stdout).unwrap();
    let key = key["secret"].as_str().unwrap();
    let list = format!("{}/api/subscription/list?referenceId={organization}", server.url);
    assert_eq!(world.client.get(list).bearer_auth(key).send().await.unwrap().status(), 200);
    admin.post("/api/subscription/cancel", json!({ "when": "now" })).await.ok();
    let refused = world.client.get(format!("{}/api/session", server.url)).bearer_auth(&foreign).send().await.unwrap();
    assert_eq!(refused.status(), 401);
    let unsigned = world.client.post(format!("{}/api/webhooks/chargebee", server.url));
    let unsigned = unsigned.basic_auth("chargebee", Some("a wrong password")).body(r#"{"id":"ev_1"}"#);
    assert_eq!(unsigned.send().await.unwrap().status(), 401);

    server.process.terminate();
    server.process.end().await;
    let log = server.process.stderr().join("\n") + &String::from_utf8_lossy(&made.stderr);
    assert!(log.contains(&organization), "a log that says nothing proves nothing");
    let secrets =
        world.env.iter().filter(|(name, _)| ["_SECRET", "_KEY", "_PASSWORD"].iter().any(|kind| name.ends_with(kind)));
    for (name, secret) in secrets {
        assert!(!log.contains(secret), "the log holds {name}");
    }
    let signature = |token: &str| token.rsplit('.').next().unwrap().to_owned();
    for (what, text) in [
        ("a token", signature(&admin.token)),
        ("a refused token", signature(&foreign)),
        ("an API key", key.to_owned()),
        ("a preview token", preview.to_owned()),
        ("a refused password", "a wrong password".to_owned()),
        ("an e-mail address", "admin@example.test".to_owned()),
        ("a card", world.provider.card().replace(' ', "")),
        ("the metadata of a request", "for our eyes".to_owned()),
    ] {
        let line = log.lines().find(|line| line.contains(&text));
        assert!(line.is_none(), "the log holds {what}: {line:?}");
    }
}
