//! The rules by which a token is believed.

use std::sync::Arc;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, de::IgnoredAny};
use tollkeeper_core::{
    ports::{AuthError, Session},
    time::MachineTime,
};

use super::{
    Claims, Config,
    keys::Keys,
    remembered::{Fingerprint, Remembered},
};
use crate::ConfigError;

/// Longer key ids are not looked up, in bytes.
const MAX_KID: usize = 256;

/// Proves tokens of one provider. Cheap to ask again about a token that it has just proven.
///
/// Calls must be made within a tokio runtime: the key set may be fetched.
#[derive(Debug)]
pub struct Validator {
    config: Config,
    keys: Arc<Keys>,
    remembered: Remembered,
}

/// The part of a token that says how it is signed. Source: RFC 7515, section 4.1.
#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    typ: Option<String>,
    crit: Option<IgnoredAny>,
}

impl Header {
    /// Reads a header, and refuses what could never be an access token of ours.
    fn parse(bytes: &[u8]) -> Result<Self, AuthError> {
        let header: Self =
            serde_json::from_slice(bytes).map_err(|_| AuthError::Invalid("the header cannot be read"))?;
        if header.crit.is_some() {
            return Err(AuthError::Invalid("the header asks for an extension"));
        }
        // Logout and other tokens of the same provider name their own type; RFC 8725, section 3.11.
        let typ = header.typ.as_deref().unwrap_or("JWT").to_ascii_lowercase();
        if !matches!(typ.trim_start_matches("application/"), "jwt" | "at+jwt") {
            return Err(AuthError::Invalid("it is a token of another type"));
        }
        Ok(header)
    }
}

impl Validator {
    /// Makes a validator. Nothing is fetched before the first token.
    ///
    /// # Errors
    /// [`ConfigError`]: a setting cannot be used.
    ///
    /// # Panics
    /// When the process has no TLS provider installed.
    pub fn new(config: Config) -> Result<Self, ConfigError> {
        config.check()?;
        let keys = Arc::new(Keys::new(&config)?);
        let remembered = Remembered::new(config.max_remembered);
        Ok(Self { config, keys, remembered })
    }

    /// Proves the session of a person. `token` is the bare access token, `now` is machine time.
    ///
    /// A token without an organization is not an error: the session has none. Asking again gives the same answer until
    /// the token expires or the provider's keys change.
    ///
    /// # Errors
    /// [`AuthError`]: [`AuthError::KeysUnavailable`] when the key that the token names could not be looked up.
    pub async fn authenticate(&self, token: &str, now: MachineTime) -> Result<Arc<Session>, AuthError> {
        self.check_length(token)?;
        let fingerprint = Fingerprint::of(token);
        if let Some(session) = self.remembered.get(fingerprint, self.keys.current(now).generation, now) {
            return Ok(session);
        }
        let (claims, generation) = self.prove(token, &self.config.audience, now).await?;
        let session = Arc::new(claims.session(&self.config)?);
        let good_until = session.expires_at.plus(self.config.leeway);
        self.remembered.put(fingerprint, session.clone(), good_until, generation, now);
        Ok(session)
    }

    /// Proves any token of this provider for this audience and gives what it says. Whether it is a session is for the
    /// caller to check.
    ///
    /// # Errors
    /// As for [`Validator::authenticate`].
    pub async fn claims(&self, token: &str, now: MachineTime) -> Result<Claims, AuthError> {
        self.check_length(token)?;
        self.prove(token, &self.config.audience, now).await.map(|(claims, _)| claims)
    }

    /// Proves an ID token, which is for the client itself, whatever access tokens are for. `nonce` is the one that was sent;
    /// a token that came with a refresh need not repeat it.
    ///
    /// Source: OpenID Connect Core 1.0, sections 3.1.3.7 and 12.2.
    ///
    /// # Errors
    /// As for [`Validator::authenticate`].
    pub async fn id_token(
        &self,
        token: &str,
        client_id: &str,
        nonce: Option<&str>,
        now: MachineTime,
    ) -> Result<Claims, AuthError> {
        self.check_length(token)?;
        let (claims, _) = self.prove(token, &[client_id.to_owned()], now).await?;
        if claims.get("azp").is_some_and(|azp| azp.as_str() != Some(client_id)) {
            return Err(AuthError::Invalid("it was given to another client"));
        }
        if nonce.is_some_and(|nonce| claims.text("nonce") != Some(nonce)) {
            return Err(AuthError::Invalid("it belongs to another sign-in"));
        }
        Ok(claims)
    }

    fn check_length(&self, token: &str) -> Result<(), AuthError> {
        if token.len() > self.config.max_token_bytes {
            return Err(AuthError::Invalid("it is too long"));
        }
        Ok(())
    }

    /// The claims of a token and the generation of the keys that prove them.
    ///
    /// The claims are checked before the signature only so that a token that could never pass causes no fetch. Nothing
    /// they say is used before the signature is proven.
    async fn prove(&self, token: &str, audience: &[String], now: MachineTime) -> Result<(Claims, u64), AuthError> {
        let malformed = AuthError::Invalid("it is not three parts of base64url");
        let (message, signature) = token.rsplit_once('.').ok_or(malformed.clone())?;
        let (header, payload) = message.split_once('.').ok_or(malformed.clone())?;
        let decode = |part: &str| URL_SAFE_NO_PAD.decode(part).map_err(|_| malformed.clone());
        let header = Header::parse(&decode(header)?)?;
        let claims = Claims::parse(&decode(payload)?)?;
        let signature = decode(signature)?;
        if !self.config.algorithms.iter().any(|allowed| allowed.name() == header.alg) {
            return Err(AuthError::Invalid("the algorithm is not allowed"));
        }
        let kid =
            header.kid.filter(|kid| kid.len() <= MAX_KID).ok_or(AuthError::Invalid("it does not name its key"))?;
        claims.check(&self.config, audience, now)?;

        let keys = self.keys.with_kid(&kid, now).await?;
        let mut candidates = keys.with_id(&kid).filter(|key| key.algorithm().name() == header.alg).peekable();
        if candidates.peek().is_none() {
            return Err(AuthError::Invalid("the algorithm is not the key's"));
        }
        if !candidates.any(|key| key.verifies(message.as_bytes(), &signature)) {
            return Err(AuthError::Invalid("the signature does not match"));
        }
        Ok((claims, keys.generation))
    }
}
