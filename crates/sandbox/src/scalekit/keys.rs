//! The signing keys: fixed, published with the source, and worth nothing outside of a sandbox.
//!
//! The SHA-256 of the development key's modulus (256 big-endian bytes without a leading zero, the decoded `n` of its
//! JWK) is `6695803414e269ea08e540925811176da43302ab908f25543d20a5133e0dcc60`. Whoever verifies tokens for real
//! should refuse that key.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::SystemRandom;
use ring::rsa::{KeyPair, PublicKeyComponents};
use ring::signature::{KeyPair as _, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256};
use serde_json::{Value, json};

/// The key id of both keys, so that a foreign signature cannot be told by its header.
pub(crate) const KID: &str = "snk_tollkeeper_sandbox";

/// How a token is signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SignWith {
    /// The key that `/keys` publishes.
    Dev,
    /// Another key under the same key id.
    Foreign,
    /// `alg: none` and no signature.
    Nothing,
}

#[derive(Debug)]
pub(crate) struct Keys {
    dev: KeyPair,
    foreign: KeyPair,
}

impl Keys {
    pub(crate) fn load() -> Self {
        let read = |der: &[u8]| KeyPair::from_pkcs8(der).expect("the key in the source is a PKCS#8 RSA key");
        Self {
            dev: read(include_bytes!("../../keys/dev.der")),
            foreign: read(include_bytes!("../../keys/foreign.der")),
        }
    }

    /// The key set that `/keys` answers.
    pub(crate) fn jwks(&self) -> Value {
        let public: PublicKeyComponents<Vec<u8>> = self.dev.public_key().into();
        json!({ "keys": [{
            "kty": "RSA",
            "use": "sig",
            "alg": "RS256",
            "kid": KID,
            "n": URL_SAFE_NO_PAD.encode(public.n),
            "e": URL_SAFE_NO_PAD.encode(public.e),
        }]})
    }

    /// The claims of a JWT that was signed with the development key, whether or not it has expired.
    pub(crate) fn verify(&self, token: &str) -> Option<Value> {
        let (content, signature) = token.rsplit_once('.')?;
        let signature = URL_SAFE_NO_PAD.decode(signature).ok()?;
        let public: PublicKeyComponents<Vec<u8>> = self.dev.public_key().into();
        public.verify(&RSA_PKCS1_2048_8192_SHA256, content.as_bytes(), &signature).ok()?;
        let (_, claims) = content.split_once('.')?;
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).ok()?).ok()
    }

    /// A JWT over the claims.
    pub(crate) fn sign(&self, claims: &Value, with: SignWith) -> String {
        let header = match with {
            SignWith::Dev | SignWith::Foreign => json!({ "alg": "RS256", "kid": KID, "typ": "JWT" }),
            SignWith::Nothing => json!({ "alg": "none", "typ": "JWT" }),
        };
        let content =
            format!("{}.{}", URL_SAFE_NO_PAD.encode(header.to_string()), URL_SAFE_NO_PAD.encode(claims.to_string()));
        let key = match with {
            SignWith::Dev => &self.dev,
            SignWith::Foreign => &self.foreign,
            SignWith::Nothing => return format!("{content}."),
        };
        let mut signature = vec![0; key.public().modulus_len()];
        key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), content.as_bytes(), &mut signature)
            .expect("the signature buffer has the length of the modulus");
        format!("{content}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}

#[cfg(test)]
mod tests {
    use ring::digest::{SHA256, digest};

    use super::*;

    #[test]
    fn only_our_own_signature_verifies() {
        let keys = Keys::load();
        let claims = json!({ "sid": "ses_1" });
        let good = keys.sign(&claims, SignWith::Dev);
        assert_eq!(keys.verify(&good), Some(claims.clone()));
        let (content, _) = good.rsplit_once('.').unwrap();
        let unsigned = format!("{content}.");
        for bad in ["", "a", "a.b", "a.b.c", &unsigned, &keys.sign(&claims, SignWith::Foreign)] {
            assert_eq!(keys.verify(bad), None, "{bad}");
        }
    }

    #[test]
    fn the_published_hash_is_the_keys() {
        let public: PublicKeyComponents<Vec<u8>> = Keys::load().dev.public_key().into();
        let hash = hex::encode(digest(&SHA256, &public.n));
        assert_eq!(hash, "6695803414e269ea08e540925811176da43302ab908f25543d20a5133e0dcc60");
    }
}
