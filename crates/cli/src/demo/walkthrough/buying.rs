//! From an organization to a paid subscription.

use anyhow::{Context as _, ensure};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::{DAY, Walk, until};

impl Walk<'_> {
    pub(super) async fn customer_from_webhook(&mut self) -> anyhow::Result<()> {
        if !self.scene.organization_webhooks {
            self.done("organization", &format!("{} exists; nobody told us yet", self.reference));
            return Ok(());
        }
        until("the organization's webhook made its customer", || async { Ok(self.customers().await?.len() == 1) })
            .await?;
        self.done("organization → customer", &format!("{} has exactly one customer at the provider", self.reference));
        Ok(())
    }

    pub(super) async fn session(&mut self) -> anyhow::Result<()> {
        let session = self.app(Method::GET, "/api/session", Value::Null).await?.ok()?;
        ensure!(
            session["organizationId"] == self.reference.as_str(),
            "the session is for another organization: {session}"
        );
        let plans = session["plans"].as_array().map_or(0, Vec::len);
        ensure!(plans == 4, "four plans are for sale, the session shows {plans}");
        self.done("session", "the token is accepted; four plans are offered");
        Ok(())
    }

    pub(super) async fn gate_is_closed(&mut self, step: &str, why: &str) -> anyhow::Result<()> {
        for gate in ["/gate/sso", "/gate/plan:growth", "/gate/subscription"] {
            let answer = self.app(Method::GET, gate, Value::Null).await?;
            ensure!(answer.status == StatusCode::PAYMENT_REQUIRED, "{gate} answers {} {}", answer.status, answer.body);
        }
        self.done(step, &format!("sso, plan:growth and subscription answer 402: {why}"));
        Ok(())
    }

    pub(super) async fn gate_is_open(&mut self, step: &str) -> anyhow::Result<()> {
        for gate in ["/gate/sso", "/gate/plan:growth", "/gate/subscription"] {
            let answer = self.app(Method::GET, gate, Value::Null).await?;
            ensure!(answer.status == StatusCode::OK, "{gate} answers {} {}", answer.status, answer.body);
        }
        self.done(step, "sso, plan:growth and subscription answer 200");
        Ok(())
    }

    pub(super) async fn checkout(&mut self) -> anyhow::Result<()> {
        let choice = json!({ "plan": "growth", "seats": 5 });
        let first = self.app(Method::POST, "/api/subscription/create", choice.clone()).await?.ok()?;
        ensure!(first["mode"] == "hosted", "a hosted page was asked for: {first}");
        let again = self.app(Method::POST, "/api/subscription/create", choice).await?.ok()?;
        ensure!(again["url"] == first["url"], "the same choice leads to the same page");
        let customers = self.customers().await?.len();
        ensure!(customers == 1, "one organization has one customer, not {customers}");
        self.checkout = first;
        self.done("checkout", "a hosted page; asked twice, it is the same one; one customer");
        Ok(())
    }

    pub(super) async fn paid(&mut self) -> anyhow::Result<()> {
        let pay = json!({ "url": self.checkout["url"], "card": self.scene.provider.card() });
        let paid = self.sandbox(Method::POST, "/sandbox/hosted/complete", pay).await?;
        self.redirect = paid["redirectUrl"].as_str().context("the page leads back")?.to_owned();
        let home = format!("{}/api/subscription/success", self.scene.app);
        ensure!(self.redirect.starts_with(&home), "the page leads back to {}, not to {home}", self.redirect);
        self.done("paid", "the card is taken; the page leads back to us");
        Ok(())
    }

    pub(super) async fn webhook(&mut self) -> anyhow::Result<()> {
        // Nobody followed the redirect yet: what opens the gate is the webhook.
        let subscription = self.wait_for("in_trial").await?;
        ensure!(
            subscription["plan"] == "growth" && subscription["seats"] == 5,
            "another thing was bought: {subscription}"
        );
        ensure!(
            subscription["id"] == self.checkout["subscriptionId"],
            "the row of the checkout became the subscription"
        );
        let held = self.truth("subscriptions").await?;
        self.bought = held[0]["id"].as_str().context("what was bought has an id at the provider")?.to_owned();
        let back = self.client.get(&self.redirect).send().await?;
        let target = back.headers().get("location").and_then(|value| value.to_str().ok()).unwrap_or_default();
        ensure!(back.status() == StatusCode::SEE_OTHER, "the way back answers {}", back.status());
        ensure!(target == format!("{}/billing?success=1", self.scene.app), "the way back leads to {target}");
        self.done("webhook → in_trial", "growth, 5 seats, on the row of the checkout; the way back leads to /billing");
        Ok(())
    }

    pub(super) async fn trial_ends(&mut self) -> anyhow::Result<()> {
        self.advance(14 * DAY + 60).await?;
        let subscription = self.wait_for("active").await?;
        ensure!(subscription["periodEnd"].is_string(), "a paid period has an end: {subscription}");
        self.agrees("active").await?;
        self.gate_is_open("trial ends → active").await
    }

    pub(super) async fn second_create_refused(&mut self) -> anyhow::Result<()> {
        let refused = self.app(Method::POST, "/api/subscription/create", json!({ "plan": "starter" })).await?;
        ensure!(refused.status == StatusCode::BAD_REQUEST, "a second create answers {}", refused.status);
        ensure!(refused.body["code"] == "active_subscription_exists", "it is refused as {}", refused.body);
        let live = self.truth("subscriptions").await?.len();
        ensure!(live == 1, "the provider has {live} subscriptions");
        self.done("second create refused", "400 active_subscription_exists; one subscription at the provider");
        Ok(())
    }

    pub(super) async fn subscribe_again(&mut self) -> anyhow::Result<()> {
        let first = self.app(Method::POST, "/api/subscription/create", json!({ "plan": "growth" })).await?.ok()?;
        let pay = json!({ "url": first["url"], "card": self.scene.provider.card() });
        self.sandbox(Method::POST, "/sandbox/hosted/complete", pay).await?;
        let subscription = self.wait_for("active").await?;
        ensure!(subscription["trialEnd"].is_null(), "a trial is given once: {subscription}");
        self.gate_is_open("subscribe again, no trial").await
    }
}
