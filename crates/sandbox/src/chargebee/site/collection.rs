//! Invoices, charges and dunning.
//!
//! A failed charge leaves the subscription active with dues. Here it is tried again every three days, three times;
//! then the invoice is `not_paid` and the subscription stays. (On a real site all of that is configured.)
//!
//! Source: Chargebee API docs, "Invoices", "Transactions"; Chargebee docs, "Dunning".

use serde_json::Map;

use super::cards::Behaviour;
use super::model::{Attempt, Invoice, InvoiceStatus, LineItem, Stamp, Transaction};
use super::{Act, Outcome, Site, render};
use crate::chargebee::refusal::Refusal;

const RETRY_SECONDS: i64 = 3 * 86_400;
const RETRIES: usize = 3;

/// A raised invoice, and the charge that was tried for it.
#[derive(Debug)]
pub(crate) struct Collected {
    pub(crate) invoice: usize,
    pub(crate) transaction: Option<usize>,
}

impl Site {
    /// Refuses a charge that would fail, before anything is changed.
    ///
    /// `amount` is what would be charged if there were no credits.
    pub(crate) fn check_charge(&self, customer: usize, amount: i64, forced: bool, currency: &str) -> Outcome<()> {
        let amount = amount - self.customers[customer].refundable_credits;
        if amount <= 0 {
            return Ok(());
        }
        let stored = self.customers[customer].card.as_ref().ok_or_else(Refusal::no_payment_method)?;
        if forced || stored.card.behaviour != Behaviour::Pays {
            let (units, cents) = (amount / 100, amount % 100);
            let message = format!("We are not able to collect {currency} {units}.{cents:02} from the card on file.");
            return Err(Refusal::payment(message, "gateway.general.decline"));
        }
        Ok(())
    }

    /// The same for a charge of a subscription, where it is automatic. A failure that was asked for is used up by it.
    pub(crate) fn check_subscription_charge(&mut self, subscription: usize, amount: i64) -> Outcome<()> {
        let customer = self.customer_of(subscription);
        let row = &self.subscriptions[subscription];
        if !row.auto_collection.unwrap_or(self.customers[customer].auto_collection) {
            return Ok(());
        }
        let checked = self.check_charge(customer, amount, row.fail_next_payment, &row.currency);
        if checked.is_err() {
            self.subscriptions[subscription].fail_next_payment = false;
        }
        checked
    }

    /// Raises an invoice for the lines, uses up credits, and charges the rest where that is automatic.
    pub(crate) fn raise_and_collect(&mut self, subscription: usize, lines: Vec<LineItem>, act: Act) -> Collected {
        let customer = self.customer_of(subscription);
        let total = lines.iter().map(|line| line.amount).fold(0, i64::saturating_add);
        let credits_applied = self.customers[customer].refundable_credits.min(total).max(0);
        if credits_applied > 0 {
            self.customers[customer].refundable_credits -= credits_applied;
            self.touch_customer(customer, act.now);
        }
        let row = &mut self.subscriptions[subscription];
        let first_invoice = !std::mem::replace(&mut row.invoiced, true);
        let invoice = self.invoices.insert(Invoice {
            id: format!("INV-{}", self.invoices.len() + 1),
            customer_id: row.customer_id.clone(),
            subscription_id: row.id.clone(),
            currency: row.currency.clone(),
            status: InvoiceStatus::PaymentDue,
            date: act.secs(),
            total,
            credits_applied,
            amount_paid: 0,
            paid_at: None,
            first_invoice,
            lines,
            attempts: Vec::new(),
            dunning_status: None,
            next_retry_at: None,
            stamp: Stamp::default(),
        });
        let transaction = self.try_collect(invoice, subscription, act);
        Collected { invoice, transaction }
    }

    /// Tries to settle what is due and returns the charge, if one was made.
    fn try_collect(&mut self, invoice: usize, subscription: usize, act: Act) -> Option<usize> {
        let now = act.secs();
        let customer = self.customer_of(subscription);
        let amount = self.invoices[invoice].amount_due();
        let automatic =
            self.subscriptions[subscription].auto_collection.unwrap_or(self.customers[customer].auto_collection);
        let mut transaction = None;
        let mut settled = amount <= 0;
        if let (false, true, Some(stored)) = (settled, automatic, self.customers[customer].card.clone()) {
            let forced = std::mem::take(&mut self.subscriptions[subscription].fail_next_payment);
            let succeeded = !forced && stored.card.behaviour == Behaviour::Pays;
            let row = &self.invoices[invoice];
            let position = self.transactions.insert(Transaction {
                id: self.ids.alphanumeric("txn_", 16),
                invoice,
                customer_id: row.customer_id.clone(),
                subscription_id: row.subscription_id.clone(),
                payment_source_id: stored.payment_source_id,
                masked_card_number: stored.card.masked(),
                currency: row.currency.clone(),
                amount,
                date: now,
                succeeded,
                stamp: Self::next_stamp(Stamp::default(), act.now),
            });
            let row = &mut self.invoices[invoice];
            row.attempts.push(Attempt { transaction: position, at: now });
            if succeeded {
                row.amount_paid = amount;
            } else if row.attempts.len() <= RETRIES {
                row.dunning_status = Some("in_progress");
                row.next_retry_at = Some(now.saturating_add(RETRY_SECONDS));
            } else {
                row.status = InvoiceStatus::NotPaid;
                row.dunning_status = Some("exhausted");
                row.next_retry_at = None;
            }
            settled = succeeded;
            transaction = Some(position);
        }
        let row = &mut self.invoices[invoice];
        let unpaid = &mut self.subscriptions[subscription].unpaid;
        if settled {
            row.status = InvoiceStatus::Paid;
            row.paid_at = Some(now);
            row.next_retry_at = None;
            if row.dunning_status.is_some() {
                row.dunning_status = Some("success");
            }
            unpaid.retain(|position| *position != invoice);
        } else if !unpaid.contains(&invoice) {
            unpaid.push(invoice);
        }
        self.touch_invoice(invoice, act.now);
        self.touch_subscription(subscription, act.now);
        transaction
    }

    /// Tells of a new invoice and of its charge.
    pub(crate) fn announce(&mut self, collected: &Collected, act: Act) {
        self.emit_invoice("invoice_generated", collected.invoice, act);
        if let Some(transaction) = collected.transaction {
            self.announce_charge(transaction, act);
        }
    }

    fn announce_charge(&mut self, transaction: usize, act: Act) {
        let row = &self.transactions[transaction];
        let event = if row.succeeded { "payment_succeeded" } else { "payment_failed" };
        let invoice = row.invoice;
        let subscription = self.subscription_of(invoice);
        let mut content = Map::new();
        content.insert("transaction".into(), render::transaction(self, transaction));
        content.insert("invoice".into(), render::invoice(self, invoice));
        content.insert("customer".into(), render::customer(self, self.customer_of(subscription)));
        content.insert("subscription".into(), render::subscription(self, subscription));
        self.emit(event, content, act);
    }

    fn subscription_of(&self, invoice: usize) -> usize {
        self.subscriptions
            .position(&self.invoices[invoice].subscription_id)
            .expect("an invoice is raised for a subscription, and subscriptions keep their rows")
    }

    /// One planned retry of a failed charge.
    pub(crate) fn retry_collection(&mut self, invoice: usize, act: Act) {
        self.invoices[invoice].next_retry_at = None;
        let subscription = self.subscription_of(invoice);
        let transaction = self.try_collect(invoice, subscription, act);
        if let Some(transaction) = transaction {
            self.announce_charge(transaction, act);
        }
        match self.invoices[invoice].status {
            InvoiceStatus::Paid | InvoiceStatus::NotPaid => self.emit_invoice("invoice_updated", invoice, act),
            InvoiceStatus::PaymentDue => self.emit_invoice("dunning_updated", invoice, act),
        }
    }
}
