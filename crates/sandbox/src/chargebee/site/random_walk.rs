//! Many random actions against one customer: whatever happens, time goes on, the records stay sound, and what was
//! estimated is what is charged.

use super::cards::{Behaviour, Card};
use super::catalog::Asked;
use super::changes::{Change, ChangeWhen};
use super::creation::NewSubscription;
use super::customers::CustomerInput;
use super::ending::{Cancel, CancelWhen, Receivables, TermCredit};
use super::model::Status;
use super::news::Raised;
use super::pauses::{Pause, PauseWhen};
use super::rehearsal::Rehearsed;
use super::{Act, Cause, Outcome, Site};
use crate::ids::Ids;
use crate::moment::Moment;

const DAY: i64 = 86_400;
const PLANS: [&str; 4] = ["starter-plan-monthly", "growth-plan-monthly", "scale-plan-monthly", "scale-plan-yearly"];
const CARDS: [&str; 2] = ["4111111111111111", "4005519200000004"];

struct Dice(Ids);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        let digits = self.0.numeric("");
        digits[9..].parse::<usize>().unwrap() % sides
    }

    fn coin(&mut self) -> bool {
        self.roll(2) == 0
    }

    fn items(&mut self) -> Vec<Asked> {
        let asked = |id: &str, quantity| Asked { item_price_id: id.into(), quantity };
        let mut items = vec![asked(PLANS[self.roll(PLANS.len())], 1 + i64::try_from(self.roll(9)).unwrap())];
        if self.roll(3) == 0 {
            items.push(asked("extra-projects-monthly", 1 + i64::try_from(self.roll(3)).unwrap()));
        }
        if self.roll(8) == 0 {
            items.push(asked("onboarding", 1));
        }
        items
    }

    fn change(&mut self, later: i64) -> Change {
        let mut change = Change::to(self.items());
        change.replace = self.coin();
        change.when = [ChangeWhen::Now, ChangeWhen::Now, ChangeWhen::EndOfTerm, ChangeWhen::At(later)][self.roll(4)];
        change.prorate = self.roll(3) > 0;
        change.invoice_immediately = self.roll(3) > 0;
        change.force_term_reset = self.roll(5) == 0;
        change
    }

    fn cancel(&mut self, when: CancelWhen) -> Cancel {
        let mut cancel = Cancel::new(when);
        cancel.credit = [TermCredit::Nothing, TermCredit::Rest, TermCredit::All][self.roll(3)];
        cancel.receivables = [Receivables::Keep, Receivables::Collect, Receivables::WriteOff][self.roll(3)];
        cancel.invoices_waiting = self.coin();
        cancel
    }
}

/// What an invoice asks for: its total, its credits, and its lines without their ids.
type Bill = (i64, i64, Vec<(String, i64, i64, i64, i64)>);

fn bill(site: &Site, invoice: usize) -> Bill {
    let row = &site.invoices[invoice];
    let line = |line: &super::model::LineItem| {
        (line.item_price_id.clone(), line.date_from, line.date_to, line.quantity, line.amount)
    };
    (row.total, row.credits_applied(), row.lines.iter().map(line).collect())
}

/// The new credit notes by kind, reason, amount and what is left of them.
fn notes(site: &Site, raised: &Raised) -> Vec<(bool, &'static str, i64, i64)> {
    let note = |note: &usize| {
        let row = &site.credit_notes[*note];
        (row.kind == super::model::CreditKind::Refundable, row.reason_code, row.total, row.available())
    };
    raised.credit_notes.iter().map(note).collect()
}

/// Does what was tried out before, and compares.
fn agree(site: &mut Site, tried: Outcome<Rehearsed>, done: impl FnOnce(&mut Site) -> Outcome<Raised>) {
    let done = done(site);
    match (tried, done) {
        (Ok(tried), Ok(raised)) => {
            let estimated = tried.raised.invoice.map(|invoice| bill(&tried.site, invoice));
            assert_eq!(estimated, raised.invoice.map(|invoice| bill(site, invoice)));
            assert_eq!(notes(&tried.site, &tried.raised), notes(site, &raised));
            let amounts = |raised: &Raised| raised.unbilled.iter().map(|line| line.amount).collect::<Vec<_>>();
            assert_eq!(amounts(&tried.raised), amounts(&raised));
        }
        // An estimate asks no card.
        (Ok(_), Err(refusal)) => assert_eq!(refusal.kind, Some("payment"), "{refusal:?}"),
        (Err(one), Err(other)) => assert_eq!(one, other),
        (Err(refusal), Ok(_)) => panic!("{refusal:?}"),
    }
}

fn check(site: &Site, now: Moment) {
    assert!(site.next_due().is_none_or(|due| due > now.secs()), "something due was left undone");
    for row in site.subscriptions.iter() {
        let term_runs = row.term.is_some_and(|term| term.start <= now.secs() && now.secs() < term.end);
        match row.status {
            Status::Active => assert!(term_runs && row.scheduled_cancel.is_none(), "{row:?}"),
            Status::NonRenewing => assert!(term_runs && row.scheduled_cancel.is_some(), "{row:?}"),
            Status::InTrial => assert!(row.trial_end.is_some_and(|end| end > now.secs()), "{row:?}"),
            Status::Paused => assert!(row.pause_date.is_some(), "{row:?}"),
            Status::Cancelled => assert!(row.cancelled_at.is_some() && row.unbilled.is_empty(), "{row:?}"),
            Status::Future => assert!(row.start_date.is_some_and(|start| start > now.secs()), "{row:?}"),
        }
        for invoice in &row.unpaid {
            assert!(site.invoices[*invoice].amount_due() > 0);
        }
    }
    for (position, customer) in site.customers.iter().enumerate() {
        let available = site.credit_notes.iter().filter(|note| note.customer_id == customer.id);
        let available = available.filter(|note| note.kind == super::model::CreditKind::Refundable);
        assert_eq!(site.refundable_credits(position), available.map(super::model::CreditNote::available).sum::<i64>());
    }
    for invoice in site.invoices.iter() {
        assert!(invoice.amount_due() >= 0 && invoice.total >= 0, "{invoice:?}");
        assert_eq!(invoice.total, invoice.lines.iter().map(|line| line.amount).sum::<i64>());
        let open = site.subscriptions.get(&invoice.subscription_id).unwrap().unpaid.len();
        assert!(invoice.amount_due() == 0 || open > 0);
    }
    for note in site.credit_notes.iter() {
        assert!(note.available() >= 0 && note.total > 0, "{note:?}");
    }
    let instants: Vec<i64> = site.events.iter().map(|event| event.occurred_at).collect();
    assert!(instants.is_sorted(), "events lie in the order of their instants");
}

fn new_subscription(id: &str, customer: usize, dice: &mut Dice, now: i64) -> NewSubscription {
    NewSubscription {
        id: Some(id.into()),
        customer,
        items: dice.items(),
        trial_end: None,
        start_date: (dice.roll(4) == 0).then_some(now + 5 * DAY),
        auto_collection: None,
        invoice_immediately: dice.roll(4) > 0,
        meta_data: None,
    }
}

/// One random action. Refusals are as good as anything here.
fn act_at_random(site: &mut Site, customer: usize, position: usize, dice: &mut Dice, act: Act) {
    let later = act.secs() + i64::try_from(dice.roll(60)).unwrap() * DAY;
    match dice.roll(20) {
        0 => drop(site.cancel(position, dice.cancel(CancelWhen::EndOfTerm), act)),
        1 => drop(site.cancel(position, dice.cancel(CancelWhen::At(later)), act)),
        2 if dice.roll(3) == 0 => {
            let cancel = dice.cancel(CancelWhen::Now);
            let tried = site.rehearse_on(position, |copy, position| copy.cancel(position, cancel.clone(), act));
            agree(site, tried, |site| site.cancel(position, cancel, act));
        }
        3 => drop(site.undo_cancel(position, act)),
        4 => {
            let (trial_end, invoice_now) = (dice.coin().then_some(later), dice.coin());
            let tried =
                site.rehearse_on(position, |copy, position| copy.reactivate(position, trial_end, invoice_now, act));
            agree(site, tried, |site| site.reactivate(position, trial_end, invoice_now, act));
        }
        5 => drop(site.pause(position, Pause::new(PauseWhen::Now, dice.coin().then_some(later)), act)),
        6 => {
            let when = if dice.coin() { PauseWhen::At(later) } else { PauseWhen::Cycles(2) };
            let mut pause = Pause::new(when, None);
            pause.invoices_waiting = dice.coin();
            pause.stops_dunning = dice.coin();
            drop(site.pause(position, pause, act));
        }
        7 => {
            let invoice_now = dice.coin();
            let tried = site.rehearse_on(position, |copy, position| copy.resume(position, invoice_now, act));
            agree(site, tried, |site| site.resume(position, invoice_now, act));
        }
        8 => drop(site.schedule_resumption(position, later, act)),
        9..=12 => {
            let change = dice.change(later);
            let tried =
                site.rehearse_on(position, |copy, position| copy.update_subscription(position, change.clone(), act));
            agree(site, tried, |site| site.update_subscription(position, change, act));
        }
        13 => {
            let mut change = Change::to(Vec::new());
            change.trial_end = Some(if dice.coin() { 0 } else { later });
            let tried =
                site.rehearse_on(position, |copy, position| copy.update_subscription(position, change.clone(), act));
            agree(site, tried, |site| site.update_subscription(position, change, act));
        }
        14 => site.store_card(customer, Card::parse(CARDS[usize::from(dice.roll(5) == 0)]).unwrap(), act),
        15 => drop(site.pay_dues(position, act)),
        16 => {
            let price = site.catalog.prices.position("scale-plan-monthly").unwrap();
            let dollars = i64::try_from(10 + dice.roll(10)).unwrap();
            site.catalog.prices[price].rate = super::catalog::Rate::PerUnit(dollars * 100 + 1);
        }
        17 => site.subscriptions[position].fail_next_payment = true,
        // Nobody does anything.
        _ => {}
    }
}

#[test]
fn whatever_happens_time_goes_on_and_estimates_hold() {
    let mut compared = 0;
    for seed in 0..60 {
        let mut dice = Dice(Ids::new(seed));
        let mut now = Moment::from_secs(1_767_225_600);
        let mut site = Site::new("http://127.0.0.1", "gw", Ids::new(seed), now);
        site.cancels_unpaid = seed % 4 == 0;
        let act = Act::new(now, Cause::Api);
        let customer = site.create_customer(Some("org".into()), CustomerInput::default(), act).unwrap();
        site.store_card(customer, Card::parse(CARDS[0]).unwrap(), act);
        let mut owned = Vec::new();
        for id in ["sub", "other"] {
            let new = new_subscription(id, customer, &mut dice, now.secs());
            let tried = site.rehearse(Some(customer), |copy| copy.create_subscription(new.clone(), act));
            agree(&mut site, tried, |site| {
                let (position, raised) = site.create_subscription(new, act)?;
                owned.push(position);
                Ok(raised)
            });
        }
        for _ in 0..120 {
            let position = owned[dice.roll(owned.len())];
            act_at_random(&mut site, customer, position, &mut dice, Act::new(now, Cause::Api));
            site.act_due(now);
            check(&site, now);

            // What the next invoices will be, if nobody does anything until then.
            let expected: Vec<Option<(i64, Bill)>> = owned
                .iter()
                .map(|position| {
                    let mut copy = site.rehearse_on(*position, |_, _| Ok(Raised::default())).unwrap();
                    let next = copy.site.pass_to_next_invoice(copy.subscription)?;
                    Some((copy.site.invoices[next].date, bill(&copy.site, next)))
                })
                .collect();
            // An estimate takes it that charges succeed: not so where some failed, or will.
            let stored = site.customers[customer].card.as_ref().unwrap();
            let mut rows = owned.iter().map(|position| &site.subscriptions[*position]);
            let comparable = stored.card.behaviour == Behaviour::Pays
                && rows.all(|row| !row.fail_next_payment && row.unpaid.is_empty());
            let known = site.invoices.len();
            let target = now.plus_secs(i64::try_from(dice.roll(20)).unwrap() * DAY / 2);
            // Now in steps from due instant to due instant, now in one leap.
            let steps = dice.roll(4) > 0;
            while let Some(due) = site.next_due().map(Moment::from_secs).filter(|due| steps && *due <= target) {
                now = due.max(now);
                site.act_due(now);
            }
            now = target;
            site.act_due(now);
            check(&site, now);
            if !comparable {
                continue;
            }
            for (position, expected) in owned.iter().zip(expected) {
                let row = &site.subscriptions[*position];
                let raised = site.invoices.linked("subscription_id", &row.id).iter().find(|row| **row >= known);
                let raised = raised.map(|invoice| (site.invoices[*invoice].date, bill(&site, *invoice)));
                assert_eq!(&raised, &expected.filter(|(date, _)| *date <= target.secs()), "seed {seed}");
                compared += usize::from(raised.is_some());
            }
        }
    }
    assert!(compared > 300, "{compared} invoices were foreseen");
}
