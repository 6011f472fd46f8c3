//! The configuration's file as a JSON Schema, for editors.
//!
//! Nobody writes down twice what may be in it: reading an example leaves behind what was asked for, and the sentences are
//! those of `docs/configuration.md`.

use std::{cell::RefCell, collections::BTreeMap};

use serde_json::{Map, Value, json};
use toml::Table;

use super::{Config, Flags, Problems, Vars};

/// The page that says what each setting means.
const PAGE: &str = include_str!("../../../../docs/configuration.md");

/// One of everything that has a name of the reader's own, so that what is in it is asked for.
const EXAMPLE: &str = r#"
[plans.any]
prices = [{ provider = "stripe", id = "price_1", interval = "month", currency = "USD" }]
[addons.any]
prices = [{ provider = "stripe", id = "price_2", interval = "month", currency = "USD" }]
"#;

/// What a setting may be.
#[derive(Clone, Debug)]
pub(super) enum Asked {
    Text,
    Texts,
    Flag,
    Whole(i64, i64),
    Span,
    Percent,
    Words(Vec<String>),
    Table,
    /// Tables by names of the reader's own.
    Named,
    Listed,
    Features,
}

/// Everything that was asked for, by its path; `*` stands for a name, `[]` for a place in a list.
#[derive(Debug, Default)]
pub(crate) struct Shape(RefCell<BTreeMap<String, (Asked, bool)>>);

impl Shape {
    pub(super) fn asked(&self, path: String, what: Asked, needed: bool) {
        let mut known = self.0.borrow_mut();
        let entry = known.entry(path).or_insert((what, needed));
        entry.1 |= needed;
    }

    /// What is asked of any file.
    fn of_any() -> Self {
        let shape = Self::default();
        let example: Table = EXAMPLE.parse().expect("it is written above");
        // What is wrong is the variables that are not there, and nobody wants the settings.
        let _ = Config::watched(&example, &Vars::default(), &Flags::of_a_command(), Problems::default(), Some(&shape));
        shape
    }
}

/// The schema, as it is committed.
pub(crate) fn schema() -> String {
    let (shape, sentences) = (Shape::of_any().0.into_inner(), sentences());
    let mut root = object(&shape, &sentences, "");
    let members = root.as_object_mut().expect("a file is a table");
    members.insert("$schema".into(), json!("https://json-schema.org/draft/2020-12/schema"));
    members.insert("title".into(), json!("tollkeeper.toml"));
    members.insert("$defs".into(), definitions());
    serde_json::to_string_pretty(&root).expect("texts and numbers have a JSON form")
}

fn definitions() -> Value {
    let limit = json!({ "anyOf": [{ "type": "integer", "minimum": 0 }, { "const": "unlimited" }] });
    let metered = json!({ "type": "object", "required": ["metered"], "properties": { "metered": limit }, "additionalProperties": false });
    json!({
        "variable": { "description": "Taken from the environment.", "type": "string", "pattern": "^env:." },
        "grant": {
            "description": "A switch, a limit, or what is counted.",
            "anyOf": [{ "const": true }, limit, metered, { "$ref": "#/$defs/variable" }],
        },
    })
}

/// A table of these settings.
fn object(shape: &BTreeMap<String, (Asked, bool)>, sentences: &BTreeMap<String, String>, begin: &str) -> Value {
    let inside = shape.iter().filter_map(|(path, asked)| {
        let key = path.strip_prefix(begin)?;
        (!key.is_empty() && !key.contains(['.', '['])).then_some((path, key, asked))
    });
    let mut properties = Map::new();
    let mut required = Vec::new();
    for (path, key, (asked, needed)) in inside {
        let mut value = value(shape, sentences, path, asked);
        if let (Some(sentence), Some(members)) = (sentence(sentences, path), value.as_object_mut()) {
            members.insert("description".into(), json!(sentence));
        }
        properties.insert(key.to_owned(), value);
        required.extend(needed.then_some(key));
    }
    let mut object = json!({ "type": "object", "properties": properties, "additionalProperties": false });
    if !required.is_empty() {
        object["required"] = json!(required);
    }
    object
}

fn value(
    shape: &BTreeMap<String, (Asked, bool)>,
    sentences: &BTreeMap<String, String>,
    path: &str,
    asked: &Asked,
) -> Value {
    let or_variable = |one: Value| json!({ "anyOf": [one, { "$ref": "#/$defs/variable" }] });
    match asked {
        Asked::Text => json!({ "type": "string" }),
        Asked::Texts => json!({ "type": ["string", "array"], "items": { "type": "string" } }),
        Asked::Flag => json!({ "type": "boolean" }),
        Asked::Whole(least, i64::MAX) => json!({ "type": "integer", "minimum": least }),
        Asked::Whole(least, most) => json!({ "type": "integer", "minimum": least, "maximum": most }),
        Asked::Span => json!({ "anyOf": [
            { "type": "string", "pattern": "^[0-9]+[smhd]$" }, { "const": 0 }, { "$ref": "#/$defs/variable" },
        ] }),
        Asked::Percent => or_variable(json!({ "type": "string", "pattern": "^[0-9]+(\\.[0-9]{1,2})? *%$" })),
        Asked::Words(words) => or_variable(json!({ "enum": words })),
        Asked::Table => object(shape, sentences, &format!("{path}.")),
        Asked::Named => {
            json!({ "type": "object", "additionalProperties": object(shape, sentences, &format!("{path}.*.")) })
        }
        Asked::Listed => json!({ "type": "array", "items": object(shape, sentences, &format!("{path}[].")) }),
        Asked::Features => json!({ "type": "object", "additionalProperties": { "$ref": "#/$defs/grant" } }),
    }
}

/// What is said of a setting; an add-on has what a plan has.
fn sentence<'a>(sentences: &'a BTreeMap<String, String>, path: &str) -> Option<&'a String> {
    sentences.get(path).or_else(|| sentences.get(&path.replacen("addons.*.", "plans.*.", 1)))
}

/// The rows of the page's tables about the file, by path.
fn sentences() -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut begin = "";
    for line in PAGE.lines().take_while(|line| *line != "## Variables") {
        match line {
            "A plan has:" => begin = "plans.*.",
            "Under `[http]`:" => begin = "http.",
            _ => {}
        }
        let mut cells = line.trim_matches('|').split('|').map(str::trim);
        let (Some(names), Some(usual), Some(means)) = (cells.next(), cells.next(), cells.next()) else { continue };
        let usual = if usual.is_empty() { String::new() } else { format!(" Default: {usual}.") };
        for name in names.split('`').skip(1).step_by(2) {
            found.insert(
                format!("{begin}{}", name.trim_end_matches(".NAME")),
                format!("{means}.{usual}").replace('`', ""),
            );
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use super::*;

    #[test]
    fn the_committed_schema_is_fresh() {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/tollkeeper.schema.json");
        let committed = fs::read_to_string(file).unwrap_or_default();
        assert!(
            committed == schema() + "\n",
            "docs/tollkeeper.schema.json: run scripts/describe and look at what changed"
        );
    }

    #[test]
    fn every_setting_has_a_sentence_and_every_sentence_a_setting() {
        let (shape, sentences) = (Shape::of_any().0.into_inner(), sentences());
        let tables = ["server", "identity", "policy", "dunning", "reconcile", "http", "providers", "console"];
        let tables =
            tables.map(str::to_owned).into_iter().chain(["chargebee", "stripe"].map(|it| format!("providers.{it}")));
        let tables: Vec<_> = tables.collect();
        for path in shape.keys().filter(|path| !tables.contains(path) && !path.contains("prices[]")) {
            // What a rate is made of is shown in its default.
            let whole = path.strip_suffix(".per_minute").or_else(|| path.strip_suffix(".burst")).unwrap_or(path);
            assert!(sentence(&sentences, whole).is_some(), "docs/configuration.md lacks {path}");
        }
        for path in sentences.keys() {
            assert!(shape.contains_key(path), "docs/configuration.md has {path}, which is no setting");
        }
    }

    #[test]
    fn what_is_taken_fits_the_schema_and_what_is_not_does_not() {
        let schema: Value = serde_json::from_str(&schema()).unwrap();
        let schema = jsonschema::draft202012::new(&schema).unwrap();
        let fits = |text: &str| schema.is_valid(&serde_json::to_value(text.parse::<Table>().unwrap()).unwrap());
        let demo = include_str!("../demo/catalog.toml");
        for text in [
            demo,
            EXAMPLE,
            "[policy]\npast_due_grace = \"env:GRACE\"\ntrial_reminder = 0",
            "default_plan = \"env:PLAN\"",
        ] {
            assert!(fits(text), "{text}");
        }
        for text in [
            "[polcy]",
            "[policy]\npaused_access = \"yes\"",
            "[policy]\ntrial_reminder = \"3 days\"",
            "[dunning]\nfinal_after = 0",
            "[plans.a]\nprices = [{ id = \"x\" }]",
            "[plans.a]\nfeatures = { sso = false }",
        ] {
            assert!(!fits(text), "{text}");
        }
    }
}
