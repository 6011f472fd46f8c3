//! The description itself: whole, fresh, and true in its examples.

use std::{collections::BTreeSet, fs, path::Path};

use serde_json::Value;

use crate::described::{DOCUMENT, conforms};

/// Every value under a name, anywhere.
fn each<'a>(value: &'a Value, at: &str, visit: &mut impl FnMut(&str, &'a Value)) {
    visit(at, value);
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                each(value, &format!("{at}/{}", name.replace('~', "~0").replace('/', "~1")), visit);
            }
        }
        Value::Array(entries) => {
            for (place, value) in entries.iter().enumerate() {
                each(value, &format!("{at}/{place}"), visit);
            }
        }
        _ => {}
    }
}

#[test]
fn what_is_committed_is_fresh() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    for (file, made) in
        [("openapi.json", tollkeeper_http::openapi() + "\n"), ("docs/errors.md", tollkeeper_http::errors())]
    {
        let committed = fs::read_to_string(root.join(file)).unwrap_or_default();
        assert!(committed == made, "{file} is not what the code says: run scripts/describe and look at what changed");
    }
}

#[test]
fn examples_are_what_they_are_examples_of() {
    let mut seen = 0;
    each(&DOCUMENT, "", &mut |at, value| {
        for example in value.get("examples").and_then(Value::as_array).into_iter().flatten() {
            conforms(at, example, at);
            seen += 1;
        }
    });
    assert!(seen > 10, "only {seen} examples");
}

#[test]
fn every_reference_leads_somewhere_and_every_component_is_used() {
    let mut named = BTreeSet::new();
    each(&DOCUMENT, "", &mut |at, value| {
        if let Some(target) = value.get("$ref").and_then(Value::as_str) {
            assert!(DOCUMENT.pointer(target.trim_start_matches('#')).is_some(), "{at} leads to {target}");
            named.insert(target.rsplit('/').next().unwrap().to_owned());
        }
    });
    let made: BTreeSet<_> = DOCUMENT["components"]["schemas"].as_object().unwrap().keys().cloned().collect();
    let unused: Vec<_> = made.difference(&named).collect();
    assert!(unused.is_empty(), "nothing leads to {unused:?}");
}

#[test]
fn operations_have_names_of_their_own_and_parameters_for_their_paths() {
    let mut ids = BTreeSet::new();
    for (path, methods) in DOCUMENT["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            let id = operation["operationId"].as_str().unwrap();
            assert!(ids.insert(id), "{id} is there twice");
            let parameters = operation["parameters"].as_array().cloned().unwrap_or_default();
            let named: BTreeSet<_> = parameters
                .iter()
                .filter(|parameter| parameter["in"] == "path")
                .map(|parameter| format!("{{{}}}", parameter["name"].as_str().unwrap()))
                .collect();
            let wanted: BTreeSet<_> =
                path.split('/').filter(|part| part.starts_with('{')).map(ToOwned::to_owned).collect();
            assert_eq!(named, wanted, "{method} {path}");
            assert!(operation["responses"].as_object().unwrap().keys().any(|status| status < &"400".to_owned()));
        }
    }
}
