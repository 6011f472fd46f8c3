//! The main job over HTTP: create, come back, list, cancel, restore, portal.

use std::time::Duration;

use axum::body::Body;
use serde_json::json;
use tollkeeper::ports::{CheckoutState, ErrorKind};
use tower::ServiceExt;

use crate::world::{APP, OTHER, World, as_admin};

const CREATE: &str = "/api/subscription/create";

#[tokio::test]
async fn a_subscription_is_bought_shown_cancelled_and_restored() {
    let world = World::new().await;
    let id = world.subscribe(r#"{"plan":"starter","seats":3,"metadata":{"team":"blue"},"more":"ignored"}"#).await;

    let list = world.get("/api/subscription/list").await.ok();
    let shown = &list["subscriptions"][0];
    assert_eq!(shown["id"], *id);
    assert_eq!(shown["status"], "active");
    assert_eq!(shown["plan"], "starter");
    assert_eq!(shown["seats"], 3);
    assert_eq!(shown["access"]["granted"], true);
    assert_eq!(shown["metadata"], json!({ "team": "blue" }));

    let again = world.post(CREATE, r#"{"plan":"growth"}"#).await.problem(400, "active_subscription_exists");
    assert_eq!(again["error"], "An active subscription already exists for this organization");

    world.post("/api/subscription/restore", "").await.problem(400, "nothing_scheduled");
    let cancelled = world.post("/api/subscription/cancel", r#"{"reason":"too dear"}"#).await.ok();
    assert_eq!(cancelled["mode"], "applied");
    assert_eq!(cancelled["subscription"]["status"], "non_renewing");
    assert_eq!(cancelled["subscription"]["cancelAtPeriodEnd"], true);
    let restored = world.post("/api/subscription/restore", r#"{"what":"cancellation"}"#).await.ok();
    assert_eq!(restored["mode"], "applied");
    assert_eq!(restored["subscription"]["status"], "active");

    let body = format!(r#"{{"when":"now","subscriptionId":"{id}"}}"#);
    let ended = world.post("/api/subscription/cancel", &body).await.ok();
    assert_eq!(ended["subscription"]["status"], "cancelled");
    assert_eq!(world.get("/api/subscription/list").await.ok()["subscriptions"], json!([]));
    let all = world.get("/api/subscription/list?all=true&referenceId=org_1").await.ok();
    assert_eq!(all["subscriptions"][0]["status"], "cancelled");
    world.get("/api/subscription/list?all=maybe").await.problem(400, "invalid_type");
}

#[tokio::test]
async fn a_choice_may_be_spelled_in_several_ways() {
    for body in [
        r#"{"plan":"starter"}"#,
        r#"{"plan":"starter","interval":"year","currency":"usd","seats":5,"trial":false}"#,
        r#"{"itemPriceId":"starter-plan-monthly"}"#,
        r#"{"priceId":"starter-plan-yearly"}"#,
        r#"{"itemPriceId":["starter-plan-monthly","extra-projects-monthly"]}"#,
        r#"{"plan":"growth","addons":["extra-projects"]}"#,
        r#"{"plan":"growth","addons":[{"name":"extra-projects","quantity":2}]}"#,
        r#"{"plan":"growth","addons":[{"addon":"extra-projects"}]}"#,
        r#"{"plan":"starter","successUrl":"/done?x=1","cancelUrl":"https://shop.example.com/back"}"#,
        r#"{"plan":"starter","seats":null,"addons":null,"priceId":null,"referenceId":null,"metadata":null}"#,
    ] {
        let world = World::with(|settings| settings.allowed_origins = vec![OTHER.into()], Default::default()).await;
        let started = world.post(CREATE, body).await.ok();
        assert_eq!(started["mode"], "hosted", "{body}");
        let id = started["subscriptionId"].as_str().unwrap();
        assert_eq!(started["url"], format!("https://pay.example.com/{id}"));
        assert_eq!(world.billing.calls().iter().filter(|call| **call == "start_checkout").count(), 1);
    }
}

#[tokio::test]
async fn nothing_at_all_is_an_empty_object() {
    let world = World::with(
        |settings| settings.default_prices = [("chargebee".into(), "starter-plan-monthly".into())].into(),
        Default::default(),
    )
    .await;
    assert_eq!(world.post(CREATE, "").await.ok()["mode"], "hosted");
    assert_eq!(world.post(CREATE, " \n").await.ok()["mode"], "hosted");
}

#[tokio::test]
async fn the_portal_needs_a_customer() {
    let world = World::new().await;
    world.post("/api/subscription/portal", "").await.problem(400, "no_customer");
    world.subscribe(r#"{"plan":"starter"}"#).await;
    let url = world.post("/api/subscription/portal", r#"{"returnUrl":"/x"}"#).await.ok()["url"].to_string();
    assert!(url.contains("portal.example.com") && url.contains("back=https://app.example.com/x"), "{url}");
    let hosted = world.post("/api/subscription/cancel", r#"{"hosted":true,"returnUrl":"/y"}"#).await.ok();
    assert_eq!(hosted["mode"], "hosted");
    assert!(hosted["url"].as_str().unwrap().ends_with("back=https://app.example.com/y"));
    assert!(!world.billing.calls().contains(&"cancel"));
}

#[tokio::test]
async fn whoever_comes_back_is_sent_on() {
    let world = World::new().await;
    let body = r#"{"plan":"starter","successUrl":"/done?x=1#top"}"#;
    let id = world.post(CREATE, body).await.ok()["subscriptionId"].as_str().unwrap().to_owned();
    // What the address says about a callback is not believed.
    let back =
        format!("/api/subscription/success?subscriptionId={id}&callbackURL=https://evil.example&state=succeeded");

    let pending = world.get(&back).await;
    assert_eq!(pending.status, 303);
    assert_eq!(pending.header("location"), Some("https://app.example.com/done?x=1&checkout=pending#top"));

    world.billing.fail(Some(ErrorKind::Transient));
    assert_eq!(world.get(&back).await.header("location"), pending.header("location"));
    world.billing.fail(None);

    world.billing.finish(&id, CheckoutState::Completed);
    let done = world.get(&back).await;
    assert_eq!(done.status, 303);
    assert_eq!(done.header("location"), Some("https://app.example.com/done?x=1#top"));
    assert_eq!(world.get("/api/subscription/list").await.ok()["subscriptions"][0]["status"], "active");
}

#[tokio::test]
async fn a_target_in_another_script_is_encoded() {
    let world = World::new().await;
    let body = r#"{"plan":"starter","successUrl":"/größe"}"#;
    let id = world.post(CREATE, body).await.ok()["subscriptionId"].as_str().unwrap().to_owned();
    let back = world.get(&format!("/api/subscription/success?subscriptionId={id}")).await;
    assert_eq!(back.header("location"), Some("https://app.example.com/gr%C3%B6%C3%9Fe?checkout=pending"));
}

#[tokio::test]
async fn what_is_not_ours_lands_on_the_billing_page() {
    let world = World::new().await;
    let failed = format!("{APP}/billing?checkout=failed");
    let long = format!("?subscriptionId=tks_{}", "a".repeat(6000));
    for query in [
        "",
        "?",
        "?subscriptionId=",
        "?subscriptionId=tks_unknown",
        "?subscriptionId=%00",
        "?subscriptionId=%ff%fe",
        "?subscriptionId=a%20b",
        "?subscriptionId=%0d%0aset-cookie:x",
        "?subscriptionId='%20OR%201=1",
        "?subscriptionId[]=1",
        "?id=1&state=succeeded&callbackURL=//evil.example",
        &long,
    ] {
        let answer = world.get(&format!("/api/subscription/success{query}")).await;
        assert_eq!(answer.status, 303, "{query}");
        assert_eq!(answer.header("location"), Some(&*failed), "{query}");
    }
    assert!(world.billing.calls().is_empty());

    let id = world.post(CREATE, r#"{"plan":"starter"}"#).await.ok()["subscriptionId"].as_str().unwrap().to_owned();
    let back = format!("/api/subscription/success?subscriptionId={id}");
    world.billing.finish(&id, CheckoutState::Dead);
    assert_eq!(world.get(&back).await.header("location"), Some(&*failed));
    world.billing.finish(&id, CheckoutState::Completed);
    world.billing.reassign(&id);
    assert_eq!(world.get(&back).await.header("location"), Some(&*failed));
    assert_eq!(world.get("/api/subscription/list").await.ok()["subscriptions"], json!([]));
}

#[tokio::test]
async fn a_provider_that_fails_is_told_by_kind_and_not_quoted() {
    for (kind, status, code) in [
        (ErrorKind::Throttled(Duration::from_millis(6500)), 503, "provider_throttled"),
        (ErrorKind::Transient, 503, "provider_unavailable"),
        (ErrorKind::OutcomeUnknown, 503, "provider_unavailable"),
        (ErrorKind::Declined, 402, "payment_declined"),
        (ErrorKind::Rejected, 502, "provider_rejected"),
        (ErrorKind::Conflict, 409, "state_forbids"),
        (ErrorKind::NotFound, 502, "provider_rejected"),
    ] {
        let world = World::new().await;
        world.subscribe(r#"{"plan":"starter"}"#).await;
        world.billing.fail(Some(kind));
        let answer = world.post("/api/subscription/cancel", "").await;
        let document = answer.problem(status, code);
        assert!(!document.to_string().contains("inner words"), "{document}");
        if let ErrorKind::Throttled(_) = kind {
            assert_eq!(answer.header("retry-after"), Some("7"));
        }
    }
}

#[tokio::test]
async fn a_checkout_is_prepared_to_its_end_when_the_caller_goes_away() {
    let world = World::new().await;
    world.billing.pace.forget_permits(usize::MAX);
    let request = as_admin("POST", CREATE).body(Body::from(r#"{"plan":"starter"}"#)).unwrap();
    let caller = tokio::spawn(world.app.clone().oneshot(request));
    world.billing.asked_for.notified().await;
    caller.abort();
    assert!(caller.await.unwrap_err().is_cancelled());
    world.billing.pace.add_permits(1);

    world.post(CREATE, r#"{"plan":"starter"}"#).await.ok();
    assert_eq!(world.billing.calls().iter().filter(|call| **call == "start_checkout").count(), 1);
}
