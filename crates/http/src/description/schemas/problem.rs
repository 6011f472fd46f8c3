//! The document of every refusal.

use crate::description::schema::{Schema, between, named, object, text};

pub(super) fn all() -> Vec<(&'static str, Schema)> {
    vec![("Problem", problem())]
}

fn problem() -> Schema {
    object()
        .says("A refusal (RFC 9457).")
        .has("type", text().says("Always `about:blank`: read `code`."))
        .has("title", text().says("The words of the status."))
        .has("status", between(400, 599))
        .has("detail", text().says("A sentence for people."))
        .has("code", text().says("For programs."))
        .has("error", text().says("The same as `detail`."))
        .may_have("field", text().says("The field that is wrong, as it was spelled."))
        .may_have("reason", named("Reason").says("Why a gate is closed."))
        .may_have("preview", named("Preview").says("With `preview_outdated`: what the change costs now."))
        .has("requestId", text().says("Names this request in the log; also in `x-request-id`."))
        .example(
            r#"{"type":"about:blank","title":"Bad Request","status":400,"detail":"seats is 0: 1 to 100000 are possible","code":"bad_seats","error":"seats is 0: 1 to 100000 are possible","field":"seats","requestId":"8f14e45fceea167a-1f"}"#,
        )
}
