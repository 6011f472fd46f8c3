//! Values against the schemas of the providers' OpenAPI documents.

use reqwest::Method;
use serde_json::Value;

/// The operation of a request in a document, `None` where it has none.
pub(crate) fn operation<'d>(document: &'d Value, method: &Method, path: &str) -> Option<&'d Value> {
    let path = path.split('?').next().unwrap();
    let given: Vec<&str> = path.split('/').collect();
    let fits = |template: &str| {
        let parts: Vec<&str> = template.split('/').collect();
        let same = |(part, given): (&&str, &&str)| part == given || part.starts_with('{');
        parts.len() == given.len() && parts.iter().zip(&given).all(same)
    };
    let paths = document["paths"].as_object().unwrap();
    // A path without parameters comes before one that would fit it: `/v1/customers/search`.
    let known = paths.get(path).or_else(|| paths.iter().find(|(template, _)| fits(template)).map(|(_, item)| item));
    known.and_then(|item| item.get(method.as_str().to_lowercase()))
}

/// What a document does not allow in the JSON answer to a request.
pub(crate) fn broken(document: &Value, method: &Method, path: &str, status: u16, body: &Value) -> Vec<String> {
    let Some(operation) = operation(document, method, path) else {
        // What nobody serves may be refused.
        if status >= 400 {
            return Vec::new();
        }
        return vec![format!("{method} {path} is not in the contract")];
    };
    let responses = &operation["responses"];
    let mut response = responses.get(status.to_string()).unwrap_or(&responses["default"]);
    if let Some(reference) = response.get("$ref").and_then(Value::as_str) {
        response = &document["components"]["responses"][reference.rsplit('/').next().unwrap()];
    }
    let schema = &response["content"]["application/json"]["schema"];
    let mut found = Vec::new();
    strangers(&document["components"]["schemas"], schema, body, "answer", &mut found);
    found.into_iter().map(|found| format!("{method} {path}: {found}")).collect()
}

/// What a schema does not allow: members that it does not have or misses, values of another type or no known word.
pub(crate) fn strangers(schemas: &Value, schema: &Value, value: &Value, at: &str, found: &mut Vec<String>) {
    if let Some(reference) = schema.get("$ref").and_then(Value::as_str) {
        let name = reference.rsplit('/').next().unwrap();
        return strangers(schemas, &schemas[name], value, at, found);
    }
    if value.is_null() {
        if schema.get("nullable") != Some(&Value::Bool(true)) {
            found.push(format!("{at} is null"));
        }
        return;
    }
    if let Some(choices) = schema.get("anyOf").and_then(Value::as_array) {
        return closest(schemas, choices, value, at, found);
    }
    let kind = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    if let Some(known) = schema.get("type").and_then(Value::as_str)
        && known != kind
        && (known, kind) != ("number", "integer")
    {
        found.push(format!("{at} is {kind}, not {known}"));
    }
    if let Some(words) = schema.get("enum").and_then(Value::as_array)
        && !words.contains(value)
    {
        found.push(format!("{at} is {value}"));
    }
    match value {
        Value::Object(members) => {
            let properties = schema.get("properties").and_then(Value::as_object);
            let others = schema.get("additionalProperties").filter(|schema| schema.is_object());
            for (name, value) in members {
                let at = format!("{at}.{name}");
                match properties.and_then(|properties| properties.get(name)).or(others) {
                    Some(schema) => strangers(schemas, schema, value, &at, found),
                    // A schema without members says nothing about them.
                    None if properties.is_some() => found.push(format!("{at} is unknown")),
                    None => {}
                }
            }
            for name in schema.get("required").and_then(Value::as_array).into_iter().flatten() {
                if members.get(name.as_str().unwrap()).is_none() {
                    found.push(format!("{at}.{} is missing", name.as_str().unwrap()));
                }
            }
        }
        Value::Array(values) => {
            for value in values {
                strangers(schemas, &schema["items"], value, at, found);
            }
        }
        _ => {}
    }
}

/// Holds a value against several schemas, and reports what is missing from the one that it fits best.
fn closest(schemas: &Value, choices: &[Value], value: &Value, at: &str, found: &mut Vec<String>) {
    let mut fewest: Option<Vec<String>> = None;
    for choice in choices {
        let mut strange = Vec::new();
        strangers(schemas, choice, value, at, &mut strange);
        if fewest.as_ref().is_none_or(|fewest| strange.len() < fewest.len()) {
            fewest = Some(strange);
        }
    }
    found.extend(fewest.unwrap_or_default());
}
