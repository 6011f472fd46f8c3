//! What operators ask: which deliveries arrived, what became of them, and working on them again.

use tollkeeper_core::{
    account::Account,
    ids::{EventId, OrganizationId, Source},
    time::MachineTime,
};
use tollkeeper_store::{
    drift::{self, Drift},
    history::{self, HistoryRow},
    inbox::{self, Filter, InboxRow, InboxState, Replay},
};

use crate::{Error, Tollkeeper};

impl Tollkeeper {
    /// Deliveries, the newest first.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn deliveries(&self, filter: &Filter, limit: i64) -> Result<Vec<InboxRow>, Error> {
        Ok(inbox::list(self.inner.db.read().await?.c(), filter, limit).await?)
    }

    /// Deliveries that were received at or after an instant, the oldest first.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn deliveries_since(&self, from: MachineTime, limit: i64) -> Result<Vec<InboxRow>, Error> {
        Ok(inbox::arrived(self.inner.db.read().await?.c(), from, limit).await?)
    }

    /// One delivery.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn delivery(&self, source: &Source, id: &EventId) -> Result<Option<InboxRow>, Error> {
        Ok(inbox::get(self.inner.db.read().await?.c(), source, id).await?)
    }

    /// How many deliveries there are, by source and state.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn delivery_counts(&self) -> Result<Vec<(Source, InboxState, i64)>, Error> {
        Ok(inbox::counts(self.inner.db.read().await?.c()).await?)
    }

    /// Works on one delivery again and at once, whatever became of it; `false` when there is none.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn replay(&self, source: &Source, id: &EventId) -> Result<bool, Error> {
        let found = self.inner.db.write(|tx| Box::pin(inbox::replay(tx, source, id))).await?;
        self.inner.wake_inbox.notify_one();
        Ok(found)
    }

    /// Works on many deliveries again; answers how many.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn replay_all(&self, which: &Replay) -> Result<u64, Error> {
        let again = self.inner.db.write(|tx| Box::pin(inbox::replay_all(tx, which))).await?;
        self.inner.wake_inbox.notify_one();
        Ok(again)
    }

    /// An organization with what belongs to it.
    ///
    /// # Errors
    /// [`Error::UnknownOrganization`]; [`Error::Store`].
    pub async fn organization(&self, id: &OrganizationId) -> Result<Account, Error> {
        self.account(id).await
    }

    /// What was decided about an organization behind `after`, in order.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn history(&self, id: &OrganizationId, after: i64, limit: i64) -> Result<Vec<HistoryRow>, Error> {
        Ok(history::list(self.inner.db.read().await?.c(), id, after, limit).await?)
    }

    /// Differences that were found, the newest first; of one organization, or of all.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn drift(&self, organization: Option<&OrganizationId>, limit: i64) -> Result<Vec<Drift>, Error> {
        Ok(drift::list(self.inner.db.read().await?.c(), organization, limit).await?)
    }
}
