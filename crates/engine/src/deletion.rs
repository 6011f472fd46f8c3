//! The end of an organization: close, cancel, confirm, then tombstone. Rows stay until the provider has confirmed.

use tollkeeper_core::{
    ids::OrganizationId, ports::CancelWhen, reduce, snapshot::Phase, status::Status, subscription::Subscription,
};

use tollkeeper_store::Cause;

use crate::{Error, Tollkeeper, failpoint::failpoint};

impl Tollkeeper {
    /// Ends everything the organization pays for, at the provider, then marks it as deleted. Every step may be repeated:
    /// after a failure the delivery that asked for it comes again.
    pub(crate) async fn organization_deleted(&self, id: &OrganizationId, cause: &Cause) -> Result<(), Error> {
        let now = self.now();
        if self.insert_organization(id, None, Some(now)).await? {
            // Nobody told us of it before: there is nothing to end, only older news to recognise.
            return Ok(());
        }
        // Before anybody is asked: from here on its gates are closed and nothing is sold to it, however long the rest takes.
        self.decide(id, cause, |account, catalog, now| Ok(reduce::begin_deletion(account, catalog, now))).await?;
        failpoint("deletion.begun");
        let account = self.account(id).await?;
        for customer in &account.customers {
            let billing = self.billing(&customer.provider)?;
            for seen in billing.subscriptions_of(&customer.id).await? {
                if matches!(seen.phase, Phase::Ended | Phase::NeverStarted) {
                    // Ended without our having heard of it, perhaps by an earlier try of this very deletion.
                    let ours = |row: &&Subscription| row.provider_subscription_id.as_ref() == Some(&seen.id);
                    if account.subscriptions.iter().any(|row| ours(&row) && row.status.is_live()) {
                        self.refresh(id, &customer.provider, &seen.id, cause).await?;
                    }
                    continue;
                }
                let ended = billing.cancel(&seen.id, CancelWhen::Now, &self.key(seen.id.as_str())).await?;
                failpoint("deletion.cancelled");
                if ended.phase != Phase::Ended {
                    return Err(Error::conflict(
                        "still_billed",
                        format!("{} of {id} is {} after it was cancelled", seen.id, ended.provider_status),
                    ));
                }
                match self.refresh(id, &customer.provider, &seen.id, cause).await {
                    // A stranger's subscription is ended with its customer, but never becomes a row.
                    Ok(_) | Err(Error::Reduce(_)) => {}
                    Err(error) => return Err(error),
                }
            }
        }
        self.close_checkouts(id, cause, "its organization was deleted").await?;
        failpoint("deletion.tombstone");
        self.decide(id, cause, |account, catalog, now| {
            // Somebody may have paid since we looked: then this comes again, and looks again.
            reduce::tombstone(account, catalog, now)
                .map_err(|refusal| Error::conflict("still_billed", refusal.to_string()))
        })
        .await?;
        Ok(())
    }

    /// Ends the checkouts that a person might still finish.
    pub(crate) async fn close_checkouts(&self, id: &OrganizationId, cause: &Cause, why: &str) -> Result<(), Error> {
        let account = self.account(id).await?;
        let open = account.subscriptions.iter().filter(|row| row.status == Status::Future);
        for row in open {
            if let Some(reference) = row.checkout.as_ref().and_then(|checkout| checkout.reference.as_ref()) {
                self.billing(&row.provider)?.expire_checkout(reference).await?;
            }
            self.expire(id, &row.id, cause, why).await?;
        }
        Ok(())
    }
}
