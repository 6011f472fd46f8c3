//! Effects that the product was not told of: given up, or tried again.

use askama::Template;
use axum::{extract::State, response::Response};
use tollkeeper::OwedEffect;

use super::{Frame, Operator, Place, organization::EffectRow, organization_at, stamp};
use crate::{pages::page, problem::Problem, router::Shared};

/// Rows of each kind.
const SHOWN: i64 = 100;

/// `/console/effects`
#[derive(Template)]
#[template(path = "console/effects.html")]
pub(crate) struct EffectsPage {
    pub(crate) frame: Frame,
    pub(crate) effects: Vec<Row>,
}

/// An effect with the decision that owes it.
pub(crate) struct Row {
    pub(crate) effect: EffectRow,
    pub(crate) at: String,
    pub(crate) organization: String,
    pub(crate) href: String,
    pub(crate) attempts: i64,
}

impl From<&OwedEffect> for Row {
    fn from(row: &OwedEffect) -> Self {
        let organization = row.organization_id.to_string();
        Self {
            at: stamp(row.at.as_micros()),
            // The page of history that begins with the decision.
            href: format!("{}?before={}#history", organization_at(&organization), row.seq.saturating_add(1)),
            organization,
            attempts: row.attempts,
            effect: row.into(),
        }
    }
}

impl EffectsPage {
    pub(crate) fn of(frame: Frame, effects: &[OwedEffect]) -> Self {
        Self { frame, effects: effects.iter().map(Row::from).collect() }
    }
}

/// `GET /console/effects`
pub(crate) async fn list(State(app): State<Shared>, operator: Operator) -> Result<Response, Problem> {
    let effects = app.engine.effects_not_told(SHOWN).await?;
    page(&EffectsPage::of(Frame::new(&app, "Effects", Place::Effects, &operator), &effects))
}
