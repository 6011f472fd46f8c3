//! What a person asks about their organization's subscription.
//!
//! Every write goes the same way: who asks, the body within its limit, the reference, may they; only then is the rest
//! of the body judged. So nobody learns about fields of what is not theirs, and no provider is asked for it.

use std::panic;

use axum::{
    Json,
    extract::{Request, State},
};
use http::Uri;
use serde_json::{Value, json};
use tollkeeper::{Action, Actor, CancelRequest, Cancelled, CreateRequest, Error, ports::Session};

use crate::{
    body::{self, ADDRESS, Fields, NAME, TEXT},
    problem::Problem,
    query,
    router::{App, Shared},
    session::Caller,
};

type Answer = Result<Json<Value>, Problem>;

/// `POST /api/subscription/create`
pub(crate) async fn create(State(app): State<Shared>, Caller(session): Caller, request: Request) -> Answer {
    let (actor, fields) = begin(&app, &session, request, Action::Create).await?;
    let (prices, spelled) = match (fields.texts("itemPriceId")?, fields.texts("priceId")?) {
        (Some(_), Some(_)) => {
            return Err(Problem::field("priceId", "ambiguous_plan", "Give itemPriceId or priceId, not both"));
        }
        (Some(prices), None) => (prices, "itemPriceId"),
        (None, Some(prices)) => (prices, "priceId"),
        (None, None) => (Vec::new(), "itemPriceId"),
    };
    let wanted = CreateRequest {
        plan: fields.text("plan", NAME)?,
        price_ids: prices,
        interval: fields.text("interval", NAME)?,
        currency: fields.text("currency", NAME)?,
        seats: fields.integer("seats")?,
        addons: fields.quantities("addons")?,
        success_url: fields.text("successUrl", ADDRESS)?,
        cancel_url: fields.text("cancelUrl", ADDRESS)?,
        trial: fields.boolean("trial")?,
        metadata: fields.object("metadata")?,
    };
    let engine = app.engine.clone();
    let started = to_the_end(async move { engine.create(&actor, &wanted).await })
        .await
        .map_err(|error| Problem::from(error).spelled("itemPriceId", spelled))?;
    Ok(Json(json!(started)))
}

/// `POST /api/subscription/cancel`
pub(crate) async fn cancel(State(app): State<Shared>, Caller(session): Caller, request: Request) -> Answer {
    let (actor, fields) = begin(&app, &session, request, Action::Cancel).await?;
    let wanted = CancelRequest {
        now: fields.word("when", &["period_end", "now"])? == Some(1),
        hosted: fields.boolean("hosted")?.unwrap_or(false),
        return_url: fields.text("returnUrl", ADDRESS)?,
        subscription_id: fields.text("subscriptionId", NAME)?,
    };
    // Checked, so that what is accepted today is not refused once it is kept.
    fields.text("reason", TEXT)?;
    let engine = app.engine.clone();
    Ok(Json(match to_the_end(async move { engine.cancel(&actor, &wanted).await }).await? {
        Cancelled::Applied(subscription) => json!({ "mode": "applied", "subscription": subscription }),
        Cancelled::Hosted(url) => json!({ "mode": "hosted", "url": url }),
    }))
}

/// `POST /api/subscription/restore`
pub(crate) async fn restore(State(app): State<Shared>, Caller(session): Caller, request: Request) -> Answer {
    let (actor, fields) = begin(&app, &session, request, Action::Restore).await?;
    let change = fields.word("what", &["cancellation", "change"])? == Some(1);
    let named = fields.text("subscriptionId", NAME)?;
    let engine = app.engine.clone();
    let subscription = to_the_end(async move {
        if change {
            return engine.restore_change(&actor, named.as_deref()).await;
        }
        engine.restore(&actor, named.as_deref()).await
    })
    .await?;
    Ok(Json(json!({ "mode": "applied", "subscription": subscription })))
}

/// `POST /api/subscription/portal`
pub(crate) async fn portal(State(app): State<Shared>, Caller(session): Caller, request: Request) -> Answer {
    let (actor, fields) = begin(&app, &session, request, Action::Portal).await?;
    let back = fields.text("returnUrl", ADDRESS)?;
    let url = app.engine.portal(&actor, back.as_deref()).await?;
    Ok(Json(json!({ "url": url })))
}

/// `GET /api/subscription/list`
pub(crate) async fn list(State(app): State<Shared>, Caller(session): Caller, uri: Uri) -> Answer {
    let reference = query::value(&uri, "referenceId");
    let actor = app.engine.authorize(&session, reference.as_deref(), Action::List).await?;
    let all = query::switch(&uri, "all")?;
    let subscriptions = app.engine.subscriptions(actor.organization_id(), all).await?;
    Ok(Json(json!({ "subscriptions": subscriptions })))
}

/// Reads the body and asks whether the session may do this; only then is the body judged.
async fn begin(app: &App, session: &Session, request: Request, action: Action) -> Result<(Actor, Fields), Problem> {
    let (parts, body) = request.into_parts();
    let bytes = body::read(Request::new(body), app.api_body_bytes()).await?;
    let fields = body::parse(&parts.headers, &bytes);
    let named =
        [query::value(&parts.uri, "referenceId"), fields.as_ref().ok().and_then(Fields::reference).map(Into::into)];
    // Of two that differ, the foreign one decides.
    let own = session.organization_id.as_ref().map(|id| id.as_str());
    let foreign = named.iter().flatten().find(|reference| Some(reference.as_ref()) != own);
    let reference = foreign.or_else(|| named.iter().flatten().next());
    let actor = app.engine.authorize(session, reference.map(AsRef::as_ref), action).await?;
    let fields = fields?;
    fields.text("referenceId", NAME)?;
    Ok((actor, fields))
}

/// Does what was begun also when the caller goes away: between a provider's answer and our own row is a bad moment to
/// stop.
async fn to_the_end<T: Send + 'static>(
    work: impl Future<Output = Result<T, Error>> + Send + 'static,
) -> Result<T, Error> {
    match tokio::spawn(work).await {
        Ok(outcome) => outcome,
        Err(error) => match error.try_into_panic() {
            Ok(cause) => panic::resume_unwind(cause),
            Err(_) => Err(Error::Unavailable { code: "stopping", message: "This server is stopping".into() }),
        },
    }
}
