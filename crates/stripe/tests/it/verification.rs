use std::{sync::LazyLock, time::Duration};

use bytes::Bytes;
use hmac::{Hmac, KeyInit as _, Mac as _};
use http::{HeaderMap, HeaderValue};
use proptest::prelude::*;
use secrecy::SecretString;
use sha2::Sha256;
use tollkeeper_core::{
    ports::{Inbound, Verified, VerifyError},
    time::MachineTime,
};
use tollkeeper_stripe::{Config, ConfigError, Stripe};

use crate::{
    contracts::Contracts,
    fake::{adapter, config, offline},
};

const NOW: i64 = 1_790_812_800;
const BODY: &[u8] = b"{\"id\":\"evt_1\"}";

fn check(stripe: &Stripe, header: Option<&str>, body: &[u8], now: i64) -> Result<Verified, VerifyError> {
    let mut headers = HeaderMap::new();
    if let Some(header) = header {
        headers.insert("stripe-signature", HeaderValue::from_str(header).unwrap());
    }
    stripe.verify(&headers, Bytes::copy_from_slice(body), MachineTime::from_unix_seconds(now))
}

fn signed(secret: &str, seconds: &str, body: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(seconds.as_bytes());
    mac.update(b".");
    mac.update(body);
    hex::encode(mac.finalize().into_bytes())
}

/// A header that the first secret of the test settings signed.
fn header(seconds: i64) -> String {
    format!("t={seconds},v1={}", signed("whsec_test_secret", &seconds.to_string(), BODY))
}

#[test]
fn the_official_vectors_are_met() {
    let Some(contracts) = Contracts::open("vectors") else { return };
    let file = contracts.json("webhook-signature-vectors.json");
    let vectors = file["vectors"].as_array().unwrap();
    assert_eq!(vectors.len(), 19);
    for vector in vectors {
        let name = vector["name"].as_str().unwrap();
        let secret = vector["secret"].as_str().unwrap();
        let tolerance = Duration::from_secs(vector["tolerance"].as_u64().unwrap());
        let settings =
            Config { webhook_secrets: vec![SecretString::from(secret)], tolerance, ..config("http://127.0.0.1:9") };
        let official = vector["expect"] == "ok";
        // Where we are stricter on purpose, and refuse the settings instead of the delivery.
        match name {
            "tolerance_zero_skips_age" => {
                assert!(official);
                let error = Stripe::new(settings).unwrap_err();
                assert!(matches!(error, ConfigError::Tolerance), "zero would switch the check off");
                continue;
            }
            "blank_secret" => {
                assert!(!official);
                let error = Stripe::new(settings).unwrap_err();
                assert!(matches!(error, ConfigError::BlankWebhookSecret), "anybody could sign with it");
                continue;
            }
            _ => {}
        }
        let stripe = adapter(settings);
        let payload = vector["payload"].as_str().unwrap().as_bytes();
        let verified = check(&stripe, vector["header"].as_str(), payload, vector["received_at"].as_i64().unwrap());
        if name == "future_timestamp" {
            // The official check looks at one side only. A time that lies ahead is no delivery of ours either: it would
            // stay good for longer than the tolerance.
            assert!(official);
            assert_eq!(verified.unwrap_err(), VerifyError::Stale);
            continue;
        }
        assert_eq!(verified.is_ok(), official, "{name}: {verified:?}");
    }
}

#[test]
fn either_secret_proves_a_delivery_while_one_is_replaced() {
    let stripe = offline();
    let (old, new) =
        (signed("whsec_test_secret", "1790812800", BODY), signed("whsec_rotated_secret", "1790812800", BODY));
    for header in [
        format!("t={NOW},v1={old}"),
        format!("t={NOW},v1={new}"),
        format!("t={NOW},v1={new},v1={old},v0=00"),
        format!("v1={},v1={new},t={NOW}", "0".repeat(64)),
    ] {
        let verified = check(&stripe, Some(&header), BODY, NOW).unwrap();
        assert_eq!((verified.source().as_str(), verified.body().as_ref()), ("stripe", BODY), "{header}");
    }
}

#[test]
fn the_tolerance_counts_both_ways() {
    let stripe = offline();
    for (now, fresh) in [(NOW - 301, false), (NOW - 300, true), (NOW, true), (NOW + 300, true), (NOW + 301, false)] {
        let expected = if fresh { Ok(()) } else { Err(VerifyError::Stale) };
        assert_eq!(check(&stripe, Some(&header(NOW)), BODY, now).map(|_| ()), expected, "{now}");
    }
}

#[test]
fn anything_else_is_told_apart_only_for_us() {
    let stripe = offline();
    let good = signed("whsec_test_secret", "1790812800", BODY);
    let malformed = VerifyError::Malformed("stripe-signature");
    for (header, expected) in [
        (None, VerifyError::Missing("stripe-signature")),
        (Some(String::new()), malformed.clone()),
        (Some(format!("t={NOW}")), malformed.clone()),
        (Some(format!("v1={good}")), malformed.clone()),
        (Some(format!("t={NOW},v0={good}")), malformed.clone()),
        (Some(format!("t={NOW},t={NOW},v1={good}")), malformed.clone()),
        (Some(format!("t=+{NOW},v1={good}")), malformed.clone()),
        (Some(format!("t=99999999999999999999,v1={good}")), malformed.clone()),
        (Some(format!("t={NOW},v1={good},v0={}", "0".repeat(5000))), malformed.clone()),
        (Some(format!("t={NOW},v1={}", good.to_uppercase())), VerifyError::Mismatch),
        (Some(format!("t={NOW},v1={good} ")), VerifyError::Mismatch),
        (Some(format!("t={NOW},v1=")), VerifyError::Mismatch),
        (Some(format!("t={},v1={good}", NOW + 1)), VerifyError::Mismatch),
        (Some(format!("t={NOW},v1={}", signed("whsec_other", "1790812800", BODY))), VerifyError::Mismatch),
    ] {
        let shown = header.clone().unwrap_or_default();
        assert_eq!(check(&stripe, header.as_deref(), BODY, NOW).unwrap_err(), expected, "{shown}");
    }
    assert_eq!(check(&stripe, Some(&header(NOW)), b"{\"id\":\"evt_2\"}", NOW).unwrap_err(), VerifyError::Mismatch);
}

static OFFLINE: LazyLock<Stripe> = LazyLock::new(offline);

proptest! {
    #[test]
    fn no_header_makes_it_panic_or_pass(rest in "[ -~]{0,120}", shaped in any::<bool>(), now in any::<i64>()) {
        let header = if shaped { format!("t={NOW},v1={rest}") } else { rest };
        prop_assert!(check(&OFFLINE, Some(&header), BODY, now).is_err());
    }

    #[test]
    fn no_damage_to_a_signed_body_passes(place in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut body = BODY.to_vec();
        let place = place.index(body.len());
        prop_assume!(body[place] != byte);
        body[place] = byte;
        prop_assert_eq!(check(&OFFLINE, Some(&header(NOW)), &body, NOW).unwrap_err(), VerifyError::Mismatch);
    }
}
