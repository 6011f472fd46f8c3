//! What forms do: each does one thing, and leads to a page that shows what became of it.

use axum::{
    extract::{Request, State},
    response::Response,
};
use tollkeeper::{Action, Cancelled};

use crate::{
    asked::begin_form,
    body::NAME,
    landing::see_other,
    pages::{frame::Visitor, leave},
    problem::Problem,
    router::Shared,
    selection::Selection,
    wanted,
};

type Answer = Result<Response, Problem>;

/// `POST /billing/checkout`
///
/// Of a plan, or of what the checkout with that `subscriptionId` was begun for.
pub(crate) async fn checkout(State(app): State<Shared>, visitor: Visitor, request: Request) -> Answer {
    let asked = begin_form(&app, &visitor.caller, request, Action::Create).await?;
    let started = match wanted::named(&asked.fields)? {
        Some(id) => asked.act(|engine, actor| async move { engine.take_up(&actor, &id.into()).await }).await?,
        None => {
            let (wanted, _) = Selection::read(&asked.fields)?.create(&asked.fields)?;
            asked.act(|engine, actor| async move { engine.create(&actor, &wanted).await }).await?
        }
    };
    leave::to(started.url, "the page of the billing provider, where you pay")
}

/// `POST /billing/cancel`
pub(crate) async fn cancel(State(app): State<Shared>, visitor: Visitor, request: Request) -> Answer {
    let asked = begin_form(&app, &visitor.caller, request, Action::Cancel).await?;
    let wanted = wanted::cancel(&asked.fields)?;
    let done = if wanted.now { "/billing?done=ended" } else { "/billing?done=cancelled" };
    match asked.act(|engine, actor| async move { engine.cancel(&actor, &wanted).await }).await {
        Ok(Cancelled::Applied { .. }) => Ok(see_other(done)),
        Ok(Cancelled::Hosted(url)) => leave::to(url, "the page of the billing provider"),
        Err(problem) => too_late(problem),
    }
}

/// `POST /billing/restore`
pub(crate) async fn restore(State(app): State<Shared>, visitor: Visitor, request: Request) -> Answer {
    let asked = begin_form(&app, &visitor.caller, request, Action::Restore).await?;
    let (what, id) = (wanted::restore(&asked.fields)?, wanted::named(&asked.fields)?);
    let done = asked.act(|engine, actor| async move { engine.restore(&actor, what, id.as_deref()).await }).await;
    done.map_or_else(too_late, |_| Ok(see_other("/billing?done=restored")))
}

/// `POST /billing/pause`
pub(crate) async fn pause(State(app): State<Shared>, visitor: Visitor, request: Request) -> Answer {
    let asked = begin_form(&app, &visitor.caller, request, Action::Pause).await?;
    let until = asked.fields.text("until", NAME)?.map(|day| {
        // A browser sends a day; it begins at midnight.
        format!("{day}T00:00:00Z")
            .parse()
            .map_err(|_| Problem::field("until", "invalid_value", "until must be a day such as 2030-01-31, or nothing"))
    });
    let wanted = wanted::pause(&asked.fields, until.transpose()?)?;
    let done = asked.act(|engine, actor| async move { engine.pause(&actor, &wanted).await }).await;
    done.map_or_else(too_late, |_| Ok(see_other("/billing?done=paused")))
}

/// `POST /billing/resume`
pub(crate) async fn resume(State(app): State<Shared>, visitor: Visitor, request: Request) -> Answer {
    let asked = begin_form(&app, &visitor.caller, request, Action::Resume).await?;
    let id = wanted::named(&asked.fields)?;
    let done = asked.act(|engine, actor| async move { engine.resume(&actor, id.as_deref()).await }).await;
    done.map_or_else(too_late, |_| Ok(see_other("/billing?done=resumed")))
}

/// `POST /billing/portal`
pub(crate) async fn portal(State(app): State<Shared>, visitor: Visitor, request: Request) -> Answer {
    let asked = begin_form(&app, &visitor.caller, request, Action::Portal).await?;
    let url = asked.act(|engine, actor| async move { engine.portal(&actor, Some("/billing")).await }).await?;
    leave::to(url, "your account at the billing provider")
}

/// `POST /billing/contact`
pub(crate) async fn contact(State(app): State<Shared>, visitor: Visitor, request: Request) -> Answer {
    let asked = begin_form(&app, &visitor.caller, request, Action::Update).await?;
    let wanted = wanted::contact(&asked.fields)?;
    asked.act(|engine, actor| async move { engine.update_contact(&actor, &wanted).await }).await?;
    Ok(see_other("/billing?done=contact"))
}

/// Who clicks twice sees the second answer only, and who goes back has an old form: that there is nothing left to do is no
/// failure to them.
fn too_late(problem: Problem) -> Answer {
    match problem.code() {
        "no_subscription" | "nothing_scheduled" | "not_paused" => Ok(see_other("/billing?done=already")),
        _ => Err(problem),
    }
}
