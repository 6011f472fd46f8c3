//! Something went wrong, for people: what, and the way on.

use askama::Template;
use http::StatusCode;

use super::frame::{Bare, sign_in};

/// A failure.
#[derive(Template)]
#[template(path = "problem.html")]
pub(crate) struct ProblemPage {
    pub(crate) frame: Bare,
    pub(crate) status: u16,
    pub(crate) sentence: String,
    pub(crate) ways: Vec<Step>,
    pub(crate) request_id: String,
}

/// One way on.
pub(crate) struct Step {
    pub(crate) label: &'static str,
    pub(crate) href: String,
}

impl ProblemPage {
    /// Of a failure; `path` is what was asked for, and `again` the address that asks for the same once more, where there is
    /// one.
    pub(crate) fn of(
        status: StatusCode,
        code: &str,
        sentence: &str,
        path: &str,
        again: Option<&str>,
        request_id: &str,
    ) -> Self {
        let title = match status {
            StatusCode::NOT_FOUND => "There is nothing here",
            StatusCode::UNAUTHORIZED => "Please sign in",
            StatusCode::FORBIDDEN => "This is not yours to do",
            StatusCode::CONFLICT => "That is not possible now",
            StatusCode::PAYMENT_REQUIRED => "The payment did not go through",
            StatusCode::TOO_MANY_REQUESTS => "Too much at once",
            status if status.is_client_error() => "That did not work",
            _ => "Something went wrong",
        };
        // Where the sentence would only say the title again.
        let sentence = match sentence.trim_end_matches('.') == title {
            true => "The address may be mistyped, or what was here is gone.",
            false => sentence,
        };
        let mut ways = Vec::new();
        let mut way = |label, href: &str| ways.push(Step { label, href: href.to_owned() });
        // What came back from a sign-in is not shown to anybody: its address holds a code.
        let signs_in = path.starts_with("/auth/");
        let may_help = !signs_in && (status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS);
        if let Some(again) = again.filter(|_| may_help) {
            way("Try again", again);
        }
        match (status, code) {
            (StatusCode::UNAUTHORIZED, _) | (_, "organization_required") => way("Sign in", &sign_in("/billing")),
            _ if signs_in => way("Sign in again", &sign_in("/billing")),
            _ if path.starts_with("/billing/checkout") => way("Back to the plans", "/pricing"),
            _ if path.starts_with("/console") => way("To the console", "/console"),
            (StatusCode::NOT_FOUND, _) => way("To the beginning", "/"),
            _ => way("Back to billing", "/billing"),
        }
        Self {
            frame: Bare::new(title),
            status: status.as_u16(),
            sentence: sentence.to_owned(),
            ways,
            request_id: request_id.to_owned(),
        }
    }
}
