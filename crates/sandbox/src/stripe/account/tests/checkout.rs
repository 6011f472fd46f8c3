//! Sessions: completed, declined, asked for, expired, paid later.

use super::super::calendar::{DAY, HOUR};
use super::super::checkout::{Completion, NewSession, NotFinished};
use super::super::model::{CheckoutMode, IntentStatus, SessionPayment, SessionStatus, Status, SubscriptionData};
use super::*;
use crate::challenge::Challenge;

fn session(account: &mut Account, mode: CheckoutMode, prices: &[&str]) -> usize {
    let mut new = NewSession::of(mode);
    new.lines = prices.iter().map(|price| item(price, 1)).collect();
    new.success_url = Some("https://shop.example/done?s={CHECKOUT_SESSION_ID}".into());
    new.customer_email = Some("a@b.example".into());
    new.subscription_data.metadata.insert("organizationId".into(), "org_1".into());
    account.create_session(new, at(START)).unwrap()
}

fn with(number: &str, challenge: Option<Challenge>) -> Completion {
    Completion { number: Some(number.into()), challenge, ..Completion::default() }
}

#[test]
fn a_subscription_comes_to_be_when_it_is_paid() {
    let mut account = account();
    let page = session(&mut account, CheckoutMode::Subscription, &["price_growth_monthly", "price_onboarding"]);
    assert_eq!(account.checkout_sessions[page].amount_total, Some(54_800));
    for declined in ["4000000000000002", "4000 0000 0000 0341", "1234"] {
        let Err(NotFinished::Declined(refusal)) = account.complete_session(page, with(declined, None), at(START))
        else {
            panic!("{declined} was taken");
        };
        assert_eq!(refusal.status, 402);
    }
    let asks = "4000002760003184";
    assert!(matches!(account.complete_session(page, with(asks, None), at(START)), Err(NotFinished::Challenge)));
    let failed = account.complete_session(page, with(asks, Some(Challenge::Fail)), at(START));
    assert!(matches!(failed, Err(NotFinished::Declined(_))));
    assert_eq!((account.customers.len(), account.subscriptions.len()), (0, 0));
    assert!(account.session_url(page).is_some());
    account.complete_session(page, with(asks, Some(Challenge::Pass)), at(START + 60)).unwrap();
    let row = &account.checkout_sessions[page];
    assert_eq!((row.status, row.payment_status), (SessionStatus::Complete, SessionPayment::Paid));
    assert_eq!(account.session_url(page), None);
    assert!(account.session_return_url(page).unwrap().ends_with(&row.id));
    let sub = account.subscriptions.position(row.subscription.as_deref().unwrap()).unwrap();
    assert_eq!(account.subscriptions[sub].status, Status::Active);
    assert_eq!(latest(&account, sub).amount_paid, 54_800);
    assert_eq!(account.organization_of_subscription(sub).as_deref(), Some("org_1"));
    assert_eq!(news(&mut account).last(), Some(&"checkout.session.completed"));
    let again = account.complete_session(page, with("4242424242424242", None), at(START + 61));
    assert!(matches!(again, Err(NotFinished::Over(_))));
}

#[test]
fn a_card_that_fails_later_can_begin_a_trial() {
    let mut account = account();
    let mut new = NewSession::of(CheckoutMode::Subscription);
    new.lines = vec![item("price_growth_monthly", 1)];
    new.subscription_data = SubscriptionData { trial_period_days: Some(14), ..SubscriptionData::default() };
    let page = account.create_session(new, at(START)).unwrap();
    assert_eq!(account.checkout_sessions[page].payment_status, SessionPayment::NoPaymentRequired);
    account.complete_session(page, with("4000000000000341", None), at(START)).unwrap();
    assert_eq!(account.subscriptions[0].status, Status::Trialing);
    run(&mut account, START + 14 * DAY + HOUR);
    assert_eq!(account.subscriptions[0].status, Status::PastDue);
}

#[test]
fn a_bank_decides_days_later() {
    for (number, pays) in [("000123456789", true), ("000111111116", false)] {
        let mut account = account();
        let page = session(&mut account, CheckoutMode::Subscription, &["price_growth_monthly"]);
        account.complete_session(page, with(number, None), at(START)).unwrap();
        assert_eq!(account.checkout_sessions[page].payment_status, SessionPayment::Unpaid);
        assert_eq!(account.subscriptions[0].status, Status::Active);
        news(&mut account);
        run(&mut account, START + 3 * DAY);
        let (payment, status, event) = if pays {
            (SessionPayment::Paid, Status::Active, "checkout.session.async_payment_succeeded")
        } else {
            (SessionPayment::Unpaid, Status::PastDue, "checkout.session.async_payment_failed")
        };
        assert_eq!(account.checkout_sessions[page].payment_status, payment);
        assert_eq!(account.subscriptions[0].status, status);
        assert!(news(&mut account).contains(&event));
    }
}

#[test]
fn one_time_payments_and_set_ups() {
    let mut account = account();
    let page = session(&mut account, CheckoutMode::Payment, &["price_onboarding"]);
    account.complete_session(page, with("4242424242424242", None), at(START)).unwrap();
    assert_eq!(account.payment_intents[0].amount_received, 49_900);
    assert_eq!(account.customers.len(), 0);

    let owner = customer(&mut account, "");
    let mut new = NewSession::of(CheckoutMode::Setup);
    new.customer = Some(owner);
    let page = account.create_session(new, at(START)).unwrap();
    account.complete_session(page, with("5555555555554444", None), at(START)).unwrap();
    assert_eq!(account.setup_intents[0].status, IntentStatus::Succeeded);
    assert_eq!(account.methods_of(owner).len(), 1);
}

#[test]
fn a_session_expires() {
    let mut account = account();
    let page = session(&mut account, CheckoutMode::Subscription, &["price_growth_monthly"]);
    run(&mut account, START + 24 * HOUR);
    assert_eq!(account.checkout_sessions[page].status, SessionStatus::Expired);
    assert_eq!(news(&mut account), ["checkout.session.expired"]);
    assert!(account.expire_session(page, at(START + 25 * HOUR)).is_err());
    let mut new = NewSession::of(CheckoutMode::Subscription);
    new.lines = vec![item("price_growth_monthly", 1)];
    new.expires_at = Some(START + 60);
    assert_eq!(account.create_session(new, at(START)).unwrap_err().param.as_deref(), Some("expires_at"));
}
