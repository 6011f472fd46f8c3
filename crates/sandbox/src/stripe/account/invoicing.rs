//! Drafts: lines of subscriptions, and what waits for an invoice. What somebody makes is in `manual`.
//!
//! Source: Stripe API reference, "Invoices" and "Invoice items"; Stripe docs, "Subscription invoices".

use super::calendar::{DAY, HOUR};
use super::model::{
    Billed, BillingReason, CollectionMethod, Invoice, InvoiceItem, InvoiceStatus, Line, LineParent, Metadata, Patch,
    Price,
};
use super::refusal::Refusal;
use super::{Account, Act, Object};

/// How long a draft stays one, in seconds.
///
/// Source: Stripe API reference, "The Invoice object", `attempted`: an hour after `invoice.created`.
pub(super) const DRAFT_SECONDS: i64 = HOUR;

/// What a draft is made of.
#[derive(Debug)]
pub(super) struct Draft {
    pub(super) customer: usize,
    pub(super) subscription: Option<usize>,
    pub(super) reason: BillingReason,
    pub(super) lines: Vec<Line>,
    pub(super) currency: String,
    /// The period before this invoice.
    pub(super) period: (i64, i64),
    pub(super) proration_date: Option<i64>,
    pub(super) collection_method: CollectionMethod,
    pub(super) days_until_due: Option<i64>,
    /// Whether what waits for an invoice comes along.
    pub(super) takes_waiting: bool,
}

/// What a request says about a new invoice item.
#[derive(Debug, Clone, Default)]
pub(crate) struct NewInvoiceItem {
    pub(crate) customer: usize,
    /// The id of a one-time price, or an amount in minor units.
    pub(crate) price: Option<String>,
    pub(crate) amount: Option<i64>,
    pub(crate) currency: Option<String>,
    pub(crate) quantity: Option<i64>,
    pub(crate) description: Option<String>,
    /// The id of a draft to put it on at once.
    pub(crate) invoice: Option<String>,
    /// The id of a subscription, if it belongs to one.
    pub(crate) subscription: Option<String>,
    pub(crate) metadata: Metadata,
}

/// What a request says about a new invoice.
#[derive(Debug, Clone, Default)]
pub(crate) struct NewInvoice {
    pub(crate) customer: usize,
    /// The id of a subscription whose waiting items it bills.
    pub(crate) subscription: Option<String>,
    pub(crate) currency: Option<String>,
    pub(crate) sends_invoice: bool,
    pub(crate) days_until_due: Option<i64>,
    pub(crate) auto_advance: bool,
    pub(crate) description: Option<String>,
    /// `pending_invoice_items_behavior` is `include`.
    pub(crate) takes_waiting: bool,
    pub(crate) default_payment_method: Option<String>,
    pub(crate) metadata: Metadata,
}

/// What a request changes of an invoice.
#[derive(Debug, Clone, Default)]
pub(crate) struct InvoiceChange {
    pub(crate) description: Patch<String>,
    pub(crate) metadata: Patch<Metadata>,
    pub(crate) auto_advance: Option<bool>,
    pub(crate) default_payment_method: Patch<String>,
}

impl Account {
    /// One line for each item of the subscription, for `[from, to)`; the items remember what they were charged.
    ///
    /// `share` is the part of a whole period that this is, as a fraction; `None` is the whole of it. Metered items are
    /// charged afterwards, for what was used in `used`.
    pub(super) fn recurring_lines(
        &mut self,
        subscription: usize,
        (from, to): (i64, i64),
        share: Option<(i64, i64)>,
        used: (i64, i64),
    ) -> Vec<Line> {
        let mut lines = Vec::new();
        for index in 0..self.subscriptions[subscription].items.len() {
            let row = &self.subscriptions[subscription];
            let item = row.items[index].clone();
            let (meter, rate) = self.rate_of(subscription, &item.price);
            let (quantity, period, amount) = match meter {
                None => {
                    let quantity = item.quantity.unwrap_or(1);
                    let amount = rate.amount(quantity);
                    let amount = share.map_or(amount, |(part, whole)| super::proration::share(amount, part, whole));
                    self.subscriptions[subscription].items[index].billed = Some(Billed { amount, from, to });
                    (quantity, (from, to), amount)
                }
                Some(meter) => {
                    let quantity = self.usage(meter, &row.customer, used.0, used.1);
                    (quantity, used, rate.amount(quantity))
                }
            };
            let currency = &self.subscriptions[subscription].currency;
            let description = self.describe(&item.price, currency, quantity);
            lines.push(Line {
                id: self.ids.alphanumeric("il_1", 23),
                amount,
                description,
                period_start: period.0,
                period_end: period.1,
                price: Some(item.price),
                unit_amount: rate.unit_amount().unwrap_or(amount),
                quantity: Some(quantity),
                parent: LineParent::SubscriptionItem,
                subscription: Some(self.subscriptions[subscription].id.clone()),
                subscription_item: Some(item.id),
                metadata: item.metadata,
            });
        }
        lines
    }

    /// A line of nothing for each item, for a trial.
    pub(super) fn trial_lines(&mut self, subscription: usize, (from, to): (i64, i64)) -> Vec<Line> {
        let row = &self.subscriptions[subscription];
        let (id, items) = (row.id.clone(), row.items.clone());
        let mut lines = Vec::new();
        for item in items {
            lines.push(Line {
                id: self.ids.alphanumeric("il_1", 23),
                amount: 0,
                description: format!("Trial period for {}", self.product_name(&item.price)),
                period_start: from,
                period_end: to,
                price: Some(item.price),
                unit_amount: 0,
                quantity: item.quantity.or(Some(0)),
                parent: LineParent::SubscriptionItem,
                subscription: Some(id.clone()),
                subscription_item: Some(item.id),
                metadata: item.metadata,
            });
        }
        lines
    }

    /// `2 × Scale (at $15.00 / month)`
    pub(super) fn describe(&self, price: &str, currency: &str, quantity: i64) -> String {
        let name = self.product_name(price);
        let Some(row) = self.prices.get(price) else { return format!("{quantity} × {name}") };
        let rate = row.rate_in(currency).unwrap_or(&row.rate);
        let unit = rate.unit_amount().unwrap_or_else(|| rate.amount(quantity));
        let amount = format!("{} {}.{:02}", currency.to_uppercase(), unit / 100, unit.rem_euclid(100));
        match row.interval {
            Some(interval) => format!("{quantity} × {name} (at {amount} / {})", interval.unit.as_str()),
            None => format!("{quantity} × {name} (at {amount})"),
        }
    }

    pub(super) fn product_name(&self, price: &str) -> String {
        let product = self.prices.get(price).and_then(|price| self.products.get(&price.product));
        product.map_or_else(|| price.to_owned(), |product| product.name.clone())
    }

    /// The meter of a price, if it has one, and its rate in the subscription's currency.
    pub(super) fn rate_of(&self, subscription: usize, price: &str) -> (Option<usize>, super::model::Rate) {
        let row = self.prices.get(price).expect("items name prices, and prices keep their rows");
        let rate = row.rate_in(&self.subscriptions[subscription].currency).unwrap_or(&row.rate).clone();
        (row.meter.as_deref().and_then(|meter| self.meters.position(meter)), rate)
    }

    /// Makes a draft, which becomes its subscription's newest invoice, and tells of it.
    pub(super) fn draft(&mut self, draft: Draft, act: Act) -> usize {
        let id = self.ids.alphanumeric("in_1", 23);
        let customer = self.customers[draft.customer].id.clone();
        let (subscription, subscription_metadata) = match draft.subscription {
            None => (None, Metadata::new()),
            Some(position) => {
                let row = &self.subscriptions[position];
                (Some(row.id.clone()), row.metadata.clone())
            }
        };
        let mut lines = if draft.takes_waiting {
            self.take_waiting(draft.customer, subscription.as_deref(), &draft.currency, &id)
        } else {
            Vec::new()
        };
        lines.extend(draft.lines);
        let invoice = self.invoices.insert(Invoice {
            id: id.clone(),
            customer,
            subscription,
            subscription_metadata,
            proration_date: draft.proration_date,
            status: InvoiceStatus::Draft,
            billing_reason: draft.reason,
            collection_method: draft.collection_method,
            currency: draft.currency.clone(),
            period_start: draft.period.0,
            period_end: draft.period.1,
            lines,
            starting_balance: 0,
            ending_balance: None,
            amount_due: 0,
            amount_paid: 0,
            paid_out_of_band: false,
            attempted: false,
            attempt_count: 0,
            next_payment_attempt: None,
            auto_advance: true,
            automatically_finalizes_at: None,
            dunning_ends_at: None,
            due_date: draft.days_until_due.map(|days| act.secs().saturating_add(days.saturating_mul(DAY))),
            is_overdue: false,
            number: None,
            default_payment_method: None,
            description: None,
            metadata: Metadata::new(),
            created: act.secs(),
            finalized_at: None,
            paid_at: None,
            voided_at: None,
            marked_uncollectible_at: None,
            hosted_key: self.ids.alphanumeric("test_", 40),
            payment_intent: None,
            payments: Vec::new(),
            customer_email: self.customers[draft.customer].email.clone(),
            customer_name: self.customers[draft.customer].name.clone(),
            deleted: false,
        });
        let owner = &mut self.customers[draft.customer];
        owner.currency.get_or_insert(draft.currency);
        if let Some(position) = draft.subscription {
            self.subscriptions[position].latest_invoice = Some(id);
        }
        self.reckon(invoice);
        self.emit("invoice.created", Object::Invoice(invoice), None, act);
        invoice
    }

    /// Lets a draft be finalised by itself, or wait for somebody.
    pub(super) fn let_wait(&mut self, invoice: usize, auto_advance: bool, act: Act) {
        let row = &mut self.invoices[invoice];
        row.auto_advance = auto_advance;
        row.automatically_finalizes_at = auto_advance.then_some(act.secs().saturating_add(DRAFT_SECONDS));
        if auto_advance && row.collection_method == CollectionMethod::ChargeAutomatically {
            row.next_payment_attempt = row.automatically_finalizes_at;
        }
        self.plan_invoice(invoice);
    }

    /// The items that wait for an invoice of the subscription, by position: its own, and those of nobody.
    pub(super) fn waiting_items(&self, customer: usize, subscription: Option<&str>, currency: &str) -> Vec<usize> {
        let items = self.invoice_items.linked("customer", &self.customers[customer].id).iter().copied();
        items
            .filter(|position| {
                let item = &self.invoice_items[*position];
                let belongs = item.subscription.is_none() || item.subscription.as_deref() == subscription;
                item.invoice.is_none() && !item.deleted && belongs && item.currency == currency
            })
            .collect()
    }

    fn take_waiting(&mut self, customer: usize, subscription: Option<&str>, currency: &str, id: &str) -> Vec<Line> {
        let waiting = self.waiting_items(customer, subscription, currency);
        waiting.into_iter().map(|position| self.bill_item(position, id)).collect()
    }

    /// Puts an item on an invoice: its line.
    pub(super) fn bill_item(&mut self, position: usize, invoice: &str) -> Line {
        let id = self.ids.alphanumeric("il_1", 23);
        let item = &mut self.invoice_items[position];
        item.invoice = Some(invoice.to_owned());
        Line {
            id,
            amount: item.amount,
            description: item.description.clone(),
            period_start: item.period_start,
            period_end: item.period_end,
            price: item.price.clone(),
            unit_amount: item.unit_amount,
            quantity: Some(item.quantity),
            parent: LineParent::InvoiceItem {
                invoice_item: item.id.clone(),
                proration: item.proration,
                credited: item.credited.clone(),
            },
            subscription: item.subscription.clone(),
            subscription_item: item.subscription_item.clone(),
            metadata: item.metadata.clone(),
        }
    }

    /// Lets a charge or a credit wait for the next invoice, and tells of it.
    pub(super) fn insert_item(&mut self, item: InvoiceItem, act: Act) -> usize {
        let position = self.invoice_items.insert(item);
        self.emit("invoiceitem.created", Object::InvoiceItem(position), None, act);
        position
    }
}

/// A price has no rate in the currency that everything else is in; `param` names the price in the request.
///
/// Source: no documentation shows the words; they are what people report of `POST /v1/checkout/sessions` and
/// `POST /v1/subscription_items`, the latter with the price as its `param`.
pub(super) fn no_such_currency(price: &Price, currency: &str, param: impl Into<String>) -> Refusal {
    let known: Vec<_> = [&price.currency].into_iter().chain(price.currency_options.keys()).collect();
    let known: Vec<_> = known.into_iter().map(|currency| format!("`{currency}`")).collect();
    let message = format!(
        "The price specified only supports {}. This doesn't match the expected currency: `{currency}`.",
        known.join(", ")
    );
    Refusal::wrong_value(param, message)
}
