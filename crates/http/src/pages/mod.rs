//! Pages for people, rendered here and complete without a script.
//!
//! Every form is an ordinary one: it is posted, and answered with a page or the way to one. Scripts only save a reload:
//! they ask for the same pages and take the part that has changed.

pub(crate) mod asset;
mod billing;
mod console;
mod frame;
mod home;
pub(crate) mod leave;
mod pricing;
mod problem;
#[cfg(test)]
mod tests;
mod words;

use askama::Template;
use axum::{
    response::{Html, IntoResponse, Response},
    routing::{get, post},
};
use http::{HeaderMap, HeaderName, HeaderValue, header};

use crate::{problem::Problem, routes::Routes};

pub(crate) use frame::is_for_a_person;
pub(crate) use problem::ProblemPage;

/// Only what comes from here, and in nobody's frame. No script and no style stands in a page itself. A form is sent to us
/// alone, and no redirect behind one leads elsewhere: [`leave`] does that.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; \
                      form-action 'self'; frame-ancestors 'none'; base-uri 'none'";

/// Every page, and what they refer to.
#[rustfmt::skip]
pub(crate) fn routes() -> Routes {
    Routes::default()
        .page("/", "What this is", get(home::show))
        .page("/pricing", "Plans and prices", get(pricing::show))
        .page("/billing", "Billing", get(billing::show))
        .file("/billing/checkout", post(billing::act::checkout))
        .page("/billing/change", "Change the plan", get(billing::change::show).post(billing::change::apply))
        .page("/billing/cancel", "Cancel", get(billing::end::cancel).post(billing::act::cancel))
        .file("/billing/restore", post(billing::act::restore))
        .page("/billing/pause", "Pause", get(billing::end::pause).post(billing::act::pause))
        .file("/billing/resume", post(billing::act::resume))
        .file("/billing/portal", post(billing::act::portal))
        .file("/billing/contact", post(billing::act::contact))
        .page("/billing/invoices", "Invoices", get(billing::invoices::show))
        .and(console::routes())
        .file("/static/{hash}/{name}", get(asset::serve))
}

/// Answers with a page.
fn page(template: &impl Template) -> Result<Response, Problem> {
    let text = template.render().map_err(|error| Problem::internal(format!("a page was not rendered: {error}")))?;
    Ok((HeaderMap::from_iter(headers()), Html(text)).into_response())
}

/// What every page says of itself to the browser.
pub(crate) fn headers() -> [(HeaderName, HeaderValue); 3] {
    [
        (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY)),
        // A form's request must say where it comes from; nobody else needs to know.
        (header::REFERRER_POLICY, HeaderValue::from_static("same-origin")),
        (header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
    ]
}
