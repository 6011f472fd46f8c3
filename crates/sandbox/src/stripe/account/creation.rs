//! New subscriptions, and their first invoice.
//!
//! Signatures: `create_subscription(NewSubscription, act) -> Outcome<usize>`.
//!
//! Source: Stripe API reference, "Create a subscription"; Stripe docs, "How subscriptions work".

use super::calendar::{DAY, HOUR, last_boundary, next_boundary};
use super::cards::Charged;
use super::ending::CancelAt;
use super::intents::NewSetupIntent;
use super::invoicing::Draft;
use super::model::{
    BillingMode, BillingReason, Cancellation, CollectionMethod, Interval, InvoiceItem, Metadata, MissingMethod,
    PaymentBehavior, ProrationBehavior, Status, Subscription, SubscriptionItem,
};
use super::refusal::Refusal;
use super::{Account, Act, Object, Outcome};

/// How long the first invoice may stay unpaid, in seconds.
pub(super) const INCOMPLETE_SECONDS: i64 = 23 * HOUR;
/// How long before its end a trial is told of, in seconds.
const REMINDER_SECONDS: i64 = 3 * DAY;

/// A price and how many of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct NewItem {
    /// The id of a price.
    pub(crate) price: String,
    pub(crate) quantity: Option<i64>,
    pub(crate) metadata: Metadata,
}

/// When a trial ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TrialEnd {
    Now,
    At(i64),
}

/// What a request says about a new subscription.
#[derive(Debug, Clone)]
pub(crate) struct NewSubscription {
    pub(crate) customer: usize,
    pub(crate) items: Vec<NewItem>,
    /// One-time prices for the first invoice.
    pub(crate) add_invoice_items: Vec<NewItem>,
    pub(crate) currency: Option<String>,
    pub(crate) billing_mode: BillingMode,
    pub(crate) collection_method: CollectionMethod,
    pub(crate) days_until_due: Option<i64>,
    pub(crate) payment_behavior: PaymentBehavior,
    /// The id of a method of the customer.
    pub(crate) default_payment_method: Option<String>,
    pub(crate) saves_default_method: bool,
    pub(crate) trial_end: Option<TrialEnd>,
    pub(crate) trial_period_days: Option<i64>,
    pub(crate) missing_method: MissingMethod,
    pub(crate) billing_cycle_anchor: Option<i64>,
    pub(crate) proration_behavior: ProrationBehavior,
    pub(crate) cancel_at_period_end: bool,
    pub(crate) cancel_at: Option<CancelAt>,
    pub(crate) description: Option<String>,
    pub(crate) metadata: Metadata,
    /// Only checkout: the position of the method that pays, and whether the customer has passed what its bank asked.
    pub(crate) pays_with: Option<(usize, bool)>,
}

impl NewSubscription {
    /// A subscription to these items, with the defaults of the API.
    pub(crate) fn of(customer: usize, items: Vec<NewItem>) -> Self {
        Self {
            customer,
            items,
            add_invoice_items: Vec::new(),
            currency: None,
            billing_mode: BillingMode::Flexible,
            collection_method: CollectionMethod::ChargeAutomatically,
            days_until_due: None,
            payment_behavior: PaymentBehavior::AllowIncomplete,
            default_payment_method: None,
            saves_default_method: false,
            trial_end: None,
            trial_period_days: None,
            missing_method: MissingMethod::CreateInvoice,
            billing_cycle_anchor: None,
            proration_behavior: ProrationBehavior::CreateProrations,
            cancel_at_period_end: false,
            cancel_at: None,
            description: None,
            metadata: Metadata::new(),
            pays_with: None,
        }
    }
}

impl Account {
    /// Begins a subscription. What makes it refuse leaves nothing behind.
    pub(crate) fn create_subscription(&mut self, new: NewSubscription, act: Act) -> Outcome<usize> {
        let act = self.act_for(&self.customers[new.customer].id.clone(), act);
        self.check_new(&new, act)?;
        let default = new.default_payment_method.as_ref();
        let method = default.or(self.customers[new.customer].default_payment_method.as_ref());
        let method = method.and_then(|id| self.payment_methods.position(id));
        let charges = new.collection_method == CollectionMethod::ChargeAutomatically;
        let waits = new.payment_behavior == PaymentBehavior::DefaultIncomplete;
        let must_pay = new.payment_behavior == PaymentBehavior::ErrorIfIncomplete;
        if charges && !waits && new.pays_with.is_none() && (must_pay || method.is_none()) && self.rehearsal.is_none() {
            let mut copy = self.rehearse(Some(new.customer), false);
            let tried = copy.begin(NewSubscription { customer: 0, ..new.clone() }, act);
            if copy.subscriptions[tried].status == Status::Incomplete {
                if method.is_none() {
                    return Err(Refusal::no_payment_method());
                }
                return Err(copy.refusal_of_latest(tried));
            }
        }
        Ok(self.begin(new, act))
    }

    /// Why the newest invoice of a subscription is not paid. The intent was made in a copy, so it is not named.
    pub(super) fn refusal_of_latest(&self, subscription: usize) -> Refusal {
        let latest = self.subscriptions[subscription].latest_invoice.as_deref().and_then(|id| self.invoices.get(id));
        let intent = latest.and_then(|invoice| self.payment_intents.get(invoice.payment_intent.as_deref()?));
        match intent.and_then(|intent| intent.last_payment_error.clone()) {
            Some(error) => error.into(),
            None if intent.is_some_and(|intent| intent.payment_method.is_some()) => Refusal::card(
                "authentication_required",
                Some("authentication_required"),
                "Your card was declined. This \
                               transaction requires authentication.",
            ),
            None => Refusal::no_payment_method(),
        }
    }

    pub(super) fn new_subscription_item(&mut self, item: &NewItem, now: i64) -> SubscriptionItem {
        let metered = self.prices.get(&item.price).is_some_and(|price| price.meter.is_some());
        SubscriptionItem {
            id: self.ids.alphanumeric("si_", 14),
            price: item.price.clone(),
            quantity: (!metered).then(|| item.quantity.unwrap_or(1)),
            metadata: item.metadata.clone(),
            created: now,
            billed: None,
        }
    }

    /// Makes the subscription and its first invoice, and collects it as asked for. `new` was checked.
    pub(super) fn begin(&mut self, new: NewSubscription, act: Act) -> usize {
        let now = act.secs();
        let (interval, currency) = self
            .check_items(&new.items, new.currency.as_deref())
            .unwrap_or((Interval { unit: super::model::IntervalUnit::Month, count: 1 }, "usd".into()));
        let trial_end = match (new.trial_end, new.trial_period_days) {
            (Some(TrialEnd::At(at)), _) => Some(at),
            (Some(TrialEnd::Now), _) | (None, None) => None,
            (None, Some(days)) => Some(now.saturating_add(days.saturating_mul(DAY))),
        };
        let anchor = trial_end.or(new.billing_cycle_anchor).unwrap_or(now);
        let period_end = trial_end.unwrap_or_else(|| next_boundary(anchor, interval, now));
        let whole = period_end - last_boundary(anchor, interval, period_end - 1);
        let cancel_at = match new.cancel_at {
            _ if new.cancel_at_period_end => Some(period_end),
            Some(CancelAt::At(at)) => Some(at),
            Some(CancelAt::PeriodEnd) => Some(period_end),
            None => None,
        };
        let charges = new.collection_method == CollectionMethod::ChargeAutomatically;
        let open_status = if trial_end.is_some() { Status::Trialing } else { Status::Active };
        let mut items = Vec::new();
        for item in &new.items {
            items.push(self.new_subscription_item(item, now));
        }
        let position = self.subscriptions.insert(Subscription {
            id: self.ids.alphanumeric("sub_1", 23),
            customer: self.customers[new.customer].id.clone(),
            status: if charges { Status::Incomplete } else { open_status },
            billing_mode: new.billing_mode,
            collection_method: new.collection_method,
            days_until_due: new.days_until_due,
            currency: currency.clone(),
            items,
            interval,
            anchor,
            period_start: now,
            period_end,
            trial_start: trial_end.map(|_| now),
            trial_end,
            trial_reminder_at: trial_end.map(|end| reminder_at(end, now)),
            missing_method: new.missing_method,
            cancel_at,
            cancel_at_period_end: new.cancel_at_period_end,
            canceled_at: cancel_at.map(|_| now),
            ended_at: None,
            cancellation: Cancellation {
                reason: cancel_at.map(|_| "cancellation_requested"),
                ..Cancellation::default()
            },
            pause_collection: None,
            paused: None,
            default_payment_method: new.default_payment_method.clone(),
            saves_default_method: new.saves_default_method,
            description: new.description.clone(),
            metadata: new.metadata.clone(),
            latest_invoice: None,
            pending_setup_intent: None,
            pending_update: None,
            schedule: None,
            start_date: now,
            created: now,
            incomplete_until: charges.then(|| now.saturating_add(INCOMPLETE_SECONDS)),
            resumption: None,
            fail_next_payment: false,
        });
        self.newborn = Some(position);
        self.add_one_time(position, &new.add_invoice_items, act);
        let period = (now, period_end);
        let lines = if trial_end.is_some() {
            self.trial_lines(position, period)
        } else {
            let prorates = new.proration_behavior != ProrationBehavior::None;
            let part = if prorates { period_end - now } else { 0 };
            let share = (new.billing_cycle_anchor.is_some()).then_some((part, whole));
            self.recurring_lines(position, period, share, (now, now))
        };
        let draft = self.draft_for(position, BillingReason::SubscriptionCreate, lines, period, None);
        let invoice = self.draft(draft, act);
        if charges {
            self.finalize(invoice, act);
            if new.payment_behavior != PaymentBehavior::DefaultIncomplete || new.pays_with.is_some() {
                let (method, has_passed) = match new.pays_with {
                    Some((method, has_passed)) => (Some(method), has_passed),
                    None => (self.method_for(invoice), false),
                };
                // How it went is in the status.
                let _: Option<Charged> = self.attempt(invoice, method, has_passed, act);
            }
            self.ask_for_method(position, act);
        } else {
            self.let_wait(invoice, true, act);
        }
        self.newborn = None;
        self.plan_subscription(position);
        self.emit("customer.subscription.created", Object::Subscription(position), None, act);
        position
    }

    /// A draft for a subscription, which takes what waits.
    pub(super) fn draft_for(
        &self,
        subscription: usize,
        reason: BillingReason,
        lines: Vec<super::model::Line>,
        period: (i64, i64),
        proration_date: Option<i64>,
    ) -> Draft {
        let row = &self.subscriptions[subscription];
        let sends = row.collection_method == CollectionMethod::SendInvoice;
        Draft {
            customer: self.customer_of(subscription),
            subscription: Some(subscription),
            reason,
            lines,
            currency: row.currency.clone(),
            period,
            proration_date,
            collection_method: row.collection_method,
            days_until_due: sends.then(|| row.days_until_due.unwrap_or(30)),
            takes_waiting: true,
        }
    }

    /// One-time prices that wait for the subscription's next invoice.
    pub(super) fn add_one_time(&mut self, subscription: usize, items: &[NewItem], act: Act) {
        for item in items {
            let (_, rate) = self.rate_of(subscription, &item.price);
            let quantity = item.quantity.unwrap_or(1);
            let row = &self.subscriptions[subscription];
            let amount = rate.amount(quantity);
            let item = InvoiceItem {
                id: self.ids.alphanumeric("ii_1", 23),
                customer: row.customer.clone(),
                subscription: Some(row.id.clone()),
                subscription_item: None,
                currency: row.currency.clone(),
                amount,
                description: self.product_name(&item.price),
                period_start: act.secs(),
                period_end: act.secs(),
                price: Some(item.price.clone()),
                unit_amount: rate.unit_amount().unwrap_or(amount),
                quantity,
                proration: false,
                credited: None,
                invoice: None,
                metadata: item.metadata.clone(),
                created: act.secs(),
                deleted: false,
            };
            self.insert_item(item, act);
        }
    }

    /// A subscription that will charge and has nothing to charge asks for a method.
    fn ask_for_method(&mut self, position: usize, act: Act) {
        let is_open = matches!(self.subscriptions[position].status, Status::Trialing | Status::Active);
        if is_open && self.method_of(position).is_none() && self.rehearsal.is_none() {
            let new = NewSetupIntent { customer: Some(self.customer_of(position)), ..NewSetupIntent::default() };
            let intent = self.insert_setup_intent(new, act);
            self.subscriptions[position].pending_setup_intent = Some(self.setup_intents[intent].id.clone());
        }
    }

    /// The first invoice was not paid in time.
    pub(super) fn expire(&mut self, position: usize, act: Act) {
        let before = self.snapshot(Object::Subscription(position));
        let latest = self.subscriptions[position].latest_invoice.as_deref().and_then(|id| self.invoices.position(id));
        if let Some(invoice) = latest.filter(|row| self.invoices[*row].status == super::model::InvoiceStatus::Open) {
            self.void(invoice, act);
        }
        let row = &mut self.subscriptions[position];
        row.status = Status::IncompleteExpired;
        row.incomplete_until = None;
        row.ended_at = Some(act.secs());
        self.emit_updated("customer.subscription.updated", Object::Subscription(position), &before, act);
    }
}

/// When to tell of a trial's end: three days before, or at once.
pub(super) fn reminder_at(trial_end: i64, now: i64) -> i64 {
    (trial_end - REMINDER_SECONDS).max(now)
}
