//! Many random actions against one customer: whatever happens, time goes on, the records stay sound, and what was
//! previewed is what is charged.

use std::collections::BTreeSet;

use super::calendar::{DAY, HOUR};
use super::changes::{Change, ItemChange};
use super::collection::Pay;
use super::creation::{NewItem, NewSubscription, TrialEnd};
use super::customers::CustomerInput;
use super::ending::{CancelAt, CancelNow};
use super::model::{
    BillingMode, BillingReason, InvoiceStatus, PauseBehavior, PauseCollection, PaymentBehavior, ProrationBehavior,
    Status,
};
use super::pauses::{Pause, Resume, UnusedFrom};
use super::preview::Preview;
use super::schedules::{NewPhase, NewSchedule, ScheduleChange};
use super::tests::{account, customer, item};
use super::{Account, Act, AfterDunning, Cause, Object};
use crate::ids::Ids;
use crate::moment::Moment;

const PRICES: [&str; 4] =
    ["price_starter_monthly", "price_growth_monthly", "price_scale_monthly", "price_scale_yearly"];

struct Dice(Ids);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        usize::try_from(self.0.below(u64::try_from(sides).unwrap())).unwrap()
    }

    fn coin(&mut self) -> bool {
        self.roll(2) == 0
    }

    fn item(&mut self) -> NewItem {
        item(PRICES[self.roll(PRICES.len())], 1 + i64::try_from(self.roll(9)).unwrap())
    }

    fn behavior(&mut self) -> Option<ProrationBehavior> {
        [
            None,
            Some(ProrationBehavior::CreateProrations),
            Some(ProrationBehavior::AlwaysInvoice),
            Some(ProrationBehavior::None),
        ][self.roll(4)]
    }

    fn change(&mut self, account: &Account, sub: usize, now: i64) -> Change {
        let row = &account.subscriptions[sub];
        let wanted = self.item();
        let mut items = vec![ItemChange {
            id: Some(row.items[0].id.clone()),
            price: self.coin().then_some(wanted.price),
            quantity: wanted.quantity,
            ..ItemChange::default()
        }];
        match (row.items.get(1), self.roll(4)) {
            (None, 0) => items.push(ItemChange {
                price: Some("price_extra_projects_monthly".into()),
                quantity: Some(2),
                ..ItemChange::default()
            }),
            (Some(extra), 0..=2) => {
                items.push(ItemChange { id: Some(extra.id.clone()), deleted: true, ..ItemChange::default() });
            }
            _ => {}
        }
        let mut change = Change { items, proration_behavior: self.behavior(), ..Change::default() };
        if self.roll(3) == 0 {
            change.proration_date = Some(now - i64::try_from(self.roll(3)).unwrap() * HOUR);
        }
        if self.roll(8) == 0 {
            let later = now + i64::try_from(1 + self.roll(30)).unwrap() * DAY;
            change.trial_end = Some(if self.coin() { TrialEnd::Now } else { TrialEnd::At(later) });
        }
        change.resets_anchor = self.roll(10) == 0;
        change.payment_behavior = [
            None,
            Some(PaymentBehavior::DefaultIncomplete),
            Some(PaymentBehavior::ErrorIfIncomplete),
            Some(PaymentBehavior::PendingIfIncomplete),
        ][self.roll(4)];
        if self.roll(8) == 0 {
            change.add_invoice_items = vec![item("price_onboarding", 1)];
        }
        change
    }
}

/// What one can see of an invoice: when, its lines and its total.
type Bill = (i64, Vec<(i64, i64, i64, Option<i64>)>, i64);

fn bill(account: &Account, invoice: usize) -> Bill {
    let row = &account.invoices[invoice];
    let lines = row.lines.iter().map(|line| (line.amount, line.period_start, line.period_end, line.quantity));
    (row.created, lines.collect(), row.total())
}

/// Begins a subscription, and compares its first invoice with the preview.
fn create_as_previewed(account: &mut Account, owner: usize, new: NewSubscription, act: Act) -> usize {
    let known = account.invoices.len();
    let preview = Preview { customer: Some(owner), new: Some(new.clone()), ..Preview::default() };
    let previewed = account.preview(preview, act).unwrap();
    let sub = account.create_subscription(new, act).unwrap();
    assert_eq!(bill(&previewed.account, previewed.invoice), bill(account, known));
    sub
}

/// Changes, and compares with the preview. Whether there was something to compare.
fn change_as_previewed(account: &mut Account, sub: usize, change: Change, act: Act) -> bool {
    let known = account.invoices.len();
    let preview = Preview { subscription: Some(sub), change: Some(change.clone()), ..Preview::default() };
    let previewed = account.preview(preview, act);
    match (account.update_subscription(sub, change, act), previewed) {
        (Ok(()), Ok(previewed)) if account.invoices.len() > known => {
            assert_eq!(bill(&previewed.account, previewed.invoice), bill(account, known));
            true
        }
        (Ok(()), Ok(previewed)) => {
            assert!(previewed.account.invoices[previewed.invoice].created >= act.secs());
            false
        }
        // A preview asks no card, and some changes leave nothing to come.
        (Err(refusal), Ok(_)) => {
            assert_eq!(refusal.status, 402, "{refusal:?}");
            false
        }
        (Ok(()), Err(refusal)) => {
            assert_eq!(refusal.code, Some("invoice_upcoming_none"), "{refusal:?}");
            false
        }
        (Err(one), Err(other)) => {
            assert_eq!(one, other);
            false
        }
    }
}

fn act_at_random(account: &mut Account, owner: usize, sub: usize, dice: &mut Dice, act: Act) -> bool {
    let later = act.secs() + i64::try_from(1 + dice.roll(60)).unwrap() * DAY;
    match dice.roll(22) {
        0..=7 => {
            let change = dice.change(account, sub, act.secs());
            return change_as_previewed(account, sub, change, act);
        }
        8 => {
            let end = [
                Change { cancel_at_period_end: Some(true), ..Change::default() },
                Change { cancel_at: Some(Some(CancelAt::At(later))), ..Change::default() },
                Change { cancel_at: Some(Some(CancelAt::PeriodEnd)), ..Change::default() },
            ][dice.roll(3)]
            .clone();
            drop(account.update_subscription(sub, end, act));
        }
        9 => {
            let back = Change { cancel_at_period_end: Some(false), cancel_at: Some(None), ..Change::default() };
            drop(account.update_subscription(sub, back, act));
        }
        10 if dice.roll(6) == 0 => {
            let cancel = CancelNow { invoice_now: dice.coin(), prorates: dice.coin(), ..CancelNow::default() };
            drop(account.cancel_subscription(sub, cancel, act));
        }
        11 => {
            let unused_from = [UnusedFrom::Now, UnusedFrom::PeriodStart, UnusedFrom::Nothing][dice.roll(3)];
            drop(account.pause_subscription(sub, Pause { unused_from, invoices: dice.coin() }, act));
        }
        12 | 13 => {
            let resume = Resume {
                keeps_anchor: dice.coin(),
                only_when_paid: dice.coin(),
                proration_behavior: dice.behavior(),
                proration_date: None,
            };
            drop(account.resume_subscription(sub, resume, act));
        }
        14 => {
            let behavior =
                [PauseBehavior::KeepAsDraft, PauseBehavior::MarkUncollectible, PauseBehavior::Void][dice.roll(3)];
            let pause = dice.coin().then_some(PauseCollection { behavior, resumes_at: Some(later) });
            drop(account.update_subscription(sub, Change { pause_collection: Some(pause), ..Change::default() }, act));
        }
        15 | 16 => schedule_at_random(account, sub, dice, act),
        17 => {
            let token = if dice.roll(4) == 0 { "pm_card_chargeCustomerFail" } else { "pm_card_visa" };
            let method = account.new_payment_method(token, act).unwrap();
            account.attach(method, owner, act).unwrap();
            let id = account.payment_methods[method].id.clone();
            let input = CustomerInput { default_payment_method: Some(Some(id)), ..CustomerInput::default() };
            account.update_customer(owner, input, act).unwrap();
        }
        18 => {
            let open = account.invoices.iter().position(|row| row.status == InvoiceStatus::Open);
            if let Some(open) = open {
                match dice.roll(4) {
                    0 => drop(account.void_invoice(open, act)),
                    1 => drop(account.mark_uncollectible(open, act)),
                    _ => drop(account.pay_invoice(open, Pay { paid_out_of_band: dice.coin(), ..Pay::default() }, act)),
                }
            }
        }
        19 => {
            let price = account.prices.position("price_scale_monthly").unwrap();
            account.reprice(price, 1_001 + i64::try_from(dice.roll(900)).unwrap(), act);
        }
        20 => account.subscriptions[sub].fail_next_payment = true,
        // Nobody does anything.
        _ => {}
    }
    false
}

fn schedule_at_random(account: &mut Account, sub: usize, dice: &mut Dice, act: Act) {
    let known = account.subscriptions[sub].schedule.clone();
    match known.and_then(|id| account.schedules.position(&id)) {
        Some(schedule) if dice.coin() => drop(account.release_schedule(schedule, act)),
        Some(_) => {}
        None => {
            let Ok(schedule) = account.create_schedule(NewSchedule::From(sub), act) else { return };
            let phase = account.schedules[schedule].phases[0].clone();
            let as_new = |item: &super::model::PhaseItem| NewItem {
                price: item.price.clone(),
                quantity: item.quantity,
                metadata: item.metadata.clone(),
            };
            let current = NewPhase {
                start_date: Some(phase.start_date),
                end_date: Some(phase.end_date),
                items: phase.items.iter().map(as_new).collect(),
                trial_end: phase.trial_end,
                ..NewPhase::default()
            };
            let next = NewPhase { items: vec![dice.item()], ..NewPhase::default() };
            let change = ScheduleChange { phases: Some(vec![current, next]), ..ScheduleChange::default() };
            drop(account.update_schedule(schedule, change, act));
        }
    }
}

fn check(account: &Account, now: Moment) {
    assert!(!account.has_overdue_work(now), "something due was left undone");
    for row in account.subscriptions.iter() {
        let runs = row.period_start <= now.secs() && now.secs() < row.period_end;
        match row.status {
            Status::Active | Status::PastDue | Status::Unpaid => assert!(runs, "{row:?}"),
            Status::Trialing => assert!(runs && row.trial_end == Some(row.period_end), "{row:?}"),
            Status::Paused => assert!(row.paused.is_some(), "{row:?}"),
            Status::Incomplete => assert!(row.incomplete_until.is_some_and(|until| until > now.secs()), "{row:?}"),
            Status::Canceled | Status::IncompleteExpired => assert!(row.ended_at.is_some(), "{row:?}"),
        }
        assert!(!row.items.is_empty());
    }
    let mut renewals = BTreeSet::new();
    for row in account.invoices.iter() {
        assert_eq!(row.total(), row.lines.iter().map(|line| line.amount).sum::<i64>());
        assert!(row.amount_due >= 0 && (0..=row.amount_due).contains(&row.amount_paid), "{row:?}");
        match row.status {
            InvoiceStatus::Paid => assert_eq!(row.amount_remaining(), 0),
            InvoiceStatus::Open => assert!(row.amount_remaining() > 0 && row.payment_intent.is_some(), "{row:?}"),
            InvoiceStatus::Draft => assert_eq!(row.number, None),
            InvoiceStatus::Void | InvoiceStatus::Uncollectible => assert_eq!(row.next_payment_attempt, None),
        }
        if row.billing_reason == BillingReason::SubscriptionCycle {
            assert!(renewals.insert((row.subscription.clone(), row.period_end)), "renewed twice: {row:?}");
        }
    }
    // Only invoices move a balance here.
    for customer in account.customers.iter() {
        let moved = account.invoices.iter().filter(|row| row.customer == customer.id);
        let moved = moved.filter(|row| row.status != InvoiceStatus::Void);
        let moved = moved.filter_map(|row| row.ending_balance.map(|ending| ending - row.starting_balance));
        assert_eq!(customer.balance, moved.sum::<i64>());
    }
    for pair in account.events.rows().windows(2) {
        let told = pair.iter().map(|event| (event.event_type, event.created, event.about)).collect::<Vec<_>>();
        assert!(pair[0].created <= pair[1].created, "events lie in the order of their instants: {told:?}");
    }
    for event in account.events.iter() {
        let id = match event.about {
            Object::Customer(position) => &account.customers[position].id,
            Object::Subscription(position) => &account.subscriptions[position].id,
            Object::Schedule(position) => &account.schedules[position].id,
            Object::Invoice(position) => &account.invoices[position].id,
            Object::InvoiceItem(position) => &account.invoice_items[position].id,
            Object::InvoicePayment(position) => &account.invoice_payments[position].id,
            Object::PaymentIntent(position) => &account.payment_intents[position].id,
            Object::PaymentMethod(position) => &account.payment_methods[position].id,
            _ => continue,
        };
        assert_eq!(event.object.get("id").and_then(serde_json::Value::as_str), Some(id.as_str()), "{event:?}");
        assert_eq!(event.previous_attributes.is_some(), event.event_type.ends_with(".updated"), "{event:?}");
    }
}

/// What the next invoice will be, if nobody does anything until then and charges succeed.
fn foreseen(account: &Account, sub: usize, act: Act) -> Option<Bill> {
    let preview = Preview { subscription: Some(sub), ..Preview::default() };
    let previewed = account.preview(preview, act).ok()?;
    Some(bill(&previewed.account, previewed.invoice))
}

#[test]
fn whatever_happens_time_goes_on_and_previews_hold() {
    let (mut charged, mut renewed) = (0, 0);
    for seed in 0..40 {
        let mut dice = Dice(Ids::new(seed));
        let mut now = Moment::from_secs(super::tests::START);
        let mut account = account();
        account.settings.after_dunning =
            [AfterDunning::Cancel, AfterDunning::MarkUnpaid, AfterDunning::LeavePastDue][dice.roll(3)];
        let owner = customer(&mut account, "pm_card_visa");
        let mut new = NewSubscription::of(owner, vec![dice.item()]);
        new.billing_mode = if dice.roll(4) == 0 { BillingMode::Classic } else { BillingMode::Flexible };
        new.trial_period_days = (dice.roll(3) == 0).then_some(14);
        let mut sub = create_as_previewed(&mut account, owner, new, Act::new(now, Cause::Api));
        for _ in 0..80 {
            let act = Act::new(now, Cause::Api);
            if account.subscriptions[sub].status.is_over() {
                let new = NewSubscription::of(owner, vec![dice.item()]);
                sub = create_as_previewed(&mut account, owner, new, act);
            }
            charged += usize::from(act_at_random(&mut account, owner, sub, &mut dice, act));
            account.act_due(now);
            check(&account, now);

            let expected = foreseen(&account, sub, act);
            let row = &account.subscriptions[sub];
            let default = account.method_of(sub).map(|method| account.payment_methods[method].instrument.behaviour());
            let has_open = account.invoices.iter().any(|row| row.status == InvoiceStatus::Open);
            let comparable = matches!(row.status, Status::Active | Status::Trialing)
                && !has_open
                && !row.fail_next_payment
                && row.pending_update.is_none()
                && default == Some(super::model::Behaviour::Pays);
            let known = account.invoices.len();
            let target = now.plus_secs(i64::try_from(dice.roll(20)).unwrap() * DAY / 2);
            // Now in steps from due instant to due instant, now in one leap.
            let steps = dice.roll(4) > 0;
            while let Some(due) = account.next_due().map(Moment::from_secs).filter(|due| steps && *due <= target) {
                now = due.max(now);
                account.act_due(now);
            }
            now = target;
            account.act_due(now);
            check(&account, now);
            if !comparable {
                continue;
            }
            let raised = (known < account.invoices.len()).then(|| bill(&account, known));
            let expected = expected.filter(|(created, ..)| *created <= target.secs());
            assert_eq!(raised, expected, "seed {seed}");
            renewed += usize::from(raised.is_some());
        }
    }
    assert!(charged > 150 && renewed > 70, "{charged} changes and {renewed} renewals were foreseen");
}
