//! Signing people in at the identity provider: authorization code with PKCE, and tokens that are renewed.

use std::fmt;

use async_trait::async_trait;
use secrecy::SecretString;

use crate::{
    ids::{OrganizationId, UserId},
    ports::{AuthError, ProviderError},
    time::MachineTime,
};

/// What a browser is sent to the identity provider with. `state`, `nonce` and the verifier behind `code_challenge` belong
/// to this one sign-in of this one browser.
#[derive(Clone, PartialEq, Eq)]
pub struct SignInStart {
    /// Comes back with the browser.
    pub state: String,
    /// Comes back within the ID token.
    pub nonce: String,
    /// The base64url of the verifier's SHA-256: RFC 7636, method S256.
    pub code_challenge: String,
    /// Where the provider sends the browser back to; it is registered there.
    pub redirect_uri: String,
    /// The organization to sign in to, where it is known.
    pub organization_id: Option<OrganizationId>,
    /// What the provider shall show (`login`, `create`, `select_account`); its own choice where it is not given.
    pub prompt: Option<String>,
}

/// What a browser came back with, and what it left with.
#[derive(Clone)]
pub struct SignInCode {
    /// The authorization code; good once.
    pub code: SecretString,
    /// The PKCE verifier.
    pub verifier: SecretString,
    /// As in [`SignInStart::redirect_uri`].
    pub redirect_uri: String,
}

/// Tokens as the provider gave them. Nothing that they say is proven yet.
#[derive(Clone, Debug)]
pub struct Tokens {
    /// Proven by [`crate::ports::Identity::authenticate`].
    pub access_token: SecretString,
    /// Gets the next tokens, once: the next ones come with another.
    pub refresh_token: Option<SecretString>,
    /// Proven by [`SignIn::prove`].
    pub id_token: Option<SecretString>,
}

/// Who signed in, proven by an ID token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identified {
    /// Who.
    pub user_id: UserId,
    /// The e-mail, only where the provider says that it is verified.
    pub email: Option<String>,
}

/// Why there are no tokens.
#[derive(Debug, thiserror::Error)]
pub enum SignInError {
    /// The code or the refresh token is used, expired or revoked: the person has to sign in again.
    #[error("the identity provider does not take this grant any more")]
    Refused,
    /// Anything else. It says nothing about the person: keep what there is, and try again later.
    #[error(transparent)]
    Provider(#[from] ProviderError),
}

/// An identity provider that signs people in.
///
/// Codes, verifiers and tokens are in no error and in no log.
#[async_trait]
pub trait SignIn: Send + Sync {
    /// The address to send a browser to.
    fn begin(&self, start: &SignInStart) -> String;

    /// Trades an authorization code for tokens.
    ///
    /// # Errors
    /// [`SignInError`].
    async fn redeem(&self, code: &SignInCode) -> Result<Tokens, SignInError>;

    /// Trades a refresh token for new tokens. From then on the old one is worthless, so that what comes must be kept before
    /// anything else is done with it.
    ///
    /// # Errors
    /// [`SignInError`].
    async fn refresh(&self, refresh_token: &SecretString) -> Result<Tokens, SignInError>;

    /// Proves an ID token: signature, issuer, our client, expiry, and the nonce where one is given.
    ///
    /// # Errors
    /// [`AuthError`].
    async fn prove(
        &self,
        id_token: &SecretString,
        nonce: Option<&str>,
        now: MachineTime,
    ) -> Result<Identified, AuthError>;

    /// The address that ends the provider's own session in a browser and leads back to `post_logout_redirect_uri`, which is
    /// registered there. An ID token says whose session; one that has expired will do.
    fn logout_url(&self, id_token_hint: Option<&SecretString>, post_logout_redirect_uri: &str) -> String;

    /// The origin (`https://acme.example.com`) of the addresses above.
    fn origin(&self) -> String;
}

impl fmt::Debug for SignInStart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignInStart").field("redirect_uri", &self.redirect_uri).finish_non_exhaustive()
    }
}

impl fmt::Debug for SignInCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignInCode").field("redirect_uri", &self.redirect_uri).finish_non_exhaustive()
    }
}
