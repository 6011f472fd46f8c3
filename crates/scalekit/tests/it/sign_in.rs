//! How people sign in: the address they are sent to, the forms that are sent for tokens, and what is believed.

use std::{collections::BTreeMap, error::Error as _, sync::Arc};

use axum::http::StatusCode;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};
use tollkeeper_core::ports::{
    AuthError, ErrorKind, Identified, Identity as _, ProviderError, SignIn, SignInCode, SignInError, SignInStart,
};
use tollkeeper_scalekit::{Config, Scalekit};

use crate::provider::{Provider, START, Signer, StandingClock, at};

const SECRET: &str = "top-secret";

async fn start() -> (Arc<Provider>, Scalekit) {
    with(|_| {}).await
}

async fn with(adjust: impl FnOnce(&mut Config)) -> (Arc<Provider>, Scalekit) {
    let provider = Provider::start().await;
    let mut config = Config::new(&provider.url, "skc_1", SECRET.to_owned().into());
    adjust(&mut config);
    let scalekit = Scalekit::new(config, StandingClock::new()).unwrap();
    (provider, scalekit)
}

fn port(scalekit: &Scalekit) -> &dyn SignIn {
    scalekit.sign_in().unwrap()
}

fn code() -> SignInCode {
    SignInCode {
        code: "the-code".into(),
        verifier: "the-verifier".into(),
        redirect_uri: "https://app.example.com/auth/callback".into(),
    }
}

fn pairs(form: &str) -> BTreeMap<String, String> {
    reqwest::Url::parse(&format!("http://form/?{form}")).unwrap().query_pairs().into_owned().collect()
}

fn named(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

#[tokio::test]
async fn a_browser_is_sent_with_everything_that_makes_its_way_back_its_own() {
    let (provider, scalekit) = start().await;
    let mut start = SignInStart {
        state: "a state".into(),
        nonce: "a&nonce".into(),
        code_challenge: "challenge".into(),
        redirect_uri: "https://app.example.com/auth/callback".into(),
        organization_id: None,
        prompt: None,
    };
    let url = port(&scalekit).begin(&start);
    let (page, query) = url.split_once('?').unwrap();
    assert_eq!(page, format!("{}/oauth/authorize", provider.url));
    let mut wanted = named(&[
        ("response_type", "code"),
        ("client_id", "skc_1"),
        ("redirect_uri", "https://app.example.com/auth/callback"),
        ("scope", "openid profile email offline_access"),
        ("state", "a state"),
        ("nonce", "a&nonce"),
        ("code_challenge", "challenge"),
        ("code_challenge_method", "S256"),
    ]);
    assert_eq!(pairs(query), wanted);
    (start.organization_id, start.prompt) = (Some("org_1".into()), Some("create".into()));
    wanted.extend(named(&[("organization_id", "org_1"), ("prompt", "create")]));
    assert_eq!(pairs(port(&scalekit).begin(&start).split_once('?').unwrap().1), wanted);
    assert!(provider.seen().is_empty());
    assert!(!format!("{start:?} {:?}", code()).contains("state") && !format!("{:?}", code()).contains("the-code"));
}

#[tokio::test]
async fn a_code_and_a_refresh_token_are_traded_for_tokens() {
    let (provider, scalekit) = start().await;
    let full = json!({"access_token": "at", "refresh_token": "rt", "id_token": "it", "token_type": "Bearer", "expires_in": 299});
    let bare = json!({"access_token": "at2", "refresh_token": "", "expires_in": "299"});
    provider.will_answer([(StatusCode::OK, vec![], full), (StatusCode::OK, vec![], bare)]);
    let tokens = port(&scalekit).redeem(&code()).await.unwrap();
    let text = |token: &Option<SecretString>| token.as_ref().map(|token| token.expose_secret().to_owned());
    assert_eq!(tokens.access_token.expose_secret(), "at");
    assert_eq!((text(&tokens.refresh_token), text(&tokens.id_token)), (Some("rt".into()), Some("it".into())));
    let tokens = port(&scalekit).refresh(&"the-refresh-token".into()).await.unwrap();
    assert_eq!(tokens.access_token.expose_secret(), "at2");
    assert_eq!((text(&tokens.refresh_token), text(&tokens.id_token)), (None, None));
    assert!(!format!("{tokens:?}").contains("at2"));

    let seen = provider.seen();
    assert_eq!(provider.lines(), ["POST /oauth/token", "POST /oauth/token"]);
    assert!(seen.iter().all(|seen| seen.authorization.is_none()));
    let credentials = [("client_id", "skc_1"), ("client_secret", SECRET)];
    let mut wanted = named(&credentials);
    wanted.extend(named(&[
        ("grant_type", "authorization_code"),
        ("code", "the-code"),
        ("code_verifier", "the-verifier"),
        ("redirect_uri", "https://app.example.com/auth/callback"),
    ]));
    assert_eq!(pairs(&seen[0].body), wanted);
    let mut wanted = named(&credentials);
    wanted.extend(named(&[("grant_type", "refresh_token"), ("refresh_token", "the-refresh-token")]));
    assert_eq!(pairs(&seen[1].body), wanted);
}

/// An error and everything behind it, in every form that a log may show.
fn everything(error: &SignInError) -> String {
    let mut text = format!("{error} {error:?}");
    let mut cause = error.source();
    while let Some(one) = cause {
        text += &format!(" {one} {one:?}");
        cause = one.source();
    }
    text
}

#[tokio::test]
async fn only_a_plain_no_to_the_grant_ends_anything() {
    let (provider, scalekit) = start().await;
    let words = "the-refresh-token the-code the-verifier top-secret";
    for (status, body, wanted) in [
        (400, json!({"error": "invalid_grant", "error_description": words}), None),
        (401, json!({"error": "invalid_grant"}), None),
        (
            400,
            json!({"error": "invalid_request", "error_description": "invalid_grant"}),
            Some((ErrorKind::Rejected, Some("invalid_request"))),
        ),
        (
            400,
            json!({"error_description": "invalid_grant", "message": "invalid_grant"}),
            Some((ErrorKind::Rejected, None)),
        ),
        (400, json!({"details": [{"error_code": "invalid_grant"}]}), Some((ErrorKind::Rejected, None))),
        (400, json!({"error": words}), Some((ErrorKind::Rejected, None))),
        (400, json!({"error": ["invalid_grant"]}), Some((ErrorKind::Rejected, None))),
        (400, json!("invalid_grant"), Some((ErrorKind::Rejected, None))),
        (401, json!({"error": "invalid_client"}), Some((ErrorKind::Rejected, Some("invalid_client")))),
        (302, json!({}), Some((ErrorKind::Rejected, None))),
        (429, json!({}), Some((ErrorKind::Throttled(std::time::Duration::from_secs(7)), None))),
        (
            503,
            json!({"error": "temporarily_unavailable"}),
            Some((ErrorKind::Transient, Some("temporarily_unavailable"))),
        ),
        (200, json!({"access": "the-code"}), Some((ErrorKind::OutcomeUnknown, None))),
        (200, json!("the-refresh-token"), Some((ErrorKind::OutcomeUnknown, None))),
    ] {
        let answer = || (StatusCode::from_u16(status).unwrap(), vec![("retry-after", "7")], body.clone());
        provider.will_answer([answer(), answer()]);
        for error in [
            port(&scalekit).redeem(&code()).await.unwrap_err(),
            port(&scalekit).refresh(&"the-refresh-token".into()).await.unwrap_err(),
        ] {
            let said = everything(&error);
            for secret in ["the-refresh-token", "the-code", "the-verifier", SECRET] {
                assert!(!said.contains(secret), "{secret} is in {said}");
            }
            let found = match error {
                SignInError::Refused => None,
                SignInError::Provider(ProviderError { kind, code, .. }) => Some((kind, code)),
            };
            assert_eq!(found, wanted.map(|(kind, code)| (kind, code.map(str::to_owned))), "{status} {body}");
        }
    }
}

#[tokio::test]
async fn a_provider_that_is_not_there_did_nothing() {
    let nobody = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", nobody.local_addr().unwrap());
    drop(nobody);
    crate::provider::install_tls();
    let scalekit = Scalekit::new(Config::new(url, "skc_1", SECRET.to_owned().into()), StandingClock::new()).unwrap();
    let error = port(&scalekit).refresh(&"the-refresh-token".into()).await.unwrap_err();
    assert!(matches!(&error, SignInError::Provider(it) if it.kind == ErrorKind::Transient), "{error:?}");
    assert!(!everything(&error).contains("the-refresh-token"));
}

/// The claims of an ID token.
fn claims(provider: &Provider) -> Value {
    json!({
        "iss": provider.url, "aud": ["skc_1"], "azp": "skc_1", "sub": "usr_1", "oid": "org_1", "sid": "ses_1",
        "iat": START, "exp": START + 1_800, "at_hash": "x", "c_hash": "y", "amr": ["pwd"], "nonce": "n",
        "email": "ada@example.com", "email_verified": true,
    })
}

#[tokio::test]
async fn an_id_token_says_who_it_is_and_which_e_mail_is_theirs() {
    // Access tokens may be for an API of ours; an ID token is always for the client.
    let (provider, scalekit) = with(|config| config.audience = Some("https://api.example.com".into())).await;
    let prove = async |claims: &Value, nonce| {
        let token = Signer::one().token("k1", claims).into();
        port(&scalekit).prove(&token, nonce, at(0)).await
    };
    let good = claims(&provider);
    let ada = |email: Option<&str>| Identified { user_id: "usr_1".into(), email: email.map(str::to_owned) };
    assert_eq!(prove(&good, Some("n")).await, Ok(ada(Some("ada@example.com"))));
    assert_eq!(prove(&good, None).await, Ok(ada(Some("ada@example.com"))), "a refresh repeats no nonce");
    let changed = |name: &str, value: Value| {
        let mut claims = claims(&provider);
        match value {
            Value::Null => drop(claims.as_object_mut().unwrap().remove(name)),
            value => claims[name] = value,
        }
        claims
    };
    // The claim is optional there; only a plain yes counts.
    for no in [json!(null), json!(false), json!("false"), json!("true"), json!(1)] {
        assert_eq!(prove(&changed("email_verified", no.clone()), Some("n")).await, Ok(ada(None)), "{no}");
    }
    assert_eq!(prove(&changed("email", json!("")), Some("n")).await, Ok(ada(None)));
    for (name, value) in [
        ("iss", json!("https://evil.example")),
        ("aud", json!("skc_2")),
        ("aud", json!(["https://api.example.com"])),
        ("aud", json!(null)),
        ("azp", json!("skc_2")),
        ("nonce", json!("m")),
        ("nonce", json!(null)),
        ("nonce", json!("")),
        ("sub", json!(null)),
        ("exp", json!(null)),
        ("nbf", json!(START + 1)),
    ] {
        let refused = prove(&changed(name, value.clone()), Some("n")).await;
        assert!(matches!(refused, Err(AuthError::Invalid(_))), "{name} {value}: {refused:?}");
    }
    assert_eq!(prove(&changed("exp", json!(START)), Some("n")).await, Err(AuthError::Expired));
    let foreign = Signer::two().token("k1", &good).into();
    assert!(matches!(port(&scalekit).prove(&foreign, Some("n"), at(0)).await, Err(AuthError::Invalid(_))));
    // It is no access token, wherever it is presented.
    let token = Signer::one().token("k1", &good);
    assert!(matches!(scalekit.authenticate(&token, at(0)).await, Err(AuthError::Invalid(_))));
}

#[tokio::test]
async fn leeway_is_the_same_for_every_token() {
    let (provider, scalekit) = with(|config| config.leeway = std::time::Duration::from_secs(5)).await;
    let mut claims = claims(&provider);
    claims["nbf"] = (START + 5).into();
    let token = Signer::one().token("k1", &claims).into();
    assert!(port(&scalekit).prove(&token, Some("n"), at(0)).await.is_ok());
    assert!(port(&scalekit).prove(&token, Some("n"), at(-1)).await.is_err());
}

#[tokio::test]
async fn signing_out_leads_to_the_provider_and_home() {
    let (provider, scalekit) = start().await;
    let url = port(&scalekit).logout_url(Some(&"an.id.token".into()), "https://app.example.com/?a=b&c");
    let (page, query) = url.split_once('?').unwrap();
    assert_eq!(page, format!("{}/oidc/logout", provider.url));
    let home = ("post_logout_redirect_uri", "https://app.example.com/?a=b&c");
    assert_eq!(pairs(query), named(&[("id_token_hint", "an.id.token"), home]));
    let url = port(&scalekit).logout_url(None, home.1);
    assert_eq!(pairs(url.split_once('?').unwrap().1), named(&[home]));
    assert_eq!(port(&scalekit).origin(), provider.url);
}
