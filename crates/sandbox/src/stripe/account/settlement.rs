//! Charges of invoices, and what a payment or its failure does to a subscription.
//!
//! Signatures: `method_for(invoice) -> Option<usize>`, the method that would pay.
//!
//! Source: Stripe docs, "How subscriptions work", "Automate payment retries".

use super::cards::Charged;
use super::dunning::Dunning;
use super::model::{
    IntentStatus, InvoicePayment, InvoicePaymentStatus, InvoiceStatus, Metadata, PaymentIntent, Status,
};
use super::{Account, Act, Object};

impl Account {
    /// The intent that is to pay an invoice, and the tie between them.
    pub(super) fn open_payment(&mut self, invoice: usize, act: Act) {
        let id = self.ids.alphanumeric("pi_3", 23);
        let row = &self.invoices[invoice];
        let saves_method = row.subscription.is_some();
        let intent = PaymentIntent {
            client_secret: self.ids.alphanumeric(&format!("{id}_secret_"), 25),
            customer: Some(row.customer.clone()),
            amount: row.amount_due,
            amount_received: 0,
            currency: row.currency.clone(),
            status: IntentStatus::RequiresPaymentMethod,
            payment_method: None,
            last_payment_error: None,
            saves_method,
            invoice: Some(row.id.clone()),
            settles_at: None,
            description: Some(if saves_method { "Subscription creation".into() } else { "Invoice".into() }),
            metadata: Metadata::new(),
            created: act.secs(),
            canceled_at: None,
            cancellation_reason: None,
            id: id.clone(),
        };
        let payment = InvoicePayment {
            id: self.ids.alphanumeric("inpay_1", 23),
            invoice: row.id.clone(),
            payment_intent: id.clone(),
            status: InvoicePaymentStatus::Open,
            amount_requested: row.amount_due,
            amount_paid: None,
            currency: row.currency.clone(),
            is_default: true,
            created: act.secs(),
            paid_at: None,
            canceled_at: None,
        };
        let row = &mut self.invoices[invoice];
        row.payment_intent = Some(id);
        row.payments.push(payment.id.clone());
        self.invoice_payments.insert(payment);
        let intent = self.payment_intents.insert(intent);
        self.emit("payment_intent.created", Object::PaymentIntent(intent), None, act);
    }

    /// What pays an invoice: its own method, the subscription's, the customer's.
    pub(crate) fn method_for(&self, invoice: usize) -> Option<usize> {
        let row = &self.invoices[invoice];
        let own = row.default_payment_method.as_ref();
        let subscription = self.subscription_of(invoice);
        let of_subscription =
            subscription.and_then(|position| self.subscriptions[position].default_payment_method.as_ref());
        let of_customer = self.customers[self.owner_of(invoice)].default_payment_method.as_ref();
        self.payment_methods.position(own.or(of_subscription).or(of_customer)?)
    }

    /// What pays a subscription.
    pub(super) fn method_of(&self, subscription: usize) -> Option<usize> {
        let own = self.subscriptions[subscription].default_payment_method.as_ref();
        let of_customer = self.customers[self.customer_of(subscription)].default_payment_method.as_ref();
        self.payment_methods.position(own.or(of_customer)?)
    }

    /// Tries to collect an open invoice, and does what comes of it. `None`: there is nothing to charge.
    ///
    /// `has_passed`: the customer is there and has passed what the bank asks.
    pub(super) fn attempt(
        &mut self,
        invoice: usize,
        method: Option<usize>,
        has_passed: bool,
        act: Act,
    ) -> Option<Charged> {
        let intent = self.payment_intents.position(self.invoices[invoice].payment_intent.as_deref()?)?;
        let charged = if self.rehearsal.is_some_and(|rehearsal| rehearsal.always_pays) {
            self.note_success(intent, act);
            Some(Charged::Paid)
        } else if let Some(method) = method {
            let subscription = self.subscription_of(invoice);
            let forced = subscription
                .is_some_and(|position| std::mem::take(&mut self.subscriptions[position].fail_next_payment));
            Some(self.charge_intent(intent, method, forced, has_passed, act))
        } else {
            None
        };
        self.follow(invoice, charged.as_ref(), act);
        charged
    }

    /// What a charge means for its invoice.
    pub(super) fn follow(&mut self, invoice: usize, charged: Option<&Charged>, act: Act) {
        let row = &mut self.invoices[invoice];
        row.attempted = true;
        row.attempt_count += 1;
        match charged {
            Some(Charged::Paid) => self.note_payment(invoice, act),
            Some(Charged::Processing) => {
                row.next_payment_attempt = None;
                self.activate(invoice, act);
            }
            Some(Charged::Challenged) => {
                self.fail(invoice, Dunning::Retries, act);
                self.emit("invoice.payment_action_required", Object::Invoice(invoice), None, act);
            }
            Some(Charged::Declined(_)) => self.fail(invoice, Dunning::Retries, act),
            None => self.fail(invoice, Dunning::Waits, act),
        }
        self.plan_invoice(invoice);
    }

    /// An intent has paid its invoice.
    pub(super) fn note_payment(&mut self, invoice: usize, act: Act) {
        let row = &mut self.invoices[invoice];
        let remaining = row.amount_remaining();
        row.amount_paid += remaining;
        let open = row.payments.last().and_then(|id| self.invoice_payments.position(id));
        if let Some(payment) = open {
            let row = &mut self.invoice_payments[payment];
            row.status = InvoicePaymentStatus::Paid;
            row.amount_paid = Some(remaining);
            row.paid_at = Some(act.secs());
            self.emit("invoice_payment.paid", Object::InvoicePayment(payment), None, act);
        }
        self.settle(invoice, act);
    }

    /// Nothing is due of an invoice any more.
    pub(super) fn settle(&mut self, invoice: usize, act: Act) {
        let before = self.snapshot(Object::Invoice(invoice));
        let owner = self.owner_of(invoice);
        self.customers[owner].delinquent = false;
        let row = &mut self.invoices[invoice];
        row.status = InvoiceStatus::Paid;
        row.attempted = true;
        row.paid_at = Some(act.secs());
        row.next_payment_attempt = None;
        row.dunning_ends_at = None;
        let out_of_band = row.paid_out_of_band;
        self.emit_updated("invoice.updated", Object::Invoice(invoice), &before, act);
        self.emit("invoice.paid", Object::Invoice(invoice), None, act);
        if !out_of_band {
            self.emit("invoice.payment_succeeded", Object::Invoice(invoice), None, act);
        }
        self.activate(invoice, act);
    }

    /// What a paid invoice, or one whose bank is asked, does to its subscription.
    fn activate(&mut self, invoice: usize, act: Act) {
        let Some(position) = self.subscription_of(invoice) else { return };
        let id = self.invoices[invoice].id.clone();
        let before = self.snapshot(Object::Subscription(position));
        let latest = self.latest_final(position);
        let row = &mut self.subscriptions[position];
        if row.pending_update.as_ref().is_some_and(|pending| pending.invoice == id) {
            self.apply_pending(position, act);
            return;
        }
        let is_resumption = row.resumption.as_ref().is_some_and(|(open, _)| *open == id);
        match row.status {
            Status::Incomplete => {
                row.incomplete_until = None;
                let in_trial = row.trial_end.is_some_and(|end| end > act.secs());
                row.status = if in_trial { Status::Trialing } else { Status::Active };
            }
            Status::PastDue | Status::Unpaid if latest == Some(invoice) => row.status = Status::Active,
            Status::Paused if is_resumption => {
                self.finish_resumption(position, act);
                return;
            }
            _ => return,
        }
        self.plan_subscription(position);
        if self.newborn != Some(position) {
            self.emit_updated("customer.subscription.updated", Object::Subscription(position), &before, act);
        }
    }

    /// The newest invoice of a subscription that was finalised and counts.
    pub(super) fn latest_final(&self, subscription: usize) -> Option<usize> {
        let invoices = self.invoices.linked("subscription", &self.subscriptions[subscription].id);
        invoices
            .iter()
            .rev()
            .copied()
            .find(|position| matches!(self.invoices[*position].status, InvoiceStatus::Open | InvoiceStatus::Paid))
    }

    /// An attempt to collect an invoice failed.
    fn fail(&mut self, invoice: usize, dunning: Dunning, act: Act) {
        let subscription = self.subscription_of(invoice);
        let id = &self.invoices[invoice].id;
        let first = subscription.is_some_and(|position| {
            let row = &self.subscriptions[position];
            let waits_for_it = row.pending_update.as_ref().is_some_and(|pending| pending.invoice == *id)
                || row.resumption.as_ref().is_some_and(|(open, _)| open == id);
            matches!(row.status, Status::Incomplete | Status::IncompleteExpired | Status::Canceled) || waits_for_it
        });
        if !first && !self.is_tentative {
            self.begin_dunning(invoice, dunning, act);
        }
        self.emit("invoice.payment_failed", Object::Invoice(invoice), None, act);
        let Some(position) = subscription else { return };
        if !first && !self.is_tentative && self.latest_final(position) == Some(invoice) {
            self.fall_behind(position, act);
        }
    }

    /// The newest invoice is not paid: past due.
    pub(super) fn fall_behind(&mut self, position: usize, act: Act) {
        if !matches!(self.subscriptions[position].status, Status::Active | Status::Trialing) {
            return;
        }
        let before = self.snapshot(Object::Subscription(position));
        self.subscriptions[position].status = Status::PastDue;
        self.plan_subscription(position);
        self.emit_updated("customer.subscription.updated", Object::Subscription(position), &before, act);
    }
}
