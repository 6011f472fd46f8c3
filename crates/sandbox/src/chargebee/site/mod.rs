//! The state of a Chargebee site and its rules. Time and causes are parameters; nothing here waits or sends.

pub(crate) mod basket;
pub(crate) mod cards;
pub(crate) mod catalog;
pub(crate) mod changes;
pub(crate) mod checkout;
pub(crate) mod collection;
pub(crate) mod creation;
pub(crate) mod credits;
pub(crate) mod customers;
pub(crate) mod downloads;
pub(crate) mod dues;
pub(crate) mod ending;
pub(crate) mod model;
pub(crate) mod news;
mod once;
pub(crate) mod pauses;
pub(crate) mod portal;
mod proration;
#[cfg(test)]
mod random_walk;
pub(crate) mod rehearsal;
pub(crate) mod table;
pub(crate) mod terms;

use std::collections::BTreeSet;

use serde_json::Value;

use super::refusal::Refusal;
use crate::config::ChargebeeAccount;
use crate::ids::Ids;
use crate::moment::Moment;
use catalog::Catalog;
use model::{CreditNote, Customer, Event, HostedPage, Invoice, PortalSession, Status, Subscription, Transaction};
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

/// The numbers of documents that were given out.
#[derive(Debug, Clone, Copy, Default)]
struct Numbers {
    invoice: usize,
    credit_note: usize,
}

/// Everything one Chargebee site holds.
#[derive(Debug)]
pub(crate) struct Site {
    pub(crate) gateway_account_id: String,
    /// Whether a subscription is cancelled once dunning has given up its invoice; by default it stays.
    pub(crate) cancels_unpaid: bool,
    /// Where hosted pages and the portal are, without a trailing slash.
    pub(crate) base_url: String,
    pub(crate) ids: Ids,
    pub(crate) catalog: Catalog,
    pub(crate) customers: Table<Customer>,
    pub(crate) subscriptions: Table<Subscription>,
    pub(crate) invoices: Table<Invoice>,
    pub(crate) credit_notes: Table<CreditNote>,
    pub(crate) transactions: Table<Transaction>,
    pub(crate) hosted_pages: Table<HostedPage>,
    pub(crate) portal_sessions: Table<PortalSession>,
    downloads: Vec<downloads::Download>,
    pub(crate) events: Table<Event>,
    numbers: Numbers,
    /// A copy in which something is tried out: no card is asked.
    is_rehearsal: bool,
    /// No event is recorded.
    is_quiet: bool,
    /// Due instants. An entry is a hint: the record itself says whether something is due.
    agenda: BTreeSet<(i64, Subject)>,
    /// Positions of events that have not been handed to the deliveries.
    fresh_events: Vec<usize>,
}

impl Site {
    /// The site of an account.
    pub(crate) fn for_account(base_url: &str, account: &ChargebeeAccount, ids: Ids, now: Moment) -> Self {
        let mut site = Self::new(base_url, &account.gateway_account_id, ids, now);
        site.cancels_unpaid = account.cancels_unpaid;
        site
    }

    /// A site with the demo's catalog.
    pub(crate) fn new(base_url: &str, gateway_account_id: &str, ids: Ids, now: Moment) -> Self {
        let mut site = Self::empty(base_url, gateway_account_id, ids);
        site.catalog = Catalog::demo(now.secs());
        site
    }

    fn empty(base_url: &str, gateway_account_id: &str, ids: Ids) -> Self {
        Self {
            gateway_account_id: gateway_account_id.to_owned(),
            cancels_unpaid: false,
            base_url: base_url.to_owned(),
            ids,
            catalog: Catalog::default(),
            customers: Table::default(),
            subscriptions: Table::default(),
            invoices: Table::default(),
            credit_notes: Table::default(),
            transactions: Table::default(),
            hosted_pages: Table::default(),
            portal_sessions: Table::default(),
            downloads: Vec::new(),
            events: Table::default(),
            numbers: Numbers::default(),
            is_rehearsal: false,
            is_quiet: false,
            agenda: BTreeSet::new(),
            fresh_events: Vec::new(),
        }
    }

    /// The earliest instant at which something may be due, in Unix seconds.
    pub(crate) fn next_due(&self) -> Option<i64> {
        self.agenda.first().map(|(at, _)| *at)
    }

    /// Does everything that is due by now, each at its instant and in their order.
    pub(crate) fn act_due(&mut self, now: Moment) {
        while let Some(&(at, subject)) = self.agenda.first() {
            if at > now.secs() {
                break;
            }
            self.agenda.remove(&(at, subject));
            let act = Act::new(Moment::from_secs(at), Cause::Schedule);
            match subject {
                Subject::Subscription(position) => {
                    if self.subscriptions[position].due_at() == Some(at) {
                        self.advance_subscription(position, act);
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

    pub(crate) fn touch_customer(&mut self, position: usize, now: Moment) {
        self.customers.touch(position, now);
    }

    pub(crate) fn touch_subscription(&mut self, position: usize, now: Moment) {
        self.subscriptions.touch(position, now);
        self.plan(Subject::Subscription(position), self.subscriptions[position].due_at());
    }

    pub(crate) fn touch_invoice(&mut self, position: usize, now: Moment) {
        self.invoices.touch(position, now);
        self.plan(Subject::Invoice(position), self.invoices[position].next_retry_at);
    }

    pub(crate) fn touch_page(&mut self, position: usize, now: Moment) {
        self.hosted_pages.touch(position, now);
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
}

fn organization_in(meta_data: Option<&Value>) -> Option<String> {
    meta_data?.get("organizationId")?.as_str().map(str::to_owned)
}

impl Subscription {
    /// When it is charged next, if that is planned.
    pub(crate) fn next_billing_at(&self) -> Option<i64> {
        match self.status {
            _ if self.scheduled_cancel.is_some() => None,
            Status::Future => self.start_date,
            Status::InTrial => self.trial_end,
            Status::Active => self.term.map(|term| term.end),
            Status::NonRenewing | Status::Paused | Status::Cancelled => None,
        }
    }

    /// The next instant at which this subscription moves by itself, in Unix seconds.
    pub(crate) fn due_at(&self) -> Option<i64> {
        if self.deleted {
            return None;
        }
        let change = self.scheduled_change.as_ref().map(|change| change.at);
        let cancel = self.scheduled_cancel.as_ref().map(|cancel| cancel.at);
        let term_end = self.term.map(|term| term.end);
        let candidates = match self.status {
            Status::Future => [self.start_date, None, None, None],
            Status::InTrial => [self.trial_end, change, cancel, self.trial_reminder_at],
            Status::Active => [term_end, change, self.pause_date, None],
            // A date of its own may be terms away.
            Status::NonRenewing => [term_end, cancel, None, None],
            Status::Paused => [self.resume_date, None, None, None],
            Status::Cancelled => [None; 4],
        };
        candidates.into_iter().flatten().min()
    }
}
