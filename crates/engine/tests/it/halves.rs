//! A provider that forgets what is scheduled when something changes at once: it is scheduled again, whatever happens.

use std::{sync::Arc, time::Duration};

use tollkeeper::{
    CancelRequest, Cancelled, PauseRequest, Restore, UpdateRequest,
    ports::ChangeWhen::{self, Now, PeriodEnd},
};
use tollkeeper_core::{ids::SubscriptionId, ports::ErrorKind, reduce::RECHECK, status::Status};
use tollkeeper_store::drift::DriftClass;
use tollkeeper_testkit::{both_engines, database::TestDb};

use crate::{
    asks::{as_shown, at, refusal, seats, to},
    play::{Outcome, Stop},
    world::{ORG, World, actor, until},
};

/// When somebody else looks at what was left half done.
const LOOK: Duration = Duration::from_secs(60);

/// Growth runs, and starter waits for the end of the period.
async fn waiting(db: &TestDb) -> (World, SubscriptionId) {
    let world = World::new(db).await;
    let (id, _) = world.subscribe(ORG, "starter").await;
    world.update(to("growth")).await.unwrap();
    world.update(to("starter")).await.unwrap();
    world.rest().await;
    (world, id)
}

type Line = (ChangeWhen, &'static str, i64);

/// What was changed since the story began: when, the plan's price, seats.
fn since(world: &World) -> Vec<(ChangeWhen, String, i64)> {
    let plan = |(when, mut lines): (ChangeWhen, Vec<(String, i64)>)| (when, lines[0].0.clone(), lines.remove(0).1);
    world.billing.changes().into_iter().skip(2).map(plan).collect()
}

fn lines(wanted: &[Line]) -> Vec<(ChangeWhen, String, i64)> {
    wanted.iter().map(|(when, price, seats)| (*when, (*price).to_owned(), *seats)).collect()
}

/// Row and provider agree: so many seats now, and starter with so many waits.
async fn assert_waits(world: &World, id: &SubscriptionId, now: i64, then: i64) {
    let row = world.row(ORG, id).await;
    let waits = row.scheduled.clone().unwrap_or_else(|| panic!("nothing waits: {row:?}"));
    assert_eq!((row.seats, waits.plan.unwrap().as_str(), waits.seats), (Some(now), "starter", Some(then)));
    assert_eq!(row.owed_change, None);
    let truth = world.billing.truth(row.provider_subscription_id.as_ref().unwrap());
    assert_eq!((truth.seats(), truth.scheduled.unwrap().seats), (Some(now), Some(then)));
}

/// The process dies while it is held up: nothing of it goes on, and its lease runs out.
async fn dies(world: &World, call: tokio::task::JoinHandle<impl Sized>) {
    call.abort();
    assert!(call.await.is_err());
    world.clock.advance_machine(Duration::from_secs(10));
}

/// Nobody owes anything any more.
async fn finished(world: &World, id: &SubscriptionId) {
    until("the rest", async || world.row(ORG, id).await.owed_change.is_none()).await;
}

both_engines! {
    async fn what_waits_survives_a_change_of_seats_and_gets_them_too(db: TestDb) {
        let (world, id) = waiting(&db).await;
        let told = world.hooks.count(ORG, "subscription.updated");
        let view = world.update(seats(5)).await.unwrap();
        assert_eq!((view.seats, view.scheduled_change.unwrap().seats), (Some(5), Some(5)));
        assert_waits(&world, &id, 5, 5).await;
        assert_eq!(since(&world), lines(&[(Now, "growth-monthly", 5), (PeriodEnd, "starter-monthly", 5)]));
        // Fewer seats wait with what waits: one call.
        world.update(seats(3)).await.unwrap();
        assert_waits(&world, &id, 5, 3).await;
        assert_eq!(since(&world).split_off(2), lines(&[(PeriodEnd, "starter-monthly", 3)]));
        assert_eq!(refusal(&world.update(at(PeriodEnd, seats(3))).await.unwrap_err()), (None, "nothing_changes"));
        // The seats of now, and what waits has others.
        world.update(seats(5)).await.unwrap();
        assert_waits(&world, &id, 5, 5).await;
        world.rest().await;
        assert_eq!(world.hooks.count(ORG, "subscription.updated"), told + 3, "once for each change");
    }

    async fn a_preview_of_both_halves_shows_both(db: TestDb) {
        let (world, id) = waiting(&db).await;
        let shown = world.preview(seats(5)).await.unwrap();
        assert_eq!((shown.amount_due, shown.next_invoice.as_ref().unwrap().amount), (20_000, 10_000));
        world.update(as_shown(&shown, seats(5))).await.unwrap();
        assert_waits(&world, &id, 5, 5).await;
    }

    async fn it_dies_before_the_first_half(db: TestDb) {
        let (world, id) = waiting(&db).await;
        let stop = Arc::new(Stop::default());
        world.billing.next("change", Outcome::Held(stop.clone()));
        let call = world.begin_update(seats(5)).await;
        stop.reached().await;
        dies(&world, call).await;
        assert!(world.row(ORG, &id).await.owed_change.is_some());
        world.pass(LOOK);
        finished(&world, &id).await;
        assert_waits(&world, &id, 1, 1).await;
        assert!(since(&world).is_empty());
    }

    async fn it_dies_between_the_halves(db: TestDb) {
        let (world, id) = waiting(&db).await;
        let stop = Arc::new(Stop::default());
        world.billing.next("change", Outcome::Answered(stop.clone()));
        let call = world.begin_update(seats(5)).await;
        stop.reached().await;
        dies(&world, call).await;
        world.pass(LOOK);
        finished(&world, &id).await;
        assert_waits(&world, &id, 5, 5).await;
        assert_eq!(since(&world), lines(&[(Now, "growth-monthly", 5), (PeriodEnd, "starter-monthly", 5)]));
    }

    async fn it_dies_after_the_second_half(db: TestDb) {
        let (world, id) = waiting(&db).await;
        let stop = Arc::new(Stop::default());
        world.billing.next("change", Outcome::Fine);
        world.billing.next("change", Outcome::Answered(stop.clone()));
        let call = world.begin_update(seats(5)).await;
        stop.reached().await;
        dies(&world, call).await;
        world.pass(LOOK);
        finished(&world, &id).await;
        assert_waits(&world, &id, 5, 5).await;
        assert_eq!(since(&world).len(), 2, "nothing is scheduled twice");
    }

    async fn answers_that_are_lost_are_looked_up(db: TestDb) {
        let (world, id) = waiting(&db).await;
        world.billing.next("change", Outcome::Lost);
        world.billing.next("change", Outcome::Lost);
        world.update(seats(5)).await.unwrap();
        assert_waits(&world, &id, 5, 5).await;
        assert_eq!(since(&world), lines(&[(Now, "growth-monthly", 5), (PeriodEnd, "starter-monthly", 5)]));
        assert_eq!(world.billing.charges(), [3_000, 20_000]);
    }

    async fn what_is_paid_counts_while_the_second_half_has_to_wait(db: TestDb) {
        let (world, id) = waiting(&db).await;
        world.billing.next("change", Outcome::Fine);
        world.billing.next("change", Outcome::Fail(ErrorKind::Throttled(Duration::from_secs(30))));
        let view = world.update(seats(5)).await.unwrap();
        assert_eq!(view.seats, Some(5), "it was charged: it is so");
        assert!(world.row(ORG, &id).await.owed_change.is_some());
        // Not yet: the provider is away.
        world.billing.down(Some(ErrorKind::Transient));
        world.pass(LOOK);
        until("a later look", async || world.row(ORG, &id).await.due_at.unwrap() > tollkeeper::Clock::now(&*world.clock)).await;
        world.billing.down(None);
        world.pass(RECHECK);
        finished(&world, &id).await;
        assert_waits(&world, &id, 5, 5).await;
        assert_eq!(since(&world).len(), 2);
        assert!(world.engine().drift(None, 10).await.unwrap().is_empty());
    }

    async fn what_is_refused_for_good_is_written_down_and_blocks_nothing(db: TestDb) {
        for late in [false, true] {
            let fresh = TestDb::new(db.engine()).await;
            let (world, id) = waiting(&fresh).await;
            world.billing.next("change", Outcome::Fine);
            if late {
                world.billing.next("change", Outcome::Fail(ErrorKind::Throttled(Duration::from_secs(30))));
            }
            world.billing.next("change", Outcome::Fail(ErrorKind::Rejected));
            let view = world.update(seats(5)).await.unwrap();
            assert_eq!((view.seats, view.scheduled_change), (Some(5), None));
            world.pass(LOOK);
            finished(&world, &id).await;
            let found = world.engine().drift(Some(&ORG.into()), 10).await.unwrap();
            let [one] = &found[..] else { panic!("{found:?}") };
            assert_eq!((one.class, one.field.as_str(), one.repaired), (DriftClass::Ours, "scheduled", false));
            let before = world.billing.count("change");
            world.pass(LOOK + RECHECK);
            world.nudge().await;
            assert_eq!(world.billing.count("change"), before, "it is not tried for ever");
            assert_eq!(world.update(to("starter")).await.unwrap().scheduled_change.unwrap().seats, Some(5));
        }
    }

    async fn a_refused_first_half_leaves_what_waits(db: TestDb) {
        let (world, id) = waiting(&db).await;
        for kind in [ErrorKind::Declined, ErrorKind::Conflict, ErrorKind::Rejected] {
            world.billing.next("change", Outcome::Fail(kind));
            world.update(seats(5)).await.unwrap_err();
            assert_waits(&world, &id, 1, 1).await;
        }
        // Throttled: nobody knows for sure, and the look finds that nothing happened.
        world.billing.next("change", Outcome::Fail(ErrorKind::Throttled(Duration::from_secs(1))));
        world.update(seats(5)).await.unwrap_err();
        world.pass(LOOK);
        finished(&world, &id).await;
        assert_waits(&world, &id, 1, 1).await;
        assert!(since(&world).is_empty());
    }

    async fn two_processes_finish_it_once(db: TestDb) {
        let (world, id) = waiting(&db).await;
        let stop = Arc::new(Stop::default());
        world.billing.next("change", Outcome::Answered(stop.clone()));
        let call = world.begin_update(seats(5)).await;
        stop.reached().await;
        dies(&world, call).await;
        let others = [world.another(true).await, world.another(true).await];
        world.clock.advance_business(LOOK);
        world.engine().clock_moved();
        others.iter().for_each(|it| it.engine().clock_moved());
        finished(&world, &id).await;
        world.rest().await;
        assert_waits(&world, &id, 5, 5).await;
        assert_eq!(since(&world).len(), 2);
        for other in others {
            other.stop().await;
        }
    }

    async fn nobody_finishes_what_somebody_is_at(db: TestDb) {
        let (world, id) = waiting(&db).await;
        let stop = Arc::new(Stop::default());
        world.billing.next("change", Outcome::Answered(stop.clone()));
        let call = world.begin_update(seats(5)).await;
        stop.reached().await;
        world.pass(LOOK);
        let asked = world.billing.count("subscription");
        until("a look", async || world.billing.count("subscription") > asked).await;
        assert_eq!(world.billing.count("change"), 3, "the slow one has the lease");
        stop.release();
        call.await.unwrap().unwrap();
        finished(&world, &id).await;
        assert_waits(&world, &id, 5, 5).await;
        assert_eq!(since(&world).len(), 2);
    }

    async fn whoever_comes_next_finishes_it_first(db: TestDb) {
        for news in [false, true] {
            let fresh = TestDb::new(db.engine()).await;
            let (world, id) = waiting(&fresh).await;
            let stop = Arc::new(Stop::default());
            world.billing.next("change", Outcome::Answered(stop.clone()));
            let call = world.begin_update(seats(5)).await;
            stop.reached().await;
            dies(&world, call).await;
            if news {
                // The provider's own news arrive: at this moment nothing waits there.
                world.tell("ev_1", id.as_str()).await;
                world.settled("ev_1").await;
                assert_eq!(world.row(ORG, &id).await.scheduled, None);
            }
            let view = world.update(seats(7)).await.unwrap();
            assert_eq!((view.seats, view.scheduled_change.unwrap().seats), (Some(7), Some(7)));
            assert_waits(&world, &id, 7, 7).await;
            world.pass(LOOK);
            world.rest().await;
            assert_waits(&world, &id, 7, 7).await;
        }
    }

    async fn what_was_cancelled_meanwhile_is_not_scheduled_again(db: TestDb) {
        let (world, id) = waiting(&db).await;
        let stop = Arc::new(Stop::default());
        world.billing.next("change", Outcome::Answered(stop.clone()));
        let call = world.begin_update(seats(5)).await;
        stop.reached().await;
        dies(&world, call).await;
        let cancelled = world.engine().cancel(&world.actor(ORG).await, &CancelRequest::default()).await.unwrap();
        let Cancelled::Applied { subscription, released } = cancelled else { panic!() };
        assert_eq!((subscription.status, subscription.scheduled_change), (Status::NonRenewing, None));
        assert_eq!(released.unwrap().plan.unwrap().as_str(), "starter");
        world.pass(LOOK);
        world.rest().await;
        let row = world.row(ORG, &id).await;
        assert_eq!((row.owed_change, row.scheduled), (None, None));
        assert_eq!(world.billing.truth(&id.as_str().into()).scheduled, None);
    }

    async fn what_ends_at_the_provider_meanwhile_waits_for_nothing(db: TestDb) {
        for ends_at_once in [false, true] {
            let fresh = TestDb::new(db.engine()).await;
            let (world, id) = waiting(&fresh).await;
            let bought = id.as_str().into();
            let stop = Arc::new(Stop::default());
            world.billing.next("change", Outcome::Answered(stop.clone()));
            let call = world.begin_update(seats(5)).await;
            stop.reached().await;
            dies(&world, call).await;
            if ends_at_once {
                world.billing.end(&bought);
            } else {
                world.billing.change(&bought, |it| it.cancel_at = it.period_end);
            }
            world.pass(LOOK);
            finished(&world, &id).await;
            assert_eq!(since(&world).len(), 1);
            assert_eq!(world.row(ORG, &id).await.scheduled, None);
        }
    }

    async fn another_plan_replaces_what_waits(db: TestDb) {
        let (world, id) = waiting(&db).await;
        let yearly = UpdateRequest { interval: Some("year".into()), ..to("growth") };
        let view = world.update(yearly).await.unwrap();
        assert_eq!((view.item_price_id.unwrap().as_str(), view.scheduled_change), ("growth-yearly", None));
        assert_eq!(since(&world), lines(&[(Now, "growth-yearly", 1)]));
        assert_eq!(world.row(ORG, &id).await.owed_change, None);
        world.update(to("starter")).await.unwrap();
        let monthly = UpdateRequest { interval: Some("month".into()), ..to("starter") };
        let waits = world.update(monthly).await.unwrap().scheduled_change.unwrap();
        assert_eq!(waits.items[0].price_id.as_str(), "starter-monthly", "one waits, the last one");
    }

    async fn a_cancellation_releases_what_waits_and_says_so(db: TestDb) {
        let (world, id) = waiting(&db).await;
        let actor = world.actor(ORG).await;
        // Somebody released it at the provider before us.
        world.billing.change(&id.as_str().into(), |it| it.scheduled = None);
        let cancelled = world.engine().cancel(&actor, &CancelRequest::default()).await.unwrap();
        let Cancelled::Applied { subscription, released } = cancelled else { panic!() };
        assert_eq!(subscription.status, Status::NonRenewing);
        assert_eq!(released.unwrap().plan.unwrap().as_str(), "starter");
        assert_eq!(world.row(ORG, &id).await.scheduled, None);
        let again = world.engine().cancel(&actor, &CancelRequest::default()).await.unwrap();
        let Cancelled::Applied { released, .. } = again else { panic!() };
        assert_eq!((released, world.billing.count("cancel")), (None, 1));
    }

    async fn a_release_that_fails_cancels_nothing(db: TestDb) {
        let (world, id) = waiting(&db).await;
        let actor = world.actor(ORG).await;
        world.billing.next("undo_change", Outcome::Fail(ErrorKind::Transient));
        world.engine().cancel(&actor, &CancelRequest::default()).await.unwrap_err();
        assert_eq!(world.billing.count("cancel"), 0);
        // Released, and then the provider is gone: the next try cancels.
        world.billing.next("cancel", Outcome::Fail(ErrorKind::Transient));
        world.engine().cancel(&actor, &CancelRequest::default()).await.unwrap_err();
        world.engine().cancel(&actor, &CancelRequest::default()).await.unwrap();
        assert_eq!(world.status(ORG, &id).await, Status::NonRenewing);
    }

    async fn what_waits_stands_in_the_way_of_a_pause(db: TestDb) {
        let (world, _) = waiting(&db).await;
        let refused = world.engine().pause(&world.actor(ORG).await, &PauseRequest::default()).await.unwrap_err();
        assert_eq!(refusal(&refused), (None, "scheduled_change_pending"));
        assert_eq!(world.billing.count("pause"), 0);
    }

    async fn what_waits_can_be_taken_back(db: TestDb) {
        let (world, id) = waiting(&db).await;
        let actor = world.actor(ORG).await;
        let restore = async |what| world.engine().restore(&actor, what, None).await;
        let refused = restore(Some(Restore::Cancellation)).await.unwrap_err();
        assert_eq!(refusal(&refused), (None, "nothing_scheduled"));
        let view = restore(None).await.unwrap();
        assert_eq!((view.scheduled_change, view.plan.unwrap().as_str()), (None, "growth"));
        assert_eq!(refusal(&restore(Some(Restore::Change)).await.unwrap_err()), (None, "nothing_scheduled"));
        // Both at once, as somebody may make it in the provider's own pages.
        world.update(to("starter")).await.unwrap();
        let bought = id.as_str().into();
        world.billing.change(&bought, |it| it.cancel_at = it.period_end);
        world.tell("ev_1", id.as_str()).await;
        world.settled("ev_1").await;
        assert_eq!(refusal(&restore(None).await.unwrap_err()), (Some("what"), "what_required"));
        let view = restore(Some(Restore::Change)).await.unwrap();
        assert_eq!((view.status, view.scheduled_change), (Status::NonRenewing, None));
        assert_eq!(restore(Some(Restore::Cancellation)).await.unwrap().status, Status::Active);
        // Somebody was faster at the provider: the row learns of it.
        world.update(to("starter")).await.unwrap();
        world.billing.change(&bought, |it| it.scheduled = None);
        assert_eq!(refusal(&restore(None).await.unwrap_err()), (None, "nothing_scheduled"));
        assert_eq!(world.row(ORG, &id).await.scheduled, None);
    }

    async fn two_people_at_once_see_what_the_other_did(db: TestDb) {
        let (world, id) = waiting(&db).await;
        let other = world.another(true).await;
        let stop = Arc::new(Stop::default());
        world.billing.next("change", Outcome::Held(stop.clone()));
        let first = world.begin_update(UpdateRequest { interval: Some("year".into()), ..to("growth") }).await;
        stop.reached().await;
        let (engine, person) = (other.engine().clone(), actor(other.engine(), ORG).await);
        let second = tokio::spawn(async move { engine.update(&person, &seats(5)).await });
        tokio::task::yield_now().await;
        stop.release();
        first.await.unwrap().unwrap();
        second.await.unwrap().unwrap();
        // The first one replaced what waited: the second one must not bring it back.
        assert_eq!(since(&world), lines(&[(Now, "growth-yearly", 1), (Now, "growth-yearly", 5)]));
        assert_eq!(world.row(ORG, &id).await.scheduled, None);
        other.stop().await;
    }
}
