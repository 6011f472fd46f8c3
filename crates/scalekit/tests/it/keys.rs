//! When the key set is fetched, how often, and what holds while it cannot be.

use std::{
    io,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use axum::http::StatusCode;
use serde_json::json;
use sha2::{Digest as _, Sha256};
use tollkeeper_core::ports::AuthError;
use tollkeeper_scalekit::oidc::{Config, REFUSED_MODULI, Validator};

use crate::provider::{Provider, Signer, at, until};

const UNKNOWN: Result<(), AuthError> = Err(AuthError::Invalid("the signing key is unknown"));

async fn outcome(validator: &Validator, token: &str, seconds: i64) -> Result<(), AuthError> {
    validator.authenticate(token, at(seconds)).await.map(drop)
}

/// The claims of a session that outlives the test.
fn long(provider: &Provider) -> serde_json::Value {
    provider.claims_with("exp", json!(crate::provider::START + 100_000))
}

#[tokio::test]
async fn keys_are_fetched_once_for_many_tokens() {
    let provider = Provider::start().await;
    let validator = provider.validator();
    for number in 0..20 {
        let token = Signer::one().token("k1", &provider.claims_with("jti", json!(number)));
        assert_eq!(outcome(&validator, &token, 0).await, Ok(()));
    }
    assert_eq!(provider.key_fetches(), 1);
}

#[tokio::test]
async fn an_unknown_key_is_looked_up_once_and_not_again_within_the_interval() {
    let provider = Provider::start().await;
    let validator = provider.validator();
    let claims = long(&provider);
    assert_eq!(outcome(&validator, &Signer::one().token("k1", &claims), 0).await, Ok(()));
    for kid in ["x1", "x1", "x2", "x3"] {
        assert_eq!(outcome(&validator, &Signer::two().token(kid, &claims), 1).await, UNKNOWN);
    }
    assert_eq!(provider.key_fetches(), 2);
    assert_eq!(outcome(&validator, &Signer::two().token("x4", &claims), 30).await, UNKNOWN);
    assert_eq!(provider.key_fetches(), 2, "29 seconds later");
    assert_eq!(outcome(&validator, &Signer::two().token("x4", &claims), 31).await, UNKNOWN);
    assert_eq!(provider.key_fetches(), 3, "30 seconds later");
}

#[tokio::test]
async fn an_unknown_key_id_is_remembered_as_unknown() {
    let provider = Provider::start().await;
    let config = Config { unknown_kid_ttl: std::time::Duration::from_secs(90), ..provider.config() };
    let validator = Validator::new(config).unwrap();
    let token = Signer::two().token("x1", &long(&provider));
    for (seconds, fetches) in [(0, 1), (31, 1), (89, 1), (90, 2)] {
        assert_eq!(outcome(&validator, &token, seconds).await, UNKNOWN);
        assert_eq!(provider.key_fetches(), fetches, "after {seconds} seconds");
    }
}

#[tokio::test]
async fn a_hundred_unknown_keys_at_once_cause_one_fetch() {
    let provider = Provider::start().await;
    let validator = Arc::new(provider.validator());
    let claims = long(&provider);
    assert_eq!(outcome(&validator, &Signer::one().token("k1", &claims), 0).await, Ok(()));

    provider.gate(false);
    let started = Arc::new(AtomicUsize::new(0));
    let tasks: Vec<_> = (0..100)
        .map(|number| {
            let (validator, started) = (Arc::clone(&validator), Arc::clone(&started));
            let token = Signer::two().token(&format!("x{number}"), &claims);
            tokio::spawn(async move {
                started.fetch_add(1, Ordering::SeqCst);
                outcome(&validator, &token, 1).await
            })
        })
        .collect();
    until(|| started.load(Ordering::SeqCst) == 100 && provider.key_fetches() == 2).await;
    provider.gate(true);
    for task in tasks {
        assert_eq!(task.await.unwrap(), UNKNOWN);
    }
    assert_eq!(provider.key_fetches(), 2);
}

#[tokio::test]
async fn a_hundred_first_tokens_at_once_cause_one_fetch_and_all_pass() {
    let provider = Provider::start().await;
    let validator = Arc::new(provider.validator());
    provider.gate(false);
    let tasks: Vec<_> = (0..100)
        .map(|number| {
            let validator = Arc::clone(&validator);
            let token = Signer::one().token("k1", &provider.claims_with("jti", json!(number)));
            tokio::spawn(async move { outcome(&validator, &token, 0).await })
        })
        .collect();
    until(|| provider.key_fetches() == 1).await;
    provider.gate(true);
    for task in tasks {
        assert_eq!(task.await.unwrap(), Ok(()));
    }
    assert_eq!(provider.key_fetches(), 1);
}

#[tokio::test]
async fn a_caller_who_leaves_does_not_stop_the_fetch() {
    let provider = Provider::start().await;
    let validator = Arc::new(provider.validator());
    let token = Signer::one().token("k1", &provider.claims());
    provider.gate(false);
    let caller = tokio::spawn({
        let (validator, token) = (Arc::clone(&validator), token.clone());
        async move { outcome(&validator, &token, 0).await }
    });
    until(|| provider.key_fetches() == 1).await;
    caller.abort();
    assert!(caller.await.unwrap_err().is_cancelled());
    provider.gate(true);
    assert_eq!(outcome(&validator, &token, 0).await, Ok(()));
    assert_eq!(provider.key_fetches(), 1);
}

#[tokio::test]
async fn without_any_keys_nobody_is_believed_and_the_provider_is_asked_again_soon() {
    let provider = Provider::start().await;
    let validator = provider.validator();
    let token = Signer::one().token("k1", &provider.claims());
    provider.fail_keys(StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(outcome(&validator, &token, 0).await, Err(AuthError::KeysUnavailable));
    assert_eq!(outcome(&validator, &token, 0).await, Err(AuthError::KeysUnavailable));
    assert_eq!(provider.key_fetches(), 1);
    provider.fail_keys(StatusCode::OK);
    assert_eq!(outcome(&validator, &token, 1).await, Ok(()));
}

#[tokio::test]
async fn while_the_provider_fails_the_old_keys_stay() {
    let provider = Provider::start().await;
    let validator = provider.validator();
    let claims = long(&provider);
    assert_eq!(outcome(&validator, &Signer::one().token("k1", &claims), 0).await, Ok(()));

    provider.fail_keys(StatusCode::INTERNAL_SERVER_ERROR);
    let another = Signer::one().token("k1", &provider.claims_with("exp", json!(crate::provider::START + 50_000)));
    assert_eq!(outcome(&validator, &another, 10_000).await, Ok(()));
    until(|| provider.key_fetches() == 2).await;
    assert_eq!(outcome(&validator, &another, 20_000).await, Ok(()));
    let unknown = Signer::two().token("k2", &claims);
    assert_eq!(outcome(&validator, &unknown, 30_000).await, Err(AuthError::KeysUnavailable), "nobody can tell");

    provider.fail_keys(StatusCode::OK);
    provider.publish(&[]);
    assert_eq!(
        outcome(&validator, &unknown, 40_000).await,
        Err(AuthError::KeysUnavailable),
        "an empty key set is a failure"
    );
    assert_eq!(outcome(&validator, &another, 40_001).await, Ok(()));
}

#[tokio::test]
async fn a_new_key_is_believed_at_once_and_the_old_one_no_longer() {
    let provider = Provider::start().await;
    let validator = provider.validator();
    let claims = long(&provider);
    let (old, new) = (Signer::one().token("k1", &claims), Signer::two().token("k2", &claims));
    assert_eq!(outcome(&validator, &old, 0).await, Ok(()));

    provider.publish(&[Signer::one().jwk("k1"), Signer::two().jwk("k2")]);
    assert_eq!(outcome(&validator, &new, 1).await, Ok(()));
    assert_eq!(outcome(&validator, &old, 1).await, Ok(()));

    provider.publish(&[Signer::two().jwk("k2")]);
    let age = 10 * 60 + 1;
    assert_eq!(outcome(&validator, &new, age).await, Ok(()));
    until(|| provider.key_fetches() >= 3).await;
    let mut last = outcome(&validator, &old, age).await;
    while last.is_ok() {
        tokio::task::yield_now().await;
        last = outcome(&validator, &old, age).await;
    }
    assert_eq!(last, UNKNOWN, "also a remembered token is refused when its key is gone");
    assert_eq!(outcome(&validator, &new, age).await, Ok(()));
}

#[tokio::test]
async fn a_remembered_token_is_refused_after_its_expiry() {
    let provider = Provider::start().await;
    let validator = provider.validator();
    let token = Signer::one().token("k1", &provider.claims());
    assert_eq!(outcome(&validator, &token, 0).await, Ok(()));
    assert_eq!(outcome(&validator, &token, 299).await, Ok(()));
    assert_eq!(outcome(&validator, &token, 300).await, Err(AuthError::Expired));
}

#[tokio::test]
async fn a_remembered_token_is_refused_when_another_key_takes_its_name() {
    let provider = Provider::start().await;
    let validator = provider.validator();
    let claims = long(&provider);
    let token = Signer::one().token("k1", &claims);
    assert_eq!(outcome(&validator, &token, 0).await, Ok(()));
    provider.publish(&[Signer::two().jwk("k1")]);
    assert_eq!(outcome(&validator, &Signer::two().token("k2", &claims), 1).await, UNKNOWN);
    let refused = Err(AuthError::Invalid("the signature does not match"));
    assert_eq!(outcome(&validator, &token, 1).await, refused);
}

#[tokio::test]
async fn discovery_must_name_the_issuer_that_was_asked() {
    let provider = Provider::start().await;
    let config = Config { jwks_url: None, ..provider.config() };
    *provider.discovery.lock().unwrap() =
        json!({"issuer": "https://evil.example.com", "jwks_uri": format!("{}/keys", provider.url)});
    let token = Signer::one().token("k1", &provider.claims());
    assert_eq!(outcome(&Validator::new(config).unwrap(), &token, 0).await, Err(AuthError::KeysUnavailable));
    assert_eq!(provider.key_fetches(), 0);
}

/// The sandbox's own key pair, where its crate keeps it.
fn development_key() -> Signer {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../sandbox/keys/dev.der");
    Signer::rsa(&std::fs::read(path).unwrap())
}

#[tokio::test]
async fn the_development_key_counts_for_a_loopback_issuer() {
    let provider = Provider::start().await;
    let signer = development_key();
    assert!(REFUSED_MODULI.contains(&hex::encode(Sha256::digest(signer.modulus())).as_str()));
    provider.publish(&[signer.jwk("k1")]);
    assert_eq!(outcome(&provider.validator(), &signer.token("k1", &provider.claims()), 0).await, Ok(()));
}

#[tokio::test]
async fn the_development_key_is_refused_for_any_other_issuer_and_the_log_says_why() {
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt()
        .with_writer({
            let log = log.clone();
            move || log.clone()
        })
        .with_ansi(false)
        .finish();
    let _guard = tracing::subscriber::set_default(subscriber);

    let provider = Provider::start().await;
    let (development, own) = (development_key(), Signer::two());
    let issuer = "https://acme.scalekit.dev";
    let config = Config { issuer: issuer.to_owned(), ..provider.config() };
    let validator = Validator::new(config).unwrap();
    let claims = provider.claims_with("iss", json!(issuer));

    provider.publish(&[development.jwk("k1")]);
    let token = development.token("k1", &claims);
    assert_eq!(outcome(&validator, &token, 0).await, Err(AuthError::KeysUnavailable));
    provider.publish(&[development.jwk("k1"), own.jwk("k2")]);
    assert_eq!(outcome(&validator, &token, 1).await, UNKNOWN);
    assert_eq!(outcome(&validator, &own.token("k2", &claims), 1).await, Ok(()));

    let text = log.text();
    assert!(text.contains("https://acme.scalekit.dev publishes the sandbox's development key"), "{text}");
    assert!(text.contains("ERROR") && text.contains("not loopback"), "{text}");
}

/// A log that can be read back.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
