//! Sealed words: what we hand out and get back unchanged, or not at all.
//!
//! A seal is an HMAC-SHA256 under a key that derives from the configured secret by HKDF (RFC 5869), one key per purpose.
//! The first secret seals; every one of them opens, so that secrets can be rotated.

use ring::{
    hkdf::{HKDF_SHA256, Salt},
    hmac,
};
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Serialize, de::DeserializeOwned};

/// Keys for one purpose.
pub(crate) struct Seal {
    keys: Vec<hmac::Key>,
}

impl Seal {
    /// Derives the keys for a purpose. Without secrets, from randomness: what it seals dies with this process.
    pub(crate) fn new(secrets: &[SecretString], purpose: &str, random: &dyn Fn(&mut [u8])) -> Self {
        let derive = |secret: &[u8]| {
            let info = [purpose.as_bytes()];
            let okm = Salt::new(HKDF_SHA256, b"tollkeeper").extract(secret);
            hmac::Key::from(okm.expand(&info, hmac::HMAC_SHA256).expect("one digest is never too long"))
        };
        let mut keys: Vec<_> = secrets.iter().map(|secret| derive(secret.expose_secret().as_bytes())).collect();
        if keys.is_empty() {
            let mut secret = [0_u8; 32];
            random(&mut secret);
            keys.push(derive(&secret));
        }
        Self { keys }
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
}
