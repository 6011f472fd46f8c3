//! What is paid once: from a price to a page, to the invoice and its document.

use reqwest::Method;
use serde_json::{Value, json};
use tollkeeper_store::inbox::InboxState;

use crate::provider::everywhere;
use crate::support::{Answer, World, inbox_rows, worked_off};

everywhere! {
    async fn onboarding_is_bought_once_by_who_may_and_invoiced(db: TestDb, provider: Provider) {
        let world = World::of(provider).await;
        let server = world.serve(db.url(), &[]).await;
        let organization = world.organization("Acme Inc").await;
        let admin = world.admin(&server, &organization).await;
        let choice = json!({ "items": [{ "priceId": provider.onboarding(), "quantity": 1 }], "successUrl": "/thanks" });

        let wish = json!({ "email": "m@example.test", "organizationId": organization, "roles": ["member"] });
        let mut member = admin.clone();
        member.token = world.token(wish).await;
        assert_eq!(member.post("/api/checkout", choice.clone()).await.code(), "role_required");

        let started = admin.post("/api/checkout", choice.clone()).await.ok();
        assert_eq!(started["mode"], "hosted");
        assert_eq!(world.truth("customers", &organization).await.len(), 1);
        let declined = json!({ "url": started["url"], "card": provider.card_without_funds() });
        assert_eq!(Answer::of(world.client.post(format!("{}/sandbox/hosted/complete", world.url)).json(&declined)).await.status, 402);
        let back = world.pay(&started["url"]).await;
        assert!(back.starts_with(&format!("{}/thanks", world.env["APP_URL"])), "{back}");

        // The news of it are about no subscription, and end well all the same.
        world.delivered(&organization).await;
        worked_off(db.db()).await;
        let rows = inbox_rows(db.db()).await;
        let unwell: Vec<_> = rows.iter().filter(|row| !matches!(row.state, InboxState::Done | InboxState::Ignored)).collect();
        assert!(unwell.is_empty(), "{unwell:?}");
        let told = rows.iter().any(|row| provider.tells_of_payments().contains(&row.event_type.as_str()) && row.state == InboxState::Done);
        assert!(told, "{rows:?}");
        assert!(admin.subscriptions(true).await.is_empty());
        assert_eq!(admin.gate("sso").await, 402, "nothing was subscribed to");

        // Every member sees what was charged, and its document; nobody else does.
        let list = member.get("/api/invoices").await.ok();
        let [invoice] = &list["invoices"].as_array().unwrap()[..] else { panic!("{list}") };
        assert_eq!((&invoice["status"], &invoice["currency"]), (&json!("paid"), &json!("USD")), "{invoice}");
        assert_eq!((&invoice["total"], &invoice["amountDue"]), (&json!(49_900), &json!(0)), "{invoice}");
        assert!(invoice["number"].is_string() && invoice["date"].is_string(), "{invoice}");
        assert_eq!(list["next"], json!(null));
        let path = format!("/api/invoices/{}/pdf", invoice["id"].as_str().unwrap());
        let led = member.request(Method::GET, &path, &Value::Null).send().await.unwrap();
        assert_eq!(led.status().as_u16(), 302);
        let link = led.headers()["location"].to_str().unwrap().to_owned();
        let document = world.client.get(&link).send().await.unwrap();
        assert_eq!(document.headers()["content-type"], "application/pdf");
        assert!(document.bytes().await.unwrap().starts_with(b"%PDF-"));

        let stranger = world.admin(&server, &world.organization("Other Inc").await).await;
        let theirs = json!({ "items": [{ "priceId": provider.onboarding() }] });
        stranger.post("/api/checkout", theirs).await.ok();
        assert_eq!(stranger.get("/api/invoices").await.ok()["invoices"], json!([]));
        for (path, status, code) in [
            (path.as_str(), 404, "unknown_invoice"),
            ("/api/invoices/in_nothing/pdf", 404, "unknown_invoice"),
            ("/api/invoices/../pdf", 404, "not_found"),
            ("/api/invoices/%2E%2E/pdf", 404, "not_found"),
            ("/api/invoices/search/pdf", 404, "unknown_invoice"),
            ("/api/invoices?page=nowhere", 404, "unknown_page"),
        ] {
            let answer = stranger.get(path).await;
            assert_eq!((answer.status, answer.code()), (status, code), "{path}: {}", answer.body);
        }
        server.stop().await;
    }
}
