//! The one binary: it reads files, the environment and the clock, names the adapters, and hands everything down.

mod clock;
mod command;
mod compose;
mod config;
mod demo;
mod logs;
mod sandbox;
mod serve;

use std::process::ExitCode;

use anyhow::bail;
use clap::{CommandFactory as _, Parser, Subcommand};

use command::{describe, events, keys, plans, reconcile, replay};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Keeps an identity provider and a billing provider in agreement, and answers what each organization may use.
#[derive(Debug, Parser)]
#[command(name = "tollkeeper", version, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the server: HTTP and workers in one process
    Serve(serve::Serve),
    /// Try everything out without any account: server, sandbox and a catalog, ready to use
    Demo(demo::Demo),
    /// Run local stand-ins for the providers, with a clock that can be moved
    Sandbox(sandbox::SandboxArgs),
    /// Bring the database's schema to this version
    Migrate,
    /// Look at deliveries
    #[command(subcommand)]
    Events(events::Events),
    /// Have deliveries worked on again
    Replay(replay::Replay),
    /// Compare with the providers and repair what differs; may run beside a server
    Reconcile(reconcile::Reconcile),
    /// Look at what is sold, and bring it to a billing provider or from there
    #[command(subcommand)]
    Plans(plans::Plans),
    /// Make, show and end API keys
    #[command(subcommand)]
    Keys(keys::Keys),
    /// Look at the configuration
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Print the description of the API (OpenAPI 3.1)
    Openapi(describe::Openapi),
    /// Print what completes commands in a shell
    Completions(describe::Completions),
}

#[derive(Debug, Subcommand)]
enum ConfigCommand {
    /// Read the configuration and say everything that is wrong with it
    Check,
    /// Print the JSON Schema of the file, for editors
    Schema,
}

fn main() -> ExitCode {
    match start() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // The whole chain on one line: what was being done, then why it failed.
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn start() -> anyhow::Result<()> {
    // Before any TLS client is made.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let cli = Cli::parse();
    // Where people read the answer itself, the log only says what is wrong.
    logs::start(if matches!(cli.command, Command::Serve(_)) { "info" } else { "warn" });
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let outcome = runtime.block_on(run(cli.command));
    // Tasks that wait for nothing but time must not hold the process.
    runtime.shutdown_background();
    outcome
}

async fn run(command: Command) -> anyhow::Result<()> {
    match command {
        Command::Serve(args) => {
            arm_failpoint()?;
            serve::run(args).await
        }
        Command::Demo(args) => {
            arm_failpoint()?;
            demo::run(args).await
        }
        Command::Sandbox(args) => sandbox::run(args).await,
        Command::Events(command) => events::run(command).await,
        Command::Replay(args) => replay::run(args).await,
        Command::Reconcile(args) => reconcile::run(args).await,
        Command::Plans(command) => plans::run(command).await,
        Command::Keys(command) => keys::run(command).await,
        Command::Openapi(args) => describe::openapi(&args),
        Command::Completions(args) => describe::completions(&args, &mut Cli::command()),
        Command::Migrate => {
            let url = config::database_url_of_process()?;
            let db = compose::database(&url, true).await?;
            db.close().await;
            command::say(concat!("the database's schema is that of tollkeeper ", env!("CARGO_PKG_VERSION")))
        }
        Command::Config(ConfigCommand::Schema) => command::say(&config::schema()),
        Command::Config(ConfigCommand::Check) => {
            let config = config::Config::read(&config::Vars::of_process(), &config::Flags::default())?;
            let plans: Vec<_> = config.catalog.plans().iter().map(|plan| plan.name.as_str()).collect();
            let sells = plans.join(", ");
            command::say(&format!("the configuration is good: {} sells {sells}", config.settings.billing_provider))
        }
    }
}

/// In a build with failpoints, arms the one that `TOLLKEEPER_FAILPOINT` names: the process dies there.
fn arm_failpoint() -> anyhow::Result<()> {
    if tollkeeper::PLACES.is_empty() {
        return Ok(());
    }
    match std::env::var("TOLLKEEPER_FAILPOINT") {
        Ok(place) if !tollkeeper::arm(&place) => {
            bail!("TOLLKEEPER_FAILPOINT: is `{place}`: one of {} is wanted", tollkeeper::PLACES.join(", "))
        }
        _ => Ok(()),
    }
}
