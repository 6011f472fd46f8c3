//! Our cookies: what they are called, how they are set, and how one that lives on gets into an answer.

use std::sync::{Arc, Mutex, PoisonError};

use http::{HeaderMap, HeaderValue, header};
use tollkeeper::{SESSION_MARK, SessionCookie};
use url::Url;

/// What a browser only takes from a site itself, over https and for all of it: no other site of the same domain can put one
/// there. Source: RFC 6265bis, "Cookie Name Prefixes".
const HOST: &str = "__Host-";
/// What the session cookie is called unless it is configured.
pub(crate) const DEFAULT_NAME: &str = "scalekit_session";

/// Whether [`Config::session_cookie`](crate::Config::session_cookie) may be this: 1 to 64 letters, digits, `_`, `-` and
/// `.`. Browsers give a meaning to two prefixes; ours is put in front where it holds.
pub fn is_cookie_name(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    (1..=64).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte))
        && !lower.starts_with("__host-")
        && !lower.starts_with("__secure-")
}
/// The cookie of the console.
const CONSOLE: &str = "tollkeeper_console";

/// The names of our cookies on this site.
#[derive(Debug)]
pub(crate) struct Cookies {
    /// The session, as it is configured; it may also hold an access token.
    plain: String,
    /// The session, as we set it.
    session: String,
    /// A sign-in under way.
    flow: String,
    /// Who showed a key to the console.
    console: String,
    is_secure: bool,
}

impl Cookies {
    pub(crate) fn new(app_url: &str, session_cookie: &str) -> Self {
        let session_cookie = if is_cookie_name(session_cookie) {
            session_cookie
        } else {
            // A site whose people cannot sign in is worse than one whose cookie has another name.
            tracing::error!("session_cookie is no name of a cookie: {DEFAULT_NAME} is taken instead");
            DEFAULT_NAME
        };
        let is_secure = Url::parse(app_url).is_ok_and(|url| url.scheme() == "https");
        let prefix = if is_secure { HOST } else { "" };
        Self {
            plain: session_cookie.to_owned(),
            session: format!("{prefix}{session_cookie}"),
            flow: format!("{prefix}{session_cookie}_flow"),
            console: format!("{prefix}{CONSOLE}"),
            is_secure,
        }
    }

    /// The value that may say who somebody is: the one that we set, else an access token under the plain name. A session
    /// is only taken under the name that it was set with: somebody else's may have been put under the other.
    pub(crate) fn credential<'a>(&self, headers: &'a HeaderMap) -> Option<&'a str> {
        let token = || value(headers, &self.plain).filter(|value| !value.starts_with(SESSION_MARK));
        value(headers, &self.session).or_else(token)
    }

    /// The sign-in that this browser has under way.
    pub(crate) fn flow<'a>(&self, headers: &'a HeaderMap) -> Option<&'a str> {
        value(headers, &self.flow)
    }

    pub(crate) fn set_session(&self, cookie: &SessionCookie) -> HeaderValue {
        self.set(&self.session, &cookie.value, cookie.lasts.as_secs())
    }

    pub(crate) fn set_flow(&self, flow: &str, seconds: u64) -> HeaderValue {
        self.set(&self.flow, flow, seconds)
    }

    pub(crate) fn clear_flow(&self) -> HeaderValue {
        self.set(&self.flow, "", 0)
    }

    pub(crate) fn clear_session(&self) -> HeaderValue {
        self.set(&self.session, "", 0)
    }

    /// What says that somebody showed a key to the console.
    pub(crate) fn console<'a>(&self, headers: &'a HeaderMap) -> Option<&'a str> {
        value(headers, &self.console)
    }

    /// Sent also where a link from another site leads here: whoever follows one from a pager must not be asked for the key
    /// again. That is safe, because no GET of the console changes anything, and every form must come from a page of our own
    /// (`pages::console::operator::from_here`).
    pub(crate) fn set_console(&self, cookie: &SessionCookie) -> HeaderValue {
        self.set(&self.console, &cookie.value, cookie.lasts.as_secs())
    }

    pub(crate) fn clear_console(&self) -> HeaderValue {
        self.set(&self.console, "", 0)
    }

    /// Both names, so that nobody is signed in any more.
    pub(crate) fn clear_all(&self) -> impl Iterator<Item = HeaderValue> {
        let plain = (self.plain != self.session).then(|| self.set(&self.plain, "", 0));
        std::iter::once(self.clear_session()).chain(plain)
    }

    /// Scripts cannot read it, and other sites can only make a browser send it by leading it here.
    fn set(&self, name: &str, value: &str, seconds: u64) -> HeaderValue {
        let secure = if self.is_secure { "; Secure" } else { "" };
        let text = format!("{name}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}");
        HeaderValue::try_from(text).expect("names were checked, and what is sealed is visible")
    }
}

fn value<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let lines = headers.get_all(header::COOKIE).iter().filter_map(|line| line.to_str().ok());
    let mut pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(key, _)| *key == name).map(|(_, value)| value.trim_matches('"'))
}

/// What becomes of the session cookie that a request came with: whoever proves it writes it here, and the edge puts it into
/// the answer, whatever that is.
#[derive(Clone, Debug, Default)]
pub(crate) struct Renewal(Arc<Mutex<Option<HeaderValue>>>);

impl Renewal {
    pub(crate) fn set(&self, cookie: HeaderValue) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(cookie);
    }

    /// An answer that carries a cookie is for one browser, whatever it says itself.
    pub(crate) fn apply(&self, headers: &mut HeaderMap) {
        if let Some(cookie) = self.0.lock().unwrap_or_else(PoisonError::into_inner).take() {
            headers.append(header::SET_COOKIE, cookie);
            headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Cookies;

    #[test]
    fn https_is_https_however_it_is_spelled() {
        for (app_url, is_secure) in [
            ("https://app.example.com", true),
            ("HTTPS://app.example.com", true),
            ("Https://APP.example.com:443", true),
            ("http://127.0.0.1:3000", false),
            ("httpsx://app.example.com", false),
        ] {
            let line = Cookies::new(app_url, "mine").clear_session();
            let line = line.to_str().unwrap();
            assert_eq!(
                (line.starts_with("__Host-mine="), line.ends_with("; Secure")),
                (is_secure, is_secure),
                "{app_url}"
            );
        }
    }
}
