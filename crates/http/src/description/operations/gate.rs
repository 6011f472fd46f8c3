//! Gates, and the same question for programs.

use crate::description::{
    operation::{Content, Operation, Tag, Who},
    schema::{Schema, named, text, words},
};

/// `GET|HEAD /gate/{feature}`
pub(crate) fn gate() -> Operation {
    Operation::new(Tag::Entitlements, Who::Member, "askGate", "May this organization pass?")
        .text("For proxies (auth_request of nginx, forward auth of Traefik and Caddy, ext_authz of Envoy): the status alone is an answer, and so is `HEAD`. Answered from memory.")
        .path("feature", feature())
        .query("deny", words(["403"]).says("Has a closed gate answer 403, for proxies that know no 402."))
        .answers_with(200, "The gate is open.", Content::Json(named("Entitlement")))
        .header("x-tollkeeper-organization", "The organization.")
        .header("x-tollkeeper-plan", "The plan that opened it.")
        .refuses(&["payment_required", "unknown_feature", "gate_unavailable"])
}

/// `GET /api/entitlements`
pub(crate) fn entitlements() -> Operation {
    Operation::new(Tag::Entitlements, Who::Member, "listEntitlements", "Everything that may be used")
        .answers("Entitlements", "What the organization may use now.")
        .refuses(&["gate_unavailable"])
        .looks_up()
}

/// `GET /api/entitlements/{feature}`
pub(crate) fn entitlement() -> Operation {
    Operation::new(Tag::Entitlements, Who::Member, "getEntitlement", "May this be used?")
        .text("A question and no gate: no is as good an answer as yes, and both are 200.")
        .path("feature", feature())
        .answers("Entitlement", "Yes or no, and why.")
        .refuses(&["gate_unavailable", "not_found"])
        .looks_up()
}

fn feature() -> Schema {
    text().says("A feature of the catalog, or `subscription`, `plan:NAME`, `price:ID`.")
}
