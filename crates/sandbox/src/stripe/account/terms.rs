//! What may be subscribed to, and for how long it may be tried.
//!
//! Source: Stripe API reference, "Create a subscription".

use super::calendar::{DAY, add};
use super::creation::{NewItem, NewSubscription, TrialEnd};
use super::ending::CancelAt;
use super::invoicing::no_such_currency;
use super::model::Interval;
use super::refusal::Refusal;
use super::{Account, Act, Outcome};

/// The longest trial, in seconds.
const LONGEST_TRIAL: i64 = 2 * 366 * DAY;

impl Account {
    /// What is not allowed in a new subscription.
    pub(super) fn check_new(&self, new: &NewSubscription, act: Act) -> Outcome<()> {
        let (_, currency) = self.check_items(&new.items, new.currency.as_deref())?;
        self.check_currency(&self.customers[new.customer].id, &currency)?;
        for (index, item) in new.add_invoice_items.iter().enumerate() {
            let param = format!("add_invoice_items[{index}][price]");
            let price = self.live_price(&item.price, &param)?;
            if self.prices[price].interval.is_some() {
                let message = "The price specified is set to `type=recurring` but this field only accepts prices with \
                               `type=one_time`.";
                return Err(Refusal::wrong_value(param, message));
            }
        }
        if let Some(id) = &new.default_payment_method {
            let owner = self.payment_methods.get(id).and_then(|method| method.customer.as_ref());
            if owner != Some(&self.customers[new.customer].id) {
                return Err(Refusal::missing_reference("PaymentMethod", id, "default_payment_method"));
            }
        }
        if let (Some(TrialEnd::At(_)), Some(_)) = (new.trial_end, new.trial_period_days) {
            return Err(Refusal::parameters_exclusive("trial_end", "trial_period_days"));
        }
        if let Some(TrialEnd::At(at)) = new.trial_end {
            check_trial_end(at, act)?;
        }
        if let Some(anchor) = new.billing_cycle_anchor {
            let interval = self.prices[self.live_price(&new.items[0].price, "items[0][price]")?].interval;
            let farthest = interval.map_or(act.secs(), |interval| add(act.secs(), interval, 1));
            if anchor <= act.secs() || anchor > farthest {
                let message =
                    "billing_cycle_anchor must be in the future, and no later than the next natural billing date.";
                return Err(Refusal::wrong_value("billing_cycle_anchor", message));
            }
        }
        if let Some(CancelAt::At(at)) = new.cancel_at
            && at <= act.secs()
        {
            return Err(Refusal::wrong_value("cancel_at", "cancel_at must be in the future."));
        }
        Ok(())
    }

    /// The interval and the currency of some items, which must agree.
    pub(super) fn check_items(&self, items: &[NewItem], currency: Option<&str>) -> Outcome<(Interval, String)> {
        if items.is_empty() {
            return Err(Refusal::parameter_missing("items"));
        }
        let mut agreed: Option<(Interval, String)> = None;
        for (index, item) in items.iter().enumerate() {
            let param = format!("items[{index}][price]");
            let row = &self.prices[self.live_price(&item.price, &param)?];
            if !row.active && row.nickname.is_some() {
                let message =
                    format!("The price specified is inactive. This field only accepts active prices: {}", row.id);
                return Err(Refusal::wrong_value(param, message));
            }
            let Some(interval) = row.interval else {
                let message = "The price specified is set to `type=one_time` but this field only accepts prices with \
                               `type=recurring`.";
                return Err(Refusal::wrong_value(param, message));
            };
            let currency = currency.unwrap_or(&row.currency);
            if row.rate_in(currency).is_none() {
                return Err(no_such_currency(row, currency, param));
            }
            if items[..index].iter().any(|other| other.price == item.price) {
                let message = "Cannot add multiple subscription items with the same plan.";
                return Err(Refusal::wrong_value(param, message));
            }
            if item.quantity.is_some_and(|quantity| quantity < 0) {
                let message = "This value must be greater than or equal to 0.";
                return Err(
                    Refusal::coded("parameter_invalid_integer", message).about(format!("items[{index}][quantity]"))
                );
            }
            match &agreed {
                None => agreed = Some((interval, currency.to_owned())),
                Some((known, _)) if *known != interval => {
                    let message = "All items of a subscription have the same billing interval in this sandbox.";
                    return Err(Refusal::wrong_value(param, message));
                }
                Some((_, known)) if known != currency => return Err(no_such_currency(row, known, param)),
                Some(_) => {}
            }
        }
        agreed.ok_or_else(|| Refusal::parameter_missing("items"))
    }
}

pub(super) fn check_trial_end(at: i64, act: Act) -> Outcome<()> {
    if at <= act.secs() {
        let message = "Invalid timestamp: must be in the future. Use `trial_end=now` to end a trial at once.";
        return Err(Refusal::wrong_value("trial_end", message));
    }
    if at > act.secs().saturating_add(LONGEST_TRIAL) {
        return Err(Refusal::wrong_value("trial_end", "The maximum duration of a trial is two years (730 days)."));
    }
    Ok(())
}
