//! The smallest product there is: a free plan, a paid one, one variable that names its price, and no catalog.

use std::fs;

use serde_json::json;

use crate::{
    provider::{Provider, both_providers},
    support::{Answer, World},
};

both_providers! {
    async fn one_variable_sells_one_plan(provider: Provider) {
        let world = World::of(provider).await;
        let config = world.folder.path().join("small.toml");
        fs::write(&config, "[http]\npayment_required = \"Pro plan required\"\n").unwrap();
        let (variable, appended) = match provider {
            Provider::Chargebee => ("CHARGEBEE_PRO_ITEM_PRICE_ID", "id"),
            Provider::Stripe => ("STRIPE_PRO_PRICE_ID", "session_id"),
        };
        let price = provider.price("starter", "month");
        let env = [("TOLLKEEPER_CONFIG", config.to_str().unwrap()), (variable, price.as_str())];
        let database = format!("sqlite://{}", world.folder.path().join("t.db").display());
        let server = world.serve_with("127.0.0.1:0".parse().unwrap(), &database, &[], &env).await;
        let admin = world.admin(&server, &world.organization("Acme Inc").await).await;

        let closed = admin.get("/gate/plan:pro").await;
        assert_eq!((closed.status, closed.code()), (402, "payment_required"));
        assert_eq!(closed.body["error"], "Pro plan required");
        assert_eq!(admin.gate("plan:free").await, 200);

        let started = admin.create(json!({})).await.ok();
        let redirect: reqwest::Url = world.pay(&started["url"]).await.parse().unwrap();
        // The way back as an older page has it: only what the provider appends.
        let (_, page) = redirect.query_pairs().find(|(name, _)| name == appended).unwrap();
        let back = async |page: &str| {
            let url = format!("{}/api/subscription/success?{appended}={page}", server.url);
            let answer = world.client.get(url).send().await.unwrap();
            answer.headers()["location"].to_str().unwrap().to_owned()
        };
        assert!(back("cs_test_of_nobody").await.ends_with("/billing?checkout=failed"));
        assert_eq!(admin.gate("plan:pro").await, 402, "nobody told the server yet");
        assert_eq!(back(&page).await, format!("{}/billing?success=1", world.env["APP_URL"]));
        assert_eq!(admin.gate("plan:pro").await, 200);
        assert_eq!(Answer::of(world.client.get(format!("{}/readyz", server.url))).await.status, 200);
    }
}
