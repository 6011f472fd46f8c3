//! Reading a subscription whole, and lists to their end.

use serde::de::DeserializeOwned;
use tollkeeper_core::{
    ports::{ErrorKind, ProviderError},
    snapshot::{Dues, Snapshot},
};

use crate::{
    Stripe,
    client::Endpoint,
    error::Attempt,
    form::Form,
    snapshot,
    wire::{self, Identified, Reference},
};

/// Most pages of one list. At 100 rows each, far more than a customer may have (500 subscriptions; "Subscriptions").
const MAX_PAGES: usize = 50;

/// Rows of a page: the most that Stripe gives.
pub(crate) const PAGE_ROWS: u32 = 100;

/// What comes whole with a subscription: who pays, what was invoiced last, what waits.
pub(crate) const WITH: [&str; 3] = ["customer", "latest_invoice", "schedule"];

/// The same for the rows of a list.
const ROWS_WITH: [&str; 3] = ["data.customer", "data.latest_invoice", "data.schedule"];

impl Stripe {
    /// Reads a subscription with what belongs to it.
    pub(crate) async fn read(&self, id: &str) -> Result<wire::Subscription, ProviderError> {
        let endpoint = Endpoint::on("read subscription", "/v1/subscriptions/{id}", id);
        let answer = self.client.get(endpoint, &Form::new().list("expand", &WITH)).await?;
        self.whole(answer).await
    }

    /// Reads every subscription of a customer, also those that are over; none where the customer is gone.
    pub(crate) async fn read_all_of(&self, customer: &str) -> Result<Vec<Snapshot>, ProviderError> {
        let filter = Form::new().set("customer", customer).set("status", "all").list("expand", &ROWS_WITH);
        let rows: Vec<wire::Subscription> = match self.list("list subscriptions", "/v1/subscriptions", &filter).await {
            Ok(rows) => rows,
            // Deleting a customer ends what it pays for.
            Err(error) if error.code.as_deref() == Some("resource_missing") => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let mut snapshots = Vec::with_capacity(rows.len());
        for row in rows {
            snapshots.push(self.complete(&self.whole(row).await?).await?);
        }
        Ok(snapshots)
    }

    /// The same subscription with all its lines, and with its schedule where that came as an id only.
    pub(crate) async fn whole(&self, answer: wire::Subscription) -> Result<wire::Subscription, ProviderError> {
        let mut subscription = answer;
        if subscription.items.has_more {
            let filter = Form::new().set("subscription", &subscription.id);
            subscription.items.data = self.list("list items", "/v1/subscription_items", &filter).await?;
            subscription.items.has_more = false;
        }
        let schedule = match &subscription.schedule {
            Some(Reference::Id(id)) => {
                let endpoint = Endpoint::on("read schedule", "/v1/subscription_schedules/{id}", id);
                match self.client.get::<wire::Schedule>(endpoint, &Form::new()).await {
                    Ok(schedule) => Some(Reference::Whole(Box::new(schedule))),
                    // It let go between the two reads.
                    Err(error) if error.kind == ErrorKind::NotFound => None,
                    Err(error) => return Err(error),
                }
            }
            known => known.clone(),
        };
        subscription.schedule = schedule;
        Ok(subscription)
    }

    /// Makes a snapshot, reading the dues where the status says that there are some.
    pub(crate) async fn complete(&self, subscription: &wire::Subscription) -> Result<Snapshot, ProviderError> {
        let dues = self.dues(subscription).await?;
        Ok(snapshot::snapshot(subscription, dues, self.now()))
    }

    /// The same after a write: the work is done, so that a failure to read is not a failure to do it.
    pub(crate) async fn complete_after_write(&self, answer: wire::Subscription) -> Result<Snapshot, ProviderError> {
        let complete = async { self.complete(&self.whole(answer).await?).await };
        complete.await.map_err(after_write)
    }

    async fn dues(&self, subscription: &wire::Subscription) -> Result<Option<Dues>, ProviderError> {
        if !snapshot::has_dues(subscription) {
            return Ok(None);
        }
        let filter = Form::new().set("subscription", &subscription.id).set("status", "open");
        let open: Vec<wire::Invoice> = self.list("list open invoices", "/v1/invoices", &filter).await?;
        Ok(snapshot::dues(subscription, &open))
    }

    /// Reads a list to its end.
    pub(crate) async fn list<T: DeserializeOwned + Identified>(
        &self,
        operation: &'static str,
        path: &'static str,
        filter: &Form,
    ) -> Result<Vec<T>, ProviderError> {
        let mut rows: Vec<T> = Vec::new();
        for _ in 0..MAX_PAGES {
            let (page, next) = self.page(operation, path, filter, rows.last().map(T::id)).await?;
            rows.extend(page);
            if next.is_none() {
                return Ok(rows);
            }
        }
        Err(Attempt::read(operation).error(ErrorKind::Rejected, "the list is longer than 5000 rows"))
    }

    /// Reads one page, and the id behind which the next one begins.
    pub(crate) async fn page<T: DeserializeOwned + Identified>(
        &self,
        operation: &'static str,
        path: &'static str,
        filter: &Form,
        after: Option<&str>,
    ) -> Result<(Vec<T>, Option<String>), ProviderError> {
        let query = filter.clone().set("limit", PAGE_ROWS).set_some("starting_after", after);
        let page: wire::List<T> = self.client.get(Endpoint::new(operation, path), &query).await?;
        if !page.has_more {
            return Ok((page.data, None));
        }
        match page.data.last().map(T::id).filter(|last| !last.is_empty() && Some(*last) != after) {
            Some(last) => {
                let next = last.to_owned();
                Ok((page.data, Some(next)))
            }
            None => {
                let attempt = Attempt::read(operation);
                Err(attempt.error(ErrorKind::Rejected, "the list has more, and does not say what is next"))
            }
        }
    }
}

/// A failure to read what was just written.
pub(crate) fn after_write(error: ProviderError) -> ProviderError {
    ProviderError { kind: ErrorKind::OutcomeUnknown, ..error }
}
