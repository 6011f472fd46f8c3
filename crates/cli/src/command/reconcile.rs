//! `tollkeeper reconcile`: comparing with the providers, and repairing what differs.

use std::{
    fmt::Write as _,
    io::{IsTerminal as _, Write as _},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use anyhow::bail;
use serde_json::Value;
use tollkeeper::{Difference, Extent, Report, ids::OrganizationId};

use super::{organization, say, visible, with_engine};

/// What to compare; what changed at the billing providers since the last time unless said otherwise.
#[derive(Debug, clap::Args)]
pub(crate) struct Reconcile {
    /// One organization: itself, its members, its customer, its subscriptions
    #[arg(long, conflicts_with = "full", value_parser = organization)]
    organization: Option<OrganizationId>,
    /// Everything: organizations, members, customers, subscriptions
    #[arg(long)]
    full: bool,
    /// As JSON
    #[arg(long)]
    json: bool,
}

/// Does it.
pub(crate) async fn run(args: Reconcile) -> anyhow::Result<()> {
    let (extent, what) = match (args.organization, args.full) {
        (Some(id), _) => (Extent::Organization(id), "one organization"),
        (None, true) => (Extent::Full, "everything"),
        (None, false) => (Extent::Recent, "what changed"),
    };
    let checked = Arc::new(AtomicU64::new(0));
    let report = with_engine(async |engine| {
        tokio::select! {
            report = engine.reconcile_watched(&extent, &checked) => Ok(report?),
            () = progress(what, &checked) => unreachable!("it tells for ever"),
        }
    })
    .await;
    end_progress();
    let report = report?;
    say(&if args.json { format!("{:#}", serde_json::to_value(&report)?) } else { told(&report) })?;
    if !report.not_compared.is_empty() {
        bail!("{} could not be compared to the end: the log says why", report.not_compared.join(" and "));
    }
    if report.failed > 0 {
        bail!("{} could not be compared: the log says why", report.failed);
    }
    Ok(())
}

/// Says how far it is: again and again on one line of a terminal, now and then on lines of its own elsewhere.
async fn progress(what: &str, checked: &AtomicU64) {
    let terminal = std::io::stderr().is_terminal();
    let mut tick = tokio::time::interval(Duration::from_millis(if terminal { 200 } else { 10_000 }));
    loop {
        tick.tick().await;
        let line = format!("comparing {what}: {} so far", checked.load(Ordering::Relaxed));
        // That nobody reads it is no reason to stop.
        let _ =
            if terminal { write!(std::io::stderr(), "\r{line}\x1b[K") } else { writeln!(std::io::stderr(), "{line}") };
    }
}

fn end_progress() {
    if std::io::stderr().is_terminal() {
        let _ = write!(std::io::stderr(), "\r\x1b[K");
    }
}

fn told(report: &Report) -> String {
    let Report { checked, repaired, strangers, drift, more, not_compared: _, failed: _ } = report;
    let mut text = format!("{checked} compared, {repaired} repaired, {strangers} at a provider belong to nobody here");
    for difference in drift {
        let _ = write!(text, "\n  {}", line(difference));
    }
    if *more > 0 {
        let _ = write!(text, "\n  and {more} more");
    }
    text
}

fn line(difference: &Difference) -> String {
    let Difference { organization_id, provider, subscription_id, class, field, expected, found, repaired, why } =
        difference;
    let whose = organization_id.as_ref().map_or("nobody", |id| id.as_str());
    let subject = subscription_id.as_ref().map_or_else(String::new, |id| format!(" {id}"));
    let state = if *repaired { "repaired" } else { "not repaired" };
    let (expected, found) = (short(expected), short(found));
    visible(&format!("{whose}{subject} at {provider}: {field} was {expected}, is {found} ({class}, {state}): {why}"))
}

/// A value as a line can hold it.
fn short(value: &Value) -> String {
    const MOST: usize = 60;
    let text = match value {
        Value::Null => "nothing".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    if text.chars().count() <= MOST { text } else { text.chars().take(MOST - 1).chain(['…']).collect() }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_report_says_what_differed_in_one_line_each() {
        let difference = Difference {
            organization_id: Some("org_1".into()),
            provider: "chargebee".into(),
            subscription_id: Some("tks_1".into()),
            class: "missed",
            field: "status".into(),
            expected: json!("active"),
            found: Value::Null,
            repaired: true,
            why: "no delivery\nsaid so".into(),
        };
        let report = Report { checked: 7, repaired: 1, drift: vec![difference], more: 2, ..Report::default() };
        assert_eq!(
            told(&report),
            "7 compared, 1 repaired, 0 at a provider belong to nobody here\n  \
             org_1 tks_1 at chargebee: status was active, is nothing (missed, repaired): no delivery said so\n  \
             and 2 more"
        );
        assert_eq!(short(&json!("x".repeat(61))).chars().count(), 60);
    }
}
