use std::time::Duration;

use serde_json::json;
use tollkeeper_chargebee::{Chargebee, Config, Timeouts};
use tollkeeper_core::ports::{Billing, CancelWhen, ErrorKind, NewCustomer, ProviderError};

use crate::{
    contracts::Contracts,
    fake::{Fake, Play, answer, hanging_up, nobody},
};

/// A call that only reads, and one that writes.
async fn both(chargebee: &Chargebee) -> (ProviderError, ProviderError) {
    let new = NewCustomer {
        organization_id: "org_acme".into(),
        customer_type: "organization",
        display_name: "Acme".into(),
        email: None,
        currency: None,
    };
    let read = chargebee.subscription(&"sub_1".into()).await.unwrap_err();
    let write = chargebee.create_customer(Some(&"org_acme".into()), &new, "key").await.unwrap_err();
    (read, write)
}

async fn kinds(chargebee: &Chargebee) -> (ErrorKind, ErrorKind) {
    let (read, write) = both(chargebee).await;
    (read.kind, write.kind)
}

fn twice(make: impl Fn() -> Play) -> Vec<Play> {
    vec![make(), make()]
}

#[tokio::test]
async fn recorded_refusals_have_their_meaning() {
    let Some(contracts) = Contracts::open("refusals") else { return };
    for (name, kind, code) in [
        ("error.400.payment", ErrorKind::Declined, "payment_processing_failed"),
        ("error.401", ErrorKind::Rejected, "api_authentication_failed"),
        ("error.429", ErrorKind::Throttled(Duration::from_secs(60)), "api_request_limit_exceeded"),
        ("error.400.duplicate", ErrorKind::Conflict, "duplicate_entry"),
        ("error.404", ErrorKind::NotFound, "resource_not_found"),
    ] {
        let body = contracts.response(name);
        let status = u16::try_from(body["http_status_code"].as_u64().unwrap()).unwrap();
        let fake = Fake::playing([answer(status, &body)]).await;
        let error = fake.chargebee.undo_cancellation(&"sub_1".into(), "key").await.unwrap_err();
        assert_eq!((error.kind, error.code.as_deref()), (kind, Some(code)), "{name}");
        assert_eq!(error.source_name.as_str(), "chargebee");
        let shown = format!("{error} {error:?}");
        assert!(!shown.contains("test_key") && !shown.contains("dGVzdF9rZXk6"), "{shown}");
    }
}

#[tokio::test]
async fn nobody_listening_means_that_nothing_was_sent() {
    assert_eq!(kinds(&nobody().await).await, (ErrorKind::Transient, ErrorKind::Transient));
}

#[tokio::test]
async fn a_connection_lost_after_a_write_leaves_the_outcome_unknown() {
    for written in ["", "HTTP/1.1 200 OK\r\ncontent-length: 500\r\n\r\n{\"customer\":"] {
        assert_eq!(
            kinds(&hanging_up(written).await).await,
            (ErrorKind::Transient, ErrorKind::OutcomeUnknown),
            "{written}"
        );
    }
}

#[tokio::test]
async fn a_slow_answer_leaves_the_outcome_of_a_write_unknown() {
    let timeouts = Timeouts { connect: Duration::from_secs(3), total: Duration::from_millis(200) };
    let fake = Fake::with(twice(|| Play::Silence), |config| Config { timeouts, ..config }).await;
    assert_eq!(kinds(&fake.chargebee).await, (ErrorKind::Transient, ErrorKind::OutcomeUnknown));
    assert_eq!(fake.requests().len(), 2, "nothing is repeated behind the caller's back");
}

#[tokio::test]
async fn a_throttled_call_says_how_long_to_wait() {
    let play = || Play::Answer {
        status: 429,
        headers: vec![("retry-after", "17"), ("x-request-id", "req_1")],
        body: json!({ "message": "slow down", "api_error_code": "lock_timeout" }).to_string(),
    };
    let fake = Fake::playing(twice(play)).await;
    let (read, write) = both(&fake.chargebee).await;
    for error in [read, write] {
        assert_eq!(error.kind, ErrorKind::Throttled(Duration::from_secs(17)));
        assert_eq!(error.request_id.as_deref(), Some("req_1"));
        assert_eq!(error.code.as_deref(), Some("lock_timeout"));
    }
}

#[tokio::test]
async fn a_broken_answer_is_survived() {
    let html = |status| move || Play::Answer { status, headers: vec![], body: "<html>sorry</html>".to_owned() };
    for (status, read, write) in [
        (500, ErrorKind::Transient, ErrorKind::OutcomeUnknown),
        (503, ErrorKind::Transient, ErrorKind::OutcomeUnknown),
        (504, ErrorKind::Transient, ErrorKind::OutcomeUnknown),
        (200, ErrorKind::Transient, ErrorKind::OutcomeUnknown),
    ] {
        let fake = Fake::playing(twice(html(status))).await;
        assert_eq!(kinds(&fake.chargebee).await, (read, write), "{status}");
    }
}

#[tokio::test]
async fn an_endless_answer_is_not_read_to_its_end() {
    let large = || Play::Answer { status: 200, headers: vec![], body: " ".repeat(9 << 20) };
    let fake = Fake::playing(twice(large)).await;
    assert_eq!(kinds(&fake.chargebee).await, (ErrorKind::Transient, ErrorKind::OutcomeUnknown));
}

#[tokio::test]
async fn an_id_that_would_climb_out_of_its_path_is_never_sent() {
    let fake = Fake::playing([]).await;
    for id in ["..", ".", ""] {
        let error = fake.chargebee.cancel(&id.into(), CancelWhen::Now, "key").await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Rejected);
    }
    assert!(fake.requests().is_empty());
}

#[tokio::test]
async fn a_redirect_is_not_followed_with_the_key() {
    let play = || Play::Answer { status: 302, headers: vec![("location", "http://127.0.0.1:9/")], body: String::new() };
    let fake = Fake::playing(twice(play)).await;
    assert_eq!(kinds(&fake.chargebee).await, (ErrorKind::Rejected, ErrorKind::Rejected));
}
