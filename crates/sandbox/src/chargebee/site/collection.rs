//! Invoices and their first charge.
//!
//! What a person does is refused when its charge would fail; what time does goes on with dues (see `dues`).
//!
//! Source: Chargebee API docs, "Invoices", "Transactions".

use super::cards::Behaviour;
use super::catalog::{Item, ItemType};
use super::model::{Invoice, InvoiceStatus, LineItem, PaidBy, Stamp, Transaction};
use super::news::Raised;
use super::{Act, Cause, Outcome, Site};
use crate::chargebee::refusal::Refusal;

impl Site {
    /// Refuses an action whose charge would fail, before anything is changed.
    ///
    /// The action is tried out where the card is not known to pay. A failure that was asked for is used up.
    pub(super) fn check_payment(
        &mut self,
        customer: usize,
        subscription: Option<usize>,
        act: Act,
        action: impl FnOnce(&mut Site) -> Outcome<(usize, Raised)>,
    ) -> Outcome<()> {
        let forced = subscription.is_some_and(|position| self.subscriptions[position].fail_next_payment);
        let stored = self.customers[customer].card.as_ref();
        let pays = !forced && stored.is_some_and(|stored| stored.card.behaviour == Behaviour::Pays);
        if pays || self.is_rehearsal || act.cause == Cause::Schedule {
            return Ok(());
        }
        let rehearsed = self.rehearse(Some(customer), action)?;
        let due = rehearsed.due_now();
        if due <= 0 || !rehearsed.site.collects_automatically(rehearsed.subscription) {
            return Ok(());
        }
        if stored.is_none() {
            return Err(Refusal::no_payment_method());
        }
        if let Some(position) = subscription {
            self.subscriptions[position].fail_next_payment = false;
        }
        Err(declined(due, &rehearsed.site.subscriptions[rehearsed.subscription].currency))
    }

    /// The same for an action on one subscription.
    pub(super) fn check_payment_on(
        &mut self,
        subscription: usize,
        act: Act,
        action: impl FnOnce(&mut Site, usize) -> Outcome<Raised>,
    ) -> Outcome<()> {
        let id = self.subscriptions[subscription].id.clone();
        self.check_payment(self.customer_of(subscription), Some(subscription), act, |copy| {
            let position = copy.live_subscription(&id)?;
            Ok((position, action(copy, position)?))
        })
    }

    pub(super) fn collects_automatically(&self, subscription: usize) -> bool {
        let customer = self.customer_of(subscription);
        self.subscriptions[subscription].auto_collection.unwrap_or(self.customers[customer].auto_collection)
    }

    /// A line for an item at its rate.
    pub(super) fn line(&mut self, item: &Item, from: i64, to: i64, amount: i64) -> LineItem {
        let price = self.catalog.prices.get(&item.item_price_id);
        let description = price.map_or_else(|| item.item_price_id.clone(), |price| price.name.clone());
        LineItem {
            id: self.ids.alphanumeric("li_", 16),
            date_from: from,
            date_to: to,
            unit_amount: item.rate.unit_amount(item.quantity),
            quantity: item.quantity,
            amount,
            pricing_model: item.rate.model(),
            entity_type: match item.item_type {
                ItemType::Plan => "plan_item_price",
                ItemType::Addon => "addon_item_price",
                ItemType::Charge => "charge_item_price",
            },
            item_price_id: item.item_price_id.clone(),
            description,
        }
    }

    /// Invoices the lines now, or keeps them for the next invoice. No lines, no invoice.
    pub(super) fn bill(&mut self, subscription: usize, lines: Vec<LineItem>, now: bool, raised: &mut Raised, act: Act) {
        if lines.is_empty() {
            return;
        }
        if now {
            self.invoice(subscription, lines, raised, act);
        } else {
            self.subscriptions[subscription].unbilled.extend(lines.iter().cloned());
            raised.unbilled = lines;
        }
    }

    /// Invoices what waited for an invoice, if anything did.
    pub(super) fn bill_waiting(&mut self, subscription: usize, raised: &mut Raised, act: Act) {
        let lines = self.waiting_lines(subscription, raised);
        self.bill(subscription, lines, true, raised, act);
    }

    /// Takes the lines that waited for an invoice.
    pub(super) fn waiting_lines(&mut self, subscription: usize, raised: &mut Raised) -> Vec<LineItem> {
        let lines = std::mem::take(&mut self.subscriptions[subscription].unbilled);
        raised.billed.clone_from(&lines);
        lines
    }

    /// Raises an invoice for a subscription, and charges for it where that is automatic.
    fn invoice(&mut self, subscription: usize, lines: Vec<LineItem>, raised: &mut Raised, act: Act) {
        let row = &self.subscriptions[subscription];
        let (customer, id, currency) = (row.customer_id.clone(), row.id.clone(), row.currency.clone());
        let invoice = self.insert_invoice(customer, id, currency, lines, act);
        let number = self.invoices[invoice].id.clone();
        self.invoices[invoice].first_invoice = self.subscriptions[subscription].last_invoice.replace(number).is_none();
        self.collect(invoice, self.collects_automatically(subscription), raised, act);
    }

    /// Writes an invoice down, with nothing paid yet; `subscription_id` is empty where nothing was subscribed to.
    pub(super) fn insert_invoice(
        &mut self,
        customer_id: String,
        subscription_id: String,
        currency: String,
        lines: Vec<LineItem>,
        act: Act,
    ) -> usize {
        self.numbers.invoice += 1;
        self.invoices.insert(Invoice {
            id: format!("INV-{}", self.numbers.invoice),
            customer_id,
            subscription_id,
            currency,
            status: InvoiceStatus::PaymentDue,
            date: act.secs(),
            total: lines.iter().map(|line| line.amount).fold(0, i64::saturating_add),
            amount_paid: 0,
            paid_at: None,
            first_invoice: false,
            lines,
            applied: Vec::new(),
            adjusted: Vec::new(),
            attempts: Vec::new(),
            retries: 0,
            dunning_status: None,
            next_retry_at: None,
            stamp: Stamp::default(),
            deleted: false,
        })
    }

    /// Uses credits for a new invoice, and charges the rest where that is `automatic`.
    pub(super) fn collect(&mut self, invoice: usize, automatic: bool, raised: &mut Raised, act: Act) {
        raised.invoice = Some(invoice);
        self.use_credits(self.payer_of(invoice), invoice, raised, act);
        let due = self.invoices[invoice].amount_due();
        if due > 0 && self.is_rehearsal {
            // An estimate takes it that what is charged is paid.
            self.invoices[invoice].amount_paid = due;
        } else if due > 0 && automatic {
            raised.transaction = self.charge(invoice, due, act);
            if self.invoices[invoice].amount_due() > 0 {
                self.begin_dunning(invoice, act);
            }
        }
        self.settle(invoice, act);
    }

    /// Charges the card on file; `None` where there is none. Whoever calls settles the invoice.
    pub(super) fn charge(&mut self, invoice: usize, amount: i64, act: Act) -> Option<usize> {
        let stored = self.customers[self.payer_of(invoice)].card.clone()?;
        let subscription = self.subscription_of(invoice);
        let forced =
            subscription.is_some_and(|position| std::mem::take(&mut self.subscriptions[position].fail_next_payment));
        let succeeded = !forced && stored.card.behaviour == Behaviour::Pays;
        let masked_number = stored.card.masked();
        let paid_by = PaidBy::Card { payment_source_id: stored.payment_source_id, masked_number };
        Some(self.pay(invoice, amount, paid_by, succeeded, act))
    }

    /// Notes a payment and how it went.
    pub(super) fn pay(&mut self, invoice: usize, amount: i64, paid_by: PaidBy, succeeded: bool, act: Act) -> usize {
        let row = &mut self.invoices[invoice];
        let transaction = self.transactions.insert(Transaction {
            id: self.ids.alphanumeric("txn_", 16),
            invoice,
            customer_id: row.customer_id.clone(),
            subscription_id: row.subscription_id.clone(),
            paid_by,
            currency: row.currency.clone(),
            amount,
            date: act.secs(),
            succeeded,
            stamp: Stamp::default().next(act.now),
        });
        row.attempts.push(transaction);
        if succeeded {
            row.amount_paid += amount;
        }
        transaction
    }

    /// Notes whether something is still due on an invoice.
    pub(super) fn settle(&mut self, invoice: usize, act: Act) {
        let subscription = self.subscription_of(invoice);
        let row = &mut self.invoices[invoice];
        let is_paid = row.amount_due() <= 0;
        if is_paid {
            row.status = InvoiceStatus::Paid;
            row.paid_at = Some(act.secs());
            row.next_retry_at = None;
            if row.dunning_status.is_some() {
                row.dunning_status = Some("success");
            }
        }
        self.touch_invoice(invoice, act.now);
        let Some(subscription) = subscription else { return };
        let unpaid = &mut self.subscriptions[subscription].unpaid;
        if is_paid {
            unpaid.retain(|position| *position != invoice);
        } else if !unpaid.contains(&invoice) {
            unpaid.push(invoice);
        }
        self.touch_subscription(subscription, act.now);
    }

    /// The subscription that an invoice is for; `None` where something was bought once.
    pub(super) fn subscription_of(&self, invoice: usize) -> Option<usize> {
        self.subscriptions.position(&self.invoices[invoice].subscription_id)
    }

    /// The customer that an invoice is for.
    pub(super) fn payer_of(&self, invoice: usize) -> usize {
        self.customers
            .position(&self.invoices[invoice].customer_id)
            .expect("an invoice is raised for a customer, and customers keep their rows")
    }
}

/// What is answered when the card on file does not pay.
pub(super) fn declined(amount: i64, currency: &str) -> Refusal {
    let (units, cents) = (amount / 100, amount % 100);
    let message = format!("We are not able to collect {currency} {units}.{cents:02} from the card on file.");
    Refusal::payment(message, "gateway.general.decline")
}
