//! The front ends that people have from the cookbooks: their requests, as they are, and the members that they read.
//!
//! A page of theirs has a cookie with the access token, posts JSON from its own origin, follows `url`, shows `error`, and
//! reads `mode`, `status`, `seats`, `trialEnd` and `planId`. Its webhooks are set up at the old addresses. Where we answer
//! otherwise than a cookbook, `docs/migrating.md` says so.

use axum::{
    Router,
    extract::{Request, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use reqwest::{Client, Method, RequestBuilder};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::{
    provider::everywhere,
    support::{Answer, DAY, Server, World, client, worked_off},
};

/// A page in a browser: it has a cookie and an origin, and no header with a token.
struct Page<'a> {
    world: &'a World,
    server: &'a Server,
    cookie: String,
}

impl Page<'_> {
    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.world.client.request(method, format!("{}{path}", self.server.url));
        request.header("cookie", format!("theme=dark; scalekit_session={}", self.cookie))
    }

    async fn get(&self, path: &str) -> Answer {
        Answer::of(self.request(Method::GET, path)).await
    }

    async fn post(&self, path: &str, body: Value) -> Answer {
        Answer::of(self.request(Method::POST, path).header("origin", &self.world.env["APP_URL"]).json(&body)).await
    }

    /// The one subscription that the page shows.
    async fn shown(&self) -> Value {
        let list = self.get("/api/subscription/list").await.ok();
        let rows = list["subscriptions"].as_array().unwrap().clone();
        assert_eq!(rows.len(), 1, "{list}");
        rows[0].clone()
    }
}

/// Stands where the webhooks go, and has everything delivered where the cookbooks take it in. Ends with the test.
async fn at_the_old_addresses(world: &World, server: &Server) {
    let listener = TcpListener::bind(world.app).await.unwrap();
    let relay = Router::new().fallback(pass_on).with_state((client(), server.url.clone()));
    tokio::spawn(async move { axum::serve(listener, relay).await });
}

async fn pass_on(State((client, server)): State<(Client, String)>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
    let path = match parts.uri.path().strip_prefix("/api/webhooks/") {
        Some(provider @ ("chargebee" | "stripe")) => format!("/{provider}/webhook"),
        _ => parts.uri.path().to_owned(),
    };
    let mut passed = client.request(parts.method, format!("{server}{path}")).body(body);
    for (name, value) in parts.headers.iter().filter(|(name, _)| !matches!(name.as_str(), "host" | "content-length")) {
        passed = passed.header(name, value);
    }
    match passed.send().await {
        Ok(answer) => answer.status().into_response(),
        Err(_) => StatusCode::BAD_GATEWAY.into_response(),
    }
}

everywhere! {
    async fn a_page_of_a_cookbook_works_as_it_is(db: TestDb, provider: Provider) {
        let world = World::of(provider).await;
        // The old addresses stand before it; people come to it directly.
        let server = world.serve_at("127.0.0.1:0".parse().unwrap(), db.url(), &[]).await;
        at_the_old_addresses(&world, &server).await;
        let organization = world.organization("Acme Inc").await;
        let wish = json!({ "email": "ada@example.test", "organizationId": organization, "roles": ["admin"] });
        let page = Page { world: &world, server: &server, cookie: world.token(wish).await };

        // Who am I, and what can I buy?
        let session = page.get("/api/session").await.ok();
        assert_eq!(session["organizationId"], json!(organization));
        assert!(session["roles"].is_array() && session["permissions"].is_array(), "{session}");
        let price = provider.price("growth", "month");
        let plans = session["plans"].as_array().unwrap();
        let growth = plans.iter().find(|plan| plan["itemPriceId"] == *price).unwrap();
        assert_eq!((&growth["name"], &growth["freeTrial"]["days"]), (&json!("Growth"), &json!(14)));
        assert_eq!(growth["limits"]["seats"], 25);
        assert_eq!(page.get("/api/subscription/list").await.ok()["subscriptions"], json!([]));

        // What is wrong is told in `error`.
        let nobody = Answer::of(world.client.get(format!("{}/api/session", server.url))).await;
        assert_eq!(nobody.status, 401);
        for (path, body, status) in [
            ("create", json!({ "itemPriceId": "nothing-we-sell" }), 400),
            ("create", json!({ "itemPriceId": price, "successUrl": "https://evil.example" }), 400),
            ("create", json!({ "itemPriceId": price, "successUrl": "/\\evil.example" }), 400),
            ("create", json!({ "itemPriceId": price, "referenceId": "org_of_somebody_else" }), 403),
            ("portal", json!({ "referenceId": "org_of_somebody_else" }), 403),
            ("cancel", json!({}), 400),
            ("update", json!({ "itemPriceId": price }), 400),
        ] {
            let refused = page.post(&format!("/api/subscription/{path}"), body.clone()).await;
            assert_eq!(refused.status, status, "{path} {body}: {}", refused.body);
            assert!(refused.body["error"].as_str().is_some_and(|sentence| !sentence.is_empty()), "{}", refused.body);
            assert!(refused.body["code"].is_string(), "{}", refused.body);
        }
        assert_eq!(world.requests_that_name("org_of_somebody_else").await, [] as [Value; 0]);

        // A checkout, as the page asks for it, and the way back.
        let wish = json!({
            "itemPriceId": price, "referenceId": organization, "seats": 5,
            "successUrl": "/billing?success=1", "cancelUrl": "/billing?canceled=1",
        });
        let started = page.post("/api/subscription/create", wish.clone()).await.ok();
        assert_eq!(started["mode"], "hosted");
        assert!(started["url"].as_str().unwrap().starts_with("http"), "{started}");
        let back: reqwest::Url = world.pay(&started["url"]).await.parse().unwrap();
        let here = format!("{}{}?{}", server.url, back.path(), back.query().unwrap());
        let landed = world.client.get(here).send().await.unwrap();
        assert_eq!(landed.status().as_u16(), 303);
        assert!(landed.headers()["location"].to_str().unwrap().ends_with("/billing?success=1"));

        let row = page.shown().await;
        assert_eq!((&row["status"], &row["seats"], &row["planId"]), (&json!("in_trial"), &json!(5), &json!("growth")));
        assert_eq!((&row["itemPriceId"], &row["limits"]["seats"]), (&json!(price), &json!(25)));
        assert!(row["trialEnd"].as_str().is_some_and(|at| at.ends_with('Z')), "{row}");
        assert_eq!(page.get("/gate/sso").await.status, 200);
        let again = page.post("/api/subscription/create", wish).await;
        assert_eq!((again.status, again.code()), (400, "active_subscription_exists"));
        assert_eq!(again.body["error"], "An active subscription already exists for this organization");

        // A change of plan that says nothing of seats keeps them.
        let changed = page.post("/api/subscription/update", json!({ "itemPriceId": provider.price("scale", "month") })).await.ok();
        assert_eq!((&changed["mode"], &changed["subscription"]["seats"]), (&json!("applied"), &json!(5)), "{changed}");
        assert_eq!(page.shown().await["planId"], "scale");

        let portal = page.post("/api/subscription/portal", json!({ "returnUrl": "/billing" })).await.ok();
        assert!(portal["url"].as_str().unwrap().starts_with("http"), "{portal}");
        let leave = page.post("/api/subscription/cancel", json!({ "hosted": true, "returnUrl": "/billing" })).await.ok();
        assert!(leave["url"].as_str().unwrap().starts_with("http"), "{leave}");
        let cancelled = page.post("/api/subscription/cancel", json!({})).await.ok();
        assert_eq!(cancelled["subscription"]["cancelAtPeriodEnd"], true, "{cancelled}");

        // What the provider tells by itself arrives at the old address, proven, and is worked on.
        world.advance(40 * DAY).await;
        world.delivered(&organization).await;
        worked_off(db.db()).await;
        let list = page.get("/api/subscription/list?all=true").await.ok();
        assert_eq!(list["subscriptions"][0]["status"], "cancelled", "{list}");
        let told = world.deliveries(&organization).await;
        let of_provider = |row: &&Value| row["provider"] == provider.name() && row["state"] == "delivered";
        assert!(told.iter().filter(of_provider).count() > 2, "{told:?}");
    }

    async fn an_old_address_takes_nothing_from_strangers(db: TestDb, provider: Provider) {
        let world = World::of(provider).await;
        let server = world.serve(db.url(), &["--no-workers"]).await;
        let url = format!("{}/{}/webhook", server.url, provider.name());
        let event = json!({ "id": "ev_1", "event_type": "subscription_activated", "type": "invoice.paid" });
        let refused = Answer::of(world.client.post(&url).json(&event)).await;
        assert_eq!(refused.status, 401);
        assert!(refused.body["error"].is_string(), "{}", refused.body);
        assert_eq!(crate::support::inbox_rows(db.db()).await.len(), 0);
    }
}
