//! For machines that watch us.

use crate::description::operation::{Content, Operation, Tag, Who};

/// `GET /healthz`
pub(crate) fn alive() -> Operation {
    about("getHealth", "Is it alive?").answers("Alive", "This process answers.")
}

/// `GET /readyz`
pub(crate) fn ready() -> Operation {
    about("getReadiness", "Is it ready?")
        .text("Ready is when the database answers and has this program's schema; no provider is needed for that.")
        .answers("Ready", "It is ready.")
        .refuses(&["not_ready"])
}

/// `GET /metrics`
pub(crate) fn metrics() -> Operation {
    about("getMetrics", "Figures")
        .answers_with(200, "In the text format of Prometheus.", Content::Other("text/plain"))
        .refuses(&["not_found"])
}

/// `GET /version`
pub(crate) fn version() -> Operation {
    about("getVersion", "Which version is it?").answers("Version", "Name and version.")
}

fn about(id: &'static str, summary: &'static str) -> Operation {
    Operation::new(Tag::Health, Who::Anybody, id, summary)
}
