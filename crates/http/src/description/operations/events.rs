//! What happens, as it happens.

use crate::description::operation::{Content, Operation, Tag, Who};

/// `GET /api/events`
pub(crate) fn stream() -> Operation {
    Operation::new(Tag::Subscriptions, Who::Member, "listenToEvents", "What happens to the organization")
        .text("Server-sent events. `subscription` comes first and whenever something changes, with what `GET /api/subscription/list` would say; `entitlements` when what may be used has changed, with what `GET /api/entitlements` would say. The stream ends with the token, or after a quarter of an hour: come back with `last-event-id`, and nothing is heard twice.")
        .answers_with(200, "A stream that goes on.", Content::Other("text/event-stream"))
        .refuses(&["overloaded"])
        .looks_up()
}
