//! The state of a Chargebee site and its rules. Time and causes are parameters; nothing here waits or sends.

pub(crate) mod cards;
pub(crate) mod catalog;
pub(crate) mod changes;
pub(crate) mod checkout;
pub(crate) mod collection;
pub(crate) mod creation;
pub(crate) mod customers;
pub(crate) mod ending;
pub(crate) mod model;
pub(crate) mod pauses;
pub(crate) mod portal;
#[cfg(test)]
mod random_walk;
pub(crate) mod table;
pub(crate) mod terms;

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::{Map, Value};

use super::refusal::Refusal;
use super::render;
use crate::ids::Ids;
use crate::moment::Moment;
use catalog::Catalog;
use model::{Customer, Event, HostedPage, Invoice, PortalSession, Stamp, Status, Subscription, Transaction};
use table::Table;

/// The result of a rule: done, or what Chargebee answers instead.
pub(crate) type Outcome<T> = Result<T, Refusal>;

/// Who makes something happen: the `source` and `user` of the events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cause {
    Api,
    HostedPage,
    Portal,
    Schedule,
    Dashboard,
}

impl Cause {
    pub(crate) fn source(self) -> &'static str {
        match self {
            Cause::Api => "api",
            Cause::HostedPage => "hosted_page",
            Cause::Portal => "portal",
            Cause::Schedule => "scheduled_job",
            Cause::Dashboard => "admin_console",
        }
    }

    fn user(self) -> Option<String> {
        match self {
            Cause::Api => Some("full_access_key_v1".into()),
            Cause::Dashboard => Some("operator@sandbox.invalid".into()),
            Cause::HostedPage | Cause::Portal | Cause::Schedule => None,
        }
    }
}

/// When and why something happens.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Act {
    pub(crate) now: Moment,
    pub(crate) cause: Cause,
}

impl Act {
    pub(crate) fn new(now: Moment, cause: Cause) -> Self {
        Self { now, cause }
    }

    pub(crate) fn secs(self) -> i64 {
        self.now.secs()
    }
}

/// What an entry of the agenda is about, by position in its table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Subject {
    Subscription(usize),
    Invoice(usize),
    HostedPage(usize),
}

/// Everything one Chargebee site holds.
#[derive(Debug)]
pub(crate) struct Site {
    pub(crate) gateway_account_id: String,
    /// Where hosted pages and the portal are, without a trailing slash.
    pub(crate) base_url: String,
    pub(crate) ids: Ids,
    pub(crate) catalog: Catalog,
    pub(crate) customers: Table<Customer>,
    pub(crate) subscriptions: Table<Subscription>,
    pub(crate) invoices: Table<Invoice>,
    pub(crate) transactions: Table<Transaction>,
    pub(crate) hosted_pages: Table<HostedPage>,
    pub(crate) portal_sessions: Table<PortalSession>,
    pub(crate) events: Table<Event>,
    /// Due instants. An entry is a hint: the record itself says whether something is due.
    agenda: BTreeSet<(i64, Subject)>,
    /// Positions of events that have not been handed to the deliveries.
    fresh_events: Vec<usize>,
}

impl Site {
    pub(crate) fn new(base_url: &str, gateway_account_id: &str, ids: Ids, now: Moment) -> Self {
        Self {
            gateway_account_id: gateway_account_id.to_owned(),
            base_url: base_url.to_owned(),
            ids,
            catalog: Catalog::demo(now.secs()),
            customers: Table::default(),
            subscriptions: Table::default(),
            invoices: Table::default(),
            transactions: Table::default(),
            hosted_pages: Table::default(),
            portal_sessions: Table::default(),
            events: Table::default(),
            agenda: BTreeSet::new(),
            fresh_events: Vec::new(),
        }
    }

    /// The earliest instant at which something may be due, in Unix seconds.
    pub(crate) fn next_due(&self) -> Option<i64> {
        self.agenda.first().map(|(at, _)| *at)
    }

    /// Does everything that is due by now, in the order of the due instants.
    pub(crate) fn act_due(&mut self, now: Moment) {
        while let Some(&(at, subject)) = self.agenda.first() {
            if at > now.secs() {
                break;
            }
            self.agenda.remove(&(at, subject));
            let act = Act::new(now, Cause::Schedule);
            match subject {
                Subject::Subscription(position) => {
                    if self.subscriptions[position].due_at() == Some(at) {
                        self.advance_subscription(position, at, act);
                        self.plan(Subject::Subscription(position), self.subscriptions[position].due_at());
                    }
                }
                Subject::Invoice(position) => {
                    if self.invoices[position].next_retry_at == Some(at) {
                        self.retry_collection(position, act);
                    }
                }
                // Nothing happens to a page that expires; the instant is one at which others may look.
                Subject::HostedPage(_) => {}
            }
        }
    }

    fn plan(&mut self, subject: Subject, due_at: Option<i64>) {
        if let Some(at) = due_at {
            self.agenda.insert((at, subject));
        }
    }

    /// The next stamp after `previous`, so that a version grows even within one millisecond.
    fn next_stamp(previous: Stamp, now: Moment) -> Stamp {
        Stamp { updated_at: now.secs(), resource_version: now.millis().max(previous.resource_version + 1) }
    }

    pub(crate) fn touch_customer(&mut self, position: usize, now: Moment) {
        let customer = &mut self.customers[position];
        customer.stamp = Self::next_stamp(customer.stamp, now);
    }

    pub(crate) fn touch_subscription(&mut self, position: usize, now: Moment) {
        let subscription = &mut self.subscriptions[position];
        subscription.stamp = Self::next_stamp(subscription.stamp, now);
        let due_at = subscription.due_at();
        self.plan(Subject::Subscription(position), due_at);
    }

    pub(crate) fn touch_invoice(&mut self, position: usize, now: Moment) {
        let invoice = &mut self.invoices[position];
        invoice.stamp = Self::next_stamp(invoice.stamp, now);
        let retry_at = invoice.next_retry_at;
        self.plan(Subject::Invoice(position), retry_at);
    }

    pub(crate) fn touch_page(&mut self, position: usize, now: Moment) {
        let page = &mut self.hosted_pages[position];
        page.stamp = Self::next_stamp(page.stamp, now);
    }

    /// The position of a customer that was not deleted.
    pub(crate) fn live_customer(&self, id: &str) -> Outcome<usize> {
        self.customers
            .position(id)
            .filter(|position| !self.customers[*position].deleted)
            .ok_or_else(|| Refusal::not_found("customer_id", id))
    }

    /// The position of a subscription that was not deleted.
    pub(crate) fn live_subscription(&self, id: &str) -> Outcome<usize> {
        self.subscriptions
            .position(id)
            .filter(|position| !self.subscriptions[*position].deleted)
            .ok_or_else(|| Refusal::not_found("subscription_id", id))
    }

    pub(crate) fn customer_of(&self, subscription: usize) -> usize {
        self.customers
            .position(&self.subscriptions[subscription].customer_id)
            .expect("a subscription is made for a customer, and customers keep their rows")
    }

    /// The organization that a customer's metadata names.
    pub(crate) fn organization_of_customer(&self, id: &str) -> Option<String> {
        organization_in(self.customers.get(id)?.meta_data.as_ref())
    }

    /// The organization that a subscription's metadata names, else its customer's.
    pub(crate) fn organization_of_subscription(&self, subscription: &Subscription) -> Option<String> {
        organization_in(subscription.meta_data.as_ref())
            .or_else(|| self.organization_of_customer(&subscription.customer_id))
    }

    /// Records an event. `content` holds the resources as they are now.
    pub(crate) fn emit(&mut self, event_type: &'static str, content: Map<String, Value>, act: Act) {
        let organization_id = content
            .get("subscription")
            .and_then(|subscription| organization_in(subscription.get("meta_data")))
            .or_else(|| content.get("customer").and_then(|customer| organization_in(customer.get("meta_data"))))
            .or_else(|| {
                let owner = content.values().find_map(|resource| resource.get("customer_id")?.as_str())?;
                self.organization_of_customer(owner)
            });
        let content = serde_json::value::to_raw_value(&content).expect("a map of values is always JSON");
        let id = self.ids.alphanumeric("ev_", 17);
        let position = self.events.insert(Event {
            id,
            occurred_at: act.secs(),
            source: act.cause.source(),
            user: act.cause.user(),
            event_type,
            content: Arc::from(content),
            organization_id,
            webhook_status: "not_configured",
        });
        self.fresh_events.push(position);
    }

    /// Events since the last call, by position.
    pub(crate) fn take_fresh_events(&mut self) -> Vec<usize> {
        std::mem::take(&mut self.fresh_events)
    }

    /// Records an event about a subscription: it, its customer, and an invoice if one was raised.
    pub(crate) fn emit_subscription(&mut self, event: &'static str, position: usize, invoice: Option<usize>, act: Act) {
        let mut content = Map::new();
        content.insert("subscription".into(), render::subscription(self, position));
        content.insert("customer".into(), render::customer(self, self.customer_of(position)));
        if let Some(invoice) = invoice {
            content.insert("invoice".into(), render::invoice(self, invoice));
        }
        self.emit(event, content, act);
    }

    pub(crate) fn emit_invoice(&mut self, event: &'static str, invoice: usize, act: Act) {
        let content = Map::from_iter([("invoice".to_owned(), render::invoice(self, invoice))]);
        self.emit(event, content, act);
    }

    pub(crate) fn emit_customer(&mut self, event: &'static str, customer: usize, act: Act) {
        let content = Map::from_iter([("customer".to_owned(), render::customer(self, customer))]);
        self.emit(event, content, act);
    }
}

fn organization_in(meta_data: Option<&Value>) -> Option<String> {
    meta_data?.get("organizationId")?.as_str().map(str::to_owned)
}

impl Subscription {
    /// The next instant at which this subscription moves by itself, in Unix seconds.
    pub(crate) fn due_at(&self) -> Option<i64> {
        if self.deleted {
            return None;
        }
        let change = self.scheduled_change.as_ref().map(|change| change.at);
        let cancel = self.scheduled_cancel.as_ref().map(|cancel| cancel.at);
        let candidates = match self.status {
            Status::Future => [self.start_date, None, None, None],
            Status::InTrial => [self.trial_end, change, cancel, None],
            Status::Active => [self.term.map(|term| term.end), change, self.pause_date, None],
            Status::NonRenewing => [cancel, None, None, None],
            Status::Paused => [self.resume_date, None, None, None],
            Status::Cancelled => [None; 4],
        };
        candidates.into_iter().flatten().min()
    }
}
