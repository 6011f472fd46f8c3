//! The rules, with exact cents and instants.

mod changes;
mod checkout;
mod cycle;

use super::calendar::DAY;
use super::creation::{NewItem, NewSubscription};
use super::customers::CustomerInput;
use super::model::{Invoice, Subscription};
use super::{Account, Act, AfterDunning, Cause, Settings};
use crate::ids::Ids;
use crate::moment::Moment;

/// 2026-01-01T00:00:00Z; the first month has 31 days.
pub(super) const START: i64 = 1_767_225_600;
pub(super) const MONTH: i64 = 31 * DAY;

pub(super) fn account() -> Account {
    let settings = Settings { account_id: "acct_test".into(), after_dunning: AfterDunning::Cancel };
    Account::new("http://127.0.0.1", settings, Ids::new(1), Moment::from_secs(START))
}

pub(super) fn at(secs: i64) -> Act {
    Act::new(Moment::from_secs(secs), Cause::Api)
}

/// A customer whose default is this token; none where it is empty.
pub(super) fn customer(account: &mut Account, token: &str) -> usize {
    let position = account.create_customer(CustomerInput::default(), at(START)).unwrap();
    if !token.is_empty() {
        let method = account.new_payment_method(token, at(START)).unwrap();
        account.attach(method, position, at(START)).unwrap();
        let id = account.payment_methods[method].id.clone();
        let input = CustomerInput { default_payment_method: Some(Some(id)), ..CustomerInput::default() };
        account.update_customer(position, input, at(START)).unwrap();
    }
    position
}

pub(super) fn item(price: &str, quantity: i64) -> NewItem {
    NewItem { price: price.into(), quantity: Some(quantity), ..NewItem::default() }
}

/// A running subscription of one item, paid with a good card.
pub(super) fn subscribed(account: &mut Account, price: &str, quantity: i64) -> usize {
    let customer = customer(account, "pm_card_visa");
    account.create_subscription(NewSubscription::of(customer, vec![item(price, quantity)]), at(START)).unwrap()
}

pub(super) fn invoices_of<'a>(account: &'a Account, subscription: &Subscription) -> Vec<&'a Invoice> {
    account
        .invoices
        .linked("subscription", &subscription.id)
        .iter()
        .map(|position| &account.invoices[*position])
        .collect()
}

pub(super) fn latest(account: &Account, position: usize) -> &Invoice {
    invoices_of(account, &account.subscriptions[position]).pop().unwrap()
}

pub(super) fn amounts(invoice: &Invoice) -> Vec<i64> {
    invoice.lines.iter().map(|line| line.amount).collect()
}

pub(super) fn run(account: &mut Account, until: i64) {
    account.act_due(Moment::from_secs(until));
}

/// The types of the events since the last call.
pub(super) fn news(account: &mut Account) -> Vec<&'static str> {
    account.take_fresh_events().into_iter().map(|event| account.events[event].event_type).collect()
}
