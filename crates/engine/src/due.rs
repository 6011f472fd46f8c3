//! What time alone brings: a one-second machine tick and every move of the clock look at the rows that are due.

use std::collections::HashSet;

use tollkeeper_core::{
    account::Account,
    catalog::Duplicates,
    gate::access,
    ids::{OrganizationId, SubscriptionId},
    ports::CancelWhen,
    reduce,
    status::Status,
    subscription::Subscription,
};
use tollkeeper_store::subscription;

use crate::{Error, Tollkeeper, change::lease_of, decide::cause};

const ROWS: i64 = 500;

/// A row at which time has arrived.
pub(crate) type DueRow = (OrganizationId, SubscriptionId);

impl Tollkeeper {
    /// The rows at which time has arrived.
    pub(crate) async fn due_rows(&self, not: HashSet<DueRow>) -> Result<Vec<(DueRow, ())>, Error> {
        let due = subscription::due(self.inner.db.read().await?.c(), self.now(), ROWS).await?;
        let due = due.into_iter().map(|(organization, id, _)| (organization, id));
        Ok(due.filter(|row| !not.contains(row)).map(|row| (row, ())).collect())
    }

    /// Asks the provider first, because an instant that has passed usually means news; then lets time itself decide.
    /// `false`: not now, because the news of very many is being worked on, and this is likely among it.
    pub(crate) async fn look_at(&self, organization: &OrganizationId, id: &SubscriptionId) -> Result<bool, Error> {
        let account = self.account(organization).await?;
        let Some(row) = account.subscription(id) else { return Ok(true) };
        let is_busy = self
            .billing(&row.provider)
            .is_ok_and(|billing| billing.rows_of_a_page().is_some() && self.inner.sweeps.is_busy(&billing.source()));
        if is_busy {
            return Ok(false);
        }
        self.look_now(account, id).await.map(|()| true)
    }

    async fn look_now(&self, account: Account, id: &SubscriptionId) -> Result<(), Error> {
        let organization = &account.organization.id;
        let Some(row) = account.subscription(id) else { return Ok(()) };
        let Ok(billing) = self.billing(&row.provider) else {
            tracing::warn!(provider = %row.provider, organization.id = %organization, subscription.id = %id, "a row is due whose provider is not configured");
            return self.look_again_later(organization, id).await;
        };
        if let Err(error) = self.finish_change(&account, row).await {
            tracing::warn!(%error, organization.id = %organization, subscription.id = %id, "a half done change has to wait");
            return self.look_again_later(organization, id).await;
        }
        if let Err(error) = self.end_duplicate(&account, row).await {
            tracing::warn!(%error, organization.id = %organization, subscription.id = %id, "a duplicate could not be ended yet");
            return self.look_again_later(organization, id).await;
        }
        if row.status == Status::Future {
            match self.shut_unheard(&account, row, &cause::time()).await {
                Ok(()) => {}
                Err(error @ Error::Store(_)) => return Err(error),
                Err(error) => {
                    tracing::warn!(%error, organization.id = %organization, subscription.id = %id, "whether a page was made could not be asked");
                    return self.look_again_later(organization, id).await;
                }
            }
        }
        let bought = match &row.provider_subscription_id {
            Some(bought) => Some(bought.clone()),
            // A checkout that is about to expire may have been paid at the last moment.
            None if row.status == Status::Future => billing.subscription_id_for(id),
            None => None,
        };
        if let Some(bought) = bought {
            match self.refresh(organization, &row.provider, &bought, &cause::time()).await {
                Ok(_) | Err(Error::NotThere(..) | Error::Reduce(_)) => {}
                Err(error @ Error::Store(_)) => return Err(error),
                // Whether it was paid is not known: time alone must not end it.
                Err(error) if row.status == Status::Future => {
                    tracing::warn!(%error, organization.id = %organization, subscription.id = %id, "whether a checkout was paid could not be asked");
                    return self.look_again_later(organization, id).await;
                }
                Err(error) => {
                    tracing::warn!(%error, organization.id = %organization, subscription.id = %id, "the provider could not be asked about a due row");
                }
            }
        }
        self.decide(organization, &cause::time(), |account, catalog, now| Ok(reduce::tick(account, id, catalog, now)))
            .await?;
        Ok(())
    }

    /// Ends the later of two subscriptions that were both paid, where the policy says so, and gives back what was paid.
    async fn end_duplicate(&self, account: &Account, row: &Subscription) -> Result<(), Error> {
        let unwanted = self.catalog().policy().duplicates == Duplicates::CancelLater && row.status.is_live();
        let (Some(first), Some(bought), true) = (&row.duplicate_of, &row.provider_subscription_id, unwanted) else {
            return Ok(());
        };
        let id = &account.organization.id;
        let owner = self.one_time_owner();
        let work = async {
            // Only beside one that really runs: that may have ended without our having heard of it.
            if let Some(first) = account.subscription(first)
                && let Some(earlier) = &first.provider_subscription_id
            {
                self.refresh(id, &first.provider, earlier, &cause::time()).await?;
            }
            let account = self.account(id).await?;
            let (catalog, now) = (self.catalog(), self.now());
            let opens = account.subscription(first).is_some_and(|row| access(row, catalog.policy(), now).granted);
            let still = account.subscription(&row.id).filter(|row| row.status.is_live());
            // Never the one that works, beside one that does not.
            if !opens || still.is_none_or(|row| row.duplicate_of.as_ref() != Some(first)) {
                return Ok(());
            }
            tracing::warn!(
                organization.id = %id, subscription.id = %row.id, duplicate.of = %first,
                "a subscription was paid twice: the later one is cancelled and credited"
            );
            let key = self.key(row.id.as_str());
            let answer = self.billing(&row.provider)?.cancel(bought, CancelWhen::NowCredited, &key).await?;
            self.take_answer(&account, &answer, &cause::time()).await.map(drop)
        };
        self.with_lease(&lease_of(id), &owner, work).await?;
        Ok(())
    }

    async fn look_again_later(&self, organization: &OrganizationId, id: &SubscriptionId) -> Result<(), Error> {
        self.decide(organization, &cause::time(), |account, _, now| Ok(reduce::postpone(account, id, now))).await?;
        Ok(())
    }
}
