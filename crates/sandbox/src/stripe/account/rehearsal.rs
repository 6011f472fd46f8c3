//! Trying something out: a copy of what concerns one customer, with the same rules and its own time.
//!
//! A preview is what the action does in such a copy, and the next invoice is what time then does there. The rules are
//! those that charge, so that a preview cannot differ from them. Records name each other by id, so that the copy needs
//! no translation; only positions differ.

use super::Account;
#[cfg(test)]
use super::Subject;
use super::model::InvoiceStatus;
#[cfg(test)]
use crate::moment::Moment;

/// How payments go in a copy.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rehearsal {
    /// Every charge succeeds; else the methods do what they do.
    pub(super) always_pays: bool,
}

impl Account {
    /// A copy of the catalog and of one customer with what belongs to it. The customer has position 0 there. Nobody is
    /// told of what happens in it.
    pub(super) fn rehearse(&self, customer: Option<usize>, always_pays: bool) -> Account {
        let mut copy = Account::empty(&self.base_url, self.settings.clone(), self.ids.clone());
        copy.products = self.products.clone();
        copy.prices = self.prices.clone();
        copy.meters = self.meters.clone();
        copy.rehearsal = Some(Rehearsal { always_pays });
        copy.is_quiet = true;
        if let Some(customer) = customer {
            copy.copy_customer(self, customer);
        }
        copy
    }

    fn copy_customer(&mut self, from: &Account, customer: usize) {
        let row = &from.customers[customer];
        let id = row.id.clone();
        if let Some(clock) = row.test_clock.as_deref().and_then(|clock| from.test_clocks.get(clock)) {
            self.test_clocks.insert(clock.clone());
        }
        self.customers.insert(row.clone());
        for method in from.methods_of(customer) {
            self.payment_methods.insert(from.payment_methods[method].clone());
        }
        let usage = from.meter_events.iter().filter(|event| event.payload.values().any(|value| *value == id));
        self.meter_events.extend(usage.cloned());
        for item in from.invoice_items.linked("customer", &id) {
            self.invoice_items.insert(from.invoice_items[*item].clone());
        }
        for invoice in from.invoices.linked("customer", &id) {
            let mut row = from.invoices[*invoice].clone();
            if row.status == InvoiceStatus::Open {
                // Nothing is collected in a copy but what happens there.
                row.next_payment_attempt = None;
                row.dunning_ends_at = None;
                row.is_overdue = true;
            }
            for payment in &row.payments {
                if let Some(payment) = from.invoice_payments.get(payment) {
                    self.invoice_payments.insert(payment.clone());
                }
            }
            if let Some(intent) = row.payment_intent.as_deref().and_then(|id| from.payment_intents.get(id)) {
                self.payment_intents.insert(intent.clone());
            }
            let position = self.invoices.insert(row);
            self.plan_invoice(position);
        }
        for schedule in from.schedules.linked("customer", &id) {
            let position = self.schedules.insert(from.schedules[*schedule].clone());
            self.plan_schedule(position);
        }
        for subscription in from.subscriptions_of(customer) {
            let mut row = from.subscriptions[*subscription].clone();
            row.fail_next_payment &= !self.rehearsal.is_some_and(|rehearsal| rehearsal.always_pays);
            let position = self.subscriptions.insert(row);
            self.plan_subscription(position);
        }
    }

    /// Lets time pass until the subscription has another invoice, its position. Only for copies.
    pub(super) fn pass_to_next_invoice(&mut self, subscription: usize) -> Option<usize> {
        let id = self.subscriptions[subscription].id.clone();
        let clock = self.clock_of(&self.subscriptions[subscription].customer);
        let known = self.invoices.linked("subscription", &id).len();
        while self.subscriptions[subscription].due_at().is_some() {
            let &(at, subject) = self.agendas.get(&clock)?.first()?;
            self.agendas.get_mut(&clock)?.remove(&(at, subject));
            self.act_on(subject, at);
            if let Some(invoice) = self.invoices.linked("subscription", &id).get(known) {
                return Some(*invoice);
            }
        }
        None
    }

    /// Whether an agenda has something at or before an instant that is not about a session. For tests.
    #[cfg(test)]
    pub(super) fn has_overdue_work(&self, now: Moment) -> bool {
        let own = self.agendas.get(&None);
        own.is_some_and(|agenda| {
            agenda.iter().any(|(at, subject)| *at <= now.secs() && !matches!(subject, Subject::CheckoutSession(_)))
        })
    }
}
