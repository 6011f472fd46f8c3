use std::sync::LazyLock;

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, header::AUTHORIZATION};
use proptest::prelude::*;
use tollkeeper_chargebee::{Chargebee, Config, ConfigError};
use tollkeeper_core::{
    ports::{Inbound, Verified, VerifyError},
    time::MachineTime,
};

use crate::fake::{adapter, config, offline};

fn verify(chargebee: &Chargebee, header: Option<&[u8]>) -> Result<Verified, VerifyError> {
    let mut headers = HeaderMap::new();
    if let Some(header) = header {
        headers.insert(AUTHORIZATION, HeaderValue::from_bytes(header).unwrap());
    }
    chargebee.verify(&headers, Bytes::from_static(b"{}"), MachineTime::from_micros(0))
}

fn basic(scheme: &str, credentials: &str) -> Vec<u8> {
    format!("{scheme} {}", STANDARD.encode(credentials)).into_bytes()
}

#[test]
fn the_right_credentials_pass_whatever_the_case_of_the_scheme() {
    let chargebee = offline();
    for scheme in ["Basic", "basic", "BASIC"] {
        let verified = verify(&chargebee, Some(&basic(scheme, "hook:s3cret:with colon"))).unwrap();
        assert_eq!(verified.source().as_str(), "chargebee");
        assert_eq!(verified.body().as_ref(), b"{}");
    }
}

#[test]
fn anything_else_is_told_apart_only_for_us() {
    let chargebee = offline();
    let malformed = VerifyError::Malformed("authorization");
    for (header, expected) in [
        (None, VerifyError::Missing("authorization")),
        (Some(basic("Basic", "hook:wrong")), VerifyError::Mismatch),
        (Some(basic("Basic", "wrong:s3cret:with colon")), VerifyError::Mismatch),
        (Some(basic("Basic", ":")), VerifyError::Mismatch),
        (Some(basic("Basic", "hook")), malformed.clone()),
        (Some(b"Basic !!!".to_vec()), malformed.clone()),
        (Some(b"Basic".to_vec()), malformed.clone()),
        (Some(basic("Bearer", "hook:s3cret:with colon")), malformed.clone()),
    ] {
        let shown = header.as_deref().map(String::from_utf8_lossy).unwrap_or_default().into_owned();
        assert_eq!(verify(&chargebee, header.as_deref()).unwrap_err(), expected, "{shown}");
    }
}

#[test]
fn insecure_webhooks_let_everything_pass() {
    let chargebee = adapter(Config { insecure_webhooks: true, ..config("http://127.0.0.1:9") });
    verify(&chargebee, None).unwrap();
    verify(&chargebee, Some(b"nonsense")).unwrap();
}

#[test]
fn without_credentials_there_is_no_adapter() {
    let error = Chargebee::new(Config { webhook_password: None, ..config("http://127.0.0.1:9") }).unwrap_err();
    assert!(matches!(error, ConfigError::WebhookCredentials));
}

static OFFLINE: LazyLock<Chargebee> = LazyLock::new(offline);

proptest! {
    #[test]
    fn no_header_makes_it_panic_or_pass(header in proptest::collection::vec(prop::sample::select(
        (0_u8..=255).filter(|byte| *byte >= 32 && *byte != 127).collect::<Vec<_>>()), 0..80), scheme in any::<bool>()) {
        let mut value = if scheme { b"Basic ".to_vec() } else { Vec::new() };
        value.extend(header);
        prop_assert!(verify(&OFFLINE, Some(&value)).is_err());
    }

    #[test]
    fn no_delivery_of_a_stranger_passes(
        headers in proptest::collection::vec((
            prop::sample::select(vec!["authorization", "proxy-authorization", "content-type", "x-odd"]),
            proptest::collection::vec(any::<u8>(), 0..60)), 0..6),
        body in proptest::collection::vec(any::<u8>(), 0..200),
    ) {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            if let Ok(value) = HeaderValue::from_bytes(&value) {
                map.append(name, value);
            }
        }
        prop_assert!(OFFLINE.verify(&map, body.into(), MachineTime::from_micros(0)).is_err());
    }
}
