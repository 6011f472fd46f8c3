//! The state of a Stripe account and its rules. Time and causes are parameters; nothing here waits or sends.
//!
//! Some customers live in the time of a test clock; everything else lives in the sandbox's business time. A rule that
//! is about a customer asks [`Account::act_for`] for the time it happens at.

pub(crate) mod calendar;
pub(crate) mod cards;
pub(crate) mod catalog;
pub(crate) mod changes;
pub(crate) mod checkout;
pub(crate) mod clocks;
pub(crate) mod collection;
mod completion;
pub(crate) mod creation;
mod currencies;
pub(crate) mod customers;
pub(crate) mod cycle;
pub(crate) mod dunning;
pub(crate) mod ending;
pub(crate) mod intents;
pub(crate) mod invoicing;
mod manual;
pub(crate) mod meter_errors;
pub(crate) mod meters;
pub(crate) mod model;
pub(crate) mod news;
pub(crate) mod pauses;
pub(crate) mod portal;
pub(crate) mod preview;
mod proration;
#[cfg(test)]
mod random_walk;
mod rebilling;
pub(crate) mod refusal;
pub(crate) mod rehearsal;
pub(crate) mod schedules;
mod settlement;
mod terms;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use crate::chargebee::site::table::Table;
use crate::ids::Ids;
use crate::moment::Moment;
use model::{
    CheckoutSession, Customer, Event, Invoice, InvoiceItem, InvoicePayment, Meter, MeterEvent, PaymentIntent,
    PaymentMethod, PortalConfiguration, PortalSession, Price, Product, RequestRef, Schedule, SetupIntent, Subscription,
    TestClock, ThinEvent,
};
use refusal::Refusal;

/// The result of a rule: done, or what Stripe answers instead.
pub(crate) type Outcome<T> = Result<T, Refusal>;

/// Who makes something happen. Only what the API does carries a request in its events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cause {
    Api,
    Checkout,
    Portal,
    Schedule,
    Dashboard,
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

/// A record, by its position in its table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Object {
    Customer(usize),
    Product(usize),
    Price(usize),
    Subscription(usize),
    Schedule(usize),
    Invoice(usize),
    InvoiceItem(usize),
    InvoicePayment(usize),
    PaymentIntent(usize),
    SetupIntent(usize),
    PaymentMethod(usize),
    CheckoutSession(usize),
    PortalSession(usize),
    PortalConfiguration(usize),
    TestClock(usize),
    Meter(usize),
}

/// What an entry of an agenda is about, by position in its table.
///
/// Within one instant the order is that of the variants: a phase begins before the renewal that bills for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Subject {
    TestClock(usize),
    CheckoutSession(usize),
    PaymentIntent(usize),
    Schedule(usize),
    Invoice(usize),
    Subscription(usize),
}

/// What becomes of a subscription once the retries of its payment are over.
///
/// Source: Stripe docs, "Automate payment retries".
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum AfterDunning {
    #[default]
    Cancel,
    MarkUnpaid,
    LeavePastDue,
}

/// What a person sets for the account.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    /// `acct_…`
    pub(crate) account_id: String,
    pub(crate) after_dunning: AfterDunning,
}

/// Everything one Stripe account holds.
#[derive(Debug)]
pub(crate) struct Account {
    pub(crate) settings: Settings,
    /// Where hosted pages are, without a trailing slash.
    pub(crate) base_url: String,
    pub(crate) ids: Ids,
    pub(crate) customers: Table<Customer>,
    pub(crate) products: Table<Product>,
    pub(crate) prices: Table<Price>,
    pub(crate) subscriptions: Table<Subscription>,
    pub(crate) schedules: Table<Schedule>,
    pub(crate) invoices: Table<Invoice>,
    pub(crate) invoice_items: Table<InvoiceItem>,
    pub(crate) invoice_payments: Table<InvoicePayment>,
    pub(crate) payment_intents: Table<PaymentIntent>,
    pub(crate) setup_intents: Table<SetupIntent>,
    pub(crate) payment_methods: Table<PaymentMethod>,
    pub(crate) checkout_sessions: Table<CheckoutSession>,
    pub(crate) portal_sessions: Table<PortalSession>,
    pub(crate) portal_configurations: Table<PortalConfiguration>,
    pub(crate) test_clocks: Table<TestClock>,
    pub(crate) meters: Table<Meter>,
    pub(crate) meter_events: Vec<MeterEvent>,
    pub(crate) events: Table<Event>,
    pub(crate) thin_events: Table<ThinEvent>,
    /// The request that is being answered. The HTTP layer sets it before a call and takes it back after.
    pub(crate) request: Option<RequestRef>,
    /// A copy in which something is tried out.
    rehearsal: Option<rehearsal::Rehearsal>,
    /// No event is recorded.
    is_quiet: bool,
    /// A change is tried that a failed payment takes back: it makes nothing past due.
    is_tentative: bool,
    /// The subscription that is being made: it is told of once, when it is.
    newborn: Option<usize>,
    /// Due instants: of the sandbox's time (`None`) and of each test clock's. An entry is a hint: the record itself
    /// says whether something is due.
    agendas: BTreeMap<Option<String>, BTreeSet<(i64, Subject)>>,
    /// Positions of events that have not been handed to the deliveries.
    fresh_events: Vec<usize>,
    /// The same of thin events.
    fresh_thin_events: Vec<usize>,
}

impl Account {
    /// An account with the demo's catalog and a default portal configuration.
    pub(crate) fn new(base_url: &str, settings: Settings, ids: Ids, now: Moment) -> Self {
        let mut account = Self::empty(base_url, settings, ids);
        account.stock(now.secs());
        account
    }

    fn empty(base_url: &str, settings: Settings, ids: Ids) -> Self {
        Self {
            settings,
            base_url: base_url.to_owned(),
            ids,
            customers: Table::default(),
            products: Table::default(),
            prices: Table::default(),
            subscriptions: Table::default(),
            schedules: Table::default(),
            invoices: Table::default(),
            invoice_items: Table::default(),
            invoice_payments: Table::default(),
            payment_intents: Table::default(),
            setup_intents: Table::default(),
            payment_methods: Table::default(),
            checkout_sessions: Table::default(),
            portal_sessions: Table::default(),
            portal_configurations: Table::default(),
            test_clocks: Table::default(),
            meters: Table::default(),
            meter_events: Vec::new(),
            events: Table::default(),
            thin_events: Table::default(),
            request: None,
            rehearsal: None,
            is_quiet: false,
            is_tentative: false,
            newborn: None,
            agendas: BTreeMap::new(),
            fresh_events: Vec::new(),
            fresh_thin_events: Vec::new(),
        }
    }

    /// The earliest instant at which something may be due in the sandbox's time, in Unix seconds.
    pub(crate) fn next_due(&self) -> Option<i64> {
        self.agendas.get(&None)?.first().map(|(at, _)| *at)
    }

    /// Does everything that is due by now in the sandbox's time, each at its instant and in their order.
    pub(crate) fn act_due(&mut self, now: Moment) {
        self.run_agenda(None, now.secs());
    }

    fn run_agenda(&mut self, clock: Option<&str>, until: i64) {
        let key = clock.map(str::to_owned);
        while let Some(&(at, subject)) = self.agendas.get(&key).and_then(BTreeSet::first) {
            if at > until {
                break;
            }
            if let Some(agenda) = self.agendas.get_mut(&key) {
                agenda.remove(&(at, subject));
            }
            self.act_on(subject, at);
        }
    }

    fn act_on(&mut self, subject: Subject, at: i64) {
        let act = Act::new(Moment::from_secs(at), Cause::Schedule);
        match subject {
            Subject::TestClock(position) => self.finish_advance(position, act),
            Subject::CheckoutSession(position) => self.expire_if_due(position, act),
            Subject::PaymentIntent(position) => {
                if self.payment_intents[position].settles_at == Some(at) {
                    self.settle_bank_payment(position, act);
                }
            }
            Subject::Schedule(position) => {
                if self.schedules[position].due_at() == Some(at) {
                    self.advance_schedule(position, act);
                    self.plan_schedule(position);
                }
            }
            Subject::Invoice(position) => {
                if self.invoices[position].due_at() == Some(at) {
                    self.advance_invoice(position, act);
                    self.plan_invoice(position);
                }
            }
            Subject::Subscription(position) => {
                if self.subscriptions[position].due_at() == Some(at) {
                    self.advance_subscription(position, act);
                    self.plan_subscription(position);
                }
            }
        }
    }

    /// Notes when something is due. Whatever is due at once waits for the next call of `act_due`.
    fn plan(&mut self, clock: Option<String>, subject: Subject, due_at: Option<i64>) {
        if let Some(at) = due_at {
            self.agendas.entry(clock).or_default().insert((at, subject));
        }
    }

    fn plan_subscription(&mut self, position: usize) {
        let row = &self.subscriptions[position];
        let (clock, due_at) = (self.clock_of(&row.customer), row.due_at());
        self.plan(clock, Subject::Subscription(position), due_at);
    }

    fn plan_schedule(&mut self, position: usize) {
        let row = &self.schedules[position];
        let (clock, due_at) = (self.clock_of(&row.customer), row.due_at());
        self.plan(clock, Subject::Schedule(position), due_at);
    }

    fn plan_invoice(&mut self, position: usize) {
        let row = &self.invoices[position];
        let (clock, due_at) = (self.clock_of(&row.customer), row.due_at());
        self.plan(clock, Subject::Invoice(position), due_at);
    }

    /// The clock a customer lives with; `None` is the sandbox's time.
    fn clock_of(&self, customer: &str) -> Option<String> {
        self.customers.get(customer)?.test_clock.clone()
    }

    /// The same act in the time the customer lives in.
    pub(crate) fn act_for(&self, customer: &str, act: Act) -> Act {
        let clock = self.customers.get(customer).and_then(|row| self.test_clocks.get(row.test_clock.as_deref()?));
        match clock {
            // What time does happens at its instant already.
            Some(clock) if act.cause != Cause::Schedule => Act::new(Moment::from_secs(clock.frozen_time), act.cause),
            _ => act,
        }
    }

    /// The position of a customer that was not deleted.
    pub(crate) fn live_customer(&self, id: &str) -> Outcome<usize> {
        self.customers
            .position(id)
            .filter(|position| !self.customers[*position].deleted)
            .ok_or_else(|| Refusal::no_such("customer", id))
    }

    pub(crate) fn live_subscription(&self, id: &str) -> Outcome<usize> {
        self.subscriptions.position(id).ok_or_else(|| Refusal::no_such("subscription", id))
    }

    /// The position of a subscription's customer, also of a deleted one.
    pub(crate) fn customer_of(&self, subscription: usize) -> usize {
        self.customers
            .position(&self.subscriptions[subscription].customer)
            .expect("a subscription is made for a customer, and customers keep their rows")
    }
}
