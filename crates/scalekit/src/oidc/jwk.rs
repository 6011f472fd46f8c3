//! Public keys, as a key set publishes them.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::signature::{self, RsaPublicKeyComponents, UnparsedPublicKey};
use serde::Deserialize;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::Algorithm;

/// SHA-256, in hexadecimal, of the moduli of the sandbox's key pairs (big-endian, without a leading zero byte). Their
/// private halves are public, so tokens signed with them prove nothing and only count where the issuer is loopback.
pub const REFUSED_MODULI: [&str; 2] = [
    "6695803414e269ea08e540925811176da43302ab908f25543d20a5133e0dcc60",
    "1d8165084bc09b980da20ab4616c0a28cc7d32f4c0da7d6ac6a71b13c541b698",
];

/// The most keys that are read from one key set.
const MAX_KEYS: usize = 64;

/// A key that verifies.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    pub(super) kid: String,
    material: Material,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Material {
    /// Modulus and exponent, big-endian.
    Rsa { n: Vec<u8>, e: Vec<u8> },
    /// An uncompressed point: 4, x, y.
    P256([u8; 65]),
}

impl Key {
    /// The algorithm, which is the key's and never the token's choice.
    pub(super) fn algorithm(&self) -> Algorithm {
        match self.material {
            Material::Rsa { .. } => Algorithm::Rs256,
            Material::P256(_) => Algorithm::Es256,
        }
    }

    /// Whether this key made `signature` over `message`.
    pub(super) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        match &self.material {
            Material::Rsa { n, e } => {
                RsaPublicKeyComponents { n, e }.verify(&signature::RSA_PKCS1_2048_8192_SHA256, message, signature)
            }
            Material::P256(point) => {
                UnparsedPublicKey::new(&signature::ECDSA_P256_SHA256_FIXED, point).verify(message, signature)
            }
        }
        .is_ok()
    }
}

/// What a key set had.
#[derive(Debug, Default)]
pub(super) struct Parsed {
    /// The keys that can verify tokens, sorted.
    pub(super) keys: Vec<Key>,
    /// Whether one of the sandbox's keys was left out.
    pub(super) refused_development_key: bool,
}

#[derive(Deserialize)]
struct Document {
    keys: Vec<Value>,
}

/// One key. Source: RFC 7517, section 4; RFC 7518, section 6.
#[derive(Deserialize)]
struct Jwk {
    kty: String,
    kid: Option<String>,
    alg: Option<String>,
    #[serde(rename = "use")]
    usage: Option<String>,
    key_ops: Option<Vec<String>>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

/// Reads a key set. Keys for other purposes, of other algorithms or without `kid` are passed over: a token names its
/// key. `None` when it is not a key set at all.
pub(super) fn parse(document: &[u8], allowed: &[Algorithm], issuer_is_loopback: bool) -> Option<Parsed> {
    let document: Document = serde_json::from_slice(document).ok()?;
    let mut parsed = Parsed::default();
    for value in document.keys.into_iter().take(MAX_KEYS) {
        let Some(key) = serde_json::from_value::<Jwk>(value).ok().and_then(Jwk::into_key) else { continue };
        if !allowed.contains(&key.algorithm()) {
            continue;
        }
        if !issuer_is_loopback && is_development_key(&key) {
            parsed.refused_development_key = true;
            continue;
        }
        parsed.keys.push(key);
    }
    parsed.keys.sort();
    parsed.keys.dedup();
    Some(parsed)
}

fn is_development_key(key: &Key) -> bool {
    match &key.material {
        Material::Rsa { n, .. } => REFUSED_MODULI.contains(&hex::encode(Sha256::digest(n)).as_str()),
        Material::P256(_) => false,
    }
}

impl Jwk {
    fn into_key(self) -> Option<Key> {
        let signs = self.usage.as_deref().is_none_or(|usage| usage == "sig");
        let verifies = self.key_ops.as_ref().is_none_or(|operations| operations.iter().any(|name| name == "verify"));
        let kid = self.kid.filter(|kid| !kid.is_empty())?;
        if !signs || !verifies {
            return None;
        }
        let material = match (self.kty.as_str(), self.crv.as_deref()) {
            ("RSA", _) => {
                let n = without_leading_zeros(decode(&self.n?)?);
                // Smaller keys never verify anything; RFC 7518, section 3.3.
                (n.len() >= 256).then_some(Material::Rsa { n, e: without_leading_zeros(decode(&self.e?)?) })?
            }
            ("EC", Some("P-256")) => {
                let mut point = [4_u8; 65];
                point[1..33].copy_from_slice(&<[u8; 32]>::try_from(decode(&self.x?)?).ok()?);
                point[33..].copy_from_slice(&<[u8; 32]>::try_from(decode(&self.y?)?).ok()?);
                Material::P256(point)
            }
            _ => return None,
        };
        let key = Key { kid, material };
        // A key that names another algorithm is for something else, PS256 for example.
        self.alg.as_deref().is_none_or(|alg| alg == key.algorithm().name()).then_some(key)
    }
}

/// Some providers pad; the bytes are the same.
fn decode(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text.trim_end_matches('=')).ok()
}

fn without_leading_zeros(bytes: Vec<u8>) -> Vec<u8> {
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    bytes[zeros..].to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    const BOTH: [Algorithm; 2] = [Algorithm::Rs256, Algorithm::Es256];

    fn rsa() -> Value {
        json!({"kty": "RSA", "kid": "a", "n": URL_SAFE_NO_PAD.encode([0x91; 256]), "e": "AQAB"})
    }

    fn kept(key: Value, allowed: &[Algorithm]) -> usize {
        let document = serde_json::to_vec(&json!({"keys": [key, {"kty": "oct", "kid": "b", "k": "AA"}, 7]})).unwrap();
        parse(&document, allowed, false).unwrap().keys.len()
    }

    fn with(name: &str, value: Value) -> Value {
        let mut key = rsa();
        key[name] = value;
        key
    }

    #[test]
    fn only_keys_that_can_verify_are_kept() {
        assert_eq!(kept(rsa(), &BOTH), 1);
        assert_eq!(kept(with("use", json!("sig")), &BOTH), 1);
        assert_eq!(kept(with("alg", json!("RS256")), &BOTH), 1);
        assert_eq!(kept(with("use", json!("enc")), &BOTH), 0);
        assert_eq!(kept(with("key_ops", json!(["encrypt"])), &BOTH), 0);
        assert_eq!(kept(with("alg", json!("PS256")), &BOTH), 0);
        assert_eq!(kept(with("alg", json!("HS256")), &BOTH), 0);
        assert_eq!(kept(with("kid", Value::Null), &BOTH), 0);
        assert_eq!(kept(with("n", json!(URL_SAFE_NO_PAD.encode([0x91; 128]))), &BOTH), 0, "1024 bits");
        assert_eq!(kept(rsa(), &[Algorithm::Es256]), 0);
    }

    #[test]
    fn a_key_set_that_is_none_is_told_from_an_empty_one() {
        assert!(parse(b"<html>", &BOTH, false).is_none());
        assert!(parse(br#"{"error":"x"}"#, &BOTH, false).is_none());
        assert!(parse(br#"{"keys":[]}"#, &BOTH, false).unwrap().keys.is_empty());
    }

    proptest! {
        #[test]
        fn hostile_key_sets_never_panic(n in ".{0,40}", x in "[A-Za-z0-9_=-]{0,60}", kty in "RSA|EC|oct", bytes: Vec<u8>) {
            let _ = parse(&bytes, &BOTH, false);
            let document = json!({"keys": [{"kty": kty, "kid": n, "crv": "P-256", "n": x, "e": x, "x": x, "y": n}]});
            let parsed = parse(&serde_json::to_vec(&document).unwrap(), &BOTH, false).unwrap();
            for key in parsed.keys {
                prop_assert!(!key.verifies(b"message", &bytes));
            }
        }
    }
}
