//! A subscription that lives: changed at once and later, paused, in debt and out of it.

use anyhow::{Context as _, ensure};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::{Answer, DAY, Walk, until};
use crate::sandbox::Provider;

/// How much a charge may differ from what was shown a moment before, in minor units: time goes on between the two.
const ROUNDING: u64 = 2;

/// Stripe leaves an invoice open to changes for an hour before it asks for the money.
const DRAFT: u64 = 2 * 60 * 60;

/// More than any month, so that a period ends within, and is paid or not.
const MONTH: u64 = 31 * DAY + DRAFT;

impl Walk<'_> {
    pub(super) async fn upgrade(&mut self) -> anyhow::Result<()> {
        let mut change = json!({ "plan": "scale", "seats": 6 });
        let shown = self.app(Method::POST, "/api/subscription/preview", change.clone()).await?.ok()?;
        let due = shown["amountDue"].as_i64().filter(|due| *due > 0).context("more costs something")?;
        self.gate("/gate/audit_log", StatusCode::PAYMENT_REQUIRED).await?;
        change["previewToken"] = shown["previewToken"].clone();
        let subscription = self.updated(change).await?;
        ensure!(subscription["plan"] == "scale" && subscription["seats"] == 6, "it is {subscription}");
        self.sells("scale", 6).await?;
        let charged = self.charged().await?;
        ensure!(charged.abs_diff(due) <= ROUNDING, "{charged} was charged, and {due} shown");
        self.gate("/gate/audit_log", StatusCode::OK).await?;
        let (whole, cents, currency) = (due / 100, due % 100, shown["currency"].as_str().unwrap_or_default());
        self.done("upgrade, as previewed", &format!("scale, 6 seats; {whole}.{cents:02} {currency} shown and charged"));
        Ok(())
    }

    pub(super) async fn more_seats(&mut self) -> anyhow::Result<()> {
        let subscription = self.updated(json!({ "seats": 8 })).await?;
        ensure!(subscription["plan"] == "scale" && subscription["seats"] == 8, "it is {subscription}");
        self.sells("scale", 8).await?;
        let same = self.app(Method::POST, "/api/subscription/update", json!({ "seats": 8 })).await?;
        ensure!(same.status == StatusCode::BAD_REQUEST, "a change of nothing answers {}", same.status);
        self.done("more seats", "8 here and at the provider; the same again is refused");
        Ok(())
    }

    pub(super) async fn downgrade_taken_back(&mut self) -> anyhow::Result<()> {
        let subscription = self.updated(json!({ "plan": "starter", "seats": 5 })).await?;
        let scheduled = &subscription["scheduledChange"];
        ensure!(subscription["plan"] == "scale", "it is smaller already: {subscription}");
        ensure!(scheduled["plan"] == "starter", "nothing is scheduled: {subscription}");
        ensure!(scheduled["at"] == subscription["periodEnd"], "it waits for another time: {subscription}");
        self.sells("scale", 8).await?;
        let restored = self.app(Method::POST, "/api/subscription/restore", json!({})).await?.ok()?;
        let restored = &restored["subscription"];
        ensure!(restored["scheduledChange"].is_null(), "it is still scheduled: {restored}");
        self.done("downgrade taken back", "starter waits for the period's end; restore: nothing waits");
        Ok(())
    }

    pub(super) async fn downgrade(&mut self) -> anyhow::Result<()> {
        self.updated(json!({ "plan": "growth", "seats": 5 })).await?;
        self.gate("/gate/audit_log", StatusCode::OK).await?;
        self.advance(MONTH).await?;
        self.wait_until("growth with 5 seats", |row| row["plan"] == "growth" && row["seats"] == 5).await?;
        self.sells("growth", 5).await?;
        until("the gate of what growth lacks is closed", || async {
            let answer = self.app(Method::GET, "/gate/audit_log", Value::Null).await?;
            Ok(answer.status == StatusCode::PAYMENT_REQUIRED)
        })
        .await?;
        self.gate_is_open("downgrade at period end").await
    }

    pub(super) async fn pause_and_resume(&mut self) -> anyhow::Result<()> {
        let paused = self.app(Method::POST, "/api/subscription/pause", json!({ "when": "now" })).await?.ok()?;
        ensure!(paused["subscription"]["status"] == "paused", "it is {}", paused["subscription"]["status"]);
        self.agrees("paused").await?;
        self.gate("/gate/sso", StatusCode::PAYMENT_REQUIRED).await?;
        let resumed = self.app(Method::POST, "/api/subscription/resume", json!({})).await?.ok()?;
        ensure!(resumed["subscription"]["status"] == "active", "it is {}", resumed["subscription"]["status"]);
        self.agrees("active").await?;
        self.gate("/gate/sso", StatusCode::OK).await?;
        self.done("pause, resume", "paused here and at the provider, gate closed; active again, gate open");
        Ok(())
    }

    pub(super) async fn payment_fails(&mut self) -> anyhow::Result<()> {
        let dashboard = format!("/sandbox/subscriptions/{}", self.bought);
        self.sandbox(Method::POST, &dashboard, json!({ "failNextPayment": true })).await?;
        self.advance(MONTH).await?;
        let row = self.wait_for("past_due").await?;
        let until = row["access"]["until"].as_str().with_context(|| format!("a grace has an end: {row}"))?;
        ensure!(row["access"]["granted"] == true, "there is no grace: {row}");
        self.gate("/gate/sso", StatusCode::OK).await?;
        self.done("a payment fails → past_due", &format!("gate open until {until}"));
        Ok(())
    }

    pub(super) async fn recovered(&mut self) -> anyhow::Result<()> {
        // The provider's next attempt.
        self.advance(3 * DAY + DRAFT).await?;
        let row = self.wait_for("active").await?;
        ensure!(row["access"]["until"].is_null(), "the grace is over: {row}");
        self.gate_is_open("paid → active").await
    }

    /// Makes a change that must be done without a page; answers the subscription.
    async fn updated(&self, change: Value) -> anyhow::Result<Value> {
        let updated = self.app(Method::POST, "/api/subscription/update", change).await?.ok()?;
        ensure!(updated["mode"] == "applied", "it is not applied: {updated}");
        Ok(updated["subscription"].clone())
    }

    async fn gate(&self, gate: &str, wanted: StatusCode) -> anyhow::Result<()> {
        let answer = self.app(Method::GET, gate, Value::Null).await?;
        ensure!(answer.status == wanted, "{gate} answers {} {}, not {wanted}", answer.status, answer.body);
        Ok(())
    }

    /// The provider must sell so many seats of this plan.
    async fn sells(&self, plan: &str, seats: i64) -> anyhow::Result<()> {
        let row = self.truth_of_bought().await?;
        let price = self.scene.provider.monthly(plan);
        let plan = &row["items"][0]["priceId"];
        ensure!(*plan == price.as_str() && row["seats"] == seats, "the provider sells {} of {plan}", row["seats"]);
        Ok(())
    }

    /// What the provider's newest invoice charged, in minor units.
    async fn charged(&self) -> anyhow::Result<i64> {
        let (app, id) = (&self.scene.sandbox, &self.bought);
        let request = match self.scene.provider {
            Provider::Chargebee => {
                let url = format!("{app}/api/v2/invoices?subscription_id[is]={id}&sort_by[desc]=date&limit=1");
                self.client.get(url).basic_auth(&self.scene.billing_key, Some(""))
            }
            Provider::Stripe => {
                let url = format!("{app}/v1/invoices?subscription={id}&limit=1");
                self.client.get(url).bearer_auth(&self.scene.billing_key)
            }
        };
        let page = Answer::of(request.send().await?).await?.ok()?;
        let newest = match self.scene.provider {
            Provider::Chargebee => &page["list"][0]["invoice"],
            Provider::Stripe => &page["data"][0],
        };
        newest["amount_paid"].as_i64().context("the provider has an invoice")
    }
}
