//! Measures what is promised about speed, on the machine at hand. Figures are for comparing within one run.

mod gate;

use clap::{Parser, Subcommand};

/// Measures Tollkeeper on this machine.
#[derive(Debug, Parser)]
#[command(name = "tollkeeper-bench")]
struct Cli {
    /// Print JSON instead of a table
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// A gate answered from memory, in process: nanoseconds per decision
    Gate {
        /// How many organizations are resident; several, separated by commas
        #[arg(long, default_value = "1000,100000", value_delimiter = ',')]
        organizations: Vec<usize>,
    },
}

fn main() -> anyhow::Result<()> {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let cli = Cli::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        match cli.command {
            Command::Gate { organizations } => gate::run(&organizations, cli.json).await,
        }
    })
}
