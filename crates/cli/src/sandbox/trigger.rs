//! `tollkeeper sandbox trigger`: one event of a running sandbox, as the test buttons of the dashboards send them.

use anyhow::{Context as _, bail};
use serde_json::{Value, json};

use crate::{command::say, compose};

/// Which event.
#[derive(Debug, clap::Args)]
pub(crate) struct Trigger {
    /// An event of a provider, by the provider's name: subscription_changed, organization.updated, …
    event: String,
    /// Whom it is about, as things stand; without it, about objects that nobody knows
    #[arg(long)]
    organization: Option<String>,
    /// The address of the sandbox
    #[arg(long, default_value = "http://127.0.0.1:4010")]
    sandbox: String,
    /// As JSON
    #[arg(long)]
    json: bool,
}

/// Sends it.
pub(super) async fn run(args: Trigger) -> anyhow::Result<()> {
    let url = format!("{}/sandbox/trigger", args.sandbox.trim_end_matches('/'));
    let body = json!({ "event": args.event, "organizationId": args.organization });
    let answer = compose::client()?.post(&url).json(&body).send().await;
    let answer = answer.with_context(|| format!("asking the sandbox at {}", args.sandbox))?;
    let status = answer.status();
    let told: Value = answer.json().await.with_context(|| format!("{url} answers as no sandbox does"))?;
    if !status.is_success() {
        bail!("the sandbox refuses: {}", told["error"].as_str().unwrap_or("it does not say why"));
    }
    if args.json {
        return say(&format!("{told:#}"));
    }
    let text = |member: &str| told[member].as_str().unwrap_or_default().to_owned();
    say(&format!("{} sends {} as {}.", text("provider"), text("event"), text("eventId")))
}
