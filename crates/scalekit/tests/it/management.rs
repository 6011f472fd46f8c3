//! The two reads of the management API.

use std::{error::Error as _, sync::Arc, time::Duration};

use axum::http::StatusCode;
use serde_json::{Value, json};
use tollkeeper_core::{
    ports::{ErrorKind, Identity as _, OrganizationRecord, ProviderError, UserRecord},
    time::Timestamp,
};
use tollkeeper_scalekit::{Config, Scalekit};

use crate::provider::{Answer, Provider, StandingClock, install_tls};

const SECRET: &str = "top-secret";

fn config(provider: &Provider) -> Config {
    Config::new(&provider.url, "skc_1", SECRET.to_owned().into())
}

async fn start() -> (Arc<Provider>, Arc<StandingClock>, Scalekit) {
    let (provider, clock) = (Provider::start().await, StandingClock::new());
    let scalekit = Scalekit::new(config(&provider), clock.clone()).unwrap();
    (provider, clock, scalekit)
}

fn ok(body: Value) -> Answer {
    (StatusCode::OK, vec![], body)
}

fn token(value: &str) -> Answer {
    ok(json!({"access_token": value, "token_type": "Bearer", "expires_in": 86399, "scope": "openid"}))
}

fn organization() -> Answer {
    ok(json!({"organization": {
        "id": "org_1", "display_name": "Acme", "external_id": "ext_1", "region_code": "US",
        "create_time": "2025-02-15T06:23:44.560000Z", "update_time": "2025-12-31T23:59:58.02533Z",
    }}))
}

fn failure(status: StatusCode, code: &str) -> Answer {
    let details = json!([{"@type": "type.googleapis.com/scalekit.v1.errdetails.ErrorInfo", "error_code": code}]);
    (status, vec![("x-request-id", "req_1")], json!({"code": 16, "message": "Token empty", "details": details}))
}

#[tokio::test]
async fn an_organization_is_read_with_a_management_token() {
    let (provider, _, scalekit) = start().await;
    provider.will_answer([token("t1"), organization()]);
    let record = scalekit.organization(&"org_1".into()).await.unwrap();
    assert_eq!(
        record,
        Some(OrganizationRecord {
            id: "org_1".into(),
            display_name: Some("Acme".to_owned()),
            external_id: Some("ext_1".to_owned()),
            updated_at: Some(Timestamp::from_micros(1_767_225_598_025_330)),
        })
    );
    let seen = provider.seen();
    assert_eq!(provider.lines(), ["POST /oauth/token", "GET /api/v1/organizations/org_1"]);
    assert_eq!(seen[0].body, "grant_type=client_credentials&client_id=skc_1&client_secret=top-secret");
    assert_eq!(seen[0].authorization, None);
    assert_eq!(seen[1].authorization.as_deref(), Some("Bearer t1"));
}

#[tokio::test]
async fn a_user_is_read() {
    let (provider, _, scalekit) = start().await;
    let user = |email: &str| ok(json!({"user": {"id": "usr_1", "email": email, "memberships": []}}));
    provider.will_answer([token("t1"), user("jane@example.com"), user("")]);
    let read = async || scalekit.user(&"usr_1".into()).await.unwrap().unwrap();
    assert_eq!(read().await, UserRecord { id: "usr_1".into(), email: Some("jane@example.com".to_owned()) });
    assert_eq!(read().await.email, None);
    assert_eq!(provider.lines()[1], "GET /api/v1/users/usr_1");
}

#[tokio::test]
async fn the_token_is_kept_until_a_minute_before_its_end() {
    let (provider, clock, scalekit) = start().await;
    provider.will_answer([token("t1"), organization(), organization(), token("t2"), organization()]);
    for advance in [0, 86_338, 1] {
        clock.advance(advance);
        assert!(scalekit.organization(&"org_1".into()).await.unwrap().is_some());
    }
    let tokens: Vec<_> = provider.seen().into_iter().filter_map(|seen| seen.authorization).collect();
    assert_eq!(tokens, ["Bearer t1", "Bearer t1", "Bearer t2"]);
}

#[tokio::test]
async fn a_token_whose_life_is_a_text_or_unknown_is_understood() {
    let (provider, _, scalekit) = start().await;
    let text = ok(json!({"access_token": "t2", "expires_in": "3600"}));
    provider.will_answer([ok(json!({"access_token": "t1"})), organization(), text, organization(), organization()]);
    for _ in 0..3 {
        assert!(scalekit.organization(&"org_1".into()).await.unwrap().is_some());
    }
    let tokens: Vec<_> = provider.seen().into_iter().filter_map(|seen| seen.authorization).collect();
    assert_eq!(tokens, ["Bearer t1", "Bearer t2", "Bearer t2"]);
}

#[tokio::test]
async fn many_reads_at_once_fetch_one_token() {
    let (provider, _, scalekit) = start().await;
    provider.will_answer(std::iter::once(token("t1")).chain((0..10).map(|_| organization())));
    let scalekit = Arc::new(scalekit);
    let tasks: Vec<_> = (0..10)
        .map(|_| {
            let scalekit = Arc::clone(&scalekit);
            tokio::spawn(async move { scalekit.organization(&"org_1".into()).await })
        })
        .collect();
    for task in tasks {
        assert!(task.await.unwrap().unwrap().is_some());
    }
    assert_eq!(provider.lines().iter().filter(|line| line.contains("token")).count(), 1);
}

#[tokio::test]
async fn a_refused_token_is_replaced_once() {
    let (provider, _, scalekit) = start().await;
    let refused = || failure(StatusCode::UNAUTHORIZED, "UNAUTHENTICATED");
    provider.will_answer([token("t1"), refused(), token("t2"), organization()]);
    assert!(scalekit.organization(&"org_1".into()).await.unwrap().is_some());

    provider.will_answer([refused(), token("t3"), refused()]);
    let error = scalekit.organization(&"org_1".into()).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Rejected);
    assert_eq!(error.code.as_deref(), Some("UNAUTHENTICATED"));
    assert_eq!(error.request_id.as_deref(), Some("req_1"));
    assert_eq!(error.to_string(), "scalekit: get organization failed with UNAUTHENTICATED: Token empty");
    assert_eq!(provider.seen().len(), 7, "and then it is enough");
}

#[tokio::test]
async fn what_is_not_there_is_none() {
    let (provider, _, scalekit) = start().await;
    provider.will_answer([
        token("t1"),
        failure(StatusCode::NOT_FOUND, "NOT_FOUND"),
        failure(StatusCode::NOT_FOUND, ""),
    ]);
    assert_eq!(scalekit.organization(&"org_1".into()).await.unwrap(), None);
    assert_eq!(scalekit.user(&"usr_1".into()).await.unwrap(), None);
}

#[tokio::test]
async fn an_id_stays_one_segment_of_the_address() {
    let (provider, _, scalekit) = start().await;
    provider.will_answer([token("t1"), organization(), organization()]);
    scalekit.organization(&"../users/usr_1?x=1#y".into()).await.unwrap();
    scalekit.organization(&"a/b%2Fc d".into()).await.unwrap();
    assert_eq!(
        provider.lines()[1..],
        ["GET /api/v1/organizations/..%2Fusers%2Fusr_1%3Fx=1%23y", "GET /api/v1/organizations/a%2Fb%252Fc%20d"]
    );
    for id in ["", ".", ".."] {
        assert_eq!(scalekit.organization(&id.into()).await.unwrap(), None);
    }
    assert_eq!(provider.seen().len(), 3);
}

async fn error_of(answer: Answer) -> ProviderError {
    let (provider, _, scalekit) = start().await;
    provider.will_answer([token("t1"), answer]);
    scalekit.organization(&"org_1".into()).await.unwrap_err()
}

#[tokio::test]
async fn a_failure_is_of_the_kind_that_a_caller_can_act_upon() {
    let throttled = |headers| (StatusCode::TOO_MANY_REQUESTS, headers, json!({"message": "slow down"}));
    let second = Duration::from_secs(1);
    for (answer, kind) in [
        (throttled(vec![]), ErrorKind::Throttled(second)),
        (throttled(vec![("retry-after", "7")]), ErrorKind::Throttled(7 * second)),
        (throttled(vec![("retry-after", "Wed, 21 Oct 2026 07:28:00 GMT")]), ErrorKind::Throttled(second)),
        (throttled(vec![("retry-after", "999999999")]), ErrorKind::Throttled(3600 * second)),
        (failure(StatusCode::INTERNAL_SERVER_ERROR, "INTERNAL"), ErrorKind::Transient),
        (failure(StatusCode::SERVICE_UNAVAILABLE, "UNAVAILABLE"), ErrorKind::Transient),
        (failure(StatusCode::BAD_REQUEST, "INVALID_ARGUMENT"), ErrorKind::Rejected),
        (failure(StatusCode::FORBIDDEN, "PERMISSION_DENIED"), ErrorKind::Rejected),
        ((StatusCode::FOUND, vec![("location", "https://evil.example.com")], json!({})), ErrorKind::Rejected),
        (ok(json!({"unexpected": "answer"})), ErrorKind::Transient),
    ] {
        let status = answer.0;
        assert_eq!(error_of(answer).await.kind, kind, "{status}");
    }
}

#[tokio::test]
async fn wrong_credentials_are_rejected_and_not_repeated() {
    let (provider, _, scalekit) = start().await;
    let body = json!({"error": "invalid_client", "error_description": format!("no client with secret {SECRET}")});
    provider.will_answer([(StatusCode::UNAUTHORIZED, vec![], body)]);
    let error = scalekit.organization(&"org_1".into()).await.unwrap_err();
    assert_eq!((error.kind, error.code.as_deref()), (ErrorKind::Rejected, Some("invalid_client")));
    assert!(!format!("{error} {error:?}").contains(SECRET), "{error:?}");
    assert_eq!(provider.seen().len(), 1);
}

#[tokio::test]
async fn a_provider_that_is_away_is_a_transient_failure() {
    install_tls();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let scalekit = Scalekit::new(Config::new(url, "skc_1", SECRET.to_owned().into()), StandingClock::new()).unwrap();
    let error = scalekit.user(&"usr_1".into()).await.unwrap_err();
    assert_eq!((error.kind, error.operation), (ErrorKind::Transient, "get management token"));
    assert!(error.source().is_some());
    assert!(!format!("{error:?}").contains(SECRET));
}

#[tokio::test]
async fn nobody_is_asked_about_organizations_where_everybody_is_one() {
    let provider = Provider::start().await;
    let config = Config { organization_claim: vec!["sub".to_owned()], ..config(&provider) };
    let scalekit = Scalekit::new(config, StandingClock::new()).unwrap();
    assert_eq!(scalekit.organization(&"usr_1".into()).await.unwrap(), None);
    assert!(provider.seen().is_empty());
}

#[tokio::test]
async fn the_adapter_hides_its_secrets() {
    let (_, _, scalekit) = start().await;
    assert!(!format!("{scalekit:?}").contains(SECRET));
}

#[tokio::test]
async fn missing_credentials_stop_the_start() {
    let provider = Provider::start().await;
    for (config, setting) in [
        (Config { client_id: String::new(), ..config(&provider) }, "client_id"),
        (Config { audience: Some(String::new()), ..config(&provider) }, "audience"),
        (Config { client_secret: String::new().into(), ..config(&provider) }, "client_secret"),
        (Config { environment_url: "acme".to_owned(), ..config(&provider) }, "environment_url"),
    ] {
        assert_eq!(Scalekit::new(config, StandingClock::new()).unwrap_err().setting, setting);
    }
}
