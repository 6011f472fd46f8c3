//! The description itself: whole, fresh, and true in its examples.

use std::{collections::BTreeSet, fs, path::Path};

use axum::body::Body;
use serde_json::Value;

use crate::{
    described::{DOCUMENT, conforms},
    world::{APP, Answer, World, plain},
};

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

async fn fetch(world: &World, path: &str, encoding: &str) -> Answer {
    let answer = world.send(plain("GET", path).header("accept-encoding", encoding).body(Body::empty()).unwrap()).await;
    assert_eq!(answer.status, 200, "{path}");
    assert_eq!(answer.header("vary"), Some("accept-encoding"), "{path}");
    answer
}

#[tokio::test]
async fn everybody_can_read_it_in_the_way_that_suits_them() {
    let world = World::new().await;
    let document = fetch(&world, "/openapi.json", "identity").await;
    assert_eq!(document.header("content-type"), Some("application/json"));
    assert_eq!(std::str::from_utf8(&document.body).unwrap(), tollkeeper_http::openapi());

    let page = fetch(&world, "/docs", "identity").await;
    assert_eq!(page.header("content-type"), Some("text/html; charset=utf-8"));
    let policy = page.header("content-security-policy").unwrap();
    assert!(policy.starts_with("default-src 'none';") && !policy.contains("unsafe"), "{policy}");
    let text = String::from_utf8(page.body.to_vec()).unwrap();
    assert!(!text.contains("<script") && !text.contains("style=\"") && !text.contains("//cdn"));
    assert!(text.contains(&format!("curl {APP}/api/subscription/list")));

    let list = fetch(&world, "/llms.txt", "identity").await;
    let list = String::from_utf8(list.body.to_vec()).unwrap();
    assert!(list.starts_with("# Tollkeeper\n\n> "));
    for (path, methods) in DOCUMENT["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            let id = operation["operationId"].as_str().unwrap();
            assert!(text.contains(&format!("id=\"{id}\"")), "/docs lacks {id}");
            assert!(list.contains(&format!("[{} {path}](/docs#{id})", method.to_uppercase())), "/llms.txt lacks {id}");
        }
    }
    for code in DOCUMENT["x-codes"].as_array().unwrap() {
        assert!(text.contains(&format!("id=\"code-{}\"", code["code"].as_str().unwrap())));
    }
}

#[tokio::test]
async fn it_is_small_on_the_wire() {
    let world = World::new().await;
    for path in ["/docs", "/openapi.json", "/llms.txt"] {
        let packed = fetch(&world, path, "br, gzip").await;
        assert_eq!(packed.header("content-encoding"), Some("gzip"), "{path}");
        assert!(packed.body.len() < 50_000, "{path} has {} bytes", packed.body.len());
        let plain = fetch(&world, path, "br").await;
        assert_eq!(plain.header("content-encoding"), None);
        assert!(plain.body.len() > packed.body.len());
    }
}
