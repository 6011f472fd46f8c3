//! The providers: the sandbox, in this process or, where memory is measured, in one of its own.

use std::{
    io::{BufRead as _, BufReader, Read as _},
    net::{Ipv4Addr, SocketAddr},
    process::{Child, Command, Stdio},
    sync::Arc,
    time::Duration,
};

use anyhow::{Context as _, bail};
use axum::{Json, Router, extract::Path, routing::get};
use serde_json::{Value, json};
use tollkeeper_sandbox::{ChargebeeAccount, Config, Sandbox, ScalekitAccount, Seed, StripeAccount};

use crate::{events, machine::Machine, rows::GROWTH, world};

/// Starts a sandbox with paying organizations.
pub(crate) async fn start(organizations: usize) -> anyhow::Result<Sandbox> {
    let sandbox = Sandbox::start(Config {
        listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
        machine_now: Arc::new(Machine::micros),
        on_offset: Arc::new(|_| {}),
        scalekit: ScalekitAccount {
            client_id: world::CLIENT_ID.into(),
            client_secret: world::CLIENT_SECRET.into(),
            webhook_secret: events::WEBHOOK_SECRET.into(),
            environment_id: "env_bench".into(),
        },
        chargebee: ChargebeeAccount {
            site: "bench-test".into(),
            api_key: world::API_KEY.into(),
            webhook_username: events::USERNAME.into(),
            webhook_password: events::PASSWORD.into(),
            gateway_account_id: "gw_bench".into(),
            cancels_unpaid: false,
        },
        stripe: StripeAccount { secret_key: world::API_KEY.into(), ..StripeAccount::default() },
        seed: 1,
    })
    .await?;
    sandbox.seed(Seed { organizations, price_id: GROWTH.into(), seats: 5 }).await?;
    Ok(sandbox)
}

/// Stripe as far as one question goes, answered at once: how is this subscription?
pub(crate) fn stripe() -> Router {
    let answer = |Path(id): Path<String>| async move {
        let customer = id.replacen("sub_", "org_", 1);
        Json(events::subscription_of_stripe(&id, &customer, json!(5), GROWTH, false))
    };
    Router::new().route("/v1/subscriptions/{id}", get(answer))
}

/// What the process does that only stands in: says where it listens, and ends with its standard input.
pub(crate) async fn run(organizations: usize) -> anyhow::Result<()> {
    let sandbox = start(organizations).await?;
    println!("{}", sandbox.url());
    tokio::task::spawn_blocking(|| std::io::stdin().read(&mut [0])).await??;
    sandbox.stop().await;
    Ok(())
}

/// A sandbox in a process of its own, ended when dropped.
pub(crate) struct Apart {
    child: Child,
    pub(crate) url: String,
}

impl Apart {
    pub(crate) async fn start(organizations: usize) -> anyhow::Result<Self> {
        let program = std::env::current_exe()?;
        let start = move || -> anyhow::Result<Self> {
            let mut child = Command::new(program)
                .args(["stand-in", "--organizations", &organizations.to_string()])
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .spawn()
                .context("starting the sandbox")?;
            let mut url = String::new();
            let stdout = child.stdout.take().context("the sandbox has a standard output")?;
            BufReader::new(stdout).read_line(&mut url)?;
            let url = url.trim().to_owned();
            if url.is_empty() {
                bail!("the sandbox ended before it listened: {}", child.wait()?);
            }
            Ok(Self { child, url })
        };
        tokio::task::spawn_blocking(start).await?
    }
}

impl Drop for Apart {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(crate) fn client() -> anyhow::Result<reqwest::Client> {
    Ok(reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(60)).build()?)
}

/// An access token of an administrator, good for the whole run.
pub(crate) async fn token(client: &reqwest::Client, sandbox: &str, organization: &str) -> anyhow::Result<String> {
    let wish = json!({
        "email": format!("admin@{organization}.test"), "organizationId": organization, "roles": ["admin"],
        "ttlSeconds": 24 * 60 * 60,
    });
    let answer = client.post(format!("{sandbox}/sandbox/tokens")).json(&wish).send().await?.error_for_status()?;
    let answer: Value = answer.json().await?;
    Ok(answer["accessToken"].as_str().context("the sandbox gives access tokens")?.to_owned())
}

/// Lets the billing provider answer only so many requests a minute.
pub(crate) async fn limit(client: &reqwest::Client, sandbox: &str, per_minute: u32) -> anyhow::Result<()> {
    let setting = json!({ "apiRateLimitPerMinute": per_minute });
    client.put(format!("{sandbox}/sandbox/chaos")).json(&setting).send().await?.error_for_status()?;
    Ok(())
}
