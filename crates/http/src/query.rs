//! Reading a query string. Reading never fails: what cannot be decoded is replaced, and then matches nothing.

use std::borrow::Cow;

use http::Uri;
use url::form_urlencoded;

use crate::problem::Problem;

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
