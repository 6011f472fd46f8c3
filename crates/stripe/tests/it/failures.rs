use std::time::Duration;

use serde_json::json;
use tollkeeper_core::ports::{Billing, CancelWhen, ErrorKind, NewCustomer, ProviderError};
use tollkeeper_stripe::{Config, Stripe, Timeouts};

use crate::fake::{Fake, Play, hanging_up, nobody, refusal};

/// A call that only reads, and one that writes.
async fn both(stripe: &Stripe) -> (ProviderError, ProviderError) {
    let new = NewCustomer {
        organization_id: "org_acme".into(),
        customer_type: "organization",
        display_name: "Acme".into(),
        email: None,
        currency: None,
    };
    let read = stripe.subscription(&"sub_1".into()).await.unwrap_err();
    let write = stripe.create_customer(None, &new, "key").await.unwrap_err();
    (read, write)
}

async fn kinds(stripe: &Stripe) -> (ErrorKind, ErrorKind) {
    let (read, write) = both(stripe).await;
    (read.kind, write.kind)
}

fn twice(make: impl Fn() -> Play) -> Vec<Play> {
    vec![make(), make()]
}

#[tokio::test]
async fn refusals_have_their_meaning_and_show_no_key() {
    for (status, word, code, kind) in [
        (402, "card_error", "card_declined", ErrorKind::Declined),
        (401, "invalid_request_error", "api_key_expired", ErrorKind::Rejected),
        (409, "idempotency_error", "idempotency_key_in_use", ErrorKind::Throttled(Duration::from_secs(2))),
        (400, "idempotency_error", "", ErrorKind::Conflict),
        (400, "invalid_request_error", "parameter_unknown", ErrorKind::Rejected),
    ] {
        let fake = Fake::playing(twice(|| refusal(status, word, code))).await;
        let (_, error) = both(&fake.stripe).await;
        assert_eq!((error.kind, error.code.as_deref()), (kind, Some(code)));
        assert_eq!(error.source_name.as_str(), "stripe");
        let shown = format!("{error} {error:?} {:?}", fake.stripe);
        assert!(!shown.contains("sk_test_key") && !shown.contains("whsec_"), "{shown}");
    }
}

#[tokio::test]
async fn nobody_listening_means_that_nothing_was_sent() {
    assert_eq!(kinds(&nobody().await).await, (ErrorKind::Transient, ErrorKind::Transient));
}

#[tokio::test]
async fn a_connection_lost_after_a_write_leaves_the_outcome_unknown() {
    for written in ["", "HTTP/1.1 200 OK\r\ncontent-length: 500\r\n\r\n{\"id\":"] {
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
    assert_eq!(kinds(&fake.stripe).await, (ErrorKind::Transient, ErrorKind::OutcomeUnknown));
    assert_eq!(fake.requests().len(), 2, "nothing is repeated behind the caller's back");
}

#[tokio::test]
async fn a_throttled_call_says_how_long_to_wait() {
    let play = || Play::Answer {
        status: 429,
        headers: vec![("retry-after", "17"), ("request-id", "req_1"), ("stripe-should-retry", "false")],
        body: json!({ "error": { "type": "invalid_request_error", "code": "lock_timeout", "message": "m" } })
            .to_string(),
    };
    let fake = Fake::playing(twice(play)).await;
    let (read, write) = both(&fake.stripe).await;
    for error in [read, write] {
        assert_eq!(error.kind, ErrorKind::Throttled(Duration::from_secs(17)));
        assert_eq!(error.request_id.as_deref(), Some("req_1"));
        assert_eq!(error.code.as_deref(), Some("lock_timeout"));
    }
}

#[tokio::test]
async fn what_stripe_says_about_a_repeat_is_obeyed() {
    let play = |status, advice| {
        move || Play::Answer {
            status,
            headers: vec![("stripe-should-retry", advice)],
            body: json!({ "error": { "message": "m" } }).to_string(),
        }
    };
    let fake = Fake::playing(twice(play(409, "true"))).await;
    assert_eq!(kinds(&fake.stripe).await, (ErrorKind::Transient, ErrorKind::Transient));
    let fake = Fake::playing(twice(play(500, "false"))).await;
    assert_eq!(kinds(&fake.stripe).await, (ErrorKind::Rejected, ErrorKind::OutcomeUnknown));
}

#[tokio::test]
async fn a_broken_answer_is_survived() {
    let html = |status| move || Play::Answer { status, headers: vec![], body: "<html>sorry</html>".to_owned() };
    for status in [500, 503, 504, 200] {
        let fake = Fake::playing(twice(html(status))).await;
        assert_eq!(kinds(&fake.stripe).await, (ErrorKind::Transient, ErrorKind::OutcomeUnknown), "{status}");
    }
}

#[tokio::test]
async fn an_endless_answer_is_not_read_to_its_end() {
    let large = || Play::Answer { status: 200, headers: vec![], body: " ".repeat(9 << 20) };
    let fake = Fake::playing(twice(large)).await;
    assert_eq!(kinds(&fake.stripe).await, (ErrorKind::Transient, ErrorKind::OutcomeUnknown));
}

#[tokio::test]
async fn an_id_that_would_climb_out_of_its_path_is_never_sent() {
    let fake = Fake::playing([]).await;
    for id in ["..", ".", ""] {
        let error = fake.stripe.cancel(&id.into(), CancelWhen::Now, "key").await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Rejected);
    }
    assert!(fake.requests().is_empty());
}

#[tokio::test]
async fn a_redirect_is_not_followed_with_the_key() {
    let play = || Play::Answer { status: 302, headers: vec![("location", "http://127.0.0.1:9/")], body: String::new() };
    let fake = Fake::playing(twice(play)).await;
    assert_eq!(kinds(&fake.stripe).await, (ErrorKind::Rejected, ErrorKind::Rejected));
}
