//! Standard Webhooks: signing and verifying deliveries with a shared secret.
//!
//! The signature is HMAC-SHA256 over `{id}.{timestamp}.{body}`, written `v1,` and standard base64; the header may hold
//! several, separated by spaces, and one that matches is enough. Other versions are passed over.
//!
//! Source: Standard Webhooks specification, v1 symmetric signatures.

use std::{fmt, time::Duration};

use base64::{Engine as _, engine::general_purpose::STANDARD, engine::general_purpose::STANDARD_NO_PAD};
use hmac::{Hmac, KeyInit as _, Mac as _};
use http::HeaderMap;
use secrecy::{ExposeSecret as _, SecretBox};
use sha2::Sha256;
use subtle::{Choice, ConstantTimeEq as _};
use tollkeeper_core::{ports::VerifyError, time::MachineTime};

/// The delivery's id; the same in every attempt.
pub const ID_HEADER: &str = "webhook-id";
/// When the attempt was made, in Unix seconds.
pub const TIMESTAMP_HEADER: &str = "webhook-timestamp";
/// The signatures.
pub const SIGNATURE_HEADER: &str = "webhook-signature";

/// How far the sender's clock and ours may be apart, both ways, inclusive.
pub const TOLERANCE: Duration = Duration::from_secs(300);

/// A shared secret, decoded. Its bytes show nowhere.
pub struct Secret(SecretBox<[u8]>);

/// Why a text is not a webhook secret. Never shows the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SecretError {
    /// Nothing, or nothing after the prefix.
    #[error("is empty; wanted is `whsec_` and base64, as the provider's dashboard shows it")]
    Empty,
    /// `test_…`, or URL-safe base64: implementations disagree about both, so deliveries would fail one day.
    #[error("has a prefix other than `whsec_`, or is URL-safe base64; wanted is `whsec_` and standard base64")]
    PrefixOrAlphabet,
    /// Not base64 at all.
    #[error("is not standard base64; wanted is `whsec_` and base64, as the provider's dashboard shows it")]
    NotBase64,
}

impl Secret {
    /// Reads `whsec_` and base64, or base64 alone.
    ///
    /// # Errors
    /// [`SecretError`]: stop the start with it.
    pub fn parse(text: &str) -> Result<Self, SecretError> {
        let text = text.trim();
        let encoded = text.strip_prefix("whsec_").unwrap_or(text);
        if encoded.is_empty() {
            return Err(SecretError::Empty);
        }
        if encoded.contains(['_', '-']) {
            return Err(SecretError::PrefixOrAlphabet);
        }
        let key = STANDARD_NO_PAD.decode(encoded.trim_end_matches('=')).map_err(|_| SecretError::NotBase64)?;
        if key.is_empty() {
            return Err(SecretError::Empty);
        }
        Ok(Self(SecretBox::new(key.into_boxed_slice())))
    }

    /// The signature over a delivery.
    fn mac(&self, id: &str, timestamp: &str, body: &[u8]) -> [u8; 32] {
        let mut mac = Hmac::<Sha256>::new_from_slice(self.0.expose_secret()).expect("HMAC takes keys of any length");
        for part in [id.as_bytes(), b".", timestamp.as_bytes(), b".", body] {
            mac.update(part);
        }
        mac.finalize().into_bytes().into()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// Signs a delivery: the value of one entry of the signature header, `v1,…`.
///
/// `id` must not contain dots. During a rotation, sign with each secret and join the entries with a space.
pub fn sign(secret: &Secret, id: &str, timestamp: MachineTime, body: &[u8]) -> String {
    let mac = secret.mac(id, &timestamp.as_unix_seconds().to_string(), body);
    format!("v1,{}", STANDARD.encode(mac))
}

/// Proves that the holder of one of `secrets` sent exactly these bytes, not longer ago than `tolerance` (and not from
/// further in the future), in whole seconds, inclusive.
///
/// Compares in constant time, and compares every entry with every secret.
///
/// # Errors
/// [`VerifyError`], by what is wrong.
pub fn verify(
    secrets: &[Secret],
    headers: &HeaderMap,
    body: &[u8],
    now: MachineTime,
    tolerance: Duration,
) -> Result<(), VerifyError> {
    if secrets.is_empty() {
        return Err(VerifyError::Missing("webhook secret is configured"));
    }
    let id = header(headers, ID_HEADER)?;
    let timestamp = header(headers, TIMESTAMP_HEADER)?;
    let signatures = header(headers, SIGNATURE_HEADER)?;

    if !timestamp.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(VerifyError::Malformed(TIMESTAMP_HEADER));
    }
    let sent: i64 = timestamp.parse().map_err(|_| VerifyError::Malformed(TIMESTAMP_HEADER))?;
    if now.as_unix_seconds().abs_diff(sent) > tolerance.as_secs() {
        return Err(VerifyError::Stale);
    }

    let expected: Vec<_> = secrets.iter().map(|secret| secret.mac(id, timestamp, body)).collect();
    let mut matches = Choice::from(0);
    for signature in signatures.split(' ').filter_map(|entry| entry.strip_prefix("v1,")) {
        let Ok(signature) = STANDARD.decode(signature) else { continue };
        for expected in &expected {
            matches |= expected.as_slice().ct_eq(&signature);
        }
    }
    if bool::from(matches) { Ok(()) } else { Err(VerifyError::Mismatch) }
}

fn header<'a>(headers: &'a HeaderMap, name: &'static str) -> Result<&'a str, VerifyError> {
    let value = headers.get(name).ok_or(VerifyError::Missing(name))?;
    let value = value.to_str().map_err(|_| VerifyError::Malformed(name))?;
    if value.is_empty() { Err(VerifyError::Missing(name)) } else { Ok(value) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SECRET: &str = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";
    const OTHER: &str = "whsec_ZmVkY2JhOTg3NjU0MzIxMGZlZGNiYTk4NzY1NDMyMTA=";
    const NOW: MachineTime = MachineTime::from_unix_seconds(1_767_225_600);

    fn headers(id: &str, timestamp: &str, signature: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in [(ID_HEADER, id), (TIMESTAMP_HEADER, timestamp), (SIGNATURE_HEADER, signature)] {
            headers.insert(name, value.parse().unwrap());
        }
        headers
    }

    #[test]
    fn a_secret_is_refused_with_the_reason() {
        for (text, expected) in [
            ("", SecretError::Empty),
            ("whsec_", SecretError::Empty),
            ("whsec_=", SecretError::Empty),
            ("test_MDEyMzQ1Njc4OWFiY2RlZg==", SecretError::PrefixOrAlphabet),
            ("whsec_0aWsmgFfrC73s0FnNjVRKhUR9B_jfREbJn8DnuxdT1g", SecretError::PrefixOrAlphabet),
            ("whsec_0aWsmgFfrC73s0FnNjVRKhUR9B-jfREbJn8DnuxdT1g", SecretError::PrefixOrAlphabet),
            ("whsec_not base64", SecretError::NotBase64),
        ] {
            assert_eq!(Secret::parse(text).unwrap_err(), expected, "{text}");
        }
    }

    #[test]
    fn a_secret_hides_itself() {
        assert_eq!(format!("{:?}", Secret::parse(SECRET).unwrap()), "Secret(…)");
    }

    #[test]
    fn either_secret_serves_during_a_rotation() {
        let secrets = [Secret::parse(OTHER).unwrap(), Secret::parse(SECRET).unwrap()];
        for secret in &secrets {
            let headers = headers("msg_1", "1767225600", &sign(secret, "msg_1", NOW, b"{}"));
            assert_eq!(verify(&secrets, &headers, b"{}", NOW, TOLERANCE), Ok(()));
        }
        let headers = headers("msg_1", "1767225600", &sign(&secrets[0], "msg_1", NOW, b"{}"));
        assert_eq!(verify(&secrets[1..], &headers, b"{}", NOW, TOLERANCE), Err(VerifyError::Mismatch));
        assert_eq!(
            verify(&[], &headers, b"{}", NOW, TOLERANCE),
            Err(VerifyError::Missing("webhook secret is configured"))
        );
    }

    #[test]
    fn the_published_library_makes_the_same_signatures() {
        let oracle = standardwebhooks::Webhook::new(SECRET).unwrap();
        for body in ["", "{}", "{\"name\":\"Zoë\"}\n"] {
            let theirs = oracle.sign("msg_1", 1_767_225_600, body.as_bytes()).unwrap();
            assert_eq!(sign(&Secret::parse(SECRET).unwrap(), "msg_1", NOW, body.as_bytes()), theirs);
        }
    }

    proptest! {
        #[test]
        fn what_was_signed_verifies_and_anything_else_does_not(body: Vec<u8>, other: Vec<u8>, noise in "[ -~]{0,80}") {
            let secrets = [Secret::parse(SECRET).unwrap()];
            let signature = sign(&secrets[0], "msg_1", NOW, &body);
            let good = headers("msg_1", "1767225600", &signature);
            prop_assert_eq!(verify(&secrets, &good, &body, NOW, TOLERANCE), Ok(()));
            if other != body {
                prop_assert!(verify(&secrets, &good, &other, NOW, TOLERANCE).is_err());
            }
            let _ = verify(&secrets, &headers(&noise, &noise, &noise), &body, NOW, TOLERANCE);
            prop_assert!(verify(&secrets, &headers("msg_1", "1767225600", &noise), &body, NOW, TOLERANCE).is_err());
        }
    }
}
