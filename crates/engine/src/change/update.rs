//! Changing what a running subscription sells.

use tollkeeper_core::{
    account::Account,
    ids::ProviderSubscriptionId,
    ports::{ChangeRequest, ChangeWhen, Changed, ErrorKind, ProviderError},
    snapshot::{Item, ItemType, Snapshot},
    status::Status,
    subscription::{OwedChange, Subscription},
};
use tollkeeper_store::Cause;

use super::{
    hosted::check_hosted,
    live_row,
    preview::Pinned,
    target::{self, Target},
    two_steps::HALF_DONE,
};
use crate::{
    Actor, Error, Tollkeeper, budget::for_a_person, decide::cause, failpoint::failpoint, show::SubscriptionView,
};

/// How often one change is asked for when its outcome is not known.
const TRIES: usize = 3;

/// What a person wants changed; everything is optional, and what is not named stays.
#[derive(Clone, Debug, Default)]
pub struct UpdateRequest {
    /// A plan by name.
    pub plan: Option<String>,
    /// Or prices by id, the plan's first.
    pub price_ids: Vec<String>,
    /// How often to pay; the current interval when not given.
    pub interval: Option<String>,
    /// In which currency; only the current one is possible.
    pub currency: Option<String>,
    /// How many seats.
    pub seats: Option<i64>,
    /// The whole set of add-ons by name; `None` keeps what is there.
    pub addons: Option<Vec<(String, i64)>>,
    /// When; not given: a step up at once, a step down at the period's end.
    pub when: Option<ChangeWhen>,
    /// What [`Tollkeeper::preview`] answered.
    pub preview_token: Option<String>,
    /// On a page of the provider instead of at once.
    pub hosted: bool,
    /// Where the hosted page leads to after paying.
    pub success_url: Option<String>,
    /// Where it leads to after giving up.
    pub cancel_url: Option<String>,
    /// Which one, where there are several.
    pub subscription_id: Option<String>,
}

/// What became of a change.
#[derive(Clone, Debug)]
pub enum Updated {
    /// It is done, or waits for the period's end.
    Applied(Box<SubscriptionView>),
    /// The person goes on there.
    Hosted(String),
}

impl Tollkeeper {
    /// Changes plan, seats or add-ons.
    ///
    /// # Errors
    /// As [`Tollkeeper::preview`], and [`Error::PreviewOutdated`].
    pub async fn update(&self, actor: &Actor, request: &UpdateRequest) -> Result<Updated, Error> {
        check_hosted(request)?;
        let pinned = request.preview_token.as_deref().map(|token| self.opened(token)).transpose()?;
        // Without a time the token's own counts: what was shown is what is meant.
        let when = request.when.or(pinned.as_ref().map(|pinned| pinned.target.when));
        let request = &UpdateRequest { when, ..request.clone() };
        let (id, cause) = (actor.organization_id(), cause::api(format!("update by {}", actor.user_id)));
        for_a_person(self.in_turn(id, || async {
            let account = self.settled(id, request.subscription_id.as_deref()).await?;
            let (row, target) = self.target(&account, request)?;
            if request.hosted {
                return Ok(Updated::Hosted(self.hosted_update(actor, row, &target, request, &cause).await?));
            }
            if let Some(pinned) = &pinned {
                self.check_preview(row, &target, pinned).await?;
            }
            let after = self.apply(&account, row, &target, pinned.as_ref(), &cause).await?;
            Ok(Updated::Applied(Box::new(self.shown(&after, &row.id))))
        }))
        .await
    }

    /// The row that a request is about and what it leads to.
    pub(super) fn target<'a>(
        &self,
        account: &'a Account,
        request: &UpdateRequest,
    ) -> Result<(&'a Subscription, Target), Error> {
        let row = live_row(account, request.subscription_id.as_deref())?;
        // The provider's page changes at once.
        let when = if request.hosted { Some(ChangeWhen::Now) } else { request.when };
        let request = &UpdateRequest { when, ..request.clone() };
        let target = target::resolve(self.settings(), &self.catalog(), row, request)?;
        let refuse = |code, why: &str| Err(Error::conflict(code, why));
        match row.status {
            Status::Paused => refuse("subscription_paused", "The subscription is paused: resume it first"),
            Status::Unpaid => refuse("payment_due", "Invoices are unpaid: pay them first"),
            // Nobody knows when the person is done on the page, so nobody could schedule it again.
            _ if request.hosted && target.then.is_some() => refuse(
                "scheduled_change_pending",
                "A change is scheduled, and the provider's page would drop it: change without the page, or restore it first",
            ),
            _ if row.cancel_at.is_some() && target.when == ChangeWhen::PeriodEnd => {
                refuse("cancellation_scheduled", "The subscription ends then: restore it first")
            }
            _ => Ok((row, target)),
        }
    }

    /// Makes the change at the provider and takes its answer in.
    async fn apply(
        &self,
        account: &Account,
        row: &Subscription,
        target: &Target,
        pinned: Option<&Pinned>,
        cause: &Cause,
    ) -> Result<Account, Error> {
        let id = &account.organization.id;
        let proration_date = pinned.map(|pinned| pinned.proration_date);
        let change = ChangeRequest { items: target.items.clone(), when: target.when, proration_date };
        let mut before = account.clone();
        if let Some(then) = &target.then {
            let owed =
                OwedChange { now: target.items.clone(), then: then.clone(), look_at: self.now().plus(HALF_DONE) };
            before = self.owe(id, &row.id, Some(owed), cause).await?;
            failpoint("change.owed");
        }
        let changed = match self.changed(row, &change).await {
            Ok(changed) => changed,
            // Refused for good: what waits still waits.
            Err(error) => {
                if target.then.is_some() && !error.may_pass() {
                    self.owe(id, &row.id, None, cause).await?;
                }
                return Err(error);
            }
        };
        failpoint("change.applied");
        if let (Some(pinned), Some(charged)) = (pinned, changed.charged)
            && target.when == ChangeWhen::Now
        {
            self.compare_charge(row, pinned.seen.net.max(0), charged).await?;
        }
        let Some(then) = &target.then else { return self.take_answer(&before, &changed.snapshot, cause).await };
        let answer = match self.schedule_again(row, then).await {
            Ok(answer) => answer,
            // What was asked for is done and paid. The rest is owed until somebody finishes it.
            Err(error) if error.may_pass() => {
                tracing::warn!(%error, subscription.id = %row.id, "what was scheduled before a change is scheduled again later");
                return self.take_answer(&before, &changed.snapshot, cause).await;
            }
            Err(error) => {
                self.schedule_lost(row, then, &error).await?;
                changed.snapshot
            }
        };
        failpoint("change.scheduled_again");
        self.take_answer(&before, &answer, cause).await?;
        self.owe(id, &row.id, None, cause).await
    }

    /// Asks for a change until its outcome is known: what is so already is not asked for again.
    pub(super) async fn changed(&self, row: &Subscription, change: &ChangeRequest) -> Result<Changed, Error> {
        let billing = self.billing(&row.provider)?;
        let id = bought(row);
        let mut last = None;
        for _ in 0..TRIES {
            match billing.change(id, change, &self.key(row.id.as_str())).await {
                Ok(changed) => return Ok(changed),
                Err(error) if matches!(error.kind, ErrorKind::OutcomeUnknown | ErrorKind::Transient) => {
                    tracing::warn!(%error, subscription.id = %row.id, "whether a change was made is looked up");
                    match billing.subscription(id).await {
                        Ok(Some(snapshot)) if is_so(&snapshot, change) => {
                            return Ok(Changed { snapshot, charged: None });
                        }
                        Ok(_) => last = Some(error),
                        Err(look) => {
                            // That nobody can look does not mean that nothing was done.
                            tracing::warn!(error = %look, subscription.id = %row.id, "it could not be looked up");
                            return Err(error.into());
                        }
                    }
                }
                Err(error) => return Err(refused(error)),
            }
        }
        Err(last.map_or_else(|| Error::Contended(id.to_string()), Error::Provider))
    }
}

/// The subscription at the provider, which every live row names.
pub(super) fn bought(row: &Subscription) -> &ProviderSubscriptionId {
    row.provider_subscription_id.as_ref().expect("a live row names its subscription")
}

/// Whether a subscription is as a change would make it.
pub(super) fn is_so(snapshot: &Snapshot, change: &ChangeRequest) -> bool {
    let sells = |items: &[Item]| {
        let recurring: Vec<_> = items.iter().filter(|item| item.item_type != ItemType::Charge).collect();
        let mut wanted = change.items.iter().filter(|item| item.item_type != ItemType::Charge);
        recurring.len() == wanted.clone().count()
            && wanted.all(|wanted| {
                recurring.iter().any(|item| item.item_price_id == wanted.price_id && item.quantity == wanted.quantity)
            })
    };
    match change.when {
        ChangeWhen::Now => sells(&snapshot.items),
        ChangeWhen::PeriodEnd => snapshot.scheduled.as_ref().is_some_and(|change| sells(&change.items)),
    }
}

pub(super) fn refused(error: ProviderError) -> Error {
    match error.kind {
        ErrorKind::Conflict => {
            Error::conflict("state_forbids", "The subscription's state at the provider forbids this")
        }
        _ => error.into(),
    }
}
