//! Previews of invoices.
//!
//! Signatures: `preview(&self, Preview, act) -> Outcome<Previewed>`; render the invoice of `Previewed` with the account
//! of `Previewed`. Its id begins with `upcoming_in_`.
//!
//! The invoice is the one that the change raises at once, if it raises one; else the next renewal's.
//!
//! Source: Stripe API reference, "Create a preview invoice", "The Invoice object", `id`.

use super::changes::Change;
use super::creation::NewSubscription;
use super::ending::CancelNow;
use super::invoicing::NewInvoiceItem;
use super::model::{BillingReason, InvoiceStatus, LineParent, ProrationBehavior, Status};
use super::pauses::{Pause, Resume};
use super::refusal::Refusal;
use super::schedules::ScheduleChange;
use super::{Account, Act, Outcome};

/// What a preview is about.
#[derive(Debug, Clone, Default)]
pub(crate) struct Preview {
    /// The position of a customer: needed where no subscription or schedule is given.
    pub(crate) customer: Option<usize>,
    pub(crate) subscription: Option<usize>,
    /// The position of a schedule, and what is changed of it.
    pub(crate) schedule: Option<(usize, Option<ScheduleChange>)>,
    /// `subscription_details` of a subscription that exists.
    pub(crate) change: Option<Change>,
    /// `subscription_details` of one that does not; its `customer` is ignored.
    pub(crate) new: Option<NewSubscription>,
    /// `cancel_now`
    pub(crate) cancel: Option<CancelNow>,
    pub(crate) pause: Option<Pause>,
    /// `resume_at` is `now`.
    pub(crate) resume: Option<Resume>,
    /// `invoice_items`; their `customer` is ignored.
    pub(crate) invoice_items: Vec<NewInvoiceItem>,
    /// `preview_mode` is `recurring`: without prorations and other things that happen once.
    pub(crate) is_recurring: bool,
}

/// A copy of the account in which the invoice is, and its position there.
#[derive(Debug)]
pub(crate) struct Previewed {
    pub(crate) account: Account,
    pub(crate) invoice: usize,
}

impl Account {
    /// What an invoice would be. Nothing changes.
    pub(crate) fn preview(&self, preview: Preview, act: Act) -> Outcome<Previewed> {
        let of_schedule = preview
            .schedule
            .as_ref()
            .and_then(|(position, _)| self.subscriptions.position(self.schedules[*position].subscription.as_deref()?));
        let subscription = preview.subscription.or(of_schedule);
        let customer = subscription.map(|position| self.customer_of(position)).or(preview.customer);
        let customer = customer.or(preview
            .schedule
            .as_ref()
            .and_then(|(position, _)| self.customers.position(&self.schedules[*position].customer)));
        let act = customer.map_or(act, |customer| self.act_for(&self.customers[customer].id, act));
        let mut copy = self.rehearse(customer, true);
        if customer.is_none() {
            let input = super::customers::CustomerInput::default();
            copy.create_customer(input, act)?;
        }
        for item in &preview.invoice_items {
            copy.create_invoice_item(NewInvoiceItem { customer: 0, ..item.clone() }, act)?;
        }
        let known = copy.invoices.len();
        let subscription = match (subscription, preview.new.clone()) {
            (Some(position), _) => Some(copy.live_subscription(&self.subscriptions[position].id)?),
            (None, Some(new)) => Some(copy.create_subscription(NewSubscription { customer: 0, ..new }, act)?),
            (None, None) => None,
        };
        if let Some((schedule, Some(change))) = &preview.schedule {
            let schedule = copy.schedules.position(&self.schedules[*schedule].id);
            let schedule = schedule.ok_or_else(Refusal::no_upcoming_invoice)?;
            copy.update_schedule(schedule, change.clone(), act)?;
        }
        let Some(subscription) = subscription else {
            return copy.preview_of_waiting(&preview, act);
        };
        copy.play(subscription, &preview, act)?;
        let raised = (known..copy.invoices.len()).next();
        let invoice = match raised.filter(|_| !preview.is_recurring) {
            Some(invoice) => invoice,
            None if preview.is_recurring || !copy.subscriptions[subscription].status.is_over() => {
                copy.pass_to_next_invoice(subscription).ok_or_else(Refusal::no_upcoming_invoice)?
            }
            None => return Err(Refusal::no_upcoming_invoice()),
        };
        Ok(copy.previewed(invoice, preview.is_recurring))
    }

    /// Does in the copy what the preview asks about.
    fn play(&mut self, subscription: usize, preview: &Preview, act: Act) -> Outcome<()> {
        if let Some(mut change) = preview.change.clone() {
            if preview.is_recurring {
                change.proration_behavior = Some(ProrationBehavior::None);
            }
            self.update_subscription(subscription, change, act)?;
        }
        if let Some(pause) = preview.pause {
            self.pause_subscription(subscription, pause, act)?;
        }
        if let Some(resume) = preview.resume {
            self.resume_subscription(subscription, resume, act)?;
        }
        if let Some(cancel) = preview.cancel.clone() {
            self.cancel_subscription(subscription, CancelNow { invoice_now: true, ..cancel }, act)?;
        }
        if self.subscriptions[subscription].status == Status::Unpaid {
            // What it would owe is shown all the same.
            self.subscriptions[subscription].status = Status::Active;
        }
        Ok(())
    }

    /// A preview of what waits for a customer, without a subscription.
    fn preview_of_waiting(mut self, preview: &Preview, act: Act) -> Outcome<Previewed> {
        let waiting = self.invoice_items.iter().any(|item| item.invoice.is_none() && !item.deleted);
        if !waiting {
            return Err(Refusal::no_upcoming_invoice());
        }
        let new = super::invoicing::NewInvoice {
            customer: 0,
            currency: preview.invoice_items.first().and_then(|item| item.currency.clone()),
            takes_waiting: true,
            ..super::invoicing::NewInvoice::default()
        };
        let invoice = self.create_invoice(new, act)?;
        Ok(self.previewed(invoice, false))
    }

    /// Makes an invoice of a copy look as one that does not exist yet: a draft that nobody has paid.
    fn previewed(mut self, invoice: usize, is_recurring: bool) -> Previewed {
        let id = self.ids.alphanumeric("upcoming_in_1", 23);
        let row = &mut self.invoices[invoice];
        let was_draft = row.status == InvoiceStatus::Draft;
        row.id = id;
        row.status = InvoiceStatus::Draft;
        if row.billing_reason == BillingReason::SubscriptionCycle {
            row.billing_reason = BillingReason::Upcoming;
        }
        if is_recurring {
            row.lines.retain(|line| line.parent == LineParent::SubscriptionItem);
        }
        row.amount_paid = 0;
        row.attempted = false;
        row.attempt_count = 0;
        row.number = None;
        row.paid_at = None;
        row.finalized_at = None;
        row.payment_intent = None;
        row.payments.clear();
        if was_draft || is_recurring {
            self.reckon(invoice);
        }
        Previewed { account: self, invoice }
    }
}
