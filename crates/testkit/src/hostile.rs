//! JSON that no provider would send: anything at all, and documents with some of their members struck.

#![expect(clippy::unwrap_used, reason = "what goes wrong here fails a test")]

use proptest::prelude::*;
use serde_json::{Map, Value, json};

/// Either anything, or nearly this.
pub fn nearly(document: fn() -> Value) -> impl Strategy<Value = Value> {
    prop_oneof![1 => any_json(), 4 => damaged(document())]
}

/// Any JSON, with the numbers and texts that break things among the others.
pub fn any_json() -> impl Strategy<Value = Value> {
    let number = prop_oneof![any::<i64>(), Just(i64::MIN), Just(i64::MAX), -2_i64..3].prop_map(Value::from);
    let text = prop_oneof![
        any::<String>(),
        Just(String::new()),
        Just("past_due".to_owned()),
        Just("not_paid".to_owned()),
        Just("9".repeat(400))
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        number,
        Just(json!(1e300)),
        Just(json!(0.5)),
        text.prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::vec((any::<String>(), inner), 0..4)
                .prop_map(|members| Value::from(members.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

/// A document with some of its members, at any depth, taken out or replaced.
fn damaged(document: Value) -> impl Strategy<Value = Value> {
    let blow = (any::<prop::sample::Index>(), proptest::option::of(any_json()));
    proptest::collection::vec(blow, 1..5).prop_map(move |blows| {
        let mut document = document.clone();
        for (place, by) in blows {
            let paths = pointers(&document);
            strike(&mut document, &paths[place.index(paths.len())], by);
        }
        document
    })
}

/// Where every value of a document is, the whole first.
fn pointers(value: &Value) -> Vec<Vec<String>> {
    let inner: Vec<(String, &Value)> = match value {
        Value::Object(members) => members.iter().map(|(name, value)| (name.clone(), value)).collect(),
        Value::Array(rows) => rows.iter().enumerate().map(|(index, value)| (index.to_string(), value)).collect(),
        _ => Vec::new(),
    };
    let below = inner.into_iter().flat_map(|(name, value)| {
        pointers(value).into_iter().map(move |rest| std::iter::once(name.clone()).chain(rest).collect())
    });
    std::iter::once(Vec::new()).chain(below).collect()
}

fn strike(value: &mut Value, path: &[String], by: Option<Value>) {
    let Some((first, rest)) = path.split_first() else {
        *value = by.unwrap_or_default();
        return;
    };
    match value {
        Value::Object(members) if rest.is_empty() && by.is_none() => {
            members.remove(first);
        }
        Value::Object(members) => strike(&mut members[first.as_str()], rest, by),
        Value::Array(rows) => strike(&mut rows[first.parse::<usize>().unwrap()], rest, by),
        _ => unreachable!("the path was just read from the document"),
    }
}
