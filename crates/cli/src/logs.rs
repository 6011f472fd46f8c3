//! Logs: lines for people on a terminal, JSON elsewhere.

use std::io::IsTerminal as _;

use tracing_subscriber::{EnvFilter, fmt, layer::SubscriberExt as _, util::SubscriberInitExt as _};

/// Starts logging to standard error. `TOLLKEEPER_LOG` filters (`info`, `tollkeeper=debug`); `TOLLKEEPER_LOG_FORMAT` is
/// `text` or `json`.
pub(crate) fn start(default: &str) {
    let filter = EnvFilter::try_from_env("TOLLKEEPER_LOG").unwrap_or_else(|_| EnvFilter::new(default));
    let json = match std::env::var("TOLLKEEPER_LOG_FORMAT").as_deref() {
        Ok("json") => true,
        Ok("text") => false,
        _ => !std::io::stderr().is_terminal(),
    };
    let registry = tracing_subscriber::registry().with(filter);
    if json {
        registry.with(fmt::layer().json().flatten_event(true).with_writer(std::io::stderr)).init();
    } else {
        registry.with(fmt::layer().with_target(false).with_writer(std::io::stderr)).init();
    }
}
