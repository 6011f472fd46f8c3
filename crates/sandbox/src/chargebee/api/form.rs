//! The form encoding of requests: brackets for members, the index last for lists of objects.
//!
//! `subscription_items[item_price_id][0]=p&subscription_items[quantity][0]=5`; `meta_data` is one JSON text.
//!
//! Source: Chargebee API docs, "Input format"; what the official Node client sends.

use std::collections::BTreeMap;

/// The decoded pairs of a form or a query, in the order in which they came.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Form {
    pairs: Vec<(String, String)>,
}

impl Form {
    pub(crate) fn parse(encoded: &[u8]) -> Self {
        Self { pairs: url::form_urlencoded::parse(encoded).into_owned().collect() }
    }

    pub(crate) fn pairs(&self) -> &[(String, String)] {
        &self.pairs
    }

    /// The value of a name, the last one where it came twice.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.pairs.iter().rev().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The column `list[member][index]`, by index.
    pub(crate) fn column(&self, list: &str, member: &str) -> BTreeMap<usize, &str> {
        let prefix = format!("{list}[{member}][");
        self.pairs
            .iter()
            .filter_map(|(key, value)| {
                let index = key.strip_prefix(prefix.as_str())?.strip_suffix(']')?;
                Some((index.parse().ok()?, value.as_str()))
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_read_by_index() {
        let form = Form::parse(b"a%5Bid%5D%5B1%5D=two&a%5Bid%5D%5B0%5D=one+x&b=&a%5Bid%5D%5Bx%5D=no&a[idle][0]=no");
        assert_eq!(form.column("a", "id"), BTreeMap::from([(0, "one x"), (1, "two")]));
        assert_eq!(form.get("b"), Some(""));
        assert_eq!(form.get("c"), None);
    }
}
