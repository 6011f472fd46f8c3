//! Sealed words: what we hand out and get back unchanged, or not at all.
//!
//! A [`Seal`] is an HMAC-SHA256: anybody may read the word. A [`Vault`] is AES-256-GCM: nobody else can. Both have a key
//! that derives from the configured secret by HKDF (RFC 5869), one key per purpose. The first secret seals; every one of
//! them opens, so that secrets can be rotated.

use ring::{
    aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce},
    hkdf::{HKDF_SHA256, KeyType, Okm, Salt},
    hmac,
};
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Serialize, de::DeserializeOwned};

use crate::builder::Random;

/// Keys for one purpose.
pub(crate) struct Seal {
    keys: Vec<hmac::Key>,
}

impl Seal {
    /// Derives the keys for a purpose. Without secrets, from randomness: what it seals dies with this process.
    pub(crate) fn new(secrets: &[SecretString], purpose: &str, random: &dyn Fn(&mut [u8])) -> Self {
        Self { keys: keys(secrets, purpose, random, hmac::HMAC_SHA256) }
    }

    /// `hex(JSON).hex(seal)`: safe in JSON, URLs and forms.
    pub(crate) fn close(&self, word: &impl Serialize) -> String {
        let body = hex::encode(serde_json::to_vec(word).expect("what is sealed is plain data"));
        let tag = hmac::sign(&self.keys[0], body.as_bytes());
        format!("{body}.{}", hex::encode(tag))
    }

    /// The word, if one of the keys sealed it.
    pub(crate) fn open<T: DeserializeOwned>(&self, text: &str) -> Option<T> {
        let (body, tag) = text.split_once('.')?;
        let tag = hex::decode(tag).ok()?;
        self.keys.iter().find(|key| hmac::verify(key, body.as_bytes(), &tag).is_ok())?;
        serde_json::from_slice(&hex::decode(body).ok()?).ok()
    }
}

/// Keys for one purpose, of words that nobody else may read.
pub(crate) struct Vault {
    keys: Vec<LessSafeKey>,
    random: Random,
}

impl Vault {
    /// As [`Seal::new`].
    pub(crate) fn new(secrets: &[SecretString], purpose: &str, random: &Random) -> Self {
        let keys = keys(secrets, purpose, &**random, &AES_256_GCM);
        Self { keys: keys.into_iter().map(LessSafeKey::new).collect(), random: random.clone() }
    }

    /// A random nonce, and the JSON under it. It only opens for who names the same `about`.
    pub(crate) fn close(&self, word: &impl Serialize, about: &str) -> Vec<u8> {
        let mut nonce = [0_u8; NONCE_LEN];
        (self.random)(&mut nonce);
        let mut body = serde_json::to_vec(word).expect("what is sealed is plain data");
        let (nonce, mut text) = (Nonce::assume_unique_for_key(nonce), nonce.to_vec());
        self.keys[0]
            .seal_in_place_append_tag(nonce, Aad::from(about.as_bytes()), &mut body)
            .expect("a word is shorter than 64 GiB");
        text.append(&mut body);
        text
    }

    /// The word, if one of the keys sealed it about this.
    pub(crate) fn open<T: DeserializeOwned>(&self, text: &[u8], about: &str) -> Option<T> {
        let (nonce, body) = text.split_first_chunk::<NONCE_LEN>()?;
        self.keys.iter().find_map(|key| {
            let (nonce, mut body) = (Nonce::assume_unique_for_key(*nonce), body.to_vec());
            let word = key.open_in_place(nonce, Aad::from(about.as_bytes()), &mut body).ok()?;
            serde_json::from_slice(word).ok()
        })
    }
}

/// One key of each secret; without any, one of randomness.
fn keys<L, K>(secrets: &[SecretString], purpose: &str, random: &dyn Fn(&mut [u8]), length: L) -> Vec<K>
where
    L: KeyType + Copy,
    K: for<'a> From<Okm<'a, L>>,
{
    let derive = |secret: &[u8]| {
        let info = [purpose.as_bytes()];
        let bytes = Salt::new(HKDF_SHA256, b"tollkeeper").extract(secret);
        K::from(bytes.expand(&info, length).expect("one key is never too long"))
    };
    if secrets.is_empty() {
        let mut secret = [0_u8; 32];
        random(&mut secret);
        return vec![derive(&secret)];
    }
    secrets.iter().map(|secret| derive(secret.expose_secret().as_bytes())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seal(secrets: &[&str], purpose: &str) -> Seal {
        let secrets: Vec<SecretString> = secrets.iter().map(|secret| (*secret).into()).collect();
        Seal::new(&secrets, purpose, &|buffer: &mut [u8]| buffer.fill(7))
    }

    #[test]
    fn only_what_was_sealed_opens_and_only_for_its_purpose() {
        let text = seal(&["new", "old"], "preview").close(&42);
        assert_eq!(seal(&["newer", "new"], "preview").open::<i32>(&text), Some(42), "rotated");
        assert_eq!(seal(&["new"], "cookie").open::<i32>(&text), None);
        assert_eq!(seal(&["other"], "preview").open::<i32>(&text), None);
        for at in 0..text.len() {
            let mut broken = text.clone().into_bytes();
            broken[at] = if broken[at] == b'0' { b'1' } else { b'0' };
            assert_eq!(seal(&["new"], "preview").open::<i32>(&String::from_utf8(broken).unwrap()), None, "{at}");
        }
        for hostile in ["", ".", "..", "a.b", "é.é", "00.00"] {
            assert_eq!(seal(&["new"], "preview").open::<i32>(hostile), None, "{hostile}");
        }
    }

    fn vault(secrets: &[&str], purpose: &str) -> Vault {
        let secrets: Vec<SecretString> = secrets.iter().map(|secret| (*secret).into()).collect();
        let count = std::sync::atomic::AtomicU8::new(0);
        let random: Random = std::sync::Arc::new(move |buffer: &mut [u8]| {
            buffer.fill(count.fetch_add(1, std::sync::atomic::Ordering::Relaxed));
        });
        Vault::new(&secrets, purpose, &random)
    }

    #[test]
    fn a_vault_opens_for_its_secret_its_purpose_and_what_it_is_about() {
        let ours = vault(&["new", "old"], "tokens");
        let text = ours.close(&"a token", "one");
        assert!(!text.windows(7).any(|part| part == b"a token"), "nobody can read it");
        assert_ne!(text, ours.close(&"a token", "one"), "nor see that it is the same");
        assert_eq!(
            vault(&["newer", "new"], "tokens").open::<String>(&text, "one").as_deref(),
            Some("a token"),
            "rotated"
        );
        assert_eq!(ours.open::<String>(&text, "two"), None);
        assert_eq!(vault(&["new"], "cookie").open::<String>(&text, "one"), None);
        assert_eq!(vault(&["other"], "tokens").open::<String>(&text, "one"), None);
        for at in 0..text.len() {
            let mut broken = text.clone();
            broken[at] ^= 1;
            assert_eq!(ours.open::<String>(&broken, "one"), None, "{at}");
        }
        for length in 0..text.len() {
            assert_eq!(ours.open::<String>(&text[..length], "one"), None, "{length}");
        }
    }

    #[test]
    fn without_secrets_what_is_sealed_dies_with_the_process() {
        let (one, other) = (vault(&[], "tokens"), {
            let random: Random = std::sync::Arc::new(|buffer: &mut [u8]| buffer.fill(9));
            Vault::new(&[], "tokens", &random)
        });
        let text = one.close(&1, "");
        assert_eq!((one.open::<i32>(&text, ""), other.open::<i32>(&text, "")), (Some(1), None));
    }
}
