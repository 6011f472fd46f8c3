//! The way back from the hosted page.

use std::{borrow::Cow, time::Duration};

use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use http::{HeaderValue, StatusCode, Uri, header};
use percent_encoding::{CONTROLS, utf8_percent_encode};
use tokio::time::Instant;
use tollkeeper::{Landing, ids::SubscriptionId};

use crate::{problem::Problem, query, router::Shared};

/// Our own ids have 36 characters; ids derived from a provider's are not longer than this.
const LONGEST: usize = 100;

/// `GET /api/subscription/success`
///
/// Nothing in the address is believed but the id, and that only names what the engine looks up at the provider: ours, or
/// what the provider itself appends (`session_id` at Stripe, `id` at Chargebee) where a page leads to an address that does
/// not name ours. The callback is on the row since the checkout began: what the address says about it is not read.
pub(crate) async fn success(State(app): State<Shared>, uri: Uri) -> Result<Response, Problem> {
    let usable =
        |id: &Cow<'_, str>| (1..=LONGEST).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_graphic());
    let id = |name| query::value(&uri, name).filter(usable);
    let seldom = |id: &str| {
        let taken = app.landings.take(id.to_owned(), Instant::now(), Duration::ZERO);
        taken.map_err(|wait| Problem::too_often("This checkout was looked at very often", wait))
    };
    let landing = if let Some(id) = id("subscriptionId") {
        seldom(&id)?;
        app.engine.land(&SubscriptionId::from(id.as_ref())).await?
    } else if let Some(page) = id("session_id").or_else(|| id("id")) {
        seldom(&page)?;
        app.engine.land_from(&page).await?
    } else {
        Landing::Failed
    };
    let target = match landing {
        Landing::Done(target) => target,
        Landing::Pending(target) => with_pending(&target),
        Landing::Failed => format!("{}/billing?checkout=failed", app.engine.settings().app_url),
    };
    Ok(see_other(&target))
}

/// 303: go there.
pub(crate) fn see_other(target: &str) -> Response {
    let target = utf8_percent_encode(target, CONTROLS).to_string();
    let target = HeaderValue::from_str(&target).expect("what is left after encoding is visible");
    (StatusCode::SEE_OTHER, [(header::LOCATION, target)]).into_response()
}

/// Adds `checkout=pending` to the query, which ends where a fragment begins.
fn with_pending(target: &str) -> String {
    let (address, fragment) = match target.find('#') {
        Some(place) => target.split_at(place),
        None => (target, ""),
    };
    let mark = match address.split_once('?') {
        None => "?",
        Some((_, query)) if query.is_empty() || query.ends_with('&') => "",
        Some(_) => "&",
    };
    format!("{address}{mark}checkout=pending{fragment}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_word_goes_into_the_query() {
        for (target, wanted) in [
            ("https://a.test/b", "https://a.test/b?checkout=pending"),
            ("https://a.test/b?", "https://a.test/b?checkout=pending"),
            ("https://a.test/b?x=1", "https://a.test/b?x=1&checkout=pending"),
            ("https://a.test/b?x=1&", "https://a.test/b?x=1&checkout=pending"),
            ("https://a.test/b#c?d", "https://a.test/b?checkout=pending#c?d"),
            ("https://a.test/b?x=1#c", "https://a.test/b?x=1&checkout=pending#c"),
        ] {
            assert_eq!(with_pending(target), wanted);
        }
    }
}
