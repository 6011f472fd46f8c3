//! What a product can be told, and asked.

use std::{panic::AssertUnwindSafe, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::FutureExt as _;
use serde_json::Value;
use tokio::time::timeout;
use tollkeeper_core::{
    effect::EffectKind,
    ids::{EventId, OrganizationId, Source, UserId},
};

use crate::error::Error;

/// What a person wants to do, for [`Hooks::authorize`] and for roles.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// Start a checkout.
    Create,
    /// Change plan, seats or add-ons.
    Update,
    /// See what a change would cost.
    Preview,
    /// Stop for a while.
    Pause,
    /// Go on after a pause.
    Resume,
    /// End a subscription.
    Cancel,
    /// Take a scheduled end back.
    Restore,
    /// Open the provider's portal.
    Portal,
    /// Read subscriptions and entitlements.
    List,
}

impl Action {
    /// The name that hooks see.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Update => "update",
            Self::Preview => "preview",
            Self::Pause => "pause",
            Self::Resume => "resume",
            Self::Cancel => "cancel",
            Self::Restore => "restore",
            Self::Portal => "portal",
            Self::List => "list",
        }
    }

    /// Whether it changes billing, so that a billing role is needed.
    pub const fn changes_billing(self) -> bool {
        match self {
            Self::Create
            | Self::Update
            | Self::Preview
            | Self::Pause
            | Self::Resume
            | Self::Cancel
            | Self::Restore
            | Self::Portal => true,
            Self::List => false,
        }
    }
}

/// One effect, as a hook receives it.
#[derive(Clone, Debug)]
pub struct Notice {
    /// Stable: the same notice delivered again has the same id (organization, seq, kind).
    pub id: String,
    /// Whose it is.
    pub organization_id: OrganizationId,
    /// Orders the notices of one organization.
    pub seq: i64,
    /// What happened.
    pub kind: EffectKind,
    /// The new state, and what it was before; see [`tollkeeper_core::effect::Effect::data`].
    pub data: Value,
}

/// Any delivery that arrived and was verified.
#[derive(Clone, Debug)]
pub struct Event {
    /// Who sent it.
    pub source: Source,
    /// Its own id.
    pub id: EventId,
    /// The provider's name of it.
    pub event_type: String,
    /// The body as it arrived: JSON, which `serde_json::from_slice` reads.
    pub body: Bytes,
}

/// A hook could not do its work; the notice is delivered again later.
#[derive(Debug)]
pub struct HookError(pub String);

impl<E: std::error::Error> From<E> for HookError {
    fn from(error: E) -> Self {
        Self(error.to_string())
    }
}

type Told = Result<(), HookError>;

/// What a product implements to hear about billing. Each method has a default that does nothing.
///
/// Notices come at least once and in order per organization: the next one waits until this one is taken.
#[async_trait]
pub trait Hooks: Send + Sync + 'static {
    /// The organization got its customer at the billing provider.
    async fn on_customer_created(&self, _notice: &Notice) -> Told {
        Ok(())
    }
    /// A checkout began, or a subscription made elsewhere was adopted.
    async fn on_subscription_created(&self, _notice: &Notice) -> Told {
        Ok(())
    }
    /// The gate opened for the first time.
    async fn on_subscription_completed(&self, _notice: &Notice) -> Told {
        Ok(())
    }
    /// Plan, price, seats, period, status or a scheduled change became another.
    async fn on_subscription_updated(&self, _notice: &Notice) -> Told {
        Ok(())
    }
    /// The end was asked for, or came unannounced.
    async fn on_subscription_cancelled(&self, _notice: &Notice) -> Told {
        Ok(())
    }
    /// The subscription ended.
    async fn on_subscription_deleted(&self, _notice: &Notice) -> Told {
        Ok(())
    }
    /// A trial began.
    async fn on_trial_started(&self, _notice: &Notice) -> Told {
        Ok(())
    }
    /// A trial ends soon.
    async fn on_trial_ending(&self, _notice: &Notice) -> Told {
        Ok(())
    }
    /// It was paid although another subscription of the same group is live.
    async fn on_subscription_duplicated(&self, _notice: &Notice) -> Told {
        Ok(())
    }
    /// A trial is over.
    async fn on_trial_ended(&self, _notice: &Notice) -> Told {
        Ok(())
    }
    /// A payment failed, or failed again; `final` in its data says that it was the last attempt.
    async fn on_payment_failed(&self, _notice: &Notice) -> Told {
        Ok(())
    }
    /// Nothing is overdue any more.
    async fn on_payment_recovered(&self, _notice: &Notice) -> Told {
        Ok(())
    }
    /// What the organization may use is another set than before.
    async fn on_entitlements_changed(&self, _notice: &Notice) -> Told {
        Ok(())
    }
    /// Any delivery, also those that are not modelled. Comes before the delivery is settled.
    async fn on_event(&self, _event: &Event) -> Told {
        Ok(())
    }
    /// Whether this person may do this for this organization. An error counts as no.
    async fn authorize(
        &self,
        _user: &UserId,
        _organization: &OrganizationId,
        _action: Action,
    ) -> Result<bool, HookError> {
        Ok(true)
    }
}

/// Hooks that do nothing and allow everything.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoHooks;

impl Hooks for NoHooks {}

/// How long a hook may take. A hook that hangs must not hold up every other organization.
const PATIENCE: Duration = Duration::from_secs(30);

/// Waits for a hook of the product, but not for ever, and survives its panic.
pub(crate) async fn guarded<T>(hook: impl Future<Output = Result<T, HookError>>) -> Result<T, Error> {
    match timeout(PATIENCE, AssertUnwindSafe(hook).catch_unwind()).await {
        Ok(Ok(told)) => told.map_err(|HookError(message)| Error::Hook(message)),
        Ok(Err(_panic)) => Err(Error::Hook("it panicked".into())),
        Err(_elapsed) => Err(Error::Hook(format!("it did not answer within {} s", PATIENCE.as_secs()))),
    }
}

/// Hands a notice to the method of its kind.
pub(crate) async fn tell(hooks: &dyn Hooks, notice: &Notice) -> Result<(), Error> {
    guarded(dispatch(hooks, notice)).await
}

async fn dispatch(hooks: &dyn Hooks, notice: &Notice) -> Told {
    match notice.kind {
        EffectKind::CustomerCreated => hooks.on_customer_created(notice).await,
        EffectKind::SubscriptionCreated => hooks.on_subscription_created(notice).await,
        EffectKind::SubscriptionCompleted => hooks.on_subscription_completed(notice).await,
        EffectKind::SubscriptionUpdated => hooks.on_subscription_updated(notice).await,
        EffectKind::SubscriptionCancelled => hooks.on_subscription_cancelled(notice).await,
        EffectKind::SubscriptionDeleted => hooks.on_subscription_deleted(notice).await,
        EffectKind::SubscriptionDuplicated => hooks.on_subscription_duplicated(notice).await,
        EffectKind::TrialEnding => hooks.on_trial_ending(notice).await,
        EffectKind::TrialStarted => hooks.on_trial_started(notice).await,
        EffectKind::TrialEnded => hooks.on_trial_ended(notice).await,
        EffectKind::PaymentFailed => hooks.on_payment_failed(notice).await,
        EffectKind::PaymentRecovered => hooks.on_payment_recovered(notice).await,
        EffectKind::EntitlementsChanged => hooks.on_entitlements_changed(notice).await,
    }
}
