//! On the way to a page of a provider.
//!
//! A browser holds a form to `form-action` also behind redirects, and a provider's pages may be at an address of the
//! product's own. So a form is answered with this page, which leads on by itself.

use askama::Template;
use axum::response::Response;

use super::{frame::Bare, page};
use crate::problem::Problem;

/// Leads on to a page elsewhere.
#[derive(Template)]
#[template(path = "leave.html")]
pub(crate) struct LeavePage {
    pub(crate) frame: Bare,
    pub(crate) address: String,
    /// Where it leads, in words.
    pub(crate) place: &'static str,
}

/// Answers a form with the way to a page elsewhere.
pub(crate) fn to(address: String, place: &'static str) -> Result<Response, Problem> {
    page(&LeavePage { frame: Bare::new("One moment"), address, place })
}
