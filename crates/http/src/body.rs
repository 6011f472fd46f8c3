//! Bodies of requests: read with a limit, and taken apart field by field.
//!
//! By hand and not by derive: a wrong field is named as the caller spelled it, every text has a limit, and the
//! reference can be read before anything else is judged.

use axum::extract::{DefaultBodyLimit, FromRequest, Request};
use bytes::Bytes;
use http::{HeaderMap, StatusCode, header};
use serde_json::{Map, Value};

use crate::problem::Problem;

/// Characters of an id or a name.
pub(crate) const NAME: usize = 255;
/// Characters of an address.
pub(crate) const ADDRESS: usize = 2_000;
/// Characters of free text.
pub(crate) const TEXT: usize = 1_000;
/// Entries of a list.
const ENTRIES: usize = 20;

/// Reads a body of at most `limit` bytes, as it came.
///
/// # Errors
/// 413 when it is longer, 400 when it does not arrive.
pub(crate) async fn read(mut request: Request, limit: usize) -> Result<Bytes, Problem> {
    DefaultBodyLimit::max(limit).apply(&mut request);
    Bytes::from_request(request, &()).await.map_err(|rejection| match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => Problem::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "body_too_large",
            format!("The body has more than {limit} bytes"),
        ),
        _ => Problem::new(StatusCode::BAD_REQUEST, "incomplete_body", "The body could not be read to its end"),
    })
}

/// Reads a JSON object; nothing at all counts as an empty one.
///
/// # Errors
/// 415 for what a form sends, 400 for anything else that is no JSON object.
pub(crate) fn parse(headers: &HeaderMap, body: &[u8]) -> Result<Fields, Problem> {
    if is_form(headers) {
        return Err(Problem::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "unsupported_media_type",
            "Send JSON, not a form",
        ));
    }
    if body.trim_ascii().is_empty() {
        return Ok(Fields(Map::new()));
    }
    match serde_json::from_slice(body) {
        Ok(Value::Object(fields)) => Ok(Fields(fields)),
        Ok(_) => Err(Problem::new(StatusCode::BAD_REQUEST, "invalid_type", "The body must be a JSON object")),
        Err(_) => Err(Problem::new(StatusCode::BAD_REQUEST, "invalid_json", "The body is not valid JSON")),
    }
}

/// Pages of other sites can make a browser send these without asking first.
fn is_form(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    kind.eq_ignore_ascii_case("application/x-www-form-urlencoded")
        || kind.get(..10).is_some_and(|start| start.eq_ignore_ascii_case("multipart/"))
}

/// The fields of a body. What is null counts as not given; what nobody asks for is ignored.
#[derive(Debug)]
pub(crate) struct Fields(Map<String, Value>);

impl Fields {
    /// The reference, where it is one, before anything else is judged.
    pub(crate) fn reference(&self) -> Option<&str> {
        self.0.get("referenceId").and_then(Value::as_str)
    }

    /// A text of at most `longest` characters.
    pub(crate) fn text(&self, name: &'static str, longest: usize) -> Result<Option<String>, Problem> {
        self.given(name).map(|value| text(value, name, longest).map(str::to_owned)).transpose()
    }

    /// One of a few words, as its place among them.
    pub(crate) fn word(&self, name: &'static str, words: &[&str]) -> Result<Option<usize>, Problem> {
        let Some(value) = self.given(name) else { return Ok(None) };
        let said = text(value, name, NAME)?;
        match words.iter().position(|word| *word == said) {
            Some(place) => Ok(Some(place)),
            None => Err(Problem::field(name, "invalid_value", format!("{name} must be one of {}", words.join(", ")))),
        }
    }

    /// A whole number.
    pub(crate) fn integer(&self, name: &'static str) -> Result<Option<i64>, Problem> {
        self.given(name).map(|value| integer(value, name)).transpose()
    }

    /// True or false.
    pub(crate) fn boolean(&self, name: &'static str) -> Result<Option<bool>, Problem> {
        self.given(name).map(|value| value.as_bool().ok_or_else(|| wrong(name, "true or false"))).transpose()
    }

    /// A text, or a list of texts.
    pub(crate) fn texts(&self, name: &'static str) -> Result<Option<Vec<String>>, Problem> {
        let Some(value) = self.given(name) else { return Ok(None) };
        let Value::Array(entries) = value else {
            return match value {
                Value::String(_) => Ok(Some(vec![text(value, name, NAME)?.to_owned()])),
                _ => Err(wrong(name, "a text or a list of texts")),
            };
        };
        if entries.is_empty() {
            return Err(Problem::field(name, "empty_list", format!("{name} must not be empty")));
        }
        at_most(entries, name)?;
        let entry = |(place, value)| text(value, &format!("{name}[{place}]"), NAME).map(str::to_owned);
        entries.iter().enumerate().map(entry).collect::<Result<_, _>>().map(Some)
    }

    /// Names with quantities: a list of names, or of `{name|addon, quantity}`.
    pub(crate) fn quantities(&self, name: &'static str) -> Result<Vec<(String, i64)>, Problem> {
        let Some(value) = self.given(name) else { return Ok(Vec::new()) };
        let Value::Array(entries) = value else { return Err(wrong(name, "a list")) };
        at_most(entries, name)?;
        let entry = |(place, value): (usize, &Value)| {
            let path = format!("{name}[{place}]");
            match value {
                Value::String(_) => Ok((text(value, &path, NAME)?.to_owned(), 1)),
                Value::Object(fields) => {
                    let given = |key: &str| fields.get(key).filter(|value| !value.is_null());
                    let (key, named) = match (given("name"), given("addon")) {
                        (Some(named), _) => ("name", named),
                        (None, Some(named)) => ("addon", named),
                        (None, None) => return Err(wrong(format!("{path}.name"), "a text")),
                    };
                    let named = text(named, &format!("{path}.{key}"), NAME)?.to_owned();
                    let quantity = given("quantity").map(|it| integer(it, &format!("{path}.quantity"))).transpose()?;
                    Ok((named, quantity.unwrap_or(1)))
                }
                _ => Err(wrong(path, "a name, or an object with a name and a quantity")),
            }
        };
        entries.iter().enumerate().map(entry).collect()
    }

    /// An object, as it came.
    pub(crate) fn object(&self, name: &'static str) -> Result<Option<Value>, Problem> {
        let Some(value) = self.given(name) else { return Ok(None) };
        if !value.is_object() {
            return Err(wrong(name, "an object"));
        }
        if has_nul(value) {
            return Err(nul(name));
        }
        Ok(Some(value.clone()))
    }

    fn given(&self, name: &str) -> Option<&Value> {
        self.0.get(name).filter(|value| !value.is_null())
    }
}

fn text<'a>(value: &'a Value, path: &str, longest: usize) -> Result<&'a str, Problem> {
    let text = value.as_str().ok_or_else(|| wrong(path, "a text"))?;
    if text.chars().nth(longest).is_some() {
        let sentence = format!("{path} must have at most {longest} characters");
        return Err(Problem::field(path.to_owned(), "too_long", sentence));
    }
    if text.contains('\0') {
        return Err(nul(path));
    }
    Ok(text)
}

fn integer(value: &Value, path: &str) -> Result<i64, Problem> {
    value.as_i64().ok_or_else(|| wrong(path, "a whole number"))
}

fn at_most(entries: &[Value], name: &'static str) -> Result<(), Problem> {
    if entries.len() > ENTRIES {
        return Err(Problem::field(name, "too_many", format!("{name} must have at most {ENTRIES} entries")));
    }
    Ok(())
}

/// One of our databases cannot keep this character in a text.
fn has_nul(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains('\0'),
        Value::Array(entries) => entries.iter().any(has_nul),
        Value::Object(fields) => fields.iter().any(|(key, value)| key.contains('\0') || has_nul(value)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

fn nul(path: &str) -> Problem {
    Problem::field(path.to_owned(), "invalid_text", format!("{path} must not have the character U+0000"))
}

fn wrong(path: impl Into<String>, wanted: &str) -> Problem {
    let path = path.into();
    let sentence = format!("{path} must be {wanted}");
    Problem::field(path, "invalid_type", sentence)
}
