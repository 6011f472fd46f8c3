//! What this is.

use askama::Template;
use axum::{extract::State, response::Response};

use super::{
    frame::{Frame, Guest, Here},
    page,
};
use crate::{problem::Problem, router::Shared};

/// `/`
#[derive(Template)]
#[template(path = "home.html")]
pub(crate) struct HomePage {
    pub(crate) frame: Frame,
}

/// `GET /`
pub(crate) async fn show(State(app): State<Shared>, Guest(visitor): Guest) -> Result<Response, Problem> {
    let person = match &visitor {
        Some(visitor) => Some(visitor.person(&app).await?),
        None => None,
    };
    page(&HomePage { frame: Frame::new(&app, "What this is", Here::Elsewhere, person) })
}
