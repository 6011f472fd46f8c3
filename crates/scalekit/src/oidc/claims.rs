//! What a token says.

use serde_json::{Map, Value};
use tollkeeper_core::{
    ports::{AuthError, Session},
    time::MachineTime,
};

use super::{Config, SessionShape};

/// The claims of a proven token.
#[derive(Clone, Debug, PartialEq)]
pub struct Claims(Map<String, Value>);

impl Claims {
    /// Reads a payload; it must be a JSON object.
    pub(super) fn parse(payload: &[u8]) -> Result<Self, AuthError> {
        serde_json::from_slice(payload).map(Self).map_err(|_| AuthError::Invalid("the payload is not a JSON object"))
    }

    /// A claim by its path; see [`Config`] for what a path is.
    pub fn get(&self, path: &str) -> Option<&Value> {
        if let Some(value) = self.0.get(path) {
            return Some(value);
        }
        let mut names = path.split('.');
        let first = self.0.get(names.next()?)?;
        names.try_fold(first, |value, name| value.get(name))
    }

    /// A claim that is a non-empty string.
    pub fn text(&self, path: &str) -> Option<&str> {
        self.get(path)?.as_str().filter(|text| !text.is_empty())
    }

    /// The e-mail, only where the token itself says that it is verified.
    pub fn verified_email(&self) -> Option<&str> {
        let verified = self.get("email_verified").and_then(Value::as_bool).unwrap_or(false);
        self.text("email").filter(|_| verified)
    }

    /// When the token stops being good, without leeway.
    pub fn expires_at(&self) -> Option<MachineTime> {
        self.instant("exp")
    }

    /// An instant in whole seconds; fractions are cut. Source: RFC 7519, section 2, NumericDate.
    fn instant(&self, name: &str) -> Option<MachineTime> {
        let number = self.0.get(name)?.as_number()?;
        let seconds = number.as_i64().or_else(|| number.as_f64().map(|seconds| seconds as i64))?;
        Some(MachineTime::from_unix_seconds(seconds))
    }

    /// A list of strings, or one string that stands for a list of one. The first path that is there wins.
    fn list(&self, paths: &[String]) -> Vec<String> {
        match paths.iter().find_map(|path| self.get(path)) {
            Some(Value::Array(items)) => items.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
            Some(Value::String(item)) if !item.is_empty() => vec![item.clone()],
            Some(_) | None => vec![],
        }
    }

    /// The organization's id and the path that had it. A list counts when it has exactly one string: which of several
    /// is meant, a token cannot say.
    fn organization<'a>(&self, paths: &'a [String]) -> Option<(&'a str, &str)> {
        paths.iter().find_map(|path| {
            let id = match self.get(path)? {
                Value::Array(items) => match items.as_slice() {
                    [only] => only.as_str(),
                    _ => None,
                },
                other => other.as_str(),
            };
            id.filter(|id| !id.is_empty()).map(|id| (path.as_str(), id))
        })
    }

    /// Checks issuer, audience (one of these), times and subject.
    pub(super) fn check(&self, config: &Config, audience: &[String], now: MachineTime) -> Result<(), AuthError> {
        if self.text("iss") != Some(config.issuer.as_str()) {
            return Err(AuthError::Invalid("the issuer is another"));
        }
        if !self.is_for(audience) {
            return Err(AuthError::Invalid("the audience is another"));
        }
        let expires_at = self.expires_at().ok_or(AuthError::Invalid("there is no expiry"))?;
        if now >= expires_at.plus(config.leeway) {
            return Err(AuthError::Expired);
        }
        if self.0.contains_key("nbf") {
            let not_before = self.instant("nbf").ok_or(AuthError::Invalid("`nbf` is not a time"))?;
            if now.plus(config.leeway) < not_before {
                return Err(AuthError::Invalid("it is not good yet"));
            }
        }
        if self.text("sub").is_none() {
            return Err(AuthError::Invalid("there is no subject"));
        }
        Ok(())
    }

    fn is_for(&self, audience: &[String]) -> bool {
        let wanted = |found: &Value| found.as_str().is_some_and(|found| audience.iter().any(|ours| ours == found));
        match self.0.get("aud") {
            Some(Value::Array(items)) => items.iter().any(wanted),
            Some(other) => wanted(other),
            None => false,
        }
    }

    /// Checks that this is a person's session.
    fn check_shape(&self, shape: &SessionShape) -> Result<(), AuthError> {
        if shape.required_claims.iter().any(|name| self.text(name).is_none()) {
            return Err(AuthError::Invalid("it is not a session of a person"));
        }
        if shape.forbidden_claims.iter().any(|name| self.get(name).is_some()) {
            return Err(AuthError::Invalid("it is not an access token"));
        }
        let subject = self.text("sub").unwrap_or_default();
        if shape.subject_prefix.as_deref().is_some_and(|prefix| !subject.starts_with(prefix)) {
            return Err(AuthError::Invalid("the subject is not a person"));
        }
        Ok(())
    }

    /// Reads the session that these claims describe, if they describe one.
    pub(super) fn session(&self, config: &Config) -> Result<Session, AuthError> {
        self.check_shape(&config.session_shape)?;
        let subject = self.text("sub").ok_or(AuthError::Invalid("there is no subject"))?;
        let organization = self.organization(&config.organization_claim);
        Ok(Session {
            user_id: subject.into(),
            organization_id: organization.map(|(_, id)| id.into()),
            session_id: self.text("sid").map(str::to_owned),
            roles: self.list(&config.roles_claim),
            permissions: self.list(&config.permissions_claim),
            email: self.verified_email().map(str::to_owned),
            expires_at: self.expires_at().ok_or(AuthError::Invalid("there is no expiry"))?,
            is_own_organization: organization.is_some_and(|(path, _)| path == "sub"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claims(text: &str) -> Claims {
        Claims::parse(text.as_bytes()).unwrap()
    }

    #[test]
    fn a_path_is_a_name_first_and_a_way_second() {
        let claims = claims(r#"{"o":{"id":"nested"},"https://a.b/org":"named","x.y":"flat","x":{"y":"deep"}}"#);
        assert_eq!(claims.text("o.id"), Some("nested"));
        assert_eq!(claims.text("https://a.b/org"), Some("named"));
        assert_eq!(claims.text("x.y"), Some("flat"));
        assert_eq!(claims.text("o.id.more"), None);
        assert_eq!(claims.text("."), None);
        assert_eq!(claims.text(""), None);
    }

    #[test]
    fn a_list_of_organizations_counts_only_when_it_has_one() {
        let paths = vec!["organization".to_owned()];
        assert_eq!(claims(r#"{"organization":["one"]}"#).organization(&paths), Some(("organization", "one")));
        assert_eq!(claims(r#"{"organization":["one","two"]}"#).organization(&paths), None);
        assert_eq!(claims(r#"{"organization":7}"#).organization(&paths), None);
        assert_eq!(claims(r#"{"organization":""}"#).organization(&paths), None);
    }

    #[test]
    fn roles_may_be_a_list_or_one_string() {
        let paths = vec!["roles".to_owned(), "role".to_owned()];
        assert_eq!(claims(r#"{"roles":["a",7,"b"]}"#).list(&paths), ["a", "b"]);
        assert_eq!(claims(r#"{"role":"a"}"#).list(&paths), ["a"]);
        assert!(claims(r#"{"roles":{"a":1}}"#).list(&paths).is_empty());
    }

    #[test]
    fn an_email_counts_only_when_the_token_says_that_it_is_verified() {
        assert_eq!(claims(r#"{"email":"a@b.c","email_verified":true}"#).verified_email(), Some("a@b.c"));
        assert_eq!(claims(r#"{"email":"a@b.c","email_verified":"true"}"#).verified_email(), None);
        assert_eq!(claims(r#"{"email":"a@b.c"}"#).verified_email(), None);
    }

    #[test]
    fn times_may_have_fractions_and_be_absurd() {
        assert_eq!(claims(r#"{"exp":10.9}"#).expires_at(), Some(MachineTime::from_unix_seconds(10)));
        assert_eq!(claims(r#"{"exp":1e300}"#).expires_at(), Some(MachineTime::from_micros(i64::MAX)));
        assert_eq!(claims(r#"{"exp":"10"}"#).expires_at(), None);
    }
}
