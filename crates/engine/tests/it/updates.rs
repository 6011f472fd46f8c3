//! What a subscription sells becomes something else.

use tollkeeper::{
    CancelRequest, Error, PauseRequest, UpdateRequest,
    ports::ChangeWhen::{Now, PeriodEnd},
};
use tollkeeper_core::{
    ports::{ErrorKind, ProviderError},
    snapshot::Dues,
    status::Status,
    time::Clock as _,
};
use tollkeeper_testkit::both_engines;

use crate::{
    asks::{at, refusal, seats, to, with_addons},
    play::{Outcome, PERIOD},
    world::{ORG, World},
};

fn lines(items: &[(&str, i64)]) -> Vec<(String, i64)> {
    items.iter().map(|(price, quantity)| ((*price).to_owned(), *quantity)).collect()
}

both_engines! {
    async fn a_step_up_happens_at_once_and_a_step_down_waits(db: TestDb) {
        let world = World::new(&db).await;
        let (id, _) = world.subscribe(ORG, "starter").await;
        let view = world.update(to("growth")).await.unwrap();
        assert_eq!((view.plan.unwrap().as_str(), view.scheduled_change), ("growth", None));
        assert!(world.open(ORG, "sso").await);
        let view = world.update(to("starter")).await.unwrap();
        let waits = view.scheduled_change.unwrap();
        assert_eq!((view.plan.unwrap().as_str(), waits.plan.unwrap().as_str()), ("growth", "starter"));
        assert_eq!(Some(waits.at), view.period_end);
        assert!(world.open(ORG, "sso").await, "until then it stays as it is");
        assert_eq!(
            world.billing.changes(),
            [(Now, lines(&[("growth-monthly", 1)])), (PeriodEnd, lines(&[("starter-monthly", 1)]))]
        );
        assert_eq!(world.billing.charges(), [3_000]);
        assert_eq!(world.row(ORG, &id).await.owed_change, None);
        world.rest().await;
        assert_eq!(world.hooks.count(ORG, "subscription.updated"), 2);
    }

    async fn whoever_names_a_time_gets_it(db: TestDb) {
        let world = World::new(&db).await;
        world.subscribe(ORG, "starter").await;
        let view = world.update(at(PeriodEnd, to("growth"))).await.unwrap();
        assert_eq!(view.scheduled_change.unwrap().plan.unwrap().as_str(), "growth");
        assert!(!world.open(ORG, "sso").await);
        let view = world.update(at(Now, seats(9))).await.unwrap();
        assert_eq!((view.seats, view.scheduled_change.unwrap().seats), (Some(9), Some(9)));
        let view = world.update(at(Now, seats(2))).await.unwrap();
        assert_eq!(view.seats, Some(2), "fewer, and at once");
        assert_eq!(world.billing.charges(), [16_000], "nothing is charged for a step down");
    }

    async fn a_longer_commitment_is_a_step_up_and_more_seats_too(db: TestDb) {
        let world = World::new(&db).await;
        world.subscribe(ORG, "starter").await;
        let yearly = UpdateRequest { interval: Some("year".into()), ..UpdateRequest::default() };
        let view = world.update(yearly).await.unwrap();
        assert_eq!(view.item_price_id.unwrap().as_str(), "starter-yearly");
        let view = world.update(to("growth")).await.unwrap();
        assert_eq!(view.item_price_id.unwrap().as_str(), "growth-yearly", "the interval stays when it is not named");
        assert_eq!(world.update(seats(3)).await.unwrap().seats, Some(3));
        let monthly = UpdateRequest { interval: Some("month".into()), ..UpdateRequest::default() };
        let view = world.update(monthly).await.unwrap();
        assert_eq!((view.item_price_id.unwrap().as_str(), view.seats), ("growth-yearly", Some(3)));
        let waits = world.billing.changes().pop().unwrap();
        assert_eq!(waits, (PeriodEnd, lines(&[("growth-monthly", 3)])));
    }

    async fn seats_stay_as_they_are_unless_they_are_named(db: TestDb) {
        let world = World::new(&db).await;
        world.subscribe(ORG, "starter").await;
        world.update(seats(7)).await.unwrap();
        let by_price = UpdateRequest { price_ids: vec!["growth-monthly".into()], ..UpdateRequest::default() };
        assert_eq!(world.update(by_price).await.unwrap().seats, Some(7));
        let fewer = UpdateRequest { seats: Some(5), ..to("starter") };
        let waits = world.update(fewer).await.unwrap().scheduled_change.unwrap();
        assert_eq!((waits.plan.unwrap().as_str(), waits.seats), ("starter", Some(5)));
    }

    async fn add_ons_are_kept_or_replaced_and_follow_the_interval(db: TestDb) {
        let world = World::new(&db).await;
        world.subscribe(ORG, "starter").await;
        world.update(with_addons(&[("extra-projects", 2), ("priority", 1)])).await.unwrap();
        world.update(seats(3)).await.unwrap();
        world.update(to("growth")).await.unwrap();
        let kept = [("growth-monthly", 3), ("extra-projects-monthly", 2), ("priority-monthly", 1)];
        assert_eq!(world.billing.changes().pop().unwrap(), (Now, lines(&kept)));
        // What has no yearly price stays by the month.
        let yearly = UpdateRequest { interval: Some("year".into()), ..UpdateRequest::default() };
        world.update(yearly).await.unwrap();
        let kept = [("growth-yearly", 3), ("extra-projects-monthly", 2), ("priority-yearly", 1)];
        assert_eq!(world.billing.changes().pop().unwrap(), (Now, lines(&kept)));
        let nothing = with_addons(&[("priority", 1), ("extra-projects", 2)]);
        assert_eq!(refusal(&world.update(nothing).await.unwrap_err()), (None, "nothing_changes"), "in another order");
        let waits = world.update(with_addons(&[("priority", 1)])).await.unwrap().scheduled_change.unwrap();
        assert_eq!(waits.items.len(), 2);
        // It would erase what waits, and nobody said so.
        let none = at(Now, with_addons(&[]));
        assert_eq!(refusal(&world.update(none.clone()).await.unwrap_err()), (None, "scheduled_change_pending"));
        world.engine().restore(&world.actor(ORG).await, None, None).await.unwrap();
        assert_eq!(world.update(none).await.unwrap().items.len(), 1);
        let decision = world.engine().gate(&ORG.into(), "projects").await.unwrap();
        assert_eq!(decision.grant, Some(tollkeeper_core::catalog::Grant::Limit(None)));
    }

    async fn what_is_wrong_is_named_before_anybody_is_asked(db: TestDb) {
        let world = World::new(&db).await;
        world.subscribe(ORG, "starter").await;
        world.billing.forget_calls();
        let prices = |ids: &[&str]| UpdateRequest {
            price_ids: ids.iter().map(|id| (*id).to_owned()).collect(),
            ..UpdateRequest::default()
        };
        let currency = |word: &str| UpdateRequest { currency: Some(word.into()), ..to("growth") };
        let interval = |word: &str| UpdateRequest { interval: Some(word.into()), ..UpdateRequest::default() };
        for (request, wanted) in [
            (to("care"), (Some("plan"), "other_group")),
            (to("gold"), (Some("plan"), "unknown_plan")),
            (to("free"), (Some("plan"), "plan_not_sold")),
            (prices(&["gold-monthly"]), (Some("itemPriceId"), "unknown_plan")),
            (prices(&["extra-projects-monthly"]), (Some("itemPriceId"), "not_a_plan")),
            (prices(&["growth-monthly", "starter-yearly"]), (Some("itemPriceId"), "not_an_addon")),
            (prices(&["growth-eur-monthly"]), (Some("currency"), "currency_mismatch")),
            (currency("EUR"), (Some("currency"), "currency_mismatch")),
            (currency("doubloons"), (Some("currency"), "bad_currency")),
            (interval("week"), (Some("interval"), "bad_interval")),
            (interval("once"), (Some("interval"), "bad_interval")),
            (seats(0), (Some("seats"), "bad_seats")),
            (seats(-1), (Some("seats"), "bad_seats")),
            (seats(26), (Some("seats"), "bad_seats")),
            (seats(i64::MAX), (Some("seats"), "bad_seats")),
            (UpdateRequest { seats: Some(26), ..to("growth") }, (Some("seats"), "bad_seats")),
            (with_addons(&[("nothing", 1)]), (Some("addons"), "unknown_addon")),
            (with_addons(&[("priority", 0)]), (Some("addons"), "bad_quantity")),
            (with_addons(&[("priority", 1), ("priority", 1)]), (Some("addons"), "named_twice")),
            (with_addons(&[("setup", 1)]), (Some("addons"), "sold_once")),
            (UpdateRequest { plan: Some("growth".into()), ..prices(&["growth-monthly"]) }, (Some("plan"), "ambiguous_plan")),
            (UpdateRequest::default(), (None, "nothing_changes")),
            (seats(1), (None, "nothing_changes")),
            (to("starter"), (None, "nothing_changes")),
            (UpdateRequest { subscription_id: Some("tks_0".into()), ..to("growth") }, (Some("subscriptionId"), "no_subscription")),
        ] {
            assert_eq!(refusal(&world.update(request.clone()).await.unwrap_err()), wanted, "{request:?}");
            assert_eq!(refusal(&world.preview(request.clone()).await.unwrap_err()), wanted, "{request:?}");
        }
        assert!(world.billing.calls().is_empty(), "{:?}", world.billing.calls());
    }

    async fn what_is_paused_unpaid_or_ending_cannot_be_changed_just_so(db: TestDb) {
        let world = World::new(&db).await;
        let (id, bought) = world.subscribe(ORG, "starter").await;
        let actor = world.actor(ORG).await;
        world.engine().cancel(&actor, &CancelRequest::default()).await.unwrap();
        let refused = world.update(at(PeriodEnd, to("growth"))).await.unwrap_err();
        assert_eq!(refusal(&refused), (None, "cancellation_scheduled"));
        assert_eq!(world.update(to("growth")).await.unwrap().status, Status::NonRenewing, "at once is possible");
        world.engine().restore(&actor, None, None).await.unwrap();
        let now = world.clock.now();
        let dues = Dues { since: now, attempts: 4, next_attempt_at: None, invoice: None, exhausted: true };
        let unpaid = world.billing.change(&bought, |it| it.dues = Some(dues));
        world.tell_state("ev_1", unpaid).await;
        world.settled("ev_1").await;
        assert_eq!(world.status(ORG, &id).await, Status::Unpaid);
        assert_eq!(refusal(&world.update(seats(4)).await.unwrap_err()), (None, "payment_due"));
        let paid = world.billing.change(&bought, |it| it.dues = None);
        world.tell_state("ev_2", paid).await;
        world.settled("ev_2").await;
        world.engine().pause(&actor, &PauseRequest { now: true, ..PauseRequest::default() }).await.unwrap();
        assert_eq!(refusal(&world.update(seats(4)).await.unwrap_err()), (None, "subscription_paused"));
        assert_eq!(refusal(&world.preview(seats(4)).await.unwrap_err()), (None, "subscription_paused"));
        assert_eq!(world.billing.changes().len(), 1);
    }

    async fn a_change_without_an_answer_is_looked_up_and_not_charged_twice(db: TestDb) {
        let world = World::new(&db).await;
        world.subscribe(ORG, "starter").await;
        world.billing.next("change", Outcome::Lost);
        assert_eq!(world.update(to("growth")).await.unwrap().plan.unwrap().as_str(), "growth");
        assert_eq!((world.billing.changes().len(), world.billing.charges()), (1, vec![3_000]));
        // Nothing was done: it is asked for once more.
        for kind in [ErrorKind::OutcomeUnknown, ErrorKind::Transient] {
            world.billing.next("change", Outcome::Fail(kind));
        }
        assert_eq!(world.update(seats(2)).await.unwrap().seats, Some(2));
        assert_eq!((world.billing.changes().len(), world.billing.charges()), (2, vec![3_000, 5_000]));
        // A step down that is lost is not scheduled twice.
        world.billing.next("change", Outcome::Lost);
        assert!(world.update(to("starter")).await.unwrap().scheduled_change.is_some());
        assert_eq!(world.billing.changes().len(), 3);
    }

    async fn a_change_whose_outcome_nobody_can_tell_fails_and_its_news_are_believed(db: TestDb) {
        let world = World::new(&db).await;
        let (id, bought) = world.subscribe(ORG, "starter").await;
        world.billing.next("change", Outcome::Lost);
        world.billing.next("subscription", Outcome::Fail(ErrorKind::Rejected));
        let failed = world.update(to("growth")).await.unwrap_err();
        assert!(
            matches!(&failed, Error::Provider(ProviderError { kind: ErrorKind::OutcomeUnknown, .. })),
            "that looking fails is not what became of the change: {failed:?}"
        );
        assert_eq!(world.billing.charges(), [3_000]);
        world.tell("ev_1", bought.as_str()).await;
        world.settled("ev_1").await;
        assert_eq!(world.row(ORG, &id).await.plan.unwrap().as_str(), "growth");
        assert_eq!(refusal(&world.update(to("growth")).await.unwrap_err()), (None, "nothing_changes"));
    }

    async fn a_declined_card_changes_nothing(db: TestDb) {
        let world = World::new(&db).await;
        let (id, _) = world.subscribe(ORG, "starter").await;
        let before = world.row(ORG, &id).await;
        world.billing.next("change", Outcome::Fail(ErrorKind::Declined));
        let failed = world.update(to("growth")).await.unwrap_err();
        assert!(matches!(&failed, Error::Provider(ProviderError { kind: ErrorKind::Declined, .. })), "{failed:?}");
        assert_eq!(world.row(ORG, &id).await, before);
        assert_eq!((world.billing.count("change"), world.billing.changes().len()), (1, 0));
        assert_eq!(world.update(to("growth")).await.unwrap().plan.unwrap().as_str(), "growth");
    }

    async fn what_the_provider_forbids_is_a_conflict(db: TestDb) {
        let world = World::new(&db).await;
        let (_, bought) = world.subscribe(ORG, "starter").await;
        // It ended there, and nobody told us yet.
        world.billing.end(&bought);
        for failed in [world.update(to("growth")).await.unwrap_err(), world.preview(to("growth")).await.unwrap_err()] {
            assert_eq!(refusal(&failed), (None, "state_forbids"));
        }
    }

    async fn in_a_trial_a_change_costs_nothing_and_waits_for_its_end(db: TestDb) {
        let world = World::new(&db).await;
        world.subscribe(ORG, "growth").await;
        let view = world.update(seats(5)).await.unwrap();
        assert_eq!((view.status, view.seats), (Status::InTrial, Some(5)));
        assert!(world.billing.charges().is_empty());
        let view = world.update(to("starter")).await.unwrap();
        assert_eq!(view.scheduled_change.map(|it| it.at), view.trial_end);
        assert_ne!(view.trial_end, Some(world.clock.now().plus(PERIOD)));
    }
}
