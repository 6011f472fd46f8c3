//! Reading a subscription whole: with what is overdue and what waits, which it does not carry itself.

use std::time::Duration;

use tollkeeper_core::{
    ports::{ErrorKind, ProviderError},
    snapshot::{Dues, Origin, ScheduledItems, Snapshot},
    time::Timestamp,
};

use crate::{
    Chargebee,
    client::Endpoint,
    error::Attempt,
    form::Form,
    snapshot::{self, Beside},
    wire,
};

/// Most pages of one list. At 100 rows each, far more than a customer may have (900 subscriptions; "Subscriptions").
const MAX_PAGES: usize = 50;

/// Rows of a page: the most that Chargebee gives.
pub(crate) const PAGE_ROWS: u32 = 100;

/// The words of an invoice that somebody still owes.
const UNPAID: [&str; 2] = ["payment_due", "not_paid"];

impl Chargebee {
    /// Makes a snapshot of an answer, reading what is beside it where it says that there is something.
    pub(crate) async fn complete(&self, answer: &wire::SubscriptionAnswer) -> Result<Snapshot, ProviderError> {
        let subscription = &answer.subscription;
        let beside = Beside { dues: self.dues(subscription).await?, scheduled: self.scheduled(subscription).await? };
        Ok(snapshot::snapshot(subscription, answer.customer.as_ref(), beside, Origin::Fetched, self.now()))
    }

    /// The same after a write: the work is done, so that a failure to read is not a failure to do it.
    pub(crate) async fn complete_after_write(
        &self,
        answer: &wire::SubscriptionAnswer,
    ) -> Result<Snapshot, ProviderError> {
        self.complete(answer).await.map_err(|error| ProviderError { kind: ErrorKind::OutcomeUnknown, ..error })
    }

    /// Reads a subscription with its customer.
    pub(crate) async fn read(&self, id: &str) -> Result<wire::SubscriptionAnswer, ProviderError> {
        self.client.get(Endpoint::on("read subscription", "/subscriptions/{id}", id), &Form::new()).await
    }

    async fn dues(&self, subscription: &wire::Subscription) -> Result<Option<Dues>, ProviderError> {
        if !snapshot::has_dues(subscription) {
            return Ok(None);
        }
        let mut invoices = self.unpaid_invoices("subscription_id", &subscription.id).await?;
        if invoices.is_empty() {
            // An invoice for several subscriptions has no `subscription_id` of its own; its lines have.
            invoices = self.unpaid_invoices("customer_id", &subscription.customer_id).await?;
            invoices.retain(|invoice| invoice.bills(&subscription.id));
        }
        Ok(snapshot::dues(subscription, &invoices))
    }

    /// One page is enough: the oldest come first, and the rest changes nothing that is shown.
    async fn unpaid_invoices(&self, attribute: &str, id: &str) -> Result<Vec<wire::Invoice>, ProviderError> {
        let query = Form::new()
            .set("limit", PAGE_ROWS)
            .pair(&["sort_by", "asc"], "date")
            .pair(&[attribute, "is"], id)
            .filter_list("status", "in", &UNPAID);
        let page: wire::Page<wire::InvoiceAnswer> =
            self.client.get(Endpoint::new("list unpaid invoices", "/invoices"), &query).await?;
        let unpaid = |invoice: &wire::Invoice| UNPAID.contains(&invoice.status.as_str());
        Ok(page.list.into_iter().map(|row| row.invoice).filter(unpaid).collect())
    }

    async fn scheduled(&self, subscription: &wire::Subscription) -> Result<Option<ScheduledItems>, ProviderError> {
        if !subscription.has_scheduled_changes {
            return Ok(None);
        }
        let endpoint = Endpoint::on(
            "read scheduled changes",
            "/subscriptions/{id}/retrieve_with_scheduled_changes",
            &subscription.id,
        );
        match self.client.get::<wire::SubscriptionAnswer>(endpoint, &Form::new()).await {
            Ok(then) => Ok(snapshot::scheduled(subscription, &then.subscription)),
            // It came into force, or was taken back, between the two reads.
            Err(error) if matches!(error.kind, ErrorKind::NotFound | ErrorKind::Conflict) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Reads one page of everything, also of what is deleted; with `since`, of what changed at that second or later.
    pub(crate) async fn page<T: serde::de::DeserializeOwned>(
        &self,
        operation: &'static str,
        path: &'static str,
        since: Option<Timestamp>,
        page: Option<&str>,
    ) -> Result<wire::Page<T>, ProviderError> {
        let offset = page.filter(|page| !page.is_empty());
        let mut query = Form::new().set("limit", PAGE_ROWS).set_some("offset", offset).set("include_deleted", true);
        query = match since {
            // `after` leaves the second itself out, in which something may have changed since.
            Some(since) => query.pair(&["sort_by", "asc"], "updated_at").filter_instant(
                "updated_at",
                "after",
                since.minus(Duration::from_secs(1)),
            ),
            None => query.pair(&["sort_by", "asc"], "created_at"),
        };
        let mut answer: wire::Page<T> = self.client.get(Endpoint::new(operation, path), &query).await?;
        answer.next_offset = answer.next_offset.filter(|next| !next.is_empty());
        if answer.next_offset.is_some() && answer.next_offset.as_deref() == offset {
            let attempt = Attempt { operation, writes: false };
            return Err(attempt.error(ErrorKind::Rejected, "the list names the same page as the next one"));
        }
        Ok(answer)
    }

    /// Reads a list to its end.
    pub(crate) async fn list<T: serde::de::DeserializeOwned>(
        &self,
        operation: &'static str,
        path: &'static str,
        filter: &Form,
    ) -> Result<Vec<T>, ProviderError> {
        let mut rows = Vec::new();
        let mut offset = None;
        for _ in 0..MAX_PAGES {
            let query = filter.clone().set("limit", PAGE_ROWS).set_some("offset", offset.as_deref());
            let page: wire::Page<T> = self.client.get(Endpoint::new(operation, path), &query).await?;
            rows.extend(page.list);
            match page.next_offset.filter(|next| !next.is_empty()) {
                Some(next) => offset = Some(next),
                None => return Ok(rows),
            }
        }
        Err(Attempt { operation, writes: false }.error(ErrorKind::Rejected, "the list is longer than 5000 rows"))
    }
}
