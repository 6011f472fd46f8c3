//! What operators do.

use tollkeeper::DeliveryState;

use crate::{
    body::NAME,
    description::{
        operation::{Content, Operation, Tag, Who},
        schema::{Schema, between, from, instant, named, text, words, yes_or_no},
    },
};

/// `GET /admin/api/organizations`
pub(crate) fn find_organizations() -> Operation {
    about("findOrganizations", "Find organizations")
        .text("By an id or external id or its beginning, an id of a customer or subscription, the whole e-mail of a member or of its invoices, or the beginning of its name. Without a query, the newest.")
        .query("query", text().up_to(NAME).says("What one has of it."))
        .query("anywhere", yes_or_no().says("Look at every part of names, too, and not at their beginnings alone: this takes longer the more organizations there are."))
        .query("limit", limit())
        .answers("Organizations", "The deleted ones too.")
        .refuses(&["invalid_text", "invalid_type", "invalid_value"])
}

/// `GET /admin/api/organizations/{id}`
pub(crate) fn show_organization() -> Operation {
    about("getOrganization", "An organization")
        .path("id", id())
        .answers("Account", "With its customers and all its subscriptions.")
        .refuses(&["unknown_organization", "invalid_text"])
}

/// `GET /admin/api/organizations/{id}/history`
pub(crate) fn history() -> Operation {
    about("getHistory", "What was decided about it")
        .text("Every change of one of its rows, in order, with its cause.")
        .path("id", id())
        .query("after", from(0).says("The number of a decision: what came behind it."))
        .query("limit", limit())
        .answers("History", "In order.")
        .refuses(&["invalid_text", "invalid_value"])
}

/// `PUT /admin/api/organizations/{id}`
pub(crate) fn put_organization() -> Operation {
    about("putOrganization", "Tell of an organization")
        .text("For identity systems that send no webhooks: the same as its webhook. Its customer is made at the billing provider.")
        .path("id", id())
        .takes(named("PutOrganization"))
        .answers_with(204, "It is known.", Content::Nothing)
        .asks_the_provider()
        .refuses(&["invalid_text", "customer_taken"])
}

/// `DELETE /admin/api/organizations/{id}`
pub(crate) fn delete_organization() -> Operation {
    about("deleteOrganization", "Tell of its end")
        .text("Cancels everything of it at the billing provider, and answers when that is confirmed.")
        .path("id", id())
        .answers_with(204, "Nothing of it is billed any more.", Content::Nothing)
        .asks_the_provider()
        .refuses(&["invalid_text", "still_billed"])
}

/// `PUT /admin/api/organizations/{id}/members/{user}`
pub(crate) fn put_member() -> Operation {
    about("putMember", "Tell of a member")
        .path("id", id())
        .path("user", id())
        .needs(named("PutMember"))
        .answers_with(204, "The person holds a seat.", Content::Nothing)
        .refuses(&["invalid_text", "invalid_value"])
}

/// `DELETE /admin/api/organizations/{id}/members/{user}`
pub(crate) fn delete_member() -> Operation {
    about("deleteMember", "Tell of a member who left")
        .path("id", id())
        .path("user", id())
        .answers_with(204, "The person holds no seat.", Content::Nothing)
        .refuses(&["invalid_text"])
}

/// `POST /admin/api/reconcile`
pub(crate) fn reconcile() -> Operation {
    about("beginReconcile", "Compare with the providers")
        .text("Repairs what differs, and answers with the report; where that takes long, with a job to ask for.")
        .takes(named("Reconcile"))
        .answers("Report", "What was found.")
        .answers_with(202, "It goes on.", Content::Json(named("Job")))
        .header("location", "Where its report will be.")
        .asks_the_provider()
        .refuses(&["reconcile_running", "unknown_organization"])
}

/// `GET /admin/api/reconcile/{job}`
pub(crate) fn report() -> Operation {
    about("getReconcileReport", "What a comparison found")
        .text("Of the process that runs it alone.")
        .path("job", id())
        .answers("Report", "What was found.")
        .answers_with(202, "It goes on.", Content::Json(named("Job")))
        .header("location", "Where its report will be.")
        .asks_the_provider()
        .refuses(&["unknown_job", "invalid_text", "reconcile_running"])
}

/// `GET /admin/api/drift`
pub(crate) fn drift() -> Operation {
    about("listDrift", "Differences that were found")
        .query("organizationId", id())
        .query("limit", limit())
        .answers("Drift", "The newest first.")
        .refuses(&["invalid_text", "invalid_value"])
}

/// `GET /admin/api/inbox`
pub(crate) fn deliveries() -> Operation {
    about("listDeliveries", "What arrived")
        .query("state", words(DeliveryState::ALL.map(DeliveryState::as_str)))
        .query("source", id())
        .query(
            "subject",
            id().says("What they are about, such as `subscription:ID`, `customer:ID` or `organization:ID`."),
        )
        .query("before", instant().says("What arrived earlier than this."))
        .query("limit", limit())
        .answers("Deliveries", "The newest first, without what they say.")
        .refuses(&["invalid_text", "invalid_value"])
}

/// `GET /admin/api/inbox/{source}/{event}`
pub(crate) fn delivery() -> Operation {
    about("getDelivery", "One delivery")
        .path("source", id())
        .path("event", id())
        .answers("Delivery", "With what it says.")
        .refuses(&["unknown_delivery", "invalid_text"])
}

/// `POST /admin/api/replay`
pub(crate) fn replay() -> Operation {
    about("replayDeliveries", "Have deliveries worked on again")
        .takes(named("ReplayDeliveries"))
        .answers("Replayed", "How many.")
        .refuses(&["unknown_delivery", "source_required", "invalid_value"])
}

/// `GET /admin/api/keys`
pub(crate) fn keys() -> Operation {
    about("listKeys", "API keys").answers("Keys", "Every key, never a secret.")
}

/// `POST /admin/api/keys`
pub(crate) fn create_key() -> Operation {
    about("createKey", "Make an API key")
        .needs(named("CreateKey"))
        .answers("CreatedKey", "The secret is in this answer, and nowhere else.")
        .refuses(&["bad_name", "bad_scopes", "invalid_value", "empty_list", "too_many"])
}

/// `DELETE /admin/api/keys/{id}`
pub(crate) fn revoke_key() -> Operation {
    about("revokeKey", "End an API key")
        .path("id", id())
        .answers_with(204, "It stops working within five seconds.", Content::Nothing)
        .refuses(&["unknown_key", "invalid_text"])
}

fn about(id: &'static str, summary: &'static str) -> Operation {
    Operation::new(Tag::Operators, Who::Operator, id, summary).looks_up()
}

fn id() -> Schema {
    text().up_to(NAME)
}

fn limit() -> Schema {
    between(1, 500).says("50, where it is not given.")
}
