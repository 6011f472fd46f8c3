//! Signatures of webhooks: Standard Webhooks v1, and Stripe's own.
//!
//! Source: the Standard Webhooks specification; Scalekit docs, "Validate webhooks"; for Stripe, the official Node
//! client 23.1, `Webhooks.js`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

/// The key inside `whsec_…`.
#[derive(Clone)]
pub(crate) struct SigningKey(Vec<u8>);

impl SigningKey {
    /// Reads `whsec_` and standard base64; `None` for anything else.
    pub(crate) fn parse(secret: &str) -> Option<Self> {
        let key = STANDARD.decode(secret.strip_prefix("whsec_")?).ok()?;
        (!key.is_empty()).then_some(Self(key))
    }

    /// The `webhook-signature` header of a message; `timestamp` in Unix seconds of machine time.
    pub(crate) fn sign(&self, message_id: &str, timestamp: i64, body: &str) -> String {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).expect("HMAC takes keys of any length");
        mac.update(format!("{message_id}.{timestamp}.{body}").as_bytes());
        format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
    }
}

/// The `Stripe-Signature` header of a body; `timestamp` in Unix seconds of machine time.
///
/// The key is the whole text of the secret, `whsec_` included.
pub(crate) fn stripe_signature(secret: &str, timestamp: i64, body: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("HMAC takes keys of any length");
    mac.update(format!("{timestamp}.{body}").as_bytes());
    let hex: String = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("t={timestamp},v1={hex}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_vector_is_met() {
        // Source: the Standard Webhooks reference libraries.
        let key = SigningKey::parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let signature = key.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, r#"{"test": 2432232314}"#);
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn stripes_published_vector_is_met() {
        // Source: made with the official Node client 23.1, `webhooks.generateTestHeaderString`.
        let body = concat!(
            r#"{"id":"evt_test_1","object":"event","api_version":"2026-10-28.endive","created":1790812800,"#,
            r#""type":"customer.subscription.updated","livemode":false,"#,
            r#""data":{"object":{"id":"sub_1","object":"subscription","status":"active"}}}"#
        );
        assert_eq!(
            stripe_signature("whsec_test_secret", 1_790_812_800, body),
            "t=1790812800,v1=9eb261001e95807440213782976d0949e4e4c00bf50807c9da11a6781042b7c7"
        );
    }
}
