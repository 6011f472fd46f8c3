//! What this program says of itself.

use clap::Args;
use clap_complete::Shell;

use super::say;

#[derive(Debug, Args)]
pub(crate) struct Openapi {
    /// Every code of a refusal with what helps, as Markdown, in its place
    #[arg(long)]
    errors: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Completions {
    /// Whose
    shell: Shell,
}

/// Prints the description of the API.
pub(crate) fn openapi(args: &Openapi) -> anyhow::Result<()> {
    let text = if args.errors { tollkeeper_http::errors() } else { tollkeeper_http::openapi() };
    say(text.trim_end())
}

/// Prints a script that the shell reads.
pub(crate) fn completions(args: &Completions, command: &mut clap::Command) -> anyhow::Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, command, "tollkeeper", &mut script);
    say(String::from_utf8_lossy(&script).trim_end())
}
