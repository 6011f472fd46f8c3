//! The frame of every page, what it may load, and escaping.

use axum::response::{Html, IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};

const STYLE: &str = include_str!("sandbox.css");
const ICON: &str = include_str!("sandbox.svg");

/// What a page may do: show our one sheet and our icon, and send forms.
///
/// Forms may lead anywhere: browsers apply `form-action` to where an answer redirects as well, and most of these pages
/// exist to send the browser back to a product, whose further redirects nobody here knows.
const POLICY: &str = "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self' http: https:; \
                      base-uri 'none'; frame-ancestors 'none'";

/// How wide a page is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Width {
    /// One column.
    Narrow,
    /// Two columns where there is room.
    Pair,
    /// Everything at once.
    Wide,
}

/// The style sheet.
pub(super) async fn style() -> Response {
    asset("text/css; charset=utf-8", STYLE)
}

/// The icon in the browser's tab.
pub(super) async fn icon() -> Response {
    asset("image/svg+xml", ICON)
}

fn asset(kind: &'static str, text: &'static str) -> Response {
    // Short, because the next build of the sandbox has the same address.
    ([(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, "max-age=60")], text).into_response()
}

/// Makes text safe inside HTML, also in attributes.
pub(super) fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            other => safe.push(other),
        }
    }
    safe
}

/// A page that stands in for one of the provider `of`, or for none; `content` is HTML already.
pub(super) fn page(status: StatusCode, of: &str, title: &str, width: Width, content: &str) -> Response {
    let title = escape(title);
    let class = match width {
        Width::Narrow => "",
        Width::Pair => " class=\"pair\"",
        Width::Wide => " class=\"wide\"",
    };
    let of = match of {
        "" => String::new(),
        of => format!("<p class=\"of\">Stands in for {of}</p>"),
    };
    let html = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <title>{title} · SANDBOX</title>\
         <link rel=\"icon\" href=\"/pages/sandbox.svg\"><link rel=\"stylesheet\" href=\"/pages/sandbox.css\"></head>\
         <body><header class=\"banner\"><p><strong>SANDBOX</strong> \
         <span>Nothing here is real, no money moves.</span> <a href=\"/\">Sandbox home</a></p></header>\
         <main{class}><div>{of}<h1>{title}</h1></div>{content}</main></body></html>"
    );
    let mut response = (status, Html(html)).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// A page that only says something, in one panel.
pub(super) fn message(status: StatusCode, of: &str, title: &str, content: &str) -> Response {
    page(status, of, title, Width::Narrow, &format!("<div class=\"panel\">{content}</div>"))
}

/// Money for people, from minor units of a currency with two decimals.
pub(super) fn money(amount: i64, currency: &str) -> String {
    let sign = if amount < 0 { "-" } else { "" };
    let amount = amount.unsigned_abs();
    format!("{sign}{}.{:02} {}", amount / 100, amount % 100, escape(currency))
}

/// A day and time in UTC, for people.
pub(super) fn instant(secs: i64) -> String {
    format!("{} UTC", short(secs))
}

/// The same where a heading says that it is UTC.
pub(super) fn short(secs: i64) -> String {
    let text = crate::moment::Moment::from_secs(secs).rfc3339();
    format!("{} {}", &text[..10], &text[11..16])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_escapes_the_escape() {
        assert_eq!(escape("<b a=\"'&'\">"), "&lt;b a=&quot;&#39;&amp;&#39;&quot;&gt;");
        assert_eq!(money(4_905, "USD"), "49.05 USD");
        assert_eq!(money(-50, "USD"), "-0.50 USD");
        assert_eq!(instant(0), "1970-01-01 00:00 UTC");
    }
}
