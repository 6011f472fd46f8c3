//! Many random actions against one subscription: whatever happens, time goes on and the records stay sound.

use super::cards::Card;
use super::changes::{Change, ChangeWhen};
use super::creation::NewSubscription;
use super::customers::CustomerInput;
use super::ending::CancelWhen;
use super::model::{Item, Status};
use super::pauses::PauseWhen;
use super::{Act, Cause, Site};
use crate::ids::Ids;
use crate::moment::Moment;

const DAY: i64 = 86_400;
const PRICES: [&str; 4] = ["starter-plan-monthly", "growth-plan-monthly", "scale-plan-monthly", "scale-plan-yearly"];
const CARDS: [&str; 2] = ["4111111111111111", "4005519200000004"];

struct Dice(Ids);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        let digits = self.0.numeric("");
        digits[9..].parse::<usize>().unwrap() % sides
    }
}

fn check(site: &Site, now: Moment) {
    assert!(site.next_due().is_none_or(|due| due > now.secs()), "something due was left undone");
    for row in site.subscriptions.iter() {
        let term_runs = row.term.is_some_and(|term| term.start <= now.secs() && now.secs() < term.end);
        match row.status {
            Status::Active => assert!(term_runs, "{row:?}"),
            Status::NonRenewing => assert!(row.scheduled_cancel.is_some(), "{row:?}"),
            Status::InTrial => assert!(row.trial_end.is_some_and(|end| end > now.secs()), "{row:?}"),
            Status::Paused => assert!(row.pause_date.is_some(), "{row:?}"),
            Status::Cancelled => assert!(row.cancelled_at.is_some(), "{row:?}"),
            Status::Future => assert!(row.start_date.is_some_and(|start| start > now.secs()), "{row:?}"),
        }
    }
    for customer in site.customers.iter() {
        assert!(customer.refundable_credits >= 0);
    }
    for invoice in site.invoices.iter() {
        assert!(invoice.amount_due() >= 0 && invoice.total >= 0, "{invoice:?}");
    }
}

#[test]
fn whatever_happens_time_goes_on() {
    for seed in 0..60 {
        let mut dice = Dice(Ids::new(seed));
        let mut now = Moment::from_secs(1_767_225_600);
        let mut site = Site::new("http://127.0.0.1", "gw", Ids::new(seed), now);
        let act = Act::new(now, Cause::Api);
        let customer = site.create_customer(Some("org".into()), CustomerInput::default(), act).unwrap();
        site.store_card(customer, Card::parse(CARDS[0]).unwrap(), act);
        let item = |dice: &mut Dice| Item {
            item_price_id: PRICES[dice.roll(PRICES.len())].into(),
            quantity: 1 + i64::try_from(dice.roll(9)).unwrap(),
        };
        let new = NewSubscription {
            id: Some("sub".into()),
            customer,
            items: vec![item(&mut dice)],
            trial_end: None,
            start_date: (dice.roll(4) == 0).then(|| now.secs() + 5 * DAY),
            auto_collection: None,
            meta_data: None,
        };
        let (position, _) = site.create_subscription(new, act).unwrap();
        for _ in 0..120 {
            let act = Act::new(now, Cause::Api);
            let later = now.secs() + i64::try_from(dice.roll(60)).unwrap() * DAY;
            // Refusals are as good as anything here.
            match dice.roll(14) {
                0 => drop(site.cancel(position, CancelWhen::EndOfTerm, None, act)),
                1 => drop(site.cancel(position, CancelWhen::At(later), None, act)),
                2 if dice.roll(3) == 0 => drop(site.cancel(position, CancelWhen::Now, None, act)),
                3 => drop(site.undo_cancel(position, act)),
                4 => drop(site.reactivate(position, (dice.roll(2) == 0).then_some(later), act)),
                5 => drop(site.pause(position, PauseWhen::Now, (dice.roll(2) == 0).then_some(later), act)),
                6 => drop(site.pause(position, PauseWhen::At(later), None, act)),
                7 => drop(site.resume(position, act)),
                8 => drop(site.schedule_resumption(position, later, act)),
                9 | 10 => {
                    let mut change = Change::to(vec![item(&mut dice)]);
                    change.when = [ChangeWhen::Now, ChangeWhen::EndOfTerm, ChangeWhen::At(later)][dice.roll(3)];
                    change.prorate = dice.roll(2) == 0;
                    change.invoice_immediately = dice.roll(2) == 0;
                    change.force_term_reset = dice.roll(5) == 0;
                    drop(site.update_subscription(position, change, act));
                }
                11 => {
                    let mut change = Change::to(Vec::new());
                    change.trial_end = Some(if dice.roll(2) == 0 { 0 } else { later });
                    drop(site.update_subscription(position, change, act));
                }
                12 => site.store_card(customer, Card::parse(CARDS[dice.roll(2)]).unwrap(), act),
                _ => site.subscriptions[position].fail_next_payment = true,
            }
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
        }
    }
}
