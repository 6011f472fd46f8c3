//! `tollkeeper replay`: having deliveries worked on again.

use anyhow::bail;
use serde_json::json;
use tollkeeper::{
    Replay as Which,
    ids::{EventId, Source},
};
use tollkeeper_core::time::MachineTime;

use super::{event, instant, say, source, with_engine};

/// Which deliveries: one, those that arrived in a span of time, or all that were given up.
#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("which").required(true).multiple(true).args(["event", "from", "until", "dead"]))]
pub(crate) struct Replay {
    /// Only those of one sender
    #[arg(long, value_parser = source())]
    source: Option<Source>,
    /// This one, whatever became of it
    #[arg(long, requires = "source", conflicts_with_all = ["from", "until", "dead"], value_parser = event)]
    event: Option<EventId>,
    /// Those that were given up and arrived at this time or later, such as 2026-01-31T12:00:00Z
    #[arg(long, value_parser = instant)]
    from: Option<MachineTime>,
    /// Those that were given up and arrived before this time
    #[arg(long, value_parser = instant)]
    until: Option<MachineTime>,
    /// All that were given up
    #[arg(long, conflicts_with_all = ["from", "until", "closed"])]
    dead: bool,
    /// Those too that are done or were ignored
    #[arg(long)]
    closed: bool,
    /// As JSON
    #[arg(long)]
    json: bool,
}

/// Does it.
pub(crate) async fn run(args: Replay) -> anyhow::Result<()> {
    if let (Some(from), Some(until)) = (args.from, args.until)
        && from >= until
    {
        bail!("--until must be later than --from");
    }
    let json = args.json;
    let count = with_engine(async |engine| match (args.source, args.event) {
        (Some(source), Some(event)) => match engine.replay(&source, &event).await? {
            true => Ok(1),
            false => bail!("{source} sent nothing with the id {event}"),
        },
        (source, _) => {
            let which = Which { source, from: args.from, until: args.until, closed: args.closed };
            Ok(engine.replay_all(&which).await?)
        }
    })
    .await?;
    if json {
        return say(&json!({ "replayed": count }).to_string());
    }
    say(&match count {
        0 => "There was nothing to work on again.".to_owned(),
        1 => "One delivery is worked on again, as soon as a server runs.".to_owned(),
        count => format!("{count} deliveries are worked on again, as soon as a server runs."),
    })
}
