//! Sessions: who a cookie is, how long it lasts, and how it ends.

use std::{sync::Arc, time::Duration};

use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use tollkeeper_core::{
    ports::{AuthError, Session, Tokens},
    time::{MachineTime, days},
};
use tollkeeper_store::session as rows;

use super::{open, refresh::Outcome, seal, unavailable};
use crate::{Error, Tollkeeper};

/// How long a session lasts at most, and how long without being used.
const LONGEST: Duration = days(30);
const IDLE: Duration = days(7);
/// A use that would let a session last longer by less than this is not written down.
const WORTH_WRITING: Duration = Duration::from_secs(60 * 60);
/// An access token is renewed this long before its end, while nobody has to wait for it; in the last fifth of a short life.
const EARLY: Duration = Duration::from_secs(60);
/// Sessions that are forgotten in one statement.
const FORGOTTEN_AT_ONCE: i64 = 500;
/// How often tokens are proven for one request, and renewed in between.
const PROOFS: usize = 3;

/// What a browser keeps of a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionCookie {
    /// The value: sealed, safe in a cookie, about a hundred bytes.
    pub value: String,
    /// How long it is of use.
    pub lasts: Duration,
}

/// Somebody with a session.
#[derive(Clone, Debug)]
pub struct Authenticated {
    /// Who.
    pub session: Arc<Session>,
    /// The cookie to replace the one that was sent, because the session lasts longer now.
    pub renewed: Option<SessionCookie>,
}

/// The tokens of a session, as they are sealed.
#[derive(Serialize, Deserialize)]
pub(super) struct Kept {
    pub(super) access: String,
    pub(super) refresh: Option<String>,
    /// A hint for the provider at sign-out; nothing here believes it.
    id: Option<String>,
    /// Of the ID token that was proven at sign-in.
    email: Option<String>,
    /// When these came.
    at: MachineTime,
}

impl Kept {
    pub(super) fn of(tokens: Tokens, email: Option<String>, at: MachineTime) -> Self {
        let text = |token: SecretString| token.expose_secret().to_owned();
        Self {
            access: text(tokens.access_token),
            refresh: tokens.refresh_token.map(text),
            id: tokens.id_token.map(text),
            email,
            at,
        }
    }

    /// With new tokens; what the provider did not give anew stays as it was.
    pub(super) fn renewed(self, tokens: Tokens, at: MachineTime) -> Self {
        let new = Self::of(tokens, self.email, at);
        Self { refresh: new.refresh.or(self.refresh), id: new.id.or(self.id), ..new }
    }

    /// How long before its end the access token is renewed.
    fn early(&self, end: MachineTime) -> Duration {
        EARLY.min(end.since(self.at) / 5)
    }
}

/// When a session ends that began at `created` and is used now.
pub(super) fn end_of(created: MachineTime, now: MachineTime) -> MachineTime {
    created.plus(LONGEST).min(now.plus(IDLE))
}

impl Tollkeeper {
    /// Proves whoever sends a session cookie. Tokens that are at their end are renewed, one at a time for each session.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`]: the session is over ([`AuthError::Expired`]), or never was one. [`Error::Unavailable`]
    /// with `sign_in_unavailable`: its tokens cannot be renewed right now. [`Error::Store`].
    pub async fn authenticate_cookie(&self, cookie: &str) -> Result<Authenticated, Error> {
        let id = self.session_of(cookie).ok_or(AuthError::Invalid("the session cookie is not ours"))?;
        // Tokens may end while they are written down, and the refresh that was waited for may be the one that gave these.
        for _ in 0..PROOFS {
            let (row, kept) = self.session(&id).await?.ok_or(AuthError::Expired)?;
            let now = self.machine_now();
            match self.inner.identity.authenticate(&kept.access, now).await {
                Ok(session) => {
                    if now.plus(kept.early(session.expires_at)) >= session.expires_at {
                        // It goes on by itself; if it fails, nobody is worse off.
                        drop(self.renew_tokens(&row));
                    }
                    let session = match (&session.email, kept.email) {
                        (None, email @ Some(_)) => Arc::new(Session { email, ..Session::clone(&session) }),
                        _ => session,
                    };
                    return Ok(Authenticated { session, renewed: self.used(&row, now).await });
                }
                Err(error @ AuthError::KeysUnavailable) => return Err(error.into()),
                Err(AuthError::Expired | AuthError::Invalid(_)) => match self.renew_tokens(&row).await {
                    Outcome::Renewed => {}
                    Outcome::Over => return Err(AuthError::Expired.into()),
                    Outcome::Later => return Err(unavailable()),
                },
            }
        }
        Err(unavailable())
    }

    /// Whether whoever sends a session cookie signed in no longer ago than `span`: what is known of people was proven then.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn signed_in_within(&self, cookie: &str, span: Duration) -> Result<bool, Error> {
        let Some(id) = self.session_of(cookie) else { return Ok(false) };
        let row = self.session(&id).await?.map(|(row, _)| row);
        Ok(row.is_some_and(|row| self.machine_now().since(row.created_at) <= span))
    }

    /// Ends the session of a cookie. Answers where to send the browser: to the identity provider, where its own session
    /// ends too, also when ours was over already; or home where there never was one.
    ///
    /// # Errors
    /// [`Error::Store`]: it has not ended.
    pub async fn sign_out(&self, cookie: Option<&str>) -> Result<String, Error> {
        let settings = self.settings();
        let home = settings.post_logout_redirect_uri.clone().unwrap_or_else(|| format!("{}/", settings.app_url));
        let (Some(id), Some(port)) = (cookie.and_then(|cookie| self.session_of(cookie)), self.inner.identity.sign_in())
        else {
            return Ok(home);
        };
        let Some((row, kept)) = self.session(&id).await? else { return Ok(port.logout_url(None, &home)) };
        let id = row.id.as_str();
        self.inner.db.write(|tx| Box::pin(rows::end(tx, id))).await?;
        Ok(port.logout_url(kept.id.map(SecretString::from).as_ref(), &home))
    }

    /// Forgets sessions that are over.
    pub(crate) async fn forget_sessions(&self) -> Result<(), Error> {
        let now = self.machine_now();
        while !self.inner.stopping.is_cancelled() {
            let gone = self.inner.db.write(|tx| Box::pin(rows::forget(tx, now, FORGOTTEN_AT_ONCE))).await?;
            if gone < FORGOTTEN_AT_ONCE.unsigned_abs() {
                break;
            }
        }
        Ok(())
    }

    /// The id of the session that a cookie names.
    pub(super) fn session_of(&self, cookie: &str) -> Option<String> {
        open(&self.inner.cookies, cookie)
    }

    /// A session that is not over, with its tokens. One whose tokens nobody can open any more is over.
    pub(super) async fn session(&self, id: &str) -> Result<Option<(rows::Session, Kept)>, Error> {
        let found = rows::find(self.inner.db.read().await?.c(), id).await?;
        let Some(row) = found.filter(|row| self.machine_now() < row.expires_at) else { return Ok(None) };
        let kept = self.inner.tokens.open(&row.tokens, &row.id);
        Ok(kept.map(|kept| (row, kept)))
    }

    /// Whether a session has exactly these tokens, sealed as they are here.
    pub(super) async fn has_tokens(&self, id: &str, sealed: &[u8]) -> Result<bool, Error> {
        let found = rows::find(self.inner.db.read().await?.c(), id).await?;
        Ok(found.is_some_and(|row| row.tokens == sealed))
    }

    pub(super) fn cookie_of(&self, id: &str, until: MachineTime, now: MachineTime) -> SessionCookie {
        SessionCookie { value: seal(&self.inner.cookies, &id), lasts: until.since(now) }
    }

    /// Lets a session that is used last longer; the new cookie, where that is worth writing down.
    async fn used(&self, row: &rows::Session, now: MachineTime) -> Option<SessionCookie> {
        let until = end_of(row.created_at, now);
        if until.since(row.expires_at) < WORTH_WRITING {
            return None;
        }
        let id = row.id.as_str();
        match self.inner.db.write(|tx| Box::pin(rows::extend(tx, id, until))).await {
            Ok(()) => Some(self.cookie_of(id, until, now)),
            Err(error) => {
                // It lasts as long as it did, and the next use tries again.
                tracing::debug!(%error, "that a session is used could not be written");
                None
            }
        }
    }
}
