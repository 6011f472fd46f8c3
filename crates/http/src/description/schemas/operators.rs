//! What operators see and tell, and what machines that watch us read.

use tollkeeper::{DeliveryState, Scope};

use crate::{
    body::NAME,
    description::schema::{
        Schema, any, from, instant, list, named, object, one_of, open_object, text, whole, words, yes_or_no,
    },
};

pub(super) fn all() -> Vec<(&'static str, Schema)> {
    vec![
        ("Account", account()),
        ("Organization", organization()),
        ("Organizations", object().has("organizations", list(named("Organization")))),
        ("Customer", object().has("provider", text()).has("id", text().says("At the provider."))),
        ("PutOrganization", put_organization()),
        ("PutMember", open_object().has("email", text().up_to(NAME))),
        ("History", object().has("history", list(named("Decision")))),
        ("Decision", decision()),
        ("Deliveries", object().has("deliveries", list(delivery(object())))),
        ("Delivery", delivery(object()).has("payload", any().says("What it says; a text where it is no JSON."))),
        ("ReplayDeliveries", replay()),
        ("Replayed", object().has("replayed", from(0).says("Deliveries that are worked on again."))),
        ("Reconcile", reconcile()),
        ("Report", report()),
        ("Difference", difference(object())),
        (
            "Job",
            object().has(
                "job",
                text().says("Its id: the report is at `GET /admin/api/reconcile/{job}` once there is one."),
            ),
        ),
        ("Drift", object().has("drift", list(recorded()))),
        ("Keys", object().has("keys", list(named("Key")))),
        ("Key", key()),
        ("CreateKey", create_key()),
        ("CreatedKey", object().has("key", named("Key")).has("secret", text().says("Shown this once."))),
        ("Received", received()),
        ("Alive", object().has("status", words(["ok"]))),
        ("Ready", object().has("status", words(["ready"])).has("now", instant().says("Business time."))),
        ("Version", object().has("name", text()).has("version", text())),
    ]
}

fn account() -> Schema {
    object()
        .says("An organization with what belongs to it.")
        .has("organization", named("Organization"))
        .has("customers", list(named("Customer")))
        .has("subscriptions", list(named("Subscription")))
}

fn organization() -> Schema {
    object()
        .has("id", text().says("The identity provider's."))
        .has("displayName", text())
        .has("externalId", text().or_null().says("The product's own."))
        .has("email", text().or_null().says("Billing contact."))
        .has("locale", text().or_null().says("BCP 47."))
        .has("currency", text().or_null().says("Pinned with the first purchase."))
        .has("billingProvider", text())
        .has("hadTrial", yes_or_no())
        .has("version", whole().says("Goes up with every change."))
        .has("identityUpdatedAt", instant().or_null())
        .has("deletionBeganAt", instant().or_null())
        .has("deletedAt", instant().or_null())
        .has("createdAt", instant())
        .has("updatedAt", instant())
}

fn put_organization() -> Schema {
    open_object()
        .may_have("displayName", text().up_to(NAME))
        .may_have("externalId", text().up_to(NAME))
        .example(r#"{"displayName":"Acme"}"#)
}

fn decision() -> Schema {
    object()
        .says("What was decided about an organization, once.")
        .has("seq", whole().says("Its number: they are in order."))
        .has("at", instant())
        .has("cause", words(["inbox", "api", "reconcile", "time", "operator"]))
        .has("causeId", text().or_null().says("The delivery, the person or the key."))
        .has("subscriptionId", text().or_null())
        .has("before", open_object().or_null().says("The row before, in full."))
        .has("after", open_object().or_null().says("The row after, in full."))
        .has("why", text())
}

fn delivery(object: Schema) -> Schema {
    object
        .says("What a provider sent.")
        .has("source", text())
        .has("eventId", text().says("Unique with its source."))
        .has("eventType", text())
        .has("subject", text().or_null().says("What it is about."))
        .has("occurredAt", instant().or_null())
        .has("receivedAt", instant())
        .has("seen", from(1).says("How often it came."))
        .has("state", words(DeliveryState::ALL.map(DeliveryState::as_str)))
        .has("why", text().or_null().says("What became of it."))
        .has("attempts", from(0))
        .has("nextAttemptAt", instant().or_null())
        .has("lastError", text().or_null())
}

fn replay() -> Schema {
    open_object()
        .says(
            "Which deliveries: one, by `source` and `eventId`, also one that waits for its next try, or those that were given up.",
        )
        .may_have("source", text().up_to(NAME))
        .may_have("eventId", text().up_to(NAME))
        .may_have("from", moment())
        .may_have("until", moment())
        .may_have("dead", only_true())
        .may_have("closed", yes_or_no().says("Those that are settled, too."))
        .example(r#"{"source":"chargebee","eventId":"ev_1"}"#)
}

fn only_true() -> Schema {
    yes_or_no().says("What was given up is always worked on again: true is all that it may be.")
}

fn moment() -> Schema {
    one_of([instant(), from(0)]).says("RFC 3339, or seconds since the Unix epoch.")
}

fn reconcile() -> Schema {
    open_object()
        .says("How far to look; with neither, at what changed since the last time.")
        .may_have("organizationId", text().up_to(NAME).says("At one organization."))
        .may_have("full", yes_or_no().says("At everything."))
        .example(r#"{"full":true}"#)
}

fn report() -> Schema {
    object()
        .says("What was compared, and what differed.")
        .has("checked", from(0).says("Organizations, members, customers, subscriptions."))
        .has("repaired", from(0))
        .has("strangers", from(0).says("Things at a provider that belong to nobody here."))
        .has("failed", from(0).says("Things that could not be compared; the log says why."))
        .has("notCompared", list(text()).says("Providers that could not be compared to the end."))
        .has("drift", list(named("Difference")).says("The first thousand."))
        .has("more", from(0).says("How many differences are not shown."))
        .example(r#"{"checked":120,"repaired":1,"strangers":0,"failed":0,"notCompared":[],"drift":[],"more":0}"#)
}

fn difference(object: Schema) -> Schema {
    object
        .says("One difference from what a provider holds.")
        .has("organizationId", text().or_null())
        .has("provider", text())
        .has("subscriptionId", text().or_null())
        .has("class", words(["missed", "edited", "ours", "amount"]).says("Where it comes from."))
        .has("field", text())
        .has("expected", any().says("What our row said."))
        .has("found", any().says("What the provider says."))
        .has("repaired", yes_or_no().says("Whether our row says the same now."))
        .has("why", text())
}

fn recorded() -> Schema {
    difference(object().has("id", text()).has("at", instant()))
}

fn scopes() -> Schema {
    list(words(Scope::ALL.map(Scope::as_str)))
}

fn key() -> Schema {
    object()
        .says("An API key, without its secret.")
        .has("id", text())
        .has("name", text())
        .has("scopes", scopes())
        .has("organizationId", text().or_null().says("The only one it may act for; null for all."))
        .has("createdAt", instant())
        .has("lastUsedAt", instant().or_null().says("To the minute."))
        .has("revokedAt", instant().or_null())
}

fn create_key() -> Schema {
    open_object()
        .has("name", text().up_to(100))
        .has("scopes", scopes())
        .may_have("organizationId", text().up_to(NAME).says("Ties it to this one."))
        .example(r#"{"name":"backend","scopes":["read"]}"#)
}

fn received() -> Schema {
    object()
        .has("received", yes_or_no())
        .may_have("duplicate", yes_or_no().says("It came before: nothing more is done."))
}
