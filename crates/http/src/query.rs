//! Reading a query string. Reading never fails: what cannot be decoded is replaced, and then matches nothing.

use std::borrow::Cow;

use http::Uri;
use tollkeeper::NameMatch;
use tollkeeper_core::time::MachineTime;
use url::form_urlencoded;

use crate::{body::NAME, problem::Problem};

/// Characters of what names a page; Chargebee's names are the longest.
const PAGE: usize = 1_000;

/// The first value of a name.
pub(crate) fn value<'a>(uri: &'a Uri, name: &str) -> Option<Cow<'a, str>> {
    let query = uri.query()?;
    form_urlencoded::parse(query.as_bytes()).find(|(key, _)| key == name).map(|(_, value)| value)
}

/// A switch: `true`, `false` or not given.
///
/// # Errors
/// A problem that names it, for any other word.
pub(crate) fn switch(uri: &Uri, name: &'static str) -> Result<bool, Problem> {
    match value(uri, name).as_deref() {
        None | Some("false") => Ok(false),
        Some("true") => Ok(true),
        Some(_) => Err(Problem::field(name, "invalid_type", format!("{name} must be true or false"))),
    }
}

/// Which part of a name must be what is looked for: `anywhere=true` asks for any part of it.
///
/// # Errors
/// A problem that names it, for any other word.
pub(crate) fn names(uri: &Uri) -> Result<NameMatch, Problem> {
    Ok(if switch(uri, "anywhere")? { NameMatch::Anywhere } else { NameMatch::Beginning })
}

/// A name: at most 255 characters, all of them visible.
///
/// # Errors
/// A problem that names it, for any other text.
pub(crate) fn name(uri: &Uri, name: &'static str) -> Result<Option<String>, Problem> {
    value(uri, name).map(|said| visible(name, &said).map(str::to_owned)).transpose()
}

/// What may be the name of something.
///
/// # Errors
/// A problem that names the field.
pub(crate) fn visible<'a>(field: &'static str, said: &'a str) -> Result<&'a str, Problem> {
    text(field, said, NAME)
}

fn text<'a>(field: &'static str, said: &'a str, most: usize) -> Result<&'a str, Problem> {
    if said.is_empty() || said.chars().nth(most).is_some() || said.chars().any(char::is_control) {
        let sentence = format!("{field} must have 1 to {most} visible characters");
        return Err(Problem::field(field, "invalid_text", sentence));
    }
    Ok(said)
}

/// The place in a list where a page begins, as the page before named it: at most 1000 visible characters.
///
/// # Errors
/// A problem that names it, for any other text.
pub(crate) fn page(uri: &Uri) -> Result<Option<String>, Problem> {
    value(uri, "page").map(|said| text("page", &said, PAGE).map(str::to_owned)).transpose()
}

/// How many rows are wanted: 50 when nobody says.
///
/// # Errors
/// A problem that names it, for what is no number from 1 to 500.
pub(crate) fn limit(uri: &Uri) -> Result<i64, Problem> {
    let Some(said) = value(uri, "limit") else { return Ok(50) };
    let number = said.parse().ok().filter(|number| (1..=500).contains(number));
    number.ok_or_else(|| Problem::field("limit", "invalid_value", "limit must be a number from 1 to 500"))
}

/// An instant of machine time: RFC 3339.
///
/// # Errors
/// A problem that names it, for anything else.
pub(crate) fn instant(uri: &Uri, name: &'static str) -> Result<Option<MachineTime>, Problem> {
    let Some(said) = value(uri, name) else { return Ok(None) };
    let wrong =
        |_| Problem::field(name, "invalid_value", format!("{name} must be an instant such as 2030-01-31T12:00:00Z"));
    said.parse().map(Some).map_err(wrong)
}
