//! Somebody pays in euros: from the price list to the provider's books, and nothing else from then on.

use serde_json::{Value, json};
use tollkeeper_store::account;

use crate::provider::{Provider, everywhere};
use crate::support::{DAY, World, worked_off};

impl Provider {
    /// The demo's price of a plan in euros: at Stripe the one that is sold in dollars too.
    fn price_in_euros(self, plan: &str) -> String {
        let price = self.price(plan, "month");
        if self == Self::Chargebee { format!("{price}-eur") } else { price }
    }

    /// The same of the one-time price.
    fn onboarding_in_euros(self) -> String {
        let price = self.onboarding();
        if self == Self::Chargebee { format!("{price}-eur") } else { price.to_owned() }
    }
}

impl World {
    /// The currency of a subscription, as the provider's own API says it.
    async fn currency_there(&self, id: &str) -> String {
        let currency = match self.provider {
            Provider::Chargebee => {
                self.provider_get(&format!("/api/v2/subscriptions/{id}")).await["subscription"]["currency_code"].clone()
            }
            Provider::Stripe => self.provider_get(&format!("/v1/subscriptions/{id}")).await["currency"].clone(),
        };
        currency.as_str().unwrap().to_uppercase()
    }
}

everywhere! {
    async fn whoever_begins_in_euros_pays_everything_in_euros(db: TestDb, provider: Provider) {
        let world = World::of(provider).await;
        let server = world.serve(db.url(), &[]).await;
        let organization = world.organization("Acme Inc").await;
        let admin = world.admin(&server, &organization).await;
        let list = admin.get("/api/plans").await.ok();
        let growth = list["plans"].as_array().unwrap().iter().find(|plan| plan["plan"] == "growth").unwrap();
        for (id, currency) in [(provider.price("growth", "month"), "USD"), (provider.price_in_euros("growth"), "EUR")] {
            let wanted = json!({ "itemPriceId": id, "interval": "month", "currency": currency, "amount": 4_900 });
            assert!(growth["prices"].as_array().unwrap().contains(&wanted), "{growth}");
        }

        // A page that is open in dollars is replaced.
        let dollars = admin.create(json!({ "plan": "growth", "trial": false })).await.ok();
        let wish = json!({ "itemPriceId": provider.price_in_euros("growth"), "currency": "EUR", "trial": false });
        let started = admin.create(wish).await.ok();
        assert_ne!(started["url"], dollars["url"]);
        world.pay(&started["url"]).await;
        let row = admin.subscription_is("active").await;
        let sold = |row: &Value| (row["items"][0]["itemPriceId"].clone(), row["items"][0]["currency"].clone());
        assert_eq!(sold(&row), (json!(provider.price_in_euros("growth")), json!("EUR")), "{row}");
        admin.gate_is("sso", 200).await;
        let bought = world.bought(&organization).await;
        assert_eq!(world.currency_there(&bought).await, "EUR");
        let known = account::load(db.db().read().await.unwrap().c(), &organization.as_str().into()).await.unwrap();
        assert_eq!(known.unwrap().organization.currency.unwrap().as_str(), "EUR", "the organization is pinned");

        // What follows is in euros without anybody's saying so: a change now, one that waits, and something paid once.
        let shown = admin.post("/api/subscription/preview", json!({ "plan": "scale", "seats": 9 })).await.ok();
        assert_eq!((&shown["currency"], &shown["when"]), (&json!("EUR"), &json!("now")), "{shown}");
        let change = json!({ "plan": "scale", "seats": 9, "previewToken": shown["previewToken"] });
        let changed = admin.post("/api/subscription/update", change).await.ok();
        assert_eq!(sold(&changed["subscription"]), (json!(provider.price_in_euros("scale")), json!("EUR")));
        let waits = admin.post("/api/subscription/update", json!({ "plan": "starter", "seats": 1 })).await.ok();
        assert_eq!(waits["subscription"]["scheduledChange"]["plan"], "starter", "{waits}");
        world.advance(32 * DAY).await;
        admin.gate_is("plan:starter", 200).await;
        let row = admin.subscription_is("active").await;
        assert_eq!(sold(&row), (json!(provider.price_in_euros("starter")), json!("EUR")), "{row}");
        assert_eq!(world.currency_there(&bought).await, "EUR");
        let once = json!({ "items": [{ "priceId": provider.onboarding_in_euros() }] });
        world.pay(&admin.post("/api/checkout", once).await.ok()["url"]).await;
        let invoices = admin.get("/api/invoices").await.ok()["invoices"].as_array().unwrap().clone();
        assert!(invoices.len() >= 4, "{invoices:?}");
        assert!(invoices.iter().all(|invoice| invoice["currency"] == "EUR"), "{invoices:?}");

        // Dollars are refused, also when the subscription is over.
        let wish = json!({ "plan": "growth", "currency": "USD" });
        let refused = admin.post("/api/subscription/update", wish.clone()).await;
        assert_eq!((refused.status, refused.code()), (400, "currency_mismatch"), "{}", refused.body);
        admin.post("/api/subscription/cancel", json!({ "when": "now" })).await.ok();
        world.delivered(&organization).await;
        worked_off(db.db()).await;
        for wish in [wish, json!({ "itemPriceId": provider.price("growth", "month"), "currency": "USD" })] {
            let refused = admin.create(wish).await;
            assert_eq!((refused.status, refused.code()), (400, "currency_mismatch"), "{}", refused.body);
        }
        let again = admin.create(json!({ "plan": "growth", "trial": false })).await.ok();
        world.pay(&again["url"]).await;
        admin.subscription_is("active").await;
        assert_eq!(world.currency_there(&world.bought(&organization).await).await, "EUR");
        server.stop().await;
    }
}
