//! A subscription's life, with sandbox and server apart.

use serde_json::json;

use crate::provider::{Provider, both_providers, everywhere};
use crate::support::{DAY, HOUR, World, worked_off};

everywhere! {
    async fn what_the_sandbox_writes_down_and_a_database_are_enough_to_serve(db: TestDb, provider: Provider) {
        let world = World::of(provider).await;
        let server = world.serve(db.url(), &[]).await;
        let organization = world.organization("Acme Inc").await;
        let admin = world.admin(&server, &organization).await;
        assert_eq!(admin.gate("sso").await, 402);
        let started = admin.create(json!({ "plan": "growth", "seats": 5 })).await.ok();
        world.pay(&started["url"]).await;
        let row = admin.subscription_is("in_trial").await;
        assert_eq!(row["id"], started["subscriptionId"]);
        admin.gate_is("sso", 200).await;
        // The server's own clock follows the sandbox's.
        world.advance(14 * DAY + 60).await;
        admin.subscription_is("active").await;
        assert_eq!(admin.gate("sso").await, 200);
        assert_eq!(world.truth("subscriptions", &organization).await[0]["status"], "active");
        server.stop().await;
    }

    async fn billing_news_in_any_order_ends_in_the_providers_truth(db: TestDb, provider: Provider) {
        let world = World::of(provider).await;
        let server = world.serve(db.url(), &[]).await;
        let organization = world.organization("Acme Inc").await;
        let admin = world.admin(&server, &organization).await;
        let started = admin.create(json!({ "plan": "growth", "seats": 5, "trial": false })).await.ok();
        world.pay(&started["url"]).await;
        admin.subscription_is("active").await;
        world.delivered(&organization).await;
        let address = server.url.trim_start_matches("http://").parse().unwrap();
        server.stop().await;

        // Nobody listens while somebody works in the provider's dashboard.
        let dashboard = format!("/sandbox/subscriptions/{}", world.bought(&organization).await);
        for change in [
            json!({ "seats": 7 }),
            json!({ "cancelAtPeriodEnd": true }),
            json!({ "cancelAtPeriodEnd": false }),
            json!({ "seats": 9 }),
            json!({ "cancelAtPeriodEnd": true }),
        ] {
            world.post(&dashboard, change).await;
        }
        let server = world.serve_at(address, db.url(), &[]).await;
        let news = world.deliveries(&organization).await;
        for delivery in news.iter().rev().chain(&news) {
            world.redeliver(delivery).await;
        }
        worked_off(db.db()).await;
        let truth = world.truth("subscriptions", &organization).await;
        assert!(truth[0]["cancelAt"].is_number() && truth[0]["seats"] == 9, "{truth:?}");
        let rows = admin.subscriptions(true).await;
        assert_eq!(rows.len(), 1, "{rows:?}");
        assert_eq!((&rows[0]["status"], &rows[0]["seats"]), (&json!("non_renewing"), &json!(9)), "{rows:?}");
        assert_eq!(rows[0]["cancelAt"], rows[0]["periodEnd"], "{rows:?}");
        drop(server);
    }
}

both_providers! {
    async fn coming_back_from_the_page_is_enough_where_no_webhook_comes(provider: Provider) {
        let world = World::of(provider).await;
        let server = world.serve_at("127.0.0.1:0".parse().unwrap(), &sqlite(&world), &[]).await;
        let organization = world.organization("Acme Inc").await;
        let admin = world.admin(&server, &organization).await;
        let started = admin.create(json!({ "plan": "growth" })).await.ok();
        // Where the browser of a person is sent, at the server that nobody else tells anything.
        let back = async |path: &str| {
            let answer = world.client.get(format!("{}{path}", server.url)).send().await.unwrap();
            assert_eq!(answer.status(), 303, "{path}");
            answer.headers()["location"].to_str().unwrap().to_owned()
        };
        let landing = format!("/api/subscription/success?subscriptionId={}", started["subscriptionId"].as_str().unwrap());
        let target = back(&landing).await;
        assert!(target.contains("checkout=pending"), "{target}");
        assert_eq!(admin.gate("sso").await, 402, "nothing that the address says is believed");
        let target = back("/api/subscription/success?subscriptionId=tks_unknown&state=succeeded").await;
        assert!(target.contains("checkout=failed"), "{target}");

        let redirect = world.pay(&started["url"]).await;
        let app_url = &world.env["APP_URL"];
        let target = back(redirect.strip_prefix(app_url.as_str()).unwrap()).await;
        assert_eq!(target, format!("{app_url}/billing?success=1"));
        admin.gate_is("sso", 200).await;
        assert_eq!(admin.subscription_is("in_trial").await["id"], started["subscriptionId"]);
    }
}

both_providers! {
    async fn a_replaced_page_is_closed_or_opens_the_gate_when_it_is_paid(provider: Provider) {
        let world = World::of(provider).await;
        let server = world.serve(&sqlite(&world), &[]).await;
        let organization = world.organization("Acme Inc").await;
        let admin = world.admin(&server, &organization).await;
        let first = admin.create(json!({ "plan": "growth" })).await.ok();
        let second = admin.create(json!({ "plan": "starter" })).await.ok();
        assert_ne!(first["url"], second["url"]);
        let paid = world.try_to_pay(&first["url"]).await;
        if provider == Provider::Stripe {
            // Where a page can be closed, it was.
            assert_eq!(paid.code(), "page_over", "{}", paid.body);
            world.pay(&second["url"]).await;
            admin.gate_is("plan:starter", 200).await;
            assert_eq!(world.truth("subscriptions", &organization).await.len(), 1);
            return;
        }
        paid.ok();
        admin.gate_is("plan:growth", 200).await;
        let refused = admin.create(json!({ "plan": "starter" })).await;
        assert_eq!((refused.status, refused.code()), (400, "active_subscription_exists"));

        // The provider cannot close a page: when the other is paid too, both are shown.
        world.pay(&second["url"]).await;
        admin.gate_is("plan:starter", 200).await;
        let rows = admin.subscriptions(false).await;
        assert_eq!(rows.len(), 2, "{rows:?}");
        assert_eq!(world.truth("subscriptions", &organization).await.len(), 2);
    }
}

fn sqlite(world: &World) -> String {
    format!("sqlite://{}", world.folder.path().join("t.db").display())
}

both_providers! {
    async fn a_trial_is_given_once(provider: Provider) {
        let world = World::of(provider).await;
        let server = world.serve(&sqlite(&world), &[]).await;
        let organization = world.organization("Acme Inc").await;
        let admin = world.admin(&server, &organization).await;
        let first = admin.create(json!({ "plan": "growth" })).await.ok();
        world.pay(&first["url"]).await;
        let trial = admin.subscription_is("in_trial").await;
        assert!(trial["trialEnd"].is_string(), "{trial}");
        admin.post("/api/subscription/cancel", json!({ "when": "now" })).await.ok();
        assert_eq!(admin.gate("sso").await, 402);

        let second = admin.create(json!({ "plan": "growth" })).await.ok();
        assert_ne!(second["subscriptionId"], first["subscriptionId"]);
        world.pay(&second["url"]).await;
        let paid = admin.subscription_is("active").await;
        assert!(paid["trialEnd"].is_null(), "{paid}");
        let truth = world.truth("subscriptions", &organization).await;
        let truth = truth.last().unwrap();
        assert_eq!((truth["status"].as_str(), truth["trialEnd"].as_i64()), (Some("active"), None), "{truth}");
    }
}

both_providers! {
    async fn a_card_that_fails_after_the_trial_leaves_the_gate_open_until_the_periods_end(provider: Provider) {
        let world = World::of(provider).await;
        let server = world.serve(&sqlite(&world), &[]).await;
        let organization = world.organization("Acme Inc").await;
        let admin = world.admin(&server, &organization).await;
        let started = admin.create(json!({ "plan": "growth" })).await.ok();
        world.pay_with(&started["url"], world.provider.card_without_funds()).await;
        admin.subscription_is("in_trial").await;
        admin.gate_is("sso", 200).await;

        // Stripe asks for the money an hour after the period has begun.
        world.advance(14 * DAY + 2 * HOUR).await;
        let due = admin.subscription_is("past_due").await;
        assert_eq!(due["access"]["granted"], true, "{due}");
        assert_eq!(due["access"]["until"], due["periodEnd"], "{due}");
        assert_eq!(admin.gate("sso").await, 200);
    }
}
