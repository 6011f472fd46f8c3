//! What a person sees in a browser. Every page says that it is a sandbox and works without scripts.
//!
//! `layout` is the frame with its one sheet and its policy, `parts` what several pages show.

pub(crate) mod home;
pub(crate) mod hosted;
mod layout;
mod parts;
mod pdf;
mod portal;
mod signin;
pub(crate) mod stripe;

use std::sync::Arc;

use axum::Router;
use axum::routing::get;

use crate::server::Shared;

pub(crate) fn router() -> Router<Arc<Shared>> {
    Router::new()
        .route("/", get(home::show).post(home::submit))
        .route("/pages/sandbox.css", get(layout::style))
        .route("/pages/sandbox.svg", get(layout::icon))
        .route("/oauth/authorize", get(signin::show).post(signin::submit))
        .route("/oidc/logout", get(signin::leave))
        .route("/pages/v4/{id}/", get(hosted::show).post(hosted::submit))
        .route("/pages/v4/{id}", get(hosted::show).post(hosted::submit))
        .route("/portal/v2/authenticate", get(portal::authenticate))
        .route("/portal/v2/home/{key}", get(portal::show).post(portal::submit))
        .route("/invoices/download/{file}", get(hosted::invoice))
        .merge(stripe::router())
}
