//! Deliveries: what arrived, what became of it, and working on it again.

use askama::Template;
use axum::{
    extract::{Path, Request, State, rejection::PathRejection},
    response::Response,
};
use http::Uri;
use tollkeeper::{
    DeliveryFilter, DeliveryState, Replay, StoredDelivery,
    ids::{EventId, Source},
    ports::Subject,
};

use super::{DELIVERIES, Frame, News, Operator, Place, delivery_at, diff, organization_at, stamp};
use crate::{
    admin::{
        both_named,
        deliveries::{state as state_named, unknown},
    },
    body,
    landing::see_other,
    pages::{frame::with_query, page, words},
    problem::Problem,
    query,
    router::Shared,
};

/// Rows of a page.
const SHOWN: usize = 50;
/// Bytes of a payload that are shown.
const PAYLOAD: usize = 256 * 1024;

/// A delivery in a list.
pub(crate) struct Row {
    pub(crate) href: String,
    pub(crate) source: String,
    pub(crate) id: String,
    pub(crate) kind: String,
    pub(crate) subject: String,
    pub(crate) received: String,
    pub(crate) state: &'static str,
    pub(crate) tone: &'static str,
    pub(crate) is_pending: bool,
    /// What became of it.
    pub(crate) fate: String,
    pub(crate) error: Option<String>,
    pub(crate) attempts: i64,
    pub(crate) seen: i64,
}

impl From<&StoredDelivery> for Row {
    fn from(row: &StoredDelivery) -> Self {
        Self {
            href: delivery_at(row.source.as_str(), row.event_id.as_str()),
            source: row.source.to_string(),
            id: row.event_id.to_string(),
            kind: row.event_type.clone(),
            subject: row.subject.clone(),
            received: stamp(row.received_at.as_micros()),
            state: row.state.as_str(),
            tone: match row.state {
                DeliveryState::Done => "good",
                DeliveryState::Dead => "bad",
                DeliveryState::Pending if row.attempts > 0 => "warn",
                DeliveryState::Pending | DeliveryState::Ignored => "",
            },
            is_pending: row.state == DeliveryState::Pending,
            fate: match (row.state, &row.why) {
                (_, Some(why)) => why.clone(),
                (DeliveryState::Pending, None) => "Nothing yet.".to_owned(),
                (DeliveryState::Dead, None) => format!("It was given up after {}.", tries(row.attempts)),
                (DeliveryState::Done | DeliveryState::Ignored, None) => "It was settled.".to_owned(),
            },
            // What is settled has an older failure that nobody needs to mend.
            error: row.last_error.clone().filter(|_| matches!(row.state, DeliveryState::Pending | DeliveryState::Dead)),
            attempts: row.attempts,
            seen: row.seen,
        }
    }
}

fn tries(attempts: i64) -> String {
    words::count(attempts.unsigned_abs(), "try", "tries")
}

/// `/console/deliveries`
#[derive(Template)]
#[template(path = "console/deliveries.html")]
pub(crate) struct DeliveriesPage {
    pub(crate) frame: Frame,
    pub(crate) news: Option<News>,
    /// Whether all that was given up may be asked for from here: of the sender that is chosen.
    pub(crate) all_again: bool,
    pub(crate) states: [&'static str; 4],
    pub(crate) state: String,
    pub(crate) sources: Vec<String>,
    pub(crate) source: String,
    pub(crate) subject: String,
    pub(crate) is_filtered: bool,
    pub(crate) deliveries: Vec<Row>,
    pub(crate) older: Option<String>,
    /// Where the newest are, when these are older ones.
    pub(crate) newest: Option<String>,
}

impl DeliveriesPage {
    pub(crate) fn of(
        frame: Frame,
        filter: &DeliveryFilter,
        sources: &[Source],
        rows: &[StoredDelivery],
        news: Option<News>,
    ) -> Self {
        let state = filter.state.map_or("", DeliveryState::as_str).to_owned();
        let source = filter.source.as_ref().map(ToString::to_string).unwrap_or_default();
        let subject = filter.subject.clone().unwrap_or_default();
        let last = rows.get(SHOWN - 1).filter(|_| rows.len() > SHOWN);
        let own = [("state", &*state), ("source", &*source), ("subject", &*subject)];
        let newest = filter.before.map(|_| with_query(DELIVERIES, &own));
        let older = last.map(|last| {
            let before = last.received_at.to_string();
            with_query(DELIVERIES, &[&own[..], &[("before", &*before)]].concat())
        });
        Self {
            frame,
            news,
            all_again: filter.state == Some(DeliveryState::Dead) && filter.subject.is_none() && !rows.is_empty(),
            states: DeliveryState::ALL.map(DeliveryState::as_str),
            is_filtered: !(state.is_empty() && source.is_empty() && subject.is_empty() && filter.before.is_none()),
            state,
            sources: sources.iter().map(ToString::to_string).collect(),
            source,
            subject,
            deliveries: rows.iter().take(SHOWN).map(Row::from).collect(),
            older,
            newest,
        }
    }
}

/// `GET /console/deliveries?state=&source=&subject=&before=`
pub(crate) async fn list(State(app): State<Shared>, operator: Operator, uri: Uri) -> Result<Response, Problem> {
    // A field of a form that was left empty does not filter.
    let given = |name: &'static str| match query::value(&uri, name) {
        Some(said) if !said.trim().is_empty() => query::visible(name, said.trim()).map(str::to_owned).map(Some),
        _ => Ok(None),
    };
    let state = given("state")?;
    let filter = DeliveryFilter {
        state: state.map(|word| state_named(&word)).transpose()?,
        source: given("source")?.map(Source::from),
        subject: given("subject")?,
        before: query::instant(&uri, "before")?,
    };
    let rows = app.engine.deliveries(&filter, SHOWN as i64 + 1).await?;
    let frame = Frame::new(&app, "Deliveries", Place::Deliveries, &operator);
    let news = query::value(&uri, "again").and_then(|said| said.parse().ok()).map(|count: u64| {
        let sentence = match count {
            0 => "Nothing is given up there.".to_owned(),
            1 => "One delivery is worked on again.".to_owned(),
            _ => format!("{} deliveries are worked on again.", words::number(count)),
        };
        News { tone: if count > 0 { "good" } else { "info" }, sentence }
    });
    page(&DeliveriesPage::of(frame, &filter, &app.engine.sources(), &rows, news))
}

/// `/console/deliveries/{source}/{event}`
#[derive(Template)]
#[template(path = "console/delivery.html")]
pub(crate) struct DeliveryPage {
    pub(crate) frame: Frame,
    pub(crate) news: Option<News>,
    pub(crate) row: Row,
    pub(crate) occurred: Option<String>,
    pub(crate) next_try: Option<String>,
    pub(crate) subject_href: String,
    pub(crate) organization_href: Option<String>,
    pub(crate) payload: String,
    pub(crate) is_cut: bool,
}

impl DeliveryPage {
    pub(crate) fn of(frame: Frame, row: &StoredDelivery, organization: Option<&str>, news: Option<News>) -> Self {
        let is_cut = row.body.len() > PAYLOAD;
        let payload = diff::laid_out(&row.body, PAYLOAD);
        Self {
            frame,
            news,
            occurred: row.occurred_at.map(|at| stamp(at.as_micros())),
            next_try: row.next_attempt_at.map(|at| stamp(at.as_micros())),
            subject_href: with_query(DELIVERIES, &[("subject", &row.subject)]),
            organization_href: organization.map(organization_at),
            payload,
            is_cut,
            row: row.into(),
        }
    }
}

/// `GET /console/deliveries/{source}/{event}`
pub(crate) async fn show(
    State(app): State<Shared>,
    operator: Operator,
    ids: Result<Path<(String, String)>, PathRejection>,
    uri: Uri,
) -> Result<Response, Problem> {
    let (source, event) = both_named(ids)?;
    let row = app.engine.delivery(&source.into(), &event.into()).await?.ok_or_else(unknown)?;
    let organization = app.engine.whose(&row.source, &Subject::parse(&row.subject)).await?;
    let news = query::value(&uri, "done").and_then(|word| news(&word));
    let title = format!("{} {}", row.event_type, row.event_id);
    let frame = Frame::new(&app, title, Place::Deliveries, &operator);
    page(&DeliveryPage::of(frame, &row, organization.as_ref().map(|id| id.as_str()), news))
}

fn news(word: &str) -> Option<News> {
    let (tone, sentence) = match word {
        "replayed" => ("good", "It is worked on again. Look again in a moment for what became of it."),
        _ => return None,
    };
    Some(News { tone, sentence: sentence.to_owned() })
}

/// `POST /console/deliveries/replay` with `source`: works on everything again that was given up; of one sender, or of all.
pub(crate) async fn replay_all(
    State(app): State<Shared>,
    operator: Operator,
    request: Request,
) -> Result<Response, Problem> {
    let (parts, content) = request.into_parts();
    let (bytes, _place) = body::read(&app, content, app.config.limits.api_body_bytes()).await?;
    let fields = body::parse_form(&parts.headers, &bytes)?;
    let source = fields.text("source", body::NAME)?.filter(|name| !name.is_empty()).map(Source::from);
    let count = app.engine.replay_all(&Replay { source: source.clone(), ..Replay::default() }).await?;
    let (by, from) = (operator.name(), source.as_ref().map_or("", |source| source.as_str()));
    tracing::info!(
        by,
        source = from,
        count,
        "{by} asked for {count} deliveries that were given up to be worked on again"
    );
    Ok(see_other(&with_query(DELIVERIES, &[("source", from), ("again", &count.to_string())])))
}

/// `POST /console/deliveries/{source}/{event}/replay`
pub(crate) async fn replay(
    State(app): State<Shared>,
    operator: Operator,
    ids: Result<Path<(String, String)>, PathRejection>,
) -> Result<Response, Problem> {
    let (source, event) = both_named(ids)?;
    let (source, event) = (Source::from(source), EventId::from(event));
    if !app.engine.replay(&source, &event).await? {
        return Err(unknown());
    }
    let by = operator.name();
    tracing::info!(by, %source, event.id = %event, "{by} asked for the delivery {event} to be worked on again");
    Ok(see_other(&with_query(&delivery_at(source.as_str(), event.as_str()), &[("done", "replayed")])))
}
