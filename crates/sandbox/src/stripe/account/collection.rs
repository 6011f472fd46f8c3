//! Invoices from their finalisation to their end. What a payment does to a subscription is in `settlement`.
//!
//! Signatures: `finalize_invoice(position, act) -> Outcome<()>`, `pay_invoice(position, Pay, act) -> Outcome<()>`,
//! `void_invoice(position, act) -> Outcome<()>`, `mark_uncollectible(position, act) -> Outcome<()>`.
//!
//! Source: Stripe docs, "Status transitions and finalization", "How subscriptions work".

use super::cards::{Charged, error};
use super::model::{CollectionMethod, InvoicePaymentStatus, InvoiceStatus};
use super::refusal::Refusal;
use super::{Account, Act, Object, Outcome};

/// What a request says about a payment.
#[derive(Debug, Clone, Default)]
pub(crate) struct Pay {
    pub(crate) paid_out_of_band: bool,
    /// The id of a method, or a token.
    pub(crate) payment_method: Option<String>,
    /// Only the invoice's page: the customer is there and has passed what the bank asks.
    pub(crate) has_passed: bool,
}

/// What is due after the balance, and the balance then. A negative total becomes a credit.
fn apply_balance(total: i64, balance: i64) -> (i64, i64) {
    let sum = total.saturating_add(balance);
    if total < 0 || sum < 0 { (0, sum) } else { (sum, 0) }
}

impl Account {
    pub(super) fn owner_of(&self, invoice: usize) -> usize {
        self.customers
            .position(&self.invoices[invoice].customer)
            .expect("an invoice is made for a customer, and customers keep their rows")
    }

    pub(super) fn subscription_of(&self, invoice: usize) -> Option<usize> {
        self.subscriptions.position(self.invoices[invoice].subscription.as_deref()?)
    }

    /// Works out what is due of a draft.
    pub(super) fn reckon(&mut self, invoice: usize) {
        let balance = self.customers[self.owner_of(invoice)].balance;
        let row = &mut self.invoices[invoice];
        row.starting_balance = balance;
        row.amount_due = apply_balance(row.total(), balance).0;
    }

    pub(crate) fn finalize_invoice(&mut self, invoice: usize, act: Act) -> Outcome<()> {
        let act = self.act_for(&self.invoices[invoice].customer.clone(), act);
        if self.invoices[invoice].status != InvoiceStatus::Draft {
            return Err(Refusal::coded("invoice_not_editable", "This invoice is already finalized."));
        }
        self.finalize(invoice, act);
        let row = &mut self.invoices[invoice];
        if row.status == InvoiceStatus::Open
            && row.auto_advance
            && row.collection_method == CollectionMethod::ChargeAutomatically
        {
            row.next_payment_attempt = Some(act.secs().saturating_add(super::invoicing::DRAFT_SECONDS));
        }
        self.plan_invoice(invoice);
        Ok(())
    }

    /// Gives a draft its number and its final amounts. Where nothing is due it is paid.
    pub(super) fn finalize(&mut self, invoice: usize, act: Act) {
        let owner = self.owner_of(invoice);
        let before = self.snapshot(Object::Customer(owner));
        self.reckon(invoice);
        let metadata = self.subscription_of(invoice).map(|position| self.subscriptions[position].metadata.clone());
        let customer = &mut self.customers[owner];
        let row = &mut self.invoices[invoice];
        let ending = apply_balance(row.total(), customer.balance).1;
        row.number = Some(format!("{}-{:04}", customer.invoice_prefix, customer.next_invoice_sequence));
        customer.next_invoice_sequence += 1;
        customer.balance = ending;
        row.status = InvoiceStatus::Open;
        row.finalized_at = Some(act.secs());
        row.automatically_finalizes_at = None;
        row.next_payment_attempt = None;
        row.ending_balance = Some(ending);
        row.customer_email.clone_from(&customer.email);
        row.customer_name.clone_from(&customer.name);
        row.subscription_metadata = metadata.unwrap_or_default();
        let due = row.amount_due;
        if row.starting_balance != ending {
            self.emit_updated("customer.updated", Object::Customer(owner), &before, act);
        }
        if due > 0 {
            self.open_payment(invoice, act);
        }
        self.emit("invoice.finalized", Object::Invoice(invoice), None, act);
        if due == 0 {
            self.settle(invoice, act);
        }
        self.plan_invoice(invoice);
    }

    /// Pays an invoice, as somebody asks for. A charge that fails is kept, and refused.
    pub(crate) fn pay_invoice(&mut self, invoice: usize, pay: Pay, act: Act) -> Outcome<()> {
        let act = self.act_for(&self.invoices[invoice].customer.clone(), act);
        match self.invoices[invoice].status {
            InvoiceStatus::Paid => return Err(Refusal::invalid("Invoice is already paid")),
            InvoiceStatus::Void => return Err(Refusal::invalid("Voided invoices cannot be paid.")),
            InvoiceStatus::Draft | InvoiceStatus::Open | InvoiceStatus::Uncollectible => {}
        }
        let given = match &pay.payment_method {
            None => None,
            Some(id) => {
                let method = self.method_by_id(id, "payment_method", act)?;
                self.attach(method, self.owner_of(invoice), act)?;
                Some(method)
            }
        };
        let method = given.or_else(|| self.method_for(invoice));
        if method.is_none() && !pay.paid_out_of_band && self.invoices[invoice].amount_due > 0 {
            return Err(Refusal::no_payment_method());
        }
        if self.invoices[invoice].status == InvoiceStatus::Draft {
            self.finalize(invoice, act);
        }
        if self.invoices[invoice].status == InvoiceStatus::Paid {
            return Ok(());
        }
        if pay.paid_out_of_band {
            self.cancel_payment(invoice, "failed_invoice", act);
            let row = &mut self.invoices[invoice];
            row.paid_out_of_band = true;
            row.amount_paid = row.amount_due;
            self.settle(invoice, act);
            return Ok(());
        }
        let intent = self.invoices[invoice].payment_intent.clone();
        match self.attempt(invoice, method, pay.has_passed, act) {
            Some(Charged::Paid | Charged::Processing) => Ok(()),
            Some(Charged::Challenged) => Err(Refusal::requires_action().with_payment_intent(intent)),
            Some(Charged::Declined(error)) => Err(Refusal::from(error).with_payment_intent(intent)),
            None => Err(Refusal::from(error("card_declined", None, None))),
        }
    }

    /// Nobody will pay an invoice through its intent any more.
    pub(super) fn cancel_payment(&mut self, invoice: usize, reason: &str, act: Act) {
        for id in self.invoices[invoice].payments.clone() {
            let Some(payment) = self.invoice_payments.position(&id) else { continue };
            let row = &mut self.invoice_payments[payment];
            if row.status != InvoicePaymentStatus::Open {
                continue;
            }
            row.status = InvoicePaymentStatus::Canceled;
            row.canceled_at = Some(act.secs());
            if let Some(intent) = self.payment_intents.position(&row.payment_intent.clone()) {
                self.drop_intent(intent, reason, act);
            }
        }
    }

    pub(crate) fn void_invoice(&mut self, invoice: usize, act: Act) -> Outcome<()> {
        let act = self.act_for(&self.invoices[invoice].customer.clone(), act);
        if !matches!(self.invoices[invoice].status, InvoiceStatus::Open | InvoiceStatus::Uncollectible) {
            return Err(Refusal::invalid("You can only void open or uncollectible invoices."));
        }
        self.void(invoice, act);
        Ok(())
    }

    /// Takes an invoice back. Credit of the customer's that it used is there again.
    pub(super) fn void(&mut self, invoice: usize, act: Act) {
        self.cancel_payment(invoice, "void_invoice", act);
        let owner = self.owner_of(invoice);
        let row = &mut self.invoices[invoice];
        let used = row.ending_balance.map_or(0, |ending| ending - row.starting_balance);
        row.status = InvoiceStatus::Void;
        row.voided_at = Some(act.secs());
        row.next_payment_attempt = None;
        row.dunning_ends_at = None;
        self.customers[owner].balance -= used;
        self.emit("invoice.voided", Object::Invoice(invoice), None, act);
    }

    pub(crate) fn mark_uncollectible(&mut self, invoice: usize, act: Act) -> Outcome<()> {
        let act = self.act_for(&self.invoices[invoice].customer.clone(), act);
        if self.invoices[invoice].status != InvoiceStatus::Open {
            return Err(Refusal::invalid("You can only mark open invoices as uncollectible."));
        }
        self.give_up_invoice(invoice, act);
        Ok(())
    }

    pub(super) fn give_up_invoice(&mut self, invoice: usize, act: Act) {
        let row = &mut self.invoices[invoice];
        row.status = InvoiceStatus::Uncollectible;
        row.marked_uncollectible_at = Some(act.secs());
        row.next_payment_attempt = None;
        row.dunning_ends_at = None;
        self.emit("invoice.marked_uncollectible", Object::Invoice(invoice), None, act);
    }
}

#[cfg(test)]
mod unit {
    use super::apply_balance;

    #[test]
    fn a_balance_is_used_up_to_the_total() {
        assert_eq!(apply_balance(4_900, 0), (4_900, 0));
        assert_eq!(apply_balance(4_900, -1_000), (3_900, 0));
        assert_eq!(apply_balance(4_900, -6_000), (0, -1_100));
        assert_eq!(apply_balance(4_900, 100), (5_000, 0));
        assert_eq!(apply_balance(-4_900, -100), (0, -5_000));
    }
}
