//! Random histories: whatever the order, the duplicates, the losses and the races, the newest truth is what remains.

use proptest::prelude::*;

use super::{account, at, catalog, item, snapshot};
use crate::{
    account::Account,
    effect::EffectKind,
    gate::{self, View},
    invariants,
    reduce::reduce,
    snapshot::{Dues, ItemType, Origin, Phase, ScheduledItems, Snapshot},
    subscription::Subscription,
};

/// One thing that happens at the provider.
#[derive(Clone, Debug)]
enum Change {
    Phase(Phase),
    Seats(i64),
    Plan(&'static str),
    Addon(i64),
    CancelAt(Option<i64>),
    Dues(Option<(u32, bool)>),
    Renew,
    Schedule(Option<i64>),
}

fn changes() -> impl Strategy<Value = Vec<Change>> {
    use Phase::{Active, Ended, Future, Incomplete, NeverStarted, PastDue, Paused, Trialing, Unpaid};
    let phases = [Future, Incomplete, NeverStarted, Trialing, Active, PastDue, Unpaid, Paused, Ended];
    let change = prop_oneof![
        prop::sample::select(phases.to_vec()).prop_map(Change::Phase),
        (0_i64..40).prop_map(Change::Seats),
        prop::sample::select(vec!["starter", "growth", "unknown"]).prop_map(Change::Plan),
        (0_i64..3).prop_map(Change::Addon),
        prop::option::of(0_i64..60).prop_map(Change::CancelAt),
        prop::option::of((1_u32..4, any::<bool>())).prop_map(Change::Dues),
        Just(Change::Renew),
        prop::option::of(0_i64..60).prop_map(Change::Schedule),
    ];
    prop::collection::vec(change, 1..10)
}

/// The provider's states, oldest first: each with a version one higher.
fn history(changes: &[Change]) -> Vec<Snapshot> {
    let mut state = snapshot(1);
    let mut states = vec![state.clone()];
    for change in changes {
        state.version = state.version.map(|version| version + 1);
        match change {
            Change::Phase(phase) => {
                state.phase = *phase;
                if *phase == Phase::Trialing {
                    (state.trial_start, state.trial_end) = (Some(at(0)), Some(at(14)));
                }
            }
            Change::Seats(seats) => state.items[0].quantity = *seats,
            Change::Plan(price) => state.items[0].item_price_id = (*price).into(),
            Change::Addon(0) => state.items.truncate(1),
            Change::Addon(quantity) => {
                state.items.truncate(1);
                state.items.push(item("extra", ItemType::Addon, *quantity));
            }
            Change::CancelAt(day) => state.cancel_at = day.map(at),
            Change::Dues(dues) => {
                state.dues = dues.map(|(attempts, exhausted)| Dues {
                    since: at(1),
                    attempts,
                    next_attempt_at: Some(at(4)),
                    invoice: None,
                    exhausted,
                });
            }
            Change::Renew => {
                state.period_start = state.period_end;
                state.period_end = state.period_end.map(|end| end.plus(crate::time::days(30)));
            }
            Change::Schedule(day) => {
                state.scheduled = day.map(|day| ScheduledItems {
                    price_id: Some("starter".into()),
                    seats: Some(1),
                    items: Vec::new(),
                    at: at(day),
                });
            }
        }
        states.push(state.clone());
    }
    states
}

/// A row without what depends on when we looked, which no provider can tell.
fn truth(row: &Subscription) -> Subscription {
    Subscription {
        activated_at: None,
        trial_end_told: None,
        ended_at: None,
        grace_until: None,
        plan_group: String::new(),
        due_at: None,
        observed_at: None,
        ..row.clone()
    }
}

fn apply(account: &mut Account, snapshot: &Snapshot, day: i64) -> Vec<EffectKind> {
    let transition = reduce(account, Some(snapshot), &catalog(), at(day)).unwrap();
    *account = transition.after;
    transition.effects.into_iter().map(|effect| effect.kind).collect()
}

fn check(account: &Account, day: i64) {
    let catalog = catalog();
    assert_eq!(invariants::violations(account, &catalog, at(day)), Vec::<&str>::new());
    let view = View::of(account);
    let reserved = ["subscription", "plan:growth", "plan:free", "plan:nope", "price:growth", "", "nope"];
    for feature in catalog.features().into_iter().map(|name| name.as_str()).chain(reserved) {
        let decision = gate::decide(&view, &catalog, feature, at(day));
        assert!(!decision.allowed || !matches!(feature, "" | "nope" | "plan:nope"), "open on unknown {feature:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_order_duplication_and_loss_ends_in_the_newest_truth(
        changes in changes(),
        deliveries in prop::collection::vec(any::<prop::sample::Index>(), 0..40),
    ) {
        let history = history(&changes);
        let newest = history.last().unwrap();

        let mut shuffled = account();
        for (day, delivery) in (1..).zip(&deliveries) {
            let mut seen = delivery.get(&history).clone();
            seen.origin = Origin::Delivered;
            apply(&mut shuffled, &seen, day);
            check(&shuffled, day);
        }
        // At the latest a reconciliation brings the newest state.
        apply(&mut shuffled, newest, 50);
        check(&shuffled, 50);

        let mut straight = account();
        apply(&mut straight, newest, 50);
        prop_assert_eq!(shuffled.subscriptions.len(), 1);
        prop_assert_eq!(truth(&shuffled.subscriptions[0]), truth(&straight.subscriptions[0]));
    }

    #[test]
    fn the_same_snapshot_twice_has_no_second_effect(changes in changes()) {
        let mut account = account();
        for (day, seen) in (0..).zip(&history(&changes)) {
            apply(&mut account, seen, day);
            let before = account.clone();
            prop_assert_eq!(apply(&mut account, seen, day), vec![]);
            prop_assert_eq!(&account, &before);
        }
    }

    #[test]
    fn looking_at_what_is_due_comes_to_an_end(changes in changes(), day in 0_i64..90) {
        let mut account = account();
        for seen in &history(&changes) {
            apply(&mut account, seen, 0);
        }
        let mut told = Vec::new();
        for _ in 0..4 {
            let transition = reduce(&account, None, &catalog(), at(day)).unwrap();
            told.extend(transition.effects.iter().map(|effect| effect.kind));
            account = transition.after;
            check(&account, day);
        }
        prop_assert!(account.subscriptions.iter().all(|row| row.due_at.is_none_or(|due| due > at(day))));
        let once: std::collections::BTreeSet<_> = told.iter().collect();
        prop_assert_eq!(once.len(), told.len(), "time alone told something twice: {:?}", told);
    }

    /// Writers read the row, then fetch, then write only if the row is still the one they read. The provider has no
    /// versions here. Whoever changes the provider sends a hint; every hint makes somebody look once more.
    #[test]
    fn writers_that_race_without_any_clock_end_in_the_newest_truth(
        changes in changes(),
        schedule in prop::collection::vec((0_usize..4, any::<bool>()), 0..120),
    ) {
        let mut states = history(&changes).into_iter().map(|state| Snapshot { version: None, ..state });
        let mut provider = states.next().unwrap();
        let mut account = account();
        let mut version = 0_u32;
        let mut hints = 1_u32;
        // Each writer: nothing, or (row version read, what was fetched afterwards).
        let mut writers: Vec<Option<(u32, Option<Snapshot>)>> = vec![None; 4];
        let mut step = |account: &mut Account, writer: &mut Option<(u32, Option<Snapshot>)>, hints: &mut u32, provider: &Snapshot| {
            *writer = match writer.take() {
                None if *hints > 0 => {
                    *hints -= 1;
                    Some((version, None))
                }
                None => None,
                Some((read, None)) => Some((read, Some(provider.clone()))),
                // Also where nothing changes: a state may come back, and who fetched the one in between must lose.
                Some((read, Some(seen))) if read == version => {
                    apply(account, &seen, 5);
                    version += 1;
                    None
                }
                // Lost: discard and start again.
                Some(_) => Some((version, None)),
            };
        };
        for (who, provider_moves) in schedule {
            if provider_moves && let Some(next) = states.next() {
                provider = next;
                hints += 1;
            }
            step(&mut account, &mut writers[who], &mut hints, &provider);
        }
        for next in states {
            provider = next;
            hints += 1;
        }
        while hints > 0 || writers.iter().any(Option::is_some) {
            for writer in &mut writers {
                step(&mut account, writer, &mut hints, &provider);
            }
        }
        let mut straight = super::account();
        apply(&mut straight, &provider, 5);
        prop_assert_eq!(truth(&account.subscriptions[0]), truth(&straight.subscriptions[0]));
    }
}
