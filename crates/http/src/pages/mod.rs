//! The two pages there are: what this is, and what became of a checkout.
//!
//! Constant text only: nothing of a request is ever written into a page.

use axum::response::{Html, IntoResponse, Response};
use http::{HeaderValue, Uri, header};

use crate::query;

const STYLE: &str = include_str!("page.css");
const HOME: &str = include_str!("home.html");
const BILLING: &str = include_str!("billing.html");

/// Nothing but our own style sheet, and in nobody's frame.
const POLICY: &str =
    "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// What became of a checkout, as a title and a sentence.
struct News {
    title: &'static str,
    sentence: &'static str,
}

/// `GET /`
pub(crate) async fn home() -> Response {
    page(HOME.to_owned())
}

/// `GET /billing`
pub(crate) async fn billing(uri: Uri) -> Response {
    let News { title, sentence } = news(&uri);
    page(BILLING.replace("{{title}}", title).replace("{{sentence}}", sentence))
}

/// `GET /static/page.css`
pub(crate) async fn style() -> Response {
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("text/css; charset=utf-8")),
        (header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=3600")),
    ];
    (headers, STYLE).into_response()
}

/// Reads the words that the checkout's return addresses carry. A payment that is still pending comes with both words.
fn news(uri: &Uri) -> News {
    match query::value(uri, "checkout").as_deref() {
        Some("pending") => News {
            title: "Almost there",
            sentence: "The payment is not confirmed yet. Your plan starts by itself as soon as it is.",
        },
        Some("failed") => News {
            title: "The checkout did not work",
            sentence: "Nothing was changed by this checkout. You can start a new one at any time.",
        },
        Some("cancelled" | "canceled" | "abandoned") => News {
            title: "Checkout given up",
            sentence: "You left the checkout before it was finished. Nothing was changed.",
        },
        Some(_) | None => match query::value(uri, "success").as_deref() {
            Some("1" | "true") => {
                News { title: "Thank you", sentence: "The checkout is done, and your plan has started." }
            }
            Some(_) | None => {
                News { title: "Billing", sentence: "This is where people come back to from the checkout." }
            }
        },
    }
}

fn page(text: String) -> Response {
    let headers = [
        (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY)),
        (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
        (header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
    ];
    (headers, Html(text)).into_response()
}
