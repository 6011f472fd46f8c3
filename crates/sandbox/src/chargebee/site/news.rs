//! Events: what is told, and with which contents.
//!
//! Source: Chargebee API docs, "Events"; which resources an event carries is in its catalogue of event types.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::model::{Event, InvoiceStatus, LineItem};
use super::{Act, Site, organization_in};
use crate::chargebee::render;

/// The documents that an action brought about.
#[derive(Debug, Clone, Default)]
pub(crate) struct Raised {
    pub(crate) invoice: Option<usize>,
    /// The charge that was tried for the invoice.
    pub(crate) transaction: Option<usize>,
    pub(crate) credit_notes: Vec<usize>,
    /// Charges that wait for the next invoice.
    pub(crate) unbilled: Vec<LineItem>,
    /// Charges that had waited for this invoice.
    pub(crate) billed: Vec<LineItem>,
    /// Older credit notes that the invoice used.
    pub(crate) used_notes: Vec<usize>,
    /// Older invoices that a credit note took something off.
    pub(crate) adjusted_invoices: Vec<usize>,
}

impl Site {
    /// Records an event. `content` holds the resources as they are now.
    pub(crate) fn emit(&mut self, event_type: &'static str, content: Map<String, Value>, act: Act) {
        if self.is_quiet {
            return;
        }
        let organization_id = content
            .get("subscription")
            .and_then(|subscription| organization_in(subscription.get("meta_data")))
            .or_else(|| content.get("customer").and_then(|customer| organization_in(customer.get("meta_data"))))
            .or_else(|| {
                let one = |resource: &'_ Value| resource.get(0).unwrap_or(resource).get("customer_id").cloned();
                let owner = content.values().find_map(one)?;
                let owner = owner.as_str()?;
                self.organization_of_customer(owner)
            });
        let content = serde_json::value::to_raw_value(&content).expect("a map of values is always JSON");
        let id = self.ids.alphanumeric("ev_", 17);
        let position = self.events.insert(Event {
            id,
            occurred_at: act.secs(),
            source: act.cause.source(),
            user: act.cause.user(),
            event_type,
            content: Arc::from(content),
            organization_id,
            webhook_status: "not_configured",
        });
        self.fresh_events.push(position);
    }

    /// Does something that nobody is told of.
    pub(crate) fn quietly<T>(&mut self, work: impl FnOnce(&mut Self) -> T) -> T {
        let before = std::mem::replace(&mut self.is_quiet, true);
        let result = work(self);
        self.is_quiet = before;
        result
    }

    /// Events since the last call, by position.
    pub(crate) fn take_fresh_events(&mut self) -> Vec<usize> {
        std::mem::take(&mut self.fresh_events)
    }

    /// Tells what happened to a subscription, and of the documents that came of it.
    pub(crate) fn tell(&mut self, event: &'static str, subscription: usize, raised: &Raised, act: Act) {
        self.emit_subscription(event, subscription, raised, act);
        self.announce(subscription, raised, act);
    }

    /// The subscription's own event, with its customer and the documents.
    pub(crate) fn emit_subscription(&mut self, event: &'static str, subscription: usize, raised: &Raised, act: Act) {
        if self.is_quiet {
            return;
        }
        let mut content = Map::new();
        content.insert("subscription".into(), render::subscription(self, subscription));
        content.insert("customer".into(), render::customer(self, self.customer_of(subscription)));
        content.extend(render::raised(self, subscription, raised));
        self.emit(event, content, act);
    }

    /// Tells of documents only.
    pub(crate) fn announce(&mut self, subscription: usize, raised: &Raised, act: Act) {
        if self.is_quiet {
            return;
        }
        for (event, notes) in
            [("credit_note_created", &raised.credit_notes), ("credit_note_updated", &raised.used_notes)]
        {
            for &note in notes {
                self.emit_one(event, "credit_note", render::credit_note(self, note), act);
            }
        }
        for &invoice in &raised.adjusted_invoices {
            self.emit_invoice("invoice_updated", invoice, act);
        }
        if !raised.unbilled.is_empty() {
            let charges = render::unbilled_charges(self, subscription, &raised.unbilled);
            self.emit_one("unbilled_charges_created", "unbilled_charges", charges, act);
        }
        let Some(invoice) = raised.invoice else { return };
        self.emit_invoice("invoice_generated", invoice, act);
        if !raised.billed.is_empty() {
            let mut content = Map::new();
            let charges = render::unbilled_charges(self, subscription, &raised.billed);
            content.insert("unbilled_charges".into(), charges);
            content.insert("invoice".into(), render::invoice(self, invoice));
            self.emit("unbilled_charges_invoiced", content, act);
        }
        if let Some(transaction) = raised.transaction {
            self.announce_payment(transaction, act);
        }
    }

    /// Tells of an invoice without a subscription, and how its payment went.
    pub(super) fn announce_purchase(&mut self, invoice: usize, raised: &Raised, act: Act) {
        for &note in &raised.used_notes {
            self.emit_one("credit_note_updated", "credit_note", render::credit_note(self, note), act);
        }
        self.emit_invoice("invoice_generated", invoice, act);
        if let Some(transaction) = raised.transaction {
            self.announce_payment(transaction, act);
        }
    }

    /// Tells how a payment went.
    pub(crate) fn announce_payment(&mut self, transaction: usize, act: Act) {
        if self.is_quiet {
            return;
        }
        let row = &self.transactions[transaction];
        let event = if row.succeeded { "payment_succeeded" } else { "payment_failed" };
        let invoice = row.invoice;
        let subscription = self.subscription_of(invoice);
        let mut content = Map::new();
        content.insert("transaction".into(), render::transaction(self, transaction));
        content.insert("invoice".into(), render::invoice(self, invoice));
        content.insert("customer".into(), render::customer(self, self.payer_of(invoice)));
        if let Some(subscription) = subscription {
            content.insert("subscription".into(), render::subscription(self, subscription));
        }
        self.emit(event, content, act);
    }

    /// Tells of an invoice that is no longer what it was: settled, given up, or still tried.
    pub(crate) fn announce_invoice(&mut self, invoice: usize, act: Act) {
        match self.invoices[invoice].status {
            InvoiceStatus::Paid | InvoiceStatus::NotPaid => self.emit_invoice("invoice_updated", invoice, act),
            InvoiceStatus::PaymentDue => self.emit_invoice("dunning_updated", invoice, act),
        }
    }

    pub(crate) fn emit_invoice(&mut self, event: &'static str, invoice: usize, act: Act) {
        self.emit_one(event, "invoice", render::invoice(self, invoice), act);
    }

    pub(crate) fn emit_customer(&mut self, event: &'static str, customer: usize, act: Act) {
        self.emit_one(event, "customer", render::customer(self, customer), act);
    }

    pub(crate) fn emit_one(&mut self, event: &'static str, name: &'static str, resource: Value, act: Act) {
        self.emit(event, Map::from_iter([(name.to_owned(), resource)]), act);
    }
}
