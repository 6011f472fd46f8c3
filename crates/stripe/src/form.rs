//! Stripe's form format, for bodies and for queries.
//!
//! - a scalar: `mode=subscription`
//! - a member of an object: `metadata[organizationId]=org_acme`
//! - a row of a list, by index: `items[0][price]=price_1`
//! - nothing: `cancel_at=` unsets what is there
//!
//! A name is written as the documentation writes it. A space becomes `+`; brackets, and all but letters, digits and
//! `-._*`, are percent-encoded. Booleans are `true` and `false`, instants are whole seconds.
//! Source: API reference, "Making requests"; requests of the official Node client.

use std::fmt::Display;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use tollkeeper_core::time::Timestamp;

/// What a form leaves as it is, besides letters and digits (the WHATWG `application/x-www-form-urlencoded` set).
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'*');

/// A body or a query, growing pair by pair in the order of the calls.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Form {
    text: String,
}

impl Form {
    /// An empty form: a POST without parameters has an empty body.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds one pair. Numbers and booleans are written as they print.
    #[must_use]
    pub fn set(mut self, name: impl AsRef<str>, value: impl Display) -> Self {
        if !self.text.is_empty() {
            self.text.push('&');
        }
        self.encode(name.as_ref());
        self.text.push('=');
        self.encode(&value.to_string());
        self
    }

    /// Adds a pair where there is a value.
    #[must_use]
    pub fn set_some(self, name: impl AsRef<str>, value: Option<impl Display>) -> Self {
        match value {
            Some(value) => self.set(name, value),
            None => self,
        }
    }

    /// Takes away what the provider has under this name.
    #[must_use]
    pub fn unset(self, name: impl AsRef<str>) -> Self {
        self.set(name, "")
    }

    /// Adds an instant, in whole seconds.
    #[must_use]
    pub fn instant(self, name: impl AsRef<str>, instant: Timestamp) -> Self {
        self.set(name, instant.as_unix_seconds())
    }

    /// Adds a list of scalars, by index.
    #[must_use]
    pub fn list(self, name: &str, values: &[&str]) -> Self {
        values.iter().enumerate().fold(self, |form, (index, value)| form.set(format!("{name}[{index}]"), value))
    }

    /// The encoded text.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether nothing was added.
    pub fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    fn encode(&mut self, text: &str) {
        for piece in utf8_percent_encode(text, ENCODED) {
            self.text.push_str(if piece == "%20" { "+" } else { piece });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shape_has_its_spelling() {
        let form = Form::new()
            .set("name", "Acme & Söhne 100%")
            .set("metadata[organizationId]", "org_acme")
            .set("items[1][quantity]", 5)
            .set("prorate", false)
            .unset("cancel_at")
            .set_some("missing", None::<&str>)
            .instant("trial_end", Timestamp::from_micros(1_700_000_000_900_000))
            .list("expand", &["customer", "data.schedule"]);
        assert_eq!(
            form.as_str(),
            "name=Acme+%26+S%C3%B6hne+100%25&metadata%5BorganizationId%5D=org_acme&items%5B1%5D%5Bquantity%5D=5\
             &prorate=false&cancel_at=&trial_end=1700000000&expand%5B0%5D=customer&expand%5B1%5D=data.schedule"
        );
    }

    #[test]
    fn a_percent_sign_before_twenty_stays_itself() {
        assert_eq!(Form::new().set("a", "%20 +").as_str(), "a=%2520+%2B");
    }
}
