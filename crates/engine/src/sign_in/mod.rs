//! Signing in for our own pages: a browser leaves with a flow and comes back with a code, which becomes a session.
//!
//! What a browser keeps is sealed and says little: a flow (ten minutes), or the id of a session. The tokens stay here.

mod refresh;
mod session;

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use secrecy::ExposeSecret as _;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use tollkeeper_core::{
    ids::OrganizationId,
    ports::{AuthError, SignIn, SignInCode, SignInError, SignInStart},
    time::MachineTime,
};
use tollkeeper_store::session as rows;

use crate::{Error, Settings, Tollkeeper, safe_target, seal::Vault};

pub(crate) use refresh::Refreshes;
pub use session::{Authenticated, SessionCookie};
use session::{Kept, end_of};

/// How long somebody may take to sign in at the identity provider.
const FLOW: Duration = Duration::from_secs(10 * 60);

/// What every sealed cookie begins with; no token does.
pub const MARK: &str = "tk1.";

/// What the person who signs in wants.
#[derive(Clone, Copy, Debug, Default)]
pub struct SignInWish<'a> {
    /// The path on our own site to come back to; the billing page unless given.
    pub next: Option<&'a str>,
    /// The organization to sign in to.
    pub organization: Option<&'a str>,
    /// What the identity provider shall show: `login`, `create` or `select_account`.
    pub prompt: Option<&'a str>,
}

/// A sign-in that has begun.
#[derive(Clone, Debug)]
pub struct SignInBegun {
    /// Where to send the browser.
    pub url: String,
    /// What the browser keeps meanwhile, sealed.
    pub flow: String,
    /// How long.
    pub lasts: Duration,
}

/// A sign-in under way, proven to be this browser's. Only [`Tollkeeper::sign_in_flow`] makes one.
#[derive(Serialize, Deserialize)]
pub struct SignInFlow {
    state: String,
    nonce: String,
    verifier: String,
    next: String,
    until: MachineTime,
}

/// Somebody who has signed in.
#[derive(Clone, Debug)]
pub struct SignedIn {
    /// What the browser keeps from now on.
    pub cookie: SessionCookie,
    /// Where to send it.
    pub url: String,
}

impl Tollkeeper {
    /// The origin at the identity provider where people sign in and out; `None` where they do so elsewhere.
    pub fn sign_in_origin(&self) -> Option<String> {
        Some(self.inner.identity.sign_in()?.origin())
    }

    /// Begins a sign-in.
    ///
    /// # Errors
    /// [`Error::Invalid`] with `invalid_redirect`, naming `next`; [`Error::Unknown`] with `no_sign_in`.
    pub fn begin_sign_in(&self, wish: &SignInWish<'_>) -> Result<SignInBegun, Error> {
        let port = self.sign_in_port()?;
        let flow = SignInFlow {
            state: self.random_text(),
            nonce: self.random_text(),
            verifier: self.random_text(),
            next: own_path(self.settings(), wish.next.unwrap_or("/billing"))?,
            until: self.machine_now().plus(FLOW),
        };
        let start = SignInStart {
            state: flow.state.clone(),
            nonce: flow.nonce.clone(),
            code_challenge: URL_SAFE_NO_PAD.encode(Sha256::digest(&flow.verifier)),
            redirect_uri: self.redirect_uri(),
            organization_id: wish.organization.map(OrganizationId::from),
            prompt: wish.prompt.map(ToOwned::to_owned),
        };
        Ok(SignInBegun { url: port.begin(&start), flow: seal(&self.inner.flows, &flow), lasts: FLOW })
    }

    /// The sign-in that a browser left with, when it is the one that it comes back with. `state` is compared in constant
    /// time; nothing else that came back with the browser may be looked at before.
    pub fn sign_in_flow(&self, sealed: &str, state: &str) -> Option<SignInFlow> {
        let flow: SignInFlow = open(&self.inner.flows, sealed)?;
        let same = bool::from(flow.state.as_bytes().ct_eq(state.as_bytes()));
        (same && self.machine_now() < flow.until).then_some(flow)
    }

    /// Ends a sign-in: the code becomes a session. `old` is the session cookie that the browser has, which ends with it.
    ///
    /// A flow makes one session at most, in whatever process it ends.
    ///
    /// # Errors
    /// [`Error::Invalid`] with `sign_in_refused`: the code or the flow was used, or is too old: begin again.
    /// [`Error::Unavailable`] with `sign_in_unavailable`: the identity provider does not answer; or with `sign_in_failed`:
    /// it does, and not as it should. [`Error::Store`].
    pub async fn finish_sign_in(&self, flow: &SignInFlow, code: &str, old: Option<&str>) -> Result<SignedIn, Error> {
        let port = self.sign_in_port()?;
        let code = SignInCode {
            code: code.into(),
            verifier: flow.verifier.as_str().into(),
            redirect_uri: self.redirect_uri(),
        };
        let tokens = match port.redeem(&code).await {
            Ok(tokens) => tokens,
            Err(SignInError::Refused) => return Err(refused()),
            Err(SignInError::Provider(error)) if error.kind.is_retryable() => {
                tracing::warn!(%error, "a sign-in has to wait: {error}");
                return Err(unavailable());
            }
            Err(SignInError::Provider(error)) => {
                tracing::error!(%error, "the identity provider refuses sign-ins, whoever signs in: {error}");
                return Err(failed());
            }
        };
        // After the call: it takes its time, and tokens are not good before they are made.
        let now = self.machine_now();
        let unproven = |error: AuthError| match error {
            AuthError::KeysUnavailable => unavailable(),
            AuthError::Invalid(_) | AuthError::Expired => {
                tracing::error!(%error, "the identity provider gave a token that is not believed: {error}");
                failed()
            }
        };
        let session = self.inner.identity.authenticate(tokens.access_token.expose_secret(), now).await;
        let session = session.map_err(unproven)?;
        let id_token = tokens.id_token.as_ref().ok_or(AuthError::Invalid("there is no ID token")).map_err(unproven)?;
        let who = port.prove(id_token, Some(&flow.nonce), now).await.map_err(unproven)?;
        if who.user_id != session.user_id {
            return Err(unproven(AuthError::Invalid("the ID token is about somebody else")));
        }
        let id = session_id(&flow.state);
        let kept = Kept::of(tokens, who.email, now);
        let row = rows::Session {
            tokens: self.inner.tokens.close(&kept, &id),
            id,
            user_id: session.user_id.clone(),
            organization_id: session.organization_id.clone(),
            created_at: now,
            expires_at: end_of(now, now),
            version: 0,
        };
        let old = old.and_then(|cookie| self.session_of(cookie));
        let (new, old) = (&row, old.as_deref());
        let written = self.inner.db.write(|tx| {
            Box::pin(async move {
                if let Some(old) = old {
                    rows::end(tx, old).await?;
                }
                rows::create(tx, new).await
            })
        });
        match written.await {
            Ok(()) => {}
            // The flow made one before, unless this is the one: a write may run again whose end nobody heard.
            Err(tollkeeper_store::Error::Constraint(_)) if self.has_tokens(&row.id, &row.tokens).await? => {}
            Err(tollkeeper_store::Error::Constraint(_)) => return Err(refused()),
            Err(error) => return Err(error.into()),
        }
        let url = format!("{}{}", self.settings().app_url, flow.next);
        Ok(SignedIn { cookie: self.cookie_of(&row.id, row.expires_at, now), url })
    }

    pub(crate) fn sign_in_port(&self) -> Result<&dyn SignIn, Error> {
        self.inner.identity.sign_in().ok_or_else(|| {
            Error::unknown(
                "no_sign_in",
                "This server has no sign-in of its own: its identity provider only proves access tokens",
            )
        })
    }

    fn redirect_uri(&self) -> String {
        let settings = self.settings();
        settings.redirect_uri.clone().unwrap_or_else(|| format!("{}/auth/callback", settings.app_url))
    }

    /// 256 bits, as a text that addresses and cookies have room for.
    fn random_text(&self) -> String {
        let mut random = [0_u8; 32];
        (self.inner.random)(&mut random);
        URL_SAFE_NO_PAD.encode(random)
    }
}

/// A path on our own site, checked as every target of a redirect.
fn own_path(settings: &Settings, next: &str) -> Result<String, Error> {
    if !next.starts_with('/') {
        return Err(Error::invalid("next", "invalid_redirect", "next must be a path on this site"));
    }
    safe_target(settings, "next", next).map(|_| next.to_owned())
}

/// The session that a flow makes: a second one would have the same id.
fn session_id(state: &str) -> String {
    hex::encode(&Sha256::digest(format!("session {state}"))[..16])
}

/// For a cookie.
fn seal(vault: &Vault, word: &impl Serialize) -> String {
    format!("{MARK}{}", URL_SAFE_NO_PAD.encode(vault.close(word, "")))
}

/// From a cookie.
fn open<T: DeserializeOwned>(vault: &Vault, text: &str) -> Option<T> {
    vault.open(&URL_SAFE_NO_PAD.decode(text.strip_prefix(MARK)?).ok()?, "")
}

fn refused() -> Error {
    Error::invalid_request("sign_in_refused", "This sign-in was used before, or is too old")
}

fn unavailable() -> Error {
    Error::unavailable("sign_in_unavailable", "The identity provider does not answer right now")
}

fn failed() -> Error {
    Error::unavailable("sign_in_failed", "The identity provider and this server do not understand each other right now")
}
