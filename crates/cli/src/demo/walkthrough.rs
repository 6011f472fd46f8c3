//! The main job, from organization to cancellation, without a browser: each step says what was checked.

use std::{future::Future, time::Duration};

use anyhow::{Context as _, bail, ensure};
use reqwest::{Client, Method, StatusCode};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::Scene;
use crate::compose;

/// How long something that must follow may take, in machine time.
const PATIENCE: Duration = Duration::from_secs(20);
const POLL: Duration = Duration::from_millis(25);

const DAY: u64 = 24 * 60 * 60;
const CARD: &str = "4111 1111 1111 1111";

/// Plays the main job. An error is the first check that failed.
pub(crate) async fn play(scene: &Scene) -> anyhow::Result<()> {
    let mut walk = Walk::begin(scene).await?;
    println!("The main job on {}, {}.\n", scene.engine, walk.mode());
    walk.customer_from_webhook().await?;
    walk.session().await?;
    walk.gate_is_closed("gate closed", "no subscription yet").await?;
    walk.checkout().await?;
    walk.paid().await?;
    walk.webhook().await?;
    walk.gate_is_open("gate open").await?;
    walk.trial_ends().await?;
    walk.second_create_refused().await?;
    walk.cancel_at_period_end().await?;
    walk.restore().await?;
    walk.cancel_now().await?;
    walk.gate_is_closed("gate closed", "cancelled").await?;
    walk.subscribe_again().await?;
    walk.organization_deleted().await?;
    println!("\nAll {} steps hold.", walk.steps);
    Ok(())
}

struct Walk<'a> {
    scene: &'a Scene,
    client: Client,
    /// The billing key: the organization, or the user where users are organizations.
    reference: String,
    token: String,
    checkout: Value,
    redirect: String,
    steps: usize,
}

impl<'a> Walk<'a> {
    async fn begin(scene: &'a Scene) -> anyhow::Result<Self> {
        let client = compose::client()?;
        let mut walk = Self {
            scene,
            client,
            reference: String::new(),
            token: String::new(),
            checkout: Value::Null,
            redirect: String::new(),
            steps: 0,
        };
        let organization = match scene.users_are_organizations {
            true => Value::Null,
            false => walk
                .sandbox(Method::POST, "/sandbox/organizations", json!({ "displayName": "Walkthrough Inc" }))
                .await?["id"]
                .clone(),
        };
        walk.reference = organization.as_str().unwrap_or_default().to_owned();
        let user = walk.sign_in().await?;
        if scene.users_are_organizations {
            walk.reference = user;
        }
        Ok(walk)
    }

    fn mode(&self) -> &'static str {
        match (self.scene.users_are_organizations, self.scene.organization_webhooks) {
            (true, _) => "every user an organization of one",
            (false, true) => "with organization webhooks",
            (false, false) => "without organization webhooks",
        }
    }

    /// Gets a fresh token of the administrator; answers the user's id.
    async fn sign_in(&mut self) -> anyhow::Result<String> {
        let organization =
            (!self.reference.is_empty() && !self.scene.users_are_organizations).then_some(&self.reference);
        let asked = json!({ "email": "admin@walkthrough.test", "organizationId": organization, "roles": ["admin"], "ttlSeconds": 3600 });
        let token = self.sandbox(Method::POST, "/sandbox/tokens", asked).await?;
        self.token = token["accessToken"].as_str().context("the sandbox gives access tokens")?.to_owned();
        Ok(token["userId"].as_str().context("a token belongs to a user")?.to_owned())
    }

    fn done(&mut self, step: &str, checked: &str) {
        self.steps += 1;
        println!("  {:>2}. {step:<28} {checked}", self.steps);
    }

    async fn customer_from_webhook(&mut self) -> anyhow::Result<()> {
        if !self.scene.organization_webhooks {
            self.done("organization", &format!("{} exists; nobody told us yet", self.reference));
            return Ok(());
        }
        until("the organization's webhook made its customer", || async { Ok(self.customers().await?.len() == 1) })
            .await?;
        self.done("organization → customer", &format!("{} has exactly one customer at the provider", self.reference));
        Ok(())
    }

    async fn session(&mut self) -> anyhow::Result<()> {
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

    async fn gate_is_closed(&mut self, step: &str, why: &str) -> anyhow::Result<()> {
        for gate in ["/gate/sso", "/gate/plan:growth", "/gate/subscription"] {
            let answer = self.app(Method::GET, gate, Value::Null).await?;
            ensure!(answer.status == StatusCode::PAYMENT_REQUIRED, "{gate} answers {} {}", answer.status, answer.body);
        }
        self.done(step, &format!("sso, plan:growth and subscription answer 402: {why}"));
        Ok(())
    }

    async fn gate_is_open(&mut self, step: &str) -> anyhow::Result<()> {
        for gate in ["/gate/sso", "/gate/plan:growth", "/gate/subscription"] {
            let answer = self.app(Method::GET, gate, Value::Null).await?;
            ensure!(answer.status == StatusCode::OK, "{gate} answers {} {}", answer.status, answer.body);
        }
        self.done(step, "sso, plan:growth and subscription answer 200");
        Ok(())
    }

    async fn checkout(&mut self) -> anyhow::Result<()> {
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

    async fn paid(&mut self) -> anyhow::Result<()> {
        let pay = json!({ "url": self.checkout["url"], "card": CARD });
        let paid = self.sandbox(Method::POST, "/sandbox/hosted/complete", pay).await?;
        self.redirect = paid["redirectUrl"].as_str().context("the page leads back")?.to_owned();
        let home = format!("{}/api/subscription/success", self.scene.app);
        ensure!(self.redirect.starts_with(&home), "the page leads back to {}, not to {home}", self.redirect);
        self.done("paid", "the card is taken; the page leads back to us");
        Ok(())
    }

    async fn webhook(&mut self) -> anyhow::Result<()> {
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
        let back = self.client.get(&self.redirect).send().await?;
        let target = back.headers().get("location").and_then(|value| value.to_str().ok()).unwrap_or_default();
        ensure!(back.status() == StatusCode::SEE_OTHER, "the way back answers {}", back.status());
        ensure!(target == format!("{}/billing?success=1", self.scene.app), "the way back leads to {target}");
        self.done("webhook → in_trial", "growth, 5 seats, on the row of the checkout; the way back leads to /billing");
        Ok(())
    }

    async fn trial_ends(&mut self) -> anyhow::Result<()> {
        self.advance(14 * DAY + 60).await?;
        let subscription = self.wait_for("active").await?;
        ensure!(subscription["periodEnd"].is_string(), "a paid period has an end: {subscription}");
        self.agrees("active").await?;
        self.gate_is_open("trial ends → active").await
    }

    async fn second_create_refused(&mut self) -> anyhow::Result<()> {
        let refused = self.app(Method::POST, "/api/subscription/create", json!({ "plan": "starter" })).await?;
        ensure!(refused.status == StatusCode::BAD_REQUEST, "a second create answers {}", refused.status);
        ensure!(refused.body["code"] == "active_subscription_exists", "it is refused as {}", refused.body);
        let live = self.truth("subscriptions").await?.len();
        ensure!(live == 1, "the provider has {live} subscriptions");
        self.done("second create refused", "400 active_subscription_exists; one subscription at the provider");
        Ok(())
    }

    async fn cancel_at_period_end(&mut self) -> anyhow::Result<()> {
        let cancelled = self.app(Method::POST, "/api/subscription/cancel", json!({})).await?.ok()?;
        let subscription = &cancelled["subscription"];
        ensure!(subscription["status"] == "non_renewing", "it is {}", subscription["status"]);
        ensure!(subscription["cancelAt"] == subscription["periodEnd"], "it ends with its period: {subscription}");
        self.agrees("non_renewing").await?;
        self.gate_is_open("cancel at period end").await
    }

    async fn restore(&mut self) -> anyhow::Result<()> {
        let restored = self.app(Method::POST, "/api/subscription/restore", json!({})).await?.ok()?;
        let subscription = &restored["subscription"];
        ensure!(subscription["status"] == "active" && subscription["cancelAt"].is_null(), "it is {subscription}");
        self.agrees("active").await?;
        self.done("restore", "active again here and at the provider; no end is scheduled");
        Ok(())
    }

    async fn cancel_now(&mut self) -> anyhow::Result<()> {
        let cancelled = self.app(Method::POST, "/api/subscription/cancel", json!({ "when": "now" })).await?.ok()?;
        let subscription = &cancelled["subscription"];
        ensure!(subscription["status"] == "cancelled", "it is {}", subscription["status"]);
        self.agrees("cancelled").await?;
        self.done("cancel now", "cancelled here and at the provider");
        Ok(())
    }

    async fn subscribe_again(&mut self) -> anyhow::Result<()> {
        let first = self.app(Method::POST, "/api/subscription/create", json!({ "plan": "growth" })).await?.ok()?;
        let pay = json!({ "url": first["url"], "card": CARD });
        self.sandbox(Method::POST, "/sandbox/hosted/complete", pay).await?;
        let subscription = self.wait_for("active").await?;
        ensure!(subscription["trialEnd"].is_null(), "a trial is given once: {subscription}");
        self.gate_is_open("subscribe again, no trial").await
    }

    async fn organization_deleted(&mut self) -> anyhow::Result<()> {
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
            Ok(subscriptions.len() == 2 && subscriptions.iter().all(|row| row["status"] == "cancelled"))
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

    async fn advance(&mut self, seconds: u64) -> anyhow::Result<()> {
        self.sandbox(Method::POST, "/sandbox/clock", json!({ "advanceSeconds": seconds })).await?;
        Ok(())
    }

    /// Waits until the one live subscription has this status.
    async fn wait_for(&self, status: &str) -> anyhow::Result<Value> {
        let mut seen = Value::Null;
        let deadline = Instant::now() + PATIENCE;
        loop {
            let list = self.app(Method::GET, "/api/subscription/list", Value::Null).await?.ok()?;
            let rows = list["subscriptions"].as_array().cloned().unwrap_or_default();
            if let [row] = rows.as_slice()
                && row["status"] == status
            {
                return Ok(row.clone());
            }
            if Instant::now() >= deadline {
                bail!("no subscription became {status}; the list shows {seen}");
            }
            seen = list;
            sleep(POLL).await;
        }
    }

    /// The provider's own view of the newest subscription must have this status.
    async fn agrees(&self, status: &str) -> anyhow::Result<()> {
        let rows = self.truth("subscriptions").await?;
        let row =
            rows.iter().find(|row| row["id"] == self.checkout["subscriptionId"]).context("the provider knows it")?;
        ensure!(row["status"] == status, "the provider says {}", row["status"]);
        Ok(())
    }

    async fn customers(&self) -> anyhow::Result<Vec<Value>> {
        self.truth("customers").await
    }

    /// What the providers hold about this organization.
    async fn truth(&self, what: &str) -> anyhow::Result<Vec<Value>> {
        let truth = self.sandbox(Method::GET, "/sandbox/truth", Value::Null).await?;
        let rows = truth[what].as_array().cloned().unwrap_or_default();
        Ok(rows.into_iter().filter(|row| row["organizationId"] == self.reference.as_str()).collect())
    }

    async fn sandbox(&self, method: Method, path: &str, body: Value) -> anyhow::Result<Value> {
        let mut request = self.client.request(method, format!("{}{path}", self.scene.sandbox));
        if !body.is_null() {
            request = request.json(&body);
        }
        Answer::of(request.send().await?).await?.ok().with_context(|| format!("the sandbox's {path}"))
    }

    async fn app(&self, method: Method, path: &str, body: Value) -> anyhow::Result<Answer> {
        let mut request = self.client.request(method, format!("{}{path}", self.scene.app)).bearer_auth(&self.token);
        if !body.is_null() {
            request = request.json(&body);
        }
        Answer::of(request.send().await?).await
    }
}

struct Answer {
    status: StatusCode,
    body: Value,
}

impl Answer {
    async fn of(response: reqwest::Response) -> anyhow::Result<Self> {
        let status = response.status();
        let bytes = response.bytes().await?;
        Ok(Self { status, body: serde_json::from_slice(&bytes).unwrap_or(Value::Null) })
    }

    fn ok(self) -> anyhow::Result<Value> {
        ensure!(self.status.is_success(), "answered {} {}", self.status, self.body);
        Ok(self.body)
    }
}

async fn until<F: Future<Output = anyhow::Result<bool>>>(what: &str, check: impl Fn() -> F) -> anyhow::Result<()> {
    let deadline = Instant::now() + PATIENCE;
    while !check().await? {
        if Instant::now() >= deadline {
            bail!("waited for this in vain: {what}");
        }
        sleep(POLL).await;
    }
    Ok(())
}
