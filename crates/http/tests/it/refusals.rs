//! Bad requests: each gets its status, its code and the field's name, and none reaches a provider.

use axum::body::Body;

use crate::world::{World, as_admin};

type Row<'a> = (&'a str, &'a str, u16, &'a str, Option<&'a str>);

const ROWS: &[Row<'_>] = &[
    // Not an object.
    ("create", "{", 400, "invalid_json", None),
    ("create", "plan=growth", 400, "invalid_json", None),
    ("create", "{\"plan\":\"growth\"} x", 400, "invalid_json", None),
    ("create", "\u{feff}{}", 400, "invalid_json", None),
    ("create", "[]", 400, "invalid_type", None),
    ("create", "[{\"plan\":\"growth\"}]", 400, "invalid_type", None),
    ("create", "null", 400, "invalid_type", None),
    ("create", "7", 400, "invalid_type", None),
    ("create", "\"growth\"", 400, "invalid_type", None),
    ("cancel", "[]", 400, "invalid_type", None),
    ("restore", "true", 400, "invalid_type", None),
    ("portal", "{\"returnUrl\":}", 400, "invalid_json", None),
    // Wrong types.
    ("create", r#"{"plan":7}"#, 400, "invalid_type", Some("plan")),
    ("create", r#"{"plan":["growth"]}"#, 400, "invalid_type", Some("plan")),
    ("create", r#"{"plan":{}}"#, 400, "invalid_type", Some("plan")),
    ("create", r#"{"itemPriceId":7}"#, 400, "invalid_type", Some("itemPriceId")),
    ("create", r#"{"itemPriceId":{"id":"x"}}"#, 400, "invalid_type", Some("itemPriceId")),
    ("create", r#"{"itemPriceId":["starter-plan-monthly",7]}"#, 400, "invalid_type", Some("itemPriceId[1]")),
    ("create", r#"{"itemPriceId":[null]}"#, 400, "invalid_type", Some("itemPriceId[0]")),
    ("create", r#"{"priceId":false}"#, 400, "invalid_type", Some("priceId")),
    ("create", r#"{"plan":"growth","interval":1}"#, 400, "invalid_type", Some("interval")),
    ("create", r#"{"plan":"growth","currency":840}"#, 400, "invalid_type", Some("currency")),
    ("create", r#"{"plan":"growth","seats":"5"}"#, 400, "invalid_type", Some("seats")),
    ("create", r#"{"plan":"growth","seats":1.5}"#, 400, "invalid_type", Some("seats")),
    ("create", r#"{"plan":"growth","seats":1e2}"#, 400, "invalid_type", Some("seats")),
    ("create", r#"{"plan":"growth","seats":9223372036854775808}"#, 400, "invalid_type", Some("seats")),
    ("create", r#"{"plan":"growth","seats":[1]}"#, 400, "invalid_type", Some("seats")),
    ("create", r#"{"plan":"growth","seats":true}"#, 400, "invalid_type", Some("seats")),
    ("create", r#"{"plan":"growth","addons":"extra-projects"}"#, 400, "invalid_type", Some("addons")),
    ("create", r#"{"plan":"growth","addons":[1]}"#, 400, "invalid_type", Some("addons[0]")),
    ("create", r#"{"plan":"growth","addons":[{}]}"#, 400, "invalid_type", Some("addons[0].name")),
    ("create", r#"{"plan":"growth","addons":[{"addon":1}]}"#, 400, "invalid_type", Some("addons[0].addon")),
    (
        "create",
        r#"{"plan":"growth","addons":[{"name":"extra-projects","quantity":"2"}]}"#,
        400,
        "invalid_type",
        Some("addons[0].quantity"),
    ),
    ("create", r#"{"plan":"growth","trial":"no"}"#, 400, "invalid_type", Some("trial")),
    ("create", r#"{"plan":"growth","trial":0}"#, 400, "invalid_type", Some("trial")),
    ("create", r#"{"plan":"growth","metadata":"x"}"#, 400, "invalid_type", Some("metadata")),
    ("create", r#"{"plan":"growth","metadata":[]}"#, 400, "invalid_type", Some("metadata")),
    ("create", r#"{"plan":"growth","successUrl":1}"#, 400, "invalid_type", Some("successUrl")),
    ("create", r#"{"plan":"growth","referenceId":7}"#, 400, "invalid_type", Some("referenceId")),
    ("cancel", r#"{"when":true}"#, 400, "invalid_type", Some("when")),
    ("cancel", r#"{"hosted":"yes"}"#, 400, "invalid_type", Some("hosted")),
    ("cancel", r#"{"reason":{}}"#, 400, "invalid_type", Some("reason")),
    ("cancel", r#"{"subscriptionId":7}"#, 400, "invalid_type", Some("subscriptionId")),
    ("cancel", r#"{"referenceId":["org_1"]}"#, 400, "invalid_type", Some("referenceId")),
    ("restore", r#"{"what":1}"#, 400, "invalid_type", Some("what")),
    ("portal", r#"{"returnUrl":[]}"#, 400, "invalid_type", Some("returnUrl")),
    // Wrong words.
    ("cancel", r#"{"when":"later"}"#, 400, "invalid_value", Some("when")),
    ("cancel", r#"{"when":"NOW"}"#, 400, "invalid_value", Some("when")),
    ("restore", r#"{"what":"everything"}"#, 400, "invalid_value", Some("what")),
    ("restore", r#"{"what":"change"}"#, 400, "no_subscription", None),
    // Lists and texts that cannot be.
    ("create", r#"{"itemPriceId":[]}"#, 400, "empty_list", Some("itemPriceId")),
    ("create", r#"{"plan":"gro\u0000wth"}"#, 400, "invalid_text", Some("plan")),
    ("create", r#"{"plan":"growth","metadata":{"a":["\u0000"]}}"#, 400, "invalid_text", Some("metadata")),
    ("create", r#"{"plan":"growth","metadata":{"\u0000":1}}"#, 400, "invalid_text", Some("metadata")),
    ("create", r#"{"itemPriceId":"a","priceId":"b"}"#, 400, "ambiguous_plan", Some("priceId")),
    ("create", r#"{"plan":"growth","priceId":"starter-plan-monthly"}"#, 400, "ambiguous_plan", Some("plan")),
    // What is not sold.
    ("create", "{}", 400, "plan_required", Some("plan")),
    ("create", "", 400, "plan_required", Some("plan")),
    ("create", r#"{"plan":null}"#, 400, "plan_required", Some("plan")),
    ("create", r#"{"plan":""}"#, 400, "unknown_plan", Some("plan")),
    ("create", r#"{"plan":"gold"}"#, 400, "unknown_plan", Some("plan")),
    ("create", r#"{"plan":"free"}"#, 400, "plan_not_sold", Some("plan")),
    ("create", r#"{"itemPriceId":"gold"}"#, 400, "unknown_plan", Some("itemPriceId")),
    ("create", r#"{"priceId":"gold"}"#, 400, "unknown_plan", Some("priceId")),
    ("create", r#"{"itemPriceId":"extra-projects-monthly"}"#, 400, "not_a_plan", Some("itemPriceId")),
    ("create", r#"{"priceId":["starter-plan-monthly","growth-plan-monthly"]}"#, 400, "not_an_addon", Some("priceId")),
    ("create", r#"{"plan":"growth","interval":"week"}"#, 400, "bad_interval", Some("interval")),
    ("create", r#"{"plan":"growth","interval":"year"}"#, 400, "no_such_price", Some("plan")),
    ("create", r#"{"plan":"growth","currency":"EUR"}"#, 400, "no_such_price", Some("plan")),
    ("create", r#"{"plan":"growth","currency":"dollars"}"#, 400, "bad_currency", Some("currency")),
    ("create", r#"{"plan":"growth","seats":0}"#, 400, "bad_seats", Some("seats")),
    ("create", r#"{"plan":"growth","seats":-1}"#, 400, "bad_seats", Some("seats")),
    ("create", r#"{"plan":"growth","seats":26}"#, 400, "bad_seats", Some("seats")),
    ("create", r#"{"plan":"growth","seats":9223372036854775807}"#, 400, "bad_seats", Some("seats")),
    ("create", r#"{"plan":"growth","addons":["gold"]}"#, 400, "unknown_addon", Some("addons")),
    (
        "create",
        r#"{"plan":"growth","addons":[{"name":"extra-projects","quantity":0}]}"#,
        400,
        "bad_quantity",
        Some("addons"),
    ),
    ("create", r#"{"plan":"growth","addons":["extra-projects","extra-projects"]}"#, 400, "named_twice", Some("addons")),
    ("create", r#"{"plan":"growth","metadata":{"organizationId":"x"}}"#, 400, "reserved_metadata", Some("metadata")),
    // Where nobody may be sent.
    ("create", r#"{"plan":"growth","successUrl":"//evil.example"}"#, 400, "invalid_redirect", Some("successUrl")),
    ("create", r#"{"plan":"growth","successUrl":"/\\evil.example"}"#, 400, "invalid_redirect", Some("successUrl")),
    ("create", r#"{"plan":"growth","successUrl":"/\t/evil.example"}"#, 400, "invalid_redirect", Some("successUrl")),
    ("create", r#"{"plan":"growth","successUrl":"/%2fevil.example"}"#, 400, "invalid_redirect", Some("successUrl")),
    ("create", r#"{"plan":"growth","successUrl":""}"#, 400, "invalid_redirect", Some("successUrl")),
    ("create", r#"{"plan":"growth","cancelUrl":"https://evil.example/"}"#, 400, "invalid_redirect", Some("cancelUrl")),
    ("create", r#"{"plan":"growth","cancelUrl":"javascript:alert(1)"}"#, 400, "invalid_redirect", Some("cancelUrl")),
    ("portal", r#"{"returnUrl":"https://evil.example"}"#, 400, "invalid_redirect", Some("returnUrl")),
    ("cancel", r#"{"hosted":true,"returnUrl":"//evil.example"}"#, 400, "invalid_redirect", Some("returnUrl")),
    // What is not there.
    ("cancel", "{}", 400, "no_subscription", None),
    ("cancel", r#"{"subscriptionId":"tks_1"}"#, 400, "no_subscription", Some("subscriptionId")),
    ("restore", "{}", 400, "no_subscription", None),
    ("portal", "{}", 400, "no_customer", None),
];

#[tokio::test]
async fn each_bad_request_is_told_what_is_wrong() {
    let world = World::with(|_| {}, Default::default()).await;
    // `cancel` and `portal` look at the account, which exists once a checkout was tried.
    world.post("/api/subscription/create", r#"{"plan":"gold"}"#).await.problem(400, "unknown_plan");
    for (path, body, status, code, field) in ROWS {
        let document = world.post(&format!("/api/subscription/{path}"), body).await.problem(*status, code);
        assert_eq!(document["field"].as_str(), *field, "{path} {body}: {document}");
    }
    assert!(world.billing.calls().is_empty(), "{:?}", world.billing.calls());
}

#[tokio::test]
async fn texts_and_lists_have_limits() {
    let world = World::new().await;
    let name = |length: usize| "x".repeat(length);
    let list = |length: usize| vec!["\"x\""; length].join(",");
    let rows = [
        (format!(r#"{{"plan":"{}"}}"#, name(256)), "too_long", "plan"),
        (format!(r#"{{"plan":"{}"}}"#, name(255)), "unknown_plan", "plan"),
        (format!(r#"{{"plan":"{}"}}"#, "ü".repeat(255)), "unknown_plan", "plan"),
        (format!(r#"{{"itemPriceId":"{}"}}"#, name(256)), "too_long", "itemPriceId"),
        (format!(r#"{{"itemPriceId":["{}"]}}"#, name(256)), "too_long", "itemPriceId[0]"),
        (format!(r#"{{"itemPriceId":[{}]}}"#, list(21)), "too_many", "itemPriceId"),
        (format!(r#"{{"itemPriceId":[{}]}}"#, list(20)), "unknown_plan", "itemPriceId"),
        (format!(r#"{{"plan":"growth","addons":[{}]}}"#, list(21)), "too_many", "addons"),
        (format!(r#"{{"plan":"growth","addons":[{{"name":"{}"}}]}}"#, name(256)), "too_long", "addons[0].name"),
        (format!(r#"{{"plan":"growth","currency":"{}"}}"#, name(256)), "too_long", "currency"),
        (format!(r#"{{"plan":"growth","successUrl":"/{}"}}"#, name(2000)), "too_long", "successUrl"),
        (format!(r#"{{"plan":"growth","metadata":{{"a":"{}"}}}}"#, name(60_000)), "bad_metadata", "metadata"),
    ];
    for (body, code, field) in rows {
        let document = world.post("/api/subscription/create", &body).await.problem(400, code);
        assert_eq!(document["field"], field);
        assert!(document.to_string().len() < 2000, "what is long is not repeated");
    }
    let reason = format!(r#"{{"reason":"{}"}}"#, name(1001));
    assert_eq!(world.post("/api/subscription/cancel", &reason).await.problem(400, "too_long")["field"], "reason");
    let reference = format!(r#"{{"referenceId":"{}"}}"#, name(9000));
    world.post("/api/subscription/cancel", &reference).await.problem(403, "reference_mismatch");
    assert!(world.billing.calls().is_empty());
}

#[tokio::test]
async fn a_body_that_is_too_long_is_not_read_to_its_end() {
    let world = World::new().await;
    let body = format!(r#"{{"plan":"{}"}}"#, "x".repeat(70_000));
    for path in ["create", "cancel", "restore", "portal"] {
        world.post(&format!("/api/subscription/{path}"), &body).await.problem(413, "body_too_large");
    }
}

#[tokio::test]
async fn deep_nesting_is_only_bad_json() {
    let world = World::new().await;
    let body = format!(r#"{{"metadata":{}1{}}}"#, "[".repeat(10_000), "]".repeat(10_000));
    world.post("/api/subscription/create", &body).await.problem(400, "invalid_json");
}

#[tokio::test]
async fn forms_are_not_taken_and_other_types_are_not_asked_for() {
    let world = World::new().await;
    for kind in [
        "application/x-www-form-urlencoded",
        "Application/X-WWW-Form-Urlencoded; charset=utf-8",
        "multipart/form-data; boundary=x",
    ] {
        let request = as_admin("POST", "/api/subscription/create").header("content-type", kind);
        let answer = world.send(request.body(Body::from("plan=starter")).unwrap()).await;
        answer.problem(415, "unsupported_media_type");
    }
    for kind in ["application/json", "text/plain", "nonsense"] {
        let request = as_admin("POST", "/api/subscription/create").header("content-type", kind);
        world.send(request.body(Body::from(r#"{"plan":"starter"}"#)).unwrap()).await.ok();
    }
}
