//! Lists of everything, and of what changed lately.
//!
//! Stripe lists nothing by when it changed. What did is told by its events, which are kept for 30 days: they name what to
//! read again. Whoever asks about longer ago gets everything. A list of customers leaves the deleted ones out; those are
//! told by events too, behind the last page.
//!
//! Source: API reference, "List all events", "List subscriptions" and "List all customers".

use std::time::Duration;

use tollkeeper_core::{
    ids::ProviderSubscriptionId,
    ports::{Billing as _, CustomerRecord, ErrorKind, Listed, Page, ProviderError, Subject},
    time::{Timestamp, days},
};

use crate::{
    Stripe, customer, delivery,
    error::Attempt,
    form::Form,
    schedule, snapshot,
    wire::{self, ListedEvent},
};

const SUBSCRIPTIONS: &str = "list subscriptions";
const CUSTOMERS: &str = "list customers";

/// How long events are relied on: a day less than Stripe keeps them, because a run takes its time.
const EVENTS_ARE_KEPT: Duration = days(29);

/// The events that tell of a changed subscription, at most 20. Those of invoices are the ones that change what is owed
/// without changing the subscription.
pub(crate) const SUBSCRIPTION_EVENTS: [&str; 16] = [
    "customer.subscription.created",
    "customer.subscription.updated",
    "customer.subscription.deleted",
    "customer.subscription.paused",
    "customer.subscription.resumed",
    "customer.subscription.pending_update_applied",
    "customer.subscription.pending_update_expired",
    "subscription_schedule.updated",
    "subscription_schedule.released",
    "subscription_schedule.canceled",
    "subscription_schedule.completed",
    "subscription_schedule.aborted",
    "invoice.payment_failed",
    "invoice.paid",
    "invoice.voided",
    "invoice.marked_uncollectible",
];

const DELETED: &str = "customer.deleted";
pub(crate) const CUSTOMER_EVENTS: [&str; 3] = ["customer.created", "customer.updated", DELETED];

/// Where a list goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place<'a> {
    /// Behind this row of everything.
    All(Option<&'a str>),
    /// Behind this event.
    Events(Option<&'a str>),
    /// Behind this event of a deletion.
    Deleted(Option<&'a str>),
}

impl<'a> Place<'a> {
    /// The place that a page names, or the beginning: among the events, where they reach back far enough.
    fn of(
        operation: &'static str,
        page: Option<&'a str>,
        since: Option<Timestamp>,
        now: Option<Timestamp>,
    ) -> Result<Self, ProviderError> {
        let Some(page) = page.filter(|page| !page.is_empty()) else {
            let recent = since.zip(now).is_some_and(|(since, now)| now.since(since) < EVENTS_ARE_KEPT);
            return Ok(if recent { Self::Events(None) } else { Self::All(None) });
        };
        let (kind, id) = page.split_once(':').unwrap_or_default();
        let id = Some(id).filter(|id| !id.is_empty());
        match kind {
            "all" => Ok(Self::All(id)),
            "events" => Ok(Self::Events(id)),
            "deleted" => Ok(Self::Deleted(id)),
            _ => Err(Attempt::read(operation).error(ErrorKind::Rejected, "this is not a page of this list")),
        }
    }
}

impl Stripe {
    /// A page of everything, told as far as a row tells it; or of what changed, read one by one.
    pub(crate) async fn list_subscriptions(
        &self,
        since: Option<Timestamp>,
        page: Option<&str>,
    ) -> Result<Page<Listed>, ProviderError> {
        match Place::of(SUBSCRIPTIONS, page, since, self.now())? {
            Place::All(after) => {
                let filter = Form::new().set("status", "all");
                let (rows, next): (Vec<wire::Subscription>, _) =
                    self.page(SUBSCRIPTIONS, "/v1/subscriptions", &filter, after).await?;
                let rows = rows.iter().map(|row| self.listed(row)).collect();
                Ok(Page { rows, next: next.map(|id| format!("all:{id}")) })
            }
            Place::Events(after) | Place::Deleted(after) => {
                let (events, next) = self.events(SUBSCRIPTIONS, &SUBSCRIPTION_EVENTS, since, after).await?;
                let mut ids: Vec<ProviderSubscriptionId> = Vec::new();
                for event in &events {
                    match delivery::about(event) {
                        Subject::Subscription(id) if !ids.contains(&id) => ids.push(id),
                        _ => {}
                    }
                }
                let mut rows = Vec::with_capacity(ids.len());
                for id in ids {
                    rows.extend(self.subscription(&id).await?.map(|snapshot| Listed { snapshot, is_complete: true }));
                }
                Ok(Page { rows, next: next.map(|id| format!("events:{id}")) })
            }
        }
    }

    fn listed(&self, row: &wire::Subscription) -> Listed {
        let is_complete = !snapshot::has_dues(row) && !row.items.has_more && schedule::attached(row).is_none();
        Listed { snapshot: snapshot::snapshot(row, None, self.now()), is_complete }
    }

    /// A page of everything, then of what was deleted lately; or of what changed, read one by one.
    pub(crate) async fn list_customers(
        &self,
        since: Option<Timestamp>,
        page: Option<&str>,
    ) -> Result<Page<CustomerRecord>, ProviderError> {
        match Place::of(CUSTOMERS, page, since, self.now())? {
            Place::All(after) => {
                let (rows, next): (Vec<wire::Customer>, _) =
                    self.page(CUSTOMERS, "/v1/customers", &Form::new(), after).await?;
                let next = next.map_or_else(|| "deleted:".to_owned(), |id| format!("all:{id}"));
                Ok(Page { rows: rows.into_iter().map(customer::record).collect(), next: Some(next) })
            }
            Place::Deleted(after) => {
                let (events, next) = self.events(CUSTOMERS, &[DELETED], None, after).await?;
                let rows = events.iter().filter_map(deleted).collect();
                Ok(Page { rows, next: next.map(|id| format!("deleted:{id}")) })
            }
            Place::Events(after) => {
                let (events, next) = self.events(CUSTOMERS, &CUSTOMER_EVENTS, since, after).await?;
                let mut rows: Vec<CustomerRecord> = Vec::new();
                for event in &events {
                    let Subject::Customer(id) = delivery::about(event) else { continue };
                    if rows.iter().any(|row| row.id == id) {
                        continue;
                    }
                    match deleted(event) {
                        // That is how it stays: nobody needs to be asked.
                        Some(record) => rows.push(record),
                        None => rows.extend(self.customer(&id).await?),
                    }
                }
                Ok(Page { rows, next: next.map(|id| format!("events:{id}")) })
            }
        }
    }

    /// A page of events, newest first.
    async fn events(
        &self,
        operation: &'static str,
        types: &[&str],
        since: Option<Timestamp>,
        after: Option<&str>,
    ) -> Result<(Vec<ListedEvent>, Option<String>), ProviderError> {
        let since = since.map(|since| since.as_unix_seconds().max(0));
        let filter = Form::new().list("types", types).set_some("created[gte]", since);
        self.page(operation, "/v1/events", &filter, after).await
    }

    /// The customer that names an organization, of those that were made since: the first of several. Deleted ones are in
    /// no list.
    pub(crate) async fn customer_of(
        &self,
        organization: &str,
        not_before: Timestamp,
    ) -> Result<Option<CustomerRecord>, ProviderError> {
        let filter = Form::new().set("created[gte]", not_before.as_unix_seconds().max(0));
        let rows: Vec<wire::Customer> = self.list("find customer", "/v1/customers", &filter).await?;
        let ours =
            rows.into_iter().filter(|row| !row.deleted && row.metadata.text("organizationId") == Some(organization));
        Ok(ours.min_by_key(|row| row.created).map(customer::record))
    }
}

/// The customer whose deletion an event tells.
fn deleted(event: &ListedEvent) -> Option<CustomerRecord> {
    let customer = event.customer().filter(|_| event.event_type == DELETED)?;
    Some(CustomerRecord { deleted: true, ..customer::record(customer) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_begins_among_the_events_only_where_they_reach_back() {
        let at = |day: i64| Some(Timestamp::from_unix_seconds(day * 86_400));
        let begin = |since, now| Place::of(SUBSCRIPTIONS, None, since, now).unwrap();
        assert_eq!(begin(None, at(100)), Place::All(None));
        assert_eq!(begin(at(99), at(100)), Place::Events(None));
        assert_eq!(begin(at(72), at(100)), Place::Events(None));
        assert_eq!(begin(at(71), at(100)), Place::All(None));
        assert_eq!(begin(at(99), None), Place::All(None), "without a clock nobody knows");
    }

    #[test]
    fn a_list_goes_on_where_it_was() {
        let place = |page| Place::of(CUSTOMERS, Some(page), None, None);
        assert_eq!(place("all:cus_1").unwrap(), Place::All(Some("cus_1")));
        assert_eq!(place("events:evt_1").unwrap(), Place::Events(Some("evt_1")));
        assert_eq!(place("deleted:").unwrap(), Place::Deleted(None));
        assert_eq!(place("").unwrap(), Place::All(None));
        for page in ["cus_1", ":", "other:1"] {
            assert_eq!(place(page).unwrap_err().kind, ErrorKind::Rejected, "{page}");
        }
    }

    #[test]
    fn one_question_names_no_more_events_than_stripe_takes() {
        assert!(SUBSCRIPTION_EVENTS.len() <= 20);
    }
}
