//! Signing in at a provider that is played.

use std::{collections::HashSet, sync::Mutex};

use async_trait::async_trait;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use secrecy::{ExposeSecret as _, SecretString};
use sha2::{Digest as _, Sha256};
use tollkeeper_core::{
    ports::{AuthError, ErrorKind, Identified, ProviderError, SignIn, SignInCode, SignInError, SignInStart, Tokens},
    time::MachineTime,
};

/// Gives whoever comes with a good code the tokens of an administrator of `org_1`. A code is the challenge and the nonce
/// that a browser left with, and good once.
#[derive(Default)]
pub(crate) struct PlayedSignIn {
    used: Mutex<HashSet<String>>,
    asked: Mutex<usize>,
    failing: Mutex<Option<ErrorKind>>,
}

impl PlayedSignIn {
    /// How often it was asked for tokens.
    pub(crate) fn asked(&self) -> usize {
        *self.asked.lock().unwrap()
    }

    pub(crate) fn fail(&self, kind: Option<ErrorKind>) {
        *self.failing.lock().unwrap() = kind;
    }
}

#[async_trait]
impl SignIn for PlayedSignIn {
    fn begin(&self, start: &SignInStart) -> String {
        let more = |name, value: Option<&str>| value.map(|value| format!("&{name}={value}")).unwrap_or_default();
        format!(
            "https://id.example.com/authorize?state={}&code={}.{}&redirect_uri={}{}{}",
            start.state,
            start.code_challenge,
            start.nonce,
            start.redirect_uri,
            more("organization_id", start.organization_id.as_ref().map(|id| id.as_str())),
            more("prompt", start.prompt.as_deref()),
        )
    }

    async fn redeem(&self, code: &SignInCode) -> Result<Tokens, SignInError> {
        *self.asked.lock().unwrap() += 1;
        if let Some(kind) = *self.failing.lock().unwrap() {
            return Err(SignInError::Provider(ProviderError {
                kind,
                source_name: "scalekit".into(),
                operation: "redeem",
                code: None,
                message: "the inner reason".into(),
                request_id: None,
                cause: None,
            }));
        }
        let text = code.code.expose_secret();
        let (challenge, nonce) = text.split_once('.').ok_or(SignInError::Refused)?;
        let proven = URL_SAFE_NO_PAD.encode(Sha256::digest(code.verifier.expose_secret())) == challenge;
        if !proven || !self.used.lock().unwrap().insert(text.to_owned()) {
            return Err(SignInError::Refused);
        }
        Ok(Tokens {
            access_token: "admin:org_1".into(),
            refresh_token: Some("a refresh token".into()),
            id_token: Some(nonce.into()),
        })
    }

    async fn refresh(&self, _refresh_token: &SecretString) -> Result<Tokens, SignInError> {
        Ok(Tokens { access_token: "admin:org_1".into(), refresh_token: None, id_token: None })
    }

    async fn prove(
        &self,
        id_token: &SecretString,
        nonce: Option<&str>,
        _now: MachineTime,
    ) -> Result<Identified, AuthError> {
        match nonce == Some(id_token.expose_secret()) {
            true => Ok(Identified { user_id: "usr_1".into(), email: None }),
            false => Err(AuthError::Invalid("the inner reason")),
        }
    }

    fn logout_url(&self, _id_token_hint: Option<&SecretString>, post_logout_redirect_uri: &str) -> String {
        format!("https://id.example.com/logout?to={post_logout_redirect_uri}")
    }

    fn origin(&self) -> String {
        "https://id.example.com".into()
    }
}
