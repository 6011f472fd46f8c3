//! Bad requests to the real program: each gets its status, its code and the name of the field; none reaches a provider,
//! none breaks anything.

use serde_json::json;

use super::figure;
use crate::provider::{Provider, everywhere};
use crate::support::{Answer, Person, World, worked_off};

/// Route under `/api/subscription`, or from the root, body, status, code, field.
type Row = (&'static str, &'static str, u16, &'static str, Option<&'static str>);

/// For an organization without a subscription.
const BUYING: &[Row] = &[
    // Bodies.
    ("create", "{", 400, "invalid_json", None),
    ("create", "plan=growth", 400, "invalid_json", None),
    ("create", "{\"plan\":\"growth\"}{}", 400, "invalid_json", None),
    ("create", "[]", 400, "invalid_type", None),
    ("create", "null", 400, "invalid_type", None),
    ("create", "\"growth\"", 400, "invalid_type", None),
    ("create", r#"{"plan":7}"#, 400, "invalid_type", Some("plan")),
    ("create", r#"{"plan":["growth"]}"#, 400, "invalid_type", Some("plan")),
    ("create", r#"{"itemPriceId":{"id":"x"}}"#, 400, "invalid_type", Some("itemPriceId")),
    ("create", r#"{"itemPriceId":[]}"#, 400, "empty_list", Some("itemPriceId")),
    ("create", r#"{"itemPriceId":["growth-plan-monthly",null]}"#, 400, "invalid_type", Some("itemPriceId[1]")),
    ("create", r#"{"plan":"gro\u0000wth"}"#, 400, "invalid_text", Some("plan")),
    ("create", r#"{"plan":"growth","trial":"no"}"#, 400, "invalid_type", Some("trial")),
    ("create", r#"{"plan":"growth","metadata":[]}"#, 400, "invalid_type", Some("metadata")),
    ("create", r#"{"plan":"growth","metadata":{"organizationId":"o"}}"#, 400, "reserved_metadata", Some("metadata")),
    ("create", r#"{"plan":"growth","metadata":{"subscriptionId":"x"}}"#, 400, "reserved_metadata", Some("metadata")),
    // What is not sold.
    ("create", "{}", 400, "plan_required", Some("plan")),
    ("create", "", 400, "plan_required", Some("plan")),
    ("create", r#"{"plan":""}"#, 400, "unknown_plan", Some("plan")),
    ("create", r#"{"plan":"gold"}"#, 400, "unknown_plan", Some("plan")),
    ("create", r#"{"plan":"Growth"}"#, 400, "unknown_plan", Some("plan")),
    ("create", r#"{"plan":"free"}"#, 400, "plan_not_sold", Some("plan")),
    ("create", r#"{"itemPriceId":"gold-monthly"}"#, 400, "unknown_plan", Some("itemPriceId")),
    ("create", r#"{"priceId":"gold-monthly"}"#, 400, "unknown_plan", Some("priceId")),
    ("create", r#"{"itemPriceId":"extra-projects-monthly"}"#, 400, "not_a_plan", Some("itemPriceId")),
    (
        "create",
        r#"{"itemPriceId":["growth-plan-monthly","starter-plan-monthly"]}"#,
        400,
        "not_an_addon",
        Some("itemPriceId"),
    ),
    (
        "create",
        r#"{"itemPriceId":["growth-plan-monthly","extra-projects-monthly-eur"]}"#,
        400,
        "currency_mismatch",
        Some("itemPriceId"),
    ),
    ("create", r#"{"plan":"growth","itemPriceId":"growth-plan-monthly"}"#, 400, "ambiguous_plan", Some("plan")),
    ("create", r#"{"itemPriceId":"a","priceId":"b"}"#, 400, "ambiguous_plan", Some("priceId")),
    ("create", r#"{"plan":"growth","interval":"week"}"#, 400, "bad_interval", Some("interval")),
    ("create", r#"{"plan":"growth","interval":"once"}"#, 400, "bad_interval", Some("interval")),
    ("create", r#"{"plan":"growth","currency":"DOLLAR"}"#, 400, "bad_currency", Some("currency")),
    ("create", r#"{"plan":"growth","currency":"US"}"#, 400, "bad_currency", Some("currency")),
    ("create", r#"{"plan":"growth","currency":"GBP"}"#, 400, "no_such_price", Some("plan")),
    ("create", r#"{"plan":"growth","addons":[{"addon":"gold","quantity":1}]}"#, 400, "unknown_addon", Some("addons")),
    (
        "create",
        r#"{"plan":"growth","addons":[{"addon":"extra-projects","quantity":0}]}"#,
        400,
        "bad_quantity",
        Some("addons"),
    ),
    (
        "create",
        r#"{"plan":"growth","addons":[{"addon":"extra-projects"},{"addon":"extra-projects"}]}"#,
        400,
        "named_twice",
        Some("addons"),
    ),
    // Numbers.
    ("create", r#"{"plan":"growth","seats":0}"#, 400, "bad_seats", Some("seats")),
    ("create", r#"{"plan":"growth","seats":-1}"#, 400, "bad_seats", Some("seats")),
    ("create", r#"{"plan":"growth","seats":26}"#, 400, "bad_seats", Some("seats")),
    ("create", r#"{"plan":"scale","seats":100001}"#, 400, "bad_seats", Some("seats")),
    ("create", r#"{"plan":"scale","seats":9223372036854775807}"#, 400, "bad_seats", Some("seats")),
    ("create", r#"{"plan":"growth","seats":9223372036854775808}"#, 400, "invalid_type", Some("seats")),
    ("create", r#"{"plan":"growth","seats":1.5}"#, 400, "invalid_type", Some("seats")),
    ("create", r#"{"plan":"growth","seats":"5"}"#, 400, "invalid_type", Some("seats")),
    ("create", r#"{"plan":"growth","seats":1e400}"#, 400, "invalid_json", None),
    // Redirects.
    ("create", r#"{"plan":"growth","successUrl":"//evil.test"}"#, 400, "invalid_redirect", Some("successUrl")),
    ("create", r#"{"plan":"growth","successUrl":"/\\evil.test"}"#, 400, "invalid_redirect", Some("successUrl")),
    ("create", r#"{"plan":"growth","successUrl":"/\tevil"}"#, 400, "invalid_redirect", Some("successUrl")),
    ("create", r#"{"plan":"growth","successUrl":"/%2fevil.test"}"#, 400, "invalid_redirect", Some("successUrl")),
    ("create", r#"{"plan":"growth","successUrl":"/%252Fevil.test"}"#, 400, "invalid_redirect", Some("successUrl")),
    ("create", r#"{"plan":"growth","successUrl":"https://evil.test/"}"#, 400, "invalid_redirect", Some("successUrl")),
    ("create", r#"{"plan":"growth","successUrl":"javascript:alert(1)"}"#, 400, "invalid_redirect", Some("successUrl")),
    ("create", r#"{"plan":"growth","successUrl":"billing"}"#, 400, "invalid_redirect", Some("successUrl")),
    ("create", r#"{"plan":"growth","cancelUrl":"ftp://localhost/"}"#, 400, "invalid_redirect", Some("cancelUrl")),
    ("create", r#"{"plan":"growth","cancelUrl":""}"#, 400, "invalid_redirect", Some("cancelUrl")),
    ("portal", r#"{"returnUrl":"https://evil.test"}"#, 400, "invalid_redirect", Some("returnUrl")),
    // What is paid once.
    ("/api/checkout", "{", 400, "invalid_json", None),
    ("/api/checkout", "{}", 400, "items_required", Some("items")),
    ("/api/checkout", r#"{"items":[]}"#, 400, "empty_list", Some("items")),
    ("/api/checkout", r#"{"items":"onboarding"}"#, 400, "invalid_type", Some("items")),
    ("/api/checkout", r#"{"items":["onboarding"]}"#, 400, "invalid_type", Some("items[0]")),
    ("/api/checkout", r#"{"items":[{"quantity":1}]}"#, 400, "invalid_type", Some("items[0].priceId")),
    ("/api/checkout", r#"{"items":[{"priceId":"gold"}]}"#, 400, "unknown_price", Some("items[0].priceId")),
    (
        "/api/checkout",
        r#"{"items":[{"priceId":"growth-plan-monthly"}]}"#,
        400,
        "not_one_time",
        Some("items[0].priceId"),
    ),
    (
        "/api/checkout",
        r#"{"items":[{"priceId":"onboarding"},{"priceId":"extra-projects-monthly"}]}"#,
        400,
        "not_one_time",
        Some("items[1].priceId"),
    ),
    (
        "/api/checkout",
        r#"{"items":[{"priceId":"onboarding"},{"priceId":"onboarding"}]}"#,
        400,
        "named_twice",
        Some("items[1].priceId"),
    ),
    (
        "/api/checkout",
        r#"{"items":[{"priceId":"onboarding"},{"priceId":"onboarding-eur"}]}"#,
        400,
        "currency_mismatch",
        Some("items[1].priceId"),
    ),
    (
        "/api/checkout",
        r#"{"items":[{"priceId":"onboarding","quantity":0}]}"#,
        400,
        "bad_quantity",
        Some("items[0].quantity"),
    ),
    (
        "/api/checkout",
        r#"{"items":[{"priceId":"onboarding","quantity":100001}]}"#,
        400,
        "bad_quantity",
        Some("items[0].quantity"),
    ),
    (
        "/api/checkout",
        r#"{"items":[{"priceId":"onboarding","quantity":"1"}]}"#,
        400,
        "invalid_type",
        Some("items[0].quantity"),
    ),
    (
        "/api/checkout",
        r#"{"items":[{"priceId":"onboarding"}],"successUrl":"//evil.test"}"#,
        400,
        "invalid_redirect",
        Some("successUrl"),
    ),
    (
        "/api/checkout",
        r#"{"items":[{"priceId":"onboarding"}],"cancelUrl":"https://evil.test/"}"#,
        400,
        "invalid_redirect",
        Some("cancelUrl"),
    ),
    (
        "/api/checkout",
        r#"{"items":[{"priceId":"onboarding"}],"referenceId":"org_other"}"#,
        403,
        "reference_mismatch",
        None,
    ),
    // What is not there.
    ("portal", "{}", 400, "no_customer", None),
    ("cancel", "{}", 400, "no_subscription", None),
    ("restore", "{}", 400, "no_subscription", None),
    ("update", r#"{"seats":5}"#, 400, "no_subscription", None),
    ("preview", r#"{"seats":5}"#, 400, "no_subscription", None),
    ("pause", "{}", 400, "no_subscription", None),
    ("resume", "{}", 400, "no_subscription", None),
];

/// For an organization with five seats of `growth`.
const CHANGING: &[Row] = &[
    ("create", r#"{"plan":"growth"}"#, 400, "active_subscription_exists", None),
    ("update", "{}", 400, "nothing_changes", None),
    ("update", r#"{"seats":5}"#, 400, "nothing_changes", None),
    ("update", r#"{"plan":"growth","seats":5}"#, 400, "nothing_changes", None),
    ("update", r#"{"seats":0}"#, 400, "bad_seats", Some("seats")),
    ("update", r#"{"seats":26}"#, 400, "bad_seats", Some("seats")),
    ("update", r#"{"plan":"starter","seats":6}"#, 400, "bad_seats", Some("seats")),
    ("update", r#"{"seats":"many"}"#, 400, "invalid_type", Some("seats")),
    ("update", r#"{"plan":"gold"}"#, 400, "unknown_plan", Some("plan")),
    ("update", r#"{"plan":"free"}"#, 400, "plan_not_sold", Some("plan")),
    ("update", r#"{"plan":"scale","currency":"EUR"}"#, 400, "currency_mismatch", Some("currency")),
    ("update", r#"{"interval":"decade"}"#, 400, "bad_interval", Some("interval")),
    ("update", r#"{"seats":6,"when":"later"}"#, 400, "invalid_value", Some("when")),
    ("update", r#"{"seats":6,"when":7}"#, 400, "invalid_type", Some("when")),
    ("update", r#"{"seats":6,"subscriptionId":"tks_none"}"#, 400, "no_subscription", Some("subscriptionId")),
    ("update", r#"{"seats":6,"previewToken":"x"}"#, 400, "bad_preview_token", Some("previewToken")),
    ("update", r#"{"seats":6,"previewToken":"7b7d.00"}"#, 400, "bad_preview_token", Some("previewToken")),
    ("update", r#"{"seats":6,"previewToken":7}"#, 400, "invalid_type", Some("previewToken")),
    ("update", r#"{"seats":6,"previewToken":"x","hosted":true}"#, 400, "token_with_hosted", Some("previewToken")),
    ("update", r#"{"seats":6,"hosted":"yes"}"#, 400, "invalid_type", Some("hosted")),
    ("update", r#"{"seats":6,"hosted":true,"successUrl":"//evil.test"}"#, 400, "invalid_redirect", Some("successUrl")),
    ("preview", r#"{"addons":[{"addon":"gold"}]}"#, 400, "unknown_addon", Some("addons")),
    ("preview", r#"{"itemPriceId":"extra-projects-monthly"}"#, 400, "not_a_plan", Some("itemPriceId")),
    ("cancel", r#"{"when":"NOW"}"#, 400, "invalid_value", Some("when")),
    ("cancel", r#"{"subscriptionId":"tks_none"}"#, 400, "no_subscription", Some("subscriptionId")),
    ("restore", "{}", 400, "nothing_scheduled", None),
    ("restore", r#"{"what":"change"}"#, 400, "nothing_scheduled", None),
    ("restore", r#"{"what":"everything"}"#, 400, "invalid_value", Some("what")),
    ("resume", "{}", 400, "not_paused", None),
    ("pause", r#"{"when":"now","until":"1999-01-01T00:00:00Z"}"#, 400, "bad_until", Some("until")),
];

everywhere! {
    async fn bad_requests_are_told_what_is_wrong_and_reach_nobody(db: TestDb, provider: Provider) {
        let world = World::of(provider).await;
        let server = world.serve(db.url(), &[]).await;
        let organization = world.organization("Newcomer Inc").await;
        let newcomer = world.admin(&server, &organization).await;
        let customer = world.admin(&server, &world.organization("Customer Inc").await).await;
        let started = customer.create(json!({ "plan": "growth", "seats": 5, "trial": false })).await.ok();
        world.pay(&started["url"]).await;
        customer.subscription_is("active").await;
        worked_off(db.db()).await;
        // An organization without a customer has nothing to open a portal for.
        let nobody = json!({
            "email": "a@b.test", "organizationId": organization, "roles": ["admin"], "claims": { "oid": "org_nobody" },
        });
        let nobody = Person { token: world.token(nobody).await, ..newcomer.clone() };

        let asked = async || world.get(&format!("/sandbox/requests?provider={}&method=POST", provider.name())).await["total"].clone();
        let before = asked().await;
        let mut wrong = Vec::new();
        let mut count = 0;
        for (rows, who) in [(BUYING, &newcomer), (CHANGING, &customer)] {
            for row in rows {
                // Stripe has one price for all currencies.
                if provider == Provider::Stripe && row.1.contains("-eur") {
                    continue;
                }
                let who = if row.3 == "no_customer" { &nobody } else { who };
                count += 1;
                wrong.extend(mismatch(row, &send(provider, who, row).await));
            }
        }
        for (name, answer, wanted) in edges(&world, &server.url, &customer).await {
            count += 1;
            let got = (answer.status, answer.code().to_owned());
            if got != (wanted.0, wanted.1.to_owned()) {
                wrong.push(format!("{name}: {got:?}, wanted {wanted:?}"));
            }
        }
        assert_eq!(wrong, Vec::<String>::new());
        assert!(count >= 80, "{count}");
        assert_eq!(asked().await, before, "no provider was asked for anything");
        assert_eq!(customer.gate("sso").await, 200, "and everything still works");
        figure("bad input", &provider.on(&db), json!({ "requests": count, "right": count, "writes at a provider": 0 }));
        server.stop().await;
    }
}

async fn send(provider: Provider, who: &Person, (route, body, ..): &Row) -> Answer {
    let path = if route.starts_with('/') { (*route).to_owned() } else { format!("/api/subscription/{route}") };
    let request = who.client.post(format!("{}{path}", who.app)).bearer_auth(&who.token);
    Answer::of(request.header("content-type", "application/json").body(provider.in_its_words(body))).await
}

fn mismatch((route, body, status, code, field): &Row, answer: &Answer) -> Option<String> {
    let document = &answer.body;
    let sentence = document["error"].as_str().is_some_and(|sentence| !sentence.is_empty());
    let right = answer.status == *status && answer.code() == *code && document["field"].as_str() == *field && sentence;
    (!right).then(|| format!("{route} {body}: {} {document}", answer.status))
}

/// Headers, sizes, signatures, ids: what is not a JSON body.
async fn edges(world: &World, app: &str, who: &Person) -> Vec<(&'static str, Answer, (u16, &'static str))> {
    let client = &world.client;
    let mut rows = Vec::new();
    let mut row = async |name, request: reqwest::RequestBuilder, wanted| {
        rows.push((name, Answer::of(request).await, wanted));
    };
    let list = format!("{app}/api/subscription/list");
    let create = format!("{app}/api/subscription/create");
    let hook = |source: &str| format!("{app}/api/webhooks/{source}");
    let basic = |request: reqwest::RequestBuilder| {
        request.basic_auth(&world.env["CHARGEBEE_WEBHOOK_USERNAME"], Some(&world.env["CHARGEBEE_WEBHOOK_PASSWORD"]))
    };
    row("no token", client.get(&list), (401, "unauthenticated")).await;
    row("an empty token", client.get(&list).header("authorization", "Bearer "), (401, "unauthenticated")).await;
    row("a token that is none", client.get(&list).bearer_auth("a.b.c"), (401, "unauthenticated")).await;
    row("an unknown key", client.get(&list).bearer_auth("tk_00"), (401, "unauthenticated")).await;
    row("basic instead of bearer", client.get(&list).basic_auth("a", Some("b")), (401, "unauthenticated")).await;
    let foreign = client.get(format!("{list}?referenceId=org_other")).bearer_auth(&who.token);
    row("another organization", foreign, (403, "reference_mismatch")).await;
    let perhaps = client.get(format!("{list}?all=perhaps")).bearer_auth(&who.token);
    row("a switch that is none", perhaps, (400, "invalid_type")).await;
    let form = client.post(&create).bearer_auth(&who.token).form(&[("plan", "growth")]);
    row("a form", form, (415, "unsupported_media_type")).await;
    let long = client.post(&create).bearer_auth(&who.token).header("content-type", "application/json");
    row("a body that is too large", long.body(vec![b' '; 3 << 20]), (413, "body_too_large")).await;
    row("a method that is not possible", client.put(&create).bearer_auth(&who.token), (405, "method_not_allowed"))
        .await;
    let nothing = client.get(format!("{app}/api/nothing")).bearer_auth(&who.token);
    row("a path that is not there", nothing, (404, "not_found")).await;
    let unknown = client.get(format!("{app}/gate/nothing")).bearer_auth(&who.token);
    row("a feature nobody knows", unknown, (403, "unknown_feature")).await;
    let named = client.get(format!("{app}/gate/sso?referenceId=org_other")).bearer_auth(&who.token);
    row("another organization's gate", named, (403, "reference_mismatch")).await;
    let operator = &world.env["TOLLKEEPER_OPERATOR_KEY"];
    let key = |request: reqwest::RequestBuilder| request.bearer_auth(operator);
    row("a gate for nobody", key(client.get(format!("{app}/gate/sso"))), (400, "reference_required")).await;
    let admin = format!("{app}/admin/api");
    row("an operator's route without a key", client.post(format!("{admin}/reconcile")), (401, "unauthenticated")).await;
    let person = client.post(format!("{admin}/reconcile")).bearer_auth(&who.token);
    row("an operator's route for a person", person, (401, "unauthenticated")).await;
    row("no signature", client.post(hook("scalekit")).body("{}"), (401, "unverified")).await;
    let signed = client.post(hook("scalekit")).header("webhook-id", "m").header("webhook-timestamp", "0");
    row("an old signature", signed.header("webhook-signature", "v1,AAAA").body("{}"), (401, "unverified")).await;
    row("no credentials", client.post(hook("chargebee")).body("{}"), (401, "unverified")).await;
    let wrong = client.post(hook("chargebee")).basic_auth("a", Some("b")).body("{}");
    row("wrong credentials", wrong, (401, "unverified")).await;
    row("a delivery that is none", basic(client.post(hook("chargebee"))).body("x"), (400, "invalid_delivery")).await;
    let empty = basic(client.post(hook("chargebee"))).body("{}");
    row("a delivery without an id", empty, (400, "invalid_delivery")).await;
    row("a source nobody knows", client.post(hook("paypal")).body("{}"), (404, "unknown_source")).await;
    let large = basic(client.post(hook("chargebee"))).body(vec![b' '; 9 << 20]);
    row("a delivery that is too large", large, (413, "body_too_large")).await;
    let stranger = key(client.post(format!("{admin}/reconcile"))).json(&json!({ "organizationId": "org_unheard_of" }));
    row("reconciling somebody unknown", stranger, (404, "unknown_organization")).await;
    let scopes = key(client.post(format!("{admin}/keys"))).json(&json!({ "name": "x", "scopes": [] }));
    row("a key that may do nothing", scopes, (400, "empty_list")).await;
    row("a job nobody began", key(client.get(format!("{admin}/reconcile/none"))), (404, "unknown_job")).await;
    rows
}
