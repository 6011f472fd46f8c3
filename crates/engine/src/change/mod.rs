//! What a person does to a subscription that runs: cancel, restore, pause, resume, and the way into the provider's
//! portal. Changing what it sells is `update`.

mod hosted;
mod preview;
mod target;
mod two_steps;
mod update;

pub use preview::Preview;
pub use update::{UpdateRequest, Updated};

use std::time::Duration;

use tokio::time::{Instant, sleep};
use tollkeeper_core::{
    account::Account,
    ids::{OrganizationId, SubscriptionId},
    ports::{CancelWhen, ChangeWhen, ErrorKind, ProviderError},
    snapshot::Snapshot,
    status::Status,
    subscription::{ScheduledChange, Subscription},
    time::Timestamp,
};
use tollkeeper_store::Cause;

use crate::{
    Actor, Error, Tollkeeper, budget::for_a_person, decide::cause, provision::deleted, redirect::safe_target,
    show::SubscriptionView,
};
use update::bought;

/// How often whoever comes second looks whether the first is done.
const POLL: Duration = Duration::from_millis(100);

/// How to cancel.
#[derive(Clone, Debug, Default)]
pub struct CancelRequest {
    /// At the period's end unless `now`.
    pub now: bool,
    /// Through the provider's portal instead of at once.
    pub hosted: bool,
    /// Where the portal leads back to.
    pub return_url: Option<String>,
    /// In the person's words; kept in the history.
    pub reason: Option<String>,
    /// Which one, where there are several.
    pub subscription_id: Option<String>,
}

/// What became of a cancellation.
#[derive(Clone, Debug)]
pub enum Cancelled {
    /// It is done.
    Applied {
        /// As it is now.
        subscription: Box<SubscriptionView>,
        /// The change that was scheduled and is not any more.
        released: Option<ScheduledChange>,
    },
    /// The person goes on there.
    Hosted(String),
}

/// What a restore takes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Restore {
    /// A scheduled end.
    Cancellation,
    /// A scheduled change.
    Change,
}

/// How to pause.
#[derive(Clone, Debug, Default)]
pub struct PauseRequest {
    /// At the period's end unless `now`.
    pub now: bool,
    /// When it goes on by itself.
    pub until: Option<Timestamp>,
    /// Which one, where there are several.
    pub subscription_id: Option<String>,
}

impl Tollkeeper {
    /// Cancels the organization's subscription. Asking again for what is asked for already does no harm. A change that
    /// waits is released first.
    ///
    /// # Errors
    /// [`Error::Invalid`] with `no_subscription` or `invalid_redirect`; [`Error::Provider`].
    pub async fn cancel(&self, actor: &Actor, request: &CancelRequest) -> Result<Cancelled, Error> {
        if request.hosted {
            return Ok(Cancelled::Hosted(self.portal(actor, request.return_url.as_deref()).await?));
        }
        let id = actor.organization_id();
        for_a_person(self.in_turn(id, || async {
            let account = self.settled(id, request.subscription_id.as_deref()).await?;
            let row = live_row(&account, request.subscription_id.as_deref())?;
            let when = if request.now { CancelWhen::Now } else { CancelWhen::PeriodEnd };
            if !request.now && row.cancel_at.is_some() {
                // It may have been taken back without our having heard of it.
                let cause = cause::api(format!("cancel by {}", actor.user_id));
                let seen = self.refresh(id, &row.provider, bought(row), &cause).await?.after;
                if seen.subscription(&row.id).is_some_and(|row| row.cancel_at.is_some() || row.status.is_over()) {
                    let subscription = Box::new(self.shown(&seen, &row.id));
                    return Ok(Cancelled::Applied { subscription, released: None });
                }
            }
            let billing = self.billing(&row.provider)?;
            let released = row.scheduled.clone();
            if released.is_some() {
                match billing.undo_change(bought(row), &self.key(row.id.as_str())).await {
                    Ok(_) => {}
                    // It is gone already: nothing to release.
                    Err(error) if error.kind == ErrorKind::Conflict => {}
                    Err(error) => return Err(error.into()),
                }
            }
            let answer = match billing.cancel(bought(row), when, &self.key(row.id.as_str())).await {
                Ok(answer) => answer,
                Err(error) => {
                    // Refused for good: what waited shall wait again.
                    if let Some(change) = released.as_ref().filter(|_| !error.kind.is_retryable()) {
                        self.put_back(row, &change.items).await?;
                    }
                    return Err(error.into());
                }
            };
            let reason = request.reason.as_deref().map_or_else(String::new, |reason| format!(": {reason}"));
            let cause = cause::api(format!("cancel by {}{reason}", actor.user_id));
            let after = self.take_answer(&account, &answer, &cause).await?;
            Ok(Cancelled::Applied { subscription: Box::new(self.shown(&after, &row.id)), released })
        }))
        .await
    }

    /// Takes back what is scheduled: a cancellation or a change.
    ///
    /// # Errors
    /// [`Error::Invalid`] with `no_subscription`, `nothing_scheduled`, or `what_required` when both are scheduled and
    /// none is named; [`Error::Provider`].
    pub async fn restore(
        &self,
        actor: &Actor,
        what: Option<Restore>,
        subscription_id: Option<&str>,
    ) -> Result<SubscriptionView, Error> {
        let id = actor.organization_id();
        for_a_person(self.in_turn(id, || async {
            let account = self.settled(id, subscription_id).await?;
            let row = live_row(&account, subscription_id)?;
            let what = match (what, row.cancel_at.is_some(), row.scheduled.is_some()) {
                (None, true, true) => {
                    let message = "a cancellation and a change are scheduled: name one of them";
                    return Err(Error::invalid("what", "what_required", message));
                }
                (Some(Restore::Cancellation) | None, true, _) => Restore::Cancellation,
                (Some(Restore::Change) | None, _, true) => Restore::Change,
                (wanted, ..) => {
                    let what = if wanted == Some(Restore::Change) { "change" } else { "cancellation" };
                    return Err(nothing_scheduled(&format!("No {what} is scheduled: there is nothing to restore")));
                }
            };
            let (billing, key) = (self.billing(&row.provider)?, self.key(row.id.as_str()));
            let answer = match what {
                Restore::Cancellation => billing.undo_cancellation(bought(row), &key).await,
                Restore::Change => billing.undo_change(bought(row), &key).await,
            };
            let cause = cause::api(format!("restore by {}", actor.user_id));
            self.taken(&account, row, answer, &cause, || nothing_scheduled("It is not scheduled any more")).await
        }))
        .await
    }

    /// Pauses: the gate closes then.
    ///
    /// # Errors
    /// [`Error::Invalid`] with `no_subscription` or the field; [`Error::Conflict`] with `scheduled_change_pending`,
    /// `cancellation_scheduled` or `state_forbids`; [`Error::Provider`].
    pub async fn pause(&self, actor: &Actor, request: &PauseRequest) -> Result<SubscriptionView, Error> {
        let id = actor.organization_id();
        for_a_person(self.in_turn(id, || async {
            let account = self.settled(id, request.subscription_id.as_deref()).await?;
            let row = live_row(&account, request.subscription_id.as_deref())?;
            if row.scheduled.is_some() {
                let message = "A change is scheduled: restore it first, or wait for it";
                return Err(Error::conflict("scheduled_change_pending", message));
            }
            if row.cancel_at.is_some() {
                let message = "The subscription ends by itself: restore it first";
                return Err(Error::conflict("cancellation_scheduled", message));
            }
            if row.status == Status::Paused {
                return Ok(self.show(row));
            }
            let begins = row.period_end.filter(|_| !request.now).unwrap_or_else(|| self.now());
            if request.until.is_some_and(|until| until <= begins) {
                let message = format!("until must be later than the pause begins ({begins})");
                return Err(Error::invalid("until", "bad_until", message));
            }
            let when = if request.now { ChangeWhen::Now } else { ChangeWhen::PeriodEnd };
            let key = self.key(row.id.as_str());
            let answer = self.billing(&row.provider)?.pause(bought(row), when, request.until, &key).await;
            let cause = cause::api(format!("pause by {}", actor.user_id));
            self.taken(&account, row, answer, &cause, state_forbids).await
        }))
        .await
    }

    /// Ends a pause, or takes a scheduled one back.
    ///
    /// # Errors
    /// [`Error::Invalid`] with `no_subscription` or `not_paused`; [`Error::Provider`].
    pub async fn resume(&self, actor: &Actor, subscription_id: Option<&str>) -> Result<SubscriptionView, Error> {
        let id = actor.organization_id();
        for_a_person(self.in_turn(id, || async {
            let account = self.settled(id, subscription_id).await?;
            let row = live_row(&account, subscription_id)?;
            if row.status != Status::Paused && row.pause_at.is_none() {
                return Err(not_paused());
            }
            let key = self.key(row.id.as_str());
            let answer = self.billing(&row.provider)?.resume(bought(row), &key).await;
            let cause = cause::api(format!("resume by {}", actor.user_id));
            self.taken(&account, row, answer, &cause, not_paused).await
        }))
        .await
    }

    /// Does one thing at a time to what an organization has. Whoever comes second waits for the first, and decides on what
    /// that one left behind.
    ///
    /// # Errors
    /// [`Error::Conflict`] with `change_in_progress` when that takes too long.
    async fn in_turn<'a, T, W>(&'a self, id: &OrganizationId, work: impl Fn() -> W) -> Result<T, Error>
    where
        T: Send + 'a,
        W: Future<Output = Result<T, Error>> + Send + 'a,
    {
        let (key, owner) = (lease_of(id), self.one_time_owner());
        let deadline = Instant::now() + self.inner.settings.checkout_wait;
        loop {
            if let Some(done) = self.with_lease(&key, &owner, work()).await? {
                return Ok(done);
            }
            if Instant::now() >= deadline {
                return Err(Error::conflict("change_in_progress", "This subscription is being changed right now"));
            }
            sleep(POLL).await;
        }
    }

    /// The account as it is, with no change of ours left half done on the row that is named.
    async fn settled(&self, id: &OrganizationId, named: Option<&str>) -> Result<Account, Error> {
        let account = self.account(id).await?;
        if account.organization.is_leaving() {
            return Err(deleted());
        }
        let owes = live_row(&account, named)?.clone();
        if owes.owed_change.is_none() {
            return Ok(account);
        }
        self.finish(account, &owes).await
    }

    /// Takes in what a provider answered to a change of state; `conflict` is what its refusal means.
    async fn taken(
        &self,
        account: &Account,
        row: &Subscription,
        answer: Result<Snapshot, ProviderError>,
        cause: &Cause,
        conflict: impl FnOnce() -> Error,
    ) -> Result<SubscriptionView, Error> {
        match answer {
            Ok(answer) => {
                let after = self.take_answer(account, &answer, cause).await?;
                Ok(self.shown(&after, &row.id))
            }
            Err(error) if error.kind == ErrorKind::Conflict => {
                // What we have may be old: the next look is a newer one.
                self.refresh(&account.organization.id, &row.provider, bought(row), cause).await?;
                Err(conflict())
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Makes a link into the provider's portal.
    ///
    /// # Errors
    /// [`Error::Invalid`] with `no_customer` or `invalid_redirect`; [`Error::Provider`].
    pub async fn portal(&self, actor: &Actor, return_url: Option<&str>) -> Result<String, Error> {
        for_a_person(self.way_into_the_portal(actor, return_url)).await
    }

    async fn way_into_the_portal(&self, actor: &Actor, return_url: Option<&str>) -> Result<String, Error> {
        let back = safe_target(self.settings(), "returnUrl", return_url.unwrap_or("/billing"))?;
        let Some((provider, customer)) = self.customer_of(actor).await? else {
            return Err(Error::invalid_request(
                "no_customer",
                "This organization has no billing account yet: start a checkout first",
            ));
        };
        let billing = self.billing(&provider)?;
        Ok(billing.portal(&customer, &self.short_enough(billing.as_ref(), &back)).await?)
    }

    fn shown(&self, account: &Account, id: &SubscriptionId) -> SubscriptionView {
        self.show(account.subscription(id).expect("rows stay"))
    }
}

/// The lease under which an organization's subscriptions are changed.
pub(crate) fn lease_of(id: &OrganizationId) -> String {
    format!("change/{id}")
}

/// The one subscription that runs, or the one that was named.
fn live_row<'a>(account: &'a Account, named: Option<&str>) -> Result<&'a Subscription, Error> {
    let mut running = account.running(named);
    match (running.next(), running.next()) {
        (Some(row), None) => Ok(row),
        (Some(_), Some(_)) => Err(Error::invalid(
            "subscriptionId",
            "subscription_required",
            "there are several subscriptions: name one of them",
        )),
        (None, _) => Err(Error::Invalid {
            field: named.map(|_| "subscriptionId".into()),
            code: "no_subscription",
            message: "There is no active subscription".into(),
        }),
    }
}

fn nothing_scheduled(message: &str) -> Error {
    Error::invalid_request("nothing_scheduled", message)
}

fn not_paused() -> Error {
    Error::invalid_request("not_paused", "The subscription is not paused")
}

fn state_forbids() -> Error {
    Error::conflict("state_forbids", "The subscription's state at the provider forbids this")
}
