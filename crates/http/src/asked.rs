//! What somebody asks for and may have: proven, authorized, and counted before a provider is called.

use std::time::Duration;

use axum::extract::Request;
use http::Uri;
use tokio::time::Instant;
use tollkeeper::{Action, Actor, Error, Tollkeeper};

use crate::{
    body::{self, Fields, NAME},
    jobs::to_the_end,
    problem::Problem,
    query,
    router::App,
    session::Caller,
};

/// Something that may be done, with the rest of its body still to be judged.
pub(crate) struct Asked<'a> {
    app: &'a App,
    pub(crate) actor: Actor,
    pub(crate) fields: Fields,
}

/// Reads the body and asks whether the caller may do this.
pub(crate) async fn begin<'a>(
    app: &'a App,
    caller: &Caller,
    request: Request,
    action: Action,
) -> Result<Asked<'a>, Problem> {
    let (parts, content) = request.into_parts();
    let in_query = query::value(&parts.uri, "referenceId");
    caller.may_begin(app, in_query.as_deref(), action)?;
    let (bytes, _place) = body::read(app, content, app.config.limits.api_body_bytes()).await?;
    let fields = body::parse(&parts.headers, &bytes);
    let in_body = fields.as_ref().ok().and_then(Fields::reference);
    let reference = named(caller, in_query.as_deref(), in_body)?;
    let actor = caller.authorize(app, reference, action).await?;
    let fields = fields?;
    fields.text("referenceId", NAME)?;
    Ok(Asked { app, actor, fields })
}

/// As [`begin`], for a form of ours, which is about the person's own organization: one that showed another's, before the
/// person signed in anew, is refused.
pub(crate) async fn begin_form<'a>(
    app: &'a App,
    caller: &Caller,
    request: Request,
    action: Action,
) -> Result<Asked<'a>, Problem> {
    let (parts, content) = request.into_parts();
    caller.may_begin(app, None, action)?;
    let (bytes, _place) = body::read(app, content, app.config.limits.api_body_bytes()).await?;
    let fields = body::parse_form(&parts.headers, &bytes);
    let shown = fields.as_ref().ok().and_then(Fields::reference);
    let actor = caller.authorize(app, shown, action).await.map_err(|problem| match problem.code() {
        "reference_mismatch" => {
            let sentence = "The page showed another organization than the one that you are signed in to now";
            Problem::new(problem.status(), "reference_mismatch", sentence)
        }
        _ => problem,
    })?;
    let fields = fields?;
    Ok(Asked { app, actor, fields })
}

/// Asks whether the caller may look at what only the provider knows; the fields are those of the query.
pub(crate) async fn look<'a>(app: &'a App, caller: &Caller, uri: &Uri, action: Action) -> Result<Asked<'a>, Problem> {
    let reference = query::value(uri, "referenceId");
    let actor = caller.authorize(app, reference.as_deref(), action).await?;
    Ok(Asked { app, actor, fields: Fields::of_form(uri.query().unwrap_or_default().as_bytes()) })
}

impl Asked<'_> {
    /// Does it, unless too much was done for this organization a moment ago; to the end in any case. What the
    /// engine finds wrong at once costs no provider anything, and is not counted.
    pub(crate) async fn act<T, Work>(self, work: impl FnOnce(Tollkeeper, Actor) -> Work) -> Result<T, Problem>
    where
        T: Send + 'static,
        Work: Future<Output = Result<T, Error>> + Send + 'static,
    {
        Ok(self.try_act(work).await??)
    }

    /// As [`Asked::act`], with what the engine itself says.
    pub(crate) async fn try_act<T, Work>(
        self,
        work: impl FnOnce(Tollkeeper, Actor) -> Work,
    ) -> Result<Result<T, Error>, Problem>
    where
        T: Send + 'static,
        Work: Future<Output = Result<T, Error>> + Send + 'static,
    {
        let calls = &self.app.provider_calls;
        let line = self.actor.organization_id().to_string();
        calls
            .take(line.clone(), Instant::now(), Duration::ZERO)
            .map_err(|wait| Problem::too_often("Too many requests for this organization", wait))?;
        let done = to_the_end(work(self.app.engine.clone(), self.actor)).await;
        if matches!(done, Err(Error::Invalid { .. } | Error::Forbidden { .. })) {
            calls.give_back(&line);
        }
        Ok(done)
    }
}

/// The reference, which query and body may name.
fn named<'a>(caller: &Caller, in_query: Option<&'a str>, in_body: Option<&'a str>) -> Result<Option<&'a str>, Problem> {
    match (in_query, in_body) {
        (Some(one), Some(two)) if one != two => match caller.only() {
            // Of two that differ, the foreign one decides.
            Some(only) if only.as_str() == one => Ok(Some(two)),
            Some(_) => Ok(Some(one)),
            None => {
                let sentence = "The query and the body name two organizations: name one";
                Err(Problem::field("referenceId", "ambiguous_reference", sentence))
            }
        },
        (one, two) => Ok(one.or(two)),
    }
}
