//! What a change inside a paid period costs.
//!
//! For every item that changes, the rest of what it was is credited and the rest of what it becomes is charged, by the
//! second and each rounded half up. In flexible billing mode the credit is a part of what was charged for the item; in
//! classic mode a part of what its price is now.
//!
//! Source: Stripe docs, "Prorations", "Compare classic and flexible billing mode"; how the provider rounds each line is
//! not documented.

use super::calendar::last_boundary;
use super::model::{Billed, BillingMode, Credited, InvoiceItem, SubscriptionItem};
use super::{Account, Act};

/// `amount * part / whole`, rounded half up; nothing outside of the whole.
pub(super) fn share(amount: i64, part: i64, whole: i64) -> i64 {
    if whole <= 0 || part <= 0 {
        return 0;
    }
    let share =
        (i128::from(amount) * i128::from(part.min(whole)) * 2 + i128::from(whole)).div_euclid(i128::from(whole) * 2);
    i64::try_from(share).unwrap_or(i64::MAX)
}

impl Account {
    /// The length of a whole period, of which the current one may be a part, in seconds.
    pub(super) fn whole_period(&self, subscription: usize) -> i64 {
        let row = &self.subscriptions[subscription];
        row.period_end - last_boundary(row.anchor, row.interval, row.period_end - 1)
    }

    /// Credits the rest of an item from an instant on. Nothing where it was not charged for.
    pub(super) fn credit_rest(&mut self, subscription: usize, item: &SubscriptionItem, at: i64, act: Act) {
        let Some(billed) = item.billed.filter(|billed| billed.to > at) else { return };
        let (meter, rate) = self.rate_of(subscription, &item.price);
        if meter.is_some() {
            return;
        }
        let row = &self.subscriptions[subscription];
        let amount = match row.billing_mode {
            BillingMode::Flexible => share(billed.amount, billed.to - at.max(billed.from), billed.to - billed.from),
            BillingMode::Classic => {
                share(rate.amount(item.quantity.unwrap_or(1)), billed.to - at, self.whole_period(subscription))
            }
        };
        let described = self.describe(&item.price, &row.currency, item.quantity.unwrap_or(1));
        let description = format!("Unused time on {described}");
        let credited = self.charged_by(subscription, &item.id);
        self.prorate(subscription, item, -amount, (at, billed.to), description, credited, act);
    }

    /// Charges the rest of the period for an item from an instant on, and notes it at the item.
    pub(super) fn charge_rest(&mut self, subscription: usize, item: &mut SubscriptionItem, at: i64, act: Act) {
        let (meter, rate) = self.rate_of(subscription, &item.price);
        if meter.is_some() {
            return;
        }
        let row = &self.subscriptions[subscription];
        let end = row.period_end;
        let quantity = item.quantity.unwrap_or(1);
        let amount = share(rate.amount(quantity), end - at, self.whole_period(subscription));
        item.billed = Some(Billed { amount, from: at, to: end });
        let description = format!("Remaining time on {}", self.describe(&item.price, &row.currency, quantity));
        self.prorate(subscription, item, amount, (at, end), description, None, act);
    }

    #[expect(clippy::too_many_arguments, reason = "an invoice item has that many facts of its own")]
    fn prorate(
        &mut self,
        subscription: usize,
        item: &SubscriptionItem,
        amount: i64,
        (from, to): (i64, i64),
        description: String,
        credited: Option<Credited>,
        act: Act,
    ) {
        if amount == 0 {
            return;
        }
        let unit_amount = self.rate_of(subscription, &item.price).1.unit_amount();
        let row = &self.subscriptions[subscription];
        let item = InvoiceItem {
            id: self.ids.alphanumeric("ii_1", 23),
            customer: row.customer.clone(),
            subscription: Some(row.id.clone()),
            subscription_item: Some(item.id.clone()),
            currency: row.currency.clone(),
            amount,
            description,
            period_start: from,
            period_end: to,
            price: Some(item.price.clone()),
            unit_amount: unit_amount.unwrap_or(amount),
            quantity: item.quantity.unwrap_or(1),
            proration: true,
            credited,
            invoice: None,
            metadata: item.metadata.clone(),
            created: act.secs(),
            deleted: false,
        };
        self.insert_item(item, act);
    }

    /// Which lines charged for an item last.
    fn charged_by(&self, subscription: usize, item: &str) -> Option<Credited> {
        let invoices = self.invoices.linked("subscription", &self.subscriptions[subscription].id);
        invoices.iter().rev().find_map(|invoice| {
            let invoice = &self.invoices[*invoice];
            let charges = invoice.lines.iter().filter(|line| line.amount > 0);
            let lines: Vec<String> = charges
                .filter(|line| line.subscription_item.as_deref() == Some(item))
                .map(|line| line.id.clone())
                .collect();
            (!lines.is_empty()).then(|| Credited { invoice: invoice.id.clone(), lines })
        })
    }
}

#[cfg(test)]
mod unit {
    use super::share;

    #[test]
    fn shares_are_rounded_half_up() {
        assert_eq!(share(100, 1, 2), 50);
        assert_eq!(share(5, 1, 2), 3);
        assert_eq!(share(100, 3, 0), 0);
        assert_eq!(share(100, 9, 3), 100);
        assert_eq!(share(100, -1, 3), 0);
    }
}
