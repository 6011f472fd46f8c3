//! What proves a delivery: the `Stripe-Signature` header.
//!
//! `t=SECONDS,v1=HEX[,v1=HEX…][,v0=HEX]`. A `v1` is HMAC-SHA256 over the seconds, a full stop and the raw body, in
//! lower-case hexadecimal; the key is the whole text of the secret, `whsec_` included. While a secret is replaced, a
//! delivery has a `v1` of each; any that matches is enough. Other schemes are passed over.
//!
//! Source: the official Node client's `Webhooks.js`, 23.1.0, and the vectors made with it.

use std::time::Duration;

use hmac::{Hmac, KeyInit as _, Mac as _};
use http::HeaderMap;
use secrecy::{ExposeSecret as _, SecretString};
use sha2::Sha256;
use subtle::{Choice, ConstantTimeEq as _};
use tollkeeper_core::{ports::VerifyError, time::MachineTime};

use crate::config::Config;

const HEADER: &str = "stripe-signature";

/// The longest header that is looked at: two secrets sign with about 160 bytes.
const MAX_HEADER_BYTES: usize = 4096;

/// The secrets that a delivery may be signed with.
pub(crate) struct Signatures {
    secrets: Vec<SecretString>,
    tolerance: Duration,
}

impl Signatures {
    pub(crate) fn of(config: &Config) -> Self {
        Self { secrets: config.webhook_secrets.clone(), tolerance: config.tolerance }
    }

    /// Checks a delivery, in constant time for each secret.
    ///
    /// Stricter than the official check in three points: a time that lies further in the future than the tolerance is
    /// refused as one that lies in the past (there it passes, and a delivery could be kept for later), the tolerance is
    /// never zero (there that switches the check off), and the seconds must be digits alone and be given once.
    pub(crate) fn check(&self, headers: &HeaderMap, body: &[u8], now: MachineTime) -> Result<(), VerifyError> {
        let header = headers.get(HEADER).ok_or(VerifyError::Missing(HEADER))?.as_bytes();
        let signed = Signed::read(header).ok_or(VerifyError::Malformed(HEADER))?;
        let mut matches = Choice::from(0);
        for secret in &self.secrets {
            let expected = signature(secret, signed.seconds_text, body);
            for given in &signed.signatures {
                matches |= expected.as_bytes().ct_eq(given);
            }
        }
        if !bool::from(matches) {
            return Err(VerifyError::Mismatch);
        }
        let age = now.as_unix_seconds().abs_diff(signed.seconds);
        if age > self.tolerance.as_secs() { Err(VerifyError::Stale) } else { Ok(()) }
    }
}

/// The parts of a header.
struct Signed<'a> {
    seconds: i64,
    /// As they were signed.
    seconds_text: &'a str,
    signatures: Vec<&'a [u8]>,
}

impl<'a> Signed<'a> {
    fn read(header: &'a [u8]) -> Option<Self> {
        let text = std::str::from_utf8(header).ok().filter(|text| text.len() <= MAX_HEADER_BYTES)?;
        let mut seconds_text = None;
        let mut signatures = Vec::new();
        for part in text.split(',') {
            match part.split_once('=') {
                Some(("t", _)) if seconds_text.is_some() => return None,
                Some(("t", value)) => seconds_text = Some(value),
                Some(("v1", value)) => signatures.push(value.as_bytes()),
                Some(_) | None => {}
            }
        }
        let seconds_text = seconds_text.filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()))?;
        let seconds = seconds_text.parse().ok()?;
        (!signatures.is_empty()).then_some(Self { seconds, seconds_text, signatures })
    }
}

/// The signature of a body, in lower-case hexadecimal.
fn signature(secret: &SecretString, seconds: &str, body: &[u8]) -> String {
    let mut mac =
        Hmac::<Sha256>::new_from_slice(secret.expose_secret().as_bytes()).expect("HMAC takes keys of any length");
    mac.update(seconds.as_bytes());
    mac.update(b".");
    mac.update(body);
    hex::encode(mac.finalize().into_bytes())
}
