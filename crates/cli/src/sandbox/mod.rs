//! The sandbox as a process of its own, and as part of a demo.

mod provider;
mod trigger;

use std::{
    collections::BTreeMap,
    fs,
    io::Write as _,
    net::SocketAddr,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::{Context as _, bail};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use tollkeeper_sandbox::{ChargebeeAccount, Config, Sandbox, ScalekitAccount, StripeAccount, Unpaid, Webhooks};

use crate::{clock, compose, demo};
pub(crate) use provider::Provider;

/// Flags of `sandbox`.
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct SandboxArgs {
    #[command(subcommand)]
    command: Option<SandboxCommand>,
    #[command(flatten)]
    world: World,
}

#[derive(Debug, clap::Subcommand)]
enum SandboxCommand {
    /// Have a running sandbox send one event
    Trigger(trigger::Trigger),
}

#[derive(Debug, clap::Args)]
struct World {
    /// The address to listen on
    #[arg(long, default_value = "127.0.0.1:4010")]
    listen: SocketAddr,
    /// The address of the server that receives the webhooks
    #[arg(long, default_value = "http://127.0.0.1:3000")]
    app_url: String,
    /// The billing provider that the server is told to use
    #[arg(long, value_enum, default_value_t = Provider::Chargebee)]
    provider: Provider,
    /// Write everything that `serve` needs into this file, as lines NAME=value, once the sandbox listens
    #[arg(long)]
    env_file: Option<PathBuf>,
}

/// The secrets of one world: random, and gone with it.
#[derive(Clone)]
pub(crate) struct Secrets {
    scalekit: ScalekitAccount,
    chargebee: ChargebeeAccount,
    stripe: StripeAccount,
    tollkeeper: String,
    pub(crate) operator_key: String,
}

impl Secrets {
    pub(crate) fn random() -> Self {
        Self {
            scalekit: ScalekitAccount {
                client_id: format!("skc_{}", random_hex::<9>()),
                client_secret: format!("sandbox_{}", random_hex::<24>()),
                webhook_secret: format!("whsec_{}", STANDARD.encode(random::<32>())),
                environment_id: "env_sandbox".into(),
            },
            chargebee: ChargebeeAccount {
                site: "sandbox-test".into(),
                api_key: format!("test_{}", random_hex::<24>()),
                webhook_username: "chargebee".into(),
                webhook_password: random_hex::<24>(),
                gateway_account_id: "gw_sandbox".into(),
                cancels_unpaid: false,
            },
            stripe: StripeAccount {
                secret_key: format!("sk_test_{}", random_hex::<24>()),
                webhook_secret: format!("whsec_{}", random_hex::<24>()),
                unpaid: Unpaid::MarkUnpaid,
            },
            tollkeeper: random_hex::<32>(),
            operator_key: format!("tko_{}", random_hex::<24>()),
        }
    }

    /// Starts the sandbox of this world.
    pub(crate) async fn start(
        &self,
        listen: SocketAddr,
        on_offset: impl Fn(i64) + Send + Sync + 'static,
    ) -> anyhow::Result<Sandbox> {
        let config = Config {
            listen,
            machine_now: Arc::new(clock::machine_micros),
            on_offset: Arc::new(on_offset),
            scalekit: self.scalekit.clone(),
            chargebee: self.chargebee.clone(),
            stripe: self.stripe.clone(),
            seed: u64::from_le_bytes(random()),
        };
        Sandbox::start(config).await.context("starting the sandbox")
    }

    /// Everything that `serve` needs to talk to this world, but the database.
    pub(crate) fn env(
        &self,
        sandbox: &str,
        app_url: &str,
        provider: Provider,
        config: Option<&Path>,
    ) -> BTreeMap<String, String> {
        let pairs = [
            ("APP_URL", app_url),
            ("BILLING_PROVIDER", provider.name()),
            ("SCALEKIT_ENV_URL", sandbox),
            ("SCALEKIT_CLIENT_ID", &self.scalekit.client_id),
            ("SCALEKIT_CLIENT_SECRET", &self.scalekit.client_secret),
            ("SCALEKIT_REDIRECT_URI", &format!("{app_url}/auth/callback")),
            ("SCALEKIT_WEBHOOK_SECRET", &self.scalekit.webhook_secret),
            ("CHARGEBEE_SITE", &self.chargebee.site),
            ("CHARGEBEE_API_KEY", &self.chargebee.api_key),
            ("CHARGEBEE_API_URL", sandbox),
            ("CHARGEBEE_GATEWAY_ACCOUNT_ID", &self.chargebee.gateway_account_id),
            ("CHARGEBEE_WEBHOOK_USERNAME", &self.chargebee.webhook_username),
            ("CHARGEBEE_WEBHOOK_PASSWORD", &self.chargebee.webhook_password),
            ("STRIPE_SECRET_KEY", &self.stripe.secret_key),
            ("STRIPE_WEBHOOK_SECRET", &self.stripe.webhook_secret),
            ("STRIPE_API_URL", sandbox),
            ("TOLLKEEPER_SECRET", &self.tollkeeper),
            ("TOLLKEEPER_OPERATOR_KEY", &self.operator_key),
            ("TOLLKEEPER_CLOCK_URL", &format!("{sandbox}/sandbox/clock")),
        ];
        let mut env: BTreeMap<_, _> = pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        if let Some(path) = config {
            env.insert("TOLLKEEPER_CONFIG".into(), path.display().to_string());
        }
        env
    }
}

/// Where the sandbox sends its deliveries.
pub(crate) fn webhooks(app_url: &str, organizations: bool) -> Webhooks {
    Webhooks {
        scalekit: organizations.then(|| format!("{app_url}/api/webhooks/scalekit")),
        chargebee: Some(format!("{app_url}/api/webhooks/chargebee")),
        stripe: Some(format!("{app_url}/api/webhooks/stripe")),
    }
}

/// Runs the sandbox until the process is asked to end, or tells one that runs what to do.
pub(crate) async fn run(args: SandboxArgs) -> anyhow::Result<()> {
    match args.command {
        Some(SandboxCommand::Trigger(trigger)) => trigger::run(trigger).await,
        None => serve(args.world).await,
    }
}

async fn serve(args: World) -> anyhow::Result<()> {
    let app_url = args.app_url.trim_end_matches('/');
    let secrets = Secrets::random();
    let sandbox = secrets.start(args.listen, |_| {}).await?;
    sandbox.set_webhooks(webhooks(app_url, true));
    if let Some(file) = &args.env_file {
        let catalog = std::path::absolute(file)?.with_file_name("tollkeeper.toml");
        let known = fs::read_to_string(&catalog).unwrap_or_default();
        if !known.is_empty() && known != demo::CATALOG {
            bail!("{} is there already and is not ours: name another folder with --env-file", catalog.display());
        }
        write_private(&catalog, demo::CATALOG)?;
        let lines: String = secrets
            .env(sandbox.url(), app_url, args.provider, Some(&catalog))
            .iter()
            .map(|(name, value)| format!("{name}={value}\n"))
            .collect();
        write_private(file, &lines)?;
    }
    println!("The sandbox listens on {}; webhooks go to {app_url}.", sandbox.url());
    if let Some(file) = &args.env_file {
        println!("Everything that `tollkeeper serve` needs is in {}.", file.display());
    }
    compose::asked_to_end().await;
    sandbox.stop().await;
    Ok(())
}

/// Writes a file that only its owner can read, whole or not at all.
pub(crate) fn write_private(path: &Path, text: &str) -> anyhow::Result<()> {
    let beside = path.with_extension(format!("{}.part", random_hex::<4>()));
    let write = || -> std::io::Result<()> {
        let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&beside)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&beside, path)
    };
    write().with_context(|| format!("writing {}", path.display()))
}

pub(crate) fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).expect("the operating system has randomness once it has booted");
    bytes
}

pub(crate) fn random_hex<const N: usize>() -> String {
    hex::encode(random::<N>())
}
