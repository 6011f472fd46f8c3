//! Creation, renewal, dunning, trials, pauses, clocks.

use super::super::calendar::{DAY, HOUR};
use super::super::collection::Pay;
use super::super::creation::NewSubscription;
use super::super::customers::CustomerInput;
use super::super::ending::CancelNow;
use super::super::model::{
    BillingReason, ClockStatus, CollectionMethod, IntentStatus, InvoiceStatus, MissingMethod, Paused, PaymentBehavior,
    Status,
};
use super::super::pauses::{Pause, Resume};
use super::super::{AfterDunning, Cause};
use super::*;

#[test]
fn a_subscription_is_paid_at_once_and_renewed_an_hour_into_the_next_period() {
    let mut account = account();
    let sub = subscribed(&mut account, "price_scale_monthly", 3);
    assert_eq!(account.subscriptions[sub].status, Status::Active);
    assert_eq!(account.subscriptions[sub].period_end, START + MONTH);
    let first = latest(&account, sub);
    assert_eq!(
        (first.status, first.amount_paid, first.billing_reason),
        (InvoiceStatus::Paid, 4_500, BillingReason::SubscriptionCreate)
    );
    let told = news(&mut account);
    for event in [
        "invoice.created",
        "invoice.finalized",
        "payment_intent.succeeded",
        "invoice_payment.paid",
        "invoice.paid",
        "customer.subscription.created",
    ] {
        assert_eq!(told.iter().filter(|known| **known == event).count(), 1, "{event} in {told:?}");
    }
    assert!(!told.contains(&"customer.subscription.updated"));

    run(&mut account, START + MONTH);
    assert_eq!(account.subscriptions[sub].period_start, START + MONTH);
    assert_eq!(account.subscriptions[sub].period_end, START + MONTH + 28 * DAY);
    assert_eq!(latest(&account, sub).status, InvoiceStatus::Draft);
    assert_eq!(news(&mut account), ["invoice.created", "customer.subscription.updated"]);
    run(&mut account, START + MONTH + HOUR - 1);
    assert_eq!(latest(&account, sub).status, InvoiceStatus::Draft);
    run(&mut account, START + MONTH + HOUR);
    let renewal = latest(&account, sub);
    assert_eq!((renewal.status, renewal.amount_paid, renewal.attempt_count), (InvoiceStatus::Paid, 4_500, 1));
    assert_eq!((renewal.period_start, renewal.period_end), (START, START + MONTH));
    assert_eq!(renewal.lines[0].period_end, START + MONTH + 28 * DAY);
}

#[test]
fn eight_tries_in_two_weeks_and_then_the_end_by_setting() {
    for (setting, ends) in [
        (AfterDunning::Cancel, Status::Canceled),
        (AfterDunning::MarkUnpaid, Status::Unpaid),
        (AfterDunning::LeavePastDue, Status::PastDue),
    ] {
        let mut account = account();
        account.settings.after_dunning = setting;
        let sub = subscribed(&mut account, "price_growth_monthly", 1);
        let method = account.new_payment_method("pm_card_chargeCustomerFail", at(START)).unwrap();
        let owner = account.customer_of(sub);
        account.attach(method, owner, at(START)).unwrap();
        account.customers[owner].default_payment_method = Some(account.payment_methods[method].id.clone());
        let first = START + MONTH + HOUR;
        run(&mut account, first);
        assert_eq!(account.subscriptions[sub].status, Status::PastDue);
        assert_eq!(latest(&account, sub).next_payment_attempt, Some(first + DAY));
        for (day, count, next) in [(1, 2, Some(3)), (3, 3, Some(5)), (11, 7, Some(14)), (14, 8, None)] {
            run(&mut account, first + day * DAY);
            let row = latest(&account, sub);
            assert_eq!((row.attempt_count, row.next_payment_attempt), (count, next.map(|day| first + day * DAY)));
        }
        let row = &account.subscriptions[sub];
        assert_eq!(row.status, ends);
        assert_eq!(row.cancellation.reason == Some("payment_failed"), ends == Status::Canceled);
        let told = news(&mut account);
        assert_eq!(told.iter().filter(|event| **event == "invoice.payment_failed").count(), 8);
        if ends == Status::Unpaid {
            run(&mut account, first + 40 * DAY);
            assert_eq!(latest(&account, sub).status, InvoiceStatus::Draft);
            let open = account.invoices.position(&invoices_of(&account, &account.subscriptions[sub])[1].id).unwrap();
            account.pay_invoice(open, Pay { paid_out_of_band: true, ..Pay::default() }, at(first + 41 * DAY)).unwrap();
            assert_eq!(account.subscriptions[sub].status, Status::Active);
            let told = news(&mut account);
            assert!(told.contains(&"invoice.paid") && !told.contains(&"invoice.payment_succeeded"));
        }
    }
}

#[test]
fn a_failure_that_was_asked_for_is_used_once_and_a_retry_recovers() {
    let mut account = account();
    let sub = subscribed(&mut account, "price_starter_monthly", 1);
    account.subscriptions[sub].fail_next_payment = true;
    run(&mut account, START + MONTH + HOUR);
    assert_eq!(account.subscriptions[sub].status, Status::PastDue);
    run(&mut account, START + MONTH + HOUR + DAY);
    assert_eq!(account.subscriptions[sub].status, Status::Active);
    assert_eq!(latest(&account, sub).amount_paid, 1_900);
}

#[test]
fn an_incomplete_subscription_expires_with_its_invoice_after_23_hours() {
    let mut account = account();
    let owner = customer(&mut account, "pm_card_chargeCustomerFail");
    let new = NewSubscription::of(owner, vec![item("price_growth_monthly", 1)]);
    let sub = account.create_subscription(new.clone(), at(START)).unwrap();
    assert_eq!(account.subscriptions[sub].status, Status::Incomplete);
    run(&mut account, START + 23 * HOUR - 1);
    assert_eq!(account.subscriptions[sub].status, Status::Incomplete);
    run(&mut account, START + 23 * HOUR);
    assert_eq!(account.subscriptions[sub].status, Status::IncompleteExpired);
    assert_eq!(latest(&account, sub).status, InvoiceStatus::Void);

    let known = account.subscriptions.len();
    let must_pay = NewSubscription { payment_behavior: PaymentBehavior::ErrorIfIncomplete, ..new };
    let refusal = account.create_subscription(must_pay, at(START)).unwrap_err();
    assert_eq!((refusal.status, refusal.code), (402, Some("card_declined")));
    let nobody = customer(&mut account, "");
    let refusal = account
        .create_subscription(NewSubscription::of(nobody, vec![item("price_growth_monthly", 1)]), at(START))
        .unwrap_err();
    assert_eq!((refusal.status, refusal.code), (400, Some("resource_missing")));
    assert_eq!(account.subscriptions.len(), known);
}

#[test]
fn a_first_payment_can_wait_for_the_customer() {
    let mut account = account();
    let owner = customer(&mut account, "");
    let mut new = NewSubscription::of(owner, vec![item("price_growth_monthly", 1)]);
    new.payment_behavior = PaymentBehavior::DefaultIncomplete;
    new.saves_default_method = true;
    let sub = account.create_subscription(new, at(START)).unwrap();
    assert_eq!(account.subscriptions[sub].status, Status::Incomplete);
    let intent = account.payment_intents.position(latest(&account, sub).payment_intent.as_deref().unwrap()).unwrap();
    let method = account.new_payment_method("pm_card_authenticationRequired", at(START)).unwrap();
    account.confirm_payment_intent(intent, Some(method), None, at(START + 60)).unwrap();
    assert_eq!(account.payment_intents[intent].status, IntentStatus::RequiresAction);
    let pass = Some(crate::challenge::Challenge::Pass);
    account.confirm_payment_intent(intent, None, pass, at(START + 90)).unwrap();
    assert_eq!(account.subscriptions[sub].status, Status::Active);
    assert_eq!(account.subscriptions[sub].default_payment_method, Some(account.payment_methods[method].id.clone()));
}

#[test]
fn a_trial_reminds_and_ends_as_it_was_told() {
    for (ending, token, status) in [
        (MissingMethod::CreateInvoice, "pm_card_visa", Status::Active),
        (MissingMethod::CreateInvoice, "", Status::PastDue),
        (MissingMethod::Pause, "", Status::Paused),
        (MissingMethod::Cancel, "", Status::Canceled),
        (MissingMethod::Cancel, "pm_card_visa", Status::Active),
    ] {
        let mut account = account();
        let owner = customer(&mut account, token);
        let mut new = NewSubscription::of(owner, vec![item("price_growth_monthly", 1)]);
        new.trial_period_days = Some(14);
        new.missing_method = ending;
        let sub = account.create_subscription(new, at(START)).unwrap();
        let row = &account.subscriptions[sub];
        assert_eq!((row.status, row.period_end, row.anchor), (Status::Trialing, START + 14 * DAY, START + 14 * DAY));
        assert_eq!(row.pending_setup_intent.is_none(), !token.is_empty());
        assert_eq!((latest(&account, sub).status, latest(&account, sub).amount_due), (InvoiceStatus::Paid, 0));
        run(&mut account, START + 11 * DAY - 1);
        assert!(!news(&mut account).contains(&"customer.subscription.trial_will_end"));
        run(&mut account, START + 11 * DAY);
        assert_eq!(news(&mut account), ["customer.subscription.trial_will_end"]);
        run(&mut account, START + 14 * DAY + HOUR);
        assert_eq!(account.subscriptions[sub].status, status);
        if status == Status::Active {
            assert_eq!(latest(&account, sub).amount_paid, 4_900);
            assert_eq!(account.subscriptions[sub].period_end, START + 45 * DAY);
        }
        if status == Status::PastDue {
            assert_eq!(latest(&account, sub).next_payment_attempt, None);
        }
    }
}

#[test]
fn a_pause_stops_time_and_credits_what_is_unused() {
    let mut account = account();
    let sub = subscribed(&mut account, "price_scale_monthly", 2);
    let half = START + MONTH / 2;
    account.pause_subscription(sub, Pause { invoices: true, ..Pause::default() }, at(half)).unwrap();
    let owner = account.customer_of(sub);
    assert_eq!(account.customers[owner].balance, -1_500);
    assert_eq!(account.subscriptions[sub].paused, Some((Paused::Requested, half)));
    run(&mut account, half + 100 * DAY);
    assert_eq!(account.subscriptions[sub].status, Status::Paused);
    news(&mut account);
    account.resume_subscription(sub, Resume::default(), at(half + 100 * DAY)).unwrap();
    assert_eq!(account.subscriptions[sub].status, Status::Active);
    assert_eq!((latest(&account, sub).amount_due, latest(&account, sub).amount_paid), (1_500, 1_500));
    assert!(news(&mut account).contains(&"customer.subscription.resumed"));

    account.subscriptions[sub].fail_next_payment = true;
    account.pause_subscription(sub, Pause::default(), at(half + 110 * DAY)).unwrap();
    let only = Resume { only_when_paid: true, ..Resume::default() };
    account.resume_subscription(sub, only, at(half + 111 * DAY)).unwrap();
    assert_eq!(account.subscriptions[sub].status, Status::Paused);
    run(&mut account, half + 112 * DAY);
    assert_eq!(account.subscriptions[sub].status, Status::Paused);
    assert_eq!(latest(&account, sub).status, InvoiceStatus::Void);
}

#[test]
fn an_invoice_that_is_sent_becomes_overdue() {
    let mut account = account();
    let owner = customer(&mut account, "");
    let mut new = NewSubscription::of(owner, vec![item("price_growth_monthly", 1)]);
    new.collection_method = CollectionMethod::SendInvoice;
    new.days_until_due = Some(7);
    let sub = account.create_subscription(new, at(START)).unwrap();
    assert_eq!(account.subscriptions[sub].status, Status::Active);
    run(&mut account, START + 7 * DAY);
    assert_eq!(account.subscriptions[sub].status, Status::PastDue);
    assert!(news(&mut account).contains(&"invoice.overdue"));
}

#[test]
fn cancelling_credits_what_is_asked_for() {
    let mut account = account();
    let sub = subscribed(&mut account, "price_scale_monthly", 2);
    let cancel = CancelNow { invoice_now: true, prorates: true, ..CancelNow::default() };
    account.cancel_subscription(sub, cancel, at(START + MONTH / 2)).unwrap();
    assert_eq!(amounts(latest(&account, sub)), [-1_500]);
    let owner = account.customer_of(sub);
    assert_eq!(account.customers[owner].balance, -1_500);
    assert_eq!(account.subscriptions[sub].status, Status::Canceled);
    assert_eq!(news(&mut account).last(), Some(&"customer.subscription.deleted"));
    assert_eq!(account.cancel_subscription(sub, CancelNow::default(), at(START + MONTH)).unwrap_err().status, 404);
}

#[test]
fn a_test_clock_has_a_time_of_its_own() {
    let mut account = account();
    let clock = account.create_clock(START + 100 * DAY, None, at(START)).unwrap();
    let id = account.test_clocks[clock].id.clone();
    let input =
        CustomerInput { test_clock: Some(id), payment_method: Some("pm_card_visa".into()), ..CustomerInput::default() };
    let owner = account.create_customer(input, at(START)).unwrap();
    let method = account.methods_of(owner)[0];
    account.customers[owner].default_payment_method = Some(account.payment_methods[method].id.clone());
    let new = NewSubscription::of(owner, vec![item("price_growth_monthly", 1)]);
    let sub = account.create_subscription(new, at(START)).unwrap();
    assert_eq!(account.subscriptions[sub].created, START + 100 * DAY);
    run(&mut account, START + 300 * DAY);
    assert_eq!(invoices_of(&account, &account.subscriptions[sub]).len(), 1);
    let too_far = account.advance_clock(clock, START + 200 * DAY, at(START)).unwrap_err();
    assert_eq!(too_far.param.as_deref(), Some("frozen_time"));
    account.advance_clock(clock, START + 133 * DAY, at(START + 300 * DAY)).unwrap();
    assert_eq!(account.test_clocks[clock].status, ClockStatus::Advancing);
    run(&mut account, START + 300 * DAY);
    assert_eq!(account.test_clocks[clock].status, ClockStatus::Ready);
    assert_eq!(latest(&account, sub).status, InvoiceStatus::Paid);
    assert_eq!(invoices_of(&account, &account.subscriptions[sub]).len(), 2);
    account.delete_clock(clock, Act::new(Moment::from_secs(START), Cause::Api));
    assert!(account.customers[owner].deleted);
    assert_eq!(account.subscriptions[sub].status, Status::Canceled);
}
