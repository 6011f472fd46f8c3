//! The versions of the API that are served, and how an object looks in each.
//!
//! Records are rendered once, as version 2026-10-28.endive has them; the older shape is derived from that. A rendered
//! object also carries *hints*: members whose names begin with `_`, which only the older shape needs (the price of an
//! invoice line, the payment of an invoice). [`as_of`] takes them all away, so that no answer ever shows one, and an
//! event that was kept can be rendered in either version long after.
//!
//! Source: the types and the changelogs of the official Node clients 15.12 (2024-04-10) and 23.1 (endive).

mod older;

pub(super) use older::plan;
use serde_json::Value;

/// A version of the API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Version {
    /// `2024-04-10`
    April2024,
    /// `2026-10-28.endive`
    Endive,
}

impl Version {
    /// The version of the account: what a request without `Stripe-Version` and a new endpoint get.
    pub(crate) const CURRENT: Version = Version::Endive;

    /// Reads a `Stripe-Version`; `None` for every version that is not served.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        [Version::April2024, Version::Endive].into_iter().find(|version| version.as_str() == text)
    }

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Version::April2024 => "2024-04-10",
            Version::Endive => "2026-10-28.endive",
        }
    }
}

/// Renders what `render::object` gave in a version, nested objects too, and takes the hints away.
pub(crate) fn as_of(mut value: Value, version: Version) -> Value {
    convert(&mut value, version);
    value
}

fn convert(value: &mut Value, version: Version) {
    match value {
        Value::Array(values) => values.iter_mut().for_each(|value| convert(value, version)),
        // An event says itself in which version its content is.
        Value::Object(members) if members.get("object").is_some_and(|kind| kind == "event") => {}
        Value::Object(_) => {
            if version == Version::April2024 {
                older::convert(value);
            }
            let Some(members) = value.as_object_mut() else { return };
            members.retain(|name, _| !name.starts_with('_'));
            // Texts of the account's users are theirs: a key of metadata may begin as a hint does.
            members.iter_mut().filter(|(name, _)| *name != "metadata").for_each(|(_, value)| convert(value, version));
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn hints_are_never_shown_and_metadata_is_left_alone() {
        let value = json!({ "object": "x", "_a": 1, "b": [{ "_c": 1, "d": 2 }], "metadata": { "_e": "1" } });
        let shown = json!({ "object": "x", "b": [{ "d": 2 }], "metadata": { "_e": "1" } });
        for version in [Version::April2024, Version::Endive] {
            assert_eq!(as_of(value.clone(), version), shown);
            assert_eq!(Version::parse(version.as_str()), Some(version));
        }
        assert_eq!(Version::parse("2019-01-01"), None);
    }
}
