//! Bodies of requests: read with a limit, and taken apart field by field.
//!
//! By hand and not by derive: a wrong field is named as the caller spelled it, every text has a limit, and the
//! reference can be read before anything else is judged.

use axum::{
    body::{Body, BodyDataStream, HttpBody as _},
    extract::Request,
};
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt as _;
use http::{HeaderMap, StatusCode, header};
use serde_json::{Map, Value};
use tokio::time::timeout;
use tollkeeper_core::time::{MachineTime, Timestamp};

use crate::{limits::Place, problem::Problem, router::App};

/// Characters of an id or a name.
pub(crate) const NAME: usize = 255;
/// Characters of an address.
pub(crate) const ADDRESS: usize = 2_000;
/// Characters of free text.
pub(crate) const TEXT: usize = 1_000;
/// Characters of a token of ours.
pub(crate) const TOKEN: usize = 16_000;
/// Bytes of a body that is too long which are read and thrown away.
const DISCARDED: usize = 16 << 20;
/// What an instant may look like.
const INSTANT: &str = "an instant such as 2030-01-31T12:00:00Z, or seconds since the Unix epoch";
/// The end of the year 9999, in seconds since the Unix epoch.
const LAST_SECOND: i64 = 253_402_300_799;
/// Entries of a list.
const ENTRIES: usize = 20;

/// Reads a body of at most `limit` bytes, as it came, with its place among the bodies in memory: whoever keeps the bytes
/// keeps the place.
///
/// # Errors
/// 413 when it is longer, 408 when it takes too long, 503 when there is no room for it, 400 when it does not arrive.
pub(crate) async fn read(app: &App, body: Body, limit: usize) -> Result<(Bytes, Place<'_>), Problem> {
    let time = app.config.limits.body_time;
    // What says how long it is need not be kept at all.
    let announced = body.size_hint().lower();
    let mut frames = body.into_data_stream();
    let collected = match announced > limit as u64 {
        true => Ok(None),
        false => timeout(time, collect(app, &mut frames, limit)).await,
    };
    match collected {
        Ok(Some(collected)) => collected,
        Ok(None) => {
            let _ = timeout(time, discard(&mut frames)).await;
            let sentence = format!("The body has more than {limit} bytes");
            Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", sentence))
        }
        Err(_) => Err(Problem::new(StatusCode::REQUEST_TIMEOUT, "body_timeout", "The body took too long to arrive")),
    }
}

/// Nothing when it is longer than `limit`.
async fn collect<'a>(
    app: &'a App,
    frames: &mut BodyDataStream,
    limit: usize,
) -> Option<Result<(Bytes, Place<'a>), Problem>> {
    let mut place = app.bodies.enter(0).expect("nothing fits everywhere");
    // Most come in one piece, which is not copied.
    let mut whole = Bytes::new();
    let mut pieces = BytesMut::new();
    while let Some(frame) = frames.next().await {
        let Ok(frame) = frame else {
            let sentence = "The body could not be read to its end";
            return Some(Err(Problem::new(StatusCode::BAD_REQUEST, "incomplete_body", sentence)));
        };
        if whole.len() + pieces.len() + frame.len() > limit {
            return None;
        }
        if !place.grow(frame.len()) {
            return Some(Err(Problem::overloaded()));
        }
        if whole.is_empty() && pieces.is_empty() {
            whole = frame;
            continue;
        }
        pieces.extend_from_slice(&std::mem::take(&mut whole));
        pieces.extend_from_slice(&frame);
    }
    Some(Ok((if pieces.is_empty() { whole } else { pieces.freeze() }, place)))
}

/// Lets the rest of a body pass by: who writes all of it before reading would otherwise find a closed connection in place
/// of the answer.
async fn discard(frames: &mut BodyDataStream) {
    let mut left = DISCARDED;
    while let Some(Ok(frame)) = frames.next().await {
        match left.checked_sub(frame.len()) {
            Some(less) => left = less,
            None => return,
        }
    }
}

/// Reads the JSON object of an API request.
///
/// # Errors
/// As [`read`] and [`parse`].
pub(crate) async fn fields(app: &App, request: Request) -> Result<Fields, Problem> {
    let (parts, body) = request.into_parts();
    let (bytes, _place) = read(app, body, app.config.limits.api_body_bytes()).await?;
    parse(&parts.headers, &bytes)
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

/// Reads what a form of ours sends.
///
/// # Errors
/// 415 for anything else.
pub(crate) fn parse_form(headers: &HeaderMap, body: &[u8]) -> Result<Fields, Problem> {
    if body.is_empty() || is_form(headers) {
        return Ok(Fields::of_form(body));
    }
    let sentence = "Send a form";
    Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", sentence))
}

/// Pages of other sites can make a browser send these without asking first.
fn is_form(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    kind.eq_ignore_ascii_case("application/x-www-form-urlencoded")
        || kind.get(..10).is_some_and(|start| start.eq_ignore_ascii_case("multipart/"))
}

/// The fields of a body. What is null counts as not given; what nobody asks for is ignored.
#[derive(Debug, Default)]
pub(crate) struct Fields(Map<String, Value>);

impl Fields {
    /// Of a form or a query: every field is a text, `seats` is a number where it is spelled like one, and what was left
    /// blank was not given.
    pub(crate) fn of_form(text: &[u8]) -> Self {
        let given = url::form_urlencoded::parse(text).filter(|(_, value)| !value.trim().is_empty());
        Self(
            given
                .map(|(name, value)| {
                    let number = value.trim().parse::<i64>().ok().filter(|_| name == "seats");
                    (name.into_owned(), number.map_or_else(|| value.trim().into(), Value::from))
                })
                .collect(),
        )
    }

    /// Whether something was given under this name.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.given(name).is_some()
    }

    /// The reference, where it is one, before anything else is judged.
    pub(crate) fn reference(&self) -> Option<&str> {
        self.0.get("referenceId").and_then(Value::as_str)
    }

    /// A text of at most `longest` characters.
    pub(crate) fn text(&self, name: &'static str, longest: usize) -> Result<Option<String>, Problem> {
        self.given(name).map(|value| text(value, name, longest).map(str::to_owned)).transpose()
    }

    /// One of a few words, as what it means.
    pub(crate) fn word<T: Copy>(&self, name: &'static str, words: &[(&str, T)]) -> Result<Option<T>, Problem> {
        let Some(value) = self.given(name) else { return Ok(None) };
        let said = text(value, name, NAME)?;
        match words.iter().find(|(word, _)| *word == said) {
            Some((_, meant)) => Ok(Some(*meant)),
            None => {
                let known: Vec<_> = words.iter().map(|(word, _)| *word).collect();
                Err(Problem::field(name, "invalid_value", format!("{name} must be one of {}", known.join(", "))))
            }
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

    /// Names with quantities: a list of objects, each with a name under the first of `keys` that it has, and a quantity
    /// where it is not one. Where names may be `bare`, one stands for an object with nothing else.
    pub(crate) fn quantities(
        &self,
        name: &'static str,
        keys: &[&str],
        bare: bool,
    ) -> Result<Option<Vec<(String, i64)>>, Problem> {
        let Some(value) = self.given(name) else { return Ok(None) };
        let Value::Array(entries) = value else { return Err(wrong(name, "a list")) };
        at_most(entries, name)?;
        let entry = |(place, value): (usize, &Value)| {
            let path = format!("{name}[{place}]");
            match value {
                Value::String(_) if bare => Ok((text(value, &path, NAME)?.to_owned(), 1)),
                Value::Object(fields) => {
                    let given = |key: &str| fields.get(key).filter(|value| !value.is_null());
                    let Some((key, named)) = keys.iter().find_map(|key| Some((key, given(key)?))) else {
                        return Err(wrong(format!("{path}.{}", keys[0]), "a text"));
                    };
                    let named = text(named, &format!("{path}.{key}"), NAME)?.to_owned();
                    let quantity = given("quantity").map(|it| integer(it, &format!("{path}.quantity"))).transpose()?;
                    Ok((named, quantity.unwrap_or(1)))
                }
                _ => {
                    let or = if bare { "a name, or " } else { "" };
                    Err(wrong(path, &format!("{or}an object with a {} and a quantity", keys[0])))
                }
            }
        };
        entries.iter().enumerate().map(entry).collect::<Result<_, _>>().map(Some)
    }

    /// An instant: RFC 3339, or whole seconds since the Unix epoch.
    pub(crate) fn instant(&self, name: &'static str) -> Result<Option<Timestamp>, Problem> {
        let wrong = || Problem::field(name, "invalid_value", format!("{name} must be {INSTANT}"));
        match self.given(name) {
            None => Ok(None),
            Some(Value::String(said)) => said.parse().map(Some).map_err(|_| wrong()),
            Some(value @ Value::Number(_)) => {
                let seconds = value.as_i64().filter(|seconds| (0..=LAST_SECOND).contains(seconds));
                seconds.map(Timestamp::from_unix_seconds).map(Some).ok_or_else(wrong)
            }
            Some(_) => Err(self::wrong(name, INSTANT)),
        }
    }

    /// The same in machine time.
    pub(crate) fn machine_instant(&self, name: &'static str) -> Result<Option<MachineTime>, Problem> {
        Ok(self.instant(name)?.map(|at| MachineTime::from_micros(at.as_micros())))
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
