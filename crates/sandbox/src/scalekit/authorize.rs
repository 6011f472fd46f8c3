//! `GET /oauth/authorize`: what an application asks for, and how it is told.
//!
//! Where it cannot be known that the address is the application's, the person is told instead, and the browser stays.
//!
//! Source: Scalekit docs, "Implement login"; RFC 6749, section 4.1; RFC 7636, section 4.3.

use std::collections::HashSet;
use std::net::Ipv6Addr;

use url::{Host, Url};

/// The scope of a request that names none, as the official clients ask.
const USUAL_SCOPE: &str = "openid profile email";

/// A request for a code, with everything checked that can be without looking at the directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Asked {
    /// Where the browser goes back to, as it was given: the token request repeats it letter by letter.
    pub(crate) redirect_uri: String,
    pub(crate) state: Option<String>,
    pub(crate) nonce: Option<String>,
    pub(crate) scope: String,
    /// The S256 challenge that the token request has to answer.
    pub(crate) challenge: Option<String>,
    /// The organization that is to be signed in to; the person chooses where it is not named.
    pub(crate) organization_id: Option<String>,
    pub(crate) login_hint: Option<String>,
    /// Whether a page for new people is asked for.
    pub(crate) creates: bool,
}

/// Why there is no page to choose on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Refused {
    /// The browser stays; a person reads the sentence.
    Here(String),
    /// The browser goes back and tells the application.
    Back(String),
}

impl Asked {
    /// Reads the query of a request.
    ///
    /// `origins` are those that an application is known by, besides the loopback addresses.
    pub(crate) fn read(
        pairs: &[(String, String)],
        client_id: &str,
        origins: &HashSet<String>,
    ) -> Result<Self, Refused> {
        let once = |name: &str| -> Result<Option<String>, String> {
            let mut values = pairs.iter().filter(|(key, _)| key == name).map(|(_, value)| value);
            let first = values.next().filter(|value| !value.is_empty());
            if values.next().is_some() {
                return Err(format!("{name} must be there once"));
            }
            Ok(first.cloned())
        };
        match once("client_id").map_err(Refused::Here)? {
            None => return Err(Refused::Here("client_id is missing".into())),
            Some(known) if known == client_id => {}
            Some(_) => return Err(Refused::Here("client_id is not that of an application of this environment".into())),
        }
        let redirect_uri = once("redirect_uri").map_err(Refused::Here)?;
        let redirect_uri = redirect_uri.ok_or_else(|| Refused::Here("redirect_uri is missing".into()))?;
        if !is_registered(&redirect_uri, origins) {
            return Err(Refused::Here(
                "redirect_uri is not registered: it must be an http or https address of the application that gets \
                 the webhooks, or of this machine, without user and fragment"
                    .into(),
            ));
        }
        let state = once("state").map_err(Refused::Here)?;
        let back = |error: &str, description: &str| {
            Refused::Back(failure_url(&redirect_uri, state.as_deref(), error, description))
        };
        let invalid = |description: String| back("invalid_request", &description);
        match once("response_type").map_err(invalid)?.as_deref() {
            None => return Err(back("invalid_request", "response_type is missing")),
            Some("code") => {}
            Some(_) => return Err(back("unsupported_response_type", "response_type must be code")),
        }
        let challenge = once("code_challenge").map_err(invalid)?;
        let method = once("code_challenge_method").map_err(invalid)?;
        match (&challenge, method.as_deref()) {
            (None, None) => {}
            (None, Some(_)) => return Err(back("invalid_request", "code_challenge is missing")),
            // Without a method the challenge would be the verifier itself.
            (Some(_), None | Some("")) => return Err(back("invalid_request", "code_challenge_method must be S256")),
            (Some(challenge), Some("S256")) if is_sha256(challenge) => {}
            (Some(_), Some("S256")) => {
                return Err(back("invalid_request", "code_challenge must be a SHA-256 in base64url without padding"));
            }
            (Some(_), Some(_)) => return Err(back("invalid_request", "code_challenge_method must be S256")),
        }
        let prompt = once("prompt").map_err(invalid)?;
        if prompt.as_deref() == Some("none") {
            // Nobody is remembered here, so nobody can be signed in without being asked.
            return Err(back("login_required", "nobody is signed in"));
        }
        Ok(Self {
            nonce: once("nonce").map_err(invalid)?,
            scope: once("scope").map_err(invalid)?.unwrap_or_else(|| USUAL_SCOPE.into()),
            organization_id: once("organization_id").map_err(invalid)?,
            login_hint: once("login_hint").map_err(invalid)?,
            creates: prompt.as_deref() == Some("create"),
            challenge,
            state,
            redirect_uri,
        })
    }

    /// Where the browser goes with a code.
    pub(crate) fn success_url(&self, code: &str) -> String {
        with_pairs(&self.redirect_uri, &[("code", Some(code)), ("state", self.state.as_deref())])
    }

    /// Where the browser goes when the person would rather not.
    pub(crate) fn cancelled_url(&self) -> String {
        self.failure_url("access_denied", "the person cancelled")
    }

    pub(crate) fn failure_url(&self, error: &str, description: &str) -> String {
        failure_url(&self.redirect_uri, self.state.as_deref(), error, description)
    }
}

fn failure_url(target: &str, state: Option<&str>, error: &str, description: &str) -> String {
    with_pairs(target, &[("error", Some(error)), ("error_description", Some(description)), ("state", state)])
}

/// An address with more pairs behind its own query.
pub(super) fn with_pairs(target: &str, pairs: &[(&str, Option<&str>)]) -> String {
    let Ok(mut url) = Url::parse(target) else { return target.to_owned() };
    for (name, value) in pairs {
        if let Some(value) = value {
            url.query_pairs_mut().append_pair(name, value);
        }
    }
    url.into()
}

/// Whether the browser may be sent to an address.
pub(crate) fn is_registered(target: &str, origins: &HashSet<String>) -> bool {
    let Ok(url) = Url::parse(target) else { return false };
    let is_plain = matches!(url.scheme(), "http" | "https")
        && url.username().is_empty()
        && url.password().is_none()
        && url.fragment().is_none();
    is_plain && (is_loopback(&url) || origins.contains(&url.origin().ascii_serialization()))
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address == Ipv6Addr::LOCALHOST,
        None => false,
    }
}

/// Whether a text has the form of a SHA-256 in base64url without padding.
fn is_sha256(text: &str) -> bool {
    text.len() == 43 && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_applications_addresses_are_targets() {
        let origins = HashSet::from(["https://app.test".to_owned()]);
        for good in [
            "http://127.0.0.1:3000/auth/callback",
            "http://localhost:3000/",
            "http://[::1]/a?b=c",
            "http://app.localhost/",
            "https://app.test/auth/callback",
            "https://app.test:443/",
        ] {
            assert!(is_registered(good, &origins), "{good}");
        }
        for bad in [
            "",
            "/auth/callback",
            "//app.test/",
            "javascript:alert(1)",
            "data:text/html,x",
            "http://app.test/",
            "https://app.test:444/",
            "https://app.test.evil.test/",
            "https://app.test@evil.test/",
            "https://evil@app.test/",
            "https://app.test/#fragment",
            "http://127.0.0.1.evil.test/",
            "http://notlocalhost/",
            "ftp://localhost/",
        ] {
            assert!(!is_registered(bad, &origins), "{bad}");
        }
    }
}
