//! What a delivery must present: Chargebee signs nothing and offers Basic authentication instead.

use base64::{
    Engine,
    alphabet::STANDARD,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use http::{HeaderMap, header::AUTHORIZATION};
use secrecy::ExposeSecret;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use tollkeeper_core::ports::VerifyError;

use crate::config::Config;

/// Standard base64, with or without its padding.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// User and password, as digests: comparing digests takes the same time however much of a guess is right, and however
/// long it is.
pub(crate) struct Credentials {
    username: [u8; 32],
    password: [u8; 32],
}

impl Credentials {
    /// What these settings ask for; `None` when they accept everybody.
    pub(crate) fn of(config: &Config) -> Option<Self> {
        if config.insecure_webhooks {
            return None;
        }
        let (username, password) = config.webhook_credentials()?;
        Some(Self { username: digest(username.as_bytes()), password: digest(password.expose_secret().as_bytes()) })
    }

    /// Checks the `Authorization` header of a delivery (RFC 7617).
    pub(crate) fn check(&self, headers: &HeaderMap) -> Result<(), VerifyError> {
        const HEADER: &str = "authorization";
        let value = headers.get(AUTHORIZATION).ok_or(VerifyError::Missing(HEADER))?.as_bytes();
        let malformed = VerifyError::Malformed(HEADER);
        let space = value.iter().position(|byte| *byte == b' ').ok_or(malformed.clone())?;
        let (scheme, rest) = value.split_at(space);
        if !scheme.eq_ignore_ascii_case(b"basic") {
            return Err(malformed);
        }
        let presented = BASE64.decode(rest.trim_ascii()).map_err(|_| malformed.clone())?;
        let colon = presented.iter().position(|byte| *byte == b':').ok_or(malformed)?;
        let username = digest(&presented[..colon]).ct_eq(&self.username);
        let password = digest(&presented[colon + 1..]).ct_eq(&self.password);
        if bool::from(username & password) { Ok(()) } else { Err(VerifyError::Mismatch) }
    }
}

fn digest(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}
