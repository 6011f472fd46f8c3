//! Measures what is promised about speed, on the machine at hand.
//!
//! Figures are for comparing within one run: whatever is a ratio is measured in turns. `docs/performance.md` says what
//! each of them means. Nothing here is a test, and nothing fails because it was slow.
//!
//! The usual next thing is one more figure: a file of its own with `run(plan, report)`, and a line in [`Command`].

// An invoice has that many members.
#![recursion_limit = "256"]

mod apply;
mod events;
mod figures;
mod gate;
mod idle;
mod ingest;
mod lag;
mod load;
mod machine;
mod pages;
mod reconcile;
mod report;
mod resident;
mod rows;
mod stand_in;
mod world;

use std::path::PathBuf;

use clap::{Parser, Subcommand, ValueEnum};
use tollkeeper_testkit::database::Engine;

use crate::{report::Report, world::Plan};

// As in the program itself.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Measures Tollkeeper on this machine.
#[derive(Debug, Parser)]
#[command(name = "tollkeeper-bench")]
struct Cli {
    /// The databases; Postgres is the server that TOLLKEEPER_TEST_POSTGRES names
    #[arg(long, global = true, value_enum, default_value_t = Engines::Both)]
    engine: Engines,
    /// Print JSON instead of a table
    #[arg(long, global = true)]
    json: bool,
    /// Small sizes, to see that everything runs; its figures mean nothing
    #[arg(long, global = true)]
    quick: bool,
    /// Where SQLite's files lie; must be on a disk
    #[arg(long, global = true, default_value = ".")]
    folder: PathBuf,
    /// Connections of the load generator
    #[arg(long, global = true, default_value_t = 128)]
    connections: usize,
    #[command(subcommand)]
    command: Command,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Engines {
    Sqlite,
    Postgres,
    Both,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Everything, one after the other
    All,
    /// Signed deliveries over HTTP, durable before their 200, against what the parts can do
    Ingest,
    /// The work on deliveries: transitions a second
    Apply,
    /// From a delivery to the gate that shows it, and a person's call when the provider allows little
    Lag,
    /// Gates over HTTP against a route that does nothing, and in process
    Gate {
        /// How many organizations are resident; several, separated by commas
        #[arg(long, default_value = "1000,100000,1000000", value_delimiter = ',')]
        organizations: Vec<usize>,
        /// Leave HTTP out
        #[arg(long)]
        in_process_only: bool,
    },
    /// The people's pages, with very many organizations
    Pages,
    /// Comparing everything with the providers: rows a second, and memory
    Reconcile {
        /// How many subscriptions the sandbox has
        #[arg(long)]
        subscriptions: Option<usize>,
    },
    /// The program itself: start to ready, and memory when nothing happens
    Idle {
        /// The program; the one beside this unless given
        #[arg(long)]
        binary: Option<PathBuf>,
    },
    /// Be the providers of another measurement
    #[command(hide = true)]
    StandIn {
        #[arg(long)]
        organizations: usize,
    },
}

fn main() -> anyhow::Result<()> {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let cli = Cli::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(run(cli))
}

async fn run(cli: Cli) -> anyhow::Result<()> {
    if let Command::StandIn { organizations } = cli.command {
        return stand_in::run(organizations).await;
    }
    let engines = match cli.engine {
        Engines::Sqlite => vec![Engine::Sqlite],
        Engines::Postgres => vec![Engine::Postgres],
        Engines::Both => vec![Engine::Sqlite, Engine::Postgres],
    };
    let plan = Plan { engines, quick: cli.quick, folder: cli.folder, connections: cli.connections.max(1) };
    let disk = machine::require_disk(&plan.folder)?;
    let mut report = Report {
        environment: vec![
            ("cores", machine::cores().to_string()),
            ("processor", machine::processor()),
            ("load of the minute before", machine::load_average()),
            ("file system", disk),
            ("fdatasync p50", format!("{} us", machine::fdatasync_p50(&plan.folder)?)),
            ("build", if cfg!(debug_assertions) { "debug: its figures mean nothing" } else { "release" }.to_owned()),
        ],
        lines: vec![],
    };
    let outcome = measure(cli.command, &plan, &mut report).await;
    // What was measured before something failed is worth its minutes.
    report.print(cli.json);
    eprintln!("{} of {} figures miss their bar", report.misses(), report.lines.len());
    outcome
}

async fn measure(command: Command, plan: &Plan, report: &mut Report) -> anyhow::Result<()> {
    let resident = [1_000, 100_000, 1_000_000];
    match command {
        Command::All => {
            ingest::run(plan, report).await?;
            apply::run(plan, report).await?;
            lag::run(plan, report).await?;
            gate::run(plan, report).await?;
            resident::run(if plan.quick { &[100] } else { &resident }, report).await?;
            pages::run(plan, report).await?;
            reconcile::run(plan, None, report).await?;
            idle::run(plan, None, report).await?;
        }
        Command::Ingest => ingest::run(plan, report).await?,
        Command::Apply => apply::run(plan, report).await?,
        Command::Lag => lag::run(plan, report).await?,
        Command::Gate { organizations, in_process_only } => {
            if !in_process_only {
                gate::run(plan, report).await?;
            }
            let organizations = if plan.quick { vec![100] } else { organizations };
            resident::run(&organizations, report).await?;
        }
        Command::Pages => pages::run(plan, report).await?,
        Command::Reconcile { subscriptions } => reconcile::run(plan, subscriptions, report).await?,
        Command::Idle { binary } => idle::run(plan, binary, report).await?,
        Command::StandIn { .. } => {}
    }
    Ok(())
}
