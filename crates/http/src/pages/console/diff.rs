//! Documents as people compare and read them.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
};

use serde_json::Value;

/// What says nothing to anybody who asks why: it is on the page already, or changes with everything.
const UNTOLD: [&str; 5] = ["id", "organizationId", "version", "observedAt", "providerVersion"];

/// A field that is not what it was.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Change {
    /// Its path: `items[growth-monthly].quantity`.
    pub(crate) field: String,
    pub(crate) before: Option<String>,
    pub(crate) after: Option<String>,
}

/// What differs between a document before and after; of one that was not there before, everything that it says.
pub(crate) fn changes(before: Option<&Value>, after: Option<&Value>) -> Vec<Change> {
    let leaves = |document: Option<&Value>| {
        let mut leaves = BTreeMap::new();
        if let Some(document) = document {
            collect(document, String::new(), &mut leaves);
        }
        leaves
    };
    let (mut before, mut after) = (leaves(before), leaves(after));
    let fields: BTreeSet<_> = before.keys().chain(after.keys()).cloned().collect();
    let change = |field: String| {
        let (before, after) = (before.remove(&field), after.remove(&field));
        (before != after).then_some(Change { field, before, after })
    };
    fields.into_iter().filter(|field| !UNTOLD.contains(&field.as_str())).filter_map(change).collect()
}

/// The text of every value that is not a list or an object itself; what is null says nothing.
fn collect(value: &Value, path: String, leaves: &mut BTreeMap<String, String>) {
    match value {
        Value::Null => {}
        Value::Object(fields) => {
            for (name, value) in fields {
                // A name with a sign of paths in it is quoted: it is no path.
                let quoted = name.contains(['.', '[', ']', '"']);
                let name = if quoted { Value::from(name.as_str()).to_string() } else { name.clone() };
                let path = if path.is_empty() { name } else { format!("{path}.{name}") };
                collect(value, path, leaves);
            }
        }
        Value::Array(entries) => {
            for (place, value) in entries.iter().enumerate() {
                // A line is the same one wherever it stands, unless its price is there twice.
                let price = price_of(value);
                let place = match price {
                    Some(price) if entries.iter().filter(|other| price_of(other) == Some(price)).count() == 1 => {
                        price.to_owned()
                    }
                    _ => place.to_string(),
                };
                collect(value, format!("{path}[{place}]"), leaves);
            }
        }
        Value::String(text) => drop(leaves.insert(path, text.clone())),
        Value::Bool(_) | Value::Number(_) => drop(leaves.insert(path, value.to_string())),
    }
}

/// The price that a line sells.
fn price_of(line: &Value) -> Option<&str> {
    line.get("itemPriceId").or_else(|| line.get("priceId"))?.as_str()
}

/// A value in one cell.
pub(crate) fn cell(value: &Value) -> String {
    match value {
        Value::Null => "nothing".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// JSON with a line for each value, at most `longest` bytes of it. Not a letter of the values is touched: numbers keep their
/// digits, fields their order. What is no JSON stays as it is.
pub(crate) fn laid_out(body: &[u8], longest: usize) -> String {
    let text = String::from_utf8_lossy(&body[..body.len().min(longest)]);
    if serde_json::from_slice::<serde::de::IgnoredAny>(body).is_err() {
        return text.into_owned();
    }
    let mut out = String::with_capacity(text.len() * 2);
    let (mut depth, mut quoted, mut escaped) = (0_usize, false, false);
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        if quoted {
            out.push(letter);
            quoted = escaped || letter != '"';
            escaped = letter == '\\' && !escaped;
            continue;
        }
        match letter {
            '"' => {
                quoted = true;
                out.push(letter);
            }
            '{' | '[' => {
                out.push(letter);
                while letters.next_if(|next| next.is_ascii_whitespace()).is_some() {}
                if let Some(end) = letters.next_if(|next| matches!(next, '}' | ']')) {
                    out.push(end);
                } else {
                    depth += 1;
                    line(&mut out, depth);
                }
            }
            '}' | ']' => {
                depth = depth.saturating_sub(1);
                line(&mut out, depth);
                out.push(letter);
            }
            ',' => {
                out.push(letter);
                line(&mut out, depth);
            }
            ':' => out.push_str(": "),
            letter if letter.is_ascii_whitespace() => {}
            letter => out.push(letter),
        }
    }
    out
}

fn line(out: &mut String, depth: usize) {
    // Deeper than that, nobody counts.
    let _ = write!(out, "\n{:width$}", "", width = 2 * depth.min(40));
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_line_that_moves_has_not_changed() {
        let line = |price: &str, quantity: i64| json!({ "itemPriceId": price, "quantity": quantity });
        let before = json!({ "items": [line("plan", 1), line("a", 1), line("b", 1)] });
        let after = json!({ "items": [line("plan", 1), line("b", 2)] });
        let fields: Vec<_> = changes(Some(&before), Some(&after)).into_iter().map(|change| change.field).collect();
        assert_eq!(fields, ["items[a].itemPriceId", "items[a].quantity", "items[b].quantity"]);
        // One that is there twice is told by its place.
        let twice = json!({ "items": [line("a", 1), line("a", 2)] });
        let fields: Vec<_> = changes(None, Some(&twice)).into_iter().map(|change| change.field).collect();
        assert_eq!(fields, ["items[0].itemPriceId", "items[0].quantity", "items[1].itemPriceId", "items[1].quantity"]);
    }

    #[test]
    fn a_name_with_signs_of_a_path_is_no_path() {
        let document = json!({ "a.b": 1, "a": { "b": 2 }, "c[0]": 3, "c": [4] });
        let fields: Vec<_> = changes(None, Some(&document)).into_iter().map(|change| change.field).collect();
        assert_eq!(fields, ["\"a.b\"", "\"c[0]\"", "a.b", "c[0]"]);
    }

    #[test]
    fn only_what_differs_is_told() {
        let before = json!({
            "id": "tks_1", "version": 1, "status": "future", "plan": null, "seats": 5,
            "items": [{"priceId": "a", "quantity": 5}], "metadata": {"team": ["x"]},
        });
        let after = json!({
            "id": "tks_1", "version": 2, "status": "active", "plan": "growth", "seats": null,
            "items": [{"priceId": "a", "quantity": 6}, {"priceId": "b", "quantity": 1}], "metadata": {"team": ["x"]},
        });
        let told: Vec<_> = changes(Some(&before), Some(&after))
            .into_iter()
            .map(|change| (change.field, change.before, change.after))
            .collect();
        let change = |field: &str, before: Option<&str>, after: Option<&str>| {
            (field.to_owned(), before.map(str::to_owned), after.map(str::to_owned))
        };
        assert_eq!(
            told,
            [
                change("items[a].quantity", Some("5"), Some("6")),
                change("items[b].priceId", None, Some("b")),
                change("items[b].quantity", None, Some("1")),
                change("plan", None, Some("growth")),
                change("seats", Some("5"), None),
                change("status", Some("future"), Some("active")),
            ]
        );
        assert_eq!(changes(Some(&before), Some(&before)), []);
        assert_eq!(changes(None, None), []);
        assert_eq!(changes(None, Some(&before)).len(), 5);
    }

    #[test]
    fn a_payload_is_laid_out_and_not_changed() {
        let body = br#" {"amount":1.10,"big":123456789012345678901234567890,"b":[],"a":{ },"t":"{\"x\\\":[1, 2]","l":[1,{"n":null}]} "#;
        let wanted = r#"{
  "amount": 1.10,
  "big": 123456789012345678901234567890,
  "b": [],
  "a": {},
  "t": "{\"x\\\":[1, 2]",
  "l": [
    1,
    {
      "n": null
    }
  ]
}"#;
        // `t` does not end at its first quote, nor at the one behind the backslashes.
        assert_eq!(laid_out(body, body.len()), wanted);
        // What is cut is laid out too.
        let cut = laid_out(body, body.len() / 2);
        assert!(wanted.starts_with(cut.trim_end()) && cut.lines().count() > 1, "{cut}");
        for other in ["", "no json", "{\"a\":", "<b>&amp;</b>"] {
            assert_eq!(laid_out(other.as_bytes(), other.len()), other);
        }
        assert_eq!(laid_out(&[b'"', 0xff, b'"'], 3), "\"\u{fffd}\"");
        let deep = format!("{}{}", "[".repeat(100), "]".repeat(100));
        assert_eq!(laid_out(deep.as_bytes(), deep.len()).chars().filter(|letter| !letter.is_whitespace()).count(), 200);
    }
}
