//! Chargebee's form format, for bodies and for queries.
//!
//! - a scalar: `company=Acme+Inc`
//! - a member of an object: `customer[id]=org_acme`
//! - a list of objects, by column, with the index last: `subscription_items[quantity][0]=5`
//! - free JSON: `meta_data={"k":"v"}`, one value
//! - a filter: `customer_id[is]=org_acme`; a list in a filter is a JSON array in one value: `status[in]=["active"]`
//!
//! A space becomes `+`; brackets, and all but letters, digits and `-._*`, are percent-encoded.
//! Source: requests that the official Node client 3.33.0 made, recorded.

use std::fmt::Display;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Serialize;
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

    /// Adds one pair. The first part of `path` is the name, the others are its brackets.
    ///
    /// Numbers and booleans are written as they print. An empty value is sent as one; leave a pair out to send nothing.
    #[must_use]
    pub fn pair(mut self, path: &[&str], value: impl Display) -> Self {
        if !self.text.is_empty() {
            self.text.push('&');
        }
        for (depth, part) in path.iter().enumerate() {
            if depth == 0 {
                self.encode(part);
            } else {
                self.text.push_str("%5B");
                self.encode(part);
                self.text.push_str("%5D");
            }
        }
        self.text.push('=');
        self.encode(&value.to_string());
        self
    }

    /// Adds a scalar.
    #[must_use]
    pub fn set(self, name: &str, value: impl Display) -> Self {
        self.pair(&[name], value)
    }

    /// Adds a scalar where there is one.
    #[must_use]
    pub fn set_some(self, name: &str, value: Option<impl Display>) -> Self {
        match value {
            Some(value) => self.set(name, value),
            None => self,
        }
    }

    /// Adds the cell of row `index` in one column of a list of objects.
    #[must_use]
    pub fn cell(self, list: &str, column: &str, index: usize, value: impl Display) -> Self {
        self.pair(&[list, column, &index.to_string()], value)
    }

    /// Adds free JSON: one value, however deep it is.
    #[must_use]
    pub(crate) fn set_json(self, name: &str, value: &impl Serialize) -> Self {
        self.set(name, json(value))
    }

    /// Adds a filter with a list operator (`in`, `between`): a JSON array in one value.
    #[must_use]
    pub fn filter_list(self, attribute: &str, operator: &str, values: &[&str]) -> Self {
        self.pair(&[attribute, operator], json(&values))
    }

    /// Adds a filter by an instant, in the ten digits that the official Node client's schemas ask for.
    #[must_use]
    pub(crate) fn filter_instant(self, attribute: &str, operator: &str, instant: Timestamp) -> Self {
        let seconds = instant.as_unix_seconds().clamp(0, 9_999_999_999);
        self.pair(&[attribute, operator], format!("{seconds:010}"))
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

/// JSON as text, for a value that holds JSON.
pub(crate) fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("texts and numbers under text keys are always JSON")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shape_has_its_spelling() {
        let form = Form::new()
            .set("company", "Acme & Söhne 100%")
            .pair(&["customer", "id"], "org_acme")
            .cell("subscription_items", "quantity", 1, 5)
            .set("end_of_term", false)
            .set("note", "")
            .set_some("missing", None::<&str>)
            .filter_list("status", "in", &["active", "in_trial"]);
        assert_eq!(
            form.as_str(),
            "company=Acme+%26+S%C3%B6hne+100%25&customer%5Bid%5D=org_acme&subscription_items%5Bquantity%5D%5B1%5D=5\
             &end_of_term=false&note=&status%5Bin%5D=%5B%22active%22%2C%22in_trial%22%5D"
        );
    }

    #[test]
    fn a_percent_sign_before_twenty_stays_itself() {
        assert_eq!(Form::new().set("a", "%20 +").as_str(), "a=%2520+%2B");
    }
}
