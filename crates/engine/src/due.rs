//! What time alone brings: a one-second machine tick and every move of the clock look at the rows that are due.

use tollkeeper_core::{
    ids::{OrganizationId, SubscriptionId},
    reduce,
    status::Status,
};
use tollkeeper_store::subscription;

use crate::{Error, Tollkeeper, decide::cause};

const ROWS: i64 = 500;

impl Tollkeeper {
    /// The rows at which time has arrived.
    pub(crate) async fn due_rows(&self) -> Result<Vec<(OrganizationId, SubscriptionId)>, Error> {
        let due = subscription::due(self.inner.db.read().await?.c(), self.now(), ROWS).await?;
        Ok(due.into_iter().map(|(organization, id, _)| (organization, id)).collect())
    }

    /// Asks the provider first, because an instant that has passed usually means news; then lets time itself decide.
    pub(crate) async fn look_at(&self, organization: &OrganizationId, id: &SubscriptionId) -> Result<(), Error> {
        let account = self.account(organization).await?;
        let Some(row) = account.subscription(id) else { return Ok(()) };
        let Ok(billing) = self.billing(&row.provider) else {
            tracing::warn!(provider = %row.provider, organization.id = %organization, subscription.id = %id, "a row is due whose provider is not configured");
            return self.look_again_later(organization, id).await;
        };
        let bought = match &row.provider_subscription_id {
            Some(bought) => Some(bought.clone()),
            // A checkout that is about to expire may have been paid at the last moment.
            None if row.status == Status::Future => billing.subscription_id_for(id),
            None => None,
        };
        if let Some(bought) = bought {
            match self.refresh(organization, &row.provider, &bought, None, &cause::time(), None).await {
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

    async fn look_again_later(&self, organization: &OrganizationId, id: &SubscriptionId) -> Result<(), Error> {
        self.decide(organization, &cause::time(), |account, _, now| Ok(reduce::postpone(account, id, now))).await?;
        Ok(())
    }
}
