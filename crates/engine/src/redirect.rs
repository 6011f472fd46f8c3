//! Where people may be sent: a path on our own site, or an origin that was allowed.

use crate::{Error, Settings};

/// The longest target that is taken.
const LONGEST: usize = 2_000;

/// Checks a redirect target that a caller named, and makes it absolute.
///
/// Accepts `/path…` on our own site and absolute URLs of our own or an allowed origin. Everything a browser may read as
/// another host is refused: `//host`, `/\host`, control characters and white space, raw or percent-encoded at the
/// front.
///
/// # Errors
/// [`Error::Invalid`] with `invalid_redirect`, naming `field`.
pub fn safe_target(settings: &Settings, field: &'static str, target: &str) -> Result<String, Error> {
    let refuse = |why: &str| Err(Error::invalid(field, "invalid_redirect", format!("{field} {why}")));
    if target.is_empty() || target.len() > LONGEST {
        return refuse("must have 1 to 2000 characters");
    }
    // Browsers drop tabs and newlines inside a URL and read a backslash as a slash.
    if target.bytes().any(|byte| byte <= b' ' || byte == 0x7f || byte == b'\\') {
        return refuse("must not have white space, control characters or backslashes");
    }
    if let Some(path) = target.strip_prefix('/') {
        let mut first = path.to_ascii_lowercase();
        // Something in front of us may decode once more than a browser does.
        while let Some(rest) = first.strip_prefix("%25") {
            first = format!("%{rest}");
        }
        let hidden = ["/", "%2f", "%5c", "%09", "%0a", "%0d", "%00", "%20"];
        if hidden.iter().any(|prefix| first.starts_with(prefix)) {
            return refuse("must be a path on this site, not another host");
        }
        return Ok(format!("{}{target}", settings.app_url));
    }
    let own = std::iter::once(&settings.app_url).chain(&settings.allowed_origins);
    for origin in own {
        if let Some(rest) = target.strip_prefix(origin.as_str())
            && (rest.is_empty() || rest.starts_with(['/', '?', '#']))
        {
            return Ok(target.to_owned());
        }
    }
    refuse("must be a path on this site, or start with one of the allowed origins")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> Settings {
        Settings {
            allowed_origins: vec!["https://app.example.com".into()],
            ..Settings::new("chargebee".into(), "https://billing.example.com")
        }
    }

    #[test]
    fn our_own_paths_and_allowed_origins_pass() {
        for (target, url) in [
            ("/billing?success=1", "https://billing.example.com/billing?success=1"),
            ("/", "https://billing.example.com/"),
            ("https://app.example.com/x", "https://app.example.com/x"),
            ("https://app.example.com", "https://app.example.com"),
            ("https://billing.example.com/a#b", "https://billing.example.com/a#b"),
        ] {
            assert_eq!(safe_target(&settings(), "successUrl", target).unwrap(), url);
        }
    }

    #[test]
    fn everything_that_leads_elsewhere_is_refused() {
        for target in [
            "",
            "//evil.com",
            "/\\evil.com",
            "\\\\evil.com",
            "/\t/evil.com",
            "/%09/evil.com",
            "/%2fevil.com",
            "/%252fevil.com",
            "/%5cevil.com",
            " /billing",
            "/a\nb",
            "javascript:alert(1)",
            "data:text/html,x",
            "https:evil.com",
            "https://app.example.com.evil.com/",
            "https://app.example.com@evil.com/",
            "http://app.example.com/",
            "billing",
            "HTTPS://evil.com",
        ] {
            let refused = safe_target(&settings(), "successUrl", target);
            assert!(matches!(refused, Err(Error::Invalid { field: Some(it), .. }) if it == "successUrl"), "{target:?}");
        }
        assert!(safe_target(&settings(), "successUrl", &format!("/{}", "a".repeat(3000))).is_err());
    }
}
