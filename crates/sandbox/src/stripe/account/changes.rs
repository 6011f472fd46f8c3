//! Changes of subscriptions: items, quantities, prices, trials, and what goes with them.
//!
//! Signatures: `update_subscription(position, Change, act) -> Outcome<()>`.
//!
//! A change that needs an invoice at once (another interval, a new anchor, the end or the start of a trial, free to
//! paid) gets it whatever the proration behaviour says; credits then come along.
//!
//! Source: Stripe API reference, "Update a subscription"; Stripe docs, "Prorations", "Pending updates", "Pending
//! updates reference".

use super::calendar::HOUR;
use super::creation::{NewItem, TrialEnd};
use super::ending::CancelAt;
use super::model::{
    CollectionMethod, Interval, InvoiceStatus, Metadata, MissingMethod, Patch, PauseCollection, PaymentBehavior,
    PendingUpdate, ProrationBehavior, Status, SubscriptionItem, merge, set,
};
use super::refusal::Refusal;
use super::terms::check_trial_end;
use super::{Account, Act, Object, Outcome};

/// How long a pending update waits for its payment, in seconds.
const PENDING_SECONDS: i64 = 23 * HOUR;

/// What a request says about one item.
#[derive(Debug, Clone, Default)]
pub(crate) struct ItemChange {
    /// The id of the item; `None` adds one.
    pub(crate) id: Option<String>,
    pub(crate) price: Option<String>,
    pub(crate) quantity: Option<i64>,
    pub(crate) deleted: bool,
    pub(crate) metadata: Patch<Metadata>,
}

/// What a request changes of a subscription. `None` keeps what is there.
#[derive(Debug, Clone, Default)]
pub(crate) struct Change {
    pub(crate) items: Vec<ItemChange>,
    /// One-time prices for the next invoice.
    pub(crate) add_invoice_items: Vec<NewItem>,
    /// `None`: `create_prorations`.
    pub(crate) proration_behavior: Option<ProrationBehavior>,
    pub(crate) proration_date: Option<i64>,
    /// `None`: `allow_incomplete`.
    pub(crate) payment_behavior: Option<PaymentBehavior>,
    pub(crate) trial_end: Option<TrialEnd>,
    /// `billing_cycle_anchor[type]` is `now`.
    pub(crate) resets_anchor: bool,
    pub(crate) cancel_at_period_end: Option<bool>,
    pub(crate) cancel_at: Patch<CancelAt>,
    /// `cancellation_details[comment]` and `[feedback]`
    pub(crate) comment: Patch<String>,
    pub(crate) feedback: Patch<String>,
    pub(crate) pause_collection: Patch<PauseCollection>,
    pub(crate) collection_method: Option<CollectionMethod>,
    pub(crate) days_until_due: Option<i64>,
    pub(crate) default_payment_method: Patch<String>,
    pub(crate) saves_default_method: Option<bool>,
    pub(crate) missing_method: Option<MissingMethod>,
    pub(crate) description: Patch<String>,
    pub(crate) metadata: Patch<Metadata>,
}

impl Change {
    pub(super) fn prorates(&self) -> bool {
        self.proration_behavior != Some(ProrationBehavior::None)
    }

    /// Whether it is about more than what is written beside the subscription.
    fn is_about_billing(&self) -> bool {
        !self.items.is_empty() || !self.add_invoice_items.is_empty() || self.trial_end.is_some() || self.resets_anchor
    }

    fn is_about_the_end(&self) -> bool {
        self.cancel_at_period_end.is_some() || self.cancel_at.is_some()
    }
}

/// The items as a change leaves them.
pub(super) struct Planned {
    pub(super) items: Vec<SubscriptionItem>,
    pub(super) interval: Interval,
}

impl Account {
    /// Changes a subscription. What makes it refuse leaves everything as it was.
    pub(crate) fn update_subscription(&mut self, position: usize, change: Change, act: Act) -> Outcome<()> {
        let act = self.act_for(&self.subscriptions[position].customer.clone(), act);
        self.check_change(position, &change, act)?;
        let must_pay = change.payment_behavior == Some(PaymentBehavior::ErrorIfIncomplete);
        if must_pay && change.is_about_billing() && self.rehearsal.is_none() {
            let known = self.subscriptions[position].latest_invoice.clone();
            let mut copy = self.rehearse(Some(self.customer_of(position)), false);
            let tried = copy.live_subscription(&self.subscriptions[position].id)?;
            copy.apply(tried, change.clone(), act)?;
            let latest = copy.subscriptions[tried].latest_invoice.clone().filter(|id| Some(id) != known.as_ref());
            let latest = latest.and_then(|id| copy.invoices.get(&id));
            if latest.is_some_and(|invoice| invoice.status == InvoiceStatus::Open && invoice.attempted) {
                // A failure that was asked for is used up.
                self.subscriptions[position].fail_next_payment = false;
                return Err(copy.refusal_of_latest(tried));
            }
        }
        self.apply(position, change, act)
    }

    fn check_change(&self, position: usize, change: &Change, act: Act) -> Outcome<()> {
        let row = &self.subscriptions[position];
        if row.status.is_over() && (change.is_about_billing() || change.is_about_the_end()) {
            let message = "A canceled subscription can only update its cancellation_details and metadata.";
            return Err(Refusal::invalid(message));
        }
        if matches!(row.status, Status::Incomplete | Status::Paused) && change.is_about_billing() {
            let message = format!("The subscription cannot be changed while its status is `{}`.", row.status.as_str());
            return Err(Refusal::invalid(message));
        }
        let follows_period =
            change.cancel_at_period_end == Some(true) || change.cancel_at == Some(Some(CancelAt::PeriodEnd));
        if row.status == Status::Paused && follows_period {
            return Err(Refusal::invalid("A paused subscription has no current period to end with."));
        }
        if let Some(schedule) = &row.schedule
            && (change.is_about_billing() || change.is_about_the_end())
        {
            let message = format!(
                "The subscription is managed by the subscription schedule `{schedule}`, and updating it directly is \
                 not allowed. Please update the schedule instead."
            );
            return Err(Refusal::invalid(message));
        }
        if let Some(date) = change.proration_date
            && !(row.period_start..=row.period_end).contains(&date)
        {
            let message = "Invalid proration_date: it must lie within the current period of the subscription.";
            return Err(Refusal::wrong_value("proration_date", message));
        }
        if let Some(TrialEnd::At(at)) = change.trial_end {
            check_trial_end(at, act)?;
        }
        if let Some(Some(CancelAt::At(at))) = change.cancel_at
            && at <= act.secs()
        {
            return Err(Refusal::wrong_value("cancel_at", "cancel_at must be in the future."));
        }
        if change.cancel_at_period_end == Some(true) && change.cancel_at.is_some_and(|at| at.is_some()) {
            return Err(Refusal::parameters_exclusive("cancel_at_period_end", "cancel_at"));
        }
        if let Some(Some(id)) = &change.default_payment_method
            && self.payment_methods.get(id).and_then(|method| method.customer.as_ref()) != Some(&row.customer)
        {
            return Err(Refusal::missing_reference("PaymentMethod", id, "default_payment_method"));
        }
        if change.payment_behavior == Some(PaymentBehavior::PendingIfIncomplete) {
            let unsupported = change.is_about_the_end()
                || change.pause_collection.is_some()
                || change.default_payment_method.is_some()
                || change.collection_method.is_some()
                || change.description.is_some()
                || change.items.iter().any(|item| item.deleted);
            if unsupported {
                let message =
                    "When `payment_behavior` is set to `pending_if_incomplete`, you can only pass supported params.";
                return Err(Refusal::wrong_value("payment_behavior", message));
            }
        }
        self.planned(position, &change.items).map(drop)
    }

    /// The items after a change. New ones have no id yet.
    fn planned(&self, position: usize, changes: &[ItemChange]) -> Outcome<Planned> {
        let row = &self.subscriptions[position];
        let mut items = row.items.clone();
        for (index, change) in changes.iter().enumerate() {
            let found = match &change.id {
                None => None,
                Some(id) => Some(items.iter().position(|item| item.id == *id).ok_or_else(|| {
                    Refusal::missing_reference("subscription_item", id, format!("items[{index}][id]"))
                })?),
            };
            match found {
                Some(item) if change.deleted => {
                    items.remove(item);
                }
                Some(item) => {
                    let item = &mut items[item];
                    if let Some(price) = &change.price {
                        item.price.clone_from(price);
                    }
                    item.quantity = change.quantity.or(item.quantity);
                    merge(&mut item.metadata, change.metadata.clone());
                }
                None => {
                    let price = change.price.clone();
                    let price = price.ok_or_else(|| Refusal::parameter_missing(&format!("items[{index}][price]")))?;
                    items.push(SubscriptionItem {
                        id: String::new(),
                        price,
                        quantity: change.quantity.or(Some(1)),
                        metadata: change.metadata.clone().flatten().unwrap_or_default(),
                        created: 0,
                        billed: None,
                    });
                }
            }
        }
        for item in &mut items {
            let metered = self.prices.get(&item.price).is_some_and(|price| price.meter.is_some());
            item.quantity = if metered { None } else { item.quantity.or(Some(1)) };
        }
        if changes.is_empty() {
            return Ok(Planned { items, interval: row.interval });
        }
        let as_new = |item: &SubscriptionItem| NewItem {
            price: item.price.clone(),
            quantity: item.quantity,
            metadata: Metadata::new(),
        };
        let checked: Vec<NewItem> = items.iter().map(as_new).collect();
        let (interval, _) = self.check_items(&checked, Some(&row.currency))?;
        Ok(Planned { items, interval })
    }

    /// Does what was checked, also for a schedule.
    pub(super) fn apply(&mut self, position: usize, change: Change, act: Act) -> Outcome<()> {
        if change.is_about_billing() {
            // A newer change takes the place of one that waits for its payment.
            self.expire_pending(position, act);
        }
        let before = self.snapshot(Object::Subscription(position));
        let planned = self.planned(position, &change.items)?;
        let terms = self.subscriptions[position].terms();
        let status = self.subscriptions[position].status;
        self.apply_beside(position, &change, act);
        let mut pending = None;
        if change.is_about_billing() {
            let tentative = change.payment_behavior == Some(PaymentBehavior::PendingIfIncomplete);
            self.is_tentative = tentative;
            let invoice = self.rebill(position, planned, &change, act);
            self.is_tentative = false;
            let is_open = |invoice: &usize| self.invoices[*invoice].status == InvoiceStatus::Open;
            pending = invoice.filter(|invoice| tentative && is_open(invoice));
        }
        if let Some(invoice) = pending {
            let row = &mut self.subscriptions[position];
            let (wanted, wanted_status) = (row.terms(), row.status);
            row.pending_update = Some(PendingUpdate {
                expires_at: act.secs().saturating_add(PENDING_SECONDS).min(terms.period_end),
                items: (wanted.items != terms.items).then(|| wanted.items.clone()),
                trial_end: wanted.trial_end.filter(|_| wanted.trial_end != terms.trial_end),
                billing_cycle_anchor: (wanted.anchor != terms.anchor).then_some(wanted.anchor),
                invoice: self.invoices[invoice].id.clone(),
                terms: wanted,
                status: wanted_status,
            });
            row.set_terms(terms);
            row.status = status;
        }
        let row = &mut self.subscriptions[position];
        if row.cancel_at_period_end && !row.status.is_over() {
            row.cancel_at = Some(row.period_end);
        }
        self.plan_subscription(position);
        self.emit_updated("customer.subscription.updated", Object::Subscription(position), &before, act);
        Ok(())
    }

    /// What costs nothing.
    fn apply_beside(&mut self, position: usize, change: &Change, act: Act) {
        let row = &mut self.subscriptions[position];
        set(&mut row.default_payment_method, change.default_payment_method.clone());
        set(&mut row.description, change.description.clone());
        set(&mut row.pause_collection, change.pause_collection);
        set(&mut row.cancellation.comment, change.comment.clone());
        set(&mut row.cancellation.feedback, change.feedback.clone());
        merge(&mut row.metadata, change.metadata.clone());
        row.saves_default_method = change.saves_default_method.unwrap_or(row.saves_default_method);
        row.missing_method = change.missing_method.unwrap_or(row.missing_method);
        row.collection_method = change.collection_method.unwrap_or(row.collection_method);
        row.days_until_due = change.days_until_due.or(row.days_until_due);
        if let Some(at_end) = change.cancel_at_period_end {
            row.plan_end(at_end.then_some(CancelAt::PeriodEnd), at_end, act.secs());
        }
        if let Some(at) = change.cancel_at {
            row.plan_end(at, false, act.secs());
        }
    }

    /// The payment that a pending update waited for has come.
    pub(super) fn apply_pending(&mut self, position: usize, act: Act) {
        let before = self.snapshot(Object::Subscription(position));
        let row = &mut self.subscriptions[position];
        let Some(pending) = row.pending_update.take() else { return };
        row.set_terms(pending.terms);
        if !row.status.is_over() {
            row.status = pending.status;
        }
        self.plan_subscription(position);
        self.emit("customer.subscription.pending_update_applied", Object::Subscription(position), None, act);
        self.emit_updated("customer.subscription.updated", Object::Subscription(position), &before, act);
    }

    /// The payment that a pending update waited for has not come.
    pub(super) fn expire_pending(&mut self, position: usize, act: Act) {
        let before = self.snapshot(Object::Subscription(position));
        let Some(pending) = self.subscriptions[position].pending_update.take() else { return };
        if let Some(invoice) = self.invoices.position(&pending.invoice)
            && self.invoices[invoice].status == InvoiceStatus::Open
        {
            self.void(invoice, act);
        }
        self.emit("customer.subscription.pending_update_expired", Object::Subscription(position), None, act);
        self.emit_updated("customer.subscription.updated", Object::Subscription(position), &before, act);
    }
}
