//! Invoices that were not paid at once: dunning, and paying later.
//!
//! A failed charge leaves the subscription active with dues. Here it is tried again every three days, three times;
//! then the invoice is `not_paid` and the subscription stays, or is cancelled where the site says so. (On a real site
//! all of that is configured.) Retries go on after a cancellation, because what is due stays due.
//!
//! Another card on file settles what is open at once.
//!
//! Source: Chargebee API docs, "Invoices"; Chargebee docs, "Dunning".

use super::model::{InvoiceStatus, PaidBy, Status};
use super::news::Raised;
use super::{Act, Outcome, Site};
use crate::chargebee::refusal::Refusal;
use crate::chargebee::site::collection::declined;

const RETRY_SECONDS: i64 = 3 * 86_400;
const RETRIES: usize = 3;

impl Site {
    /// Plans the first retry of a charge that failed.
    pub(super) fn begin_dunning(&mut self, invoice: usize, act: Act) {
        let row = &mut self.invoices[invoice];
        row.dunning_status = Some("in_progress");
        row.next_retry_at = Some(act.secs().saturating_add(RETRY_SECONDS));
    }

    /// One planned retry. Where nothing can be charged any more, it counts as one that failed.
    pub(super) fn retry_collection(&mut self, invoice: usize, act: Act) {
        // What is bought once is paid at once or not at all.
        let Some(subscription) = self.subscription_of(invoice) else { return };
        let due = self.invoices[invoice].amount_due();
        let mut transaction = None;
        if self.collects_automatically(subscription) {
            transaction = self.charge(invoice, due, act);
        }
        let row = &mut self.invoices[invoice];
        row.retries += 1;
        row.next_retry_at = None;
        let mut gave_up = false;
        if row.amount_due() > 0 && row.retries < RETRIES {
            row.next_retry_at = Some(act.secs().saturating_add(RETRY_SECONDS));
        } else if row.amount_due() > 0 {
            row.status = InvoiceStatus::NotPaid;
            row.dunning_status = Some("exhausted");
            gave_up = true;
        }
        self.settle(invoice, act);
        if let Some(transaction) = transaction {
            self.announce_payment(transaction, act);
        }
        self.announce_invoice(invoice, act);
        if gave_up && self.cancels_unpaid && self.subscriptions[subscription].status != Status::Cancelled {
            let raised = Raised { invoice: Some(invoice), ..Raised::default() };
            self.subscriptions[subscription].unbilled.clear();
            self.end(subscription, Some("not_paid"), act);
            self.emit_subscription("subscription_cancelled", subscription, &raised, act);
        }
    }

    /// Charges the card on file for an open invoice. A charge that fails is kept, and refused.
    pub(crate) fn collect_payment(&mut self, invoice: usize, amount: Option<i64>, act: Act) -> Outcome<usize> {
        let amount = self.payable(invoice, amount, "amount")?;
        let transaction = self.charge(invoice, amount, act).ok_or_else(Refusal::no_payment_method)?;
        self.finish_payment(invoice, transaction, act);
        if self.transactions[transaction].succeeded {
            return Ok(transaction);
        }
        Err(declined(amount, &self.invoices[invoice].currency))
    }

    /// Notes a payment that was made outside of the gateway.
    pub(crate) fn record_payment(
        &mut self,
        invoice: usize,
        amount: Option<i64>,
        method: &'static str,
        act: Act,
    ) -> Outcome<usize> {
        let amount = self.payable(invoice, amount, "transaction[amount]")?;
        let transaction = self.pay(invoice, amount, PaidBy::Offline(method), true, act);
        self.finish_payment(invoice, transaction, act);
        Ok(transaction)
    }

    /// What may be paid of an invoice: all that is due, or the part that was asked for.
    fn payable(&self, invoice: usize, amount: Option<i64>, param: &str) -> Outcome<i64> {
        let due = self.invoices[invoice].amount_due();
        if due <= 0 || self.invoices[invoice].deleted {
            return Err(Refusal::invalid_state("Nothing is due on this invoice."));
        }
        match amount {
            Some(amount) if !(1..=due).contains(&amount) => {
                Err(Refusal::wrong_value(param, format!("{param} : must be between 1 and {due}")))
            }
            amount => Ok(amount.unwrap_or(due)),
        }
    }

    fn finish_payment(&mut self, invoice: usize, transaction: usize, act: Act) {
        self.settle(invoice, act);
        self.announce_payment(transaction, act);
        if self.transactions[transaction].succeeded {
            self.emit_invoice("invoice_updated", invoice, act);
        }
    }

    /// Pays all that is open of a subscription, as a person does who got the money another way.
    pub(crate) fn pay_dues(&mut self, subscription: usize, act: Act) -> Outcome<()> {
        let open = self.subscriptions[subscription].unpaid.clone();
        if open.is_empty() {
            return Err(Refusal::invalid_state("Nothing is due for this subscription."));
        }
        for invoice in open {
            self.record_payment(invoice, None, "bank_transfer", act)?;
        }
        Ok(())
    }

    /// Charges the card on file for what is open of a customer, as far as that is automatic.
    pub(super) fn collect_dues(&mut self, customer: usize, act: Act) {
        for subscription in self.subscriptions_of(customer).to_vec() {
            if !self.collects_automatically(subscription) {
                continue;
            }
            for invoice in self.subscriptions[subscription].unpaid.clone() {
                // A charge that fails is an event already; the retries go on as planned.
                drop(self.collect_payment(invoice, None, act));
            }
        }
    }

    /// Stops the retries of what is open: it is given up as it stands.
    pub(crate) fn stop_dunning(&mut self, invoice: usize, act: Act) -> Outcome<()> {
        let row = &mut self.invoices[invoice];
        if row.dunning_status != Some("in_progress") {
            return Err(Refusal::invalid_state("There is no dunning in progress for this invoice."));
        }
        row.status = InvoiceStatus::NotPaid;
        row.dunning_status = Some("stopped");
        row.next_retry_at = None;
        self.settle(invoice, act);
        self.emit_invoice("invoice_updated", invoice, act);
        Ok(())
    }

    /// The subscriptions of a customer, by position, also those that were deleted.
    pub(crate) fn subscriptions_of(&self, customer: usize) -> &[usize] {
        self.subscriptions.linked("customer_id", &self.customers[customer].id)
    }
}
