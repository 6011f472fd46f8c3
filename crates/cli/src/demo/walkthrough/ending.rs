//! From a subscription to none: cancelled, taken back, cancelled at once, and an organization that goes.

use anyhow::ensure;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::{Walk, until};

impl Walk<'_> {
    pub(super) async fn cancel_at_period_end(&mut self) -> anyhow::Result<()> {
        let cancelled = self.app(Method::POST, "/api/subscription/cancel", json!({})).await?.ok()?;
        let subscription = &cancelled["subscription"];
        ensure!(subscription["status"] == "non_renewing", "it is {}", subscription["status"]);
        ensure!(subscription["cancelAt"] == subscription["periodEnd"], "it ends with its period: {subscription}");
        self.agrees("non_renewing").await?;
        self.gate_is_open("cancel at period end").await
    }

    pub(super) async fn restore(&mut self) -> anyhow::Result<()> {
        let restored = self.app(Method::POST, "/api/subscription/restore", json!({})).await?.ok()?;
        let subscription = &restored["subscription"];
        ensure!(subscription["status"] == "active" && subscription["cancelAt"].is_null(), "it is {subscription}");
        self.agrees("active").await?;
        self.done("restore", "active again here and at the provider; no end is scheduled");
        Ok(())
    }

    pub(super) async fn cancel_now(&mut self) -> anyhow::Result<()> {
        let cancelled = self.app(Method::POST, "/api/subscription/cancel", json!({ "when": "now" })).await?.ok()?;
        let subscription = &cancelled["subscription"];
        ensure!(subscription["status"] == "cancelled", "it is {}", subscription["status"]);
        self.agrees("cancelled").await?;
        self.done("cancel now", "cancelled here and at the provider");
        Ok(())
    }

    pub(super) async fn organization_deleted(&mut self) -> anyhow::Result<()> {
        let id = self.reference.clone();
        let how = if self.scene.organization_webhooks {
            let url = format!("{}/sandbox/organizations/{id}", self.scene.sandbox);
            self.client.delete(url).send().await?.error_for_status()?;
            "by webhook"
        } else {
            let url = format!("{}/admin/api/organizations/{id}", self.scene.app);
            self.client.delete(url).bearer_auth(&self.scene.operator_key).send().await?.error_for_status()?;
            "by the operator's API"
        };
        until("every subscription is cancelled at the provider", || async {
            let subscriptions = self.truth("subscriptions").await?;
            let over = self.scene.provider.word("cancelled");
            Ok(subscriptions.len() == 2 && subscriptions.iter().all(|row| row["status"] == over))
        })
        .await?;
        until("the gate is closed", || async {
            Ok(self.app(Method::GET, "/gate/sso", Value::Null).await?.status != StatusCode::OK)
        })
        .await?;
        let refused = self.app(Method::POST, "/api/subscription/create", json!({ "plan": "growth" })).await?;
        ensure!(refused.status == StatusCode::FORBIDDEN, "a deleted organization can still buy: {}", refused.status);
        self.done(
            "organization deleted",
            &format!("{how}; both subscriptions cancelled at the provider, gate closed, nothing sold"),
        );
        Ok(())
    }
}
