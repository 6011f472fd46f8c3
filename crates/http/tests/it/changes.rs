//! Previews, changes, pauses, and what is taken back.

use serde_json::{Value, json};
use tollkeeper::ports::{CancelWhen, ErrorKind};

use crate::world::World;

const PREVIEW: &str = "/api/subscription/preview";
const UPDATE: &str = "/api/subscription/update";
const CANCEL: &str = "/api/subscription/cancel";
const RESTORE: &str = "/api/subscription/restore";
const PAUSE: &str = "/api/subscription/pause";
const RESUME: &str = "/api/subscription/resume";

async fn on(plan: &str) -> World {
    let world = World::new().await;
    world.subscribe(&format!(r#"{{"plan":"{plan}"}}"#)).await;
    world
}

async fn listed(world: &World) -> Value {
    world.get("/api/subscription/list").await.ok()["subscriptions"][0].clone()
}

#[tokio::test]
async fn a_preview_shows_what_the_change_then_does() {
    let world = on("starter").await;
    world.billing.charge(3000);
    let preview = world.post(PREVIEW, r#"{"plan":"growth"}"#).await.ok();
    assert_eq!(preview["amountDue"], 3000);
    assert_eq!(preview["currency"], "USD");
    assert_eq!(preview["credit"], 0);
    assert_eq!(preview["when"], "now");
    assert_eq!(preview["nextInvoice"]["amount"], 3000);
    assert_eq!(preview["prorationDate"], "2025-06-15T15:06:40Z");
    let token = preview["previewToken"].as_str().unwrap();
    assert_eq!(listed(&world).await["plan"], "starter", "nothing was changed yet");

    let wanted = json!({ "plan": "growth", "previewToken": token });
    let updated = world.post(UPDATE, &wanted.to_string()).await.ok();
    assert_eq!(updated["mode"], "applied");
    assert_eq!(updated["subscription"]["plan"], "growth");
    assert_eq!(listed(&world).await["plan"], "growth");
}

#[tokio::test]
async fn another_amount_than_previewed_is_refused_with_the_new_one() {
    let world = on("starter").await;
    world.billing.charge(3000);
    let token = world.post(PREVIEW, r#"{"plan":"growth"}"#).await.ok()["previewToken"].clone();
    world.billing.charge(5000);
    let wanted = json!({ "plan": "growth", "previewToken": token }).to_string();
    let document = world.post(UPDATE, &wanted).await.problem(409, "preview_outdated");
    assert_eq!(document["preview"]["amountDue"], 5000);
    assert!(!world.billing.calls().contains(&"change"));

    // What is shown now can be accepted.
    let wanted = json!({ "plan": "growth", "previewToken": document["preview"]["previewToken"] }).to_string();
    assert_eq!(world.post(UPDATE, &wanted).await.ok()["subscription"]["plan"], "growth");
}

#[tokio::test]
async fn a_step_down_waits_and_can_be_taken_back() {
    let world = on("growth").await;
    let updated = world.post(UPDATE, r#"{"plan":"starter","when":"auto"}"#).await.ok();
    let subscription = &updated["subscription"];
    assert_eq!((&subscription["plan"], &subscription["status"]), (&json!("growth"), &json!("active")));
    assert_eq!(subscription["scheduledChange"]["plan"], "starter");
    // Whoever names nothing means what is scheduled.
    let restored = world.post(RESTORE, "").await.ok();
    assert_eq!(restored["mode"], "applied");
    assert_eq!(restored["subscription"]["scheduledChange"], Value::Null);
    world.post(RESTORE, "").await.problem(400, "nothing_scheduled");
    world.post(RESTORE, r#"{"what":"change"}"#).await.problem(400, "nothing_scheduled");
    assert_eq!(world.billing.calls().iter().filter(|call| call.starts_with("undo")).count(), 1);
}

#[tokio::test]
async fn a_cancellation_says_which_change_it_released() {
    let world = on("growth").await;
    world.post(UPDATE, r#"{"plan":"starter","when":"period_end"}"#).await.ok();
    let cancelled = world.post(CANCEL, r#"{"reason":"too dear"}"#).await.ok();
    assert_eq!(cancelled["mode"], "applied");
    assert_eq!(cancelled["subscription"]["status"], "non_renewing");
    assert_eq!(cancelled["released"]["plan"], "starter");
    assert_eq!(world.billing.cancels(), [CancelWhen::PeriodEnd]);
    let history = world.engine.history(&"org_1".into(), 0, 100).await.unwrap();
    assert!(history.iter().any(|row| row.cause.id.contains("too dear")), "{history:?}");

    let again = world.post(CANCEL, "").await.ok();
    assert_eq!(again["released"], Value::Null);
    let restored = world.post(RESTORE, r#"{"what":"cancellation"}"#).await.ok();
    assert_eq!(restored["subscription"]["cancelAt"], Value::Null);
}

#[tokio::test]
async fn of_two_that_are_scheduled_one_must_be_named() {
    let world = on("growth").await;
    let row = listed(&world).await["id"].as_str().unwrap().to_owned();
    world.post(UPDATE, r#"{"plan":"starter","when":"period_end"}"#).await.ok();
    // Somebody cancels at the provider, which keeps both.
    world.billing.edit(&row, |snapshot| snapshot.cancel_at = snapshot.period_end);
    let report = world.engine.reconcile(&tollkeeper::Extent::Organization("org_1".into())).await.unwrap();
    assert!(report.repaired > 0, "{report:?}");
    assert_eq!(world.post(RESTORE, "").await.problem(400, "what_required")["field"], "what");
    world.post(RESTORE, r#"{"what":"change"}"#).await.ok();
    world.post(RESTORE, "").await.ok();
    assert_eq!(listed(&world).await["cancelAt"], Value::Null);
}

#[tokio::test]
async fn a_pause_closes_the_gate_and_a_resume_opens_it() {
    let world = on("growth").await;
    let until = r#"{"when":"now","until":"2030-01-01T00:00:00Z"}"#;
    let paused = world.post(PAUSE, until).await.ok();
    assert_eq!((&paused["mode"], &paused["subscription"]["status"]), (&json!("applied"), &json!("paused")));
    assert_eq!(world.get("/gate/sso").await.problem(402, "payment_required")["reason"], "paused");
    world.post(UPDATE, r#"{"plan":"starter"}"#).await.problem(409, "subscription_paused");
    assert_eq!(world.post(RESUME, "").await.ok()["subscription"]["status"], "active");
    world.get("/gate/sso").await.ok();
    world.post(RESUME, "").await.problem(400, "not_paused");

    let later = world.post(PAUSE, r#"{"until":1893456000}"#).await.ok();
    assert_eq!(later["subscription"]["status"], "active");
    assert_eq!(later["subscription"]["pauseAt"], later["subscription"]["periodEnd"]);
    world.post(RESUME, r#"{"subscriptionId":null}"#).await.ok();
}

#[tokio::test]
async fn what_is_scheduled_forbids_a_pause() {
    let world = on("growth").await;
    world.post(UPDATE, r#"{"plan":"starter","when":"period_end"}"#).await.ok();
    world.post(PAUSE, "").await.problem(409, "scheduled_change_pending");
    world.post(CANCEL, "").await.ok();
    world.post(PAUSE, "").await.problem(409, "cancellation_scheduled");
    assert!(!world.billing.calls().contains(&"pause"));
}

#[tokio::test]
async fn addons_are_kept_unless_named() {
    let world = World::new().await;
    world.subscribe(r#"{"plan":"growth","addons":["extra-projects"]}"#).await;
    let prices = |answer: &Value| {
        let items = answer["subscription"]["items"].as_array().unwrap();
        items.iter().map(|item| item["itemPriceId"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let seats = world.post(UPDATE, r#"{"seats":3}"#).await.ok();
    assert_eq!(seats["subscription"]["seats"], 3);
    assert_eq!(prices(&seats), ["growth-plan-monthly", "extra-projects-monthly"]);
    let none = world.post(UPDATE, r#"{"addons":[],"when":"now"}"#).await.ok();
    assert_eq!(prices(&none), ["growth-plan-monthly"]);
    let two = world.post(UPDATE, r#"{"addons":[{"addon":"extra-projects","quantity":2}],"when":"now"}"#).await.ok();
    assert_eq!(two["subscription"]["items"][1]["quantity"], 2);
}

#[tokio::test]
async fn a_hosted_change_gives_a_page_and_changes_nothing() {
    let world = on("starter").await;
    let hosted = world.post(UPDATE, r#"{"plan":"growth","hosted":true,"returnUrl":"/done"}"#).await.ok();
    assert_eq!(hosted["mode"], "hosted");
    assert!(hosted["url"].as_str().unwrap().starts_with("https://pay.example.com/change/"), "{hosted}");
    assert_eq!(listed(&world).await["plan"], "starter");
    assert!(!world.billing.calls().contains(&"change"));
}

#[tokio::test]
async fn each_bad_change_is_told_what_is_wrong() {
    let world = on("starter").await;
    let before = world.billing.calls().len();
    let long = format!(r#"{{"seats":2,"previewToken":"{}"}}"#, "x".repeat(16_001));
    for (path, body, code, field) in [
        (PREVIEW, "{}", "nothing_changes", None),
        (PREVIEW, r#"{"plan":"starter"}"#, "nothing_changes", None),
        (PREVIEW, r#"{"plan":7}"#, "invalid_type", Some("plan")),
        (PREVIEW, r#"{"plan":"gold"}"#, "unknown_plan", Some("plan")),
        (PREVIEW, r#"{"priceId":"gold"}"#, "unknown_plan", Some("priceId")),
        (PREVIEW, r#"{"itemPriceId":"a","priceId":"b"}"#, "ambiguous_plan", Some("priceId")),
        (PREVIEW, r#"{"seats":0}"#, "bad_seats", Some("seats")),
        (PREVIEW, r#"{"seats":6}"#, "bad_seats", Some("seats")),
        (PREVIEW, r#"{"seats":"2"}"#, "invalid_type", Some("seats")),
        (PREVIEW, r#"{"seats":2,"when":"later"}"#, "invalid_value", Some("when")),
        (PREVIEW, r#"{"interval":"week"}"#, "bad_interval", Some("interval")),
        (PREVIEW, r#"{"currency":"EUR"}"#, "currency_mismatch", Some("currency")),
        (PREVIEW, r#"{"addons":["gold"]}"#, "unknown_addon", Some("addons")),
        (PREVIEW, r#"{"seats":2,"subscriptionId":"tks_other"}"#, "no_subscription", Some("subscriptionId")),
        (PREVIEW, r#"{"seats":2,"referenceId":7}"#, "invalid_type", Some("referenceId")),
        (UPDATE, "{}", "nothing_changes", None),
        (UPDATE, r#"{"seats":2,"previewToken":7}"#, "invalid_type", Some("previewToken")),
        (UPDATE, r#"{"seats":2,"previewToken":"nonsense"}"#, "bad_preview_token", Some("previewToken")),
        (UPDATE, &long, "too_long", Some("previewToken")),
        (UPDATE, r#"{"seats":2,"hosted":"yes"}"#, "invalid_type", Some("hosted")),
        (UPDATE, r#"{"seats":2,"hosted":true,"previewToken":"x"}"#, "token_with_hosted", Some("previewToken")),
        (UPDATE, r#"{"seats":2,"hosted":true,"successUrl":"//evil"}"#, "invalid_redirect", Some("successUrl")),
        (UPDATE, r#"{"seats":2,"hosted":true,"returnUrl":"//evil"}"#, "invalid_redirect", Some("returnUrl")),
        (UPDATE, r#"{"seats":2,"hosted":true,"cancelUrl":"//evil"}"#, "invalid_redirect", Some("cancelUrl")),
        (PAUSE, r#"{"when":"auto"}"#, "invalid_value", Some("when")),
        (PAUSE, r#"{"until":"tomorrow"}"#, "invalid_value", Some("until")),
        (PAUSE, r#"{"until":-1}"#, "invalid_value", Some("until")),
        (PAUSE, r#"{"until":1.5}"#, "invalid_value", Some("until")),
        (PAUSE, r#"{"until":9223372036854775807}"#, "invalid_value", Some("until")),
        (PAUSE, r#"{"until":true}"#, "invalid_type", Some("until")),
        (PAUSE, r#"{"until":"2025-01-01T00:00:00Z","when":"now"}"#, "bad_until", Some("until")),
        (RESUME, "{}", "not_paused", None),
        (RESUME, r#"{"subscriptionId":7}"#, "invalid_type", Some("subscriptionId")),
    ] {
        let document = world.post(path, body).await.problem(400, code);
        assert_eq!(document["field"].as_str(), field, "{path} {body}: {document}");
    }
    assert_eq!(world.billing.calls().len(), before, "{:?}", world.billing.calls());
}

#[tokio::test]
async fn a_token_is_for_one_change_only() {
    let world = on("starter").await;
    let token = world.post(PREVIEW, r#"{"plan":"growth"}"#).await.ok()["previewToken"].clone();
    let other = json!({ "seats": 2, "previewToken": token }).to_string();
    assert_eq!(world.post(UPDATE, &other).await.problem(400, "preview_mismatch")["field"], "previewToken");
    let hosted = json!({ "plan": "growth", "hosted": true, "previewToken": token }).to_string();
    assert_eq!(world.post(UPDATE, &hosted).await.problem(400, "token_with_hosted")["field"], "previewToken");
    assert!(!world.billing.calls().contains(&"change"));
}

#[tokio::test]
async fn a_declined_payment_is_402_and_changes_nothing() {
    let world = on("starter").await;
    world.billing.fail(Some(ErrorKind::Declined));
    let document = world.post(UPDATE, r#"{"plan":"growth"}"#).await.problem(402, "payment_declined");
    assert!(!document.to_string().contains("inner words"), "{document}");
    world.billing.fail(Some(ErrorKind::Conflict));
    world.post(UPDATE, r#"{"plan":"growth"}"#).await.problem(409, "state_forbids");
    world.billing.fail(None);
    assert_eq!(listed(&world).await["plan"], "starter");
}
