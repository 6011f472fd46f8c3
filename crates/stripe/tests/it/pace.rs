use std::time::Duration;

use serde_json::json;
use tollkeeper_core::ports::{Billing, CancelWhen, ErrorKind};
use tollkeeper_testkit::fake_api::Budget;

use crate::fake::{Fake, Play, answer, list, nobody, refusal, subscription};

fn overdue() -> Play {
    answer(200, &subscription(json!({ "status": "past_due" })))
}

fn throttled(headers: Vec<(&'static str, &'static str)>) -> Play {
    Play::Answer { status: 429, headers, body: json!({ "error": { "code": "rate_limit" } }).to_string() }
}

#[tokio::test]
async fn every_request_takes_its_turn_also_those_beside_the_first() {
    let fake = Fake::playing([overdue(), list(&[])]).await;
    let budget = Budget::of(2);
    fake.stripe.set_pace(budget.clone());
    fake.stripe.subscription(&"sub_1".into()).await.unwrap().unwrap();
    assert_eq!((fake.requests().len(), budget.left()), (2, 0));
    let error = fake.stripe.subscription(&"sub_1".into()).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Throttled(Duration::from_secs(9)));
    assert_eq!(fake.requests().len(), 2, "what has no turn is not sent");
    assert!(budget.told().is_empty(), "the provider said nothing");
}

#[tokio::test]
async fn a_write_without_a_turn_did_nothing_and_a_read_after_it_hides_nothing() {
    let fake = Fake::playing([answer(200, &subscription(json!({}))), overdue()]).await;
    fake.stripe.set_pace(Budget::of(2));
    let error = fake.stripe.cancel(&"sub_1".into(), CancelWhen::Now, "k").await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::OutcomeUnknown, "it was sent, and its answer could not be read whole");
    let error = fake.stripe.cancel(&"sub_1".into(), CancelWhen::Now, "k").await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Throttled(Duration::from_secs(9)));
}

#[tokio::test]
async fn an_id_that_cannot_be_asked_for_takes_no_turn() {
    let stripe = nobody().await;
    let budget = Budget::of(5);
    stripe.set_pace(budget.clone());
    assert_eq!(stripe.subscription(&"..".into()).await.unwrap_err().kind, ErrorKind::Rejected);
    assert_eq!(budget.left(), 5);
}

#[tokio::test]
async fn what_the_provider_asks_for_is_passed_on() {
    let lock = refusal(429, "invalid_request_error", "lock_timeout");
    let script = [
        throttled(vec![("retry-after", "7")]),
        throttled(vec![]),
        throttled(vec![("retry-after", "99999999999")]),
        lock,
    ];
    let fake = Fake::playing(script).await;
    let budget = Budget::of(9);
    fake.stripe.set_pace(budget.clone());
    let expected = [7, 2, 3600].map(Duration::from_secs);
    for after in expected.into_iter().chain([Duration::from_secs(2)]) {
        let error = fake.stripe.customer(&"cus_1".into()).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Throttled(after));
    }
    assert_eq!(budget.told(), expected, "a record that somebody else writes stops nobody else");
}

#[tokio::test]
async fn the_first_pace_stays() {
    let stripe = nobody().await;
    stripe.set_pace(Budget::of(0));
    stripe.set_pace(Budget::of(9));
    let error = stripe.customer(&"cus_1".into()).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Throttled(Duration::from_secs(9)));
    assert_eq!(stripe.usual_requests_per_minute(), 1200);
}
