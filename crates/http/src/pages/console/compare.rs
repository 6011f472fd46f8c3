//! Comparing an organization with what its providers hold, and what came of it.

use axum::{
    extract::{Path, State, rejection::PathRejection},
    response::Response,
};
use http::Uri;
use tokio::time::{Duration, timeout};
use tollkeeper::{Extent, Report, ids::OrganizationId};

use super::{News, Operator, organization_at};
use crate::{
    admin::named,
    landing::see_other,
    pages::{frame::with_query, words},
    problem::Problem,
    query,
    router::{App, Shared},
};

/// How long somebody waits for a comparison before the page is shown without it.
const PATIENCE: Duration = Duration::from_secs(8);

/// `POST /console/organizations/{id}/refresh`: compares it with what the providers hold, and mends what differs. Whoever
/// asks again while that goes on waits for the same comparison.
pub(crate) async fn refresh(
    State(app): State<Shared>,
    operator: Operator,
    id: Result<Path<String>, PathRejection>,
) -> Result<Response, Problem> {
    let id = OrganizationId::from(named(id)?);
    app.engine.organization(&id).await?;
    let by = operator.name();
    tracing::info!(by, organization.id = %id, "{by} asked for {id} to be compared with its providers");
    let job = app.jobs.begin(app.request_ids.next(), &app.engine, Extent::Organization(id.clone()))?;
    let address = with_query(&organization_at(id.as_str()), &[("job", job.id())]);
    // The page tells what came of it, also when that takes longer.
    let _ = timeout(PATIENCE, job.report()).await;
    Ok(see_other(&address))
}

/// What came of the comparison that an address names.
pub(super) async fn news(app: &App, id: &OrganizationId, uri: &Uri) -> Option<News> {
    let asked = query::value(uri, "job")?;
    let job = app.jobs.find(&asked).filter(|job| job.is_of(&Extent::Organization(id.clone())));
    let news = |tone, sentence: &str| News { tone, sentence: sentence.to_owned() };
    Some(match job {
        None => news(
            "info",
            "What the comparison came to is not known to this process any more. What differed is written down below.",
        ),
        Some(job) if job.is_running() => news(
            "info",
            "It is being compared, which takes longer than usual. Load this page again to see what came of it.",
        ),
        Some(job) => match job.report().await {
            Ok(report) => told(&report),
            Err(problem) => {
                let sentence = format!("It could not be compared. {}", problem.sentence());
                news("bad", &sentence)
            }
        },
    })
}

fn told(report: &Report) -> News {
    let found = report.drift.len() as u64 + report.more;
    let failed = report.failed + report.not_compared.len() as u64;
    let mut sentences = Vec::new();
    if found > 0 {
        let differed = words::count(found, "difference was", "differences were");
        sentences.push(format!("{differed} found and written down, below."));
    }
    if report.strangers > 0 {
        let are = words::count(report.strangers, "thing", "things");
        sentences.push(format!(
            "At the provider, {are} of this customer belong to nobody here, or say that they are somebody else’s. A person \
             should look at the metadata and the customer there."
        ));
    }
    if failed > 0 {
        sentences.push("Not everything could be compared; the log says why.".to_owned());
    }
    match sentences.is_empty() {
        true => News { tone: "good", sentence: "It was compared with the provider: nothing differs.".to_owned() },
        false => News { tone: "warn", sentence: sentences.join(" ") },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_differs_only_where_everything_was_compared_and_is_somebodys() {
        let said = |report: Report| {
            let news = told(&report);
            (news.tone, news.sentence)
        };
        assert_eq!(said(Report { checked: 3, ..Report::default() }).0, "good");
        let (tone, sentence) = said(Report { strangers: 1, ..Report::default() });
        assert!(tone == "warn" && sentence.contains("1 thing of this customer belong to nobody here"), "{sentence}");
        let (tone, sentence) = said(Report { not_compared: vec!["stripe".into()], ..Report::default() });
        assert!(tone == "warn" && sentence.starts_with("Not everything could be compared"), "{sentence}");
        let (tone, sentence) = said(Report { more: 2, failed: 1, strangers: 2, ..Report::default() });
        assert!(tone == "warn" && sentence.starts_with("2 differences were found"), "{sentence}");
        assert!(sentence.contains("2 things") && sentence.ends_with("the log says why."), "{sentence}");
    }
}
