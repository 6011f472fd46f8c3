//! Pausing and going on, in both of Stripe's ways.

use serde_json::{Value, json};
use tollkeeper_core::{
    ports::{Billing, ChangeWhen, ErrorKind},
    status::Status,
    time::Timestamp,
};

use crate::fake::{Fake, Play, answer, missing, next_phase, refusal, schedule, subscription};

fn sub(members: Value) -> Play {
    answer(200, &subscription(members))
}

fn held(from: Option<&str>) -> Play {
    let mut metadata = json!({ "pausedBy": "tollkeeper" });
    if let Some(from) = from {
        metadata["pausedFrom"] = from.into();
    }
    sub(json!({ "pause_collection": { "behavior": "void" }, "metadata": metadata }))
}

const UNTIL: Timestamp = Timestamp::from_unix_seconds(5000);

#[tokio::test]
async fn a_pause_at_once_stops_the_subscription_where_stripe_can() {
    let fake = Fake::playing_at(500, [sub(json!({})), sub(json!({ "status": "paused" }))]).await;
    let snapshot = fake.stripe.pause(&"sub_1".into(), ChangeWhen::Now, None, "key").await.unwrap();
    assert_eq!((Status::of(&snapshot), snapshot.pause_at), (Status::Paused, None));
    let request = &fake.requests()[1];
    assert_eq!(request.line(), "POST /v1/subscriptions/sub_1/pause");
    assert_eq!(request.header("idempotency-key"), Some("key"));
    for (name, value) in [
        ("type", "subscription"),
        ("bill_for[unused_time_from][type]", "now"),
        ("bill_for[outstanding_usage_through][type]", "now"),
        ("invoicing_behavior", "pending_invoice_item"),
    ] {
        assert_eq!(request.value(name).as_deref(), Some(value), "{name}");
    }
}

#[tokio::test]
async fn everything_else_holds_the_collection_with_our_mark() {
    for (before, when, until) in [
        (json!({}), ChangeWhen::Now, Some(UNTIL)),
        (json!({ "billing_mode": { "type": "classic" } }), ChangeWhen::Now, None),
        (json!({ "billing_mode": null }), ChangeWhen::Now, None),
        (json!({ "collection_method": "send_invoice" }), ChangeWhen::Now, None),
        (json!({ "status": "trialing" }), ChangeWhen::Now, None),
        (json!({}), ChangeWhen::PeriodEnd, None),
    ] {
        let later = when == ChangeWhen::PeriodEnd;
        let fake = Fake::playing_at(500, [sub(before.clone()), held(later.then_some("900"))]).await;
        let snapshot = fake.stripe.pause(&"sub_1".into(), when, until, "key").await.unwrap();
        let begins = later.then(|| Timestamp::from_unix_seconds(900));
        assert_eq!((Status::of(&snapshot) == Status::Paused, snapshot.pause_at), (!later, begins), "{before}");
        let request = &fake.requests()[1];
        assert_eq!(request.line(), "POST /v1/subscriptions/sub_1", "{before}");
        assert_eq!(request.value("pause_collection[behavior]").as_deref(), Some("void"));
        let resumes = until.map(|_| "5000".to_owned());
        assert_eq!(request.value("pause_collection[resumes_at]"), resumes);
        assert_eq!(request.value("metadata[pausedUntil]"), Some(resumes.unwrap_or_default()));
        assert_eq!(request.value("metadata[pausedBy]").as_deref(), Some("tollkeeper"));
        let from = if later { "900" } else { "" };
        assert_eq!(request.value("metadata[pausedFrom]").as_deref(), Some(from), "an older mark is taken away");
    }
}

#[tokio::test]
async fn a_schedule_that_waits_for_nothing_is_no_obstacle() {
    let fake = Fake::playing_at(
        500,
        [
            sub(json!({ "schedule": schedule(&[]) })),
            answer(200, &json!({ "id": "sub_sched_1" })),
            sub(json!({ "status": "paused" })),
        ],
    )
    .await;
    fake.stripe.pause(&"sub_1".into(), ChangeWhen::Now, None, "key").await.unwrap();
    assert_eq!(
        fake.lines()[1..],
        ["POST /v1/subscription_schedules/sub_sched_1/release", "POST /v1/subscriptions/sub_1/pause"]
    );
}

#[tokio::test]
async fn a_state_that_forbids_a_pause_is_a_conflict() {
    for members in [
        json!({ "status": "canceled" }),
        json!({ "cancel_at": 900 }),
        json!({ "schedule": schedule(&[next_phase("scale", 8)]) }),
    ] {
        let fake = Fake::playing([sub(members.clone())]).await;
        let error = fake.stripe.pause(&"sub_1".into(), ChangeWhen::Now, None, "key").await.unwrap_err();
        assert_eq!((error.kind, fake.requests().len()), (ErrorKind::Conflict, 1), "{members}");
    }
    for members in [
        json!({ "status": "paused" }),
        json!({ "status": "active", "pause_collection": {},
        "metadata": { "pausedBy": "tollkeeper" } }),
    ] {
        let fake = Fake::playing([sub(members)]).await;
        let snapshot = fake.stripe.pause(&"sub_1".into(), ChangeWhen::Now, None, "key").await.unwrap();
        assert_eq!((Status::of(&snapshot), fake.requests().len()), (Status::Paused, 1), "it is so already");
    }
}

#[tokio::test]
async fn a_stopped_subscription_goes_on_when_its_next_period_is_paid() {
    let paused = || sub(json!({ "status": "paused" }));
    let fake = Fake::playing([paused(), sub(json!({}))]).await;
    let snapshot = fake.stripe.resume(&"sub_1".into(), "key").await.unwrap();
    assert_eq!(Status::of(&snapshot), Status::Active);
    let request = &fake.requests()[1];
    assert_eq!(request.line(), "POST /v1/subscriptions/sub_1/resume");
    assert_eq!(request.value("billing_cycle_anchor[type]").as_deref(), Some("now"));
    assert_eq!(request.value("payment_behavior").as_deref(), Some("resume_on_payment_success"));
    for (script, kind) in [
        (vec![paused(), paused()], ErrorKind::Declined),
        (vec![paused(), refusal(402, "card_error", "card_declined")], ErrorKind::Declined),
        (vec![paused(), refusal(500, "api_error", "")], ErrorKind::OutcomeUnknown),
        (vec![missing()], ErrorKind::NotFound),
    ] {
        let fake = Fake::playing(script).await;
        assert_eq!(fake.stripe.resume(&"sub_1".into(), "key").await.unwrap_err().kind, kind);
    }
}

#[tokio::test]
async fn a_held_collection_goes_on_without_our_marks() {
    for before in [held(None), held(Some("900"))] {
        let fake = Fake::playing_at(500, [before, sub(json!({}))]).await;
        let snapshot = fake.stripe.resume(&"sub_1".into(), "key").await.unwrap();
        assert_eq!((Status::of(&snapshot), snapshot.pause_at), (Status::Active, None));
        let body = &fake.requests()[1].body;
        let expected =
            "pause_collection=&metadata%5BpausedBy%5D=&metadata%5BpausedFrom%5D=&metadata%5BpausedUntil%5D=&expand";
        assert!(body.starts_with(expected), "{body}");
    }
    for members in [json!({}), json!({ "status": "canceled", "pause_collection": {} })] {
        let fake = Fake::playing([sub(members)]).await;
        let error = fake.stripe.resume(&"sub_1".into(), "key").await.unwrap_err();
        assert_eq!((error.kind, fake.requests().len()), (ErrorKind::Conflict, 1));
    }
}
