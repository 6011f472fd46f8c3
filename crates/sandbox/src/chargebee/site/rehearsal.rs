//! Trying something out: a copy of what concerns one customer, with the same rules and its own time.
//!
//! An estimate is what the action does in such a copy, and the next invoice is what time then does there. The rules
//! are those that charge, so that an estimate cannot differ from them. In a copy every
//! invoice counts as paid, no card is asked, and nobody is told.

use std::collections::HashMap;

use super::news::Raised;
use super::{Outcome, Site, Subject};
use crate::moment::Moment;

/// What an action would do: the copy in which it was done, the subscription there, and the documents.
#[derive(Debug)]
pub(crate) struct Rehearsed {
    pub(crate) site: Site,
    pub(crate) subscription: usize,
    pub(crate) raised: Raised,
}

impl Rehearsed {
    /// What the action would charge at once, in minor units.
    pub(crate) fn due_now(&self) -> i64 {
        self.raised.invoice.map_or(0, |invoice| self.site.invoices[invoice].amount_payable())
    }
}

impl Site {
    /// Tries an action out on a copy. Its customer has the first position there; a subscription is found by its id.
    pub(crate) fn rehearse(
        &self,
        customer: Option<usize>,
        action: impl FnOnce(&mut Site) -> Outcome<(usize, Raised)>,
    ) -> Outcome<Rehearsed> {
        let mut site = self.rehearsal(customer);
        let (subscription, raised) = action(&mut site)?;
        Ok(Rehearsed { site, subscription, raised })
    }

    /// The same for an action on one subscription.
    pub(crate) fn rehearse_on(
        &self,
        subscription: usize,
        action: impl FnOnce(&mut Site, usize) -> Outcome<Raised>,
    ) -> Outcome<Rehearsed> {
        let id = &self.subscriptions[subscription].id;
        self.rehearse(Some(self.customer_of(subscription)), |copy| {
            let position = copy.live_subscription(id)?;
            Ok((position, action(copy, position)?))
        })
    }

    /// A copy of the catalog and of one customer with its subscriptions, open invoices and credits.
    fn rehearsal(&self, customer: Option<usize>) -> Site {
        let mut copy = Site::empty(&self.base_url, &self.gateway_account_id, self.ids.clone());
        copy.catalog = self.catalog.clone();
        copy.numbers = self.numbers;
        copy.is_rehearsal = true;
        copy.is_quiet = true;
        if let Some(customer) = customer {
            copy.copy_customer(self, customer);
        }
        copy
    }

    fn copy_customer(&mut self, from: &Site, customer: usize) {
        let mut row = from.customers[customer].clone();
        let mut notes = HashMap::new();
        for &note in from.credit_notes.linked("customer_id", &row.id) {
            notes.insert(note, self.credit_notes.insert(from.credit_notes[note].clone()));
        }
        row.credits.iter_mut().for_each(|note| *note = notes[note]);
        self.customers.insert(row);
        for &position in from.subscriptions_of(customer) {
            let mut row = from.subscriptions[position].clone();
            if row.deleted {
                continue;
            }
            for invoice in &mut row.unpaid {
                let mut open = from.invoices[*invoice].clone();
                // Nothing is collected here, so that there is nothing to try again.
                open.attempts.clear();
                open.next_retry_at = None;
                for applied in open.applied.iter_mut().chain(&mut open.adjusted) {
                    applied.credit_note = notes[&applied.credit_note];
                }
                *invoice = self.invoices.insert(open);
            }
            let due_at = row.due_at();
            let position = self.subscriptions.insert(row);
            self.plan(Subject::Subscription(position), due_at);
        }
    }

    /// Lets time pass until the subscription's next invoice. Only for copies.
    pub(crate) fn pass_to_next_invoice(&mut self, subscription: usize) -> Option<usize> {
        let id = self.subscriptions[subscription].id.clone();
        let known = self.invoices.linked("subscription_id", &id).len();
        while self.subscriptions[subscription].due_at().is_some() {
            self.act_due(Moment::from_secs(self.next_due()?));
            let invoices = self.invoices.linked("subscription_id", &id);
            if let Some(invoice) = invoices.get(known) {
                return Some(*invoice);
            }
        }
        None
    }
}
