//! The frame of every page, and escaping.

use axum::response::{Html, IntoResponse as _, Response};
use http::StatusCode;

const STYLE: &str = "\
:root{color-scheme:light dark;--line:#8884;--accent:#2f5fd0;--bad:#b3261e}\
*{box-sizing:border-box}\
body{font:16px/1.5 system-ui,sans-serif;margin:0;padding:0 1rem 3rem}\
main{max-width:34rem;margin:2rem auto}main.wide{max-width:70rem}\
.sandbox{background:#ffd54a;color:#222;text-align:center;padding:.4rem;margin:0 -1rem;font-weight:600}\
h1{font-size:1.5rem}h2{font-size:1.1rem;margin-top:2rem}\
.box{border:1px solid var(--line);border-radius:.6rem;padding:1rem 1.2rem;margin:1rem 0}\
.error{border-color:var(--bad)}.error strong{color:var(--bad)}\
label{display:block;font-weight:600}\
input[type=text]{width:100%;font:inherit;padding:.5rem;margin:.3rem 0 1rem;border:1px solid var(--line);border-radius:.4rem}\
button,.button{font:inherit;padding:.5rem 1.1rem;margin:.2rem .4rem .2rem 0;border-radius:.4rem;border:1px solid var(--accent);\
background:transparent;color:inherit;cursor:pointer}\
button.main{background:var(--accent);color:#fff}\
table{border-collapse:collapse;width:100%;font-size:.9rem;display:block;overflow-x:auto}\
th,td{text-align:left;padding:.3rem .6rem;border-bottom:1px solid var(--line);white-space:nowrap}\
code{font-size:.9em}.total{display:flex;justify-content:space-between;font-weight:600}\
.muted{opacity:.7}";

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

/// A page; `content` is HTML already.
pub(super) fn page(status: StatusCode, title: &str, wide: bool, content: &str) -> Response {
    let title = escape(title);
    let class = if wide { " class=\"wide\"" } else { "" };
    let html = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <title>{title} · SANDBOX</title><style>{STYLE}</style></head>\
         <body><p class=\"sandbox\" role=\"note\">SANDBOX: nothing here is real, no money moves</p>\
         <main{class}><h1>{title}</h1>{content}</main></body></html>"
    );
    (status, Html(html)).into_response()
}

/// Money for people, from minor units of a currency with two decimals.
pub(super) fn money(amount: i64, currency: &str) -> String {
    format!("{}.{:02} {}", amount / 100, (amount % 100).abs(), escape(currency))
}

/// A day and time in UTC, for people.
pub(super) fn instant(secs: i64) -> String {
    let text = crate::moment::Moment::from_secs(secs).rfc3339();
    format!("{} {} UTC", &text[..10], &text[11..16])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_escapes_the_escape() {
        assert_eq!(escape("<b a=\"'&'\">"), "&lt;b a=&quot;&#39;&amp;&#39;&quot;&gt;");
        assert_eq!(money(4_905, "USD"), "49.05 USD");
        assert_eq!(instant(0), "1970-01-01 00:00 UTC");
    }
}
