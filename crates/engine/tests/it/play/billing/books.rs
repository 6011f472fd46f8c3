//! What the played provider has written down, and what follows when it changes.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};

use tollkeeper_core::{
    ids::{EventId, PriceId, ProviderCustomerId, ProviderSubscriptionId},
    money::Currency,
    ports::{
        ChangeRequest, ChangeWhen, CheckoutPage, CheckoutRequest, CheckoutState, CustomerRecord, ErrorKind,
        HostedChange, Invoice, NextInvoice, PaymentRequest, ProviderError, Quote, QuoteLine,
    },
    snapshot::{Item, ItemType, Phase, ScheduledItems, Snapshot},
    subscription::CheckoutItem,
    time::Timestamp,
};

use super::{Outcome, PERIOD, failure};

#[derive(Default)]
pub(super) struct Books {
    pub(super) calls: Vec<(&'static str, String)>,
    pub(super) script: HashMap<&'static str, VecDeque<Outcome>>,
    pub(super) down: Option<ErrorKind>,
    pub(super) refused: HashMap<String, ErrorKind>,
    pub(super) strangers: usize,
    pub(super) customers: BTreeMap<ProviderCustomerId, CustomerRecord>,
    /// Whether the ids of subscriptions are the provider's alone.
    pub(super) proposes_nothing: bool,
    /// Whether the provider chooses the ids of customers; then a key that comes again is answered with what it made.
    pub(super) names_customers: bool,
    pub(super) keys: BTreeMap<String, ProviderCustomerId>,
    pub(super) pages: BTreeMap<String, (CheckoutPage, CheckoutRequest)>,
    pub(super) payments: Vec<PaymentRequest>,
    /// Newest first.
    pub(super) invoices: Vec<Invoice>,
    /// Whether a list of invoices has those of others too.
    pub(super) mixes_invoices: bool,
    pub(super) hosted: BTreeMap<String, (CheckoutPage, HostedChange)>,
    pub(super) subscriptions: BTreeMap<ProviderSubscriptionId, Snapshot>,
    /// When what has this id last changed.
    pub(super) touched: HashMap<String, Timestamp>,
    /// Minor units for one, in a currency; what is not here costs 1000.
    pub(super) prices: HashMap<(PriceId, Currency), i64>,
    pub(super) changes: Vec<(ProviderSubscriptionId, ChangeRequest)>,
    pub(super) charges: Vec<(ProviderSubscriptionId, i64)>,
    pub(super) credited: Vec<ProviderSubscriptionId>,
    /// Until when a pause was asked for.
    pub(super) resumptions: HashMap<ProviderSubscriptionId, Option<Timestamp>>,
    pub(super) contents: HashMap<EventId, Snapshot>,
    pub(super) poison: HashSet<EventId>,
}

impl Books {
    /// Changes a subscription, which gives it a new version.
    pub(super) fn edit(
        &mut self,
        id: &ProviderSubscriptionId,
        now: Timestamp,
        change: impl FnOnce(&mut Snapshot),
    ) -> Option<Snapshot> {
        let snapshot = self.subscriptions.get_mut(id)?;
        change(snapshot);
        snapshot.version = snapshot.version.map(|version| version + 1);
        self.touched.insert(id.to_string(), now);
        Some(snapshot.clone())
    }

    pub(super) fn running(&self, what: &'static str, id: &ProviderSubscriptionId) -> Result<&Snapshot, ProviderError> {
        let snapshot = self.subscriptions.get(id).ok_or_else(|| failure(what, ErrorKind::NotFound, None))?;
        match snapshot.phase {
            Phase::Ended | Phase::Paused => Err(failure(what, ErrorKind::Conflict, None)),
            _ => Ok(snapshot),
        }
    }

    pub(super) fn line(&self, wanted: &CheckoutItem, currency: Currency) -> Item {
        let unit_price = self.prices.get(&(wanted.price_id.clone(), currency)).copied().unwrap_or(1_000);
        Item {
            item_price_id: wanted.price_id.clone(),
            item_type: wanted.item_type,
            quantity: wanted.quantity,
            unit_price: Some(unit_price),
            amount: Some(unit_price * wanted.quantity),
            currency: Some(currency),
        }
    }

    pub(super) fn lines(&self, wanted: &[CheckoutItem], currency: Currency) -> Vec<Item> {
        wanted.iter().map(|line| self.line(line, currency)).collect()
    }

    /// What a change costs now: the rest of the period of the new lines, less that of the old ones.
    pub(super) fn quote(&self, snapshot: &Snapshot, change: &ChangeRequest, now: Timestamp) -> Quote {
        let total = |lines: &[Item]| lines.iter().filter_map(|line| line.amount).sum::<i64>();
        let currency = snapshot.currency.unwrap();
        let lines = self.lines(&change.items, currency);
        let left = snapshot
            .period_end
            .filter(|_| snapshot.phase != Phase::Trialing)
            .map_or(0, |end| i64::try_from(end.since(now).as_secs()).unwrap());
        let period = i64::try_from(PERIOD.as_secs()).unwrap();
        let share = |amount: i64| amount * left / period;
        let at_once = change.when == ChangeWhen::Now;
        let net = if at_once { share(total(&lines)) - share(total(&snapshot.items)) } else { 0 };
        Quote {
            currency,
            amount_due: net.max(0),
            credit: (-net).max(0),
            lines: if at_once {
                vec![QuoteLine {
                    description: "the rest of the period".into(),
                    amount: net,
                    proration: true,
                    period_start: Some(now),
                    period_end: snapshot.period_end,
                }]
            } else {
                Vec::new()
            },
            next_invoice: (!at_once)
                .then(|| NextInvoice { at: snapshot.trial_end.or(snapshot.period_end), amount: total(&lines) }),
            proration_date: now,
        }
    }

    /// Makes a change. What was scheduled before is gone, whatever it was.
    pub(super) fn make(
        &mut self,
        id: &ProviderSubscriptionId,
        change: &ChangeRequest,
        now: Timestamp,
    ) -> Result<(Snapshot, i64), ProviderError> {
        let snapshot = self.running("change", id)?.clone();
        let due = self.quote(&snapshot, change, now).amount_due;
        let items = self.lines(&change.items, snapshot.currency.unwrap());
        self.changes.push((id.clone(), change.clone()));
        let after = self.edit(id, now, |it| {
            it.scheduled = None;
            match change.when {
                ChangeWhen::Now => it.items = items,
                ChangeWhen::PeriodEnd => it.scheduled = Some(scheduled(it, items, now)),
            }
        });
        if due > 0 {
            self.charges.push((id.clone(), due));
        }
        Ok((after.unwrap(), due))
    }
}

fn scheduled(it: &Snapshot, items: Vec<Item>, now: Timestamp) -> ScheduledItems {
    let plan = items.iter().find(|item| item.item_type == ItemType::Plan);
    let price_id = plan.map(|item| item.item_price_id.clone());
    let current = it.plan_item().map(|item| item.item_price_id.clone());
    ScheduledItems {
        seats: plan.map(|item| item.quantity),
        price_id: price_id.filter(|price| Some(price) != current.as_ref()),
        at: it.trial_end.filter(|end| *end > now).or(it.period_end).unwrap(),
        items,
    }
}

/// Ends a subscription, if it has not ended.
pub(super) fn end(snapshot: &mut Snapshot, now: Timestamp) {
    if snapshot.phase != Phase::Ended {
        snapshot.phase = Phase::Ended;
        snapshot.provider_status = "cancelled".into();
        (snapshot.cancel_at, snapshot.ended_at) = (None, Some(now));
        (snapshot.scheduled, snapshot.pause_at) = (None, None);
        snapshot.version = snapshot.version.map(|version| version + 1);
    }
}

/// A page whose time is over cannot be paid.
pub(super) fn aged(page: &CheckoutPage, now: Timestamp) -> CheckoutPage {
    let dead = page.state == CheckoutState::Open && page.expires_at <= now;
    CheckoutPage { state: if dead { CheckoutState::Dead } else { page.state }, ..page.clone() }
}
