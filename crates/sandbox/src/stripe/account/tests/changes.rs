//! Changes, previews, schedules.

use super::super::calendar::{DAY, HOUR};
use super::super::changes::{Change, ItemChange};
use super::super::creation::TrialEnd;
use super::super::ending::CancelAt;
use super::super::model::{
    BillingMode, EndBehavior, InvoiceStatus, PauseBehavior, PauseCollection, PaymentBehavior, ProrationBehavior,
    ScheduleStatus, Status,
};
use super::super::preview::Preview;
use super::super::schedules::{NewPhase, NewSchedule, ScheduleChange};
use super::*;

fn to(account: &Account, sub: usize, price: &str, quantity: i64) -> Change {
    let item = ItemChange {
        id: Some(account.subscriptions[sub].items[0].id.clone()),
        price: Some(price.into()),
        quantity: Some(quantity),
        ..ItemChange::default()
    };
    Change { items: vec![item], ..Change::default() }
}

fn now(mut change: Change) -> Change {
    change.proration_behavior = Some(ProrationBehavior::AlwaysInvoice);
    change
}

#[test]
fn more_seats_cost_the_rest_of_the_period_and_wait_for_the_next_invoice() {
    let mut account = account();
    let sub = subscribed(&mut account, "price_scale_monthly", 2);
    let change = to(&account, sub, "price_scale_monthly", 4);
    let preview = Preview { subscription: Some(sub), change: Some(change.clone()), ..Preview::default() };
    let previewed = account.preview(preview, at(START + MONTH / 2)).unwrap();
    assert_eq!(amounts(&previewed.account.invoices[previewed.invoice]), [-1_500, 3_000, 6_000]);
    assert!(previewed.account.invoices[previewed.invoice].id.starts_with("upcoming_in_"));
    account.update_subscription(sub, change, at(START + MONTH / 2)).unwrap();
    run(&mut account, START + MONTH + HOUR);
    assert_eq!(amounts(latest(&account, sub)), [-1_500, 3_000, 6_000]);
    assert_eq!(latest(&account, sub).amount_paid, 7_500);
}

#[test]
fn a_proration_date_makes_the_charge_equal_to_the_preview() {
    let mut account = account();
    let sub = subscribed(&mut account, "price_starter_monthly", 1);
    let date = START + 10 * DAY;
    let mut change = now(to(&account, sub, "price_growth_monthly", 1));
    change.proration_date = Some(date);
    let preview = Preview { subscription: Some(sub), change: Some(change.clone()), ..Preview::default() };
    let previewed = account.preview(preview, at(date)).unwrap();
    // 21 of 31 days: 1900 and 4900.
    assert_eq!(amounts(&previewed.account.invoices[previewed.invoice]), [-1_287, 3_319]);
    account.update_subscription(sub, change, at(date + 5 * HOUR)).unwrap();
    let row = latest(&account, sub);
    assert_eq!((amounts(row), row.amount_paid), (vec![-1_287, 3_319], 2_032));
    assert!(row.lines.iter().all(super::super::model::Line::is_proration));
    let mut outside = to(&account, sub, "price_scale_monthly", 1);
    outside.proration_date = Some(START - 1);
    let refusal = account.update_subscription(sub, outside, at(date + DAY)).unwrap_err();
    assert_eq!(refusal.param.as_deref(), Some("proration_date"));
}

#[test]
fn another_interval_resets_the_anchor_and_invoices_at_once() {
    let mut account = account();
    let sub = subscribed(&mut account, "price_growth_monthly", 1);
    let half = START + MONTH / 2;
    account.update_subscription(sub, to(&account, sub, "price_growth_yearly", 1), at(half)).unwrap();
    assert_eq!(amounts(latest(&account, sub)), [-2_450, 49_000]);
    assert_eq!(latest(&account, sub).amount_paid, 46_550);
    let row = &account.subscriptions[sub];
    assert_eq!((row.anchor, row.period_start, row.period_end), (half, half, half + 365 * DAY));
}

#[test]
fn an_edited_price_is_credited_as_it_was_charged_or_as_it_is_by_the_mode() {
    for (mode, credit) in [(BillingMode::Flexible, -1_500), (BillingMode::Classic, -2_000)] {
        let mut account = account();
        let sub = subscribed(&mut account, "price_scale_monthly", 2);
        account.subscriptions[sub].billing_mode = mode;
        let price = account.prices.position("price_scale_monthly").unwrap();
        account.reprice(price, 2_000, at(START + DAY));
        let change = now(to(&account, sub, "price_scale_monthly", 1));
        account.update_subscription(sub, change, at(START + MONTH / 2)).unwrap();
        assert_eq!(amounts(latest(&account, sub)), [credit, 1_000]);
        let owner = account.customer_of(sub);
        assert_eq!(account.customers[owner].balance, credit + 1_000);
    }
}

#[test]
fn one_time_prices_wait_in_flexible_mode_and_are_invoiced_at_once_in_classic_mode() {
    for (mode, lines) in
        [(BillingMode::Flexible, vec![-1_900, 4_900]), (BillingMode::Classic, vec![49_900, -1_900, 4_900])]
    {
        let mut account = account();
        let sub = subscribed(&mut account, "price_starter_monthly", 1);
        account.subscriptions[sub].billing_mode = mode;
        let mut change = now(to(&account, sub, "price_growth_monthly", 1));
        change.add_invoice_items = vec![item("price_onboarding", 1)];
        account.update_subscription(sub, change, at(START)).unwrap();
        assert_eq!(amounts(latest(&account, sub)), lines);
        run(&mut account, START + MONTH);
        assert_eq!(latest(&account, sub).lines.len(), if mode == BillingMode::Flexible { 2 } else { 1 });
    }
}

#[test]
fn what_cannot_be_paid_is_refused_or_waits_or_is_past_due() {
    let fails = || {
        let mut account = account();
        let sub = subscribed(&mut account, "price_scale_monthly", 1);
        account.subscriptions[sub].fail_next_payment = true;
        (account, sub)
    };
    let (mut account, sub) = fails();
    let mut change = now(to(&account, sub, "price_scale_monthly", 3));
    change.payment_behavior = Some(PaymentBehavior::ErrorIfIncomplete);
    let known = account.invoices.len();
    assert_eq!(account.update_subscription(sub, change.clone(), at(START + DAY)).unwrap_err().status, 402);
    assert_eq!((account.invoices.len(), account.subscriptions[sub].items[0].quantity), (known, Some(1)));
    account.update_subscription(sub, change, at(START + DAY)).unwrap();
    assert_eq!(account.subscriptions[sub].items[0].quantity, Some(3));

    let (mut account, sub) = fails();
    let mut change = now(to(&account, sub, "price_scale_monthly", 3));
    change.payment_behavior = Some(PaymentBehavior::PendingIfIncomplete);
    account.update_subscription(sub, change.clone(), at(START + DAY)).unwrap();
    let row = &account.subscriptions[sub];
    assert_eq!((row.status, row.items[0].quantity), (Status::Active, Some(1)));
    assert_eq!(row.pending_update.as_ref().unwrap().items.as_ref().unwrap()[0].quantity, Some(3));
    let open = account.invoices.position(&latest(&account, sub).id).unwrap();
    account.pay_invoice(open, super::super::collection::Pay::default(), at(START + DAY + 5)).unwrap();
    assert_eq!(account.subscriptions[sub].items[0].quantity, Some(3));
    assert!(news(&mut account).contains(&"customer.subscription.pending_update_applied"));
    account.subscriptions[sub].fail_next_payment = true;
    let mut change = now(to(&account, sub, "price_scale_monthly", 5));
    change.payment_behavior = Some(PaymentBehavior::PendingIfIncomplete);
    account.update_subscription(sub, change, at(START + 2 * DAY)).unwrap();
    run(&mut account, START + 3 * DAY);
    assert_eq!(account.subscriptions[sub].items[0].quantity, Some(3));
    assert_eq!(latest(&account, sub).status, InvoiceStatus::Void);
    assert!(news(&mut account).contains(&"customer.subscription.pending_update_expired"));

    let (mut account, sub) = fails();
    let change = now(to(&account, sub, "price_scale_monthly", 3));
    account.update_subscription(sub, change, at(START + DAY)).unwrap();
    assert_eq!(account.subscriptions[sub].status, Status::PastDue);
    assert_eq!(account.subscriptions[sub].items[0].quantity, Some(3));
}

#[test]
fn an_end_follows_the_period_and_can_be_taken_back() {
    let mut account = account();
    let sub = subscribed(&mut account, "price_growth_monthly", 1);
    let end = Change { cancel_at_period_end: Some(true), comment: Some(Some("bye".into())), ..Change::default() };
    account.update_subscription(sub, end.clone(), at(START + DAY)).unwrap();
    let row = &account.subscriptions[sub];
    assert_eq!((row.cancel_at, row.canceled_at, row.status), (Some(START + MONTH), Some(START + DAY), Status::Active));
    let back = Change { cancel_at_period_end: Some(false), ..Change::default() };
    account.update_subscription(sub, back, at(START + 2 * DAY)).unwrap();
    assert_eq!((account.subscriptions[sub].cancel_at, account.subscriptions[sub].canceled_at), (None, None));
    account.update_subscription(sub, end, at(START + 3 * DAY)).unwrap();
    // What waits is invoiced at the end.
    account.update_subscription(sub, to(&account, sub, "price_starter_monthly", 1), at(START + MONTH / 2)).unwrap();
    run(&mut account, START + MONTH);
    let row = &account.subscriptions[sub];
    assert_eq!(
        (row.status, row.ended_at, row.canceled_at),
        (Status::Canceled, Some(START + MONTH), Some(START + 3 * DAY))
    );
    assert_eq!(amounts(latest(&account, sub)), [-2_450, 950]);

    let sub = subscribed(&mut account, "price_growth_monthly", 1);
    let at_instant = Change { cancel_at: Some(Some(CancelAt::At(START + 40 * DAY))), ..Change::default() };
    account.update_subscription(sub, at_instant, at(START + DAY)).unwrap();
    run(&mut account, START + 40 * DAY);
    assert_eq!(account.subscriptions[sub].ended_at, Some(START + 40 * DAY));
}

#[test]
fn a_trial_can_be_ended_and_begun() {
    let mut account = account();
    let sub = subscribed(&mut account, "price_growth_monthly", 1);
    let begin = Change { trial_end: Some(TrialEnd::At(START + 20 * DAY)), ..Change::default() };
    account.update_subscription(sub, begin, at(START + MONTH / 2)).unwrap();
    let row = &account.subscriptions[sub];
    assert_eq!((row.status, row.period_end, row.anchor), (Status::Trialing, START + 20 * DAY, START + 20 * DAY));
    let owner = account.customer_of(sub);
    assert_eq!(account.customers[owner].balance, -2_450);
    let end = Change { trial_end: Some(TrialEnd::Now), ..Change::default() };
    account.update_subscription(sub, end, at(START + 17 * DAY)).unwrap();
    assert_eq!((latest(&account, sub).amount_due, latest(&account, sub).amount_paid), (2_450, 2_450));
    assert_eq!(account.subscriptions[sub].status, Status::Active);
    assert_eq!(account.subscriptions[sub].anchor, START + 17 * DAY);
}

#[test]
fn paused_collection_leaves_the_status_alone() {
    for (behavior, status) in [
        (PauseBehavior::KeepAsDraft, InvoiceStatus::Draft),
        (PauseBehavior::MarkUncollectible, InvoiceStatus::Uncollectible),
        (PauseBehavior::Void, InvoiceStatus::Void),
    ] {
        let mut account = account();
        let sub = subscribed(&mut account, "price_growth_monthly", 1);
        let pause = PauseCollection { behavior, resumes_at: Some(START + 40 * DAY) };
        let change = Change { pause_collection: Some(Some(pause)), ..Change::default() };
        account.update_subscription(sub, change, at(START + DAY)).unwrap();
        run(&mut account, START + MONTH + HOUR);
        assert_eq!(latest(&account, sub).status, status);
        assert_eq!(account.subscriptions[sub].status, Status::Active);
        run(&mut account, START + 40 * DAY);
        assert_eq!(account.subscriptions[sub].pause_collection, None);
    }
}

#[test]
fn a_scheduled_downgrade_takes_effect_at_the_renewal() {
    for yearly in [false, true] {
        let mut account = account();
        let sub = subscribed(&mut account, "price_growth_monthly", 1);
        let schedule = account.create_schedule(NewSchedule::From(sub), at(START + DAY)).unwrap();
        assert_eq!(account.schedules[schedule].phases[0].end_date, START + MONTH);
        let refused = account.update_subscription(sub, to(&account, sub, "price_scale_monthly", 1), at(START + DAY));
        assert_eq!(refused.unwrap_err().status, 400);
        let next = if yearly { "price_starter_yearly" } else { "price_starter_monthly" };
        let current = NewPhase {
            start_date: Some(START),
            end_date: Some(START + MONTH),
            items: vec![item("price_growth_monthly", 1)],
            ..NewPhase::default()
        };
        let later = NewPhase { items: vec![item(next, 1)], ..NewPhase::default() };
        let change = ScheduleChange {
            phases: Some(vec![current, later]),
            end_behavior: Some(EndBehavior::Release),
            ..ScheduleChange::default()
        };
        account.update_schedule(schedule, change, at(START + DAY)).unwrap();
        assert_eq!(account.subscriptions[sub].items[0].price, "price_growth_monthly");
        let preview = Preview { subscription: Some(sub), ..Preview::default() };
        let previewed = account.preview(preview, at(START + 2 * DAY)).unwrap();
        let expected = if yearly { 19_000 } else { 1_900 };
        assert_eq!(previewed.account.invoices[previewed.invoice].total(), expected);
        run(&mut account, START + MONTH + HOUR);
        assert_eq!(account.subscriptions[sub].items[0].price, next);
        assert_eq!((latest(&account, sub).total(), latest(&account, sub).amount_paid), (expected, expected));
        assert_eq!(invoices_of(&account, &account.subscriptions[sub]).len(), 2);
        let end = account.subscriptions[sub].period_end;
        assert_eq!(end, START + MONTH + if yearly { 365 * DAY } else { 28 * DAY });
        run(&mut account, end);
        assert_eq!(account.schedules[schedule].status, ScheduleStatus::Completed);
        assert_eq!(account.schedules[schedule].released_subscription, Some(account.subscriptions[sub].id.clone()));
        assert_eq!(account.subscriptions[sub].schedule, None);
    }
}

#[test]
fn a_schedule_can_be_released() {
    let mut account = account();
    let sub = subscribed(&mut account, "price_growth_monthly", 1);
    let schedule = account.create_schedule(NewSchedule::From(sub), at(START + DAY)).unwrap();
    news(&mut account);
    account.release_schedule(schedule, at(START + 2 * DAY)).unwrap();
    assert_eq!(news(&mut account), ["customer.subscription.updated", "subscription_schedule.released"]);
    assert_eq!(account.schedules[schedule].status, ScheduleStatus::Released);
    assert!(account.release_schedule(schedule, at(START + 2 * DAY)).is_err());
}
