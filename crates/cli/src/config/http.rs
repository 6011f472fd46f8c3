//! `[http]`: how much the server takes on, and how fast.

use std::time::Duration;

use tollkeeper_http::{Limits, Rate};

use super::{problems::Problems, section::Section};

/// The shortest and the longest time that anything may be given.
const TIMES: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(3_600));
/// The most of anything that is counted.
const MOST: i64 = 1_000_000;
/// The most bytes of anything: 1 GiB.
const MOST_BYTES: i64 = 1 << 30;

/// The longest sentence, in characters.
const LONGEST: usize = 200;

/// `[http]`, as far as it was said.
pub(super) struct Http {
    pub(super) limits: Limits,
    /// The sentence of a gate that is closed because nobody paid for what is behind it.
    pub(super) payment_required: Option<String>,
    /// The name of the session cookie.
    pub(super) session_cookie: Option<String>,
}

/// Reads it; a limit that is not there has its default.
pub(super) fn read(root: &Section<'_>, problems: &Problems) -> Http {
    let section = root.section("http");
    let session_cookie = section.text("session_cookie");
    if session_cookie.as_deref().is_some_and(|name| !tollkeeper_http::is_cookie_name(name)) {
        let what =
            "is not possible: 1 to 64 letters, digits, `_`, `-` and `.` are, without `__Host-` or `__Secure-` in front";
        problems.add(section.path_of("session_cookie"), what);
    }
    let sentence = section.text("payment_required");
    if sentence.as_ref().is_some_and(|text| text.trim().is_empty() || text.chars().count() > LONGEST) {
        problems.add(section.path_of("payment_required"), format!("is not possible: 1 to {LONGEST} characters are"));
    }
    let defaults = Limits::default();
    let count = |key, least, most, default| whole(&section, key, least, most).unwrap_or(default);
    let time = |key, default| {
        let Some(span) = section.span(key) else { return default };
        if span < TIMES.0 || span > TIMES.1 {
            problems.add(section.path_of(key), "is not possible: 1s to 1h are");
        }
        span
    };
    let rate = |key, default: Rate| {
        let rate = section.section(key);
        let part = |key, least| whole(&rate, key, least, MOST).and_then(|number| u32::try_from(number).ok());
        let read = Rate {
            per_minute: part("per_minute", 0).unwrap_or(default.per_minute),
            burst: part("burst", 1).unwrap_or(default.burst),
        };
        rate.done();
        read
    };
    let limits = Limits {
        connections: count("connections", 1, MOST, defaults.connections),
        header_time: time("header_time", defaults.header_time),
        header_bytes: count("header_bytes", 1024, MOST_BYTES, defaults.header_bytes),
        requests: count("requests", 1, MOST, defaults.requests),
        streams: count("streams", 0, MOST, defaults.streams),
        streams_each: count("streams_each", 0, MOST, defaults.streams_each),
        heartbeat: time("heartbeat", defaults.heartbeat),
        body_bytes: count("body_bytes", 1024, MOST_BYTES, defaults.body_bytes),
        bodies_bytes: count("bodies_bytes", 1024, MOST_BYTES, defaults.bodies_bytes),
        body_time: time("body_time", defaults.body_time),
        request_time: time("request_time", defaults.request_time),
        report_time: time("report_time", defaults.report_time),
        provider_calls: rate("provider_calls", defaults.provider_calls),
        failed_bearers: rate("failed_bearers", defaults.failed_bearers),
        sign_ins: rate("sign_ins", defaults.sign_ins),
        proxies: count("proxies", 0, 16, defaults.proxies),
    };
    if limits.body_bytes > limits.bodies_bytes {
        let what = "is less than http.body_bytes: no body of that size would ever be taken";
        problems.add(section.path_of("bodies_bytes"), what);
    }
    section.done();
    Http { limits, payment_required: sentence, session_cookie }
}

fn whole(section: &Section<'_>, key: &'static str, least: i64, most: i64) -> Option<usize> {
    section.whole(key, least, most).and_then(|number| usize::try_from(number).ok())
}
