use std::time::Duration;

use serde_json::json;
use tollkeeper_core::ports::{Billing, CancelWhen, ErrorKind};
use tollkeeper_testkit::fake_api::Budget;

use crate::fake::{Fake, Play, answer, nobody};

fn overdue() -> Play {
    answer(200, &json!({ "subscription": { "id": "s", "customer_id": "c", "status": "active", "due_since": 1 } }))
}

fn throttled(headers: Vec<(&'static str, &'static str)>) -> Play {
    Play::Answer { status: 429, headers, body: json!({ "api_error_code": "api_request_limit_exceeded" }).to_string() }
}

#[tokio::test]
async fn every_request_takes_its_turn_also_those_beside_the_first() {
    let fake =
        Fake::playing([overdue(), answer(200, &json!({ "list": [] })), answer(200, &json!({ "list": [] }))]).await;
    let budget = Budget::of(3);
    fake.chargebee.set_pace(budget.clone());
    fake.chargebee.subscription(&"s".into()).await.unwrap().unwrap();
    assert_eq!((fake.requests().len(), budget.left()), (3, 0));
    let error = fake.chargebee.subscription(&"s".into()).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Throttled(Duration::from_secs(9)));
    assert_eq!(fake.requests().len(), 3, "what has no turn is not sent");
    assert!(budget.told().is_empty(), "the provider said nothing");
}

#[tokio::test]
async fn a_write_without_a_turn_did_nothing_and_a_read_after_it_hides_nothing() {
    let fake = Fake::playing([overdue()]).await;
    fake.chargebee.set_pace(Budget::of(1));
    let error = fake.chargebee.cancel(&"s".into(), CancelWhen::Now, "k").await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::OutcomeUnknown, "it was sent, and its answer could not be read whole");
    let error = fake.chargebee.cancel(&"s".into(), CancelWhen::Now, "k").await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Throttled(Duration::from_secs(9)));
}

#[tokio::test]
async fn an_id_that_cannot_be_asked_for_takes_no_turn() {
    let chargebee = nobody().await;
    let budget = Budget::of(5);
    chargebee.set_pace(budget.clone());
    assert_eq!(chargebee.subscription(&"..".into()).await.unwrap_err().kind, ErrorKind::Rejected);
    assert_eq!(budget.left(), 5);
}

#[tokio::test]
async fn what_the_provider_asks_for_is_passed_on() {
    let script =
        [throttled(vec![("retry-after", "7")]), throttled(vec![]), throttled(vec![("retry-after", "99999999999")])];
    let fake = Fake::playing(script).await;
    let budget = Budget::of(9);
    fake.chargebee.set_pace(budget.clone());
    let expected = [7, 60, 3600].map(Duration::from_secs);
    for after in expected {
        let error = fake.chargebee.customer(&"c".into()).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Throttled(after));
    }
    assert_eq!(budget.told(), expected);
}

#[tokio::test]
async fn the_first_pace_stays() {
    let chargebee = nobody().await;
    chargebee.set_pace(Budget::of(0));
    chargebee.set_pace(Budget::of(9));
    let error = chargebee.customer(&"c".into()).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Throttled(Duration::from_secs(9)));
}
