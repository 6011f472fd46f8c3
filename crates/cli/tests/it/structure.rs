//! The shape of the workspace: which crate may know which, and how long a file may be.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;

/// What each crate may depend on, of ours. What is not here may depend on everything: the benchmark.
const MAY_KNOW: [(&str, &[&str]); 10] = [
    ("tollkeeper-core", &[]),
    ("tollkeeper-sandbox", &[]),
    ("tollkeeper-store", &["tollkeeper-core"]),
    ("tollkeeper-chargebee", &["tollkeeper-core"]),
    ("tollkeeper-scalekit", &["tollkeeper-core"]),
    ("tollkeeper-stripe", &["tollkeeper-core"]),
    ("tollkeeper-testkit", &["tollkeeper-core", "tollkeeper-store"]),
    ("tollkeeper", &["tollkeeper-store", "tollkeeper-core"]),
    ("tollkeeper-http", &["tollkeeper", "tollkeeper-core"]),
    (
        "tollkeeper-cli",
        &[
            "tollkeeper",
            "tollkeeper-chargebee",
            "tollkeeper-core",
            "tollkeeper-http",
            "tollkeeper-sandbox",
            "tollkeeper-scalekit",
            "tollkeeper-store",
            "tollkeeper-stripe",
        ],
    ),
];

/// What the rules must not know: no runtime, no database, no HTTP client or server.
const NOT_IN_CORE: [&str; 6] = ["tokio", "sqlx", "reqwest", "axum", "hyper", "rustls"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Direct dependencies by package: (name, kind), kind being null, `dev` or `build`.
fn dependencies() -> BTreeMap<String, Vec<(String, Option<String>)>> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version=1", "--no-deps", "--offline"])
        .current_dir(root())
        .output()
        .expect("cargo runs");
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("cargo metadata is JSON");
    let packages = metadata["packages"].as_array().expect("packages");
    let text = |value: &Value| value.as_str().map(ToOwned::to_owned);
    packages
        .iter()
        .map(|package| {
            let all = package["dependencies"].as_array().expect("dependencies");
            let all = all.iter().map(|it| (text(&it["name"]).expect("a name"), text(&it["kind"]))).collect();
            (text(&package["name"]).expect("a name"), all)
        })
        .collect()
}

#[test]
fn arrows_point_downward_only() {
    let dependencies = dependencies();
    let ours: BTreeSet<_> = dependencies.keys().cloned().collect();
    let mut forbidden = Vec::new();
    for (package, allowed) in MAY_KNOW {
        let all = dependencies.get(package).unwrap_or_else(|| panic!("{package} is gone: mend the table"));
        for (name, kind) in all.iter().filter(|(name, _)| ours.contains(name)) {
            if kind.as_deref() != Some("dev") && !allowed.contains(&name.as_str()) {
                forbidden.push(format!("{package} must not know {name}"));
            }
        }
    }
    assert!(forbidden.is_empty(), "{}", forbidden.join("\n"));
    let known: BTreeSet<_> = MAY_KNOW.iter().map(|(name, _)| (*name).to_owned()).collect();
    let new: Vec<_> = ours.iter().filter(|name| !known.contains(*name) && *name != "tollkeeper-bench").collect();
    assert!(new.is_empty(), "a new crate needs its line in this table: {new:?}");
}

#[test]
fn the_sandbox_and_its_tests_know_nothing_of_ours() {
    let dependencies = dependencies();
    let ours: Vec<_> =
        dependencies["tollkeeper-sandbox"].iter().filter(|(name, _)| dependencies.contains_key(name)).collect();
    assert!(ours.is_empty(), "the sandbox would agree with our bugs: it knows {ours:?}");
}

#[test]
fn no_adapter_is_known_outside_of_the_command_line_but_in_tests() {
    for (package, all) in dependencies() {
        if ["tollkeeper-cli", "tollkeeper-bench"].contains(&package.as_str()) {
            continue;
        }
        for (name, kind) in all {
            let adapter = ["tollkeeper-chargebee", "tollkeeper-stripe", "tollkeeper-scalekit", "tollkeeper-sandbox"]
                .contains(&name.as_str());
            assert!(!adapter || kind.as_deref() == Some("dev"), "{package} names the adapter {name}");
        }
    }
}

#[test]
fn the_rules_know_no_machinery_and_sql_stays_in_the_store() {
    for (package, all) in dependencies() {
        for (name, kind) in all.iter().filter(|(_, kind)| kind.is_none()) {
            let _ = kind;
            assert!(
                package != "tollkeeper-core" || !NOT_IN_CORE.contains(&name.as_str()),
                "tollkeeper-core knows {name}"
            );
            let may = ["tollkeeper-store", "tollkeeper-testkit", "tollkeeper-bench"].contains(&package.as_str());
            assert!(name != "sqlx" || may, "{package} knows sqlx: SQL belongs to the store");
        }
    }
}

#[test]
fn a_file_of_more_than_600_lines_says_why_in_its_head() {
    let mut long = Vec::new();
    let mut folders = vec![root().join("crates")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder can be read").flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|end| end == "rs") {
                let text = fs::read_to_string(&path).expect("a source file is text");
                let head: String = text.lines().take(30).filter(|line| line.starts_with("//!")).collect();
                if text.lines().count() > 600 && !head.contains("long because") {
                    long.push(path);
                }
            }
        }
    }
    assert!(long.is_empty(), "each of these asks to be two: {long:?}");
}

#[test]
fn what_the_documents_name_exists() {
    for (document, at_least) in [("ARCHITECTURE.md", 30), ("CONTRIBUTING.md", 10), ("docs/migrating.md", 1)] {
        let text = fs::read_to_string(root().join(document)).expect("the document is there");
        let (named, missing) = places(&text);
        assert!(named >= at_least, "{document} names only {named} places");
        assert!(missing.is_empty(), "{document}: these are not there any more: {missing:?}");
    }
}

/// How many places of the repository a text names in backticks, and which of them are not there.
fn places(text: &str) -> (usize, Vec<String>) {
    let mut missing = Vec::new();
    let mut named = 0;
    for piece in text.split('`').skip(1).step_by(2) {
        // A path of the repository, optionally with an item behind `::`.
        let Some((path, item)) = piece.split_once("::").map(|(path, item)| (path, Some(item))).or(Some((piece, None)))
        else {
            continue;
        };
        if !path.starts_with("crates/") && !path.starts_with("docs/") && !path.starts_with("scripts/") {
            continue;
        }
        named += 1;
        let file = root().join(path);
        if !file.exists() {
            missing.push(piece.to_owned());
        } else if let Some(item) = item {
            let name = item.rsplit("::").next().unwrap_or(item).trim_end_matches("()");
            let text = fs::read_to_string(&file).unwrap_or_default();
            let defined = ["fn ", "struct ", "enum ", "trait ", "type ", "const ", "macro_rules! "];
            if !defined.iter().any(|kind| text.contains(&format!("{kind}{name}"))) {
                missing.push(piece.to_owned());
            }
        }
    }
    (named, missing)
}

/// Every document that belongs to the project, by its path from the root.
fn documents() -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![PathBuf::new()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(root().join(&folder)).expect("a folder can be read").flatten() {
            let (name, path) = (entry.file_name(), folder.join(entry.file_name()));
            let name = name.to_string_lossy();
            if entry.path().is_dir() {
                if !name.starts_with('.') && !["target", "node_modules"].contains(&&*name) {
                    folders.push(path);
                }
            } else if name.ends_with(".md") {
                found.push(path);
            }
        }
    }
    found
}

/// A heading as links call it: lower case, words joined by dashes, the rest left out.
fn anchor(heading: &str) -> String {
    let words = heading.trim_start_matches('#').trim().to_lowercase();
    let kept = words.chars().filter(|letter| letter.is_alphanumeric() || matches!(letter, ' ' | '-' | '_'));
    kept.map(|letter| if letter == ' ' { '-' } else { letter }).collect()
}

/// The text without what stands between fences, where nothing is a link.
fn prose(text: &str) -> String {
    let mut within = false;
    let lines = text.lines().filter(|line| {
        let is_fence = line.trim_start().starts_with("```");
        within ^= is_fence;
        !within && !is_fence
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn links_between_documents_lead_somewhere() {
    let mut broken = Vec::new();
    let mut followed = 0;
    for document in documents() {
        let text = prose(&fs::read_to_string(root().join(&document)).expect("a document is text"));
        for target in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            if target.contains("://") {
                continue;
            }
            followed += 1;
            let (path, fragment) = target.split_once('#').map_or((target, None), |(path, id)| (path, Some(id)));
            let folder = document.parent().unwrap_or(Path::new(""));
            let file = if path.is_empty() { document.clone() } else { folder.join(path) };
            let leads = root().join(&file).exists()
                && fragment.is_none_or(|id| {
                    let there = prose(&fs::read_to_string(root().join(&file)).unwrap_or_default());
                    there.lines().any(|line| line.starts_with('#') && anchor(line) == id)
                });
            if !leads {
                broken.push(format!("{}: {target}", document.display()));
            }
        }
    }
    assert!(followed > 20, "only {followed} links were found");
    assert!(broken.is_empty(), "these lead nowhere: {broken:?}");
}
