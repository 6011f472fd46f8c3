//! What a token must say, and who must have signed it.

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit as _, Mac as _};
use proptest::prelude::*;
use serde_json::{Value, json};
use tollkeeper_core::ports::{AuthError, Identity, Inbound as _, Session};
use tollkeeper_scalekit::{
    Scalekit,
    oidc::{Algorithm, Config, Oidc, Validator},
};

use crate::{
    contracts,
    provider::{Provider, START, Signer, StandingClock, at, message},
};

/// What comes of a token with these claims, signed by the right key, right now.
async fn outcome(
    config: impl FnOnce(&mut Config),
    claims: impl FnOnce(&Provider) -> Value,
) -> Result<Session, AuthError> {
    let provider = Provider::start().await;
    let mut changed = provider.config();
    config(&mut changed);
    let token = Signer::one().token("k1", &claims(&provider));
    Validator::new(changed).unwrap().authenticate(&token, at(0)).await.map(|session| (*session).clone())
}

/// The same with the usual configuration and one claim changed.
async fn outcome_with(name: &str, value: Value) -> Result<Session, AuthError> {
    outcome(|_| (), |provider| provider.claims_with(name, value)).await
}

/// The adapter for the running provider, as the product configures it.
fn scalekit(provider: &Provider) -> Scalekit {
    let config = tollkeeper_scalekit::Config::new(&provider.url, "skc_1", "secret".to_owned().into());
    Scalekit::new(config, StandingClock::new()).unwrap()
}

#[tokio::test]
async fn a_good_token_is_a_session() {
    let session = outcome(|_| (), Provider::claims).await.unwrap();
    assert_eq!(
        session,
        Session {
            user_id: "usr_1".into(),
            organization_id: Some("org_1".into()),
            session_id: Some("ses_1".to_owned()),
            roles: vec!["admin".to_owned()],
            permissions: vec!["billing:manage".to_owned(), "billing:read".to_owned()],
            email: None,
            expires_at: at(300),
            is_own_organization: false,
        }
    );
}

#[tokio::test]
async fn an_expired_token_is_refused() {
    assert_eq!(outcome_with("exp", json!(START - 1)).await, Err(AuthError::Expired));
    assert_eq!(outcome_with("exp", json!(START)).await, Err(AuthError::Expired), "the last instant is too late");
}

#[tokio::test]
async fn a_token_without_expiry_is_refused() {
    assert_eq!(outcome_with("exp", Value::Null).await, Err(AuthError::Invalid("there is no expiry")));
    assert_eq!(outcome_with("exp", json!("tomorrow")).await, Err(AuthError::Invalid("there is no expiry")));
}

#[tokio::test]
async fn a_token_from_the_future_is_refused() {
    assert_eq!(outcome_with("nbf", json!(START + 1)).await, Err(AuthError::Invalid("it is not good yet")));
    assert_eq!(outcome_with("nbf", json!("now")).await, Err(AuthError::Invalid("`nbf` is not a time")));
    assert!(outcome_with("nbf", Value::Null).await.is_ok());
    assert!(outcome_with("iat", Value::Null).await.is_ok());
}

#[tokio::test]
async fn leeway_is_exact_at_its_edges() {
    let leeway = |config: &mut Config| config.leeway = Duration::from_secs(10);
    let outcome_with = |name, value: Value| outcome(leeway, move |provider| provider.claims_with(name, value));
    assert!(outcome_with("exp", json!(START - 9)).await.is_ok());
    assert_eq!(outcome_with("exp", json!(START - 10)).await, Err(AuthError::Expired));
    assert!(outcome_with("nbf", json!(START + 10)).await.is_ok());
    assert!(outcome_with("nbf", json!(START + 11)).await.is_err());
}

#[tokio::test]
async fn another_issuer_is_refused() {
    let slash = outcome(|_| (), |provider| provider.claims_with("iss", json!(format!("{}/", provider.url)))).await;
    assert_eq!(slash, Err(AuthError::Invalid("the issuer is another")));
    assert!(outcome_with("iss", json!("https://evil.example.com")).await.is_err());
    assert!(outcome_with("iss", Value::Null).await.is_err());
}

#[tokio::test]
async fn another_audience_is_refused() {
    for aud in [json!("skc_2"), json!(["skc_2"]), json!([]), json!({"skc_1": 1}), json!("skc_1 skc_2"), Value::Null] {
        assert_eq!(outcome_with("aud", aud).await, Err(AuthError::Invalid("the audience is another")));
    }
}

#[tokio::test]
async fn the_audience_may_be_a_string_or_a_list() {
    assert!(outcome_with("aud", json!("skc_1")).await.is_ok());
    assert!(outcome_with("aud", json!(["https://api.example.com", "skc_1"])).await.is_ok());
}

#[tokio::test]
async fn a_token_without_subject_is_refused() {
    for sub in [Value::Null, json!(""), json!(7)] {
        assert_eq!(outcome_with("sub", sub).await, Err(AuthError::Invalid("there is no subject")));
    }
}

#[tokio::test]
async fn an_unsigned_token_is_refused() {
    let provider = Provider::start().await;
    let validator = provider.validator();
    for alg in ["none", "None", "NONE", ""] {
        let unsigned = message(&json!({"alg": alg, "kid": "k1"}), &provider.claims());
        let good = Signer::one().token("k1", &provider.claims());
        let borrowed = good.rsplit_once('.').unwrap().1;
        for token in [format!("{unsigned}."), unsigned.clone(), format!("{unsigned}.{borrowed}")] {
            assert!(matches!(validator.authenticate(&token, at(0)).await, Err(AuthError::Invalid(_))), "{alg}");
        }
    }
    assert_eq!(provider.key_fetches(), 0, "nobody was asked for a key");
}

#[tokio::test]
async fn the_public_key_is_not_a_shared_secret() {
    let provider = Provider::start().await;
    let message = message(&json!({"alg": "HS256", "kid": "k1"}), &provider.claims());
    for secret in [Signer::one().modulus(), Signer::one().jwk("k1").to_string().into_bytes()] {
        let mut mac = Hmac::<sha2::Sha256>::new_from_slice(&secret).unwrap();
        mac.update(message.as_bytes());
        let token = format!("{message}.{}", URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes()));
        let outcome = provider.validator().authenticate(&token, at(0)).await;
        assert_eq!(outcome, Err(AuthError::Invalid("the algorithm is not allowed")));
    }
}

#[tokio::test]
async fn a_foreign_key_with_our_key_id_is_refused() {
    let provider = Provider::start().await;
    let token = Signer::two().token("k1", &provider.claims());
    let outcome = provider.validator().authenticate(&token, at(0)).await;
    assert_eq!(outcome, Err(AuthError::Invalid("the signature does not match")));
}

#[tokio::test]
async fn the_key_decides_the_algorithm() {
    let provider = Provider::start().await;
    let token = Signer::one().sign(&json!({"alg": "ES256", "kid": "k1"}), &provider.claims());
    let outcome = provider.validator().authenticate(&token, at(0)).await;
    assert_eq!(outcome, Err(AuthError::Invalid("the algorithm is not the key's")));
}

#[tokio::test]
async fn elliptic_keys_are_for_those_who_allow_them() {
    let provider = Provider::start().await;
    let signer = Signer::p256();
    provider.publish(&[signer.jwk("e1"), Signer::one().jwk("e1")]);
    let token = signer.token("e1", &provider.claims());
    assert!(provider.validator().authenticate(&token, at(0)).await.is_ok(), "two keys share one id");
    let config = Config { algorithms: vec![Algorithm::Rs256], ..provider.config() };
    let outcome = Validator::new(config).unwrap().authenticate(&token, at(0)).await;
    assert_eq!(outcome, Err(AuthError::Invalid("the algorithm is not allowed")));
}

#[tokio::test]
async fn a_tampered_payload_is_refused() {
    let provider = Provider::start().await;
    let good = Signer::one().token("k1", &provider.claims());
    let (header, rest) = good.split_once('.').unwrap();
    let signature = rest.split_once('.').unwrap().1;
    let payload = URL_SAFE_NO_PAD.encode(provider.claims_with("oid", json!("org_2")).to_string());
    let outcome = provider.validator().authenticate(&format!("{header}.{payload}.{signature}"), at(0)).await;
    assert_eq!(outcome, Err(AuthError::Invalid("the signature does not match")));
}

#[tokio::test]
async fn headers_that_ask_for_more_are_refused() {
    let provider = Provider::start().await;
    let (validator, signer) = (provider.validator(), Signer::one());
    for header in [
        json!({"alg": "RS256", "kid": "k1", "crit": ["exp"]}),
        json!({"alg": "RS256", "kid": "k1", "typ": "logout+jwt"}),
        json!({"alg": "RS256"}),
        json!({"alg": "RS256", "kid": 1}),
        json!({"kid": "k1"}),
        json!({"alg": "RS256", "kid": "k".repeat(300)}),
        json!(["RS256"]),
    ] {
        let token = signer.sign(&header, &provider.claims());
        assert!(matches!(validator.authenticate(&token, at(0)).await, Err(AuthError::Invalid(_))), "{header}");
    }
    for typ in ["JWT", "jwt", "at+jwt", "application/at+jwt"] {
        let token = signer.sign(&json!({"alg": "RS256", "kid": "k1", "typ": typ}), &provider.claims());
        assert!(validator.authenticate(&token, at(0)).await.is_ok(), "{typ}");
    }
}

#[tokio::test]
async fn a_token_of_absurd_length_is_refused_unread() {
    let huge = outcome_with("padding", json!("x".repeat(20_000))).await;
    assert_eq!(huge, Err(AuthError::Invalid("it is too long")));
}

#[tokio::test]
async fn the_token_of_a_machine_client_is_not_a_person() {
    let provider = Provider::start().await;
    let (scalekit, signer) = (scalekit(&provider), Signer::one());
    let mut machine = provider.claims_with("sid", Value::Null);
    machine["sub"] = json!("m2morg_1");
    machine["client_id"] = json!("m2morg_1");
    let with_session = provider.claims_with("sub", json!("m2morg_1"));
    let without_session = provider.claims_with("sid", Value::Null);
    for claims in [&machine, &with_session, &without_session] {
        let outcome = scalekit.authenticate(&signer.token("k1", claims), at(0)).await;
        assert!(matches!(outcome, Err(AuthError::Invalid(_))), "{claims}");
    }
    let person = scalekit.authenticate(&signer.token("k1", &provider.claims()), at(0)).await.unwrap();
    assert_eq!(person.user_id.as_str(), "usr_1");
    // Elsewhere the shape of a session is a matter of configuration.
    assert!(provider.validator().authenticate(&signer.token("k1", &machine), at(0)).await.is_ok());
}

#[tokio::test]
async fn an_id_token_tells_claims_and_is_not_a_session() {
    let provider = Provider::start().await;
    let scalekit = scalekit(&provider);
    let mut claims = provider.claims_with("at_hash", json!("AAAAAAAAAAAAAAAAAAAAAA"));
    claims["email"] = json!("jane@example.com");
    claims["email_verified"] = json!(true);
    let token = Signer::one().token("k1", &claims);
    assert_eq!(scalekit.authenticate(&token, at(0)).await, Err(AuthError::Invalid("it is not an access token")));
    let claims = scalekit.validator().claims(&token, at(0)).await.unwrap();
    assert_eq!(claims.verified_email(), Some("jane@example.com"));
}

#[tokio::test]
async fn the_documented_tokens_are_told_apart() {
    let Some(documented) = contracts::read("token-claims.json") else { return };
    let provider = Provider::start().await;
    let config = tollkeeper_scalekit::Config::new(&provider.url, "skc_1000000000000001", "secret".to_owned().into());
    let scalekit = Scalekit::new(config, StandingClock::new()).unwrap();
    let token = |name: &str| {
        let mut claims = documented[name]["payload"].clone();
        claims["iss"] = json!(provider.url);
        if claims["aud"].is_null() {
            claims["aud"] = json!("skc_1000000000000001");
        }
        Signer::one().token("k1", &claims)
    };
    let session = scalekit.authenticate(&token("access_token_user_session"), at(0)).await.unwrap();
    assert_eq!(session.organization_id, Some("org_1000000000000001".into()));
    assert_eq!(session.permissions, ["billing:manage", "billing:read"]);
    assert_eq!(session.email, None);
    assert!(scalekit.authenticate(&token("id_token"), at(0)).await.is_err());
    assert!(scalekit.authenticate(&token("access_token_organization_api_client"), at(0)).await.is_err());
}

#[tokio::test]
async fn the_organization_is_where_the_configuration_says() {
    let paths = |paths: &[&str]| {
        let paths: Vec<_> = paths.iter().map(|path| (*path).to_owned()).collect();
        move |config: &mut Config| config.organization_claim = paths
    };
    let organization = |session: Session| session.organization_id.map(|id| id.into_string());
    let nested = |provider: &Provider| provider.claims_with("o", json!({"id": "org_nested"}));
    assert_eq!(organization(outcome(paths(&["oid"]), nested).await.unwrap()).as_deref(), Some("org_1"));
    assert_eq!(organization(outcome(paths(&["o.id"]), nested).await.unwrap()).as_deref(), Some("org_nested"));
    assert_eq!(
        organization(outcome(paths(&["org_id", "o.id", "oid"]), nested).await.unwrap()).as_deref(),
        Some("org_nested")
    );
    assert_eq!(organization(outcome(paths(&["org_id", "oid"]), nested).await.unwrap()).as_deref(), Some("org_1"));
}

#[tokio::test]
async fn a_token_without_organization_is_a_session_without_one() {
    for oid in [Value::Null, json!(""), json!(7)] {
        let session = outcome_with("oid", oid).await.unwrap();
        assert_eq!(session.organization_id, None);
        assert!(!session.is_own_organization);
    }
}

#[tokio::test]
async fn everybody_is_an_organization_where_the_claim_is_sub() {
    let session = outcome(|config| config.organization_claim = vec!["sub".to_owned()], Provider::claims).await.unwrap();
    assert_eq!(session.organization_id, Some("usr_1".into()));
    assert!(session.is_own_organization);
}

#[tokio::test]
async fn an_email_is_taken_only_when_it_is_verified() {
    let email = |verified: Value| {
        outcome(
            |_| (),
            move |provider| {
                let mut claims = provider.claims_with("email", json!("jane@example.com"));
                claims["email_verified"] = verified;
                claims
            },
        )
    };
    assert_eq!(email(json!(true)).await.unwrap().email.as_deref(), Some("jane@example.com"));
    assert_eq!(email(json!(false)).await.unwrap().email, None);
    assert_eq!(email(Value::Null).await.unwrap().email, None);
}

#[tokio::test]
async fn one_role_may_be_a_string() {
    let session = outcome_with("roles", json!("owner")).await.unwrap();
    assert_eq!(session.roles, ["owner"]);
}

#[tokio::test]
async fn a_provider_without_deliveries_proves_people_and_nothing_else() {
    let provider = Provider::start().await;
    let oidc = Oidc::new(Config { jwks_url: None, ..provider.config() }).unwrap();
    let token = Signer::one().token("k1", &provider.claims());
    assert!(oidc.authenticate(&token, at(0)).await.is_ok(), "the key set is found by discovery");
    assert_eq!(oidc.organization(&"org_1".into()).await.unwrap(), None);
    assert_eq!(oidc.user(&"usr_1".into()).await.unwrap(), None);
    assert!(oidc.verify(&http::HeaderMap::new(), bytes::Bytes::new(), at(0)).is_err());
}

#[test]
fn hostile_tokens_are_refused_and_nothing_panics() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let provider = runtime.block_on(Provider::start());
    let validator = provider.validator();
    let good = Signer::one().token("k1", &provider.claims());
    assert!(runtime.block_on(validator.authenticate(&good, at(0))).is_ok());
    let refused = |token: &str| runtime.block_on(validator.authenticate(token, at(0))).is_err();

    let part = "[A-Za-z0-9_.=-]{0,80}";
    proptest!(|(noise in "(?s).{0,200}", a in part, position: prop::sample::Index, byte in 32_u8..127,
                cut: prop::sample::Index, header in "[ -~]{0,60}", value in "[ -~]{0,60}")| {
        let mut mutated = good.clone().into_bytes();
        let position = position.index(mutated.len());
        let same = mutated[position] == byte;
        mutated[position] = byte;
        let encode = |text: &str| URL_SAFE_NO_PAD.encode(text);
        let strange = json!({"alg": "RS256", "kid": header});
        let mut hostile = vec![
            noise,
            a,
            good[..cut.index(good.len())].to_owned(),
            format!("{good}."),
            format!("{}.{}.{}", encode(&header), encode(&value), encode(&value)),
            message(&strange, &provider.claims_with(&value, json!(1))),
            Signer::two().sign(&strange, &provider.claims_with(&value, json!(1))),
        ];
        if !same {
            hostile.push(String::from_utf8(mutated).unwrap());
        }
        for token in &hostile {
            prop_assert!(refused(token), "{}", token);
        }
    });
}
