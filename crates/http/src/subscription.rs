//! What is asked about an organization's subscription.
//!
//! Every write goes the same way (`asked.rs`): who asks, the body within its limit, the reference, may they; only then is
//! the rest of the body judged, and what is left is done unless it was done too often. So nobody learns about fields of
//! what is not theirs, and no provider is asked for it.

use axum::{
    Json,
    extract::{Request, State},
};
use http::Uri;
use serde_json::{Value, json};
use tollkeeper::{Action, Cancelled, Updated};

use crate::{
    asked::begin, body::ADDRESS, problem::Problem, query, router::Shared, selection::Selection, session::Caller, wanted,
};

type Answer = Result<Json<Value>, Problem>;

/// `POST /api/subscription/create`
pub(crate) async fn create(State(app): State<Shared>, caller: Caller, request: Request) -> Answer {
    let asked = begin(&app, &caller, request, Action::Create).await?;
    let (wanted, spelling) = Selection::read(&asked.fields)?.create(&asked.fields)?;
    let started = asked.act(|engine, actor| async move { engine.create(&actor, &wanted).await }).await;
    Ok(Json(json!(started.map_err(|problem| spelling.of(problem))?)))
}

/// `POST /api/subscription/preview`
pub(crate) async fn preview(State(app): State<Shared>, caller: Caller, request: Request) -> Answer {
    let asked = begin(&app, &caller, request, Action::Preview).await?;
    let (wanted, spelling) = Selection::read(&asked.fields)?.update(&asked.fields)?;
    let preview = asked.act(|engine, actor| async move { engine.preview(&actor, &wanted).await }).await;
    Ok(Json(json!(preview.map_err(|problem| spelling.of(problem))?)))
}

/// `POST /api/subscription/update`
pub(crate) async fn update(State(app): State<Shared>, caller: Caller, request: Request) -> Answer {
    let asked = begin(&app, &caller, request, Action::Update).await?;
    let (wanted, spelling) = Selection::read(&asked.fields)?.update(&asked.fields)?;
    let updated = asked.act(|engine, actor| async move { engine.update(&actor, &wanted).await }).await;
    Ok(Json(match updated.map_err(|problem| spelling.of(problem))? {
        Updated::Applied(subscription) => applied(&subscription),
        Updated::Hosted(url) => hosted(&url),
    }))
}

/// `POST /api/subscription/cancel`
pub(crate) async fn cancel(State(app): State<Shared>, caller: Caller, request: Request) -> Answer {
    let asked = begin(&app, &caller, request, Action::Cancel).await?;
    let wanted = wanted::cancel(&asked.fields)?;
    let cancelled = asked.act(|engine, actor| async move { engine.cancel(&actor, &wanted).await }).await?;
    Ok(Json(match cancelled {
        Cancelled::Applied { subscription, released } => {
            json!({ "mode": "applied", "subscription": subscription, "released": released })
        }
        Cancelled::Hosted(url) => hosted(&url),
    }))
}

/// `POST /api/subscription/restore`
pub(crate) async fn restore(State(app): State<Shared>, caller: Caller, request: Request) -> Answer {
    let asked = begin(&app, &caller, request, Action::Restore).await?;
    let (what, named) = (wanted::restore(&asked.fields)?, wanted::named(&asked.fields)?);
    let restored = asked.act(|engine, actor| async move { engine.restore(&actor, what, named.as_deref()).await });
    Ok(Json(applied(&restored.await?)))
}

/// `POST /api/subscription/pause`
pub(crate) async fn pause(State(app): State<Shared>, caller: Caller, request: Request) -> Answer {
    let asked = begin(&app, &caller, request, Action::Pause).await?;
    let wanted = wanted::pause(&asked.fields, asked.fields.instant("until")?)?;
    let paused = asked.act(|engine, actor| async move { engine.pause(&actor, &wanted).await });
    Ok(Json(applied(&paused.await?)))
}

/// `POST /api/subscription/resume`
pub(crate) async fn resume(State(app): State<Shared>, caller: Caller, request: Request) -> Answer {
    let asked = begin(&app, &caller, request, Action::Resume).await?;
    let named = wanted::named(&asked.fields)?;
    let resumed = asked.act(|engine, actor| async move { engine.resume(&actor, named.as_deref()).await });
    Ok(Json(applied(&resumed.await?)))
}

/// `POST /api/subscription/portal`
pub(crate) async fn portal(State(app): State<Shared>, caller: Caller, request: Request) -> Answer {
    let asked = begin(&app, &caller, request, Action::Portal).await?;
    let back = asked.fields.text("returnUrl", ADDRESS)?;
    let url = asked.act(|engine, actor| async move { engine.portal(&actor, back.as_deref()).await }).await?;
    Ok(Json(json!({ "url": url })))
}

/// `GET /api/subscription/list`
pub(crate) async fn list(State(app): State<Shared>, caller: Caller, uri: Uri) -> Answer {
    let reference = query::value(&uri, "referenceId");
    let actor = caller.authorize(&app, reference.as_deref(), Action::List).await?;
    let all = query::switch(&uri, "all")?;
    let subscriptions = app.engine.subscriptions(actor.organization_id(), all).await?;
    Ok(Json(json!({ "subscriptions": subscriptions })))
}

fn applied(subscription: &tollkeeper::SubscriptionView) -> Value {
    json!({ "mode": "applied", "subscription": subscription })
}

fn hosted(url: &str) -> Value {
    json!({ "mode": "hosted", "url": url })
}
