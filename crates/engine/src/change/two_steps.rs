//! A change that takes two calls, because the provider forgets what is scheduled when something changes at once.
//!
//! The second half is on the row before the first call; whoever finds it there looks whether the first half happened.

use std::time::Duration;

use tollkeeper_core::{
    account::Account,
    ids::{OrganizationId, SubscriptionId},
    ports::{ChangeRequest, ChangeWhen},
    snapshot::{Phase, Snapshot},
    subscription::{CheckoutItem, OwedChange, Subscription},
};
use tollkeeper_store::{Cause, drift::DriftClass};

use super::{
    lease_of,
    update::{bought, is_so},
};
use crate::{Error, Tollkeeper, decide::cause};

/// When a change that takes two calls is looked at by somebody else, in business time.
pub(super) const HALF_DONE: Duration = Duration::from_secs(60);

impl Tollkeeper {
    /// Schedules again what a change at once made the provider forget.
    pub(super) async fn schedule_again(&self, row: &Subscription, then: &[CheckoutItem]) -> Result<Snapshot, Error> {
        let change = ChangeRequest { items: then.to_vec(), when: ChangeWhen::PeriodEnd, proration_date: None };
        Ok(self.changed(row, &change).await?.snapshot)
    }

    pub(super) async fn owe(
        &self,
        id: &OrganizationId,
        row: &SubscriptionId,
        owed: Option<OwedChange>,
        cause: &Cause,
    ) -> Result<Account, Error> {
        let how = match owed {
            Some(_) => "a change begins that takes two steps",
            None => "the change is settled",
        };
        let written = self.rewrite_row(id, row, cause, how, |next, _| next.owed_change.clone_from(&owed));
        Ok(written.await?.after)
    }

    /// Finishes a change that somebody began and did not end, once it is time; leaves it to whoever is at it.
    pub(crate) async fn finish_change(&self, account: &Account, row: &Subscription) -> Result<(), Error> {
        if row.owed_change.as_ref().is_none_or(|owed| owed.look_at > self.now()) {
            return Ok(());
        }
        let id = &account.organization.id;
        let owner = self.one_time_owner();
        let work = async {
            // As it is now that nobody else is at it.
            let account = self.account(id).await?;
            let owes = account.subscription(&row.id).filter(|row| row.owed_change.is_some()).cloned();
            match owes {
                Some(row) => self.finish(account, &row).await.map(drop),
                None => Ok(()),
            }
        };
        self.with_lease(&lease_of(id), &owner, work).await?;
        Ok(())
    }

    /// Looks whether the first half of a change happened, and does the second; to be called by whoever has the lease.
    pub(super) async fn finish(&self, account: Account, row: &Subscription) -> Result<Account, Error> {
        let Some(owed) = &row.owed_change else { return Ok(account) };
        let cause = cause::time();
        let begun = ChangeRequest { items: owed.now.clone(), when: ChangeWhen::Now, proration_date: None };
        if let Some(mut snapshot) = self.billing(&row.provider)?.subscription(bought(row)).await? {
            if snapshot.scheduled.is_some() && !is_so(&snapshot, &begun) && owed.look_at > self.now() {
                // Perhaps it is still on its way to the provider.
                return Err(Error::conflict("change_in_progress", "This subscription is being changed right now"));
            }
            // What ends waits for nothing any more.
            let goes_on = snapshot.cancel_at.is_none() && snapshot.phase != Phase::Ended;
            if goes_on && snapshot.scheduled.is_none() && is_so(&snapshot, &begun) {
                tracing::warn!(subscription.id = %row.id, "a change was left half done: it is finished now");
                match self.schedule_again(row, &owed.then).await {
                    Ok(answer) => snapshot = answer,
                    Err(error) if error.may_pass() => return Err(error),
                    Err(error) => self.schedule_lost(row, &owed.then, &error).await?,
                }
            }
            self.take_answer(&account, &snapshot, &cause).await?;
        }
        self.owe(&account.organization.id, &row.id, None, &cause).await
    }

    /// Schedules again what was released for something that was refused then.
    pub(super) async fn put_back(&self, row: &Subscription, then: &[CheckoutItem]) -> Result<(), Error> {
        match self.schedule_again(row, then).await {
            Ok(_) => Ok(()),
            Err(error) => self.schedule_lost(row, then, &error).await,
        }
    }

    /// Writes down that what was scheduled is gone for good: a person must look.
    pub(super) async fn schedule_lost(
        &self,
        row: &Subscription,
        then: &[CheckoutItem],
        error: &Error,
    ) -> Result<(), Error> {
        tracing::error!(%error, subscription.id = %row.id, organization.id = %row.organization_id, "what was scheduled before a change cannot be scheduled again");
        let pair = (serde_json::json!(then), serde_json::Value::Null);
        let why = format!("what was scheduled before a change could not be scheduled again: {error}");
        let mut one = self.difference(row, DriftClass::Ours, "scheduled", pair, why);
        one.repaired = false;
        self.note_drift(&[one]).await
    }
}
