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

/// A price that is not in dollars, and nothing says so but what is shown.
#[tokio::test]
async fn the_paid_plan_may_be_sold_in_another_currency_only() {
    let world = World::of(Provider::Stripe).await;
    let form =
        [("currency", "eur"), ("unit_amount", "2900"), ("recurring[interval]", "month"), ("product_data[name]", "Pro")];
    let price = world.client.post(format!("{}/v1/prices", world.url)).bearer_auth(&world.env["STRIPE_SECRET_KEY"]);
    let price = Answer::of(price.form(&form)).await.ok();
    let config = world.folder.path().join("small.toml");
    fs::write(&config, "").unwrap();
    let env = [
        ("TOLLKEEPER_CONFIG", config.to_str().unwrap()),
        ("STRIPE_PRO_PRICE_ID", price["id"].as_str().unwrap()),
        ("PRO_PRICE_DISPLAY", "€29"),
    ];
    let database = format!("sqlite://{}", world.folder.path().join("t.db").display());
    let server = world.serve_with(world.app, &database, &[], &env).await;
    let admin = world.admin(&server, &world.organization("Acme Inc").await).await;
    world.pay(&admin.create(json!({})).await.ok()["url"]).await;
    let row = admin.subscription_is("active").await;
    assert_eq!((&row["plan"], &row["items"][0]["currency"]), (&json!("pro"), &json!("EUR")), "{row}");
    server.stop().await;
    // Without a word about it, what the provider says is told.
    let server = world.serve_with(world.app, &database, &[], &env[..2]).await;
    let other = world.admin(&server, &world.organization("Bolt Inc").await).await;
    let refused = other.create(json!({})).await;
    assert_eq!((refused.status, refused.code()), (409, "currency_mismatch"), "{}", refused.body);
    server.stop().await;
}
