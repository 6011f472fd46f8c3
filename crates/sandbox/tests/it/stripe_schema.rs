//! Values against the schemas of Stripe's OpenAPI document.

use serde_json::Value;

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
            // A schema without members says nothing about them.
            if let Some(properties) = schema.get("properties").and_then(Value::as_object) {
                for (name, value) in members {
                    let at = format!("{at}.{name}");
                    match properties.get(name) {
                        Some(schema) => strangers(schemas, schema, value, &at, found),
                        None => found.push(format!("{at} is unknown")),
                    }
                }
            } else if let Some(schema) = schema.get("additionalProperties").filter(|schema| schema.is_object()) {
                for (name, value) in members {
                    strangers(schemas, schema, value, &format!("{at}.{name}"), found);
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
