//! Invoices and invoice items that somebody makes.
//!
//! Signatures: `create_invoice_item(NewInvoiceItem, act) -> Outcome<usize>`, `delete_invoice_item(position, act) ->
//! Outcome<()>`, `create_invoice(NewInvoice, act) -> Outcome<usize>`, `update_invoice(position, InvoiceChange, act) ->
//! Outcome<()>`, `delete_invoice(position, act) -> Outcome<()>`.
//!
//! Source: Stripe API reference, "Invoices" and "Invoice items".

use super::invoicing::{Draft, InvoiceChange, NewInvoice, NewInvoiceItem, no_such_currency};
use super::model::{BillingReason, CollectionMethod, InvoiceItem, InvoiceStatus, merge, set};
use super::refusal::Refusal;
use super::{Account, Act, Object, Outcome};

impl Account {
    pub(crate) fn create_invoice_item(&mut self, new: NewInvoiceItem, act: Act) -> Outcome<usize> {
        let owner = self.customers[new.customer].id.clone();
        let act = self.act_for(&owner, act);
        let draft = match &new.invoice {
            None => None,
            Some(id) => {
                let invoice = self.invoices.position(id);
                let invoice = invoice.ok_or_else(|| Refusal::missing_reference("invoice", id, "invoice"))?;
                if self.invoices[invoice].status != InvoiceStatus::Draft {
                    return Err(Refusal::invoice_not_editable());
                }
                Some(invoice)
            }
        };
        let quantity = new.quantity.unwrap_or(1);
        let given = new.currency.clone().or_else(|| self.customers[new.customer].currency.clone());
        let (currency, amount, description) = match (&new.price, new.amount) {
            (Some(id), _) => {
                let price = self.live_price(id, "pricing[price]")?;
                let row = &self.prices[price];
                if row.interval.is_some() {
                    let message = "The price specified is set to `type=recurring` but this field only accepts prices \
                                   with `type=one_time`.";
                    return Err(Refusal::wrong_value("pricing[price]", message));
                }
                let currency = new.currency.clone().unwrap_or_else(|| row.currency.clone());
                let rate = row.rate_in(&currency).ok_or_else(|| no_such_currency(row, &currency, "pricing[price]"))?;
                let (amount, description) = (rate.amount(quantity), self.describe(id, &currency, quantity));
                (currency, amount, description)
            }
            (None, Some(amount)) => {
                let currency = given.ok_or_else(|| Refusal::parameter_missing("currency"))?;
                (currency, amount, String::new())
            }
            (None, None) => return Err(Refusal::parameter_missing("amount")),
        };
        let id = self.ids.alphanumeric("ii_1", 23);
        let item = self.insert_item(
            InvoiceItem {
                id,
                customer: owner,
                subscription: new.subscription,
                subscription_item: None,
                currency,
                amount,
                description: new.description.unwrap_or(description),
                period_start: act.secs(),
                period_end: act.secs(),
                price: new.price,
                unit_amount: if quantity == 0 { amount } else { amount / quantity },
                quantity,
                proration: false,
                credited: None,
                invoice: None,
                metadata: new.metadata,
                created: act.secs(),
                deleted: false,
            },
            act,
        );
        if let Some(draft) = draft {
            let before = self.snapshot(Object::Invoice(draft));
            let id = self.invoices[draft].id.clone();
            let line = self.bill_item(item, &id);
            self.invoices[draft].lines.push(line);
            self.reckon(draft);
            self.emit_updated("invoice.updated", Object::Invoice(draft), &before, act);
        }
        Ok(item)
    }

    /// Deletes an item that has no invoice yet.
    pub(crate) fn delete_invoice_item(&mut self, position: usize, act: Act) -> Outcome<()> {
        let row = &mut self.invoice_items[position];
        if row.invoice.is_some() {
            return Err(Refusal::invalid("Can't delete an invoice item that is attached to an invoice."));
        }
        row.deleted = true;
        let owner = row.customer.clone();
        let act = self.act_for(&owner, act);
        self.emit("invoiceitem.deleted", Object::InvoiceItem(position), None, act);
        Ok(())
    }

    pub(crate) fn create_invoice(&mut self, new: NewInvoice, act: Act) -> Outcome<usize> {
        let row = &self.customers[new.customer];
        let act = self.act_for(&row.id.clone(), act);
        let subscription = match &new.subscription {
            None => None,
            Some(id) => {
                let found = self.subscriptions.position(id);
                Some(found.ok_or_else(|| Refusal::missing_reference("subscription", id, "subscription"))?)
            }
        };
        let of_subscription = subscription.map(|position| self.subscriptions[position].currency.clone());
        let currency = new.currency.or(of_subscription).or_else(|| row.currency.clone());
        let draft = Draft {
            customer: new.customer,
            subscription,
            reason: BillingReason::Manual,
            lines: Vec::new(),
            currency: currency.unwrap_or_else(|| "usd".into()),
            period: (act.secs(), act.secs()),
            proration_date: None,
            collection_method: if new.sends_invoice {
                CollectionMethod::SendInvoice
            } else {
                CollectionMethod::ChargeAutomatically
            },
            days_until_due: new.sends_invoice.then(|| new.days_until_due.unwrap_or(30)),
            takes_waiting: new.takes_waiting || subscription.is_some(),
        };
        let invoice = self.draft(draft, act);
        let row = &mut self.invoices[invoice];
        row.description = new.description;
        row.metadata = new.metadata;
        row.default_payment_method = new.default_payment_method;
        self.let_wait(invoice, new.auto_advance, act);
        Ok(invoice)
    }

    pub(crate) fn update_invoice(&mut self, position: usize, change: InvoiceChange, act: Act) -> Outcome<()> {
        let act = self.act_for(&self.invoices[position].customer.clone(), act);
        let before = self.snapshot(Object::Invoice(position));
        let is_draft = self.invoices[position].status == InvoiceStatus::Draft;
        if !is_draft && change.description.is_some() {
            return Err(Refusal::invoice_not_editable());
        }
        let row = &mut self.invoices[position];
        set(&mut row.description, change.description);
        set(&mut row.default_payment_method, change.default_payment_method);
        merge(&mut row.metadata, change.metadata);
        match change.auto_advance {
            Some(auto_advance) if is_draft => self.let_wait(position, auto_advance, act),
            Some(auto_advance) => {
                row.auto_advance = auto_advance;
                if !auto_advance {
                    row.next_payment_attempt = None;
                }
            }
            None => {}
        }
        self.emit_updated("invoice.updated", Object::Invoice(position), &before, act);
        Ok(())
    }

    /// Deletes a draft; what waited for it waits again.
    pub(crate) fn delete_invoice(&mut self, position: usize, act: Act) -> Outcome<()> {
        let row = &mut self.invoices[position];
        if row.status != InvoiceStatus::Draft || row.subscription.is_some() {
            return Err(Refusal::invalid("You can only delete draft invoices that no subscription made."));
        }
        row.deleted = true;
        row.automatically_finalizes_at = None;
        row.next_payment_attempt = None;
        let (id, owner) = (row.id.clone(), row.customer.clone());
        let act = self.act_for(&owner, act);
        for item in self.invoice_items.linked("customer", &owner).to_vec() {
            let item = &mut self.invoice_items[item];
            if item.invoice.as_ref() == Some(&id) {
                item.invoice = None;
            }
        }
        self.emit("invoice.deleted", Object::Invoice(position), None, act);
        Ok(())
    }
}
