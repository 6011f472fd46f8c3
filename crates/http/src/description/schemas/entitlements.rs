//! What an organization may use, and why.

use tollkeeper_core::gate::Reason;

use super::subscriptions::grant;
use crate::description::schema::{Schema, from, instant, list, map, named, object, text, words, yes_or_no};

pub(super) fn all() -> Vec<(&'static str, Schema)> {
    vec![
        ("Entitlements", entitlements()),
        ("Entitlement", entitlement()),
        ("Access", access()),
        ("Reason", reason()),
        ("Seats", seats()),
        ("SeatHolder", holder()),
    ]
}

fn entitlements() -> Schema {
    object()
        .says("Everything that the organization may use now.")
        .has("plans", list(text()).says("The plans that grant it."))
        .has("features", map(grant()).says("By name; what is not here is not granted."))
        .example(r#"{"plans":["growth"],"features":{"projects":"unlimited","sso":true}}"#)
}

fn entitlement() -> Schema {
    object()
        .says("The answer about one feature.")
        .has("allowed", yes_or_no())
        .has("reason", named("Reason"))
        .has("feature", text().says("As it was asked for."))
        .has("plan", text().or_null().says("The plan that decided."))
        .has("limit", grant().or_null().says("A number, or `unlimited`; null where the feature has none."))
        .has("used", from(0).or_null().says("Null where the product itself counts."))
        .has("remaining", from(0).or_null().says("Null where the product itself counts."))
        .has("until", instant().or_null().says("When time alone will close it."))
        .example(
            r#"{"allowed":true,"reason":"active","feature":"projects","plan":"growth","limit":"unlimited","used":null,"remaining":null,"until":null}"#,
        )
}

fn access() -> Schema {
    object()
        .says("Whether a subscription gives access now.")
        .has("granted", yes_or_no())
        .has("reason", named("Reason"))
        .has("until", instant().or_null().says("When time alone will close it; null where nothing is known to."))
}

fn reason() -> Schema {
    words(Reason::ALL.map(Reason::as_str)).says("Why a gate is open or closed.")
}

fn seats() -> Schema {
    object()
        .says("Who holds seats, and how many there are.")
        .has("used", from(0).says("People of the organization, each once."))
        .has("limit", from(0).or_null().says("What was bought, or what the plan allows, whichever is lower; null without a limit."))
        .has("over", yes_or_no().says("Whether more are used than there are: nobody is thrown out for it."))
        .has("holders", list(named("SeatHolder")))
        .example(
            r#"{"used":1,"limit":5,"over":false,"holders":[{"userId":"usr_1","email":"jane@acme.test","since":"2030-01-01T00:00:00Z"}]}"#,
        )
}

fn holder() -> Schema {
    object()
        .says("One person, by e-mail.")
        .has("userId", text().says("The first of the ids that are active at the identity provider."))
        .has("email", text().says("Lower case."))
        .has("since", instant().says("The first that is known of the person."))
}
