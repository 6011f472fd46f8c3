//! Credit notes: what is given back for a term that is not used up.
//!
//! A credit first takes something off the latest invoice where that is not paid (an adjustment); what is left is
//! refundable and is used by the customer's next invoices, oldest note first.
//!
//! Source: Chargebee docs, "Credit notes"; Chargebee API docs, "Credit notes".

use super::model::{Allocation, Applied, CreditKind, CreditNote, LineItem, Stamp};
use super::news::Raised;
use super::{Act, Site};

impl Site {
    /// Gives a credit for what a subscription was invoiced for.
    pub(super) fn credit(
        &mut self,
        subscription: usize,
        line: LineItem,
        reason_code: &'static str,
        raised: &mut Raised,
        act: Act,
    ) {
        let row = &self.subscriptions[subscription];
        let latest = row.last_invoice.as_deref().and_then(|id| self.invoices.position(id));
        let open = latest.filter(|invoice| row.unpaid.contains(invoice));
        let mut left = line.amount;
        if let Some(invoice) = open {
            let amount = left.min(self.invoices[invoice].amount_due());
            left -= amount;
            self.adjust(invoice, LineItem { amount, ..line.clone() }, reason_code, raised, act);
        }
        if left > 0 {
            let row = &self.subscriptions[subscription];
            let line = LineItem { amount: left, ..line };
            let reference = row.last_invoice.clone().unwrap_or_default();
            let note = self.write_note(subscription, reference, CreditKind::Refundable, line, reason_code, act);
            raised.credit_notes.push(note);
            let customer = self.customer_of(subscription);
            self.customers[customer].credits.push(note);
            self.touch_customer(customer, act.now);
        }
    }

    /// Takes something off an invoice that is not paid.
    pub(super) fn adjust(
        &mut self,
        invoice: usize,
        line: LineItem,
        reason_code: &'static str,
        raised: &mut Raised,
        act: Act,
    ) {
        let amount = line.amount;
        let Some(subscription) = self.subscription_of(invoice).filter(|_| amount > 0) else { return };
        let reference = self.invoices[invoice].id.clone();
        let note = self.write_note(subscription, reference, CreditKind::Adjustment, line, reason_code, act);
        self.allocate(note, invoice, amount, act);
        self.invoices[invoice].adjusted.push(Applied { credit_note: note, amount, at: act.secs() });
        raised.credit_notes.push(note);
        raised.adjusted_invoices.push(invoice);
        self.settle(invoice, act);
    }

    fn write_note(
        &mut self,
        subscription: usize,
        reference_invoice_id: String,
        kind: CreditKind,
        line: LineItem,
        reason_code: &'static str,
        act: Act,
    ) -> usize {
        self.numbers.credit_note += 1;
        let row = &self.subscriptions[subscription];
        self.credit_notes.insert(CreditNote {
            id: format!("CN-{}", self.numbers.credit_note),
            customer_id: row.customer_id.clone(),
            subscription_id: row.id.clone(),
            currency: row.currency.clone(),
            reference_invoice_id,
            kind,
            reason_code,
            date: act.secs(),
            total: line.amount,
            lines: vec![line],
            allocations: Vec::new(),
            stamp: Stamp::default().next(act.now),
        })
    }

    fn allocate(&mut self, note: usize, invoice: usize, amount: i64, act: Act) {
        let row = &self.invoices[invoice];
        let allocation = Allocation { invoice_id: row.id.clone(), invoice_date: row.date, amount, at: act.secs() };
        self.credit_notes[note].allocations.push(allocation);
        self.credit_notes.touch(note, act.now);
    }

    /// Uses the customer's refundable credits of the invoice's currency for it.
    pub(super) fn use_credits(&mut self, customer: usize, invoice: usize, raised: &mut Raised, act: Act) {
        let notes = self.customers[customer].credits.clone();
        for note in notes {
            let amount = self.credit_notes[note].available().min(self.invoices[invoice].amount_due());
            if amount <= 0 || self.credit_notes[note].currency != self.invoices[invoice].currency {
                continue;
            }
            self.allocate(note, invoice, amount, act);
            self.invoices[invoice].applied.push(Applied { credit_note: note, amount, at: act.secs() });
            if !raised.credit_notes.contains(&note) {
                raised.used_notes.push(note);
            }
            self.touch_customer(customer, act.now);
        }
        let notes = &self.credit_notes;
        self.customers[customer].credits.retain(|note| notes[*note].available() > 0);
    }

    /// What the customer's next invoices may use, in minor units.
    pub(crate) fn refundable_credits(&self, customer: usize) -> i64 {
        self.customers[customer].credits.iter().map(|note| self.credit_notes[*note].available()).sum()
    }
}
