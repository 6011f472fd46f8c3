//! The main job, from organization to cancellation, without a browser: each step says what was checked.

mod buying;
mod changing;
mod ending;

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

/// Plays the main job. An error is the first check that failed.
pub(crate) async fn play(scene: &Scene) -> anyhow::Result<()> {
    let mut walk = Walk::begin(scene).await?;
    println!("The main job on {} with {}, {}.\n", scene.engine, scene.provider.name(), walk.mode());
    walk.customer_from_webhook().await?;
    walk.session().await?;
    walk.gate_is_closed("gate closed", "no subscription yet").await?;
    walk.checkout().await?;
    walk.paid().await?;
    walk.webhook().await?;
    walk.gate_is_open("gate open").await?;
    walk.trial_ends().await?;
    walk.second_create_refused().await?;
    walk.upgrade().await?;
    walk.more_seats().await?;
    walk.downgrade_taken_back().await?;
    walk.downgrade().await?;
    walk.pause_and_resume().await?;
    walk.payment_fails().await?;
    walk.recovered().await?;
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
    /// What the provider calls the subscription that was bought first.
    bought: String,
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
            bought: String::new(),
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

    async fn advance(&mut self, seconds: u64) -> anyhow::Result<()> {
        self.sandbox(Method::POST, "/sandbox/clock", json!({ "advanceSeconds": seconds })).await?;
        Ok(())
    }

    /// Waits until the one live subscription has this status.
    async fn wait_for(&self, status: &str) -> anyhow::Result<Value> {
        self.wait_until(status, |row| row["status"] == status).await
    }

    /// Waits until there is one live subscription, and it is as it should be.
    async fn wait_until(&self, what: &str, check: impl Fn(&Value) -> bool) -> anyhow::Result<Value> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let list = self.app(Method::GET, "/api/subscription/list", Value::Null).await?.ok()?;
            if let Some([row]) = list["subscriptions"].as_array().map(Vec::as_slice)
                && check(row)
            {
                return Ok(row.clone());
            }
            if Instant::now() >= deadline {
                bail!("no subscription became {what}; the list shows {list}");
            }
            sleep(POLL).await;
        }
    }

    /// The provider's own view of what was bought must have this status.
    async fn agrees(&self, status: &str) -> anyhow::Result<()> {
        let row = self.truth_of_bought().await?;
        ensure!(row["status"] == self.scene.provider.word(status), "the provider says {}", row["status"]);
        Ok(())
    }

    async fn truth_of_bought(&self) -> anyhow::Result<Value> {
        let rows = self.truth("subscriptions").await?;
        rows.into_iter().find(|row| row["id"] == self.bought.as_str()).context("the provider knows it")
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
